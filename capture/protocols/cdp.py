"""CDP, Cisco's discovery protocol, versions 1 and 2 (Cisco, "Frame formats", table 1): devices and ports.

Its frames are SNAP with Cisco's OUI 00-00-0C and type 0x2000, which HDLC and PPP links carry as well.
"""

import numpy as np

from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_ipv6, u8, u16, u32, u64
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    add_number,
    add_text,
    add_word,
    add_words,
    close_attribute,
    close_sighting,
    has_attribute_room,
    has_sighting_room,
    open_attribute,
    open_sighting,
    set_name,
    set_value,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

CDP = SOURCE["cdp"]

(DEVICE, ADDRESSES, PORT, CAPABILITIES, SOFTWARE, PLATFORM) = range(1, 7)
DOMAIN, NATIVE_VLAN, DUPLEX, VOICE_VLAN, SYSTEM_NAME, MANAGEMENT = 0x09, 0x0A, 0x0B, 0x0E, 0x14, 0x16
#: An address: protocol type, length of the protocol, protocol, length of the address. NLPID 0xCC is IPv4.
IPV4_HEAD, IPV4_LENGTH = 0x0101CC, 4
#: 802.2 with eight bytes: LLC, SNAP, Ethertype 0x86DD.
IPV6_HEAD, IPV6_PROTOCOL, IPV6_LENGTH = 0x0208, 0xAAAA0300000086DD - (1 << 64), 16
#: Addresses looked at in one list; our default.
ADDRESSES_MAX = 16

#: Bits of the capabilities TLV, lowest first.
CAPABILITY_WORDS = word_table(
    "router", "bridge", "source_route_bridge", "switch", "host", "igmp", "repeater", "telephone", "remote",
)  # fmt: skip
DUPLEX_WORDS = word_table("half", "full")

(A_DESCRIPTION, A_CAPABILITIES, A_VLAN, A_VOICE_VLAN, A_MODEL, A_DOMAIN, A_DUPLEX, A_FQDN, A_MANAGEMENT) = (
    ATTRIBUTE[word]
    for word in (
        "description", "capabilities", "vlan", "voice_vlan", "model", "domain", "duplex", "fqdn",
        "management",
    )
)  # fmt: skip


@packet_kernel
def find_tlv(buf, at, end, wanted):
    """(start, end) of the first TLV of a type, (-1, -1) if it is absent or cut off."""
    while end - at >= 4:
        length = u16(buf, at + 2)
        if length < 4 or at + length > end:
            break
        if u16(buf, at) == wanted:
            return at + 4, at + length
        at += length
    return -1, -1


@packet_kernel
def find_address(buf, at, end, head):
    """First address in a list that begins with `IPV4_HEAD` or `IPV6_HEAD`, -1 if there is none."""
    if end - at < 4:
        return -1
    left = min(u32(buf, at), ADDRESSES_MAX)
    at += 4
    while left > 0 and end - at >= 2:
        behind = at + 2 + u8(buf, at + 1)
        if behind + 2 > end or behind + 2 + u16(buf, behind) > end:
            return -1
        length = u16(buf, behind)
        if head == IPV4_HEAD:
            found = behind == at + 3 and length == IPV4_LENGTH and u16(buf, at) << 8 | u8(buf, at + 2) == head
        else:
            found = behind == at + 10 and length == IPV6_LENGTH and u16(buf, at) == head
            found = found and u64(buf, at + 2) == IPV6_PROTOCOL
        if found:
            return behind + 2
        at = behind + 2 + length
        left -= 1
    return -1


@unit_kernel
def sight_cdp(table, buf, at, end):
    """Sighting of the speaker: name, port, address. 0 if this is no sound CDP."""
    packet = table.packet[0]
    if end - at < 8 or buf[at] == 0 or buf[at] > 2:
        return np.int64(0)
    # Version, time to live, checksum.
    at += 4
    first, stop = find_tlv(buf, at, end, DEVICE)
    port, port_stop = find_tlv(buf, at, end, PORT)
    if first < 0 and port < 0:
        return np.int64(0)
    if not has_sighting_room(table):
        return np.int64(1)
    high, low = np.int64(0), np.int64(0)
    listed, listed_stop = find_tlv(buf, at, end, ADDRESSES)
    managed, managed_stop = find_tlv(buf, at, end, MANAGEMENT)
    address = find_address(buf, listed, listed_stop, IPV4_HEAD)
    if address < 0:
        address = find_address(buf, managed, managed_stop, IPV4_HEAD)
    other = find_address(buf, listed, listed_stop, IPV6_HEAD)
    if address >= 0 and u32(buf, address) != 0:
        high, low = np.int64(MAPPED_HI), MAPPED_LO | u32(buf, address)
    elif other >= 0:
        high, low = u64(buf, other), u64(buf, other + 8)
    row = open_sighting(table, packet, CDP, packet.source_mac, high, low)
    set_name(table, row, buf, first, stop)
    set_value(table, row, buf, port, port_stop)
    first, stop = find_tlv(buf, at, end, PLATFORM)
    add_text(table, row, A_MODEL, buf, first, stop)
    first, stop = find_tlv(buf, at, end, CAPABILITIES)
    if stop - first >= 4:
        add_words(table, row, A_CAPABILITIES, CAPABILITY_WORDS, u32(buf, first))
    first, stop = find_tlv(buf, at, end, NATIVE_VLAN)
    if stop - first >= 2 and u16(buf, first) != 0:
        add_number(table, row, A_VLAN, u16(buf, first))
    first, stop = find_tlv(buf, at, end, VOICE_VLAN)
    if stop - first >= 3:
        add_number(table, row, A_VOICE_VLAN, u16(buf, first + 1))
    first, stop = find_tlv(buf, at, end, DUPLEX)
    if stop - first >= 1 and u8(buf, first) <= 1:
        add_word(table, row, A_DUPLEX, DUPLEX_WORDS, u8(buf, first))
    first, stop = find_tlv(buf, at, end, DOMAIN)
    add_text(table, row, A_DOMAIN, buf, first, stop)
    first, stop = find_tlv(buf, at, end, SYSTEM_NAME)
    add_text(table, row, A_FQDN, buf, first, stop)
    if address >= 0 and other >= 0 and has_attribute_room(table, row):
        position = open_attribute(table, A_MANAGEMENT)
        close_attribute(table, row, put_ipv6(table.text, position, position + 45, buf, other))
    first, stop = find_tlv(buf, at, end, SOFTWARE)
    add_text(table, row, A_DESCRIPTION, buf, first, stop)
    close_sighting(table, row)
    return np.int64(1)
