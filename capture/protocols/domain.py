"""Domain names and records in messages (RFC 1035, 3.1 and 4.1), for all protocols that borrow their form."""

import numpy as np

from capture.octets import put_escaped, u8, u16, u32
from pipeline.kernels import packet_kernel

#: Compression pointers followed in one name, each backwards, so that this only bounds work; our default.
POINTERS_MAX = 64
#: Labels that a name of 255 octets can have.
LABELS_MAX = 128


@packet_kernel
def read_name(buf, message, end, at, out, out_at, limit):
    """Write the name at `at` as text: labels lower case and joined by dots, RFC 4343 escapes.

    `message` is the offset of the message's header, which compression pointers count from. Returns
    (position behind the name in the message, position behind the text), (-1, out_at) if it is broken:
    cut off, a pointer that does not point backwards, a reserved label type, or over 255 octets.
    """
    behind = -1
    first = out_at
    floor = at
    octets = 0
    for _ in range(POINTERS_MAX + LABELS_MAX):
        if at >= end:
            return -1, first
        length = u8(buf, at)
        if length == 0:
            if behind < 0:
                behind = at + 1
            return behind, out_at
        if length >= 0xC0:
            if at + 2 > end:
                return -1, first
            if behind < 0:
                behind = at + 2
            target = message + (u16(buf, at) & 0x3FFF)
            if target >= floor:
                return -1, first
            floor = target
            at = target
            continue
        if length > 63 or at + 1 + length > end:
            return -1, first
        octets += length + 1
        if octets > 254:
            return -1, first
        if out_at > first and out_at < limit:
            out[out_at] = 46
            out_at += 1
        at += 1
        for i in range(at, at + length):
            octet = u8(buf, i)
            if octet <= 32 or octet >= 127:
                after = put_escaped(out, out_at, limit, octet)
                if after == out_at:
                    # Full: nothing shorter may follow.
                    limit = out_at
                out_at = after
                continue
            if octet == 46 or octet == 92:
                if out_at + 2 > limit:
                    limit = out_at
                    continue
                out[out_at] = 92
                out_at += 1
            if 65 <= octet <= 90:
                octet += 32
            if out_at < limit:
                out[out_at] = octet
                out_at += 1
        at += length
    return -1, first


@packet_kernel
def skip_name(buf, end, at):
    """Position behind the name at `at`, -1 if it is cut off."""
    while at < end:
        length = u8(buf, at)
        if length == 0:
            return at + 1
        if length >= 0xC0:
            return at + 2 if at + 2 <= end else -1
        if length > 63:
            return -1
        at += 1 + length
    return -1


@packet_kernel
def first_label(buf, message, end, at):
    """(start, end) of a name's first label, behind one compression pointer or more; (-1, -1) if broken."""
    floor = at
    for _ in range(POINTERS_MAX):
        if at >= end:
            break
        length = u8(buf, at)
        if length < 0xC0:
            if length > 63 or at + 1 + length > end:
                break
            return at + 1, at + 1 + length
        if at + 2 > end:
            break
        at = message + (u16(buf, at) & 0x3FFF)
        if at >= floor:
            break
        floor = at
    return -1, -1


@packet_kernel
def skip_questions(buf, start, end, most):
    """Position behind the question section, -1 if it is broken or has more than `most`."""
    at = start + 12
    count = u16(buf, start + 4)
    if count > most:
        return -1
    for _ in range(count):
        at = skip_name(buf, end, at)
        if at < 0 or at + 4 > end:
            return -1
        at += 4
    return at


@packet_kernel
def open_record(buf, end, at):
    """(kind, TTL, start and end of data) of the record whose name ends at `at`; kind -1 if it is cut off."""
    if at < 0 or at + 10 > end:
        return np.int64(-1), np.int64(0), np.int64(0), np.int64(0)
    stop = at + 10 + u16(buf, at + 8)
    if stop > end:
        return np.int64(-1), np.int64(0), np.int64(0), np.int64(0)
    return u16(buf, at), u32(buf, at + 4), at + 10, stop
