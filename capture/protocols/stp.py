"""Spanning tree: STP, RSTP, MSTP (IEEE 802.1D-2004, 9; 802.1Q, 14) and Cisco's PVST+: bridges and roots."""

import numpy as np

from capture.octets import put_decimal, put_mac, u8, u16, u32, u48
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    add_number,
    add_text,
    add_word,
    close_attribute,
    close_changing,
    close_value,
    has_sighting_room,
    open_attribute,
    open_sighting,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

STP = SOURCE["stp"]

#: BPDU types and protocol versions.
CONFIGURATION, RAPID, TOPOLOGY_CHANGE = 0x00, 0x02, 0x80
VERSION_MULTIPLE = 3
#: Offsets in a BPDU (802.1D-2004, 9.3.1; 802.1Q, 14.4).
ROOT, COST, BRIDGE, PORT, BODY = 5, 13, 17, 25, 35
REGION, REGION_BYTES, REGION_BRIDGE, MULTIPLE_BODY = 39, 32, 93, 102
#: PVST+ puts a TLV with the VLAN behind the BPDU: type 0, length 2.
VLAN_TLV, VLAN_HEAD = 36, 0x00000002

TYPES = word_table("stp", "rstp", "mstp", "tcn")
WORD_STP, WORD_RSTP, WORD_MSTP, WORD_TCN = range(4)
A_TYPE, A_BRIDGE, A_PORT, A_COST, A_VLAN, A_DOMAIN = (
    ATTRIBUTE[word] for word in ("type", "bridge", "port", "cost", "vlan", "domain")
)


@packet_kernel
def put_bridge(out, at, buf, start):
    """Append a bridge identifier: priority and MAC (802.1D-2004, 9.2.5), in at most 23 bytes."""
    at = put_decimal(out, at, at + 5, u16(buf, start))
    out[at] = 46
    return put_mac(out, at + 1, at + 18, u48(buf, start + 2))


@unit_kernel
def sight_stp(table, buf, at, end, per_vlan):
    """Sighting of a bridge: `value` is the root it knows. 0 if this is no sound BPDU.

    The same speaker, root, bridge and port are one statement: cost, ages and flags change without a new one.
    """
    packet = table.packet[0]
    if end - at < 4 or u16(buf, at) != 0:
        return np.int64(0)
    version, kind = u8(buf, at + 2), u8(buf, at + 3)
    change = kind == TOPOLOGY_CHANGE
    if not change and ((kind != CONFIGURATION and kind != RAPID) or end - at < BODY):
        return np.int64(0)
    if not has_sighting_room(table):
        return np.int64(1)
    row = open_sighting(table, packet, STP, packet.source_mac, np.int64(0), np.int64(0))
    text = table.text
    if change:
        add_word(table, row, A_TYPE, TYPES, WORD_TCN)
        close_changing(table, row, table.meter[0].text_used)
        return np.int64(1)
    multiple = kind == RAPID and version >= VERSION_MULTIPLE and end - at >= MULTIPLE_BODY
    close_value(table, row, put_bridge(text, np.int64(row.value_at), buf, at + ROOT))
    # In an MST BPDU the usual place has the root of the region.
    bridge = at + (REGION_BRIDGE if multiple else BRIDGE)
    close_attribute(table, row, put_bridge(text, open_attribute(table, A_BRIDGE), buf, bridge))
    # Priority in the upper four bits, number below (802.1D-2004, 9.2.7).
    port = u16(buf, at + PORT)
    position = open_attribute(table, A_PORT)
    position = put_decimal(text, position, position + 5, port >> 8 & 0xF0)
    text[position] = 46
    close_attribute(table, row, put_decimal(text, position + 1, position + 6, port & 0xFFF))
    if per_vlan and end - at >= VLAN_TLV + 6 and u32(buf, at + VLAN_TLV) == VLAN_HEAD:
        add_number(table, row, A_VLAN, u16(buf, at + VLAN_TLV + 4))
    known = table.meter[0].text_used
    word = WORD_STP
    if kind == RAPID:
        word = WORD_MSTP if multiple else WORD_RSTP
    add_word(table, row, A_TYPE, TYPES, word)
    add_number(table, row, A_COST, u32(buf, at + COST))
    if multiple:
        stop = at + REGION
        while stop < at + REGION + REGION_BYTES and buf[stop] != 0:
            stop += 1
        add_text(table, row, A_DOMAIN, buf, at + REGION, stop)
    close_changing(table, row, known)
    return np.int64(1)
