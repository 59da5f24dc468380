"""Stores for tests: their tables are those of one that was migrated once.

Running every migration takes seconds; a copy of the folder, or the statements that make what came of them,
a tenth of that.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from pipeline.store import migrate
from pipeline.store.client import DATABASE, Store

FOR_EVER = {"raw_days": 0, "summary_days": 0}


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """A folder whose store has every table and no row. It goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="spanwatch-template-")
    with Store(f"chdb://{folder.name}/store", FOR_EVER) as store:
        store.migrate()
    return folder


@cache
def _tables() -> list[str]:
    """The statements that make its tables, then its views."""
    with Store(f"chdb://{_template().name}/store", FOR_EVER) as store:
        found = store.rows(
            "SELECT create_table_query AS text FROM system.tables WHERE database = currentDatabase() "
            "ORDER BY engine = 'MaterializedView', name"
        )
    return [row["text"] for row in found]


def made_state(state: Path) -> Path:
    """A state folder whose store has its tables, for a program that would make them first."""
    shutil.copytree(Path(_template().name) / "store", state / "store", symlinks=True)
    return state


def made_store(folder: Path) -> Store:
    """An opened store below the folder, its tables there and empty, which keeps rows for ever.

    The engine has one folder open at a time in a process.
    """
    return Store(f"chdb://{made_state(folder) / 'store'}", FOR_EVER)


def store_at(dsn: str) -> Store:
    """An opened store of the current engine in memory or behind a server, as `made_store`.

    At its first call this process has no other store open.
    """
    tables = _tables()
    store = Store(dsn, FOR_EVER)
    try:
        for text in tables:
            store.command(re.sub(rf"\b{DATABASE}\.", f"{store.database}.", text))
        for name, digest, _ in migrate.read_migrations():
            store.command(
                "INSERT INTO schema_migrations VALUES ({name:String}, {digest:String}, now())",
                {"name": name, "digest": digest},
            )
    except BaseException:
        store.close()
        raise
    return store
