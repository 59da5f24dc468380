"""Remote desktops (MS-RDPBCGR, 2.2.1.1; MS-RDPEUDP, 2.2), and others that connect through X.224 (RFC 905).

Siemens S7 begins with the same connection request; its parameters name a slot of a rack.
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u16, u32
from pipeline.kernels import packet_kernel, unit_kernel

RDP, S7COMM = APPLICATION["rdp"], APPLICATION["s7comm"]
PORT, ISO_PORT = 3389, 102
#: Length of the fixed part behind its own length byte, and the header around.
FIXED, HEADER = 6, 11
CALLED = 0xC2
#: Negotiation: request, answer, refusal, each of 8 bytes, least byte first (2.2.1.1.1, 2.2.1.2.1, 2.2.1.2.2).
NEGOTIATION = (1, 2, 3)
COOKIE = 0x436F6F6B
#: What either side may say of its datagrams (MS-RDPEUDP, 2.2.2.5).
MTU_MIN, MTU_MAX = 1132, 1232
SYN = 1
TPKT_VERSION, CONNECTION_REQUEST, CONNECTION_CONFIRM = 3, 0xE0, 0xD0
#: Octets of the offer of other security that ends a request.
OFFER_SIZE = 8


@unit_kernel
def is_connection(table, buf, start, end, size, up, i):
    """Check of a stream that begins with a connection request or confirm: `RDP`, `S7COMM`, or 0."""
    flow = table.flows[i]
    total, fixed = u16(buf, start + 2), u8(buf, start + 4)
    if total != fixed + 5 or fixed < FIXED or total > size or start + total > end:
        return np.int64(0)
    at, stop = start + HEADER, start + total
    if at == stop:
        return np.int64(RDP if flow.server_port == PORT else 0)
    if at + 4 <= stop and u32(buf, at) == COOKIE:
        return np.int64(RDP)
    if stop - at == 8 and u8(buf, at) in NEGOTIATION and u16(buf, at + 2) == 0x0800:
        return np.int64(RDP)
    if flow.server_port == PORT:
        return np.int64(RDP)
    while at + 4 <= stop:
        if buf[at] == CALLED and buf[at + 1] == 2:
            # Kind of connection (programming, operating, other), then rack and slot.
            return np.int64(S7COMM if 1 <= u8(buf, at + 2) <= 3 and flow.server_port == ISO_PORT else 0)
        at += 2 + u8(buf, at + 1)
    return np.int64(0)


@unit_kernel
def is_udp_opening(table, buf, start, end, size, up, i):
    """Check of a datagram: `RDP` for a SYN, or its answer, with two packet sizes in bounds; or 0."""
    if end - start < 16 or u16(buf, start + 6) & SYN == 0:
        return np.int64(0)
    first, second = u16(buf, start + 12), u16(buf, start + 14)
    fits = MTU_MIN <= first <= MTU_MAX and MTU_MIN <= second <= MTU_MAX
    return np.int64(RDP if fits else 0)


@packet_kernel
def connection_end(buf, at, end, kind):
    """Offset behind the connection request or confirm at `at`, 0 if this is none, `end` if it is cut off.

    A request that offers no other security than RDP's own (2.2.1.1.1) is none here: no TLS follows it.
    """
    if end - at < 6 or buf[at] != TPKT_VERSION or buf[at + 1] != 0:
        return np.int64(0)
    size = u16(buf, at + 2)
    if size != u8(buf, at + 4) + 5 or u8(buf, at + 5) & 0xF0 != kind or size < HEADER:
        return np.int64(0)
    if size > end - at:
        return np.int64(end)
    offer = at + size - OFFER_SIZE
    if kind == CONNECTION_REQUEST and (size < HEADER + OFFER_SIZE or buf[offer] != 1 or buf[offer + 4] == 0):
        return np.int64(0)
    return np.int64(at + size)
