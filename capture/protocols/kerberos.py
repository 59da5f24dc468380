"""Kerberos 5 (RFC 4120): who asks for tickets, and how log-ins end, over TCP and UDP.

Messages are DER (X.690); only what leads to the client's name is read, and only if it lies within the bytes
at hand. Over TCP four bytes of length come first (7.2.2).
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import put_text, u8, u32
from capture.protocols.ber import INTEGER, SEQUENCE, element
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.watching import count_login
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_number,
    add_word,
    close_name,
    close_sighting,
    has_sighting_room,
    open_sighting,
    set_value,
    word_table,
)
from capture.transport import TCP
from pipeline.kernels import packet_kernel, unit_kernel

KERBEROS = SOURCE["kerberos"]
APP_KERBEROS = APPLICATION["kerberos"]
SERVER_PORT = 88

#: Tags of messages: application class, constructed, number of the message type (5.10).
AS_REQUEST, AS_REPLY, TGS_REQUEST, TGS_REPLY, ERROR = 0x6A, 0x6B, 0x6C, 0x6D, 0x7E
CONTEXT, GENERAL_STRING, UTF8_STRING, IA5_STRING = 0xA0, 0x1B, 0x0C, 0x16
VERSION = 5
#: Parts of a name, and fields of a sequence, that are looked at; our default.
PARTS_MAX, FIELDS_MAX = 8, 16
#: The length that stands before a message over TCP (7.2.2).
LENGTH = 4
#: Longest message over TCP; our default. Tickets of members of many groups reach 48 KiB.
MESSAGE_MAX = 1 << 17

#: Error codes (7.5.9): more is needed, so nothing has failed yet.
PREAUTH_REQUIRED, TOO_BIG = 25, 52
#: Those that tell a wrong name or password: unknown client, revoked (locked), expired, wrong, unreadable.
FAILURES = (6, 18, 23, 24, 31)
#: What `login_outcome` says.
UNDECIDED, SUCCEEDED, FAILED = 0, 1, 2

TYPES = word_table("as_request", "as_reply", "tgs_reply", "error")
WORD_AS_REQUEST, WORD_AS_REPLY, WORD_TGS_REPLY, WORD_ERROR = range(4)
A_TYPE, A_ERROR = ATTRIBUTE["type"], ATTRIBUTE["error"]


@packet_kernel
def inside(buf, at, end, tag):
    """(start, end) of an element of this tag at `at`, its end cut to `end`; (-1, -1) for another one."""
    found, start, stop = element(buf, at, end)
    if found != tag:
        return -1, -1
    return start, min(stop, end)


@packet_kernel
def field(buf, at, end, number):
    """(start, end) of the field of this context tag in a sequence; (-1, -1) if it is absent or cut off."""
    for _ in range(FIELDS_MAX):
        tag, start, stop = element(buf, at, end)
        if tag < 0 or stop > end:
            break
        if tag == CONTEXT | number:
            return start, stop
        at = stop
    return -1, -1


@packet_kernel
def integer(buf, at, end):
    """The number at `at`, -1 if there is none or it is larger than 31 bits."""
    tag, start, stop = element(buf, at, end)
    if tag != INTEGER or stop > end or stop - start > 4 or stop == start or buf[start] & 0x80:
        return np.int64(-1)
    number = np.int64(0)
    for i in range(start, stop):
        number = number << 8 | u8(buf, i)
    return number


@packet_kernel
def text_at(buf, at, end):
    """(start, end) of the string at `at`; (-1, -1) if there is none."""
    tag, start, stop = element(buf, at, end)
    if tag not in (GENERAL_STRING, UTF8_STRING, IA5_STRING) or stop > end:
        return -1, -1
    return start, stop


@packet_kernel
def put_principal(out, at, limit, buf, start, end):
    """Append a principal's name (5.2.2), its parts joined by `/`."""
    start, end = inside(buf, start, end, SEQUENCE)
    start, end = field(buf, start, end, 1)
    position, end = inside(buf, start, end, SEQUENCE)
    first = at
    for _ in range(PARTS_MAX):
        if position < 0 or position >= end:
            break
        part, stop = text_at(buf, position, end)
        if part < 0:
            break
        if at > first and at < limit:
            out[at] = 47
            at += 1
        at = put_text(out, at, limit, buf, part, stop)
        position = stop
    return at


@packet_kernel
def message(buf, at, end):
    """(tag, start, end) of a message's fields; tag -1 if it is none that has a client or an error."""
    tag, start, stop = element(buf, at, end)
    if tag not in (AS_REQUEST, AS_REPLY, TGS_REQUEST, TGS_REPLY, ERROR):
        return -1, at, at
    first, last = inside(buf, start, min(stop, end), SEQUENCE)
    if first < 0:
        return -1, at, at
    # The version comes first: field 1 of requests, field 0 of the rest.
    number = 1 if tag in (AS_REQUEST, TGS_REQUEST) else 0
    version, behind = field(buf, first, last, number)
    if integer(buf, version, behind) != VERSION:
        return -1, at, at
    return tag, first, last


@packet_kernel
def error_code(buf, at, end):
    """Code of a KRB-ERROR by its fields, -1 unknown (5.9.1)."""
    first, stop = field(buf, at, end, 6)
    return integer(buf, first, stop)


@packet_kernel
def login_outcome(buf, start, end):
    """How a log-in ended by one message without the length of TCP: UNDECIDED, SUCCEEDED or FAILED.

    A ticket-granting ticket was given, or the name or password was wrong; everything else decides nothing.
    """
    tag, first, stop = message(buf, start, end)
    if tag == AS_REPLY:
        return SUCCEEDED
    if tag == ERROR and error_code(buf, first, stop) in FAILURES:
        return FAILED
    return UNDECIDED


@packet_kernel
def client_fields(buf, tag, at, end):
    """(name start, end, realm start, end) of the client of a message; all -1 where it names none."""
    if tag == AS_REQUEST:
        at, end = field(buf, at, end, 4)
        at, end = inside(buf, at, end, SEQUENCE)
        name, name_stop = field(buf, at, end, 1)
        realm, realm_stop = field(buf, at, end, 2)
    else:
        first = 7 if tag == ERROR else 3
        realm, realm_stop = field(buf, at, end, first)
        name, name_stop = field(buf, at, end, first + 1)
        if realm < 0 and tag == ERROR:
            # The server's own.
            realm, realm_stop = field(buf, at, end, 9)
    realm, realm_stop = text_at(buf, realm, realm_stop)
    return name, name_stop, realm, realm_stop


@packet_kernel
def take_message(table, buf, start, end, mac, high, low):
    """Sighting of the client that a message names; NOT, DONE, or MORE if the name may still come."""
    tag, first, stop = message(buf, start, end)
    if tag < 0:
        return NOT
    if tag == TGS_REQUEST:
        # Names nobody.
        return DONE
    name, name_stop, realm, realm_stop = client_fields(buf, tag, first, stop)
    if name < 0:
        return MORE
    code = error_code(buf, first, stop) if tag == ERROR else np.int64(0)
    if code in (PREAUTH_REQUIRED, TOO_BIG) or not has_sighting_room(table):
        return DONE
    row = open_sighting(table, table.packet[0], KERBEROS, mac, high, low)
    position = np.int64(row.name_at)
    behind = put_principal(table.text, position, position + TEXT_MAX, buf, name, name_stop)
    if behind == position:
        return DONE
    close_name(table, row, behind)
    set_value(table, row, buf, realm, realm_stop)
    word = WORD_AS_REQUEST
    if tag == AS_REPLY:
        word = WORD_AS_REPLY
    elif tag == TGS_REPLY:
        word = WORD_TGS_REPLY
    elif tag == ERROR:
        word = WORD_ERROR
    add_word(table, row, A_TYPE, TYPES, word)
    if tag == ERROR and code >= 0:
        add_number(table, row, A_ERROR, code)
    close_sighting(table, row)
    return DONE


@unit_kernel
def sight_kerberos(table, buf, start, end):
    """Sighting of who asks for tickets, by one datagram. 1 if this is Kerberos."""
    packet = table.packet[0]
    if packet.target_port == SERVER_PORT:
        outcome = take_message(table, buf, start, end, packet.source_mac, packet.source_hi, packet.source_lo)
    else:
        outcome = take_message(table, buf, start, end, packet.target_mac, packet.target_hi, packet.target_lo)
    return np.int64(0 if outcome == NOT else 1)


@unit_kernel
def read_kerberos(table, buf, start, end, final, i):
    """The same by the head of either direction of a TCP stream: NOT, DONE or MORE."""
    flow = table.flows[i]
    if end - start < 6:
        return np.int64(MORE if flow.server_port == SERVER_PORT and not final else NOT)
    length = u32(buf, start)
    if length < 2 or length > MESSAGE_MAX:
        return np.int64(NOT)
    tag = u8(buf, start + 4)
    if tag not in (AS_REQUEST, AS_REPLY, TGS_REQUEST, TGS_REPLY, ERROR):
        return np.int64(NOT)
    stop = min(start + 4 + length, end)
    outcome = take_message(table, buf, start + 4, stop, flow.client_mac, flow.client_hi, flow.client_lo)
    whole = stop == start + 4 + length
    if outcome == NOT and (whole or final or end - start > 64):
        return np.int64(NOT)
    flow.application = APP_KERBEROS
    if outcome == DONE or whole or final:
        return np.int64(DONE)
    return np.int64(MORE)


@packet_kernel
def watch_kerberos(buf, start, end, up, flow):
    """Count the log-in that a segment or datagram of the server ends."""
    if up:
        return
    outcome = login_outcome(buf, start + LENGTH if flow.protocol == TCP else start, end)
    if outcome != UNDECIDED:
        count_login(flow, outcome == FAILED)
