"""NetBIOS over UDP (RFC 1002): name questions and their answers, and what hosts say of themselves."""

import numpy as np

from capture.flows import APPLICATION, NONE
from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_escaped, u8, u16, u32, u48
from capture.protocols.dns import put_address, read_header, set_datagram
from capture.protocols.domain import read_name, skip_name
from capture.protocols.outcomes import DONE, NOT
from capture.questions import MESSAGE_TEXT, NAME_ROOM, NBNS, ask, has_dns_room, put_suffix, take_answer
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    close_attribute,
    close_name,
    close_sighting,
    has_sighting_room,
    open_attribute,
    open_sighting,
)
from pipeline.kernels import packet_kernel, unit_kernel

DATAGRAM_PORT = 138
#: Record types (RFC 1002, 4.2.1.3): a name's addresses, a node's status.
NB, NBSTAT = 32, 33
#: Operations (RFC 1002, 4.2.1.1); 15 is the registration of a multi-homed host (Microsoft).
QUERY, REGISTRATION, REFRESH, REFRESH_OTHER, MULTIHOMED = 0, 5, 8, 9, 15
#: Last byte of a name: what it is used for. 03 may be a user's name, and is not told.
WORKSTATION, MESSENGER, FILE_SERVER, DOMAIN_CONTROLLERS = 0x00, 0x03, 0x20, 0x1C
MASTER_BROWSER, BROWSERS = 0x1D, 0x1E
GROUP_FLAG = 0x8000

NAME_OCTETS, ENCODED = 16, 32
#: Names of a node's status, and addresses of a name, that are read; our default.
NAMES_MAX = 64
ADDRESSES_MAX = 64

#: Datagrams with names (RFC 1002, 4.4.1): direct to one, direct to a group, broadcast.
DIRECT_UNIQUE, BROADCAST = 0x10, 0x12

APP_NBNS = APPLICATION["nbns"]
SAID_BY = SOURCE["nbns"]
A_DOMAIN = ATTRIBUTE["domain"]


@packet_kernel
def put_netbios(out, at, limit, octets, start):
    """Append a name of 15 octets as text: lower case, without its padding, RFC 4343 escapes."""
    stop = start + NAME_OCTETS - 1
    while stop > start and (octets[stop - 1] == 32 or octets[stop - 1] == 0):
        stop -= 1
    for i in range(start, stop):
        octet = u8(octets, i)
        if octet < 32 or octet >= 127 or octet == 46 or octet == 92:
            at = put_escaped(out, at, limit, octet)
            continue
        if 65 <= octet <= 90:
            octet += 32
        if at < limit:
            out[at] = octet
            at += 1
    return at


@packet_kernel
def read_netbios(buf, message, end, at, out, out_at, limit, octets, first):
    """Decode the name at `at` (RFC 1001, 14.1): text to `out`, its 16 octets to `octets` at `first`.

    Returns (position behind the name, position behind the text), (-1, out_at) if it is none. A scope stands
    behind a dot. A compressed name is followed.
    """
    behind = np.int64(NONE)
    if at + 2 <= end and u8(buf, at) >= 0xC0:
        target = message + (u16(buf, at) & 0x3FFF)
        if target >= at:
            return np.int64(NONE), out_at
        behind = at + 2
        at = target
    if at + 2 + ENCODED > end or u8(buf, at) != ENCODED:
        return np.int64(NONE), out_at
    for i in range(NAME_OCTETS):
        high, low = u8(buf, at + 1 + 2 * i) - 65, u8(buf, at + 2 + 2 * i) - 65
        if high < 0 or high > 15 or low < 0 or low > 15:
            return np.int64(NONE), out_at
        octets[first + i] = high << 4 | low
    position = put_netbios(out, out_at, limit, octets, first)
    at += 1 + ENCODED
    if u8(buf, at) != 0:
        if position + 1 >= limit:
            return np.int64(NONE), out_at
        out[position] = 46
        at, position = read_name(buf, message, end, at, out, position + 1, limit)
        if at < 0:
            return np.int64(NONE), out_at
        at -= 1
    return (behind if behind >= 0 else at + 1), position


@packet_kernel
def take_addresses(table, buf, data, stop):
    """Addresses of a positive answer (RFC 1002, 4.2.13) become the message's."""
    message = table.message[0]
    position = message.addresses_at
    for at in range(data, min(stop - 5, data + 6 * ADDRESSES_MAX), 6):
        position = put_address(table.text, position, buf, at + 2, 4)
        message.addresses += 1
    message.behind = position


@packet_kernel
def put_entry(text, at, limit, octets, start):
    """Append a name with its last byte as an item such as `name<20>`; returns the position after it."""
    position = put_netbios(text, at + 2, limit, octets, start)
    # The suffix is written as an item behind the name, and moved over the item's length.
    behind = put_suffix(text, position, u8(octets, start + NAME_OCTETS - 1))
    for i in range(position, behind - 2):
        text[i] = text[i + 2]
    text[at] = (behind - at - 4) >> 8
    text[at + 1] = (behind - at - 4) & 255
    return behind - 2


@packet_kernel
def take_names(table, buf, data, stop):
    """Names of a node's status (RFC 1002, 4.2.18) become the message's answers."""
    message = table.message[0]
    position = message.behind
    count = min(u8(buf, data), NAMES_MAX) if stop > data else 0
    for number in range(count):
        at = data + 1 + 18 * number
        if at + 18 > stop:
            break
        if u8(buf, at + 15) == MESSENGER:
            continue
        position = put_entry(table.text, position, message.answers_at + MESSAGE_TEXT // 2, buf, at)
        message.answers += 1
    message.addresses_at = position
    message.behind = position


@packet_kernel
def sight(table, octets, start, mac, ip_hi, ip_lo, domain, domain_at):
    """Sighting of a host by its name in `octets`; `start` -1: its workgroup or domain alone is known."""
    if not has_sighting_room(table):
        return
    row = open_sighting(table, table.packet[0], SAID_BY, mac, ip_hi, ip_lo)
    position = np.int64(row.name_at)
    if start >= 0:
        position = put_netbios(table.text, position, position + NAME_ROOM, octets, start)
    close_name(table, row, position)
    if domain_at >= 0:
        position = open_attribute(table, A_DOMAIN)
        close_attribute(
            table, row, put_netbios(table.text, position, position + NAME_ROOM, domain, domain_at)
        )
    close_sighting(table, row)


@packet_kernel
def is_host(octets, start):
    """True if the name is a computer's: not empty, not `*`, and of its workstation or file service."""
    suffix = u8(octets, start + NAME_OCTETS - 1)
    return suffix in (WORKSTATION, FILE_SERVER) and u8(octets, start) > 32 and octets[start] != 42


@packet_kernel
def sight_status(table, buf, data, stop):
    """Sighting by a node's status: its own name, its workgroup, its MAC where it says one."""
    packet = table.packet[0]
    count = min(u8(buf, data), NAMES_MAX) if stop > data else 0
    host = np.int64(NONE)
    domain = np.int64(NONE)
    for number in range(count):
        at = data + 1 + 18 * number
        if at + 18 > stop:
            return
        group = u16(buf, at + 16) & GROUP_FLAG != 0
        if not group and host < 0 and is_host(buf, at):
            host = at
        if group and domain < 0 and u8(buf, at + 15) == WORKSTATION:
            domain = at
    if host < 0:
        return
    mac = packet.source_mac
    unit = data + 1 + 18 * u8(buf, data)
    if unit + 6 <= stop and u48(buf, unit) != 0:
        mac = u48(buf, unit)
    sight(table, buf, host, mac, packet.source_hi, packet.source_lo, buf, domain)


@packet_kernel
def sight_registration(table, octets, buf, data, stop):
    """Sighting by the registration or refresh of a name: the host's own, or the group it belongs to."""
    packet = table.packet[0]
    if stop - data < 6:
        return
    low = MAPPED_LO | u32(buf, data + 2)
    mac = packet.source_mac if packet.source_hi == 0 and packet.source_lo == low else 0
    if u16(buf, data) & GROUP_FLAG == 0:
        if is_host(octets, 0):
            sight(table, octets, 0, mac, MAPPED_HI, low, octets, NONE)
    elif u8(octets, NAME_OCTETS - 1) == WORKSTATION:
        sight(table, octets, NONE, mac, MAPPED_HI, low, octets, 0)


@packet_kernel
def take_name_message(table, buf, start, end):
    """A question waits, an answer makes a row, a registration a sighting. True if it is NetBIOS."""
    message = table.message[0]
    octets = table.scratch
    read_header(buf, start, message)
    response = message.response == 1
    if message.questions > 1 or (message.questions == 0 and u16(buf, start + 6) == 0):
        return False
    at, length = read_netbios(buf, start, end, start + 12, table.name, 0, NAME_ROOM, octets, 0)
    if at < 0 or at + 4 > end:
        return False
    message.name_len = length
    message.suffix = u8(octets, NAME_OCTETS - 1)
    message.qtype = u16(buf, at)
    if message.questions == 1:
        at += 4
        if not response and message.opcode == QUERY:
            ask(table)
            return True
        if at < end:
            at = skip_name(buf, end, at)
    if at < 0 or at + 10 > end:
        return True
    ttl = u32(buf, at + 4)
    data = at + 10
    stop = data + u16(buf, at + 8)
    if stop > end:
        return True
    if not response:
        if message.opcode in (REGISTRATION, REFRESH, REFRESH_OTHER, MULTIHOMED):
            sight_registration(table, octets, buf, data, stop)
        return True
    if message.opcode != QUERY:
        return True
    if message.qtype != NBSTAT:
        # A negative answer's record is of type NULL (RFC 1002, 4.2.14).
        message.qtype = NB
    message.questions = 1
    message.answers_at = table.meter[0].text_used + length
    message.behind = put_suffix(table.text, message.answers_at, message.suffix)
    message.answers = 1
    message.addresses_at = message.behind
    if message.rcode == 0:
        message.min_ttl = min(ttl, 0x7FFFFFFF)
        if message.qtype == NBSTAT:
            take_names(table, buf, data, stop)
        else:
            take_addresses(table, buf, data, stop)
    status = message.qtype == NBSTAT and message.rcode == 0
    take_answer(table)
    if status:
        sight_status(table, buf, data, stop)
    return True


@packet_kernel
def take_datagram(table, buf, start, end):
    """Sighting by the names of a datagram (RFC 1002, 4.4.2). True if it is NetBIOS."""
    kind = u8(buf, start)
    if kind < DIRECT_UNIQUE or kind > BROADCAST or end - start < 14:
        return False
    octets = table.scratch
    packet = table.packet[0]
    at, _ = read_netbios(buf, start + 14, end, start + 14, table.name, 0, NAME_ROOM, octets, 0)
    if at < 0:
        return False
    at, _ = read_netbios(buf, start + 14, end, at, table.name, 0, NAME_ROOM, octets, NAME_OCTETS)
    domain = np.int64(NONE)
    if at >= 0:
        suffix = u8(octets, 2 * NAME_OCTETS - 1)
        if suffix in (MASTER_BROWSER, BROWSERS, DOMAIN_CONTROLLERS):
            domain = np.int64(NAME_OCTETS)
    if is_host(octets, 0):
        low = MAPPED_LO | u32(buf, start + 4)
        mac = packet.source_mac if packet.source_hi == 0 and packet.source_lo == low else 0
        sight(table, octets, 0, mac, MAPPED_HI, low, octets, domain)
    return True


@unit_kernel
def read_nbns(table, buf, start, end, i):
    """Reader of a datagram on port 137 or 138."""
    if end - start < 12 or not has_dns_room(table):
        return np.int64(NOT)
    packet = table.packet[0]
    if packet.source_port == DATAGRAM_PORT or packet.target_port == DATAGRAM_PORT:
        known = take_datagram(table, buf, start, end)
    else:
        set_datagram(table, buf, start, NBNS)
        known = take_name_message(table, buf, start, end)
    if not known:
        return np.int64(NOT)
    table.flows[i].application = APP_NBNS
    return np.int64(DONE)
