"""A store that any earlier version left becomes today's, with its rows."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from pipeline.store import migrate
from pipeline.store.client import Store
from tests.pipeline.store.states import FOLDER, RECORDS, ROWS
from tests.pipeline.stores import FOR_EVER

STATES = sorted(FOLDER.glob("*.sql"))
DATABASES = count()
#: Made again from what is in other tables, or gone.
REMADE = {"traffic_1h", "link_5m", "sight_1m", "finding_parts", "rounds", "judged", "schema_migrations"}


def schema(store: Store) -> dict[str, str]:
    """What makes each table, whatever its database and its clock say."""
    found = store.rows(
        "SELECT name, create_table_query AS text FROM system.tables WHERE database = currentDatabase()"
    )
    return {row["name"]: re.sub(r"\b[st]\d+\.", "", row["text"]) for row in found}


def rows_of(store: Store) -> dict[str, int]:
    found = store.rows(
        "SELECT table, sum(rows) AS n FROM system.parts WHERE database = currentDatabase() AND active "
        "GROUP BY table"
    )
    return {row["table"]: row["n"] for row in found}


@pytest.fixture(scope="module")
def today() -> Iterator[dict[str, str]]:
    with Store(f"chdb://:memory:/t{next(DATABASES)}", FOR_EVER) as store:
        store.migrate()
        yield schema(store)


def test_there_is_a_state_of_every_version() -> None:
    """The newest migration has the dump of what it leaves (`python -m tests.pipeline.store.states`)."""
    migrations = [m.name[:4] for m in migrate.read_migrations()]
    assert STATES[-1].stem == migrations[-1]
    assert {path.stem for path in STATES} <= set(migrations)


@pytest.mark.slow
@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_an_earlier_store_becomes_todays(path: Path, today: dict[str, str]) -> None:
    """Tables and views are those of a new store, no row is lost or doubled, and a second run does nothing."""
    with Store(f"chdb://:memory:/s{next(DATABASES)}", FOR_EVER) as store:
        for statement in re.split(r";\n+(?=CREATE|INSERT|$)", path.read_text("utf-8")):
            if statement.strip():
                store.command(statement)
        before = rows_of(store)
        applied = store.migrate()
        assert applied == [m.name for m in migrate.read_migrations() if m.name[:4] > path.stem]
        assert {name: text for name, text in schema(store).items() if name != "schema_migrations"} == {
            name: text for name, text in today.items() if name != "schema_migrations"
        }
        after = rows_of(store)
        assert {table: after.get(table) for table in before.keys() - REMADE} == {
            table: n for table, n in before.items() if table not in REMADE
        }
        for table in RECORDS:
            assert after[table] == ROWS
        for table in ("traffic_1m", "traffic_1h"):
            if table in before or (table == "traffic_1h" and "traffic_1m" in before):
                [row] = store.rows(
                    f"SELECT (SELECT sum(bytes_up) FROM {table}) = (SELECT sum(bytes_up) FROM flows) AS same"
                )
                assert row["same"] == 1, table
        assert store.migrate() == []
