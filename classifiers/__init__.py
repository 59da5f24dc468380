"""What records mean: name → categories and service → policy → verdict, and the detectors over them.

It must never open a capture or serve a request; rows go in and rows come out.
"""
