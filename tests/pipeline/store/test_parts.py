"""A store from before messages were parts of batches."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.store import migrate
from pipeline.store.client import Store

FOR_EVER = {"raw_days": 0, "summary_days": 0}
NOON_MS = 1_772_452_800_000


def before(store: Store, folder: Path) -> migrate.Migration:
    """Everything up to the migration; returns it."""
    for path in migrate.FOLDER.glob("*.sql"):
        if path.name < "0026":
            (folder / path.name).symlink_to(path)
    migrate.apply(store.command, store.rows, folder)
    [parts] = [m for m in migrate.read_migrations() if m.name == "0026_parts.sql"]
    return parts


def old_rows(store: Store, covered: int) -> None:
    """Five batches a minute apart, and a round that covered those up to a sequence."""
    minute = pa.timestamp("ms", "UTC")
    rows = {
        "sensor": ["gate"] * 5,
        "boot": ["b1"] * 5,
        "sequence": pa.array(range(5), pa.uint64()),
        "records": ["flows"] * 5,
        "rows": pa.array([10] * 5, pa.uint64()),
        "inserted": pa.array([NOON_MS + n * 60_000 for n in range(5)], minute),
    }
    store.insert("batches", pa.record_batch(rows), "old")
    done = {
        "sensor": ["gate"],
        "boot": ["b1"],
        "sequence": pa.array([covered], pa.uint64()),
        "finished": pa.array([NOON_MS], minute),
    }
    store.insert("rounds", pa.record_batch(done), "old")


def state(store: Store) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT sequence, part, parts, toUnixTimestamp64Milli(stored) AS stored FROM batches"
        " ORDER BY sequence"
    )


def until(store: Store) -> int:
    return int(store.rows("SELECT toUnixTimestamp64Milli(max(until)) AS ms FROM judged")[0]["ms"])


@pytest.mark.parametrize(
    ("covered", "judged"), [(4, NOON_MS + 240_000), (1, NOON_MS + 120_000 - 1), (0, NOON_MS + 60_000 - 1)]
)
def test_an_old_store_goes_on_where_it_was(tmp_path: Path, covered: int, judged: int) -> None:
    """Its batches are whole, were stored when they were inserted, and what no round covered is still to do;
    a run that was cut short anywhere ends the same."""
    with Store("chdb://:memory:/parts", FOR_EVER) as store:
        store.command("DROP DATABASE parts")
        store.command("CREATE DATABASE parts")
        parts = before(store, tmp_path)
        old_rows(store, covered)
        for stop in (*range(1, len(parts.statements) + 1), len(parts.statements)):
            for statement in parts.statements[:stop]:
                store.command(statement)
        assert state(store) == [
            {"sequence": n, "part": 0, "parts": 1, "stored": NOON_MS + n * 60_000} for n in range(5)
        ]
        assert until(store) == judged
        store.command("INSERT INTO batches (sensor, sequence, inserted) VALUES ('gate', 9, '1999-01-01')")
        assert store.rows("SELECT abs(stored - now()) < 100 AS ok FROM batches WHERE sequence = 9") == [
            {"ok": True}
        ]


def test_a_new_store_was_judged_never() -> None:
    """Without batches there is no mark."""
    with Store("chdb://:memory:/fresh", FOR_EVER) as store:
        store.migrate()
        assert until(store) == 0
