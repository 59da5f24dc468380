"""DHCP for IPv6 (RFC 8415): what clients ask for and what servers hand out, relayed or not."""

import numpy as np

from capture.octets import put_decimal, put_ipv6, u8, u16, u32, u48, u64
from capture.protocols.dhcp import put_domain
from capture.protocols.options import find_option
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_addresses,
    add_hex,
    add_ipv6,
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
    set_value,
    text_limit,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

DHCPV6 = SOURCE["dhcpv6"]

#: Message types (7.3, IANA); those past `RELAY_REPLY` are between servers, relays and their observers.
ADVERTISE, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORM = 2, 7, 8, 9, 10, 11
RELAY_FORWARD, RELAY_REPLY, TYPE_LAST = 12, 13, 36
TYPES = word_table(
    "", "solicit", "advertise", "request", "confirm", "renew", "rebind", "reply", "release", "decline",
    "reconfigure", "inform",
)  # fmt: skip
#: Hop count of the outermost relay that is followed (7.6, HOP_COUNT_LIMIT).
RELAYS_MAX = 8
RELAY_HEADER, PEER_ADDRESS, LINK_ADDRESS = 34, 18, 2

(CLIENT_ID, SERVER_ID, IA_NA, IA_TA, IA_ADDRESS, WANTED, RELAY_MESSAGE) = (1, 2, 3, 4, 5, 6, 9)
USER_CLASS, VENDOR_CLASS, INTERFACE_ID, DNS, DOMAIN, IA_PD, IA_PREFIX = 15, 16, 18, 23, 24, 25, 26
REMOTE_ID, SUBSCRIBER, CLIENT_FQDN, CLIENT_LINK_ADDRESS = 37, 38, 39, 79
#: DUIDs that hold a link address (11.2, 11.4), and the hardware types whose addresses are MACs.
DUID_TIME, DUID_LINK = 1, 3
HARDWARE = (1, 6, 27)

(A_TYPE, A_CLIENT_MAC, A_DNS, A_LEASE, A_DOMAIN, A_PARAMETERS, A_REQUESTED, A_RELAY, A_CIRCUIT, A_REMOTE) = (
    ATTRIBUTE[word]
    for word in (
        "type", "client_mac", "dns", "lease", "domain", "parameters", "requested", "relay", "circuit",
        "remote",
    )
)  # fmt: skip
(A_SUBSCRIBER, A_CLIENT_ID, A_CLIENT_NAME, A_USER_CLASS, A_VENDOR, A_PREFIX, A_DUID_MAC, A_SERVER) = (
    ATTRIBUTE[word]
    for word in (
        "subscriber", "client_id", "client_name", "user_class", "vendor", "prefix", "duid_mac", "server",
    )
)  # fmt: skip


@packet_kernel
def duid_mac(buf, start, stop):
    """MAC in a DUID of the forms that hold one, else 0."""
    if stop - start >= 14 and u16(buf, start) == DUID_TIME and u16(buf, start + 2) in HARDWARE:
        return u48(buf, start + 8)
    if stop - start >= 10 and u16(buf, start) == DUID_LINK and u16(buf, start + 2) in HARDWARE:
        return u48(buf, start + 4)
    return np.int64(0)


@packet_kernel
def leased_address(buf, at, end):
    """Offset of the first address of the first identity association that has one, -1 if there is none."""
    for kind in (IA_NA, IA_TA):
        position = at
        while True:
            first, stop = find_option(buf, position, end, kind)
            if first < 0:
                break
            # Identifier and two timers; a temporary one has no timers (21.4, 21.5).
            head = 12 if kind == IA_NA else 4
            inner, behind = find_option(buf, first + head, stop, IA_ADDRESS)
            if behind - inner >= 24:
                return inner
            position = stop
    return np.int64(-1)


@packet_kernel
def delegated_prefix(buf, at, end):
    """Offset of the first delegated prefix: two lifetimes, its length, its address (21.22); -1 none."""
    first, stop = find_option(buf, at, end, IA_PD)
    inner, behind = find_option(buf, first + 12 if first >= 0 else -1, stop, IA_PREFIX)
    return np.int64(inner if behind - inner >= 25 else -1)


@unit_kernel
def sight_dhcpv6(table, buf, start, end):
    """Sighting of a client or server. 1 if this is DHCPv6.

    What a relay wraps is told as if it had been heard itself, with the relay nearest to the client.
    """
    at = start
    relay = np.int64(-1)
    relay_end = np.int64(-1)
    for _ in range(RELAYS_MAX + 1):
        if end - at < 4:
            return np.int64(0 if relay < 0 else 1)
        kind = u8(buf, at)
        if kind != RELAY_FORWARD and kind != RELAY_REPLY:
            break
        if end - at < RELAY_HEADER:
            return np.int64(0)
        relay, relay_end = np.int64(at), end
        inner, stop = find_option(buf, at + RELAY_HEADER, end, RELAY_MESSAGE)
        if inner < 0:
            return np.int64(1)
        at, end = inner, stop
    kind = u8(buf, at)
    if kind == 0 or kind > TYPE_LAST:
        return np.int64(0)
    if kind <= INFORM and has_sighting_room(table):
        if kind in (ADVERTISE, REPLY, RECONFIGURE):
            sight_server(table, buf, at + 4, end, kind, relay, relay_end)
        else:
            sight_client(table, buf, at + 4, end, kind, relay, relay_end)
    return np.int64(1)


@packet_kernel
def sight_client(table, buf, at, end, kind, relay, relay_end):
    """Sighting of who asks: `value` is its vendor class.

    Its MAC is the frame's, or what the relay saw (RFC 6939): a DUID may come from another interface, or from
    the image that many devices were made of.
    """
    packet = table.packet[0]
    duid, duid_stop = find_option(buf, at, end, CLIENT_ID)
    mac, high, low = np.int64(packet.source_mac), np.int64(packet.source_hi), np.int64(packet.source_lo)
    if relay >= 0:
        mac = relayed_mac(buf, relay, relay_end)
        high, low = u64(buf, relay + PEER_ADDRESS), u64(buf, relay + PEER_ADDRESS + 8)
    if mac == 0:
        mac = duid_mac(buf, duid, duid_stop)
    row = open_sighting(table, packet, DHCPV6, mac, high, low)
    position = np.int64(row.name_at)
    first, stop = find_option(buf, at, end, CLIENT_FQDN)
    if stop - first > 1:
        # One byte of flags (RFC 4704, 4).
        position = put_domain(table.text, position, position + TEXT_MAX, buf, first + 1, stop)
    close_name(table, row, position)
    first, stop = find_option(buf, at, end, VENDOR_CLASS)
    # Enterprise number, then texts with their lengths (21.16).
    classed = stop - first >= 6 and first + 6 + u16(buf, first + 4) <= stop
    set_value(table, row, buf, first + 6, first + 6 + u16(buf, first + 4) if classed else first + 6)
    add_word(table, row, A_TYPE, TYPES, kind)
    if stop - first >= 4:
        add_number(table, row, A_VENDOR, u32(buf, first))
    first, stop = find_option(buf, at, end, WANTED)
    add_numbers(table, row, A_PARAMETERS, buf, first, stop, 2)
    address = leased_address(buf, at, end)
    if address >= 0:
        add_ipv6(table, row, A_REQUESTED, buf, address)
    add_prefix(table, row, buf, delegated_prefix(buf, at, end))
    add_client_id(table, row, buf, duid, duid_stop)
    first, stop = find_option(buf, at, end, USER_CLASS)
    if stop - first > 2:
        add_text(table, row, A_USER_CLASS, buf, first + 2, min(first + 2 + u16(buf, first), stop))
    first, stop = find_option(buf, at, end, SERVER_ID)
    add_hex(table, row, A_SERVER, buf, first, stop)
    add_relay(table, row, buf, relay, relay_end)
    if kind in (RELEASE, DECLINE):
        keep_sighting(table)
    else:
        close_sighting(table, row)


@packet_kernel
def sight_server(table, buf, at, end, kind, relay, relay_end):
    """Sighting of a server: `value` is the first address handed out."""
    packet = table.packet[0]
    row = open_sighting(table, packet, DHCPV6, packet.source_mac, packet.source_hi, packet.source_lo)
    text = table.text
    duid, duid_stop = find_option(buf, at, end, CLIENT_ID)
    client = relayed_mac(buf, relay, relay_end) if relay >= 0 else np.int64(packet.target_mac)
    if client == 0 or client >> 32 == 0x3333:
        client = duid_mac(buf, duid, duid_stop)
    address = leased_address(buf, at, end)
    position = np.int64(row.value_at)
    if address >= 0:
        position = put_ipv6(text, position, position + 45, buf, address)
    close_value(table, row, position)
    add_word(table, row, A_TYPE, TYPES, kind)
    add_mac(table, row, A_CLIENT_MAC, client)
    first, stop = find_option(buf, at, end, DNS)
    add_addresses(table, row, A_DNS, buf, first, stop, 16)
    if address >= 0:
        # Behind the address its preferred lifetime, then the valid one.
        add_number(table, row, A_LEASE, u32(buf, address + 20))
    first, stop = find_option(buf, at, end, DOMAIN)
    add_domain(table, row, A_DOMAIN, buf, first, stop)
    add_prefix(table, row, buf, delegated_prefix(buf, at, end))
    first, stop = find_option(buf, at, end, CLIENT_FQDN)
    add_domain(table, row, A_CLIENT_NAME, buf, first + 1, stop)
    add_client_id(table, row, buf, duid, duid_stop)
    first, stop = find_option(buf, at, end, SERVER_ID)
    add_hex(table, row, A_SERVER, buf, first, stop)
    add_relay(table, row, buf, relay, relay_end)
    if address >= 0 and kind == REPLY:
        keep_sighting(table)
    else:
        close_sighting(table, row)


@packet_kernel
def relayed_mac(buf, relay, relay_end):
    """The client's MAC as the relay saw it (RFC 6939), 0 if it didn't say."""
    first, stop = find_option(buf, relay + RELAY_HEADER, relay_end, CLIENT_LINK_ADDRESS)
    return u48(buf, first + 2) if stop - first >= 8 else np.int64(0)


@packet_kernel
def add_client_id(table, row, buf, start, stop):
    """Attributes of the client's DUID: itself, and the MAC in it."""
    add_hex(table, row, A_CLIENT_ID, buf, start, stop)
    add_mac(table, row, A_DUID_MAC, duid_mac(buf, start, stop))


@packet_kernel
def add_domain(table, row, key, buf, start, stop):
    """Attribute with the first name of a list encoded as in DNS (section 10)."""
    if start < 0 or stop <= start or not has_attribute_room(table, row):
        return
    behind = start
    while behind < stop and buf[behind] != 0:
        behind += 1 + u8(buf, behind)
    position = open_attribute(table, key)
    limit = min(position + TEXT_MAX, text_limit(row))
    close_attribute(table, row, put_domain(table.text, position, limit, buf, start, min(behind + 1, stop)))


@packet_kernel
def add_prefix(table, row, buf, at):
    """Attribute with the delegated prefix at `at`, if there is one."""
    if at < 0 or not has_attribute_room(table, row):
        return
    text = table.text
    position = open_attribute(table, A_PREFIX)
    behind = put_ipv6(text, position, position + 45, buf, at + 9)
    text[behind] = 47
    close_attribute(table, row, put_decimal(text, behind + 1, behind + 4, u8(buf, at + 8)))


@packet_kernel
def add_relay(table, row, buf, relay, relay_end):
    """Attributes of the relay nearest to the client: its link, the interface, and who is there."""
    if relay < 0:
        return
    at = relay + RELAY_HEADER
    if u64(buf, relay + LINK_ADDRESS) != 0 or u64(buf, relay + LINK_ADDRESS + 8) != 0:
        add_ipv6(table, row, A_RELAY, buf, relay + LINK_ADDRESS)
    first, stop = find_option(buf, at, relay_end, INTERFACE_ID)
    add_text(table, row, A_CIRCUIT, buf, first, stop)
    first, stop = find_option(buf, at, relay_end, REMOTE_ID)
    # Behind an enterprise number (RFC 4649, 3).
    add_text(table, row, A_REMOTE, buf, first + 4, stop)
    first, stop = find_option(buf, at, relay_end, SUBSCRIBER)
    add_text(table, row, A_SUBSCRIBER, buf, first, stop)
