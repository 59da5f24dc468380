"""ARP (RFC 826) for IPv4 over Ethernet: who says that it has which address, and whom it asks for."""

import numpy as np

from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_ipv4, u8, u16, u32, u48
from capture.protocols.outcomes import READ, UNKNOWN, UNSOUND
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    add_mac,
    add_word,
    close_sighting,
    close_value,
    has_sighting_room,
    open_sighting,
    word_table,
)
from pipeline.kernels import unit_kernel

ARP = SOURCE["arp"]

#: Hardware types with MACs: Ethernet, and IEEE 802 as some write it (IANA, ARP parameters).
ETHERNET, IEEE_802, IPV4 = 1, 6, 0x0800
MAC_BYTES, IPV4_BYTES, HEAD = 6, 4, 8
SENDER_MAC, SENDER, TARGET = 8, 14, 24
REQUEST, REPLY = 1, 2

OPS = word_table("request", "reply")
#: Words of `type`: an address is checked before it is used, or told to everyone (RFC 5227, 1.1).
TYPES = word_table("probe", "announcement")
PROBE, ANNOUNCEMENT = 0, 1
A_OP, A_TYPE, A_SENT_BY = ATTRIBUTE["op"], ATTRIBUTE["type"], ATTRIBUTE["sent_by"]


@unit_kernel
def read_arp(table, buf, start, end):
    """Sighting of the sender: READ, UNSOUND if it contradicts itself or is cut off, UNKNOWN for other ARP."""
    if end - start < HEAD:
        return np.int64(UNSOUND)
    hardware, protocol, operation = u16(buf, start), u16(buf, start + 2), u16(buf, start + 6)
    hardware_bytes, protocol_bytes = u8(buf, start + 4), u8(buf, start + 5)
    if operation == 0 or end - start < HEAD + 2 * (hardware_bytes + protocol_bytes):
        return np.int64(UNSOUND)
    if hardware not in (ETHERNET, IEEE_802) or protocol != IPV4:
        return np.int64(UNKNOWN)
    if hardware_bytes != MAC_BYTES or protocol_bytes != IPV4_BYTES:
        return np.int64(UNSOUND)
    if operation != REQUEST and operation != REPLY:
        return np.int64(UNKNOWN)
    if not has_sighting_room(table):
        return np.int64(READ)
    packet = table.packet[0]
    mac, address = u48(buf, start + SENDER_MAC), u32(buf, start + SENDER)
    if mac == 0:
        mac = np.int64(packet.source_mac)
    low = MAPPED_LO | address if address != 0 else np.int64(0)
    row = open_sighting(table, packet, ARP, mac, MAPPED_HI, low)
    position = np.int64(row.value_at)
    close_value(table, row, put_ipv4(table.text, position, position + 15, buf, start + TARGET))
    add_word(table, row, A_OP, OPS, operation - REQUEST)
    if address == 0:
        add_word(table, row, A_TYPE, TYPES, PROBE)
    elif address == u32(buf, start + TARGET):
        add_word(table, row, A_TYPE, TYPES, ANNOUNCEMENT)
    if mac != packet.source_mac:
        # Somebody speaks for another device.
        add_mac(table, row, A_SENT_BY, packet.source_mac)
    close_sighting(table, row)
    return np.int64(READ)
