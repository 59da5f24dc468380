"""SSDP (UPnP device architecture 1.1, 1)."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def sight_ssdp(table, buf, start, end):
    """Sighting of a device or of who searches; 1 if this is SSDP."""
    return np.int64(NOT)
