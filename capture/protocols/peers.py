"""Other networks of peers: Gnutella (protocol 0.4, message header) and Ethereum (devp2p, discovery 4)."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8
from capture.protocols.signatures import number_at
from pipeline.kernels import unit_kernel

GNUTELLA, ETHEREUM = APPLICATION["gnutella"], APPLICATION["ethereum"]
#: Number of the message, kind, time to live, hops, length of what follows.
HEADER = 23
#: Ping, pong, bye, reset tables, vendor messages, push, hash table, query, hits.
KINDS = (0x00, 0x01, 0x02, 0x30, 0x31, 0x32, 0x40, 0x44, 0x80, 0x81)
#: Hops made and still allowed, together; our default.
HOPS_MAX = 16
#: Behind the hash and the signature: kind of packet, then a list.
KIND_AT, KIND_LAST = 97, 6


@unit_kernel
def is_gnutella(table, buf, start, end, size, up, i):
    """Check of a datagram: `GNUTELLA`, or 0."""
    fits = number_at(buf, start + 19, 4, True) + HEADER == size
    near = u8(buf, start + 17) + u8(buf, start + 18) <= HOPS_MAX
    return np.int64(GNUTELLA if fits and near and u8(buf, start + 16) in KINDS else 0)


@unit_kernel
def is_ethereum(table, buf, start, end, size, up, i):
    """Check of a datagram: `ETHEREUM` for a list (recursive length prefix) that ends with it, or 0."""
    at = start + KIND_AT + 1
    kind, head = u8(buf, at - 1), u8(buf, at)
    if kind < 1 or kind > KIND_LAST or head < 0xC0:
        return np.int64(0)
    if head < 0xF8:
        return np.int64(ETHEREUM if at + 1 + head - 0xC0 - start == size else 0)
    digits = head - 0xF7
    if digits > 2 or at + 1 + digits > end:
        return np.int64(0)
    length = number_at(buf, at + 1, digits, False)
    return np.int64(ETHEREUM if at + 1 + digits + length - start == size else 0)
