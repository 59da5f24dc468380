"""DNS questions and their answers: waiting, rows, and the names they give to a client's later flows.

A question waits in a ring until its answer comes or 5 s pass (records.md).
"""

import numpy as np

from capture.arena import UNKNOWN
from capture.flows import APPLICATION, NONE
from capture.octets import mix, mix_octets, same, u16, u32
from capture.protocols.dns import MESSAGE_TEXT, NAME_ROOM, parse
from capture.protocols.outcomes import DONE, MORE, NOT
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import DNS_TRANSPORTS

#: Seconds a question waits (records.md).
UNANSWERED_US = 5_000_000
#: Longest round trip that a record can say, µs.
RTT_MAX = 0xFFFFFFFF

UDP_TRANSPORT, TCP_TRANSPORT, MDNS, LLMNR = (DNS_TRANSPORTS.index(w) for w in ("udp", "tcp", "mdns", "llmnr"))

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


APP_DNS, APP_MDNS, APP_LLMNR = (APPLICATION[word] for word in ("dns", "mdns", "llmnr"))
DNS_PORT, MDNS_PORT, LLMNR_PORT = 53, 5353, 5355


@unit_kernel
def read_dns_stream(table, buf, start, end, final, i):
    """Reader of either direction of a TCP stream: DNS messages, each behind its length (RFC 1035, 4.2.2)."""
    if end - start < 14:
        # Some send the length on its own.
        return np.int64(NOT if final else MORE)
    length = u16(buf, start)
    if length < 12:
        return np.int64(NOT)
    if start + 2 + length > end:
        return np.int64(NOT if final else MORE)
    if not has_dns_room(table):
        return np.int64(NOT)
    packet = table.packet[0]
    if not take_message(table, buf, start + 2, start + 2 + length, packet, TCP_TRANSPORT):
        return np.int64(NOT)
    table.flows[i].application = APP_DNS
    return np.int64(DONE)


@unit_kernel
def read_dns_datagram(table, buf, start, end, i):
    """Reader of a datagram: a DNS, multicast DNS or LLMNR message, by its port."""
    packet = table.packet[0]
    transport, application = UDP_TRANSPORT, APP_DNS
    if packet.source_port == MDNS_PORT or packet.target_port == MDNS_PORT:
        transport, application = MDNS, APP_MDNS
    elif packet.source_port == LLMNR_PORT or packet.target_port == LLMNR_PORT:
        transport, application = LLMNR, APP_LLMNR
    if not has_dns_room(table) or not take_message(table, buf, start, end, packet, transport):
        return np.int64(NOT)
    table.flows[i].application = application
    return np.int64(DONE)
