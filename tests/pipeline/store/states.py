"""Writes `states/NNNN.sql`: a store as the newest migration leaves it, with a few rows, to update from.

    python -m tests.pipeline.store.states

There is one of each version that was let out. It is not written again: what a version left does not change.
What migrations of one version leave between them is in the tests of those (`earlier.py`).
"""

from pathlib import Path

import chdb

from pipeline.store import migrate
from pipeline.store.client import Store
from tests.pipeline.batches import batch
from tests.pipeline.store.earlier import insert_as_before
from tests.pipeline.stores import FOR_EVER

FOLDER = Path(__file__).with_name("states")
RECORDS = ("flows", "dns", "sightings", "health")
ROWS = 6


def fill(store: Store) -> None:
    """A few rows in every table that there is; views fill theirs."""
    found = store.rows(
        "SELECT table, groupArray(name) AS names, groupArray(concat('`', name, '` ', type)) AS columns "
        "FROM system.columns WHERE database = currentDatabase() AND default_kind IN ('', 'DEFAULT') "
        "AND table IN (SELECT name FROM system.tables "
        "WHERE database = currentDatabase() AND engine LIKE '%MergeTree') GROUP BY table ORDER BY table"
    )
    for row in found:
        table, names = row["table"], row["names"]
        if table in RECORDS:
            insert_as_before(store, table, batch(table, ROWS), "t")
        elif table != "schema_migrations" and not table.endswith(("_1m", "_5m", "_1h")):
            kept = "* REPLACE (0 AS removed)" if "removed" in names else "*"
            store.command(
                f"INSERT INTO {table} SELECT {kept} "
                f"FROM generateRandom({{structure:String}}, 7, 9, 2) LIMIT {ROWS}",
                {"structure": ", ".join(row["columns"])},
            )


def dump(engine: chdb.session.Session, database: str) -> str:
    """The database as statements: tables, rows, then views, so that nothing is summed twice."""

    def ask(sql: str, form: str = "TSVRaw") -> str:
        return str(engine.query(f"{sql} FORMAT {form}").bytes().decode())

    tables = ask(
        f"SELECT name FROM system.tables WHERE database = '{database}' "
        "ORDER BY engine = 'MaterializedView', name"
    ).split()
    statements, rows = [], []
    for table in tables:
        made = ask(f"SHOW CREATE TABLE {database}.{table}").replace(f"{database}.", "").strip()
        statements.append(f"{made};\n")
        if "MATERIALIZED VIEW" not in made:
            text = ask(
                f"SELECT * FROM {database}.{table} ORDER BY ALL SETTINGS "
                f"output_format_sql_insert_table_name = '{table}', "
                "output_format_sql_insert_max_batch_size = 1000",
                "SQLInsert",
            )
            rows.append(text)
    views = [statement for statement in statements if "MATERIALIZED VIEW" in statement]
    return "\n".join([*(s for s in statements if s not in views), *filter(None, rows), *views])


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"{migrate.read_migrations()[-1].name[:4]}.sql"
    if target.exists():
        return
    with Store("chdb://:memory:/state", FOR_EVER) as store:
        store.migrate()
        fill(store)
        engine = chdb.connect(":memory:")
        target.write_text(dump(engine, "state"))
        engine.close()


if __name__ == "__main__":
    main()
