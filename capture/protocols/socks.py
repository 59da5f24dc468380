"""SOCKS 4, 4a and 5 (RFC 1928): the target that a client asks its proxy for."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def read_socks(table, buf, start, end, final, i):
    """Reader of a client's stream: SOCKS."""
    return np.int64(NOT)
