"""WireGuard (whitepaper, 5.4): four message types with their own lengths, and indices that answer each other.

The three bytes behind the type are zero; Cloudflare's service puts a client number there, which both sides
repeat. Named by an initiation without a cookie's answer in it, whose second code is all zeros, and else by
two datagrams that belong together; on its own port one data message is enough.
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u32
from capture.protocols.candidates import note, noted
from pipeline.kernels import packet_kernel, unit_kernel

WIREGUARD = APPLICATION["wireguard"]
INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
INITIATION_BYTES, RESPONSE_BYTES, COOKIE_BYTES, DATA_BYTES_MIN = 148, 92, 64, 32
PORT = 51_820
#: The second message code, zero where no cookie was asked for.
CODE_BYTES = 16


@packet_kernel
def are_zero(buf, start, end):
    """True if all the bytes are zero."""
    for at in range(start, end):
        if buf[at] != 0:
            return False
    return True


@unit_kernel
def is_wireguard(table, buf, start, end, size, up, i):
    """Check of a datagram: `WIREGUARD`, or 0."""
    flow = table.flows[i]
    n = end - start
    if n < 16 or u32(buf, start + 4) == 0:
        return np.int64(0)
    kind = u8(buf, start)
    plain = u32(buf, start) & 0xFFFFFF == 0
    index = u32(buf, start + 4)
    asked = noted(flow, WIREGUARD, 0 if up else 1)
    if kind == INITIATION and size == INITIATION_BYTES:
        again = noted(flow, WIREGUARD, up) != 0
        note(flow, WIREGUARD, up, index)
        # Key and sealed static key are never zero; a datagram of zeros is none.
        filled = n == size and u32(buf, start + 8) != 0 and u32(buf, start + 40) != 0
        if filled and plain and (again or are_zero(buf, end - CODE_BYTES, end)):
            return np.int64(WIREGUARD)
        return np.int64(0)
    if kind == RESPONSE and size == RESPONSE_BYTES:
        # Its receiver is the initiation's sender.
        if asked != 0 and asked == u32(buf, start + 8):
            return np.int64(WIREGUARD)
        filled = n == size and u32(buf, start + 8) != 0 and u32(buf, start + 12) != 0
        if plain and filled and are_zero(buf, end - CODE_BYTES, end):
            return np.int64(WIREGUARD)
        return np.int64(0)
    if kind == COOKIE and size == COOKIE_BYTES:
        return np.int64(WIREGUARD if asked == index else 0)
    if kind == DATA and plain and size >= DATA_BYTES_MIN and size % 16 == 0 and u32(buf, start + 12) == 0:
        # Receiver, then a counter, least byte first, of less than 2**32 packets.
        before = noted(flow, WIREGUARD, up)
        note(flow, WIREGUARD, up, index)
        own_port = flow.server_port == PORT or flow.client_port == PORT
        return np.int64(WIREGUARD if before == index or own_port else 0)
    return np.int64(0)
