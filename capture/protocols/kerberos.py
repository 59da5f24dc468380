"""Kerberos 5 (RFC 4120)."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def sight_kerberos(table, buf, start, end):
    """Sighting of who asks for tickets; 1 if this is Kerberos."""
    return np.int64(NOT)
