"""Multicast DNS (RFC 6762): questions to the link and their answers; announcements are in `dns_sd.py`."""

import numpy as np

from capture.arena import UNKNOWN
from capture.flows import APPLICATION, NONE
from capture.network import is_group
from capture.octets import same, u8, u16
from capture.protocols.dns import put_address, put_target, read_header, set_datagram, take_ttl
from capture.protocols.dns_sd import QUESTIONS_MAX, RECORDS_MAX, sight_announcement
from capture.protocols.domain import open_record, read_name, skip_questions
from capture.protocols.outcomes import DONE, NOT
from capture.questions import (
    AAAA,
    ANSWERED,
    ANY,
    CHAIN_MAX,
    MDNS,
    MESSAGE_TEXT,
    NAME_ROOM,
    RTT_MAX,
    WAITING,
    A,
    ask,
    has_dns_room,
    is_asker,
    is_late,
    is_question,
    question_key,
    write_answer,
)
from pipeline.kernels import packet_kernel, unit_kernel

APP_MDNS = APPLICATION["mdns"]

#: Where `table.scratch` holds the owner of a record.
OTHER = 1_024


@packet_kernel
def take_questions(table, buf, start, end):
    """Let each question of the message wait; True if the first is sound."""
    message = table.message[0]
    at = start + 12
    count = min(message.questions, QUESTIONS_MAX)
    for number in range(count):
        at, length = read_name(buf, start, end, at, table.name, 0, NAME_ROOM)
        if at < 0 or at + 4 > end:
            return number > 0
        message.name_len = length
        message.qtype = u16(buf, at)
        ask(table)
        at += 4
    return count > 0


@packet_kernel
def collect_answers(table, buf, start, end, records):
    """Put what the answer section says about the name and type at hand into the message."""
    message = table.message[0]
    text = table.text
    scratch = table.scratch
    at = skip_questions(buf, start, end, QUESTIONS_MAX)
    message.answers = 0
    message.addresses = 0
    message.min_ttl = UNKNOWN
    message.answers_at = table.meter[0].text_used + message.name_len
    limit = message.answers_at + MESSAGE_TEXT // 2
    position = message.answers_at
    address_at = limit
    for _ in range(records):
        behind, length = read_name(buf, start, end, at, scratch, OTHER, OTHER + NAME_ROOM)
        kind, ttl, data, stop = open_record(buf, end, behind)
        if kind < 0:
            break
        at = stop
        if ttl == 0 or (kind != message.qtype and message.qtype != ANY) or length - OTHER != message.name_len:
            continue
        if not same(scratch, OTHER, table.name, 0, message.name_len):
            continue
        take_ttl(message, ttl)
        if (kind == A and stop - data == 4) or (kind == AAAA and stop - data == 16):
            address_at = put_address(text, address_at, buf, data, stop - data)
            message.addresses += 1
        elif position + 2 * NAME_ROOM <= limit:
            after = put_target(text, position, limit, buf, start, end, kind, data, stop)
            if after > position:
                position = after
                message.answers += 1
    for i in range(address_at - limit):
        text[position + i] = text[limit + i]
    message.addresses_at = position
    message.behind = position + address_at - limit


@packet_kernel
def answer_askers(table, buf, start, end, records):
    """Rows of the questions that wait for the name and type at hand: everyone's, or the one it is sent to.

    Not the sender's own: who probes for a name (RFC 6762, 8.1) does not answer itself.
    """
    message = table.message[0]
    packet = table.packet[0]
    everyone = is_group(packet.target_hi, packet.target_lo)
    key = question_key(table, message, table.name)
    i = np.int64(table.question_buckets[key & (len(table.question_buckets) - 1)])
    for _ in range(CHAIN_MAX):
        if i == NONE or not has_dns_room(table):
            break
        question = table.questions[i]
        following = np.int64(question.next)
        message.client_hi = packet.target_hi
        message.client_lo = packet.target_lo
        if (
            question.key == key
            and question.state == WAITING
            and (everyone or is_asker(question, message))
            and (question.client_lo != packet.source_lo or question.client_hi != packet.source_hi)
            and is_question(table, i, message, table.name)
            and not is_late(question, message.ts)
        ):
            collect_answers(table, buf, start, end, records)
            message.client_hi = question.client_hi
            message.client_lo = question.client_lo
            message.id = question.id
            question.state = ANSWERED
            rtt = min(max(message.ts - question.ts, 0), RTT_MAX)
            write_answer(table, table.name, np.int64(question.ts), rtt)
        i = following


@packet_kernel
def take_answers(table, buf, start, end, records):
    """Match every record of the answer section with the questions that wait for its name."""
    message = table.message[0]
    at = skip_questions(buf, start, end, QUESTIONS_MAX)
    for _ in range(records):
        behind, length = read_name(buf, start, end, at, table.name, 0, NAME_ROOM)
        kind, ttl, _, stop = open_record(buf, end, behind)
        if kind < 0:
            break
        at = stop
        if ttl == 0:
            # The device says goodbye (RFC 6762, 10.1).
            continue
        message.name_len = length
        message.qtype = kind
        answer_askers(table, buf, start, end, records)
        message.qtype = ANY
        answer_askers(table, buf, start, end, records)


@unit_kernel
def read_mdns(table, buf, start, end, i):
    """Reader of a datagram on port 5353: multicast DNS, unless it is sent to one host and wants recursion.

    RFC 6762, 18.6 has the RD bit zero; some resolvers listen on this port for ordinary questions.
    """
    if end - start < 12 or not has_dns_room(table):
        return np.int64(NOT)
    packet = table.packet[0]
    message = table.message[0]
    if not is_group(packet.target_hi, packet.target_lo) and u8(buf, start + 2) & 1:
        return np.int64(NOT)
    set_datagram(table, buf, start, MDNS)
    read_header(buf, start, message)
    if message.opcode != 0:
        return np.int64(NOT)
    if message.response == 0:
        if not take_questions(table, buf, start, end):
            return np.int64(NOT)
    elif skip_questions(buf, start, end, QUESTIONS_MAX) < 0:
        return np.int64(NOT)
    else:
        answers = u16(buf, start + 6)
        others = u16(buf, start + 8) + u16(buf, start + 10)
        take_answers(table, buf, start, end, min(answers, RECORDS_MAX))
        sight_announcement(table, buf, start, end, min(answers + others, RECORDS_MAX))
    table.flows[i].application = APP_MDNS
    return np.int64(DONE)
