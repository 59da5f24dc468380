"""Multicast DNS (RFC 6762): questions to the link, their answers, and what devices announce (RFC 6763)."""

import numpy as np

from capture.arena import UNKNOWN
from capture.flows import APPLICATION, NONE
from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_text, same, u8, u16, u32, u64
from capture.protocols.dns import put_address, put_target, read_header, set_datagram, take_ttl
from capture.protocols.domain import first_label, read_name, skip_name
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
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_text,
    close_attribute,
    close_changing,
    close_name,
    close_value,
    has_sighting_room,
    open_attribute,
    open_sighting,
)
from pipeline.kernels import packet_kernel, unit_kernel

#: Questions and records read of one message; our default.
QUESTIONS_MAX = 32
RECORDS_MAX = 64
#: Hosts told of one message: a device announces itself, a sleep proxy several. Our default.
HOSTS_MAX = 8
#: Service types told of one device.
SERVICES_MAX = 16

PTR, TXT, SRV = 12, 16, 33
APP_MDNS = APPLICATION["mdns"]
SAID_BY = SOURCE["mdns"]
A_SERVICE, A_MODEL = ATTRIBUTE["service"], ATTRIBUTE["model"]
MODEL = np.frombuffer(b"model=", np.uint8)

# Places in `table.scratch`: owners of records, hosts with rank and address, service types.
OWNER, OTHER, HOSTS, SERVICES = 0, 1_024, 2_048, 6_144
#: One host: rank, address (16), length of the name (2), name (255).
HOST_ROOM = 288
HOST_ADDRESS, HOST_LENGTH, HOST_NAME = 1, 17, 19
#: One service type: length, text such as `_airplay._tcp`.
SERVICE_ROOM = 64
#: How well an address stands for its host: any IPv6 one, any IPv4 one, the one the packet came from.
SIX, FOUR, OWN = 1, 2, 3


@packet_kernel
def is_group(high, low):
    """True if the address is a multicast or broadcast one."""
    if high == MAPPED_HI and low >> 32 == 0xFFFF:
        return low >> 28 & 15 == 14 or low & 0xFFFFFFFF == 0xFFFFFFFF
    return high >> 56 & 255 == 255


@packet_kernel
def open_record(buf, end, at):
    """(kind, TTL, start and end of data) of the record whose name ends at `at`; kind -1 if it is cut off."""
    if at < 0 or at + 10 > end:
        return np.int64(NONE), np.int64(0), np.int64(0), np.int64(0)
    stop = at + 10 + u16(buf, at + 8)
    if stop > end:
        return np.int64(NONE), np.int64(0), np.int64(0), np.int64(0)
    return u16(buf, at), u32(buf, at + 4), at + 10, stop


@packet_kernel
def skip_questions(buf, start, end):
    """Position behind the question section, -1 if it is broken or longer than we read."""
    at = start + 12
    count = u16(buf, start + 4)
    if count > QUESTIONS_MAX:
        return -1
    for _ in range(count):
        at = skip_name(buf, end, at)
        if at < 0 or at + 4 > end:
            return -1
        at += 4
    return at


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
    at = skip_questions(buf, start, end)
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
    at = skip_questions(buf, start, end)
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


@packet_kernel
def service_start(scratch, start, end):
    """Where `_service._protocol.local` begins in the name's text, -1 if it is no service's."""
    for at in range(start, end - 8):
        if scratch[at] == 95 and (at == start or scratch[at - 1] == 46):
            for dot in range(at + 1, end - 5):
                if scratch[dot] == 46:
                    # `._tcp` or `._udp`
                    if scratch[dot + 1] == 95 and scratch[dot + 2] in (116, 117) and scratch[dot + 4] == 112:
                        return at
                    break
    return -1


@packet_kernel
def add_service(scratch, services, start, end):
    """Add the service type that the name's text ends with, once; returns how many there are."""
    at = service_start(scratch, start, end)
    if at < 0 or services >= SERVICES_MAX:
        return services
    stop = at
    dots = 0
    while stop < end:
        if scratch[stop] == 46:
            dots += 1
            if dots == 2:
                break
        stop += 1
    length = stop - at
    if length >= SERVICE_ROOM:
        return services
    for known in range(services):
        place = SERVICES + known * SERVICE_ROOM
        if scratch[place] == length and same(scratch, place + 1, scratch, at, length):
            return services
    place = SERVICES + services * SERVICE_ROOM
    scratch[place] = length
    for i in range(length):
        scratch[place + 1 + i] = scratch[at + i]
    return services + 1


@packet_kernel
def add_host(table, hosts, length, buf, data, size):
    """Note the host whose name stands at `OWNER`, with its best address; returns how many there are."""
    scratch = table.scratch
    packet = table.packet[0]
    if length == 0 or length > TEXT_MAX:
        return hosts
    if size == 4:
        high, low = np.int64(MAPPED_HI), MAPPED_LO | u32(buf, data)
        rank = FOUR
    else:
        high, low = u64(buf, data), u64(buf, data + 8)
        rank = SIX
    if high == packet.source_hi and low == packet.source_lo:
        rank = OWN
    place = HOSTS
    number = 0
    while number < hosts:
        place = HOSTS + number * HOST_ROOM
        if u16(scratch, place + HOST_LENGTH) == length and same(
            scratch, place + HOST_NAME, scratch, OWNER, length
        ):
            break
        number += 1
    if number == hosts:
        if hosts == HOSTS_MAX:
            return hosts
        place = HOSTS + hosts * HOST_ROOM
        scratch[place] = 0
        scratch[place + HOST_LENGTH] = length >> 8
        scratch[place + HOST_LENGTH + 1] = length & 255
        for i in range(length):
            scratch[place + HOST_NAME + i] = scratch[OWNER + i]
        hosts += 1
    if rank > scratch[place]:
        scratch[place] = rank
        for i in range(8):
            scratch[place + HOST_ADDRESS + i] = high >> (56 - 8 * i) & 255
            scratch[place + HOST_ADDRESS + 8 + i] = low >> (56 - 8 * i) & 255
    return hosts


@packet_kernel
def find_model(buf, data, stop):
    """(start, end) of the value of `model=` in a TXT record (RFC 6763, 6), (-1, -1) if there is none."""
    while data < stop:
        behind = data + 1 + u8(buf, data)
        if behind > stop:
            break
        if behind - data - 1 > len(MODEL) and same(buf, data + 1, MODEL, 0, len(MODEL)):
            return data + 1 + len(MODEL), behind
        data = behind
    return -1, -1


@packet_kernel
def sight_announcement(table, buf, start, end, records):
    """Sightings of the hosts whose addresses a message tells, with its sender's instance, services and model.

    A host that has the packet's address is its sender, and has its MAC; another's is not known (a sleep proxy
    or a reflector speaks for it). No other text than these is kept.
    """
    scratch = table.scratch
    at = skip_questions(buf, start, end)
    hosts = 0
    services = 0
    label = np.int64(NONE)
    label_stop = np.int64(NONE)
    model = np.int64(NONE)
    model_stop = np.int64(NONE)
    for _ in range(records):
        owner = at
        behind, length = read_name(buf, start, end, at, scratch, OWNER, OWNER + NAME_ROOM)
        kind, ttl, data, stop = open_record(buf, end, behind)
        if kind < 0:
            break
        at = stop
        if ttl == 0:
            continue
        if (kind == A and stop - data == 4) or (kind == AAAA and stop - data == 16):
            hosts = add_host(table, hosts, length - OWNER, buf, data, stop - data)
        elif kind == SRV:
            services = add_service(scratch, services, OWNER, length)
            if label < 0:
                label, label_stop = first_label(buf, start, end, owner)
        elif kind == PTR:
            _, length = read_name(buf, start, end, data, scratch, OWNER, OWNER + NAME_ROOM)
            known = services
            services = add_service(scratch, services, OWNER, length)
            if services > known and label < 0:
                label, label_stop = first_label(buf, start, end, data)
        elif kind == TXT and model < 0 and length - OWNER > 12:
            model, model_stop = find_model(buf, data, stop)
    if label >= 0 and (label == label_stop or buf[label] == 95):
        # A type of service, not an instance of one.
        label = np.int64(NONE)
    sender = np.int64(NONE)
    for number in range(hosts):
        if scratch[HOSTS + number * HOST_ROOM] == OWN:
            sender = np.int64(number)
    if hosts == 1:
        sender = np.int64(0)
    for number in range(hosts):
        place = HOSTS + number * HOST_ROOM
        own = scratch[place] == OWN
        speaks = number == sender
        tell(
            table, buf, place, own,
            label if speaks else NONE, label_stop,
            model if speaks else NONE, model_stop,
            services if speaks else 0,
        )  # fmt: skip
    if sender < 0 and (label >= 0 or model >= 0 or services > 0):
        tell(table, buf, NONE, True, label, label_stop, model, model_stop, services)


@packet_kernel
def tell(table, buf, host, own, label, label_stop, model, model_stop, services):
    """One sighting: of the host noted at `host`, -1 of the packet's sender without a name."""
    if not has_sighting_room(table):
        return
    scratch = table.scratch
    packet = table.packet[0]
    high, low = packet.source_hi, packet.source_lo
    if host >= 0:
        high, low = u64(scratch, host + HOST_ADDRESS), u64(scratch, host + HOST_ADDRESS + 8)
    row = open_sighting(table, packet, SAID_BY, packet.source_mac if own else 0, high, low)
    position = np.int64(row.name_at)
    if host >= 0:
        for i in range(u16(scratch, host + HOST_LENGTH)):
            table.text[position] = scratch[host + HOST_NAME + i]
            position += 1
    close_name(table, row, position)
    if label >= 0:
        position = put_text(table.text, position, position + TEXT_MAX, buf, label, label_stop)
    close_value(table, row, position)
    if model >= 0:
        add_text(table, row, A_MODEL, buf, model, model_stop)
    known = table.meter[0].text_used
    if services > 0:
        first = open_attribute(table, A_SERVICE)
        position = first
        for number in range(services):
            place = SERVICES + number * SERVICE_ROOM
            if number > 0:
                table.text[position] = 44
                position += 1
            for i in range(scratch[place]):
                table.text[position] = scratch[place + 1 + i]
                position += 1
        close_attribute(table, row, position)
    close_changing(table, row, known)


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
    elif skip_questions(buf, start, end) < 0:
        return np.int64(NOT)
    else:
        answers = u16(buf, start + 6)
        others = u16(buf, start + 8) + u16(buf, start + 10)
        take_answers(table, buf, start, end, min(answers, RECORDS_MAX))
        sight_announcement(table, buf, start, end, min(answers + others, RECORDS_MAX))
    table.flows[i].application = APP_MDNS
    return np.int64(DONE)
