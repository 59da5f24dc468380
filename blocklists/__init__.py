"""Names and what they stand for: list formats, our starter lists, the taxonomy, the compiled matcher.

It must never know a policy, a client or a verdict: a name goes in, labels come out.
"""
