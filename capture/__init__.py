"""From frames to records: sources of frames, the compiled kernels, the sensor loop.

It must never transmit, keep payload, read the wall clock for a record's time, or know what a
name means: those are questions for the classifiers.
"""
