"""Neighbour discovery (RFC 4861): who has which address, who asks for it, and which routers there are."""

import numpy as np

from capture.octets import put_decimal, put_ipv6, u8, u16, u32, u48, u64
from capture.protocols.dhcpv6 import add_domain
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_addresses,
    add_number,
    add_word,
    add_words,
    close_attribute,
    close_sighting,
    close_value,
    has_attribute_room,
    has_sighting_room,
    open_attribute,
    open_sighting,
    put_list,
    text_limit,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

NDP, RA = SOURCE["ndp"], SOURCE["ra"]
#: Hop limit of what was not forwarded (6.1, 7.1).
LOCAL_HOPS = 255

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, SOLICITATION, ADVERTISEMENT, REDIRECT = range(133, 138)
#: Where the options begin.
SOLICITATION_BODY, ROUTER_BODY, TARGET_BODY, REDIRECT_BODY = 8, 16, 24, 40
#: Options (4.6; RFC 8106, 5), in units of eight bytes.
SOURCE_LINK, TARGET_LINK, PREFIX, MTU, RESOLVERS, SEARCH_LIST = 1, 2, 3, 5, 25, 31
UNIT = 8
#: Prefixes told of one router; our default.
PREFIXES_MAX = 8
SOLICITED = 0x40

#: Words of attribute `op`.
OPS = word_table("router_solicitation", "solicitation", "probe", "advertisement", "announcement", "redirect")
WORD_ROUTER, WORD_SOLICITATION, WORD_PROBE, WORD_ADVERTISEMENT, WORD_ANNOUNCEMENT, WORD_REDIRECT = range(6)
#: Bits of `flags` of an advertisement: it is a router.
NEIGHBOUR_FLAGS = word_table("router")
#: Those of a router (4.2; RFC 6275, 7.1; RFC 4191, 2.2), lowest first; the middle two are the preference.
ROUTER_FLAGS = word_table("home_agent", "other", "managed", "high", "low")
MANAGED, OTHER, HOME_AGENT = 0x80, 0x40, 0x20

A_OP, A_LEASE, A_HOPS, A_FLAGS, A_MTU, A_DNS, A_DOMAIN, A_PREFIX = (
    ATTRIBUTE[word] for word in ("op", "lease", "hop_limit", "flags", "mtu", "dns", "domain", "prefix")
)


@packet_kernel
def find_option(buf, at, end, kind):
    """(start, end) of the first option of a kind, its head included; (-1, -1) if there is none (4.6)."""
    while end - at >= UNIT:
        stop = at + u8(buf, at + 1) * UNIT
        if stop == at or stop > end:
            break
        if buf[at] == kind:
            return at, stop
        at = stop
    return -1, -1


@packet_kernel
def link_address(buf, at, end, kind, otherwise):
    """MAC in a link-layer address option, `otherwise` if there is none of six bytes."""
    first, stop = find_option(buf, at, end, kind)
    return u48(buf, first + 2) if stop - first == UNIT else np.int64(otherwise)


@packet_kernel
def put_prefix(out, at, limit, buf, option):
    """Append the prefix of an option (4.6.2) and its length."""
    at = put_ipv6(out, at, limit, buf, option + 16)
    if at < limit:
        out[at] = 47
        at = put_decimal(out, at + 1, limit, u8(buf, option + 2))
    return at


@unit_kernel
def sight_ndp(table, buf, start, end):
    """Sighting of the sender of an ICMPv6 message, or of whom it speaks for. 0 if it is none of these."""
    packet = table.packet[0]
    if packet.ttl != LOCAL_HOPS or end - start < SOLICITATION_BODY or buf[start + 1] != 0:
        return np.int64(0)
    kind = u8(buf, start)
    if kind < ROUTER_SOLICITATION or kind > REDIRECT:
        return np.int64(0)
    if kind == ROUTER_ADVERTISEMENT:
        if end - start < ROUTER_BODY:
            return np.int64(0)
        if has_sighting_room(table):
            sight_router(table, buf, start, end)
        return np.int64(1)
    body = TARGET_BODY
    if kind == ROUTER_SOLICITATION:
        body = SOLICITATION_BODY
    elif kind == REDIRECT:
        body = REDIRECT_BODY
    if end - start < body:
        return np.int64(0)
    if has_sighting_room(table):
        sight_neighbour(table, buf, start, end, kind, body)
    return np.int64(1)


@packet_kernel
def sight_neighbour(table, buf, at, end, kind, body):
    """Sighting by anything but a router's advertisement: `value` is the address that was asked for.

    An advertisement is about its target; the rest is about the sender, which has no address yet while it
    probes for one (RFC 4862, 5.4).
    """
    packet = table.packet[0]
    high, low = np.int64(packet.source_hi), np.int64(packet.source_lo)
    option = TARGET_LINK if kind in (ADVERTISEMENT, REDIRECT) else SOURCE_LINK
    mac = np.int64(packet.source_mac)
    if kind != REDIRECT:
        mac = link_address(buf, at + body, end, option, mac)
    if kind == ADVERTISEMENT:
        high, low = u64(buf, at + 8), u64(buf, at + 16)
    row = open_sighting(table, packet, NDP, mac, high, low)
    position = np.int64(row.value_at)
    if kind in (SOLICITATION, REDIRECT):
        position = put_ipv6(table.text, position, position + 45, buf, at + 8)
    close_value(table, row, position)
    word = WORD_ADVERTISEMENT
    if kind == ROUTER_SOLICITATION:
        word = WORD_ROUTER
    elif kind == SOLICITATION:
        word = WORD_PROBE if high == 0 and low == 0 else WORD_SOLICITATION
    elif kind == REDIRECT:
        word = WORD_REDIRECT
    elif u8(buf, at + 4) & SOLICITED == 0:
        word = WORD_ANNOUNCEMENT
    add_word(table, row, A_OP, OPS, word)
    if kind == ADVERTISEMENT:
        add_words(table, row, A_FLAGS, NEIGHBOUR_FLAGS, u8(buf, at + 4) >> 7)
    close_sighting(table, row)


@packet_kernel
def sight_router(table, buf, at, end):
    """Sighting of a router: `value` is its first prefix, `lease` how long it serves, in s; 0 not at all.

    Lifetimes of prefixes and resolvers may count down, and are left out.
    """
    packet = table.packet[0]
    options = at + ROUTER_BODY
    mac = link_address(buf, options, end, SOURCE_LINK, packet.source_mac)
    row = open_sighting(table, packet, RA, mac, packet.source_hi, packet.source_lo)
    text = table.text
    position = np.int64(row.value_at)
    prefix, behind = find_option(buf, options, end, PREFIX)
    if behind - prefix >= 4 * UNIT:
        position = put_prefix(text, position, position + TEXT_MAX, buf, prefix)
    close_value(table, row, position)
    add_number(table, row, A_LEASE, u16(buf, at + 6))
    if u8(buf, at + 4) != 0:
        add_number(table, row, A_HOPS, u8(buf, at + 4))
    told = u8(buf, at + 5)
    preference = told >> 3 & 3
    bits = (1 if told & HOME_AGENT else 0) | (2 if told & OTHER else 0) | (4 if told & MANAGED else 0)
    bits |= 8 if preference == 1 else 16 if preference == 3 else 0
    add_words(table, row, A_FLAGS, ROUTER_FLAGS, bits)
    first, stop = find_option(buf, options, end, MTU)
    if stop - first == UNIT:
        add_number(table, row, A_MTU, u32(buf, first + 4))
    first, stop = find_option(buf, options, end, RESOLVERS)
    add_addresses(table, row, A_DNS, buf, first + UNIT, stop, 16)
    first, stop = find_option(buf, options, end, SEARCH_LIST)
    if stop - first > UNIT:
        add_domain(table, row, A_DOMAIN, buf, first + UNIT, stop)
    add_prefixes(table, row, buf, behind, end)
    close_sighting(table, row)


@packet_kernel
def add_prefixes(table, row, buf, at, end):
    """Attribute with the prefixes behind the first."""
    if at < 0 or not has_attribute_room(table, row):
        return
    text = table.text
    first = open_attribute(table, A_PREFIX)
    position = first
    limit = min(first + TEXT_MAX, text_limit(row))
    for _ in range(PREFIXES_MAX):
        option, at = find_option(buf, at, end, PREFIX)
        # An IPv6 prefix and a comma take 44 bytes at most.
        if option < 0 or position + 44 > limit:
            break
        if at - option >= 4 * UNIT:
            position = put_prefix(text, put_list(text, position, limit, first), limit, buf, option)
    close_attribute(table, row, position)
