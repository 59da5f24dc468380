"""Columns of flows that are kept as distances from others: what comes out is what went in."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.records import TIME
from pipeline.store.client import Store
from pipeline.store.distances import STORED, as_stored
from tests.pipeline.batches import batch
from tests.pipeline.store.earlier import cut_short, insert_as_before, migrated
from tests.pipeline.stores import FOR_EVER, store_at

COUNTS = ("bytes_up", "bytes_down", "payload_up", "payload_down", "acked_down")
TIMES = ("start", "end", "first")
#: From 1900 to 2299, the range of the engine's times, µs.
TIME_US = st.integers(-2_208_988_800_000_000, 10_413_791_999_999_999)
COUNT = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2_000), st.just(2**64 - 1))
ROW = st.tuples(st.sampled_from([1, 6, 17]), *[TIME_US] * len(TIMES), *[COUNT] * len(COUNTS))


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with store_at("chdb://:memory:/distances") as opened:
        yield opened


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=30))
def test_every_value_comes_back(store: Store, rows: list[tuple[int, ...]]) -> None:
    """Times before and after each other and counts up to 2^64 that contradict each other, to the bit."""
    store.command("TRUNCATE TABLE flows")
    columns = {"flow_id": pa.array(range(len(rows)), pa.uint64())}
    for name, values in zip(("protocol", *TIMES, *COUNTS), zip(*rows, strict=True), strict=True):
        kind = pa.uint8() if name == "protocol" else TIME if name in TIMES else pa.uint64()
        columns[name] = pa.array(values, kind)
    store.insert("flows", pa.table(columns), str(hash(tuple(rows))))
    asked = ", ".join(f"`{name}`" for name in columns)
    assert store.arrow(f"SELECT {asked} FROM flows ORDER BY flow_id").to_pydict() == {
        name: values.to_pylist() for name, values in columns.items()
    }


def test_what_is_not_given_is_not_made_up(store: Store) -> None:
    """Without times of its own a row is a moment; without counts of payload it has none."""
    store.command("TRUNCATE TABLE flows")
    start = pa.array([1_772_438_400_000_000], TIME)
    store.insert("flows", pa.table({"start": start, "bytes_down": pa.array([70], pa.uint64())}), "bare")
    [row] = store.rows(
        "SELECT start = end AND start = first AS moment, payload_down AS down, acked_down AS a FROM flows"
    )
    assert row == {"moment": 1, "down": 0, "a": 0}


def test_other_columns_stay_as_they_are() -> None:
    """Nothing is added to rows that have none of the columns concerned, and no other column is touched."""
    plain = pa.table({"start": pa.array([5], TIME), "site": ["north"]})
    assert as_stored(plain).equals(plain)
    made = pa.Table.from_batches([batch("flows", 20)])
    names = set(made.schema.names) - set(STORED)
    assert as_stored(made).select(sorted(names)).equals(made.select(sorted(names)))


@pytest.mark.slow
@pytest.mark.parametrize("before", ["0032", "0033"])
def test_what_was_stored_before_reads_the_same(tmp_path: Path, before: str) -> None:
    """The columns of rows from before are the same afterwards, wherever the migration was cut short."""
    made = batch("flows", 300)
    asked = f"SELECT {', '.join(f'`{name}`' for name in made.schema.names)}, hollow FROM flows ORDER BY ALL"
    with Store(f"chdb://:memory:/before{before}", FOR_EVER) as old:
        migrated(old, "0032", tmp_path)
        insert_as_before(old, "flows", made, "t")
        known = old.arrow(asked)
        migrated(old, before, tmp_path)
        cut_short(old, before)
        old.migrate()
        assert old.arrow(asked).equals(known)
        old.insert("flows", batch("flows", 300, 1), "u")
        assert old.rows("SELECT count() AS n, sum(start = first) AS begun FROM flows") == [
            {"n": 600, "begun": 600}
        ]
        assert old.rows("SELECT sum(flows) AS begun FROM traffic_1m") == [{"begun": 600}]
