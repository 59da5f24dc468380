"""RADIUS (RFC 2865, 2866)."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def sight_radius(table, buf, start, end):
    """Sighting of a user's session; 1 if this is RADIUS."""
    return np.int64(NOT)
