"""Migrations and retention, on the real engine."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.records import ADDRESS, ADDRESSES, ATTRIBUTES, KIND, RECORDS, TEXT, TEXTS, TIME
from pipeline.store import migrate
from pipeline.store.client import Store
from pipeline.store.distances import STORED

DATABASES = count()
FOR_EVER = {"raw_days": 0, "summary_days": 0}
#: What the classifiers add to a flow and to a question.
ADDED = {
    "site": "LowCardinality(String)",
    "group": "LowCardinality(String)",
    "device_ownership": "LowCardinality(String)",
    "categories": "Array(LowCardinality(String))",
    "service": "LowCardinality(String)",
    "action": "LowCardinality(String)",
    "clause": "LowCardinality(String)",
    "policy_version": "LowCardinality(String)",
    "verdict": "LowCardinality(String)",
    "mechanism": "LowCardinality(String)",
    "confidence": "UInt8",
}
SENSOR = {"sensor": "LowCardinality(String)"}
SITE = {"site": "LowCardinality(String)"}
ALSO = {"flows": ADDED, "dns": SENSOR | ADDED, "sightings": SENSOR | SITE, "health": SITE}
#: Text of few values, kept as such in the store.
FEW = {"version", "lists", "policy"}

Opener = Callable[..., Store]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens stores in memory, each with a database of its own unless one is named."""
    stores: list[Store] = []

    def open_(days: dict[str, int] = FOR_EVER, database: str = "") -> Store:
        stores.append(Store(f"chdb://:memory:/{database or f'm{next(DATABASES)}'}", days))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


def store_type(name: str, type_: pa.DataType, nullable: bool) -> str:
    """The ClickHouse type that a record's column has in its table."""
    plain = {
        TIME: "DateTime64(6, 'UTC')",
        ADDRESS: "IPv6",
        KIND: "LowCardinality(String)",
        TEXT: "LowCardinality(String)" if name in FEW else "String",
        TEXTS: "Array(String)",
        ADDRESSES: "Array(IPv6)",
        ATTRIBUTES: "Map(String, String)",
        pa.bool_(): "Bool",
    }
    text = plain.get(type_) or str(type_).replace("int", "Int").replace("u", "U")
    return f"Nullable({text})" if nullable else text


@pytest.mark.parametrize("records", list(RECORDS))
def test_tables_have_the_columns_of_their_records(opened: Opener, records: str) -> None:
    """Each table has the record's columns, names and types, then what is added, and nothing else."""
    store = opened()
    store.migrate()
    found = store.rows(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND (default_kind = '' OR default_kind = 'ALIAS' AND name IN {distant:Array(String)}) "
        "ORDER BY position",
        {"table": records, "distant": list(STORED)},
    )
    expected = {field.name: store_type(field.name, field.type, field.nullable) for field in RECORDS[records]}
    assert {row["name"]: row["type"] for row in found} == expected | ALSO[records]
    stored = [name for name in expected if name not in STORED or records != "flows"]
    assert [row["name"] for row in found][: len(stored)] == stored


def test_a_second_run_does_nothing(opened: Opener) -> None:
    """The first run applies every file in order and says which; the second applies none."""
    store = opened()
    names = [path.name for path in sorted(migrate.FOLDER.glob("*.sql"))]
    assert store.migrate() == names
    assert store.migrate() == []
    recorded = store.rows("SELECT name, length(sha256) AS digits FROM schema_migrations ORDER BY name")
    assert recorded == [{"name": name, "digits": 64} for name in names]


def apply(store: Store, folder: Path) -> list[str]:
    return migrate.apply(store.command, store.rows, folder)


FIRST = """-- A comment; with a semicolon;
CREATE TABLE IF NOT EXISTS a (x String)
ENGINE = MergeTree ORDER BY x;
INSERT INTO a VALUES ('one; two');
"""
SECOND = "CREATE TABLE IF NOT EXISTS b (x UInt8) ENGINE = MergeTree ORDER BY x;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_a.sql").write_text(FIRST)
    return tmp_path


def test_statements_end_where_a_line_does(opened: Opener, folder: Path) -> None:
    """Comments may hold semicolons, strings may hold them inside a line."""
    store = opened()
    assert apply(store, folder) == ["0001_a.sql"]
    assert store.rows("SELECT x FROM a") == [{"x": "one; two"}]


def test_a_new_file_is_applied_alone(opened: Opener, folder: Path) -> None:
    """Files that came later are applied, those before are not run again."""
    store = opened()
    apply(store, folder)
    (folder / "0007_b.sql").write_text("ALTER TABLE a ADD COLUMN IF NOT EXISTS y UInt8;")
    assert apply(store, folder) == ["0007_b.sql"]
    assert store.rows("SELECT x, y FROM a") == [{"x": "one; two", "y": 0}]


def test_a_changed_file_is_refused(opened: Opener, folder: Path) -> None:
    """A file that was applied and then edited is an error that says how to mend it."""
    store = opened()
    apply(store, folder)
    (folder / "0001_a.sql").write_text("SELECT 1;")
    with pytest.raises(ValueError, match=r"0001_a\.sql was changed after .* new one with the next number"):
        apply(store, folder)


def test_a_newer_store_is_refused(opened: Opener, folder: Path) -> None:
    """A store that a newer program migrated is not worked on."""
    store = opened()
    apply(store, folder)
    (folder / "0001_a.sql").unlink()
    with pytest.raises(ValueError, match=r"has migration 0001_a\.sql, which this program does not"):
        apply(store, folder)


def test_a_broken_statement_names_its_file_and_is_run_again(opened: Opener, folder: Path) -> None:
    """The error names the file; what was applied before stays; mended, it is applied."""
    store = opened()
    broken = folder / "0002_b.sql"
    broken.write_text(SECOND + "CREATE TABEL c;\n")
    with pytest.raises(ValueError, match=r"0002_b\.sql: .*Syntax error"):
        apply(store, folder)
    broken.write_text(SECOND)
    assert apply(store, folder) == ["0002_b.sql"]


def test_a_lock_is_not_left_behind_while_parts_are_written(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However old it is: its owner waits for what it has begun. When that is done, others go on."""
    monkeypatch.setattr(migrate, "LEFT_BEHIND_S", -1)
    store = opened()
    store.command("CREATE TABLE old (x UInt8, y UInt8) ENGINE = MergeTree ORDER BY x")
    store.command("INSERT INTO old SELECT number, 0 FROM numbers(2)")
    store.command(migrate.LOCK.format(owner="elsewhere/1/0"))
    store.command("ALTER TABLE old UPDATE y = 1 + sleepEachRow(1) WHERE 1 SETTINGS mutations_sync = 0")
    assert store.rows(migrate.REWRITING) == [{"n": 1}]
    assert apply(store, folder) == ["0001_a.sql"]
    assert store.rows(migrate.REWRITING) == [{"n": 0}]


@pytest.mark.parametrize(
    ("name", "reason"), [("2_b.sql", r"not NNNN_name\.sql"), ("0001_b.sql", "take the next one")]
)
def test_names_follow_the_convention(folder: Path, name: str, reason: str) -> None:
    """A number that is short or taken is refused before anything runs."""
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match=reason):
        migrate.read_migrations(folder)


def test_every_file_is_repeatable(opened: Opener, tmp_path: Path) -> None:
    """Each migration can be run twice: a crash in its middle is mended by the next start."""
    store = opened()
    for migration in migrate.read_migrations():
        shutil.copy(migrate.FOLDER / migration.name, tmp_path)
        assert apply(store, tmp_path) == [migration.name]
        store.command(f"DELETE FROM schema_migrations WHERE name = '{migration.name}'")
        assert apply(store, tmp_path) == [migration.name]


def test_every_table_has_a_retention(opened: Opener) -> None:
    """A table either has its line in `retention.tsv` or is one of those that are never cut."""
    store = opened()
    store.migrate()
    found = store.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    kept = {"schema_migrations", "judged", "lists", "policies", "inventory"}
    assert {row["name"] for row in found} == set(migrate.read_retention()) | kept


def test_tables_that_are_inserted_into_recognise_a_token(opened: Opener) -> None:
    """Every table that rows are sent or flow to keeps a window of tokens."""
    store = opened()
    store.migrate()
    found = store.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "AND engine_full NOT LIKE '%non_replicated_deduplication_window = 10000%'"
    )
    assert [row["name"] for row in found] == ["schema_migrations"]


def ttls(store: Store) -> dict[str, str]:
    found = store.rows(
        "SELECT name, extract(engine_full, 'TTL (.*) SETTINGS') AS ttl FROM system.tables "
        "WHERE database = currentDatabase()"
    )
    return {row["name"]: row["ttl"] for row in found if row["ttl"]}


def test_retention_follows_the_settings(opened: Opener) -> None:
    """Days become TTLs, other days change them at the next start, 0 removes them."""
    store = opened({"raw_days": 90, "summary_days": 3653}, "kept")
    store.migrate()
    assert ttls(store)["flows"] == "arrived + toIntervalDay(90)"
    assert ttls(store)["traffic_1m"] == "arrived + toIntervalDay(3653)"
    assert ttls(store).keys() == migrate.read_retention().keys()
    store = opened({"raw_days": 30, "summary_days": 0}, "kept")
    assert migrate.apply_retention(store.command, store.rows, store.keeping) != []
    assert ttls(store) == {
        "flows": "arrived + toIntervalDay(30)",
        "dns": "arrived + toIntervalDay(30)",
        "sightings": "arrived + toIntervalDay(30)",
        "failed_1h": "arrived + toIntervalDay(30)",
        "attempts": "updated + toIntervalDay(30)",
        "outcomes": "oldest + toIntervalDay(30)",
        "bindings": "updated + toIntervalDay(30)",
        "hosts_1h": "arrived + toIntervalDay(30)",
    }
    assert migrate.apply_retention(store.command, store.rows, store.keeping) == []
