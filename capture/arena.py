"""Growing Arrow columns: rows as NumPy records, their text in one byte arena, no Python object a row.

A kernel writes the next record of a kind and appends text behind `text_used`; `batch_of` turns what stands
there into one Arrow record batch: one call says how long each column is, one writes all of them into one
block of memory. The record layout is derived from `pipeline.records`, so a field exists once.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from pipeline.kernels import entry_kernel, packet_kernel
from pipeline.records import ADDRESS, ADDRESSES, ATTRIBUTES, KIND, RECORDS, SCHEMAS, TEXT, TEXTS, TIME, Field
from pipeline.words import (
    copy,
    load_8,
    load_little_32,
    load_native,
    store_64,
    store_little_16,
    store_little_32,
    store_native,
)

#: Names of `sightings.attributes`; a kernel writes the index.
ATTRIBUTE_NAMES = (
    "type", "client_mac", "router", "dns", "lease", "subnet_mask", "domain", "parameters", "requested",
    "server", "op", "relay", "circuit", "remote", "client_id", "client_name", "user_class", "vendor",
    "prefix", "mtu", "flags", "hop_limit", "chassis", "port", "port_description", "description",
    "capabilities", "management", "vlan", "voice_vlan", "duplex", "manufacturer", "model", "serial",
    "firmware", "bridge", "cost", "usn", "location", "agent", "nas", "session", "ssid",
    "error", "service", "bssid", "channel", "security", "signal", "sent_by", "duid_mac",
    "fqdn", "subscriber", "routes", "proxy",
)  # fmt: skip

#: "Not known" in a nullable number of a record; two numbers may be -1 and have their own.
UNKNOWN = -1
UNKNOWN_DELTA = -32_768
UNKNOWN_OFFSET = -(2**63)
SENTINELS = {"reset_ttl_delta": UNKNOWN_DELTA, "clock_offset_us": UNKNOWN_OFFSET}


def _layout(field: Field) -> list[tuple[str, str]]:
    if field.type == ADDRESS:
        return [(f"{field.name}_hi", "i8"), (f"{field.name}_lo", "i8")]
    if field.type == TEXT:
        return [(f"{field.name}_at", "i4"), (f"{field.name}_len", "i4")]
    if field.type in (TEXTS, ADDRESSES) or field.type == ATTRIBUTES:
        return [(f"{field.name}_at", "i4"), (f"{field.name}_count", "i4")]
    if field.type == KIND:
        return [(field.name, "u1")]
    return [(field.name, "i8")]


def row_dtype(kind: str) -> np.dtype:
    """NumPy record of one row of a kind: addresses as two int64, text as offset and length."""
    return np.dtype([part for field in RECORDS[kind] for part in _layout(field)], align=True)


def new_rows(kind: str, rows: int) -> np.recarray:
    """Empty records for `rows` rows of a kind."""
    return np.zeros(rows, row_dtype(kind)).view(np.recarray)


# How a column is written: integers of so many bytes, one bit, an address, a word's number, text, or lists of
# texts, of named texts or of addresses.
WIDE, HALF, SHORT, BYTE, BIT, PAIR, CODE, WORDS, LIST, NAMED, PACKED = range(11)
# What a plan says of a column: how, where it stands in the record, whether and what is "not known".
HOW, PLACE, NULLABLE, SENTINEL, PLAN_FIELDS = range(5)
# What is told of a written column: where in the block its validity, offsets, values, keys and inner offsets
# stand, how many bytes its values have and those of its keys, how many items, how many nulls. Keys and values
# of a list both have their offsets.
VALID, OFFSETS, VALUES, KEYS, KEY_OFFSETS, INNER, VALUE_BYTES, KEY_BYTES, ITEMS, NULLS, TOLD = range(11)
#: Arrow's buffers begin at a whole number of these bytes (Columnar format, "Buffer Alignment and Padding").
ALIGNMENT = 64

_HOW = {
    KIND: CODE, TEXT: WORDS, TEXTS: LIST, ADDRESSES: PACKED, ADDRESS: PAIR, TIME: WIDE, pa.bool_(): BIT,
    pa.uint64(): WIDE, pa.int64(): WIDE, pa.uint32(): HALF, pa.int32(): HALF, pa.uint16(): SHORT,
    pa.int16(): SHORT, pa.uint8(): BYTE,
}  # fmt: skip


@cache
def _plan(kind: str) -> np.ndarray:
    """int64[columns, PLAN_FIELDS] of a kind of record."""
    dtype = row_dtype(kind)
    offsets = {name: part[1] for name, part in (dtype.fields or {}).items()}
    plan = np.zeros((len(RECORDS[kind]), PLAN_FIELDS), np.int64)
    for row, field in zip(plan, RECORDS[kind], strict=True):
        how = NAMED if field.type == ATTRIBUTES else _HOW[field.type]
        place = offsets[_layout(field)[0][0]]
        row[:] = how, place, field.nullable, SENTINELS.get(field.name, UNKNOWN)
    return plan


#: The names behind each other, and where each begins.
NAMES_TEXT = np.frombuffer("".join(ATTRIBUTE_NAMES).encode(), np.uint8)
NAMES_AT = np.cumsum([0, *map(len, ATTRIBUTE_NAMES)], dtype=np.int64)


@packet_kernel
def padded(size):
    """The next whole number of `ALIGNMENT`."""
    return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1)


@packet_kernel
def count_items(text, at, items, head):
    """Bytes of the texts and of the names of a list of `[key][length, 2 bytes][text]`, `head` 3.

    Where `head` is 2, there are no keys.
    """
    size = np.int64(0)
    names = np.int64(0)
    for _ in range(items):
        if head == 3:
            key = load_8(text, at)
            names += NAMES_AT[key + 1] - NAMES_AT[key]
        length = load_8(text, at + head - 2) << 8 | load_8(text, at + head - 1)
        at += head + length
        size += length
    return size, names


@entry_kernel
def measure_columns(rows, stride, count, plan, text, told):
    """Fill `told` with the places and sizes of the columns of `count` records; returns the block's bytes.

    `rows` are the records as bytes, `stride` bytes each.
    """
    total = np.int64(0)
    for column in range(len(plan)):
        how = plan[column, HOW]
        place = plan[column, PLACE]
        told[column, NULLS] = 0
        told[column, ITEMS] = count
        told[column, VALID] = total
        if plan[column, NULLABLE] != 0:
            total += padded((count + 7) >> 3)
        told[column, OFFSETS] = total
        size = np.int64(0)
        if how >= WORDS:
            total += padded(4 * (count + 1))
            head = 3 if how == NAMED else 2
            items = np.int64(0)
            names = np.int64(0)
            for row in range(count):
                at = row * stride + place
                n = load_little_32(rows, at + 4)
                if how == WORDS:
                    size += n
                else:
                    items += n
                    more, named = count_items(text, load_little_32(rows, at), n, head)
                    size += more
                    names += named
            if how == NAMED:
                told[column, KEYS] = total
                told[column, KEY_BYTES] = names
                total += padded(names)
                told[column, KEY_OFFSETS] = total
                total += padded(4 * (items + 1))
            if how != WORDS:
                told[column, ITEMS] = items
                told[column, INNER] = total
                total += padded(4 * (items + 1))
        elif how == WIDE:
            size = 8 * count
        elif how == HALF:
            size = 4 * count
        elif how == SHORT:
            size = 2 * count
        elif how == PAIR:
            size = 16 * count
        elif how == BIT:
            size = (count + 7) >> 3
        else:
            size = count
        told[column, VALUES] = total
        told[column, VALUE_BYTES] = size
        total += padded(size)
    return total


@packet_kernel
def write_integers(rows, stride, count, how, place, out, at):
    """Integers one after the other, each as wide as `how` says."""
    source = place
    if how == WIDE:
        for _ in range(count):
            store_native(out, at, load_native(rows, source))
            source += stride
            at += 8
    elif how == HALF:
        for _ in range(count):
            store_little_32(out, at, load_native(rows, source))
            source += stride
            at += 4
    elif how == SHORT:
        for _ in range(count):
            store_little_16(out, at, load_native(rows, source))
            source += stride
            at += 2
    else:
        for _ in range(count):
            out[at] = load_8(rows, source) if how == CODE else load_native(rows, source) & 255
            source += stride
            at += 1


@packet_kernel
def write_bits(rows, stride, count, place, wanted, same, out, at):
    """Bit by bit whether a word is `wanted` (`same` 1) or is not (`same` 0); returns how many bits are 0."""
    zeros = np.int64(0)
    octet = np.int64(0)
    for row in range(count):
        if (load_native(rows, row * stride + place) == wanted) == (same == 1):
            octet |= np.int64(1) << (row & 7)
        else:
            zeros += 1
        if row & 7 == 7:
            out[at] = octet
            octet = np.int64(0)
            at += 1
    if count & 7:
        out[at] = octet
    return zeros


@packet_kernel
def blank_unknown(rows, stride, count, how, place, sentinel, out, at):
    """Zero where a number is not known."""
    width = 8 if how == WIDE else 4 if how == HALF else 2 if how == SHORT else 1
    for row in range(count):
        if load_native(rows, row * stride + place) == sentinel:
            for octet in range(width):
                out[at + row * width + octet] = 0


@packet_kernel
def write_addresses(rows, stride, count, place, out, at):
    """Both halves of each address in network order."""
    for row in range(count):
        source = row * stride + place
        store_64(out, at, load_native(rows, source))
        store_64(out, at + 8, load_native(rows, source + 8))
        at += 16


@packet_kernel
def write_text(rows, stride, count, place, text, offsets, out, at):
    """Texts behind each other, and where each begins."""
    total = np.int64(0)
    store_little_32(out, offsets, total)
    for row in range(count):
        source = row * stride + place
        length = load_little_32(rows, source + 4)
        copy(out, at + total, text, load_little_32(rows, source), length)
        total += length
        store_little_32(out, offsets + 4 * (row + 1), total)


@packet_kernel
def write_items(rows, stride, count, place, text, head, offsets, inner, out, at):
    """Texts of all lists behind each other, where each begins, and where each list begins."""
    items = np.int64(0)
    total = np.int64(0)
    store_little_32(out, offsets, items)
    store_little_32(out, inner, total)
    for row in range(count):
        source = row * stride + place
        position = load_little_32(rows, source)
        for _ in range(load_little_32(rows, source + 4)):
            length = load_8(text, position + head - 2) << 8 | load_8(text, position + head - 1)
            position += head
            copy(out, at + total, text, position, length)
            position += length
            total += length
            items += 1
            store_little_32(out, inner + 4 * items, total)
        store_little_32(out, offsets + 4 * (row + 1), items)


@packet_kernel
def write_names(rows, stride, count, place, text, offsets, out, at):
    """Names of the texts of all lists behind each other, and where each begins."""
    items = np.int64(0)
    total = np.int64(0)
    store_little_32(out, offsets, total)
    for row in range(count):
        source = row * stride + place
        position = load_little_32(rows, source)
        for _ in range(load_little_32(rows, source + 4)):
            key = load_8(text, position)
            length = NAMES_AT[key + 1] - NAMES_AT[key]
            copy(out, at + total, NAMES_TEXT, NAMES_AT[key], length)
            total += length
            items += 1
            store_little_32(out, offsets + 4 * items, total)
            position += 3 + (load_8(text, position + 1) << 8 | load_8(text, position + 2))


@entry_kernel
def write_columns(rows, stride, count, plan, text, told, out):
    """Write what `measure_columns` measured into `out`."""
    for column in range(len(plan)):
        how = plan[column, HOW]
        place = plan[column, PLACE]
        values = told[column, VALUES]
        offsets = told[column, OFFSETS]
        if how == WORDS:
            write_text(rows, stride, count, place, text, offsets, out, values)
        elif how >= LIST:
            head = 3 if how == NAMED else 2
            write_items(rows, stride, count, place, text, head, offsets, told[column, INNER], out, values)
            if how == NAMED:
                names, keys = told[column, KEY_OFFSETS], told[column, KEYS]
                write_names(rows, stride, count, place, text, names, out, keys)
        elif how == PAIR:
            write_addresses(rows, stride, count, place, out, values)
        elif how == BIT:
            write_bits(rows, stride, count, place, 1, 1, out, values)
        else:
            write_integers(rows, stride, count, how, place, out, values)
        if plan[column, NULLABLE] != 0:
            sentinel = plan[column, SENTINEL]
            nulls = write_bits(rows, stride, count, place, sentinel, 0, out, told[column, VALID])
            told[column, NULLS] = nulls
            if nulls > 0 and how != BIT:
                blank_unknown(rows, stride, count, how, place, sentinel, out, values)


def _column(field: Field, count: int, told: list[int], block: pa.Buffer, words: dict) -> pa.Array:
    values = block.slice(told[VALUES], told[VALUE_BYTES])
    if field.type == TEXT:
        return pa.Array.from_buffers(
            TEXT, count, [None, block.slice(told[OFFSETS], 4 * (count + 1)), values], 0
        )
    if field.type in (TEXTS, ADDRESSES) or field.type == ATTRIBUTES:
        items = told[ITEMS]
        if field.type == ADDRESSES:
            inner = pa.Array.from_buffers(ADDRESS, items, [None, values], 0)
        else:
            ends = block.slice(told[INNER], 4 * (items + 1))
            inner = pa.Array.from_buffers(TEXT, items, [None, ends, values], 0)
        lists = block.slice(told[OFFSETS], 4 * (count + 1))
        starts = pa.Array.from_buffers(pa.int32(), count + 1, [None, lists], 0)
        if field.type == ATTRIBUTES:
            ends = block.slice(told[KEY_OFFSETS], 4 * (items + 1))
            keys = block.slice(told[KEYS], told[KEY_BYTES])
            names = pa.Array.from_buffers(TEXT, items, [None, ends, keys], 0)
            return pa.MapArray.from_arrays(starts, names, inner)
        return pa.ListArray.from_arrays(starts, inner)
    if field.type == KIND:
        codes = pa.Array.from_buffers(pa.uint8(), count, [None, values], 0)
        return pa.DictionaryArray.from_arrays(codes, _dictionary(words.get(field.name, field.words)))
    nulls = told[NULLS]
    valid = block.slice(told[VALID], (count + 7) >> 3) if nulls else None
    return pa.Array.from_buffers(field.type, count, [valid, values], nulls)


@cache
def _dictionary(words: tuple[str, ...]) -> pa.Array:
    # `pa.array` of a sequence would import pandas where that is installed, which takes longer than a capture.
    texts = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    return pa.Array.from_buffers(
        TEXT, len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))], 0
    )


def batch_of(
    kind: str, rows: np.ndarray, text: np.ndarray, words: dict[str, tuple[str, ...]] | None = None
) -> pa.RecordBatch:
    """One Arrow record batch of `rows` (records of `row_dtype(kind)`) whose text stands in `text`.

    `words` replaces the dictionary of open `KIND` columns such as `sensor`.
    """
    plan, count = _plan(kind), len(rows)
    told = np.zeros((len(plan), TOLD), np.int64)
    octets = np.asarray(rows).view(np.uint8)
    stride = rows.dtype.itemsize
    out = np.empty(measure_columns(octets, stride, count, plan, text, told), np.uint8)
    write_columns(octets, stride, count, plan, text, told, out)
    block = pa.py_buffer(out)
    columns = [
        _column(field, count, column, block, words or {})
        for field, column in zip(RECORDS[kind], told.tolist(), strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[kind])
