"""Clusters: what statements become, and what Debian's servers do as two shards of two replicas."""

import re
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.store import migrate
from pipeline.store.client import Store
from pipeline.store.cluster import EVERYWHERE, WINDOW_S, cluster_settings, read_sharding, rewrite, shards
from tests.pipeline.stores import FOR_EVER
from tests.services import clickhouse, zookeeper
from tests.services.clickhouse import DebianCluster

MISSING = clickhouse.missing() or zookeeper.missing()
DATABASES = count()
#: What a server of 2018 knows of our migrations: a table, its sum, a view, a later column, rows moved.
FIRST = """
CREATE TABLE IF NOT EXISTS flows (start DateTime, site String, client String, bytes UInt64)
ENGINE = MergeTree PARTITION BY toYYYYMM(start) ORDER BY (start, site, client)
SETTINGS non_replicated_deduplication_window = 100;
CREATE TABLE IF NOT EXISTS traffic_1m (site String, client String, bytes UInt64)
ENGINE = SummingMergeTree((bytes)) ORDER BY (site, client)
SETTINGS non_replicated_deduplication_window = 100;
CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_1m_from_flows TO traffic_1m AS
SELECT site, client, sum(bytes) AS bytes FROM flows GROUP BY site, client;
"""
SECOND = """
ALTER TABLE flows ADD COLUMN packets UInt32 AFTER client;
CREATE TABLE IF NOT EXISTS link_5m (site String, bytes UInt64)
ENGINE = SummingMergeTree((bytes)) ORDER BY site;
INSERT INTO link_5m SELECT site, sum(bytes) FROM flows GROUP BY site;
"""


@pytest.mark.parametrize(
    ("statement", "rewritten"),
    [
        (
            "CREATE TABLE IF NOT EXISTS t (x UInt8)\nENGINE = MergeTree\nORDER BY x",
            "CREATE TABLE IF NOT EXISTS t ON CLUSTER `c` (x UInt8)\n"
            "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/db_local/t', '{replica}')\nORDER BY x",
        ),
        (
            "CREATE TABLE t (x UInt8) ENGINE = ReplacingMergeTree(updated, removed) ORDER BY x "
            "SETTINGS non_replicated_deduplication_window = 7",
            "CREATE TABLE t ON CLUSTER `c` (x UInt8) ENGINE = ReplicatedReplacingMergeTree("
            "'/clickhouse/tables/{shard}/db_local/t', '{replica}', updated, removed) ORDER BY x SETTINGS "
            f"replicated_deduplication_window = 7, replicated_deduplication_window_seconds = {WINDOW_S}",
        ),
        (
            "CREATE TABLE schema_migrations (x UInt8) ENGINE = MergeTree() ORDER BY x",
            "CREATE TABLE schema_migrations ON CLUSTER `c` (x UInt8) ENGINE = ReplicatedMergeTree("
            "'/clickhouse/tables/all/db_local/schema_migrations', '{shard}-{replica}') ORDER BY x",
        ),
        (
            "CREATE TABLE m (x UInt8) ENGINE = Memory",
            "CREATE TABLE m ON CLUSTER `c` (x UInt8) ENGINE = Memory",
        ),
        (
            "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS SELECT 1 FROM f",
            "CREATE MATERIALIZED VIEW IF NOT EXISTS v ON CLUSTER `c` TO db_local.t AS "
            "SELECT 1 FROM db_local.f",
        ),
        ("ALTER TABLE t ADD INDEX i x", "ALTER TABLE t ON CLUSTER `c` ADD INDEX i x"),
        (
            "ALTER TABLE t MATERIALIZE INDEX i SETTINGS mutations_sync = 2",
            "ALTER TABLE t ON CLUSTER `c` MATERIALIZE INDEX i SETTINGS mutations_sync = 2, "
            "distributed_ddl_task_timeout = -1",
        ),
        ("DROP VIEW IF EXISTS v", "DROP VIEW IF EXISTS v ON CLUSTER `c`"),
        ("DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS t ON CLUSTER `c` SYNC"),
        ("TRUNCATE TABLE t", "TRUNCATE TABLE t ON CLUSTER `c`"),
        ("INSERT INTO t SELECT 1", "INSERT INTO t SELECT 1"),
    ],
)
def test_statements_become_those_of_a_cluster(statement: str, rewritten: str) -> None:
    """Each kind of statement that migrations are made of."""
    assert rewrite(statement, "c", "db") == rewritten


def test_other_statements_are_refused() -> None:
    """A kind of statement without a form for a cluster is an error, not something that runs on one server."""
    with pytest.raises(ValueError, match="has no form for a cluster"):
        rewrite("RENAME TABLE a TO b", "c", "db")


def test_every_migration_can_be_rewritten_and_parses() -> None:
    """Each statement of ours, rewritten, can be read by the current engine; none keeps a plain engine."""
    with Store("chdb://:memory:/parsed", FOR_EVER) as store:
        for migration in migrate.read_migrations():
            for statement in [migrate.LEDGER, *migration.statements]:
                rewritten = rewrite(statement, "spanwatch", "spanwatch")
                [row] = store.rows("SELECT formatQuerySingleLine({sql:String}) AS sql", {"sql": rewritten})
                if "VIEW" in statement and "CREATE" in statement:
                    assert "TO spanwatch_local." in row["sql"]
                    assert re.search(r"FROM spanwatch_local\.\w+\b", row["sql"])
                if not statement.startswith("INSERT"):
                    assert "ON CLUSTER spanwatch" in row["sql"], migration.name
                assert not re.search(r"ENGINE = (?!Replicated)\w*MergeTree", row["sql"]), migration.name


def test_every_table_is_sharded_by_its_key() -> None:
    """Each table has its line; its columns are of the table's key, so that rows of one key meet."""
    with Store("chdb://:memory:/sharded", FOR_EVER) as store:
        store.migrate()
        found = store.rows(
            "SELECT name, sorting_key, engine FROM system.tables WHERE database = currentDatabase() "
            "AND engine LIKE '%MergeTree'"
        )
    sharding = read_sharding()
    assert {row["name"] for row in found} - set(EVERYWHERE) == set(sharding)
    for row in found:
        if row["name"] in sharding and row["engine"] != "MergeTree":
            assert set(sharding[row["name"]].split(", ")) <= set(re.findall(r"\w+", row["sorting_key"])), row[
                "name"
            ]


def test_replicas_are_named_with_user_and_tls() -> None:
    """What is asked natively of other servers goes the way of the DSN."""
    rows = [
        {"shard_num": 1, "host_name": "a", "port": 9440, "is_local": 0},
        {"shard_num": 1, "host_name": "b", "port": 9440, "is_local": 0},
        {"shard_num": 2, "host_name": "fd00::1", "port": 9440, "is_local": 0},
        {"shard_num": 3, "host_name": "c", "port": 9440, "is_local": 1},
        {"shard_num": 3, "host_name": "d", "port": 9440, "is_local": 0},
    ]
    found = shards(lambda *_: rows, "https://me:p%40@a:8443?ca_cert=/ca.pem&compress=lz4", "c")
    assert [replicas for replicas in found if not replicas] == [[]]
    assert [replicas for replicas in found if replicas] == [
        ["clickhouses://me:p%40@a:9440?ca_cert=%2Fca.pem", "clickhouses://me:p%40@b:9440?ca_cert=%2Fca.pem"],
        ["clickhouses://me:p%40@[fd00::1]:9440?ca_cert=%2Fca.pem"],
    ]


def test_a_quorum_of_one_is_none() -> None:
    """Only more than one replica is asked for."""
    assert "insert_quorum" not in cluster_settings(1)
    assert cluster_settings(2)["insert_quorum"] == 2


def test_a_cluster_needs_a_server() -> None:
    """The embedded store has no other servers."""
    with pytest.raises(ValueError, match=r"store\.cluster needs a server"):
        Store("chdb://:memory:/c", FOR_EVER, cluster="c")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianCluster]:
    with DebianCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_a.sql").write_text(FIRST)
    return tmp_path


def opened(cluster: DebianCluster, database: str, shard: int = 0, replica: int = 0, quorum: int = 0) -> Store:
    dsn = cluster.servers[shard][replica].dsn(database)
    return Store(dsn, FOR_EVER, cluster=cluster.name, quorum=quorum)


def made(rows: int, first: int = 0) -> pa.Table:
    numbers = range(first, first + rows)
    return pa.table(
        {
            "start": pa.array([1_772_438_400 + number for number in numbers], pa.uint32()),
            "site": ["north"] * rows,
            "client": [f"10.0.0.{number % 200}" for number in numbers],
            "bytes": pa.array([number + 1 for number in numbers], pa.uint64()),
        }
    )


def everywhere(cluster: DebianCluster, sql: str) -> list[list[object]]:
    """The one value of a query at each replica of each shard, in its local database."""
    found = []
    for group in cluster.servers:
        found.append([])
        for server in group:
            with Store(server.dsn("default"), FOR_EVER) as store:
                [row] = store.rows(sql)
                found[-1] += row.values()
    return found


@pytest.mark.service
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
class TestServers:
    """Two shards of two replicas."""

    def test_migrations_reach_every_server_once(self, cluster: DebianCluster, folder: Path) -> None:
        """All servers have the tables; rows that a later file moves are moved on each shard; then nothing."""
        database = f"d{next(DATABASES)}"
        with opened(cluster, database) as store:
            assert store.migrate(folder) == ["0001_a.sql"]
            store.insert("flows", made(400), "a")
            (folder / "0002_b.sql").write_text(SECOND)
            assert store.migrate(folder) == ["0002_b.sql"]
            assert store.migrate(folder) == []
            assert store.rows("SELECT sum(bytes) AS b FROM link_5m") == [{"b": 400 * 401 // 2}]
            names = store.rows("SELECT name FROM system.columns WHERE database = {db:String} "
                               "AND table = 'flows'", {"db": database})  # fmt: skip
            assert [row["name"] for row in names] == ["start", "site", "client", "packets", "bytes"]
        with opened(cluster, database, 1, 1) as store:
            assert store.migrate(folder) == []
        ledger = everywhere(cluster, f"SELECT count() FROM {database}_local.schema_migrations")
        assert ledger == [[2, 2], [2, 2]]

    def test_rows_go_to_one_shard_and_all_its_replicas(self, cluster: DebianCluster, folder: Path) -> None:
        """A host's rows and sums are on one shard, replicas agree, all are answered; a retry adds nothing."""
        database = f"d{next(DATABASES)}"
        with opened(cluster, database, quorum=2) as store:
            store.migrate(folder)
            for token in ("a", "a", "b", "a", "b"):
                store.insert("flows", made(500, 500 if token == "b" else 0), token)
            total = 1_000 * 1_001 // 2
            for table in ("flows", "traffic_1m"):
                assert store.rows(f"SELECT sum(bytes) AS b FROM {table}") == [{"b": total}]
            one, two = everywhere(cluster, f"SELECT sum(bytes) FROM {database}_local.flows")
            assert one[0] == one[1]
            assert two[0] == two[1]
            assert int(one[0]) + int(two[0]) == total
            assert one[0] != 0 != two[0]
            hosts = everywhere(cluster, f"SELECT uniq(client) FROM {database}_local.traffic_1m")
            assert hosts[0][0] + hosts[1][0] == 200
            joined = store.rows(
                "SELECT sum(b) AS b FROM (SELECT client, sum(bytes) AS b FROM flows GROUP BY client) "
                "ANY INNER JOIN (SELECT DISTINCT client FROM traffic_1m) USING client"
            )
            assert joined == [{"b": total}]

    def test_a_lost_replica_stops_a_quorum_and_nothing_else(
        self, cluster: DebianCluster, folder: Path
    ) -> None:
        """Without a quorum inserts go on, with one they wait for it; no row is missing or twice."""
        database = f"d{next(DATABASES)}"
        lost = cluster.servers[1][1]
        with opened(cluster, database) as store, opened(cluster, database, quorum=2) as careful:
            store.migrate(folder)
            store.insert("flows", made(300), "a")
            lost.kill()
            try:
                store.insert("flows", made(300, 300), "b")
                with opened(cluster, database) as again:
                    assert again.migrate(folder) == []
                with pytest.raises(OSError, match="the store cannot insert into flows"):
                    careful.insert("flows", made(300, 600), "c")
                assert store.rows("SELECT uniq(bytes) AS n FROM flows")[0]["n"] >= 600
            finally:
                lost.start()
            for _ in range(2):
                insist(careful, made(300, 600), "c")
            # The one that was away fetches what it missed, and is asked meanwhile.
            deadline = time.monotonic() + 60
            while len(set(everywhere(cluster, f"SELECT count() FROM {database}_local.flows")[1])) > 1:
                assert time.monotonic() < deadline
                time.sleep(0.5)
            # A server of 2018 tells the view nothing of rows that it knew: test_distributed.py has today's.
            assert store.rows("SELECT count() AS n, uniq(bytes) AS u FROM flows") == [{"n": 900, "u": 900}]

    def test_two_programs_migrate_at_once(self, cluster: DebianCluster, folder: Path) -> None:
        """Each at another server: one applies, the other waits; nothing is moved twice."""
        database = f"d{next(DATABASES)}"
        (folder / "0002_b.sql").write_text(SECOND)
        done: list[list[str]] = []
        failures: list[BaseException] = []

        def run(shard: int) -> None:
            try:
                with opened(cluster, database, shard, shard) as store:
                    done.append(store.migrate(folder))
            except BaseException as error:
                failures.append(error)

        programs = [threading.Thread(target=run, args=(shard,)) for shard in (0, 1)]
        for program in programs:
            program.start()
        for program in programs:
            program.join()
        assert failures == []
        assert sorted(done) == [[], ["0001_a.sql", "0002_b.sql"]]

    def test_a_cluster_that_is_not_there_is_named(self, cluster: DebianCluster) -> None:
        """The line says which clusters the server knows."""
        with pytest.raises(ValueError, match=r"knows no cluster 'other'; .*: spanwatch"):
            Store(cluster.servers[0][0].dsn("x"), FOR_EVER, cluster="other")

    def test_a_server_that_is_too_old_is_refused(self, cluster: DebianCluster) -> None:
        """The real migrations need a server whose views know tokens."""
        with (
            Store(cluster.servers[0][0].dsn("old"), FOR_EVER) as store,
            pytest.raises(ValueError, match=r"is ClickHouse 18\.16\.1; install 26\.3 or newer"),
        ):
            store.migrate()


def insist(store: Store, rows: pa.Table, token: str) -> None:
    """Insert as a worker does: again, while the store says that a retry may help."""
    for attempt in count():
        try:
            store.insert("flows", rows, token)
            return
        except OSError:
            if attempt == 60:
                raise
            threading.Event().wait(0.5)
