"""DHCP for IPv6 (RFC 8415)."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def sight_dhcpv6(table, buf, start, end):
    """Sighting of a client or server; 1 if this is DHCPv6."""
    return np.int64(NOT)
