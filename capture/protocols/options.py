"""Options behind a kind and a length of two bytes each, of DHCPv6 (RFC 8415, 21.1) and of WPS's element.

WPS calls them attributes (Wi-Fi Simple Configuration, 12).
"""

from capture.octets import u16
from pipeline.kernels import packet_kernel


@packet_kernel
def find_option(buf, at, end, wanted):
    """(start, end) of the first option of a kind, (-1, -1) if it is absent or cut off."""
    while at >= 0 and end - at >= 4:
        stop = at + 4 + u16(buf, at + 2)
        if stop > end:
            break
        if u16(buf, at) == wanted:
            return at + 4, stop
        at = stop
    return -1, -1
