"""The real tables as a cluster has them, Distributed over local ones, in the current engine (one shard)."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipeline.store import migrate
from pipeline.store.client import Store
from pipeline.store.cluster import read_sharding
from tests.pipeline.batches import MORNING_US, batch
from tests.pipeline.stores import FOR_EVER
from tests.services.clickhouse import CurrentServer

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CurrentServer]:
    with CurrentServer(tmp_path_factory.mktemp("distributed"), cluster="spanwatch") as running:
        yield running


@pytest.fixture(scope="module")
def store(server: CurrentServer) -> Iterator[Store]:
    with Store(server.dsn(), FOR_EVER, cluster="spanwatch") as opened:
        assert opened.migrate() == [migration.name for migration in migrate.read_migrations()]
        yield opened


def test_every_table_is_distributed_over_a_local_one(store: Store) -> None:
    """Each table is there twice: with rows, and over those of all shards; a second run does nothing."""
    found = store.rows(
        "SELECT database, name, engine, sharding FROM (SELECT database, name, engine, "
        "extract(engine_full, 'cityHash64\\\\((.*)\\\\)\\\\)') AS sharding FROM system.tables) "
        "WHERE database IN ('spanwatch', 'spanwatch_local') "
        "AND (engine = 'Distributed' OR engine LIKE '%MergeTree')"
    )
    over = {row["name"]: row["sharding"] for row in found if row["database"] == "spanwatch"}
    below = {row["name"] for row in found if row["database"] == "spanwatch_local"}
    assert over == read_sharding()
    assert below == over.keys() | {"schema_migrations"}
    assert store.migrate() == []


@pytest.mark.parametrize("records", ["flows", "dns", "sightings", "health"])
def test_records_go_through_and_tokens_hold(store: Store, records: str) -> None:
    """Every column goes in and comes out through Distributed; the same token again adds nothing."""
    made = batch(records, 300)
    for token in ("a", "a", "b", "a"):
        store.insert(records, made, f"{records}/{token}")
    assert store.rows(f"SELECT count() AS n FROM {records}") == [{"n": 600}]
    key = "flow_id, bytes_up" if records == "flows" else "ts"
    names = ", ".join(f"`{name}`" for name in made.schema.names)
    got = store.arrow(f"SELECT DISTINCT {names} FROM {records} ORDER BY {key}")
    order = [(name.strip(), "ascending") for name in key.split(",")]
    for name in made.schema.names:
        assert got[name].to_pylist() == made.sort_by(order)[name].to_pylist(), name


def test_sums_follow_once(store: Store) -> None:
    """Views add a batch to the sums once, however often it is sent; also where only they had missed it."""
    before = store.rows("SELECT sum(bytes_up) AS b FROM traffic_1m")[0]["b"]
    made = batch("flows", 500, seed=7)
    store.command("DETACH TABLE spanwatch_local.traffic_1m_from_rows")
    store.insert("flows", made, "once")
    store.command("ATTACH TABLE spanwatch_local.traffic_1m_from_rows")
    for _ in range(3):
        store.insert("flows", made, "once")
    total = before + sum(made["bytes_up"].to_pylist())
    for table in ("traffic_1m", "traffic_1h", "sites_5m", "sites_1h", "usage_1h", "flows"):
        assert store.rows(f"SELECT sum(bytes_up) AS b FROM {table}") == [{"b": total}], table


def test_computed_columns_are_answered(store: Store) -> None:
    """Aliases of the local tables are there, and when a row arrived."""
    [row] = store.rows(
        "SELECT any(community_id) LIKE '1:%' AS id, count(crosses) + count(sight) + count(failed) AS n, "
        "max(arrived) > toDateTime('2020-01-01') AS new FROM flows"
    )
    assert row["id"] == row["new"] == 1
    assert row["n"] > 0


def test_rows_that_replace_each_other_are_read_final(store: Store) -> None:
    """FINAL over a Distributed table keeps the newest row of a key."""
    now = datetime.fromtimestamp(MORNING_US / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    for statement, updated in (("old", 1), ("new", 2)):
        store.command(
            "INSERT INTO findings (id, statement, `from`, updated) SELECT 'x', {statement:String}, "
            f"toDateTime64('{now}', 6, 'UTC'), toDateTime64({{updated:UInt8}}, 6, 'UTC')",
            {"statement": statement, "updated": updated},
        )
    assert store.rows("SELECT statement FROM findings FINAL WHERE id = 'x'") == [{"statement": "new"}]


def test_a_changed_table_changes_what_is_over_it(store: Store) -> None:
    """A column that a migration adds to a local table is there above it after the migration."""
    store.command("ALTER TABLE spanwatch_local.policies ADD COLUMN later UInt8 AFTER version")
    store.migrate()
    names = store.rows("SELECT name FROM system.columns WHERE database = 'spanwatch' AND table = 'policies'")
    assert [row["name"] for row in names][:2] == ["version", "later"]
