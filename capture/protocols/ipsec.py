"""IPsec: key exchange (RFC 2408, 3.1; RFC 7296, 3.1) and ESP inside UDP (RFC 3948, 2.1)."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u32
from capture.protocols.candidates import note, noted
from pipeline.kernels import packet_kernel, unit_kernel

IPSEC = APPLICATION["ipsec"]
HEADER, MARKER, PORT = 28, 4, 500
#: Exchange types of version 1 (RFC 2408, 3.1; RFC 2409, appendix A; mode configuration) and 2 (IANA).
EXCHANGES_1, EXCHANGES_2 = (1, 2, 3, 4, 5, 6, 32, 33), (34, 35, 36, 37, 38, 39, 40, 43, 44)
KEEP_ALIVE = 0xFF
#: Packets of a security association that may have gone by unseen between two; our default.
GAP_MAX = 4096


@packet_kernel
def is_key_exchange(flow, buf, start, end, size):
    """True if the header of a key exchange states the length that there is; on port 500, whatever length."""
    own_port = flow.server_port == PORT or flow.client_port == PORT
    if end - start < HEADER or (u32(buf, start + 24) != size and not own_port):
        return False
    if (u32(buf, start) | u32(buf, start + 4)) == 0:
        return False
    version, exchange, bits = u8(buf, start + 17), u8(buf, start + 18), u8(buf, start + 19)
    if version == 0x10:
        return exchange in EXCHANGES_1 and bits < 8
    # Initiator, version and response are all the bits there are.
    return version == 0x20 and exchange in EXCHANGES_2 and bits & 0xC7 == 0


@unit_kernel
def is_ike(table, buf, start, end, size, up, i):
    """Check of a datagram: `IPSEC` for a key exchange, or 0."""
    return np.int64(IPSEC if is_key_exchange(table.flows[i], buf, start, end, size) else 0)


@unit_kernel
def is_marked_ike(table, buf, start, end, size, up, i):
    """Check of a datagram: `IPSEC` for a key exchange behind the marker of four zero bytes, or 0."""
    known = is_key_exchange(table.flows[i], buf, start + MARKER, end, size - MARKER)
    return np.int64(IPSEC if known else 0)


@unit_kernel
def is_esp(table, buf, start, end, size, up, i):
    """Check of a datagram of port 4500: `IPSEC` for a keep-alive, or two packets of one association; or 0.

    The token is the lower half of the index over that of the counter, which grows.
    """
    if size == 1:
        return np.int64(IPSEC if buf[start] == KEEP_ALIVE else 0)
    if end - start < 8 or size < 16 or u32(buf, start) < 256:
        return np.int64(0)
    flow = table.flows[i]
    index, counter = u32(buf, start) & 0xFFFF, u32(buf, start + 4) & 0xFFFF
    before = noted(flow, IPSEC, up)
    note(flow, IPSEC, up, index << 16 | counter)
    follows = 0 < ((counter - before) & 0xFFFF) <= GAP_MAX
    return np.int64(IPSEC if before != 0 and before >> 16 == index and follows else 0)
