"""Numbered `.sql` files → tables, and `retention.tsv` → their TTLs. Conventions: `pipeline.store`."""

import hashlib
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).with_name("migrations")
RETENTION = Path(__file__).with_name("retention.tsv")
#: Parts that are written anew now; a mutation that fails is no sign that somebody waits for it.
REWRITING = (
    "SELECT count() AS n FROM system.mutations "
    "WHERE database = currentDatabase() AND NOT is_done AND latest_fail_reason = ''"
)
NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
LEDGER = """CREATE TABLE IF NOT EXISTS schema_migrations (
    name String,
    sha256 String,
    applied DateTime('UTC')
)
ENGINE = MergeTree
ORDER BY name"""

#: A table that is there while a program migrates: only one can make it. One that was killed leaves it.
LOCK = "CREATE TABLE migrating (owner String DEFAULT '{owner}') ENGINE = Memory"
#: Tells this process from an earlier one with its number.
LIFE = secrets.token_hex(4)
#: Seconds between two looks at who migrates, and after which a lock is taken for left behind, unless parts
#: are still being written anew. Our defaults.
LOOK_S, LEFT_BEHIND_S = 0.5, 3_600

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
    migrations = read_migrations(folder)
    if not _to_apply(migrations, _applied(rows), folder):
        return []
    with _alone(command, rows):
        return _apply(command, rows, migrations, folder)


def remakes_views(rows: Rows, folder: Path = FOLDER) -> bool:
    """Whether views that are there are to be made anew, which then do not know the tokens of what they had.

    Raises as `apply`.
    """
    applied = _applied(rows)
    fresh = _to_apply(read_migrations(folder), applied, folder)
    return bool(applied) and any("DROP VIEW" in statement for one in fresh for statement in one.statements)


def _applied(rows: Rows) -> dict[str, str]:
    there = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'schema_migrations'"
    if not rows(there):
        return {}
    return {row["name"]: row["sha256"] for row in rows("SELECT name, sha256 FROM schema_migrations")}


def _to_apply(migrations: list[Migration], applied: Mapping[str, str], folder: Path) -> list[Migration]:
    unknown = applied.keys() - {migration.name for migration in migrations}
    if unknown:
        raise ValueError(
            f"the store has migration {max(unknown)}, which this program does not; "
            "run the newer version that applied it"
        )
    for name, digest, _ in migrations:
        if applied.get(name, digest) != digest:
            raise ValueError(
                f"migration {folder / name} was changed after it was applied; "
                "restore the file and put the change into a new one with the next number"
            )
    return [migration for migration in migrations if migration.name not in applied]


@contextmanager
def _alone(command: Command, rows: Rows) -> Iterator[None]:
    """Waits until no other program migrates this store."""
    host, process = re.sub(r"[^\w.-]", "_", socket.gethostname()), os.getpid()
    while True:
        # Looked for first: in a cluster a statement that is to make it would wait behind the owner's.
        old = rows(
            "SELECT toInt64(now() - metadata_modification_time) AS age FROM system.tables "
            "WHERE database = currentDatabase() AND name = 'migrating'"
        )
        if not old:
            try:
                command(LOCK.format(owner=f"{host}/{process}/{LIFE}"))
                break
            except (OSError, ValueError) as error:
                if "already exists" not in str(error):
                    raise
        owners = rows(
            "SELECT default_expression AS owner FROM system.columns "
            "WHERE database = currentDatabase() AND table = 'migrating'"
        )
        left = any(row["age"] > LEFT_BEHIND_S for row in old) and not rows(REWRITING)[0]["n"]
        if left or any(_is_gone(row["owner"].strip("'"), host, process) for row in owners):
            command("DROP TABLE IF EXISTS migrating")
        else:
            time.sleep(LOOK_S)
    try:
        yield
    finally:
        command("DROP TABLE IF EXISTS migrating")


def _is_gone(owner: str, host: str, process: int) -> bool:
    """Whether the lock is of a process of this host that has ended; a container's number comes again."""
    there, number, life = owner.split("/")
    if there != host or life == LIFE:
        return False
    return int(number) == process or not Path(f"/proc/{number}").exists()


def _apply(command: Command, rows: Rows, migrations: list[Migration], folder: Path) -> list[str]:
    command(LEDGER)
    fresh = []
    for name, digest, statements in _to_apply(migrations, _applied(rows), folder):
        for statement in statements:
            try:
                command(statement)
            except (OSError, ValueError) as error:
                raise type(error)(f"migration {folder / name}: {error}") from None
        command(
            "INSERT INTO schema_migrations SELECT {name:String}, {sha256:String}, now()",
            {"name": name, "sha256": digest},
        )
        fresh.append(name)
    return fresh


def read_retention(path: Path = RETENTION) -> dict[str, Keep]:
    """Retention by table."""
    lines = path.read_text("utf-8").splitlines()[1:]
    return {keep.table: keep for keep in (Keep(*line.split("\t")) for line in lines)}


class Keeping(NamedTuple):
    """How long tables keep their rows, and where."""

    days: Mapping[str, int]
    """`raw_days` and `summary_days`, 0 for ever."""
    policy: str = ""
    """Storage policy of the server for all tables; empty: its default."""
    cold_days: int = 0
    """Days after which rows go to the policy's volume `cold`; 0 never."""

    def ttl(self, keep: Keep) -> str:
        """TTL of a table as ClickHouse writes it, empty where nothing ever goes."""
        age = f"{keep.column} + toIntervalDay"
        days = self.days[keep.setting]
        parts = [f"{age}({days})"] if days else []
        if self.cold_days and (not days or self.cold_days < days):
            parts.append(f"{age}({self.cold_days}) TO VOLUME 'cold'")
        return ", ".join(parts)


def apply_retention(command: Command, rows: Rows, keeping: Keeping) -> list[str]:
    """Set each table's TTL and storage policy where they are others; names of the tables changed.

    ClickHouse removes and moves rows when it merges, and rewrites older parts in the background.
    """
    found = rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
    engines = {row["name"]: row["engine_full"] for row in found}
    changed = []
    for keep in read_retention().values():
        table = keep.table
        if table not in engines:
            continue
        there = re.search(r"\bTTL (.*?)(?: SETTINGS |$)", engines[table])
        has = there[1].replace("`", "") if there else ""
        wanted = keeping.ttl(keep)
        policy = re.search(r"storage_policy = '(\w+)'", engines[table])
        statements = []
        if keeping.policy and (policy is None or policy[1] != keeping.policy):
            statements.append(f"ALTER TABLE {table} MODIFY SETTING storage_policy = '{keeping.policy}'")
        if has != wanted:
            statements.append(
                f"ALTER TABLE {table} MODIFY TTL {wanted}" if wanted else f"ALTER TABLE {table} REMOVE TTL"
            )
        for statement in statements:
            command(statement)
        if statements:
            changed.append(table)
    return changed
