"""Growing Arrow columns: rows as NumPy records, their text in one byte arena, no Python object a row.

A kernel writes the next record of a kind and appends text behind `text_used`; `Columns.take`
turns what stands there into one Arrow record batch. The record layout is derived from
`pipeline.records`, so a field exists once.
"""

import numpy as np
import pyarrow as pa

from pipeline.kernels import entry_kernel
from pipeline.records import ADDRESS, ADDRESSES, ATTRIBUTES, KIND, RECORDS, SCHEMAS, TEXT, TEXTS, TIME, Field
from pipeline.words import copy

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


@entry_kernel
def gather_text(at, length, count, text, offsets, out):
    """Copy `count` texts behind each other; `offsets` int32[count + 1] is filled."""
    total = 0
    offsets[0] = 0
    for i in range(count):
        a = at[i]
        n = length[i]
        if n > 0:
            copy(out, total, text, a, n)
        total += n
        offsets[i + 1] = total
    return total


@entry_kernel
def gather_items(at, items, count, text, head, offsets, item_offsets, keys, out):
    """Unpack lists of `[key][length, 2 bytes][text]` (`head` 3) or `[length][text]` (`head` 2).

    Returns (items, bytes) written to `item_offsets`/`keys` and `out`.
    """
    n = 0
    total = 0
    offsets[0] = 0
    item_offsets[0] = 0
    for i in range(count):
        position = at[i]
        for _ in range(items[i]):
            if head == 3:
                keys[n] = text[position]
            length = np.int64(text[position + head - 2]) << 8 | np.int64(text[position + head - 1])
            position += head
            copy(out, total, text, position, length)
            position += length
            total += length
            n += 1
            item_offsets[n] = total
        offsets[i + 1] = n
    return n, total


def _buffer(values: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.ascontiguousarray(values))


def _addresses(high: np.ndarray, low: np.ndarray) -> pa.Array:
    packed = np.empty((len(high), 2), ">i8")
    packed[:, 0] = high
    packed[:, 1] = low
    return pa.Array.from_buffers(ADDRESS, len(high), [None, _buffer(packed)])


def _text(at: np.ndarray, length: np.ndarray, text: np.ndarray) -> pa.Array:
    count = len(at)
    offsets = np.empty(count + 1, np.int32)
    out = np.empty(int(length.sum(dtype=np.int64)), np.uint8)
    gather_text(at, length, count, text, offsets, out)
    return pa.Array.from_buffers(TEXT, count, [None, _buffer(offsets), _buffer(out)])


def _items(at: np.ndarray, items: np.ndarray, text: np.ndarray, used: int, head: int) -> tuple:
    count, total = len(at), int(items.sum(dtype=np.int64))
    offsets = np.empty(count + 1, np.int32)
    item_offsets = np.empty(total + 1, np.int32)
    keys = np.empty(total, np.uint8)
    out = np.empty(used, np.uint8)
    _, size = gather_items(at, items, count, text, head, offsets, item_offsets, keys, out)
    texts = pa.Array.from_buffers(TEXT, total, [None, _buffer(item_offsets), _buffer(out[:size])])
    return offsets, keys, texts


def _column(field: Field, rows: np.ndarray, text: np.ndarray, used: int, words: dict) -> pa.Array:
    name, count = field.name, len(rows)
    if field.type == ADDRESS:
        return _addresses(rows[f"{name}_hi"], rows[f"{name}_lo"])
    if field.type == TEXT:
        return _text(rows[f"{name}_at"], rows[f"{name}_len"], text)
    if field.type == TEXTS:
        offsets, _, texts = _items(rows[f"{name}_at"], rows[f"{name}_count"], text, used, 2)
        return pa.ListArray.from_arrays(pa.array(offsets), texts)
    if field.type == ATTRIBUTES:
        offsets, keys, texts = _items(rows[f"{name}_at"], rows[f"{name}_count"], text, used, 3)
        names = pa.array(ATTRIBUTE_NAMES).take(pa.array(keys))
        return pa.MapArray.from_arrays(pa.array(offsets), names, texts)
    if field.type == ADDRESSES:
        offsets, _, texts = _items(rows[f"{name}_at"], rows[f"{name}_count"], text, used, 2)
        packed = pa.Array.from_buffers(ADDRESS, len(texts), [None, texts.buffers()[2]])
        return pa.ListArray.from_arrays(pa.array(offsets), packed)
    if field.type == KIND:
        codes = pa.array(rows[name].copy())
        return pa.DictionaryArray.from_arrays(codes, pa.array(words.get(name, field.words), TEXT))
    # A copy always: the column of a single row is contiguous where it stands.
    values = rows[name].copy()
    mask = values == SENTINELS.get(name, UNKNOWN) if field.nullable else None
    if field.type == TIME:
        return pa.Array.from_buffers(TIME, count, [None, _buffer(values)])
    if field.type == pa.bool_():
        return pa.array(values == 1, mask=mask)
    if mask is not None:
        values = np.where(mask, 0, values)
    return pa.array(values.astype(field.type.to_pandas_dtype()), mask=mask)


def batch_of(
    kind: str, rows: np.ndarray, text: np.ndarray, used: int, words: dict | None = None
) -> pa.RecordBatch:
    """One Arrow record batch of `rows` (records of `row_dtype(kind)`) whose text stands in `text[:used]`.

    `words` replaces the dictionary of open `KIND` columns such as `sensor`.
    """
    columns = [_column(field, rows, text, used, words or {}) for field in RECORDS[kind]]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[kind])
