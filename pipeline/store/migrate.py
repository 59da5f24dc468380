"""Numbered `.sql` files → tables, and `retention.tsv` → their TTLs. Conventions: `pipeline.store`."""

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).with_name("migrations")
RETENTION = Path(__file__).with_name("retention.tsv")
NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name String,
    sha256 String,
    applied DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY name
"""

#: Runs a statement and returns nothing; runs a query and returns its rows.
Command = Callable[..., None]
Rows = Callable[..., list[dict[str, Any]]]


class Migration(NamedTuple):
    name: str
    sha256: str
    statements: list[str]


class Keep(NamedTuple):
    """How long a table keeps its rows."""

    table: str
    column: str
    """When the store took or last wrote the row: what its age counts from, never the time of an event."""
    setting: str
    """`raw_days` or `summary_days` of the settings."""


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Migrations of the folder in the order of their numbers. Raises ValueError (a bad name or number)."""
    migrations: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        if not NAME.fullmatch(path.name):
            raise ValueError(f"migration {path}: the name is not NNNN_name.sql; rename it")
        number = path.name[:4]
        if number in migrations:
            raise ValueError(f"migration {path}: {migrations[number].name} has its number; take the next one")
        text = path.read_text("utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        migrations[number] = Migration(path.name, digest, _statements(text))
    return list(migrations.values())


def _statements(text: str) -> list[str]:
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [part.strip() for part in re.split(r";[ \t]*(?:\n|$)", kept) if part.strip()]


def apply(command: Command, rows: Rows, folder: Path = FOLDER) -> list[str]:
    """Apply what was not applied yet; names of what was.

    Raises ValueError where an applied file was changed or is not known here, OSError or ValueError
    where a statement fails; the files before it stay applied, and it is run again next time.
    """
    command(LEDGER)
    applied = {row["name"]: row["sha256"] for row in rows("SELECT name, sha256 FROM schema_migrations")}
    migrations = read_migrations(folder)
    unknown = applied.keys() - {migration.name for migration in migrations}
    if unknown:
        raise ValueError(
            f"the store has migration {max(unknown)}, which this program does not; "
            "run the newer version that applied it"
        )
    fresh = []
    for name, digest, statements in migrations:
        if name in applied:
            if applied[name] != digest:
                raise ValueError(
                    f"migration {folder / name} was changed after it was applied; "
                    "restore the file and put the change into a new one with the next number"
                )
            continue
        for statement in statements:
            try:
                command(statement)
            except (OSError, ValueError) as error:
                raise type(error)(f"migration {folder / name}: {error}") from None
        command(
            "INSERT INTO schema_migrations SELECT {name:String}, {sha256:String}, now64(3)",
            {"name": name, "sha256": digest},
        )
        fresh.append(name)
    return fresh


def read_retention(path: Path = RETENTION) -> dict[str, Keep]:
    """Retention by table."""
    lines = path.read_text("utf-8").splitlines()[1:]
    return {keep.table: keep for keep in (Keep(*line.split("\t")) for line in lines)}


def apply_retention(command: Command, rows: Rows, days: Mapping[str, int]) -> list[str]:
    """Set each table's TTL to `days[setting]`, none where that is 0; names of the tables changed.

    ClickHouse removes expired rows when it merges, and rewrites older parts in the background.
    """
    found = rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
    engines = {row["name"]: row["engine_full"] for row in found}
    changed = []
    for table, column, setting in read_retention().values():
        if table not in engines:
            continue
        there = re.search(r"\bTTL `?(\w+)`? \+ toIntervalDay\((\d+)\)", engines[table])
        has = (there[1], int(there[2])) if there else None
        wanted = (column, days[setting]) if days[setting] else None
        if has == wanted:
            continue
        if wanted:
            command(f"ALTER TABLE {table} MODIFY TTL `{column}` + toIntervalDay({days[setting]})")
        else:
            command(f"ALTER TABLE {table} REMOVE TTL")
        changed.append(table)
    return changed
