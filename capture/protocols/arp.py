"""ARP (RFC 826) for IPv4 over Ethernet: who says that it has which address, and whom it asks for."""

import numpy as np

from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_ipv4, u16, u32, u48
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

ARP = SOURCE["arp"]
OP = ATTRIBUTE["op"]
WORDS = np.frombuffer(b"requestreply", np.uint8)


@packet_kernel
def sight_arp(table, buf, at, end, packet):
    """Write a sighting of the sender; False if this is no sound ARP for IPv4."""
    if end - at < 28 or u16(buf, at) != 1 or u16(buf, at + 2) != 0x0800 or u16(buf, at + 4) != 0x0604:
        return False
    operation = u16(buf, at + 6)
    if operation != 1 and operation != 2:
        return False
    row = open_sighting(table, packet, ARP, u48(buf, at + 8), MAPPED_HI, MAPPED_LO | u32(buf, at + 14))
    text = table.text
    limit = table.meter[0].text_used + SIGHTING_TEXT
    close_value(table, row, put_ipv4(text, row.value_at, limit, buf, at + 24))
    position = open_attribute(table, OP)
    first, last = (0, 7) if operation == 1 else (7, 12)
    for i in range(first, last):
        text[position] = WORDS[i]
        position += 1
    close_attribute(table, row, position)
    close_sighting(table, row)
    return True
