"""Batches of every kind of record for the tests of log, store and worker, from a seed."""

import random

import pyarrow as pa

from pipeline.records import (
    ADDRESS,
    ADDRESSES,
    ATTRIBUTES,
    KIND,
    RECORDS,
    SCHEMAS,
    TEXT,
    TEXTS,
    TIME,
    Field,
    address_bytes,
)
from pipeline.stream.message import Message, encode

#: 2026-03-02 08:00 UTC, the start of a school day.
MORNING_US = 1_772_438_400_000_000
MINUTE_US = 60_000_000


def batch(records: str, rows: int, seed: int = 0, start_us: int = MORNING_US) -> pa.RecordBatch:
    """A batch whose values vary with `seed`, event times within a minute of `start_us`."""
    chance = random.Random(f"{records}/{seed}")
    columns = [_column(field, rows, chance, start_us) for field in RECORDS[records]]
    if records == "flows" and rows:
        names = SCHEMAS["flows"].names
        start = columns[names.index("start")]
        last = [us + chance.randrange(MINUTE_US) for us in start.cast(pa.int64()).to_pylist()]
        columns[names.index("end")] = pa.array(last, TIME)
        columns[names.index("first")] = start
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[records])


def message(
    records: str,
    rows: int,
    sequence: int,
    *,
    sensor: str = "gate",
    boot: str = "b1",
    start_us: int = MORNING_US,
) -> Message:
    """The message of `batch(records, rows, sequence)`."""
    made = batch(records, rows, sequence, start_us)
    return encode(records, made, sensor=sensor, boot=boot, sequence=sequence)


def _column(field: Field, rows: int, chance: random.Random, start_us: int) -> pa.Array:
    def unknown_or(value: object) -> object:
        return None if field.nullable and chance.random() < 0.2 else value

    if field.type == TIME:
        return pa.array([start_us + chance.randrange(MINUTE_US) for _ in range(rows)], TIME)
    if field.type == ADDRESS:
        hosts = [address_bytes(f"10.1.{chance.randrange(4)}.{chance.randrange(250)}") for _ in range(rows)]
        return pa.array(hosts, ADDRESS)
    if field.type == KIND:
        words = field.words or ("gate",)
        return pa.array([chance.choice(words) for _ in range(rows)], TEXT).dictionary_encode().cast(KIND)
    if field.type == TEXT:
        return pa.array([f"n{chance.randrange(500)}.example" for _ in range(rows)], TEXT)
    if field.type == TEXTS:
        return pa.array([["a.example"] * chance.randrange(3) for _ in range(rows)], TEXTS)
    if field.type == ADDRESSES:
        return pa.array([[address_bytes("192.0.2.1")] * chance.randrange(3) for _ in range(rows)], ADDRESSES)
    if field.type == ATTRIBUTES:
        return pa.array([[("lease", str(chance.randrange(9)))] for _ in range(rows)], ATTRIBUTES)
    if field.type == pa.bool_():
        return pa.array([unknown_or(chance.random() < 0.5) for _ in range(rows)], pa.bool_())
    most = min(100_000, 2 ** (field.type.bit_width - 1) - 1)
    return pa.array([unknown_or(chance.randrange(most)) for _ in range(rows)], field.type)
