"""DNS messages (RFC 1035) over UDP and TCP, multicast (RFC 6762) and LLMNR (RFC 4795).

Questions wait in a ring until their answer comes or 5 s pass; answers name the client's later flows.
"""

import numpy as np

from capture.arena import UNKNOWN
from capture.flows import NONE
from capture.octets import mix, mix_octets, put_escaped, same, u8, u16, u32
from pipeline.kernels import packet_kernel

#: Seconds a question waits (records.md).
UNANSWERED_US = 5_000_000
#: Longest round trip that a record can say, µs.
RTT_MAX = 0xFFFFFFFF
#: Longest name as text kept; longer ones (escapes) are cut.
NAME_ROOM = 512
#: Compression pointers followed in one name; each must point backwards, so this only bounds work.
POINTERS_MAX = 64
#: Resource records read of one message; our default.
RECORDS_MAX = 256

A, NS, CNAME, PTR, MX, AAAA, SRV, DNAME, OPT = 1, 2, 5, 12, 15, 28, 33, 39, 41
OPTION_EXTENDED_ERROR = 15

UDP_TRANSPORT, TCP_TRANSPORT, MDNS, LLMNR = 0, 1, 2, 3

#: A question that waits.
PENDING = np.dtype(
    [
        ("ts", "i8"),
        ("client_hi", "i8"),
        ("client_lo", "i8"),
        ("server_hi", "i8"),
        ("server_lo", "i8"),
        ("key", "i8"),
        ("next", "i4"),
        ("waiting", "i4"),
        ("client_port", "i4"),
        ("id", "i4"),
        ("qtype", "i4"),
        ("vlan", "i4"),
        ("transport", "i4"),
        ("name_len", "i4"),
    ],
    align=True,
)

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


@packet_kernel
def question_key(table, asker_hi, asker_lo, resolver_hi, resolver_lo, port, message, name):
    """Keyed hash of one question: both ends, port, id, type and name."""
    seed = table.meter[0].seed
    h = mix(seed ^ asker_hi) ^ asker_lo
    h = mix(h) ^ resolver_hi
    h = mix(h) ^ resolver_lo
    h = mix(h) ^ (port << 32 | message.id << 16 | message.qtype)
    return mix_octets(h, name, 0, message.name_len)


@packet_kernel
def find_question(table, key, packet_port, message, name):
    """Slot of the waiting question with this key, `NONE` if there is none."""
    i = np.int64(table.question_buckets[key & (len(table.question_buckets) - 1)])
    while i != NONE:
        question = table.questions[i]
        if (
            question.key == key
            and question.client_port == packet_port
            and question.id == message.id
            and question.qtype == message.qtype
            and question.name_len == message.name_len
            and same(table.question_names[i], 0, name, 0, message.name_len)
        ):
            return i
        i = np.int64(question.next)
    return np.int64(NONE)


@packet_kernel
def forget_question(table, i):
    """Take slot `i` out of its chain."""
    question = table.questions[i]
    bucket = question.key & (len(table.question_buckets) - 1)
    j = np.int64(table.question_buckets[bucket])
    if j == i:
        table.question_buckets[bucket] = question.next
    else:
        while j != NONE:
            behind = table.questions[j]
            if behind.next == i:
                behind.next = question.next
                break
            j = np.int64(behind.next)
    question.waiting = 0


@packet_kernel
def dns_row(table, at, length, name):
    """The next DNS row with the name's text in place; the caller made sure that there is room."""
    meter = table.meter[0]
    row = table.dns_rows[meter.dns_rows]
    meter.dns_rows += 1
    text_at = meter.text_used
    for i in range(length):
        table.text[text_at + i] = name[at + i]
    row.qname_at = text_at
    row.qname_len = length
    meter.text_used = text_at + length
    return row


@packet_kernel
def write_unanswered(table, i):
    """Row of a question that got no answer; frees its slot."""
    question = table.questions[i]
    row = dns_row(table, 0, np.int64(question.name_len), table.question_names[i])
    row.ts = question.ts
    row.client_hi = question.client_hi
    row.client_lo = question.client_lo
    row.server_hi = question.server_hi
    row.server_lo = question.server_lo
    row.vlan = question.vlan
    row.transport = question.transport
    row.id = question.id
    row.qtype = question.qtype
    row.rcode = UNKNOWN
    row.ra = UNKNOWN
    row.ede = UNKNOWN
    row.answers_at = 0
    row.answers_count = 0
    row.addresses_at = 0
    row.addresses_count = 0
    row.min_ttl = UNKNOWN
    row.rtt_us = UNKNOWN
    row.answered = 0
    forget_question(table, i)


@packet_kernel
def expire_questions(table, now, everything):
    """Write out questions older than 5 s, oldest first; False if the rows are full before the end."""
    meter = table.meter[0]
    size = len(table.questions)
    while meter.question_tail < meter.question_next:
        i = meter.question_tail & (size - 1)
        question = table.questions[i]
        if question.waiting == 1:
            # One of the future, too, waits no longer: the clock was set back.
            if not everything and abs(now - question.ts) <= UNANSWERED_US:
                return True
            if not has_dns_room(table):
                return False
            write_unanswered(table, i)
        meter.question_tail += 1
    return True


@packet_kernel
def has_dns_room(table):
    """True if one more DNS row and its text fit."""
    meter = table.meter[0]
    return meter.dns_rows < len(table.dns_rows) and meter.text_used + 2 * MESSAGE_TEXT < len(table.text)


@packet_kernel
def take_message(table, buf, start, end, packet, transport):
    """Take one DNS message into the table: a question waits, an answer makes a row. True if it is DNS.

    The caller made sure that two rows fit.
    """
    meter = table.meter[0]
    message = table.message[0]
    name = table.name
    # The question's name goes first, so answers are read behind room for it.
    if not parse(buf, start, end, message, name, table.text, meter.text_used + NAME_ROOM):
        return False
    if message.opcode != 0 or message.questions == 0 or message.questions > 64:
        return message.opcode == 0 and message.response == 1
    if message.response == 0:
        ask(table, packet, message, name, transport)
        return True
    key = question_key(
        table,
        packet.target_hi,
        packet.target_lo,
        packet.source_hi,
        packet.source_lo,
        packet.target_port,
        message,
        name,
    )
    i = find_question(table, key, packet.target_port, message, name)
    text_behind = message.behind
    row = dns_row(table, 0, message.name_len, name)
    meter.text_used = text_behind
    row.ts = packet.ts
    row.rtt_us = UNKNOWN
    if i != NONE:
        row.ts = table.questions[i].ts
        row.rtt_us = min(max(packet.ts - row.ts, 0), RTT_MAX)
        forget_question(table, i)
    row.client_hi = packet.target_hi
    row.client_lo = packet.target_lo
    row.server_hi = packet.source_hi
    row.server_lo = packet.source_lo
    row.vlan = packet.vlan
    row.transport = transport
    row.id = message.id
    row.qtype = message.qtype
    row.rcode = message.rcode & 255
    row.ra = message.ra
    row.ede = message.ede
    row.answers_at = message.answers_at
    row.answers_count = message.answers
    row.addresses_at = message.addresses_at
    row.addresses_count = message.addresses
    row.min_ttl = message.min_ttl
    row.answered = 1
    if transport in (UDP_TRANSPORT, TCP_TRANSPORT):
        remember_addresses(table, packet, message, name)
    return True


@packet_kernel
def ask(table, packet, message, name, transport):
    """Let a question wait for its answer; the same question asked again waits on with the first."""
    meter = table.meter[0]
    key = question_key(
        table,
        packet.source_hi,
        packet.source_lo,
        packet.target_hi,
        packet.target_lo,
        packet.source_port,
        message,
        name,
    )
    if find_question(table, key, packet.source_port, message, name) != NONE:
        return
    size = len(table.questions)
    if meter.question_next - meter.question_tail == size:
        # Full: the oldest leaves as unanswered before its time.
        oldest = meter.question_tail & (size - 1)
        if table.questions[oldest].waiting == 1:
            write_unanswered(table, oldest)
            meter.evicted += 1
        meter.question_tail += 1
    i = meter.question_next & (size - 1)
    meter.question_next += 1
    question = table.questions[i]
    question.ts = packet.ts
    question.client_hi = packet.source_hi
    question.client_lo = packet.source_lo
    question.server_hi = packet.target_hi
    question.server_lo = packet.target_lo
    question.key = key
    question.client_port = packet.source_port
    question.id = message.id
    question.qtype = message.qtype
    question.vlan = packet.vlan
    question.transport = transport
    question.name_len = message.name_len
    question.waiting = 1
    names = table.question_names[i]
    for k in range(message.name_len):
        names[k] = name[k]
    bucket = key & (len(table.question_buckets) - 1)
    question.next = table.question_buckets[bucket]
    table.question_buckets[bucket] = i


#: What a client was told a name's address is; one entry of a table that newer answers overwrite.
ANSWER = np.dtype(
    [
        ("client_hi", "i8"),
        ("client_lo", "i8"),
        ("server_hi", "i8"),
        ("server_lo", "i8"),
        ("from_ts", "i8"),
        ("until", "i8"),
        ("name_len", "i8"),
    ],
    align=True,
)
#: Seconds an answer names flows beyond its TTL (records.md).
GRACE_US = 300_000_000
#: Longest TTL believed, s: a week (RFC 8767, 4).
TTL_MAX = 604_800


@packet_kernel
def answer_place(table, client_hi, client_lo, server_hi, server_lo):
    """Entry of (client, address) in the table of answers."""
    seed = table.meter[0].seed
    h = mix(mix(mix(mix(seed ^ client_hi) ^ client_lo) ^ server_hi) ^ server_lo)
    return h & (len(table.answers) - 1)


@packet_kernel
def remember_addresses(table, packet, message, name):
    """Keep name and time to live of every address that the client was told."""
    if message.name_len == 0 or message.name_len > 255:
        return
    for number in range(message.addresses):
        at = message.addresses_at + 18 * number + 2
        high = u32(table.text, at) << 32 | u32(table.text, at + 4)
        low = u32(table.text, at + 8) << 32 | u32(table.text, at + 12)
        i = answer_place(table, packet.target_hi, packet.target_lo, high, low)
        answer = table.answers[i]
        answer.client_hi = packet.target_hi
        answer.client_lo = packet.target_lo
        answer.server_hi = high
        answer.server_lo = low
        answer.from_ts = packet.ts
        answer.until = packet.ts + min(message.min_ttl, TTL_MAX) * 1_000_000 + GRACE_US
        answer.name_len = message.name_len
        kept = table.answer_names[i]
        for k in range(message.name_len):
            kept[k] = name[k]


@packet_kernel
def name_from_answer(table, packet_ts, client_hi, client_lo, server_hi, server_lo, slot):
    """Copy the name under which the client learnt the address into `slot`; returns its length, 0 none."""
    i = answer_place(table, client_hi, client_lo, server_hi, server_lo)
    answer = table.answers[i]
    if (
        answer.name_len == 0
        or answer.server_lo != server_lo
        or answer.client_lo != client_lo
        or answer.server_hi != server_hi
        or answer.client_hi != client_hi
        or packet_ts > answer.until
        or packet_ts < answer.from_ts
    ):
        return np.int64(0)
    kept = table.answer_names[i]
    for k in range(answer.name_len):
        slot[k] = kept[k]
    return answer.name_len
