"""LLDP (IEEE 802.1AB): which device stands behind which port, as switches, phones and access points tell."""

import numpy as np

from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_ipv4, put_ipv6, put_mac, put_text, u8, u16, u32, u48, u64
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_ipv6,
    add_number,
    add_text,
    add_word,
    add_words,
    close_attribute,
    close_sighting,
    close_value,
    has_sighting_room,
    open_attribute,
    open_sighting,
    set_name,
    trimmed,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

LLDP = SOURCE["lldp"]

#: TLV types (IEEE 802.1AB, 8.4).
(END, CHASSIS, PORT, TIME_TO_LIVE, PORT_DESCRIPTION, SYSTEM_NAME, SYSTEM_DESCRIPTION, CAPABILITIES) = range(8)
MANAGEMENT, ORGANIZATION = 8, 127
#: Subtypes of a chassis and of a port identifier that are no text (8.5.2, 8.5.3).
CHASSIS_MAC, CHASSIS_ADDRESS = 4, 5
PORT_MAC, PORT_ADDRESS = 3, 4
#: Address families (IANA).
IPV4, IPV6 = 1, 2

#: Organizations, and their subtypes: IEEE 802.1 (annex D), TIA LLDP-MED (TIA-1057, 10.2).
IEEE_802_1, PORT_VLAN = 0x0080C2, 1
MED, POLICY, FIRMWARE, SERIAL, MANUFACTURER, MODEL = 0x0012BB, 2, 6, 8, 9, 10
#: Application type of a MED network policy.
VOICE = 1

#: Bits of the capabilities TLV, lowest first (8.5.8.1).
CAPABILITY_WORDS = word_table(
    "other", "repeater", "bridge", "access_point", "router", "telephone", "docsis", "station",
    "customer_vlan", "service_vlan", "relay",
)  # fmt: skip
SHUTDOWN = word_table("shutdown")

(A_TYPE, A_CHASSIS, A_PORT_DESCRIPTION, A_DESCRIPTION, A_CAPABILITIES, A_VLAN, A_VOICE_VLAN) = (
    ATTRIBUTE[word]
    for word in (
        "type", "chassis", "port_description", "description", "capabilities", "vlan", "voice_vlan",
    )
)  # fmt: skip
(A_MANUFACTURER, A_MODEL, A_SERIAL, A_FIRMWARE, A_MANAGEMENT) = (
    ATTRIBUTE[word] for word in ("manufacturer", "model", "serial", "firmware", "management")
)


@packet_kernel
def find_tlv(buf, at, end, wanted, organization, subtype):
    """(start, end) of the first TLV of a type, (-1, -1) if it is absent or cut off.

    Of organizations' TLVs the one of this organization and subtype; its data begins behind both.
    """
    while end - at >= 2:
        kind, length = u8(buf, at) >> 1, u16(buf, at) & 0x1FF
        at += 2
        if at + length > end or kind == END:
            break
        if kind == wanted:
            if kind != ORGANIZATION:
                return at, at + length
            if length >= 4 and u32(buf, at) == organization << 8 | subtype:
                return at + 4, at + length
        at += length
    return -1, -1


@packet_kernel
def put_identifier(out, at, limit, buf, start, stop, mac_subtype, address_subtype):
    """Append a chassis or port identifier: its first byte says whether it is a MAC, an address or text."""
    if stop - start < 2:
        return at
    subtype = u8(buf, start)
    if subtype == mac_subtype and stop - start == 7:
        return put_mac(out, at, limit, u48(buf, start + 1))
    if subtype == address_subtype and stop - start == 6 and buf[start + 1] == IPV4:
        return put_ipv4(out, at, limit, buf, start + 2)
    if subtype == address_subtype and stop - start == 18 and buf[start + 1] == IPV6:
        return put_ipv6(out, at, limit, buf, start + 2)
    return put_text(out, at, limit, buf, start + 1, trimmed(buf, start + 1, stop))


@packet_kernel
def management_address(buf, at, end, family, size):
    """Offset of the first management address of a family (8.5.9) that is not all zeros, -1 for none."""
    while True:
        first, stop = find_tlv(buf, at, end, MANAGEMENT, 0, 0)
        if first < 0:
            return np.int64(-1)
        if stop - first >= 2 + size and u16(buf, first) == (size + 1) << 8 | family:
            for i in range(first + 2, first + 2 + size):
                if buf[i] != 0:
                    return np.int64(first + 2)
        at = stop


@unit_kernel
def sight_lldp(table, buf, at, end):
    """Sighting of the speaker: name, port, management address. 0 if this is no sound LLDP.

    An LLDPDU begins with chassis, port and time to live, in this order (8.2).
    """
    packet = table.packet[0]
    first, stop = find_tlv(buf, at, end, CHASSIS, 0, 0)
    port, port_stop = find_tlv(buf, at, end, PORT, 0, 0)
    time, time_stop = find_tlv(buf, at, end, TIME_TO_LIVE, 0, 0)
    if first != at + 2 or port != stop + 2 or time_stop - time < 2:
        return np.int64(0)
    if not has_sighting_room(table):
        return np.int64(1)
    high, low = np.int64(0), np.int64(0)
    four, six = management_address(buf, at, end, IPV4, 4), management_address(buf, at, end, IPV6, 16)
    if four >= 0:
        high, low = np.int64(MAPPED_HI), MAPPED_LO | u32(buf, four)
    elif six >= 0:
        high, low = u64(buf, six), u64(buf, six + 8)
    mac = np.int64(packet.source_mac)
    if mac == 0 and stop - first == 7 and buf[first] == CHASSIS_MAC:
        mac = u48(buf, first + 1)
    row = open_sighting(table, packet, LLDP, mac, high, low)
    text = table.text
    name, name_stop = find_tlv(buf, at, end, SYSTEM_NAME, 0, 0)
    set_name(table, row, buf, name, name_stop)
    position = np.int64(row.value_at)
    limit = position + TEXT_MAX
    close_value(
        table, row, put_identifier(text, position, limit, buf, port, port_stop, PORT_MAC, PORT_ADDRESS)
    )
    position = open_attribute(table, A_CHASSIS)
    limit = position + TEXT_MAX
    close_attribute(
        table, row, put_identifier(text, position, limit, buf, first, stop, CHASSIS_MAC, CHASSIS_ADDRESS)
    )
    if u16(buf, time) == 0:
        add_word(table, row, A_TYPE, SHUTDOWN, 0)
    if four >= 0 and six >= 0:
        add_ipv6(table, row, A_MANAGEMENT, buf, six)
    first, stop = find_tlv(buf, at, end, CAPABILITIES, 0, 0)
    if stop - first >= 4:
        # What is enabled; a few leave that empty.
        enabled = u16(buf, first + 2)
        bits = enabled if enabled != 0 else u16(buf, first)
        add_words(table, row, A_CAPABILITIES, CAPABILITY_WORDS, bits)
    first, stop = find_tlv(buf, at, end, ORGANIZATION, IEEE_802_1, PORT_VLAN)
    if stop - first >= 2 and u16(buf, first) != 0:
        add_number(table, row, A_VLAN, u16(buf, first))
    first, stop = find_tlv(buf, at, end, ORGANIZATION, MED, POLICY)
    if stop - first >= 4 and buf[first] == VOICE:
        # Unknown and tagged flags and a spare bit, then 12 bits of VLAN.
        add_number(table, row, A_VOICE_VLAN, u16(buf, first + 1) >> 1 & 0xFFF)
    add_tlv_text(table, row, A_PORT_DESCRIPTION, buf, at, end, PORT_DESCRIPTION, 0, 0)
    add_tlv_text(table, row, A_DESCRIPTION, buf, at, end, SYSTEM_DESCRIPTION, 0, 0)
    add_tlv_text(table, row, A_MANUFACTURER, buf, at, end, ORGANIZATION, MED, MANUFACTURER)
    add_tlv_text(table, row, A_MODEL, buf, at, end, ORGANIZATION, MED, MODEL)
    add_tlv_text(table, row, A_SERIAL, buf, at, end, ORGANIZATION, MED, SERIAL)
    add_tlv_text(table, row, A_FIRMWARE, buf, at, end, ORGANIZATION, MED, FIRMWARE)
    close_sighting(table, row)
    return np.int64(1)


@packet_kernel
def add_tlv_text(table, row, key, buf, at, end, kind, organization, subtype):
    """Attribute with a TLV's text."""
    first, stop = find_tlv(buf, at, end, kind, organization, subtype)
    add_text(table, row, key, buf, first, stop)
