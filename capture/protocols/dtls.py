"""DTLS (RFC 6347, 9147): the ClientHello in datagrams."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def read_dtls(table, buf, start, end, i):
    """Reader of a datagram: DTLS."""
    return np.int64(NOT)
