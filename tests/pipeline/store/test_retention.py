"""How long rows stay: by their arrival in the store, on the real engine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.records import ADDRESS, TIME, address_bytes
from pipeline.store import migrate
from pipeline.store.client import Store
from tests.pipeline.batches import batch
from tests.services.clickhouse import CurrentServer

ROOT = Path(__file__).resolve().parents[3]
DATABASES = count()
#: 2019-03-04, 08:00.
LONG_AGO_US = 1_551_686_400_000_000
TABLES = list(migrate.read_retention())
RECORDS = ["flows", "dns", "sightings", "health"]
ARRIVED = [keep.table for keep in migrate.read_retention().values() if keep.column == "arrived"]
#: A column that tells two rows apart, in the key of those tables that keep one row a key.
NAMED = {"findings": "id", "batches": "boot", "access_log": "path"}


@contextmanager
def keeping(days: int) -> Iterator[Store]:
    """A store that keeps every table for these days."""
    with Store(f"chdb://:memory:/r{next(DATABASES)}", {"raw_days": days, "summary_days": days}) as store:
        store.migrate()
        yield store


def number(store: Store, sql: str) -> Any:
    [row] = store.rows(sql)
    [value] = row.values()
    return value


def put(store: Store, table: str, ages: list[int]) -> None:
    """One row for each age in days, named by it, all other columns at their defaults: events of 1970.

    Takes the place of what the view has put into the sums.
    """
    store.command(f"TRUNCATE TABLE {table}")
    column = migrate.read_retention()[table].column
    store.command(
        f"INSERT INTO {table} ({NAMED.get(table, 'site')}, `{column}`) "
        "SETTINGS insert_allow_materialized_columns = 1 "
        "SELECT toString(age), now() - toIntervalDay(age) "
        "FROM (SELECT arrayJoin({ages:Array(UInt32)}) AS age)",
        {"ages": ages},
    )


def put_one(store: Store, table: str, age: int) -> None:
    """One more row that arrived so many days ago."""
    store.command(
        f"INSERT INTO {table} (site, arrived) SETTINGS insert_allow_materialized_columns = 1 "
        "SELECT toString({age:UInt32}), now() - toIntervalDay({age:UInt32})",
        {"age": age},
    )


def ages(store: Store, table: str) -> list[int]:
    store.command(f"OPTIMIZE TABLE {table} FINAL")
    return sorted(
        int(row["age"]) for row in store.rows(f"SELECT {NAMED.get(table, 'site')} AS age FROM {table}")
    )


def test_rows_go_by_their_arrival() -> None:
    """In every table, what arrived more days ago than are configured goes with a merge; the rest stays."""
    with keeping(90) as store:
        for table in TABLES:
            put(store, table, [0, 89, 91, 4_000])
        assert {table: ages(store, table) for table in TABLES} == {key: [0, 89] for key in TABLES}


def test_rows_that_go_leave_projections_too() -> None:
    """What a projection says after rows went by their age is what the rows say that stayed."""
    with keeping(90) as store:
        projections = store.rows(
            "SELECT table, name, query FROM system.projections WHERE database = currentDatabase() "
            "ORDER BY table, name"
        )
        assert len(projections) == 11
        for row in projections:
            table = row["table"]
            put(store, table, [0, 91])
            assert ages(store, table) == [0]
            sql = f"{row['query'].replace(' GROUP BY', f' FROM {table} GROUP BY')} ORDER BY ALL SETTINGS"
            name = row["name"]
            told = store.rows(
                f"{sql} force_optimize_projection = 1, force_optimize_projection_name = '{name}', "
                f"preferred_optimize_projection_name = '{name}'"
            )
            assert told == store.rows(f"{sql} optimize_use_projections = 0"), row
            assert len(told) == 1, row


@pytest.mark.parametrize("days", [0, 100_000])
def test_rows_stay_for_ever(days: int) -> None:
    """With 0 days nothing goes, nor with so many that the end lies past what the engine can count to."""
    with keeping(days) as store:
        for table in TABLES:
            put(store, table, [0, 91, 4_000])
        assert {table: ages(store, table) for table in TABLES} == {key: [0, 91, 4_000] for key in TABLES}


@pytest.mark.parametrize("records", RECORDS)
def test_a_capture_of_years_ago_stays(records: str) -> None:
    """Rows of 2019 that arrive today are there after every merge, in the table and in the sums."""
    with keeping(90) as store:
        made = batch(records, 200, start_us=LONG_AGO_US)
        store.insert(records, made, "t")
        tables = ["flows", "traffic_1m"] if records == "flows" else [records]
        for table in tables:
            store.command(f"OPTIMIZE TABLE {table} FINAL")
        assert number(store, f"SELECT count() FROM {records}") == 200
        if records == "flows":
            assert number(store, "SELECT sum(bytes_up) FROM traffic_1m") == sum(made["bytes_up"].to_pylist())
            assert number(store, "SELECT max(toYear(minute)) FROM traffic_1m") == 2019


def test_changed_days_reach_rows_that_are_there() -> None:
    """Fewer days at the next start remove what was kept until then."""
    with keeping(90) as store:
        put(store, "flows", [0, 20, 40])
        assert ages(store, "flows") == [0, 20, 40]
        migrate.apply_retention(
            store.command, store.rows, migrate.Keeping({"raw_days": 30, "summary_days": 30})
        )
        assert ages(store, "flows") == [0, 20]


def test_the_arrival_is_the_hour_of_the_insert() -> None:
    """It is set by the store, lies within the last hour, and does not show unless it is named."""
    with keeping(90) as store:
        for records in RECORDS:
            store.insert(records, batch(records, 50, start_us=LONG_AGO_US), "t")
        server = pa.array([address_bytes("203.0.113.9")], ADDRESS)
        store.insert("flows", pa.table({"start": pa.array([LONG_AGO_US], TIME), "server": server}), "out")
        unanswered = {"protocol": [6], "state": ["S0"], "flags_up": [2], "packets_up": [1]}
        store.insert("flows", pa.table({"start": pa.array([LONG_AGO_US], TIME), **unanswered}), "unanswered")
        for table in ARRIVED:
            since = number(store, f"SELECT dateDiff('second', min(arrived), now()) FROM {table}")
            assert 0 <= since <= 3_600 + 60, table
            assert "arrived" not in store.arrow(f"SELECT * FROM {table}").schema.names


@pytest.mark.service
def test_rows_go_to_the_cold_disk(tmp_path: Path) -> None:
    """Under a policy with a cold volume, rows past `cold_days` move there, and are answered as before."""
    config = tmp_path / "config.xml"
    text = (ROOT / "deploy" / "clickhouse" / "cold.xml").read_text("utf-8")
    config.write_text(text.replace("/srv/clickhouse-cold/", f"{tmp_path}/cold/"))
    days = {"raw_days": 90, "summary_days": 20}
    with CurrentServer(tmp_path / "store", config=config) as server:
        with Store(server.dsn(), days) as store:
            store.migrate()
            put(store, "flows", [0, 40, 91])
        with Store(server.dsn(), days, policy="tiered", cold_days=30) as store:
            assert store.migrate() == []
            [row] = store.rows("SELECT engine_full FROM system.tables WHERE name = 'flows'")
            both = "TTL arrived + toIntervalDay(90), arrived + toIntervalDay(30) TO VOLUME 'cold'"
            assert both in row["engine_full"]
            # Rows that arrived on one day move together, with their part.
            store.command("TRUNCATE TABLE flows")
            for age in (40, 0):
                put_one(store, "flows", age)
            disks = (
                "SELECT rows, disk_name FROM system.parts WHERE table = 'flows' AND active ORDER BY disk_name"
            )
            end = time.monotonic() + 30
            while len(found := store.rows(disks)) != 2 or found[0]["disk_name"] != "cold":
                assert time.monotonic() < end, found
                time.sleep(0.2)
            assert ages(store, "flows") == [0, 40]
            again = migrate.apply_retention(store.command, store.rows, store.keeping)
            assert again == []


def test_what_goes_before_it_is_cold_has_one_rule() -> None:
    """A cold volume changes nothing for what goes earlier, and is all there is for what never goes."""
    keep = migrate.read_retention()["flows"]
    kept = migrate.Keeping({"raw_days": 20, "summary_days": 0}, "tiered", 30)
    assert kept.ttl(keep) == "arrived + toIntervalDay(20)"
    assert kept.ttl(migrate.read_retention()["health"]) == "arrived + toIntervalDay(30) TO VOLUME 'cold'"
    assert migrate.Keeping({"raw_days": 0, "summary_days": 0}).ttl(keep) == ""


def test_a_sum_is_as_old_as_its_youngest_row() -> None:
    """Sums of one key are added when they merge, and what arrived last says how long they stay."""
    sql = (
        "INSERT INTO traffic_1m (site, flows, arrived) SETTINGS insert_allow_materialized_columns = 1 "
        "SELECT 'north', {flows:UInt64}, now() - toIntervalDay({days:UInt32})"
    )
    with keeping(90) as store:
        for days, flows in ((80, 1), (10, 2), (85, 4)):
            store.command(sql, {"flows": flows, "days": days})
        store.command("OPTIMIZE TABLE traffic_1m FINAL")
        rows = store.rows(
            "SELECT flows, intDiv(dateDiff('second', arrived, now()), 86400) AS days FROM traffic_1m"
        )
        assert rows == [{"flows": 7, "days": 10}]
