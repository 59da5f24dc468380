"""DNS questions and their answers: a question waits in a ring until its answer comes or 5 s pass.

The readers of DNS, multicast DNS, LLMNR and NetBIOS messages fill `table.message[0]` and `table.name`, then
call `ask` or `take_answer`. An answered question stays in the ring for the rest of its 5 s, so that a second
answer is known as one: the same again makes no row, another one (an answer forged on the way, for example)
is a row of its own with the same `ts`.
"""

import numpy as np

from capture.answers import remember_addresses
from capture.arena import UNKNOWN
from capture.flows import NONE
from capture.octets import hex_digit, mix, mix_octets, same
from capture.tcp import RTT_MAX
from pipeline.kernels import hot_kernel, packet_kernel
from pipeline.records import DNS_TRANSPORTS
from pipeline.words import copy

#: Room for any name as text: 255 octets, each of four characters if it is escaped.
NAME_ROOM = 1_024
#: Text that one message may append to the arena.
MESSAGE_TEXT = 16_384
#: Rows that one packet may write: two for each of the shortest questions that a stream head can hold.
PACKET_ROWS = 2 * (16_384 // 19)
#: Text that those rows may append: what 16 KiB of messages can say, compressed names unfolded.
PACKET_TEXT = 1 << 21

#: Seconds a question waits (records.md).
UNANSWERED_US = 5_000_000
#: Questions looked at in one chain: more share a key where one client asks them all with one id. Our default.
CHAIN_MAX = 64

UDP_TRANSPORT, TCP_TRANSPORT, MDNS, LLMNR, NBNS = (
    DNS_TRANSPORTS.index(word) for word in ("udp", "tcp", "mdns", "llmnr", "nbns")
)
A, AAAA, ANY = 1, 28, 255

#: What one message said, and between whom; one scratch record.
MESSAGE = np.dtype(
    [
        # who and when; set by the reader
        ("ts", "i8"),
        ("client_hi", "i8"),
        ("client_lo", "i8"),
        ("server_hi", "i8"),
        ("server_lo", "i8"),
        ("client_port", "i8"),
        ("server_port", "i8"),
        ("vlan", "i8"),
        ("transport", "i8"),
        # what; set by the parser
        ("id", "i8"),
        ("response", "i8"),
        ("opcode", "i8"),
        ("rcode", "i8"),
        ("ra", "i8"),
        ("aa", "i8"),
        ("soa", "i8"),  # 1: in the authority section, 0: not there, -1 not known
        ("questions", "i8"),
        ("qtype", "i8"),
        ("name_len", "i8"),
        ("suffix", "i8"),  # last byte of a NetBIOS name, -1 another protocol
        ("ede", "i8"),
        ("min_ttl", "i8"),
        ("answers", "i8"),  # names appended behind `answers_at`
        ("answers_at", "i8"),
        ("addresses", "i8"),
        ("addresses_at", "i8"),
        ("behind", "i8"),  # first free byte of the text arena behind what was appended
        ("stop", "i8"),  # position behind the last record read, -1 one is broken
    ],
    align=True,
)

# States of a place of the ring.
FREE, WAITING, ANSWERED = range(3)

#: A question of the last 5 s.
PENDING = np.dtype(
    [
        ("ts", "i8"),
        ("client_hi", "i8"),
        ("client_lo", "i8"),
        ("server_hi", "i8"),
        ("server_lo", "i8"),
        ("key", "i8"),
        ("digest", "i8"),  # of the first answer
        ("other", "i8"),  # of the last that was not the same
        ("next", "i4"),
        ("previous", "i4"),
        ("state", "i4"),
        ("client_port", "i4"),
        ("id", "i4"),
        ("qtype", "i4"),
        ("vlan", "i4"),
        ("transport", "i4"),
        ("name_len", "i4"),
        ("suffix", "i4"),
    ],
    align=True,
)


@packet_kernel
def question_key(table, message, name):
    """Keyed hash of what an answer repeats of its question.

    DNS: both ends, port and id, not the name: some servers leave the question out of an error. LLMNR and
    NetBIOS answer from another address than was asked. Multicast DNS repeats no more than name and type.
    """
    h = mix(table.meter[0].seed ^ message.transport << 48)
    if message.transport == MDNS:
        return mix_octets(h ^ message.qtype, name, 0, message.name_len)
    h = mix(mix(h ^ message.client_hi) ^ message.client_lo)
    if message.transport in (UDP_TRANSPORT, TCP_TRANSPORT):
        h = mix(mix(h ^ message.server_hi ^ message.server_port) ^ message.server_lo)
    return mix(h ^ message.client_port << 16 ^ message.id)


@packet_kernel
def is_asker(question, message):
    """True if the question is of the message's client."""
    return question.client_lo == message.client_lo and question.client_hi == message.client_hi


@packet_kernel
def is_question(table, i, message, name):
    """True if place `i` holds the question that the message asks or answers."""
    question = table.questions[i]
    return (
        question.transport == message.transport
        and question.qtype == message.qtype
        and question.name_len == message.name_len
        and (
            question.transport == MDNS
            or (question.id == message.id and question.client_port == message.client_port)
        )
        and same(table.question_names[i], 0, name, 0, message.name_len)
    )


@packet_kernel
def find_question(table, message, name, key):
    """Place of the message's own question, `NONE` if there is none."""
    i = np.int64(table.question_buckets[key & (len(table.question_buckets) - 1)])
    for _ in range(CHAIN_MAX):
        if i == NONE:
            break
        question = table.questions[i]
        if question.key == key and is_asker(question, message) and is_question(table, i, message, name):
            return i
        i = np.int64(question.next)
    return np.int64(NONE)


@packet_kernel
def find_unnamed(table, key, state):
    """Place of the latest question of this key in a state, whatever its name; `NONE` if there is none."""
    i = np.int64(table.question_buckets[key & (len(table.question_buckets) - 1)])
    for _ in range(CHAIN_MAX):
        if i == NONE:
            break
        question = table.questions[i]
        if question.key == key and question.state == state:
            return i
        i = np.int64(question.next)
    return np.int64(NONE)


@packet_kernel
def forget_question(table, i):
    """Take place `i` out of its chain."""
    question = table.questions[i]
    if question.previous == NONE:
        table.question_buckets[question.key & (len(table.question_buckets) - 1)] = question.next
    else:
        table.questions[question.previous].next = question.next
    if question.next != NONE:
        table.questions[question.next].previous = question.previous
    question.state = FREE


@packet_kernel
def dns_row(table, length, name):
    """The next DNS row with the name's text in place; the caller made sure that there is room."""
    meter = table.meter[0]
    row = table.dns_rows[meter.dns_rows]
    meter.dns_rows += 1
    text_at = meter.text_used
    copy(table.text, text_at, name, 0, length)
    row.qname_at = text_at
    row.qname_len = length
    meter.text_used = text_at + length
    return row


@packet_kernel
def put_suffix(text, at, suffix):
    """Append the item `<20>` of a NetBIOS name's last byte; returns the position after it."""
    text[at] = 0
    text[at + 1] = 4
    text[at + 2] = 60
    for i in range(2):
        text[at + 3 + i] = hex_digit(suffix >> (4 - 4 * i) & 15)
    text[at + 5] = 62
    return at + 6


@packet_kernel
def write_unanswered(table, i):
    """Row of a question that got no answer; frees its place."""
    question = table.questions[i]
    meter = table.meter[0]
    row = dns_row(table, np.int64(question.name_len), table.question_names[i])
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
    row.aa = UNKNOWN
    row.soa = UNKNOWN
    row.ede = UNKNOWN
    row.answers_at = meter.text_used
    row.answers_count = 0
    if question.suffix >= 0:
        row.answers_count = 1
        meter.text_used = put_suffix(table.text, meter.text_used, np.int64(question.suffix))
    row.addresses_at = 0
    row.addresses_count = 0
    row.min_ttl = UNKNOWN
    row.rtt_us = UNKNOWN
    row.answered = 0
    forget_question(table, i)


@packet_kernel
def is_late(question, now):
    """True if the question waits no longer; one of the future, too: the clock was set back."""
    return abs(now - question.ts) > UNANSWERED_US


@packet_kernel
def expire_questions(table, now, everything):
    """Write out questions older than 5 s, oldest first; False if the rows are full before the end."""
    meter = table.meter[0]
    size = len(table.questions)
    while meter.question_tail < meter.question_next:
        i = meter.question_tail & (size - 1)
        question = table.questions[i]
        if question.state != FREE and not everything and not is_late(question, now):
            return True
        if question.state == WAITING:
            if not has_dns_room(table):
                return False
            write_unanswered(table, i)
        elif question.state == ANSWERED:
            forget_question(table, i)
        meter.question_tail += 1
    return True


@hot_kernel
def has_dns_room(table):
    """True if whatever one packet may write fits."""
    meter = table.meter[0]
    return meter.dns_rows + PACKET_ROWS <= len(
        table.dns_rows
    ) and meter.text_used + PACKET_TEXT + 2 * MESSAGE_TEXT < len(table.text)


@packet_kernel
def ask(table):
    """Let the message's question wait; the same asked again waits on with the first."""
    meter = table.meter[0]
    message = table.message[0]
    name = table.name
    key = question_key(table, message, name)
    size = len(table.questions)
    known = find_question(table, message, name, key)
    if known != NONE:
        if table.questions[known].state == ANSWERED:
            forget_question(table, known)
        elif is_late(table.questions[known], message.ts):
            write_unanswered(table, known)
        else:
            return
    if meter.question_next - meter.question_tail == size:
        # Full: the oldest leaves as unanswered before its time.
        oldest = meter.question_tail & (size - 1)
        if table.questions[oldest].state == WAITING:
            write_unanswered(table, oldest)
            meter.evicted += 1
        elif table.questions[oldest].state == ANSWERED:
            forget_question(table, oldest)
        meter.question_tail += 1
    i = meter.question_next & (size - 1)
    meter.question_next += 1
    question = table.questions[i]
    question.ts = message.ts
    question.client_hi = message.client_hi
    question.client_lo = message.client_lo
    question.server_hi = message.server_hi
    question.server_lo = message.server_lo
    question.key = key
    question.client_port = message.client_port
    question.id = message.id
    question.qtype = message.qtype
    question.vlan = message.vlan
    question.transport = message.transport
    question.suffix = message.suffix
    question.name_len = message.name_len
    question.state = WAITING
    copy(table.question_names[i], 0, name, 0, message.name_len)
    bucket = key & (len(table.question_buckets) - 1)
    question.previous = NONE
    question.next = table.question_buckets[bucket]
    if question.next != NONE:
        table.questions[question.next].previous = i
    table.question_buckets[bucket] = i


@packet_kernel
def answer_digest(message, text):
    """Hash of what an answer says, whatever the order of its records and their TTLs."""
    h = mix(message.rcode)
    at = message.answers_at
    for _ in range(message.answers):
        length = np.int64(text[at]) << 8 | np.int64(text[at + 1])
        h += mix_octets(np.int64(1), text, at + 2, at + 2 + length)
        at += 2 + length
    for number in range(message.addresses):
        first = message.addresses_at + 18 * number + 2
        h += mix_octets(np.int64(2), text, first, first + 16)
    return h


@packet_kernel
def write_answer(table, name, asked, rtt):
    """Row of an answered question; the answer's text stands behind room for its name."""
    message = table.message[0]
    row = dns_row(table, message.name_len, name)
    table.meter[0].text_used = message.behind
    row.ts = asked
    row.rtt_us = rtt
    row.client_hi = message.client_hi
    row.client_lo = message.client_lo
    row.server_hi = message.server_hi
    row.server_lo = message.server_lo
    row.vlan = message.vlan
    row.transport = message.transport
    row.id = message.id
    row.qtype = message.qtype
    row.rcode = min(message.rcode, 255)
    row.ra = message.ra
    row.aa = message.aa
    row.soa = message.soa
    row.ede = message.ede
    row.answers_at = message.answers_at
    row.answers_count = message.answers
    row.addresses_at = message.addresses_at
    row.addresses_count = message.addresses
    row.min_ttl = message.min_ttl
    row.answered = 1


@packet_kernel
def take_answer(table):
    """Row of the message's answer, with its question where one waits.

    An answer without a question section is taken for the question of its id; without one there is no row.
    """
    message = table.message[0]
    name = table.name
    key = question_key(table, message, name)
    if message.questions == 0:
        i = find_unnamed(table, key, WAITING)
        if i == NONE or is_late(table.questions[i], message.ts):
            return
        recall_question(table, i)
    else:
        i = find_question(table, message, name, key)
    asked = message.ts
    rtt = np.int64(UNKNOWN)
    if i != NONE and not is_late(table.questions[i], message.ts):
        question = table.questions[i]
        digest = answer_digest(message, table.text)
        if question.state == ANSWERED and digest in (question.digest, question.other):
            return
        asked = np.int64(question.ts)
        rtt = min(max(message.ts - asked, 0), RTT_MAX)
        question.other = digest
        if question.state == WAITING:
            question.state = ANSWERED
            question.digest = digest
    write_answer(table, name, asked, rtt)
    if message.transport in (UDP_TRANSPORT, TCP_TRANSPORT) and message.qtype in (A, AAAA, ANY):
        remember_addresses(table, message, name)


@packet_kernel
def recall_question(table, i):
    """Name and type of a waiting question become those of the message; it has no answers then."""
    question = table.questions[i]
    message = table.message[0]
    message.answers = 0
    message.addresses = 0
    message.behind = table.meter[0].text_used + question.name_len
    message.qtype = question.qtype
    message.name_len = question.name_len
    copy(table.name, 0, table.question_names[i], 0, message.name_len)
