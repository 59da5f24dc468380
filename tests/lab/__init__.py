"""A small school network of namespaces with real programs in it, and what records the bundled capture.

Traffic stays inside the namespaces that a lab made; the lab removes them when it closes.
"""
