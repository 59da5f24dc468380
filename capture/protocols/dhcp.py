"""DHCP for IPv4 (RFC 2131, RFC 2132): what clients ask for and what servers hand out."""

import numpy as np

from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_decimal, put_ipv4, put_mac, put_text, u8, u32, u48
from capture.sightings import (
    ATTRIBUTE,
    SIGHTING_TEXT,
    SOURCE,
    close_attribute,
    close_name,
    close_sighting,
    close_value,
    open_attribute,
    open_sighting,
)
from pipeline.kernels import packet_kernel

DHCP_REQUEST, DHCP_OFFER, DHCP_ACK = SOURCE["dhcp_request"], SOURCE["dhcp_offer"], SOURCE["dhcp_ack"]
SERVER_PORT, CLIENT_PORT = 67, 68
MAGIC = 0x63825363

(SUBNET_MASK, ROUTER, DNS, HOST_NAME, DOMAIN) = (1, 3, 6, 12, 15)
(REQUESTED, LEASE, MESSAGE_TYPE, SERVER, PARAMETERS, VENDOR_CLASS, RELAY_AGENT) = (50, 51, 53, 54, 55, 60, 82)
CIRCUIT, REMOTE = 1, 2

DISCOVER, OFFER, REQUEST, DECLINE, ACKNOWLEDGE, NAK, RELEASE, INFORM = range(1, 9)
#: Texts of the message types in attribute `type`.
TYPE_TEXT = np.frombuffer(
    b"?       discoveroffer   request decline ack     nak     release inform  ", np.uint8
)
TYPE_WIDTH = 8
#: Longest text of one option kept.
TEXT_MAX = 255

(A_TYPE, A_CLIENT_MAC, A_ROUTER, A_DNS, A_LEASE, A_MASK, A_DOMAIN, A_PARAMETERS, A_REQUESTED, A_SERVER) = (
    ATTRIBUTE[word]
    for word in (
        "type", "client_mac", "router", "dns", "lease", "subnet_mask", "domain", "parameters", "requested",
        "server",
    )
)  # fmt: skip
A_RELAY, A_CIRCUIT, A_REMOTE = ATTRIBUTE["relay"], ATTRIBUTE["circuit"], ATTRIBUTE["remote"]


@packet_kernel
def find_option(buf, at, end, wanted):
    """(start, end) of an option's data, (-1, -1) if it is absent or cut off."""
    while at < end:
        kind = buf[at]
        if kind == 255:
            break
        if kind == 0:
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
def add_address(table, row, key, buf, options, end, kind, limit):
    """Attribute with the first address of an option."""
    at, stop = find_option(buf, options, end, kind)
    if at >= 0 and stop - at >= 4:
        close_attribute(table, row, put_ipv4(table.text, open_attribute(table, key), limit, buf, at))


@packet_kernel
def add_text(table, row, key, buf, at, stop, limit):
    """Attribute with an option's text."""
    if at >= 0:
        position = open_attribute(table, key)
        close_attribute(
            table, row, put_text(table.text, position, min(position + TEXT_MAX, limit), buf, at, stop)
        )


@packet_kernel
def add_type(table, row, kind):
    """Attribute with the message type's word."""
    position = open_attribute(table, A_TYPE)
    for i in range(kind * TYPE_WIDTH, (kind + 1) * TYPE_WIDTH):
        if TYPE_TEXT[i] != 32:
            table.text[position] = TYPE_TEXT[i]
            position += 1
    close_attribute(table, row, position)


@packet_kernel
def sight_dhcp(table, buf, at, end, packet):
    """Sighting of the client or, for offers and acknowledgements, of the server. True if this is DHCP."""
    if end - at < 244 or u32(buf, at + 236) != MAGIC:
        return False
    options = at + 240
    first, stop = find_option(buf, options, end, MESSAGE_TYPE)
    if first < 0 or stop == first:
        return False
    kind = u8(buf, first)
    if kind < DISCOVER or kind > INFORM:
        return False
    limit = table.meter[0].text_used + SIGHTING_TEXT - 64
    client_mac = u48(buf, at + 28)
    if buf[at] == 2:
        if kind in (OFFER, ACKNOWLEDGE):
            sight_server(table, buf, at, end, packet, kind, client_mac, limit)
        return True
    address = u32(buf, at + 12)
    first, stop = find_option(buf, options, end, REQUESTED)
    if address == 0 and first >= 0 and stop - first == 4:
        address = u32(buf, first)
    low = MAPPED_LO | address
    row = open_sighting(table, packet, DHCP_REQUEST, client_mac, MAPPED_HI, low if address != 0 else 0)
    text = table.text
    behind = row.name_at
    first, stop = find_option(buf, options, end, HOST_NAME)
    if first >= 0:
        while stop > first and buf[stop - 1] == 0:
            stop -= 1
        behind = put_text(text, behind, min(behind + TEXT_MAX, limit), buf, first, stop)
    close_name(table, row, behind)
    behind = row.value_at
    first, stop = find_option(buf, options, end, VENDOR_CLASS)
    if first >= 0:
        behind = put_text(text, behind, min(behind + TEXT_MAX, limit), buf, first, stop)
    close_value(table, row, behind)
    add_type(table, row, kind)
    first, stop = find_option(buf, options, end, PARAMETERS)
    if first >= 0:
        position = open_attribute(table, A_PARAMETERS)
        for i in range(first, min(stop, first + 64)):
            if i > first:
                text[position] = 44
                position += 1
            position = put_decimal(text, position, limit, u8(buf, i))
        close_attribute(table, row, position)
    add_address(table, row, A_REQUESTED, buf, options, end, REQUESTED, limit)
    add_address(table, row, A_SERVER, buf, options, end, SERVER, limit)
    add_relay(table, row, buf, at, options, end, limit)
    close_sighting(table, row)
    return True


@packet_kernel
def add_relay(table, row, buf, at, options, end, limit):
    """Attributes of the relay agent: its address, circuit and remote identifiers (RFC 3046)."""
    if u32(buf, at + 24) != 0:
        close_attribute(table, row, put_ipv4(table.text, open_attribute(table, A_RELAY), limit, buf, at + 24))
    first, stop = find_option(buf, options, end, RELAY_AGENT)
    if first >= 0:
        low, high = find_option(buf, first, stop, CIRCUIT)
        add_text(table, row, A_CIRCUIT, buf, low, high, limit)
        low, high = find_option(buf, first, stop, REMOTE)
        add_text(table, row, A_REMOTE, buf, low, high, limit)


@packet_kernel
def sight_server(table, buf, at, end, packet, kind, client_mac, limit):
    """Sighting of a server's offer or acknowledgement: `value` is the address handed out."""
    options = at + 240
    server_hi, server_lo = packet.source_hi, packet.source_lo
    first, stop = find_option(buf, options, end, SERVER)
    if first >= 0 and stop - first == 4:
        server_hi, server_lo = MAPPED_HI, MAPPED_LO | u32(buf, first)
    source = DHCP_OFFER if kind == OFFER else DHCP_ACK
    row = open_sighting(table, packet, source, packet.source_mac, server_hi, server_lo)
    text = table.text
    close_value(table, row, put_ipv4(text, row.value_at, limit, buf, at + 16))
    close_attribute(table, row, put_mac(text, open_attribute(table, A_CLIENT_MAC), limit, client_mac))
    add_address(table, row, A_ROUTER, buf, options, end, ROUTER, limit)
    add_address(table, row, A_DNS, buf, options, end, DNS, limit)
    add_address(table, row, A_MASK, buf, options, end, SUBNET_MASK, limit)
    first, stop = find_option(buf, options, end, LEASE)
    if first >= 0 and stop - first == 4:
        close_attribute(table, row, put_decimal(text, open_attribute(table, A_LEASE), limit, u32(buf, first)))
    first, stop = find_option(buf, options, end, DOMAIN)
    add_text(table, row, A_DOMAIN, buf, first, stop, limit)
    add_relay(table, row, buf, at, options, end, limit)
    close_sighting(table, row)
