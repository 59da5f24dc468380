"""DHCP for IPv4 (RFC 2131, RFC 2132) and BOOTP (RFC 951): what clients ask for and what servers hand out."""

import numpy as np

from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_decimal, put_ipv4, put_name, u8, u32, u48
from capture.protocols.uri import host_of
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_addresses,
    add_hex,
    add_ipv4,
    add_mac,
    add_number,
    add_numbers,
    add_text,
    add_word,
    close_attribute,
    close_name,
    close_sighting,
    close_value,
    has_attribute_room,
    has_sighting_room,
    keep_sighting,
    open_attribute,
    open_sighting,
    put_list,
    set_name,
    set_value,
    text_limit,
    trimmed,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.words import copy

DHCP_REQUEST, DHCP_OFFER, DHCP_ACK = SOURCE["dhcp_request"], SOURCE["dhcp_offer"], SOURCE["dhcp_ack"]
MAGIC = 0x63825363
#: From here on no address is a host's: groups, reserved, the broadcast (RFC 5771; RFC 1112, 4; RFC 919, 7).
NO_HOST = 0xE0000000

#: Offsets of the fixed header (RFC 2131, 2).
CLIENT_ADDRESS, YOUR_ADDRESS, RELAY_ADDRESS, HARDWARE, SERVER_NAME, FILE, COOKIE, OPTIONS = (
    12, 16, 24, 28, 44, 108, 236, 240,
)  # fmt: skip
BOOT_REQUEST, BOOT_REPLY = 1, 2
ETHERNET = 1
#: Bytes of a message that are read; our default.
MESSAGE_MAX = 4_096

(PAD, SUBNET_MASK, ROUTER, DNS, HOST_NAME, DOMAIN, REQUESTED, LEASE, OVERLOAD, MESSAGE_TYPE, SERVER) = (
    0, 1, 3, 6, 12, 15, 50, 51, 52, 53, 54,
)  # fmt: skip
(PARAMETERS, VENDOR_CLASS, CLIENT_ID, USER_CLASS, CLIENT_FQDN, RELAY_AGENT, VENDOR, VENDOR_OPTIONS, END) = (
    55, 60, 61, 77, 81, 82, 124, 125, 255,
)  # fmt: skip
#: Routes (RFC 3442; Microsoft's number for the same) and the URL of the proxy's configuration (WPAD).
ROUTES, ROUTES_MICROSOFT, PROXY = 121, 249, 252
#: Sub-options of the relay agent (RFC 3046, RFC 3993).
CIRCUIT, REMOTE, SUBSCRIBER = 1, 2, 6
#: `OVERLOAD`: options go on in `file`, in `sname` (RFC 2132, 9.3).
IN_FILE, IN_SERVER_NAME = 1, 2
#: `CLIENT_FQDN`: the name is encoded as in DNS (RFC 4702, 2.1).
FQDN_ENCODED = 4
#: The Broadband Forum's options name a modem or router (TR-069, annex F): serial number and product class.
BROADBAND_FORUM, DEVICE_SERIAL, DEVICE_CLASS = 3561, 2, 3

OFFER, DECLINE, ACK, NAK, RELEASE, FORCE_RENEW = 2, 4, 5, 6, 7, 9
#: Last message type there is (RFC 7724): of those past `FORCE_RENEW` relays and servers speak to each other.
TYPE_LAST = 18
#: Words of attribute `type`; 0: a message without a type is BOOTP's.
TYPES = word_table(
    "bootp", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"
)  # fmt: skip

(A_TYPE, A_CLIENT_MAC, A_ROUTER, A_DNS, A_LEASE, A_MASK, A_DOMAIN, A_PARAMETERS, A_REQUESTED, A_SERVER) = (
    ATTRIBUTE[word]
    for word in (
        "type", "client_mac", "router", "dns", "lease", "subnet_mask", "domain", "parameters", "requested",
        "server",
    )
)  # fmt: skip
(A_RELAY, A_CIRCUIT, A_REMOTE, A_SUBSCRIBER, A_CLIENT_ID, A_CLIENT_NAME, A_USER_CLASS, A_FQDN) = (
    ATTRIBUTE[word]
    for word in (
        "relay", "circuit", "remote", "subscriber", "client_id", "client_name", "user_class", "fqdn",
    )
)  # fmt: skip
A_VENDOR, A_MODEL, A_SERIAL, A_ROUTES, A_PROXY = (
    ATTRIBUTE[word] for word in ("vendor", "model", "serial", "routes", "proxy")
)


@packet_kernel
def find_option(buf, at, end, wanted):
    """(start, end) of an option's data, (-1, -1) if it is absent or cut off."""
    while at < end:
        kind = buf[at]
        if kind == END:
            break
        if kind == PAD:
            at += 1
            continue
        if at + 2 > end:
            break
        length = u8(buf, at + 1)
        if at + 2 + length > end:
            break
        if kind == wanted:
            return at + 2, at + 2 + length
        at += 2 + length
    return -1, -1


@packet_kernel
def overload_of(buf, at, end):
    """Which fields of the header hold options, `IN_FILE` and `IN_SERVER_NAME`."""
    first, stop = find_option(buf, at + OPTIONS, end, OVERLOAD)
    return u8(buf, first) & (IN_FILE | IN_SERVER_NAME) if first >= 0 and stop > first else 0


@packet_kernel
def gather_option(out, buf, at, end, overload, wanted):
    """Put together all parts of an option of the message at `at` (RFC 3396); its length, -1 if absent.

    The areas are read in the order of RFC 3396, 5: options, then `file`, then `sname`.
    """
    total = -1
    for area in range(3):
        if area == 0:
            position, stop = at + OPTIONS, end
        elif area == 1:
            position, stop = at + FILE, at + (COOKIE if overload & IN_FILE else FILE)
        else:
            position, stop = at + SERVER_NAME, at + (FILE if overload & IN_SERVER_NAME else SERVER_NAME)
        while True:
            first, behind = find_option(buf, position, stop, wanted)
            if first < 0:
                break
            total = max(total, 0)
            length = min(behind - first, len(out) - total)
            copy(out, total, buf, first, length)
            total += length
            position = behind
    return total


@packet_kernel
def put_domain(out, at, limit, buf, start, stop):
    """Append a name encoded as in DNS, uncompressed (RFC 1035, 3.1), or as text if it is not so encoded."""
    position = start
    while position < stop and 0 < buf[position] < 64 and position + 1 + u8(buf, position) <= stop:
        position += 1 + u8(buf, position)
    if position < stop and not (position == stop - 1 and buf[position] == 0):
        return put_name(out, at, limit, buf, start, trimmed(buf, start, stop))
    first = at
    position = start
    while position < stop and buf[position] != 0:
        length = u8(buf, position)
        if at > first and at < limit:
            out[at] = 46
            at += 1
        at = put_name(out, at, limit, buf, position + 1, position + 1 + length)
        position += 1 + length
    return at


@packet_kernel
def put_fqdn(out, at, limit, data, length):
    """Append the name of a client FQDN option (RFC 4702, 2): flags, two codes, name in one of two forms."""
    if length <= 3:
        return at
    if data[0] & FQDN_ENCODED:
        return put_domain(out, at, limit, data, 3, length)
    return put_name(out, at, limit, data, 3, trimmed(data, 3, length))


@packet_kernel
def add_option_addresses(table, row, key, buf, at, end, overload, kind):
    """Attribute with the addresses of an option."""
    length = gather_option(table.scratch, buf, at, end, overload, kind)
    add_addresses(table, row, key, table.scratch, 0, length, 4)


@packet_kernel
def add_option_text(table, row, key, buf, at, end, overload, kind):
    """Attribute with an option's text."""
    add_text(table, row, key, table.scratch, 0, gather_option(table.scratch, buf, at, end, overload, kind))


@packet_kernel
def hardware_address(buf, at, packet):
    """The client's MAC; the frame's where the message has none and came from the client itself."""
    if u8(buf, at + 2) == 6 and u48(buf, at + HARDWARE) != 0:
        return u48(buf, at + HARDWARE)
    if buf[at] == BOOT_REQUEST and u32(buf, at + RELAY_ADDRESS) == 0:
        return np.int64(packet.source_mac)
    return np.int64(0)


@unit_kernel
def sight_dhcp(table, buf, start, end):
    """Sighting of the client or, for what servers say, of the server. 1 if this is DHCP or BOOTP."""
    packet = table.packet[0]
    at = start
    if end - at < OPTIONS or u32(buf, at + COOKIE) != MAGIC:
        return np.int64(0)
    if buf[at] != BOOT_REQUEST and buf[at] != BOOT_REPLY:
        return np.int64(0)
    end = min(end, at + MESSAGE_MAX)
    overload = overload_of(buf, at, end)
    kind = 0
    length = gather_option(table.scratch, buf, at, end, overload, MESSAGE_TYPE)
    if length >= 0:
        kind = u8(table.scratch, 0) if length > 0 else 0
        if kind == 0:
            return np.int64(0)
    if (kind < FORCE_RENEW or kind > TYPE_LAST) and has_sighting_room(table):
        if buf[at] == BOOT_REQUEST:
            sight_client(table, buf, at, end, packet, kind, overload)
        elif kind < FORCE_RENEW:
            sight_server(table, buf, at, end, packet, kind, overload)
    return np.int64(1)


@packet_kernel
def sight_client(table, buf, at, end, packet, kind, overload):
    """Sighting of who asks: `value` is its vendor class."""
    text, option = table.text, table.scratch
    client_mac = hardware_address(buf, at, packet)
    address = u32(buf, at + CLIENT_ADDRESS)
    if (address == 0 or address >= NO_HOST) and gather_option(option, buf, at, end, overload, REQUESTED) == 4:
        address = u32(option, 0)
    low = MAPPED_LO | address if 0 < address < NO_HOST else 0
    row = open_sighting(table, packet, DHCP_REQUEST, client_mac, MAPPED_HI, low)
    length = gather_option(option, buf, at, end, overload, HOST_NAME)
    set_name(table, row, option, 0, length)
    named = row.name_len > 0
    if not named:
        length = gather_option(option, buf, at, end, overload, CLIENT_FQDN)
        behind = np.int64(row.name_at)
        close_name(table, row, put_fqdn(text, behind, behind + TEXT_MAX, option, length))
    set_value(table, row, option, 0, gather_option(option, buf, at, end, overload, VENDOR_CLASS))
    if kind < FORCE_RENEW:
        add_word(table, row, A_TYPE, TYPES, kind)
    length = gather_option(option, buf, at, end, overload, PARAMETERS)
    add_numbers(table, row, A_PARAMETERS, option, 0, length, 1)
    add_option_addresses(table, row, A_REQUESTED, buf, at, end, overload, REQUESTED)
    add_option_addresses(table, row, A_SERVER, buf, at, end, overload, SERVER)
    add_relay(table, row, buf, at, end, overload)
    if named:
        add_fqdn(table, row, A_FQDN, buf, at, end, overload)
    length = gather_option(option, buf, at, end, overload, CLIENT_ID)
    if length > 0 and not (length == 7 and option[0] == ETHERNET and u48(option, 1) == client_mac):
        add_hex(table, row, A_CLIENT_ID, option, 0, length)
    length = gather_option(option, buf, at, end, overload, USER_CLASS)
    # A list of texts with their lengths (RFC 3004, 4), or a bare text.
    listed = length > 1 and u8(option, 0) == length - 1
    add_text(table, row, A_USER_CLASS, option, 1 if listed else 0, length)
    add_vendor(table, row, buf, at, end, overload)
    if kind in (DECLINE, RELEASE):
        keep_sighting(table)
    else:
        close_sighting(table, row)


@packet_kernel
def add_fqdn(table, row, key, buf, at, end, overload):
    """Attribute with the name of the client FQDN option."""
    length = gather_option(table.scratch, buf, at, end, overload, CLIENT_FQDN)
    if length > 3 and has_attribute_room(table, row):
        position = open_attribute(table, key)
        limit = min(position + TEXT_MAX, text_limit(row))
        close_attribute(table, row, put_fqdn(table.text, position, limit, table.scratch, length))


@packet_kernel
def add_vendor(table, row, buf, at, end, overload):
    """Attributes of the vendor-identifying options (RFC 3925): enterprise number, model and serial number."""
    option = table.scratch
    length = gather_option(option, buf, at, end, overload, VENDOR_OPTIONS)
    if length >= 5:
        enterprise = u32(option, 0)
        add_number(table, row, A_VENDOR, enterprise)
        if enterprise == BROADBAND_FORUM:
            stop = min(5 + u8(option, 4), length)
            first, behind = find_option(option, 5, stop, DEVICE_CLASS)
            add_text(table, row, A_MODEL, option, first, behind)
            first, behind = find_option(option, 5, stop, DEVICE_SERIAL)
            add_text(table, row, A_SERIAL, option, first, behind)
        return
    length = gather_option(option, buf, at, end, overload, VENDOR)
    if length >= 5:
        add_number(table, row, A_VENDOR, u32(option, 0))
        add_text(table, row, A_MODEL, option, 5, min(5 + u8(option, 4), length))


@packet_kernel
def add_relay(table, row, buf, at, end, overload):
    """Attributes of the relay agent: its address, circuit, remote and subscriber identifiers (RFC 3046)."""
    if u32(buf, at + RELAY_ADDRESS) != 0:
        add_ipv4(table, row, A_RELAY, buf, at + RELAY_ADDRESS)
    option = table.scratch
    length = gather_option(option, buf, at, end, overload, RELAY_AGENT)
    if length > 0:
        first, stop = find_option(option, 0, length, CIRCUIT)
        add_text(table, row, A_CIRCUIT, option, first, stop)
        first, stop = find_option(option, 0, length, REMOTE)
        add_text(table, row, A_REMOTE, option, first, stop)
        first, stop = find_option(option, 0, length, SUBSCRIBER)
        add_text(table, row, A_SUBSCRIBER, option, first, stop)


@packet_kernel
def add_routes(table, row, buf, at, end, overload):
    """Attribute with the routes handed out, each `network/length>router` (RFC 3442)."""
    option = table.scratch
    length = gather_option(option, buf, at, end, overload, ROUTES)
    if length < 0:
        length = gather_option(option, buf, at, end, overload, ROUTES_MICROSOFT)
    if length < 5 or not has_attribute_room(table, row):
        return
    text = table.text
    first = open_attribute(table, A_ROUTES)
    behind = first
    limit = min(first + TEXT_MAX, text_limit(row))
    position = 0
    while position < length:
        width = u8(option, position)
        octets = (width + 7) // 8
        # Longest: a comma, two addresses, `/32>`.
        if width > 32 or position + 5 + octets > length or behind + 35 > limit:
            break
        behind = put_list(text, behind, limit, first)
        for i in range(4):
            if i > 0:
                text[behind] = 46
                behind += 1
            part = u8(option, position + 1 + i) if i < octets else np.int64(0)
            behind = put_decimal(text, behind, limit, part)
        text[behind] = 47
        behind = put_decimal(text, behind + 1, limit, width)
        text[behind] = 62
        behind = put_ipv4(text, behind + 1, limit, option, position + 1 + octets)
        position += 5 + octets
    close_attribute(table, row, behind)


@packet_kernel
def sight_server(table, buf, at, end, packet, kind, overload):
    """Sighting of a server: `value` is the address handed out or confirmed, none in a refusal."""
    text, option = table.text, table.scratch
    high, low = np.int64(packet.source_hi), np.int64(packet.source_lo)
    if gather_option(option, buf, at, end, overload, SERVER) == 4 and u32(option, 0) != 0:
        high, low = np.int64(MAPPED_HI), MAPPED_LO | u32(option, 0)
    source = DHCP_OFFER if kind == OFFER else DHCP_ACK
    row = open_sighting(table, packet, source, packet.source_mac, high, low)
    if overload & IN_SERVER_NAME == 0:
        stop = at + SERVER_NAME
        while stop < at + FILE and buf[stop] != 0:
            stop += 1
        set_name(table, row, buf, at + SERVER_NAME, stop)
    handed = at + YOUR_ADDRESS if u32(buf, at + YOUR_ADDRESS) != 0 else at + CLIENT_ADDRESS
    behind = np.int64(row.value_at)
    if kind != NAK and u32(buf, handed) != 0:
        behind = put_ipv4(text, behind, behind + 15, buf, handed)
    close_value(table, row, behind)
    add_word(table, row, A_TYPE, TYPES, kind)
    add_mac(table, row, A_CLIENT_MAC, hardware_address(buf, at, packet))
    add_option_addresses(table, row, A_ROUTER, buf, at, end, overload, ROUTER)
    add_option_addresses(table, row, A_DNS, buf, at, end, overload, DNS)
    add_option_addresses(table, row, A_MASK, buf, at, end, overload, SUBNET_MASK)
    leased = gather_option(option, buf, at, end, overload, LEASE) == 4
    if leased:
        add_number(table, row, A_LEASE, u32(option, 0))
    add_option_text(table, row, A_DOMAIN, buf, at, end, overload, DOMAIN)
    add_routes(table, row, buf, at, end, overload)
    length = gather_option(option, buf, at, end, overload, PROXY)
    first, stop = host_of(option, 0, max(length, 0))
    add_text(table, row, A_PROXY, option, first, stop)
    add_relay(table, row, buf, at, end, overload)
    length = gather_option(option, buf, at, end, overload, HOST_NAME)
    if length > 0:
        add_text(table, row, A_CLIENT_NAME, option, 0, length)
    else:
        add_fqdn(table, row, A_CLIENT_NAME, buf, at, end, overload)
    # A lease may be renewed, given back and taken again within minutes.
    if leased and kind == ACK:
        keep_sighting(table)
    else:
        close_sighting(table, row)
