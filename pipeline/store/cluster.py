"""A store on several servers: local tables in `<database>_local`, Distributed ones of their names over them.

The statements of migrations are the same as on one server. Here they become those of a cluster: `ON CLUSTER`,
engines of the Replicated family, windows of tokens kept by the keeper; statements that move rows run once on
each shard. Views feed from local table to local table, so a row and its sums lie on one shard.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from pipeline.store.migrate import Command, Rows
from pipeline.store.native import OPTIONS

SHARDING = Path(__file__).with_name("sharding.tsv")
#: Tables of which every server holds all rows: replicas of one another across shards.
EVERYWHERE = ("schema_migrations",)
#: How long the keeper remembers tokens: longer than an outage that a retry may outlast. Our default.
WINDOW_S = 30 * 86_400
#: What a Distributed table needs to answer and to insert as one table does: joins of two see all rows; an
#: insert returns when the rows are on their shards, each share under its token.
SETTINGS = {"distributed_product_mode": "global", "insert_distributed_sync": 1}
#: Milliseconds that an insert waits for its quorum. Our default.
QUORUM_MS = 60_000

_KINDS = re.compile(
    r"(CREATE\s+TABLE|CREATE\s+MATERIALIZED\s+VIEW|DROP\s+TABLE|DROP\s+VIEW|TRUNCATE\s+TABLE|ALTER\s+TABLE"
    r"|CREATE\s+DATABASE|INSERT\s+INTO)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?`?(\w+)`?",
    re.IGNORECASE,
)
_ENGINE = re.compile(r"\bENGINE\s*=\s*(?!Replicated)(\w*MergeTree)(\s*\(\s*\)|\s*(\())?", re.IGNORECASE)
_SOURCE = re.compile(r"\b(TO|FROM|JOIN)\s+(\w+)\b(?!\s*[.(])", re.IGNORECASE)
_REWRITES = re.compile(r"\bSETTINGS\b[^;]*\bmutations_sync = 2\b")
_WINDOW = re.compile(r"\bnon_replicated_deduplication_window\s*=\s*(\d+)")


def local(database: str) -> str:
    """Database of the tables that hold rows."""
    return f"{database}_local"


def read_sharding(path: Path = SHARDING) -> dict[str, str]:
    """By table, the columns whose hash says on which shard a row lies.

    All are of the table's key: what replaces or adds up to one row then lies on one shard.
    """
    lines = path.read_text("utf-8").splitlines()[1:]
    return dict(line.split("\t") for line in lines)


def cluster_settings(quorum: int) -> dict[str, Any]:
    """Settings of every connection to a cluster; `quorum`: replicas that have an insert before it counts."""
    return SETTINGS | ({"insert_quorum": quorum, "insert_quorum_timeout": QUORUM_MS} if quorum > 1 else {})


def shards(rows: Rows, dsn: str, cluster: str) -> list[list[str]]:
    """DSNs of each shard's replicas at their native ports, with the user, password and TLS of `dsn`.

    No DSN for the shard of the server that is asked.
    """
    parts = urlsplit(dsn)
    scheme = "clickhouses" if parts.scheme in ("https", "clickhouses") else "clickhouse"
    user = f"{parts.netloc.rpartition('@')[0]}@" if parts.username else ""
    options = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name in OPTIONS])
    found = rows(
        "SELECT shard_num, host_name, port, is_local FROM system.clusters WHERE cluster = {cluster:String} "
        "ORDER BY shard_num, replica_num",
        {"cluster": cluster},
    )
    here = {row["shard_num"] for row in found if row["is_local"]}
    by_shard: dict[int, list[str]] = {number: [] for number in here}
    for row in found:
        if row["shard_num"] in here:
            continue
        host = f"[{row['host_name']}]" if ":" in row["host_name"] else row["host_name"]
        address = f"{scheme}://{user}{host}:{row['port']}"
        by_shard.setdefault(row["shard_num"], []).append(f"{address}?{options}" if options else address)
    return list(by_shard.values())


def moves_rows(statement: str) -> bool:
    """Whether a statement is to run on each shard by itself, since it has no `ON CLUSTER`."""
    return _kind(statement)[0] == "INSERT INTO"


def _kind(statement: str) -> tuple[str, re.Match[str]]:
    match = _KINDS.match(statement)
    if match is None:
        raise ValueError(
            f"statement {statement[:60]!r} has no form for a cluster; write it with CREATE, ALTER, DROP, "
            "TRUNCATE or INSERT"
        )
    return " ".join(match[1].upper().split()), match


def rewrite(statement: str, cluster: str, database: str) -> str:
    """A migration's statement as a cluster's. Raises ValueError for a kind of statement not known here."""
    kind, match = _kind(statement)
    if kind == "INSERT INTO":
        return statement
    end = match.end()
    on = f" ON CLUSTER `{cluster}`"
    if kind == "DROP TABLE" and match[2] != "migrating":
        # Else its path in the keeper stays for minutes, and the table cannot be made again.
        return f"{statement[:end]}{on}{statement[end:]} SYNC"
    if kind == "CREATE MATERIALIZED VIEW":
        # A server that is told to make it has another database in use.
        return statement[:end] + on + _SOURCE.sub(rf"\1 {local(database)}.\2", statement[end:])
    if kind != "CREATE TABLE":
        # Other servers are waited for no longer than theirs takes, unless they write what they have anew.
        patience = ", distributed_ddl_task_timeout = -1" if _REWRITES.search(statement) else ""
        return statement[:end] + on + statement[end:] + patience
    table = match[2]
    everywhere = table in EVERYWHERE
    path = f"/clickhouse/tables/{'all' if everywhere else '{shard}'}/{local(database)}/{table}"
    replica = "{shard}-{replica}" if everywhere else "{replica}"

    def engine(found: re.Match[str]) -> str:
        return f"ENGINE = Replicated{found[1]}('{path}', '{replica}'" + (", " if found[3] else ")")

    window = rf"replicated_deduplication_window = \1, replicated_deduplication_window_seconds = {WINDOW_S}"
    body = _WINDOW.sub(window, _ENGINE.sub(engine, statement[end:], count=1))
    return statement[:end] + on + body


class ClusterCommand:
    """Runs a migration's statements on all servers of a cluster."""

    def __init__(self, cluster: str, database: str, run: Command, each_shard: Callable[[str], None]) -> None:
        """`run` sends to one server; `each_shard` to one server of each shard, in the local database."""
        self.cluster, self.database = cluster, database
        self._run, self._each_shard = run, each_shard

    def __call__(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Raises ValueError, OSError."""
        rewritten = rewrite(statement, self.cluster, self.database)
        if moves_rows(statement) and _kind(statement)[1][2] not in EVERYWHERE:
            self._each_shard(rewritten)
        else:
            self._run(rewritten, parameters)


def distribute(run: Command, rows: Rows, cluster: str, database: str) -> list[str]:
    """Make a Distributed table over each local one, anew where the columns changed; names of those made.

    Raises ValueError where a table has no line in `sharding.tsv`.
    """
    columns = rows(
        "SELECT database, table, groupArray((name, type, default_kind, default_expression)) AS columns FROM "
        "system.columns WHERE database IN ({one:String}, {all:String}) GROUP BY database, table",
        {"one": local(database), "all": database},
    )
    found = {(row["database"], row["table"]): row["columns"] for row in columns}
    tables = rows(
        "SELECT name FROM system.tables WHERE database = {one:String} AND engine LIKE '%MergeTree' "
        "ORDER BY name",
        {"one": local(database)},
    )
    sharding = read_sharding()
    made = []
    for table in (row["name"] for row in tables):
        if table in EVERYWHERE or found.get((local(database), table)) == found.get((database, table)):
            continue
        if table not in sharding:
            raise ValueError(f"table {table} has no line in {SHARDING}; name columns of its key there")
        name, below = f"`{database}`.`{table}`", f"`{local(database)}`"
        if (database, table) in found:
            run(f"DROP TABLE IF EXISTS {name} ON CLUSTER `{cluster}`")
        run(
            f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER `{cluster}` AS {below}.`{table}` "
            f"ENGINE = Distributed(`{cluster}`, {below}, `{table}`, cityHash64({sharding[table]}))"
        )
        made.append(table)
    return made
