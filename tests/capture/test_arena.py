"""Records and text become Arrow columns: every type, nulls, empty and many."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.arena import ATTRIBUTE_NAMES, UNKNOWN, batch_of, new_rows, row_dtype
from pipeline.records import RECORDS, SCHEMAS, address_bytes, json_rows


class Arena:
    """Text behind each other."""

    def __init__(self) -> None:
        self.data = bytearray()

    def put(self, text: bytes) -> tuple[int, int]:
        at = len(self.data)
        self.data += text
        return at, len(text)

    def batch(
        self, kind: str, rows: np.recarray, words: dict[str, tuple[str, ...]] | None = None
    ) -> pa.RecordBatch:
        text = np.frombuffer(bytes(self.data) + b"\0", np.uint8).copy()
        made = batch_of(kind, rows, text, words)
        made.validate(full=True)
        return made


@pytest.mark.parametrize("kind", list(RECORDS))
@pytest.mark.parametrize("count", [0, 1, 2, 1_000])
def test_zeroed_rows_are_a_sound_batch(kind: str, count: int) -> None:
    """Any number of empty records is a batch of the contract's schema."""
    batch = Arena().batch(kind, new_rows(kind, count), {"sensor": ("gate",)})
    assert (batch.num_rows, batch.schema) == (count, SCHEMAS[kind])


@pytest.mark.parametrize("kind", list(RECORDS))
def test_every_field_has_its_place(kind: str) -> None:
    """A record has one member, or two for text, lists and addresses, per field of the contract."""
    members = row_dtype(kind).names or ()
    for field in RECORDS[kind]:
        assert [m for m in members if m == field.name or m.startswith(f"{field.name}_")]


@pytest.mark.parametrize("kind", list(RECORDS))
def test_unknown_is_null_and_zero_is_zero(kind: str) -> None:
    """Nullable numbers are null where a kernel wrote "unknown", and only there."""
    rows = new_rows(kind, 2)
    nullable = [field.name for field in RECORDS[kind] if field.nullable]
    special = {"reset_ttl_delta": -32_768, "clock_offset_us": -(2**63)}
    for name in nullable:
        rows[name] = [special.get(name, UNKNOWN), 0]
    batch = Arena().batch(kind, rows, {"sensor": ("gate",)})
    for name in nullable:
        unknown, zero = batch.column(name).to_pylist()
        assert unknown is None, name
        assert zero == 0, name


def test_negative_differences_are_told() -> None:
    """A TTL difference of -1 is a number, not unknown."""
    rows = new_rows("flows", 1)
    rows.reset_ttl_delta = -1
    batch = Arena().batch("flows", rows, {"sensor": ("gate",)})
    assert batch.column("reset_ttl_delta").to_pylist() == [-1]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.text(max_size=20), st.lists(st.text(max_size=9), max_size=4), st.integers(0, 4)),
        max_size=9,
    )
)
def test_dns_rows(made: list[tuple[str, list[str], int]]) -> None:
    """Names, lists of names and lists of addresses come back as they were put."""
    rows = new_rows("dns", len(made))
    arena = Arena()
    address = address_bytes("192.0.2.1")
    for row, (name, answers, count) in zip(rows, made, strict=True):
        row.qname_at, row.qname_len = arena.put(name.encode())
        row.answers_at, row.answers_count = len(arena.data), len(answers)
        for answer in answers:
            arena.put(len(answer.encode()).to_bytes(2, "big") + answer.encode())
        row.addresses_at, row.addresses_count = len(arena.data), count
        for _ in range(count):
            arena.put(b"\0\x10" + address)
    told = json_rows("dns", arena.batch("dns", rows))
    assert [(row["qname"], row["answers"], row["addresses"]) for row in told] == [
        (name, answers, ["192.0.2.1"] * count) for name, answers, count in made
    ]


def test_sighting_rows() -> None:
    """Attributes come back under their names, MACs and addresses in their forms."""
    rows = new_rows("sightings", 3)
    arena = Arena()
    for row, facts in zip(rows, ([("op", "reply")], [], [("type", "offer"), ("lease", "3600")]), strict=True):
        row.attributes_at, row.attributes_count = len(arena.data), len(facts)
        row.mac = 0x0200000000AA
        row.ip_lo = 5
        for name, text in facts:
            arena.put(bytes([ATTRIBUTE_NAMES.index(name), 0, len(text)]) + text.encode())
    told = json_rows("sightings", arena.batch("sightings", rows))
    assert [row["attributes"] for row in told] == [{"op": "reply"}, {}, {"type": "offer", "lease": "3600"}]
    assert {(row["mac"], row["ip"]) for row in told} == {("02:00:00:00:00:aa", "::5")}


def test_the_batch_outlives_the_rows() -> None:
    """Rows and text may be written anew once the batch is made."""
    rows, arena = new_rows("dns", 2), Arena()
    for row in rows:
        row.qname_at, row.qname_len = arena.put(b"before.example")
    text = np.frombuffer(bytes(arena.data), np.uint8).copy()
    batch = batch_of("dns", rows, text)
    rows["id"] = 9
    text[:] = 0
    assert batch.column("qname").to_pylist() == ["before.example"] * 2
    assert batch.column("id").to_pylist() == [0, 0]


def test_times_do_not_follow_the_rows() -> None:
    """Columns of a single row, which are contiguous in the records, are copies as well."""
    rows = new_rows("dns", 1)
    rows.ts, rows.transport = 5, 1
    batch = Arena().batch("dns", rows)
    rows.ts, rows.transport = 9, 2
    assert batch.column("ts").cast(pa.int64()).to_pylist() == [5]
    assert batch.column("transport").to_pylist() == ["tcp"]
