"""DNS messages (RFC 1035) with extended errors (RFC 8914), in datagrams and streams, on any port."""

import numpy as np

from capture.arena import UNKNOWN
from capture.flows import APPLICATION, NONE
from capture.octets import u8, u16, u32
from capture.protocols.domain import read_name, skip_name
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.svcb import HTTPS, PARAMETERS_ROOM, SVCB, put_service
from capture.questions import (
    AAAA,
    LLMNR,
    MESSAGE_TEXT,
    NAME_ROOM,
    PACKET_ROWS,
    TCP_TRANSPORT,
    UDP_TRANSPORT,
    A,
    ask,
    has_dns_room,
    take_answer,
)
from pipeline.kernels import packet_kernel, unit_kernel

#: Resource records read of one message; our default.
RECORDS_MAX = 256
#: Questions that a message may have; only the first is told; our default.
QUESTIONS_MAX = 64

NS, CNAME, SOA, PTR, MX, SRV, DNAME, OPT = 2, 5, 6, 12, 15, 33, 39, 41
OPTION_EXTENDED_ERROR = 15
UPDATE = 5
TRUNCATED = 0x0200

DNS_PORT, MDNS_PORT, LLMNR_PORT = 53, 5353, 5355
APP_DNS, APP_LLMNR = APPLICATION["dns"], APPLICATION["llmnr"]


@packet_kernel
def read_header(buf, at, message):
    """Take the 12 octets of a header into `message`, and empty the rest of it."""
    flags = u16(buf, at + 2)
    message.id = u16(buf, at)
    message.response = flags >> 15
    message.opcode = flags >> 11 & 15
    message.rcode = flags & 15
    message.ra = flags >> 7 & 1
    message.aa = flags >> 10 & 1
    message.soa = UNKNOWN
    message.questions = u16(buf, at + 4)
    message.qtype = 0
    message.name_len = 0
    message.suffix = NONE
    message.ede = UNKNOWN
    message.min_ttl = UNKNOWN
    message.answers = 0
    message.addresses = 0
    message.stop = NONE


@packet_kernel
def put_address(text, at, buf, data, length):
    """Append an address (4 or 16 octets) as an item; returns the position after it."""
    text[at] = 0
    text[at + 1] = 16
    for i in range(16):
        text[at + 2 + i] = 0
    if length == 4:
        text[at + 12] = 255
        text[at + 13] = 255
    for i in range(length):
        text[at + 18 - length + i] = buf[data + i]
    return at + 18


@packet_kernel
def put_target(text, at, limit, buf, message, end, kind, data, stop):
    """Append the name or service that a record says, as an item; returns the position after it, or `at`."""
    inside = NONE
    if kind in (CNAME, PTR, NS, DNAME):
        inside = data
    elif kind == MX and stop > data + 2:
        inside = data + 2
    elif kind == SRV and stop > data + 6:
        inside = data + 6
    behind = np.int64(NONE)
    position = at
    if inside != NONE:
        behind, position = read_name(buf, message, end, inside, text, at + 2, limit)
    elif kind in (HTTPS, SVCB):
        room = min(limit, at + 2 + NAME_ROOM + PARAMETERS_ROOM)
        position = put_service(text, at + 2, room, buf, message, end, data, stop)
        behind = position if position > at + 2 else behind
    if behind < 0:
        return at
    text[at] = (position - at - 2) >> 8
    text[at + 1] = (position - at - 2) & 255
    return position


@packet_kernel
def take_ttl(message, ttl):
    """Count a TTL in; one with its highest bit set is 0 (RFC 2181, 8)."""
    if ttl > 0x7FFFFFFF:
        ttl = 0
    if message.min_ttl == UNKNOWN or ttl < message.min_ttl:
        message.min_ttl = ttl


@packet_kernel
def parse(buf, start, end, message, name, text, text_at):
    """Read one message into `message`; the question's name into `name`, answers into `text`.

    True if the header and, where there is one, the first question are sound; what stands behind a broken
    record is left off, and `message.stop` is -1. Answers begin behind `text_at` and room for the name; name
    and answers together take at most `NAME_ROOM + MESSAGE_TEXT` bytes.
    """
    if end - start < 12:
        return False
    read_header(buf, start, message)
    answers = u16(buf, start + 6)
    authorities = u16(buf, start + 8)
    others = authorities + u16(buf, start + 10)
    at = start + 12
    sound = True
    if message.questions > 0:
        behind, length = read_name(buf, start, end, at, name, 0, NAME_ROOM)
        if behind < 0 or behind + 4 > end:
            return False
        message.name_len = length
        message.qtype = u16(buf, behind)
        at = behind + 4
        for _ in range(1, min(message.questions, QUESTIONS_MAX)):
            at = skip_name(buf, end, at)
            if at < 0 or at + 4 > end:
                sound = False
                break
            at += 4
    text_at += message.name_len
    message.answers_at = text_at
    message.addresses_at = text_at
    message.behind = text_at
    if not sound:
        return True
    limit = text_at + MESSAGE_TEXT // 2
    position = text_at
    # Addresses go to the second half first, and are moved behind the names at the end.
    address_at = limit
    address_limit = text_at + MESSAGE_TEXT
    records = min(answers + others, RECORDS_MAX)
    for number in range(records):
        at = skip_name(buf, end, at)
        if at < 0 or at + 10 > end:
            sound = False
            break
        kind = u16(buf, at)
        ttl = u32(buf, at + 4)
        length = u16(buf, at + 8)
        data = at + 10
        if data + length > end:
            sound = False
            break
        if number < answers:
            if message.opcode == UPDATE:
                # Prerequisites (RFC 2136, 2.4), no answers.
                at = data + length
                continue
            take_ttl(message, ttl)
            if (kind == A and length == 4) or (kind == AAAA and length == 16):
                if address_at + 18 <= address_limit:
                    address_at = put_address(text, address_at, buf, data, length)
                    message.addresses += 1
            elif position + 2 + NAME_ROOM + PARAMETERS_ROOM <= limit:
                after = put_target(text, position, limit, buf, start, end, kind, data, data + length)
                if after > position:
                    position = after
                    message.answers += 1
        elif kind == SOA and number < answers + authorities:
            message.soa = 1
        elif kind == OPT:
            message.rcode |= (ttl >> 24) << 4
            extended_error(buf, data, data + length, message)
        at = data + length
    if sound and records == answers + others:
        message.stop = at
        # What doesn't fit a datagram is left off from behind (RFC 2181, 9).
        if u16(buf, start + 2) & TRUNCATED == 0:
            message.soa = max(message.soa, 0)
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


@unit_kernel
def take_message(table, buf, start, end):
    """Take one message whose transport and ends are set: a question waits, an answer makes a row.

    DONE, or NOT if it is no DNS. Any opcode with a question section counts: notifies and updates ask about a
    zone.
    """
    message = table.message[0]
    if not parse(buf, start, end, message, table.name, table.text, table.meter[0].text_used):
        return np.int64(NOT)
    if message.questions > QUESTIONS_MAX:
        return np.int64(NOT)
    if message.response == 1:
        take_answer(table)
        return np.int64(DONE)
    if message.questions > 0:
        ask(table)
    return np.int64(DONE if message.questions > 0 or message.opcode == 0 else NOT)


@packet_kernel
def set_datagram(table, buf, start, transport):
    """Say who asks whom in the datagram at hand, by the header's QR bit."""
    packet = table.packet[0]
    message = table.message[0]
    message.ts = packet.ts
    message.vlan = packet.vlan
    message.transport = transport
    if u8(buf, start + 2) & 0x80:
        message.client_hi = packet.target_hi
        message.client_lo = packet.target_lo
        message.client_port = packet.target_port
        message.server_port = packet.source_port
        message.server_hi = packet.source_hi
        message.server_lo = packet.source_lo
    else:
        message.client_hi = packet.source_hi
        message.client_lo = packet.source_lo
        message.client_port = packet.source_port
        message.server_port = packet.target_port
        message.server_hi = packet.target_hi
        message.server_lo = packet.target_lo


@unit_kernel
def read_dns_datagram(table, buf, start, end, i):
    """Reader of a datagram on the port of DNS or LLMNR (RFC 4795), or of multicast DNS where it is none."""
    if end - start < 12 or not has_dns_room(table):
        return np.int64(NOT)
    packet = table.packet[0]
    source, target = packet.source_port, packet.target_port
    transport, application = UDP_TRANSPORT, APP_DNS
    if source != DNS_PORT and target != DNS_PORT and (source == LLMNR_PORT or target == LLMNR_PORT):
        transport, application = LLMNR, APP_LLMNR
    set_datagram(table, buf, start, transport)
    if take_message(table, buf, start, end) == NOT:
        return np.int64(NOT)
    table.flows[i].application = application
    return np.int64(DONE)


#: Classes of an ordinary question: Internet, Chaos, Hesiod, any.
CLASSES = (1, 3, 4, 255)


@packet_kernel
def looks_like_dns(buf, start, end):
    """True if the header is that of an ordinary question or answer: one question, no reserved bit."""
    if end - start < 17 or u16(buf, start + 4) != 1:
        return False
    flags = u16(buf, start + 2)
    # Opcode 0 and the Z bit clear.
    if flags & 0x7840 != 0:
        return False
    answers, authorities, additional = u16(buf, start + 6), u16(buf, start + 8), u16(buf, start + 10)
    if flags & 0x8000 == 0:
        # No answer, no authority, no code; AA and TC and RA are an answer's.
        return answers == 0 and authorities == 0 and additional <= 2 and flags & 0x068F == 0
    return flags & 15 <= 10 and 12 + 5 + 11 * (answers + authorities + additional) <= end - start


@packet_kernel
def is_whole_message(table, buf, start, end):
    """True if the bytes are one ordinary message from the first to the last: DNS on whatever port."""
    if not looks_like_dns(buf, start, end):
        return False
    message = table.message[0]
    if not parse(buf, start, end, message, table.name, table.text, table.meter[0].text_used):
        return False
    if message.stop != end or message.name_len == 0 or message.qtype == 0:
        return False
    behind = skip_name(buf, end, start + 12)
    return u16(buf, behind + 2) in CLASSES


@unit_kernel
def read_dns_elsewhere(table, buf, start, end, i):
    """Reader of a datagram on another port: DNS if it is one whole ordinary message."""
    if not has_dns_room(table) or not is_whole_message(table, buf, start, end):
        return np.int64(NOT)
    set_datagram(table, buf, start, UDP_TRANSPORT)
    take_message(table, buf, start, end)
    table.flows[i].application = APP_DNS
    return np.int64(DONE)


@packet_kernel
def set_stream(table, i):
    """Say who asks whom in a message of a stream: the flow's client, whichever side's bytes these are."""
    flow = table.flows[i]
    message = table.message[0]
    message.ts = flow.last
    message.vlan = flow.vlan
    message.transport = TCP_TRANSPORT
    message.client_hi = flow.client_hi
    message.client_lo = flow.client_lo
    message.client_port = flow.client_port
    message.server_port = flow.server_port
    message.server_hi = flow.server_hi
    message.server_lo = flow.server_lo


@unit_kernel
def read_dns_stream(table, buf, start, end, final, i):
    """Reader of either direction of a TCP stream: DNS messages, each behind its length (RFC 1035, 4.2.2).

    How far it came is kept in the flow, one place for questions and one for answers, so that each message
    of a growing head is taken once.
    """
    flow = table.flows[i]
    port = flow.server_port == DNS_PORT or flow.server_port == MDNS_PORT or flow.server_port == LLMNR_PORT
    if end - start < 5:
        # Some send the length on its own.
        if end - start >= 2 and u16(buf, start) < 12:
            return np.int64(NOT)
        return np.int64(MORE if port and not final else NOT)
    answers = u8(buf, start + 4) & 0x80 != 0
    at = start
    if flow.watch == APP_DNS:
        at += np.int64(flow.token_down if answers else flow.token_up)
    if at == start and not port:
        behind = start + 2 + u16(buf, start)
        if end - start < 14 or not looks_like_dns(buf, start + 2, behind):
            return np.int64(NOT)
        if behind <= end and not is_whole_message(table, buf, start + 2, behind):
            return np.int64(NOT)
    if at == start and end - start >= 8 and u16(buf, start + 6) > QUESTIONS_MAX:
        return np.int64(NOT)
    for _ in range(PACKET_ROWS // 2):
        if at + 2 > end or not has_dns_room(table):
            break
        behind = at + 2 + u16(buf, at)
        if behind < at + 14:
            return np.int64(DONE if at > start else NOT)
        if behind > end:
            if not final:
                break
            behind = end
        set_stream(table, i)
        if take_message(table, buf, at + 2, behind) == NOT:
            return np.int64(DONE if at > start else NOT)
        flow.application = APP_DNS
        flow.watch = APP_DNS
        at = behind
        if answers:
            flow.token_down = at - start
        else:
            flow.token_up = at - start
    return np.int64(DONE if final else MORE)


@unit_kernel
def read_dns_segment(table, buf, start, end, i):
    """Reader of a segment behind the head of a DNS stream: what begins with a whole ordinary message."""
    at = start
    for _ in range(PACKET_ROWS // 2):
        if at + 14 > end or not has_dns_room(table):
            break
        behind = at + 2 + u16(buf, at)
        if behind > end or not is_whole_message(table, buf, at + 2, behind):
            break
        set_stream(table, i)
        take_message(table, buf, at + 2, behind)
        at = behind
    return np.int64(DONE if at > start else NOT)
