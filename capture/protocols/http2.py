"""HTTP/2 in the clear (RFC 9113): authority and status of the first exchange."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def read_http2(table, buf, start, end, final, i):
    """Reader of either direction: HTTP/2."""
    return np.int64(NOT)
