"""Protocols whose first line names them: SIP (RFC 3261, 7), RTSP (RFC 2326, 6), MGCP (RFC 3435, 3.2), SSDP
(UPnP 1.1), Gnutella's and BitTorrent's borrowings from HTTP."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u64
from capture.transport import UDP
from pipeline.kernels import packet_kernel, unit_kernel

SIP, RTSP, MGCP, SSDP, HTTP, GNUTELLA, BITTORRENT = (
    APPLICATION[word] for word in ("sip", "rtsp", "mgcp", "ssdp", "http", "gnutella", "bittorrent")
)
#: Octets within which the line is over; our default.
LINE_MAX = 1024


def _eight(text: bytes) -> int:
    return int.from_bytes(text, "big")


SIP_2, RTSP_1, RTSP_2 = _eight(b"SIP/2.0\0"), _eight(b"RTSP/1.0"), _eight(b"RTSP/2.0")
MGCP_ANY, HTTP_ANY, GNUTELLA_WORD, SEARCH = (
    _eight(b"MGCP \0\0\0"), _eight(b"HTTP/\0\0\0"), _eight(b"GNUTELLA"), _eight(b"BT-SEARC"),
)  # fmt: skip
#: All but the last bytes.
SEVEN, FIVE = ~0xFF, ~0xFFFFFF


@packet_kernel
def protocol_word(buf, at, end, datagram):
    """Application that a word of the first line names, 0 none."""
    if at + 8 > end:
        # A word that ends the bytes: nothing but version 2.0 of SIP is shorter, and a line's end follows it.
        return 0
    eight = u64(buf, at)
    if eight & SEVEN == SIP_2:
        return SIP
    if eight in (RTSP_1, RTSP_2):
        return RTSP
    if eight & FIVE == MGCP_ANY:
        return MGCP
    if eight & FIVE == HTTP_ANY:
        return SSDP if datagram else HTTP
    return 0


@unit_kernel
def is_request_line(table, buf, start, end, size, up, i):
    """Check: the application that a request's or an answer's first line names, or 0."""
    if end - start < 12:
        return np.int64(0)
    datagram = table.flows[i].protocol == UDP
    eight = u64(buf, start)
    if eight == GNUTELLA_WORD:
        return np.int64(GNUTELLA)
    if eight == SEARCH:
        return np.int64(BITTORRENT)
    found = protocol_word(buf, start, end, datagram)
    if found != 0:
        return np.int64(found)
    for at in range(start, min(end, start + LINE_MAX)):
        octet = u8(buf, at)
        if octet == 32:
            found = protocol_word(buf, at + 1, end, datagram)
            if found != 0:
                return np.int64(found)
        elif octet < 32 or octet == 127:
            break
    return np.int64(0)
