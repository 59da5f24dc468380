"""QUIC (RFC 9000, 9001, 9369): the ClientHello in Initial packets."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def read_quic(table, buf, start, end, i):
    """Reader of a datagram: QUIC."""
    return np.int64(NOT)
