"""DNS over HTTP/2 in the clear (RFC 8484, RFC 9113): between a proxy that ends TLS and a resolver."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u24, u32
from capture.protocols.dns import is_whole_message, set_stream, take_message
from capture.protocols.outcomes import DONE, NOT
from capture.questions import has_dns_room
from pipeline.kernels import packet_kernel, unit_kernel

APP_HTTP = APPLICATION["http"]
#: Frames of one segment that are looked at; our default.
FRAMES_MAX = 32
#: A frame's header (RFC 9113, 4.1), its greatest type and its DATA; the flag of padding.
FRAME_HEADER, LAST_TYPE, DATA, PADDED = 9, 9, 0, 8
#: Longest frame unless agreed otherwise (RFC 9113, 4.2).
FRAME_MAX = 16_384
#: The shortest frame that holds a message.
SHORTEST = FRAME_HEADER + 17


@packet_kernel
def may_hold_messages(buf, start, end):
    """True if the bytes could be a frame of up to 16 KiB; one of data is of a stream (RFC 9113, 6.1).

    The latter refuses streams of zeros.
    """
    if end - start < SHORTEST or buf[start] != 0:
        return False
    if buf[start + 1] > 64 or buf[start + 3] > LAST_TYPE:
        return False
    return buf[start + 3] != DATA or u32(buf, start + 5) != 0


@unit_kernel
def read_doh_segment(table, buf, start, end, i):
    """Reader of a segment of an HTTP stream: each DATA frame that is one whole ordinary message."""
    at = start
    known = NOT
    for _ in range(FRAMES_MAX):
        if at + FRAME_HEADER > end or not has_dns_room(table):
            break
        size, kind, flags = u24(buf, at), u8(buf, at + 3), u8(buf, at + 4)
        behind = at + FRAME_HEADER + size
        if size > FRAME_MAX or kind > LAST_TYPE or behind > end:
            break
        first, last = at + FRAME_HEADER, behind
        if kind == DATA and flags & PADDED and size > 0:
            last -= u8(buf, first)
            first += 1
        stream = u32(buf, at + 5)
        if kind == DATA and 0 < stream < 1 << 31 and is_whole_message(table, buf, first, last):
            set_stream(table, i)
            take_message(table, buf, first, last)
            table.flows[i].application = APP_HTTP
            known = DONE
        at = behind
    return np.int64(known)
