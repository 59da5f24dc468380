"""What devices say about themselves: writing a sighting, and leaving out what was said minutes ago."""

import numpy as np

from capture.arena import ATTRIBUTE_NAMES
from capture.octets import hex_digit, mix, mix_octets, put_decimal, put_ipv4, put_ipv6, put_mac, put_text
from pipeline.kernels import hot_kernel, packet_kernel
from pipeline.records import SIGHTING_SOURCES

#: A repeated identical sighting is sent once in this time (records.md).
REPEAT_US = 600_000_000
#: Text that one sighting may append.
SIGHTING_TEXT = 4_096
#: Longest text of one name, value or attribute, in bytes; our default.
TEXT_MAX = 255
#: Room for the shortest attribute worth beginning: key, length, an IPv6 address with its prefix length.
ATTRIBUTE_ROOM = 64
#: Places in which one sighting may be remembered.
WAYS = 4

SOURCE = {word: code for code, word in enumerate(SIGHTING_SOURCES)}
ATTRIBUTE = {word: code for code, word in enumerate(ATTRIBUTE_NAMES)}


def word_table(*words: str) -> np.ndarray:
    """uint8[words, longest + 1] for `put_word`: one word a row, zeros behind it."""
    table = np.zeros((len(words), max(map(len, words)) + 1), np.uint8)
    for row, word in enumerate(words):
        table[row, : len(word)] = np.frombuffer(word.encode(), np.uint8)
    return table


@hot_kernel
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
def text_limit(row):
    """Position that no text of the sighting may pass."""
    return np.int64(row.name_at) + SIGHTING_TEXT - ATTRIBUTE_ROOM


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
def trimmed(buf, start, stop):
    """End of a text without the zeros and spaces that pad it."""
    while stop > start and (buf[stop - 1] == 0 or buf[stop - 1] == 32):
        stop -= 1
    return stop


@packet_kernel
def put_short(table, row, at, buf, start, stop):
    """Append a text of up to `TEXT_MAX` bytes, its padding left off; returns the position after it."""
    return put_text(
        table.text, at, min(at + TEXT_MAX, text_limit(row)), buf, start, trimmed(buf, start, stop)
    )


@packet_kernel
def set_name(table, row, buf, start, stop):
    """The name is this text; to be called before value and attributes."""
    close_name(table, row, put_short(table, row, np.int64(row.name_at), buf, start, stop))


@packet_kernel
def set_value(table, row, buf, start, stop):
    """The value is this text; to be called before attributes."""
    close_value(table, row, put_short(table, row, np.int64(row.value_at), buf, start, stop))


@packet_kernel
def has_attribute_room(table, row):
    """True if another attribute may begin."""
    return table.meter[0].text_used + ATTRIBUTE_ROOM <= text_limit(row)


@packet_kernel
def put_word(out, at, words, index):
    """Append the word of a row of `word_table`."""
    for i in range(words.shape[1]):
        if words[index, i] == 0:
            break
        out[at] = words[index, i]
        at += 1
    return at


@packet_kernel
def put_hex(out, at, limit, buf, start, stop):
    """Append bytes in hexadecimal digits; whole bytes only."""
    for i in range(start, stop):
        if at + 2 > limit:
            break
        octet = np.int64(buf[i])
        out[at] = hex_digit(octet >> 4)
        out[at + 1] = hex_digit(octet & 15)
        at += 2
    return at


@packet_kernel
def put_list(out, at, limit, start):
    """Append a comma if the list that began at `start` has items already."""
    if at > start and at < limit:
        out[at] = 44
        return at + 1
    return at


@packet_kernel
def add_text(table, row, key, buf, start, stop):
    """Attribute with a text."""
    if stop > start and has_attribute_room(table, row):
        close_attribute(table, row, put_short(table, row, open_attribute(table, key), buf, start, stop))


@packet_kernel
def add_hex(table, row, key, buf, start, stop):
    """Attribute with bytes in hexadecimal digits."""
    if stop > start and has_attribute_room(table, row):
        position = open_attribute(table, key)
        limit = min(position + TEXT_MAX, text_limit(row))
        close_attribute(table, row, put_hex(table.text, position, limit, buf, start, stop))


@packet_kernel
def add_number(table, row, key, number):
    """Attribute with a number, in decimal digits."""
    if has_attribute_room(table, row):
        position = open_attribute(table, key)
        if number < 0:
            table.text[position] = 45
            close_attribute(table, row, put_decimal(table.text, position + 1, position + 32, -number))
        else:
            close_attribute(table, row, put_decimal(table.text, position, position + 32, number))


@packet_kernel
def add_word(table, row, key, words, index):
    """Attribute with a word of a `word_table`."""
    if has_attribute_room(table, row):
        close_attribute(table, row, put_word(table.text, open_attribute(table, key), words, index))


@packet_kernel
def add_words(table, row, key, words, bits):
    """Attribute with the words of the bits that are set, lowest first, by commas."""
    if bits == 0 or not has_attribute_room(table, row):
        return
    text = table.text
    first = open_attribute(table, key)
    position = first
    limit = min(first + TEXT_MAX, text_limit(row))
    for bit in range(words.shape[0]):
        if bits >> bit & 1 and position + words.shape[1] < limit:
            position = put_word(text, put_list(text, position, limit, first), words, bit)
    close_attribute(table, row, position)


@packet_kernel
def add_mac(table, row, key, mac):
    """Attribute with a MAC; none where it is 0."""
    if mac != 0 and has_attribute_room(table, row):
        position = open_attribute(table, key)
        close_attribute(table, row, put_mac(table.text, position, position + 17, mac))


@packet_kernel
def add_ipv4(table, row, key, buf, at):
    """Attribute with the IPv4 address at `at`."""
    if has_attribute_room(table, row):
        position = open_attribute(table, key)
        close_attribute(table, row, put_ipv4(table.text, position, position + 15, buf, at))


@packet_kernel
def add_ipv6(table, row, key, buf, at):
    """Attribute with the IPv6 address at `at`."""
    if has_attribute_room(table, row):
        position = open_attribute(table, key)
        close_attribute(table, row, put_ipv6(table.text, position, position + 45, buf, at))


@packet_kernel
def add_addresses(table, row, key, buf, start, stop, size):
    """Attribute with all addresses of an option, each `size` (4 or 16) bytes, by commas."""
    if stop - start < size or not has_attribute_room(table, row):
        return
    text = table.text
    first = open_attribute(table, key)
    position = first
    limit = min(first + TEXT_MAX, text_limit(row))
    for at in range(start, stop - size + 1, size):
        # No address is begun that might not fit as a whole.
        if position + 1 + (15 if size == 4 else 45) > limit:
            break
        position = put_list(text, position, limit, first)
        if size == 4:
            position = put_ipv4(text, position, limit, buf, at)
        else:
            position = put_ipv6(text, position, limit, buf, at)
    close_attribute(table, row, position)


@packet_kernel
def add_numbers(table, row, key, buf, start, stop, size):
    """Attribute with numbers of `size` (1 or 2) bytes each, by commas; 64 at most."""
    if stop - start < size or not has_attribute_room(table, row):
        return
    text = table.text
    first = open_attribute(table, key)
    position = first
    limit = min(first + 64 * 6, text_limit(row))
    for at in range(start, min(stop - size + 1, start + 64 * size), size):
        position = put_list(text, position, limit, first)
        number = np.int64(buf[at])
        if size == 2:
            number = number << 8 | np.int64(buf[at + 1])
        position = put_decimal(text, position, limit, number)
    close_attribute(table, row, position)


@packet_kernel
def close_sighting(table, row):
    """Keep the sighting, unless the same was said within `REPEAT_US`."""
    close_changing(table, row, table.meter[0].text_used)


@packet_kernel
def close_changing(table, row, known):
    """`close_sighting`, but that text from position `known` on may differ: counters, signal, timers."""
    meter = table.meter[0]
    h = mix(
        mix(mix(meter.seed ^ row.mac) ^ row.ip_hi) ^ row.ip_lo ^ np.int64(row.source) << 56 ^ row.vlan << 40
    )
    h = mix_octets(
        h ^ np.int64(row.name_len) << 16 ^ np.int64(row.value_len), table.text, np.int64(row.name_at), known
    )
    first = h & (len(table.said) - 1) & ~(WAYS - 1)
    oldest = first
    for place in range(first, first + WAYS):
        said = table.said[place]
        if said.key == h:
            if row.ts - said.ts < REPEAT_US and row.ts >= said.ts:
                meter.text_used = row.name_at
                return
            oldest = place
            break
        if said.ts < table.said[oldest].ts:
            oldest = place
    table.said[oldest].key = h
    table.said[oldest].ts = row.ts
    meter.sighting_rows += 1


@packet_kernel
def keep_sighting(table):
    """Keep the sighting, though the same may have been said before: what begins or ends anew each time."""
    table.meter[0].sighting_rows += 1


SAID = np.dtype([("key", "i8"), ("ts", "i8")])
