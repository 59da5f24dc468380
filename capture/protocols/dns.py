"""DNS messages (RFC 1035) with extended errors (RFC 8914); multicast DNS and LLMNR share the form."""

import numpy as np

from capture.arena import UNKNOWN
from capture.flows import NONE
from capture.octets import put_escaped, u8, u16, u32
from pipeline.kernels import packet_kernel

#: Longest name as text kept; longer ones (escapes) are cut.
NAME_ROOM = 512
#: Compression pointers followed in one name; each must point backwards, so this only bounds work.
POINTERS_MAX = 64
#: Resource records read of one message; our default.
RECORDS_MAX = 256

A, NS, CNAME, PTR, MX, AAAA, SRV, DNAME, OPT = 1, 2, 5, 12, 15, 28, 33, 39, 41
OPTION_EXTENDED_ERROR = 15

#: What a message said; one scratch record.
MESSAGE = np.dtype(
    [
        ("id", "i8"),
        ("response", "i8"),
        ("opcode", "i8"),
        ("rcode", "i8"),
        ("ra", "i8"),
        ("questions", "i8"),
        ("qtype", "i8"),
        ("name_len", "i8"),
        ("ede", "i8"),
        ("min_ttl", "i8"),
        ("answers", "i8"),  # names appended behind `answers_at`
        ("answers_at", "i8"),
        ("addresses", "i8"),
        ("addresses_at", "i8"),
        ("behind", "i8"),  # first free byte of the text arena behind what was appended
    ],
    align=True,
)

#: Text that one message may append to the arena.
MESSAGE_TEXT = 16_384


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
    for _ in range(POINTERS_MAX + 128):
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
def open_item(text, at):
    """Leave room for an item's length."""
    return at + 2


@packet_kernel
def close_item(text, at, behind):
    """Write the length of the item that begins at `at`."""
    text[at] = (behind - at - 2) >> 8
    text[at + 1] = (behind - at - 2) & 255


@packet_kernel
def parse(buf, start, end, message, name, text, text_at):
    """Read one message into `message`; the question's name into `name`, answers into `text` at `text_at`.

    True if the header and, where there is one, the first question are sound; what stands behind a broken
    record is left off. Appends at most `MESSAGE_TEXT` bytes to `text`.
    """
    if end - start < 12:
        return False
    flags = u16(buf, start + 2)
    message.id = u16(buf, start)
    message.response = flags >> 15
    message.opcode = flags >> 11 & 15
    message.rcode = flags & 15
    message.ra = flags >> 7 & 1
    message.questions = u16(buf, start + 4)
    answers = u16(buf, start + 6)
    others = u16(buf, start + 8) + u16(buf, start + 10)
    message.qtype = 0
    message.name_len = 0
    message.ede = UNKNOWN
    message.min_ttl = UNKNOWN
    message.answers = 0
    message.addresses = 0
    message.answers_at = text_at
    message.addresses_at = text_at
    message.behind = text_at
    at = start + 12
    if message.questions > 0:
        behind, length = read_name(buf, start, end, at, name, 0, NAME_ROOM)
        if behind < 0 or behind + 4 > end:
            return False
        message.name_len = length
        message.qtype = u16(buf, behind)
        at = behind + 4
        for _ in range(1, min(message.questions, 64)):
            at = skip_name(buf, end, at)
            if at < 0 or at + 4 > end:
                return True
            at += 4
    limit = text_at + MESSAGE_TEXT // 2
    position = text_at
    # Addresses go to the second half first, and are moved behind the names at the end.
    address_at = limit
    address_limit = text_at + MESSAGE_TEXT
    for number in range(min(answers + others, RECORDS_MAX)):
        at = skip_name(buf, end, at)
        if at < 0 or at + 10 > end:
            break
        kind = u16(buf, at)
        ttl = u32(buf, at + 4)
        length = u16(buf, at + 8)
        data = at + 10
        if data + length > end:
            break
        if number < answers:
            if message.min_ttl == UNKNOWN or ttl < message.min_ttl:
                message.min_ttl = ttl
            if (kind == A and length == 4) or (kind == AAAA and length == 16):
                if address_at + 18 <= address_limit:
                    text[address_at] = 0
                    text[address_at + 1] = 16
                    for i in range(16):
                        text[address_at + 2 + i] = 0
                    if kind == A:
                        text[address_at + 12] = 255
                        text[address_at + 13] = 255
                    for i in range(length):
                        text[address_at + 18 - length + i] = buf[data + i]
                    address_at += 18
                    message.addresses += 1
            else:
                inside = NONE
                if kind in (CNAME, PTR, NS, DNAME):
                    inside = data
                elif kind == MX and length > 2:
                    inside = data + 2
                elif kind == SRV and length > 6:
                    inside = data + 6
                if inside != NONE and position + 2 + NAME_ROOM <= limit:
                    item = position
                    behind, stop = read_name(buf, start, end, inside, text, open_item(text, item), limit)
                    if behind >= 0:
                        close_item(text, item, stop)
                        position = stop
                        message.answers += 1
        elif kind == OPT:
            message.rcode |= (ttl >> 24) << 4
            extended_error(buf, data, data + length, message)
        at = data + length
    size = address_at - limit
    for i in range(size):
        text[position + i] = text[limit + i]
    message.addresses_at = position
    message.behind = position + size
    return True


@packet_kernel
def extended_error(buf, at, end, message):
    """Take the first extended error of an OPT record's options (RFC 8914, 2)."""
    while end - at >= 4:
        kind = u16(buf, at)
        length = u16(buf, at + 2)
        if kind == OPTION_EXTENDED_ERROR and length >= 2 and end - at >= 6:
            if message.ede == UNKNOWN:
                message.ede = u16(buf, at + 4)
            return
        at += 4 + length
