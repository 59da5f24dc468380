"""BitTorrent over UDP: its hash table (BEP 5) and its transport uTP (BEP 29)."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u16, u32
from capture.protocols.candidates import note, noted
from pipeline.kernels import unit_kernel

BITTORRENT = APPLICATION["bittorrent"]
#: First keys of a message: arguments, error, address, question, answer.
FIRST_KEYS = (97, 101, 105, 113, 114)
#: Shortest message that is believed; our default.
MESSAGE_MIN = 12
HEADER = 20
SYN, TYPE_LAST = 4, 4
EXTENSION_LAST = 3
#: Between two packets, in units of 1,024 µs of the sender's clock; our default.
GAP_MAX = 20_000
#: Largest window that a receiver has offered, bytes; our default.
WINDOW_MAX = 1 << 26


@unit_kernel
def is_dht(table, buf, start, end, size, up, i):
    """Check of a datagram: `BITTORRENT` for a dictionary with the keys of the hash table, or 0."""
    n = end - start
    whole = n < size or buf[end - 1] == 101
    known = n >= MESSAGE_MIN and u8(buf, start + 3) in FIRST_KEYS
    return np.int64(BITTORRENT if known and whole else 0)


@unit_kernel
def is_utp(table, buf, start, end, size, up, i):
    """Check of a datagram: `BITTORRENT` for the opening of a connection, or two packets of one; or 0.

    The token is the connection's number over a middle part of the sender's clock, which moves on.
    """
    if end - start < HEADER or u8(buf, start) >> 4 > TYPE_LAST or u8(buf, start + 1) > EXTENSION_LAST:
        return np.int64(0)
    flow = table.flows[i]
    connection, clock = u16(buf, start + 2), u32(buf, start + 4) >> 10 & 0xFFFF
    if u8(buf, start) >> 4 == SYN:
        # The first sequence number, nothing received, no delay known.
        fresh = u16(buf, start + 16) == 1 and u16(buf, start + 18) == 0 and u32(buf, start + 8) == 0
        note(flow, BITTORRENT, up, connection << 16 | clock)
        return np.int64(BITTORRENT if fresh and size < 64 and u32(buf, start + 4) != 0 else 0)
    window = u32(buf, start + 12)
    if connection == 0 or window > WINDOW_MAX or u16(buf, start + 18) == 0:
        return np.int64(0)
    theirs, ours = noted(flow, BITTORRENT, 0 if up else 1), noted(flow, BITTORRENT, up)
    note(flow, BITTORRENT, up, connection << 16 | clock)
    if ours != 0:
        same = ours >> 16 == connection and 0 < ((clock - ours) & 0xFFFF) <= GAP_MAX
        return np.int64(BITTORRENT if same else 0)
    # The other side's number is one more or one less.
    answers = theirs != 0 and ((theirs >> 16) - connection) in (-1, 1)
    return np.int64(BITTORRENT if answers else 0)
