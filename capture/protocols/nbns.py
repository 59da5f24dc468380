"""NetBIOS name service and datagrams (RFC 1002)."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def read_nbns(table, buf, start, end, i):
    """Reader of a datagram: NetBIOS."""
    return np.int64(NOT)
