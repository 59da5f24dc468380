"""Stores as earlier versions left them, and migrations that were cut short."""

from pathlib import Path

import pyarrow as pa

from pipeline.store import migrate
from pipeline.store.client import INSERT, Store


def migrated(store: Store, before: str, folder: Path) -> None:
    """Bring the store to the version before a migration."""
    for migration in migrate.read_migrations():
        if migration.name < before:
            (folder / migration.name).write_text((migrate.FOLDER / migration.name).read_text("utf-8"))
    store.migrate(folder)


def cut_short(store: Store, name: str) -> None:
    """Run the migration's first statements twice, stopped at two places."""
    [migration] = [m for m in migrate.read_migrations() if m.name.startswith(name)]
    for stop in (len(migration.statements) // 2, len(migration.statements) - 1):
        for statement in migration.statements[:stop]:
            store.command(statement)


def insert_as_before(store: Store, table: str, rows: pa.RecordBatch, token: str) -> None:
    """Insert those of the columns that the table of an earlier version has, as they are."""
    names = {row["name"] for row in store.rows(f"DESCRIBE TABLE {table}") if row["default_type"] != "ALIAS"}
    fitting = pa.Table.from_batches([rows]).select([name for name in rows.schema.names if name in names])
    with store._client(store._writers) as client:
        client.insert(table, fitting, INSERT | {"insert_deduplication_token": token})
