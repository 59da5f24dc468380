"""Protocols that turn to TLS inside their stream: where the hellos begin."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def read_upgrade(table, buf, start, end, final, i):
    """Reader of a client's stream: where its ClientHello begins."""
    return np.int64(NOT)


@unit_kernel
def read_upgrade_answer(table, buf, start, end, final, i):
    """Reader of a server's stream: where its ServerHello begins."""
    return np.int64(NOT)
