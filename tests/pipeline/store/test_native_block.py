"""The native protocol's columns, against the current engine's own Native, Arrow and JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_driver.varint import read_varint
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.client import Store
from pipeline.store.native_block import END_OF_GRANULE, arrow_type, decode, encode, parse, plain, write_prefix
from tests.pipeline.batches import batch
from tests.pipeline.stores import FOR_EVER


class Bytes:
    """What the driver's buffers do, over bytes."""

    def __init__(self, data: bytes = b"") -> None:
        self.data, self.position = bytearray(data), 0

    def read(self, size: int) -> bytes:
        got = bytes(self.data[self.position : self.position + size])
        if len(got) < size:
            raise EOFError
        self.position += size
        return got

    def read_one(self) -> int:
        return self.read(1)[0]

    def read_strings(self, count: int) -> tuple[bytes, ...]:
        return tuple(self.read(read_varint(self)) for _ in range(count))

    def write(self, data: bytes) -> None:
        self.data += data

    def write_strings(self, items: list[bytes]) -> None:
        for item in items:
            self.data += varint(len(item)) + item


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def write_block(specs: dict[str, str], table: pa.Table) -> bytes:
    """A block as a file of format Native holds it."""
    out = Bytes(varint(len(specs)) + varint(table.num_rows))
    for name, spec in specs.items():
        out.write_strings([name.encode(), spec.encode()])
        write_prefix(parse(spec), out)
        encode(parse(spec), table[name].combine_chunks(), out)
    return bytes(out.data)


def read_blocks(data: bytes) -> Iterator[dict[str, tuple[str, pa.Array]]]:
    source = Bytes(data)
    while source.position < len(source.data):
        columns, rows = read_varint(source), read_varint(source)
        block = {}
        for _ in range(columns):
            name, spec = (text.decode() for text in source.read_strings(2))
            block[name] = (spec, decode(parse(spec), rows, source))
        yield block


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store("chdb://:memory:/native_block", FOR_EVER) as opened:
        opened.migrate()
        yield opened


def native(store: Store, sql: str, folder: Path) -> dict[str, tuple[str, pa.Array]]:
    file = folder / "out.native"
    store.command(f"INSERT INTO FUNCTION file('{file}', 'Native') {sql}")
    [block] = read_blocks(file.read_bytes())
    return block


EVERY_TYPE = """
SELECT -1::Int8 AS i8, 2::Int16 AS i16, 3::Int32 AS i32, 4::Int64 AS i64, 18446744073709551615 AS u64,
    0.1::Float32 AS f32, 0.1 AS f64, nan AS none, true AS yes, 'a\\0é' AS text,
    toFixedString('ab', 3) AS fixed,
    toDate('2026-01-02') AS day, toDate32('1950-01-02') AS day32,
    toDateTime('2026-01-02 03:04:05', 'UTC') AS second,
    toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC') AS ms,
    toNullable(toDateTime64('1999-01-02 03:04:05.678901', 6, 'UTC')) AS us,
    fromUnixTimestamp64Micro(-1, 'UTC') AS before, toIPv4('1.2.3.4') AS four, toIPv6('2001:db8::1') AS six,
    CAST('b', 'Enum8(\\'a,(\\' = 1, \\'b\\' = -2)') AS enum, toLowCardinality('x') AS few,
    toLowCardinality(toNullable('x')) AS perhaps, [toLowCardinality(toNullable('x')), NULL] AS several,
    CAST([], 'Array(LowCardinality(String))') AS empty, [map('k', [1, 2])] AS nested, map(1, 'x') AS numbered,
    tuple(1, 'a') AS pair, CAST(tuple(1, 'a'), 'Tuple(x UInt8, `y z` String)') AS named,
    toNullable(5) AS five, CAST(NULL, 'Nullable(IPv6)') AS unknown
"""


def test_every_type_is_read_as_arrow_and_as_json(store: Store, tmp_path: Path) -> None:
    """The same values as the engine's Arrow output, and the same JSON as its JSON output."""
    block = native(store, EVERY_TYPE, tmp_path)
    table, [row] = store.arrow(EVERY_TYPE), store.rows(EVERY_TYPE)
    assert list(block) == table.schema.names
    for name, (spec, values) in block.items():
        assert repr(values.to_pylist()) == repr(table[name].to_pylist()), name
        assert values.type == arrow_type(parse(spec))
        assert json.dumps(plain(parse(spec), values)) == json.dumps([row[name]]), name


@pytest.mark.parametrize("us", [2**62, -(2**62), 0, 253_402_300_800_000_000])
def test_times_past_all_years_are_read(store: Store, tmp_path: Path, us: int) -> None:
    """Microseconds that no calendar holds are the same numbers, and printed as the engine prints them."""
    sql = f"SELECT fromUnixTimestamp64Micro({us}::Int64, 'UTC') AS t"
    spec, values = native(store, sql, tmp_path)["t"]
    assert values.view(pa.int64()).to_pylist() == [us]
    assert plain(parse(spec), values) == [store.rows(sql)[0]["t"]]


@pytest.mark.parametrize("records", ["flows", "dns", "sightings", "health"])
def test_every_kind_of_record_is_written(store: Store, tmp_path: Path, records: str) -> None:
    """A batch, written as a block, is read by the engine as the rows that were meant."""
    made = pa.Table.from_batches([batch(records, 300)])
    found = store.rows(f"DESCRIBE TABLE {records}")
    specs = {row["name"]: row["type"] for row in found if row["name"] in made.schema.names}
    (tmp_path / "in.native").write_bytes(write_block(specs, made))
    got = store.arrow(f"SELECT * FROM file('{tmp_path / 'in.native'}', 'Native')")
    for name in specs:
        assert got[name].to_pylist() == made[name].to_pylist(), name


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "UInt8": st.integers(0, 255),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Bool": st.booleans(),
    "String": st.text(max_size=9).map(lambda text: text.encode("utf-8", "replace").decode()),
    "IPv6": st.binary(min_size=16, max_size=16),
    "FixedString(3)": st.binary(min_size=3, max_size=3),
    "DateTime": st.integers(0, 2**32 - 1),
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A type of any depth, and values of it."""
    spec = draw(st.sampled_from(list(VALUES)))
    values = VALUES[spec]
    if spec in ("String", "UInt8") and draw(st.booleans()):
        if draw(st.booleans()):
            spec, values = f"Nullable({spec})", st.none() | values
        spec = f"LowCardinality({spec})"
    elif draw(st.booleans()):
        spec, values = f"Nullable({spec})", st.none() | values
    for _ in range(draw(st.integers(0, 2))):
        if draw(st.booleans()):
            spec, values = f"Array({spec})", st.lists(values, max_size=4)
        else:
            spec = f"Map(String, {spec})"
            values = st.lists(st.tuples(VALUES["String"], values), max_size=3)
    return spec, draw(st.lists(values, max_size=12))


@settings(max_examples=150, deadline=None)
@given(columns(), st.integers(0, 3))
def test_what_is_written_is_read(column: tuple[str, list[Any]], start: int) -> None:
    """Any column comes back as it was, also a slice of one; cut anywhere, it is an error and no answer."""
    spec, values = column
    array = pa.array(values, arrow_type(parse(spec)))[start:]
    out = Bytes()
    write_prefix(parse(spec), out)
    encode(parse(spec), array, out)
    data = bytes(out.data)
    assert decode(parse(spec), len(array), Bytes(data)).to_pylist() == array.to_pylist()
    if len(array):
        with pytest.raises(EOFError):
            decode(parse(spec), len(array), Bytes(data[:-1]))


def test_null_without_a_place_is_the_default() -> None:
    """As in the engine's Arrow input: zero, empty text, the address of zeros, an empty list."""
    for spec, default in (
        ("UInt8", 0),
        ("String", ""),
        ("IPv6", bytes(16)),
        ("Array(UInt8)", []),
        ("Bool", False),
    ):
        out = Bytes()
        encode(parse(spec), pa.array([None], arrow_type(parse(spec))), out)
        assert decode(parse(spec), 1, Bytes(bytes(out.data))).to_pylist() == [default]


def test_more_than_256_words_need_wider_keys() -> None:
    """A dictionary's keys are as wide as it is long."""
    for count in (255, 256, 257, 70_000):
        array = pa.array([str(number) for number in range(count)])
        out = Bytes()
        encode(parse("LowCardinality(Nullable(String))"), array, out)
        got = decode(parse("LowCardinality(Nullable(String))"), count, Bytes(bytes(8) + bytes(out.data)))
        assert got.equals(array)


def test_sparse_columns_are_read() -> None:
    """A column of which only some values are sent: gaps first, then the values (newer servers do that)."""
    gaps = varint(2) + varint(0) + varint(1 | END_OF_GRANULE)
    data = varint(1) + gaps + bytes([7, 9])
    assert decode(parse("UInt8"), 5, Bytes(data), custom=True).to_pylist() == [0, 0, 7, 9, 0]
    assert decode(parse("UInt8"), 2, Bytes(varint(0) + bytes([7, 9])), custom=True).to_pylist() == [7, 9]
    with pytest.raises(ValueError, match="in a way not known here"):
        decode(parse("Tuple(UInt8)"), 2, Bytes(data), custom=True)


def test_what_does_not_fit_is_refused() -> None:
    """A number that is too large, or a type that is not known, is an error with its name."""
    with pytest.raises(pa.ArrowInvalid, match="300"):
        encode(parse("UInt8"), pa.array([300]), Bytes())
    with pytest.raises(ValueError, match="type AggregateFunction don't come over the native port"):
        arrow_type(parse("AggregateFunction(sum, UInt8)"))
    with pytest.raises(ValueError, match="has no end"):
        parse("Array(UInt8")
