"""What devices say about themselves: writing a sighting, and leaving out what was said minutes ago."""

import numpy as np

from capture.arena import ATTRIBUTE_NAMES
from capture.octets import mix, mix_octets
from pipeline.kernels import packet_kernel
from pipeline.records import SIGHTING_SOURCES

#: A repeated identical sighting is sent once in this time (records.md).
REPEAT_US = 600_000_000
#: Text that one sighting may append.
SIGHTING_TEXT = 4_096

SOURCE = {word: code for code, word in enumerate(SIGHTING_SOURCES)}
ATTRIBUTE = {word: code for code, word in enumerate(ATTRIBUTE_NAMES)}


@packet_kernel
def has_sighting_room(table):
    """True if one more sighting and its text fit."""
    meter = table.meter[0]
    return meter.sighting_rows < len(table.sighting_rows) and meter.text_used + SIGHTING_TEXT < len(
        table.text
    )


@packet_kernel
def open_sighting(table, packet, source, mac, ip_hi, ip_lo):
    """A sighting to fill: text goes behind `meter.text_used`: name, value, attributes."""
    meter = table.meter[0]
    row = table.sighting_rows[meter.sighting_rows]
    row.ts = packet.ts
    row.vlan = packet.vlan
    row.source = source
    row.mac = mac
    row.ip_hi = ip_hi
    row.ip_lo = ip_lo
    row.name_at = meter.text_used
    row.name_len = 0
    row.value_at = meter.text_used
    row.value_len = 0
    row.attributes_at = meter.text_used
    row.attributes_count = 0
    return row


@packet_kernel
def close_name(table, row, behind):
    """The name ends at `behind`; value and attributes follow."""
    row.name_len = behind - row.name_at
    row.value_at = behind
    row.attributes_at = behind
    table.meter[0].text_used = behind


@packet_kernel
def close_value(table, row, behind):
    """The value ends at `behind`; attributes follow."""
    row.value_len = behind - row.value_at
    row.attributes_at = behind
    table.meter[0].text_used = behind


@packet_kernel
def open_attribute(table, key):
    """Position for an attribute's text; close it with `close_attribute`."""
    at = table.meter[0].text_used
    table.text[at] = key
    return at + 3


@packet_kernel
def close_attribute(table, row, behind):
    """The attribute's text ends at `behind`; an empty one is left out."""
    meter = table.meter[0]
    length = behind - meter.text_used - 3
    if length <= 0:
        return
    table.text[meter.text_used + 1] = length >> 8
    table.text[meter.text_used + 2] = length & 255
    row.attributes_count += 1
    meter.text_used = behind


@packet_kernel
def close_sighting(table, row):
    """Keep the sighting, unless the same was said within `REPEAT_US`."""
    meter = table.meter[0]
    h = mix(
        mix(mix(meter.seed ^ row.mac) ^ row.ip_hi) ^ row.ip_lo ^ np.int64(row.source) << 56 ^ row.vlan << 40
    )
    h = mix_octets(h ^ row.name_len << 16 ^ row.value_len, table.text, row.name_at, meter.text_used)
    place = table.said[h & (len(table.said) - 1)]
    if place.key == h and row.ts - place.ts < REPEAT_US and row.ts >= place.ts:
        meter.text_used = row.name_at
        return
    place.key = h
    place.ts = row.ts
    meter.sighting_rows += 1


SAID = np.dtype([("key", "i8"), ("ts", "i8")])
