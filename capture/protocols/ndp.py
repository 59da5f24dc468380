"""Neighbour discovery (RFC 4861): solicitations, advertisements and router advertisements."""

from capture.octets import put_decimal, put_ipv6, u8, u16, u48, u64
from capture.sightings import (
    ATTRIBUTE,
    SIGHTING_TEXT,
    SOURCE,
    close_attribute,
    close_sighting,
    close_value,
    open_attribute,
    open_sighting,
)
from pipeline.kernels import packet_kernel

NDP, RA = SOURCE["ndp"], SOURCE["ra"]
LIFETIME = ATTRIBUTE["lease"]
ROUTER_ADVERTISEMENT, SOLICITATION, ADVERTISEMENT = 134, 135, 136
SOURCE_LINK, TARGET_LINK, PREFIX = 1, 2, 3


@packet_kernel
def find_option(buf, at, end, kind):
    """Offset of the first option of a kind, -1 if there is none (RFC 4861, 4.6)."""
    while end - at >= 8:
        length = u8(buf, at + 1) * 8
        if length == 0 or at + length > end:
            return -1
        if buf[at] == kind:
            return at
        at += length
    return -1


@packet_kernel
def sight_ndp(table, buf, packet):
    """Write a sighting of the ICMPv6 message at `packet.at`; False if it is none of ours or unsound.

    Hop limit 255 shows that the message was not forwarded (RFC 4861, 6.1 and 7.1).
    """
    at, end = packet.at, packet.end
    if packet.ttl != 255 or end - at < 16:
        return False
    kind = buf[at]
    text = table.text
    limit = table.meter[0].text_used + SIGHTING_TEXT
    if kind == ROUTER_ADVERTISEMENT:
        row = open_sighting(table, packet, RA, packet.source_mac, packet.source_hi, packet.source_lo)
        prefix = find_option(buf, at + 16, end, PREFIX)
        behind = row.value_at
        if prefix >= 0 and u8(buf, prefix + 1) >= 4:
            behind = put_ipv6(text, behind, limit, buf, prefix + 16)
            text[behind] = 47
            behind = put_decimal(text, behind + 1, limit, u8(buf, prefix + 2))
        close_value(table, row, behind)
        position = open_attribute(table, LIFETIME)
        close_attribute(table, row, put_decimal(text, position, limit, u16(buf, at + 6)))
        close_sighting(table, row)
        return True
    if (kind != SOLICITATION and kind != ADVERTISEMENT) or end - at < 24:
        return False
    mac = packet.source_mac
    if kind == ADVERTISEMENT:
        option = find_option(buf, at + 24, end, TARGET_LINK)
        if option >= 0:
            mac = u48(buf, option + 2)
        row = open_sighting(table, packet, NDP, mac, u64(buf, at + 8), u64(buf, at + 16))
    else:
        option = find_option(buf, at + 24, end, SOURCE_LINK)
        if option >= 0:
            mac = u48(buf, option + 2)
        row = open_sighting(table, packet, NDP, mac, packet.source_hi, packet.source_lo)
        close_value(table, row, put_ipv6(text, row.value_at, limit, buf, at + 8))
    close_sighting(table, row)
    return True
