"""The detectors' lab: what real programs do behind the real mirror, and what the product must say of it.

docs/lab.md explains how to write a scenario and how to play it.
"""
