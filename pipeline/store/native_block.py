"""Columns of ClickHouse's native protocol ⇄ Arrow arrays.

A block's column is an optional prefix and then its values, little-endian (ClickHouse, "Native format" and
`ISerialization::serializeBinaryBulk…`). Arrow's types are those that ClickHouse's own Arrow output has: IPv6
16 bytes, DateTime uint32, DateTime64 timestamps, LowCardinality its inner type.
"""

import re
import socket
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_driver.varint import read_varint

#: NumPy's type of what is on the wire, and Arrow's of what comes out.
NUMBERS: dict[str, tuple[Any, pa.DataType]] = {
    **{f"{sign}Int{bits}": (np.dtype(f"<{code}{bits // 8}"), pa.type_for_alias(f"{sign.lower()}int{bits}"))
       for sign, code in (("", "i"), ("U", "u")) for bits in (8, 16, 32, 64)},
    "Float32": (np.dtype("<f4"), pa.float32()), "Float64": (np.dtype("<f8"), pa.float64()),
    "Bool": (np.dtype("u1"), pa.bool_()), "Date": (np.dtype("<u2"), pa.date32()),
    "Date32": (np.dtype("<i4"), pa.date32()), "DateTime": (np.dtype("<u4"), pa.uint32()),
    "IPv4": (np.dtype("<u4"), pa.uint32()), "Enum8": (np.dtype("i1"), pa.int8()),
    "Enum16": (np.dtype("<i2"), pa.int16()),
}  # fmt: skip
UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}
#: LowCardinality: the block brings its own dictionary, which replaces an earlier one; the lowest byte is the
#: width of the keys.
DICTIONARY = 1 << 9 | 1 << 10
KEYS: list[Any] = [np.dtype("u1"), np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8")]
#: Sparse columns: this bit ends the list of gaps.
END_OF_GRANULE = 1 << 62
#: The years that ClickHouse prints, in seconds.
FIRST_S, LAST_S = -62_167_219_200, 253_402_300_799


class Source(Protocol):
    def read(self, size: int) -> bytes: ...
    def read_strings(self, count: int) -> Any: ...


class Sink(Protocol):
    def write(self, data: bytes) -> Any: ...
    def write_strings(self, items: list[bytes]) -> Any: ...


class Type(NamedTuple):
    """A column's type: `Map(String, UInt8)` is Map of two types; what is no type stays text."""

    name: str
    of: tuple["Type", ...] = ()
    words: tuple[str, ...] = ()
    """The arguments as they were written."""


def parse(spec: str) -> Type:
    """Raises ValueError where parentheses don't match."""
    name, bracket, rest = spec.strip().partition("(")
    if not bracket:
        return Type(name)
    if not rest.endswith(")"):
        raise ValueError(f"the type {spec!r} of a column has no end")
    words, depth, quoted, start = [], 0, False, 0
    inside = rest[:-1]
    for position, char in enumerate(inside):
        if char == "'" and inside[position - 1 : position] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (char == "(") - (char == ")")
            if char == "," and not depth:
                words.append(inside[start:position].strip())
                start = position + 1
    words.append(inside[start:].strip())
    if name == "SimpleAggregateFunction":
        return parse(words[-1])
    if name not in ("Nullable", "LowCardinality", "Array", "Map", "Tuple"):
        return Type(name, words=tuple(words))
    if name == "Tuple":
        bare = [re.sub(r"^(`[^`]*`|\w+) (?=\w)", "", word) for word in words]
        return Type(name, tuple(map(parse, bare)), tuple(words))
    return Type(name, tuple(map(parse, words)))


def _field_names(kind: Type) -> list[str]:
    found = [re.match(r"(?:`([^`]*)`|(\w+)) (?=\w)", word) for word in kind.words]
    return [(match[1] or match[2]) if match else str(n) for n, match in enumerate(found, 1)]


def arrow_type(kind: Type) -> pa.DataType:
    """Raises ValueError for a type that isn't read or written here."""
    if kind.name in NUMBERS:
        return NUMBERS[kind.name][1]
    match kind.name:
        case "DateTime64":
            if int(kind.words[0]) in UNITS:
                return pa.timestamp(
                    UNITS[int(kind.words[0])], kind.words[1][1:-1] if kind.words[1:] else "UTC"
                )
        case "String":
            return pa.string()
        case "FixedString":
            return pa.binary(int(kind.words[0]))
        case "IPv6":
            return pa.binary(16)
        case "Nullable" | "LowCardinality":
            return arrow_type(kind.of[0])
        case "Array":
            return pa.list_(arrow_type(kind.of[0]))
        case "Map":
            return pa.map_(arrow_type(kind.of[0]), arrow_type(kind.of[1]))
        case "Tuple":
            names = _field_names(kind)
            return pa.struct([(name, arrow_type(of)) for name, of in zip(names, kind.of, strict=True)])
        case "Nothing":
            return pa.null()
    raise ValueError(f"columns of type {kind.name} don't come over the native port; cast it in the query")


def decode(kind: Type, rows: int, source: Source, custom: bool = False) -> pa.Array:
    """A column of a block. `custom`: the block says that the column has a serialization of its own.

    Raises ValueError for types and serializations that aren't known here.
    """
    if custom and (way := read_varint(source)):
        if way != 1 or kind.name in ("Tuple", "Nullable"):
            raise ValueError(f"the server sends a column of type {kind.name} in a way not known here")
        return _decode_sparse(kind, rows, source)
    _read_prefix(kind, source)
    return _decode(kind, rows, source)


def _decode_sparse(kind: Type, rows: int, source: Source) -> pa.Array:
    """Only the values that are no default, after the gaps between them."""
    index = np.zeros(rows, np.int64)
    position = found = 0
    while True:
        gap = read_varint(source)
        position += gap & ~END_OF_GRANULE
        if gap & END_OF_GRANULE:
            break
        found += 1
        index[position] = found
        position += 1
    _read_prefix(kind, source)
    values = _decode(kind, found, source)
    return pa.concat_arrays([_defaults(values.type, 1), values]).take(pa.array(index))


def _defaults(type_: pa.DataType, rows: int) -> pa.Array:
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return pa.array([b""] * rows, pa.binary()).cast(type_)
    if pa.types.is_fixed_size_binary(type_):
        return pa.array([bytes(type_.byte_width)] * rows, type_)
    if pa.types.is_list(type_) or pa.types.is_map(type_):
        return pa.array([[]] * rows, type_)
    return (
        pa.array(np.zeros(rows, np.int64))
        .cast(pa.int32() if pa.types.is_date32(type_) else pa.int64())
        .cast(type_)
    )


def _read_prefix(kind: Type, source: Source) -> None:
    if kind.name == "LowCardinality":
        source.read(8)
        return
    for of in kind.of:
        _read_prefix(of, source)


def _numbers(dtype: Any, rows: int, source: Source) -> Any:
    return np.frombuffer(source.read(rows * dtype.itemsize), dtype)


def _decode(kind: Type, rows: int, source: Source) -> pa.Array:
    type_ = arrow_type(kind)
    if kind.name in NUMBERS:
        numbers = _numbers(NUMBERS[kind.name][0], rows, source)
        if kind.name == "Date":
            numbers = numbers.astype(np.int32)
        return pa.array(numbers != 0 if kind.name == "Bool" else numbers).cast(type_)
    match kind.name:
        case "DateTime64":
            return pa.array(_numbers(np.dtype("<i8"), rows, source)).view(type_)
        case "String":
            return pa.array(list(source.read_strings(rows)), pa.binary()).view(type_)
        case "FixedString" | "IPv6":
            data = source.read(rows * type_.byte_width)
            return pa.Array.from_buffers(type_, rows, [None, pa.py_buffer(bytes(data))])
        case "Nullable":
            absent = _numbers(np.dtype("u1"), rows, source) != 0
            return _without(_decode(kind.of[0], rows, source), absent)
        case "LowCardinality":
            return _decode_dictionary(kind.of[0], rows, source)
        case "Array":
            offsets = _offsets(rows, source)
            return pa.ListArray.from_arrays(offsets, _decode(kind.of[0], offsets[-1].as_py(), source))
        case "Map":
            offsets = _offsets(rows, source)
            keys, items = (_decode(of, offsets[-1].as_py(), source) for of in kind.of)
            return pa.MapArray.from_arrays(offsets, keys, items)
        case "Tuple":
            columns = [_decode(of, rows, source) for of in kind.of]
            return pa.StructArray.from_arrays(columns, _field_names(kind))
        case _:
            source.read(rows)
            return pa.nulls(rows)


def _offsets(rows: int, source: Source) -> pa.Array:
    ends = _numbers(np.dtype("<u8"), rows, source)
    return pa.array(np.concatenate([[0], ends]).astype(np.int32))


def _without(values: pa.Array, absent: Any) -> pa.Array:
    if pa.types.is_null(values.type) or not len(values):
        return values
    there = pa.py_buffer(np.packbits(~absent, bitorder="little").tobytes())
    return pa.Array.from_buffers(values.type, len(values), [there, *values.buffers()[1:]])


def _decode_dictionary(kind: Type, rows: int, source: Source) -> pa.Array:
    if not rows:
        return pa.array([], arrow_type(kind))
    [flags] = _numbers(np.dtype("<u8"), 1, source)
    [size] = _numbers(np.dtype("<u8"), 1, source)
    nullable = kind.name == "Nullable"
    values = _decode(kind.of[0] if nullable else kind, int(size), source)
    source.read(8)
    keys = _numbers(KEYS[int(flags) & 0xF], rows, source)
    return values.take(pa.array(keys.astype(np.int64), mask=keys == 0 if nullable else None))


def write_prefix(kind: Type, sink: Sink) -> None:
    """What precedes a column's values."""
    if kind.name == "LowCardinality":
        sink.write((1).to_bytes(8, "little"))
        return
    for of in kind.of:
        write_prefix(of, sink)


def encode(kind: Type, values: pa.Array, sink: Sink) -> None:
    """A column's values; null where the column has none is its default, as in ClickHouse's Arrow input.

    Raises ValueError where they don't fit the type.
    """
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    if kind.name == "Nullable":
        sink.write(values.is_null().to_numpy(zero_copy_only=False).astype("u1").tobytes())
        encode(kind.of[0], values, sink)
    elif kind.name == "LowCardinality":
        _encode_dictionary(kind.of[0], values, sink)
    elif kind.name in ("Array", "Map"):
        _encode_lists(kind, values, sink)
    elif kind.name == "Tuple":
        for of, column in zip(kind.of, values.flatten(), strict=True):
            encode(of, column, sink)
    else:
        _encode_flat(kind, _full(_fitted(values, arrow_type(kind))), sink)


def _fitted(values: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_string(type_):
        return values.view(pa.binary()) if values.type == type_ else values.cast(pa.binary())
    if pa.types.is_timestamp(values.type):
        if pa.types.is_timestamp(type_):
            return values.cast(type_, safe=False)
        if pa.types.is_uint32(type_):
            return values.cast(pa.timestamp("s", values.type.tz), safe=False).view(pa.int64()).cast(type_)
    return values.cast(type_)


def _full(values: pa.Array) -> pa.Array:
    return pc.coalesce(values, _defaults(values.type, 1)[0]) if values.null_count else values


def _encode_flat(kind: Type, values: pa.Array, sink: Sink) -> None:
    if kind.name == "String":
        sink.write_strings(values.to_pylist())
    elif pa.types.is_fixed_size_binary(values.type):
        width = values.type.byte_width
        data = memoryview(values.buffers()[1]) if len(values) else b""
        sink.write(bytes(data[values.offset * width : (values.offset + len(values)) * width]))
    else:
        dtype = np.dtype("<i8") if kind.name == "DateTime64" else NUMBERS[kind.name][0]
        if kind.name == "DateTime64":
            values = values.view(pa.int64())
        elif pa.types.is_date32(values.type):
            values = values.view(pa.int32())
        sink.write(values.to_numpy(zero_copy_only=False).astype(dtype).tobytes())


def _encode_lists(kind: Type, values: pa.Array, sink: Sink) -> None:
    if values.null_count:
        values = pa.array([value or [] for value in values.to_pylist()], values.type)
    offsets = values.offsets.to_numpy().astype(np.int64)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
    sink.write((offsets[1:] - first).astype("<u8").tobytes())
    parts = (values.keys, values.items) if kind.name == "Map" else (values.values,)
    for of, part in zip(kind.of, parts, strict=True):
        encode(of, part.slice(first, last - first), sink)


def _encode_dictionary(kind: Type, values: pa.Array, sink: Sink) -> None:
    if not len(values):
        return
    nullable = kind.name == "Nullable"
    fitted = _fitted(values, arrow_type(kind))
    coded = (fitted if nullable else _full(fitted)).dictionary_encode()
    index = coded.dictionary
    keys = coded.indices.to_numpy(zero_copy_only=False)
    if nullable:
        index = pa.concat_arrays([_defaults(index.type, 1), index])
        keys = np.where(np.isnan(keys), -1, keys) + 1
    width = next(code for code, dtype in enumerate(KEYS) if len(index) <= 256**dtype.itemsize)
    sink.write((DICTIONARY | width).to_bytes(8, "little") + len(index).to_bytes(8, "little"))
    _encode_flat(kind.of[0] if nullable else kind, index, sink)
    sink.write(len(keys).to_bytes(8, "little") + keys.astype(KEYS[width]).tobytes())


def plain(kind: Type, values: pa.Array) -> list[Any]:
    """The column ready for JSON, as ClickHouse's JSON output writes it; text that is no UTF-8 with U+FFFD."""
    match kind.name:
        case "Nullable" | "LowCardinality":
            return plain(kind.of[0], values)
        case "String" | "FixedString":
            raw = values.cast(pa.binary()) if kind.name == "FixedString" else values.view(pa.binary())
            return [None if text is None else text.decode("utf-8", "replace") for text in raw.to_pylist()]
        case "IPv6":
            return [
                None if ip is None else socket.inet_ntop(socket.AF_INET6, ip) for ip in values.to_pylist()
            ]
        case "IPv4":
            return [
                None if ip is None else socket.inet_ntoa(ip.to_bytes(4, "big")) for ip in values.to_pylist()
            ]
        case "Float32" | "Float64":
            numbers = values.to_pylist()
            finite = [x if x is not None and np.isfinite(x) else None for x in numbers]
            return [
                float(str(np.float32(x))) if x is not None and kind.name == "Float32" else x for x in finite
            ]
        case "DateTime" | "DateTime64":
            return _times(kind, values)
        case "Date" | "Date32":
            return [None if day is None else day.isoformat() for day in values.to_pylist()]
        case "Enum8" | "Enum16":
            names = dict(re.findall(r"(-?\d+)='((?:[^'\\]|\\.)*)'", _enumerated(kind)))
            return [None if n is None else names[str(n)] for n in values.to_pylist()]
        case "Array":
            inner = plain(kind.of[0], values.values)
            return [inner[start:end] for start, end in _ranges(values)]
        case "Map":
            keys, items = plain(kind.of[0], values.keys), plain(kind.of[1], values.items)
            pairs = [(str(key), item) for key, item in zip(keys, items, strict=True)]
            return [dict(pairs[start:end]) for start, end in _ranges(values)]
        case "Tuple":
            rows = zip(*map(plain, kind.of, values.flatten()), strict=True)
            fields = _field_names(kind)
            named = fields[0] != "1"
            return [dict(zip(fields, row, strict=True)) if named else list(row) for row in rows]
        case _:
            return values.to_pylist()


def _enumerated(kind: Type) -> str:
    return " ".join(re.sub(r"^('.*') = (-?\d+)$", r"\2=\1", word) for word in kind.words)


def _ranges(values: pa.Array) -> list[tuple[int, int]]:
    return list(pairwise(values.offsets.to_pylist()))


def _times(kind: Type, values: pa.Array) -> list[Any]:
    """RFC 3339 with the type's digits; years past 0000 and 9999 at those, as ClickHouse prints them."""
    digits = int(kind.words[0]) if kind.name == "DateTime64" else 0
    ticks = pc.fill_null(values.view(pa.int64()) if digits else values.cast(pa.int64()), 0).to_numpy()
    seconds = np.clip(ticks // 10**digits, FIRST_S, LAST_S).astype("M8[s]")
    texts = np.datetime_as_string(seconds)
    parts = ticks % 10**digits
    there = values.is_valid().to_pylist()
    return [
        (f"{text}.{part:0{digits}d}Z" if digits else f"{text}Z") if valid else None
        for text, part, valid in zip(texts, parts, there, strict=True)
    ]
