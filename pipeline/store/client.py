"""One client for every kind of store: ClickHouse in the process, or a server over HTTP or its own port."""

import errno
import fcntl
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

import pyarrow as pa

from pipeline.settings import Settings
from pipeline.store import migrate
from pipeline.store.cluster import ClusterCommand, cluster_settings, distribute, local, shards
from pipeline.store.connections import MIGRATION_S, ConnectConnection, Connection
from pipeline.store.distances import as_stored
from pipeline.store.faults import faults
from pipeline.store.native import NativeConnection

DATABASE = "spanwatch"
#: A server with long-term support that makes projections anew when rows go by their age or are added up
#: (ClickHouse, pull request 77166); its views know the tokens of what feeds them (61601).
OLDEST = (26, 3)
#: Questions at the same time; the others wait. chDB serialises within one handle. Our default.
READERS = 4
#: Inserts at the same time. They have places of their own: readers never hold up the worker.
WRITERS = 2
#: One block an insert, written before the call returns; retried ones are recognised by their token,
#: in the table and in the targets of its views; a batch may hold any mixture of months. What a view has
#: grouped need not be grouped again before it is written: that took a quarter of an insert into `flows`.
INSERT = {
    "optimize_on_insert": 0,
    "async_insert": 0,
    "max_insert_threads": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 0,
}


class Store:
    """An opened store. Every method may be called from any thread."""

    def __init__(
        self,
        dsn: str,
        days: Mapping[str, int],
        *,
        cluster: str = "",
        quorum: int = 0,
        policy: str = "",
        cold_days: int = 0,
    ) -> None:
        """`days`: `raw_days` and `summary_days`, 0 for ever; the rest as in the settings.

        Raises as `open_store`.
        """
        self.dsn, self.database = split_dsn(dsn)
        self.keeping = migrate.Keeping(dict(days), policy, cold_days)
        self.cluster = cluster
        if cluster and embedded(self.dsn):
            raise ValueError("store.cluster needs a server; set store.dsn, or leave store.cluster out")
        self._settings = cluster_settings(quorum) if cluster else {}
        self._readers = threading.BoundedSemaphore(READERS)
        self._writers = threading.BoundedSemaphore(WRITERS)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        _refuse_held(self.dsn)
        # Runs nothing else: chDB in memory lives as long as one handle does.
        self._anchor = self._connect(None)
        try:
            with faults(f"make database {self.database}"):
                self._make_databases()
            self._idle.append(self._connect(self.database))
        except BaseException:
            self._anchor.close()
            raise

    def _make_databases(self) -> None:
        if not self.cluster:
            self._anchor.command(f"CREATE DATABASE IF NOT EXISTS `{self.database}`", None, {})
            return
        clusters = {row["cluster"] for row in self._anchor.rows("SELECT cluster FROM system.clusters", None)}
        if self.cluster not in clusters:
            raise ValueError(
                f"the server knows no cluster {self.cluster!r}; set store.cluster to one of its "
                f"<remote_servers>: {', '.join(sorted(clusters)) or 'none there'}"
            )
        there = {row["name"] for row in self._anchor.rows("SELECT name FROM system.databases", None)}
        # What is there needs no other server to be up.
        for name in {self.database, local(self.database)} - there:
            self._anchor.command(
                f"CREATE DATABASE IF NOT EXISTS `{name}` ON CLUSTER `{self.cluster}`", None, {}
            )

    def _connect(self, database: str | None, dsn: str = "") -> Connection:
        kind = NativeConnection if self.dsn.startswith("clickhouse") else ConnectConnection
        try:
            with faults(f"open the store {_shown(self.dsn)}"):
                return kind(dsn or self.dsn, database, self._settings)
        except OSError as error:
            raise _opening_fault(self.dsn, error) from None

    @contextmanager
    def _client(self, places: threading.BoundedSemaphore) -> Iterator[Connection]:
        with places:
            with self._lock:
                if self._closed:
                    raise ValueError("the store is closed")
                client = self._idle.pop() if self._idle else None
            if client is None:
                client = self._connect(self.database)
            keep = False
            try:
                yield client
                keep = True
            finally:
                with self._lock:
                    keep = keep and not self._closed
                    if keep:
                        self._idle.append(client)
                if not keep:
                    # chDB may hand what a failed statement had begun to write to the next one.
                    client.close()

    def migrate(self, folder: Path = migrate.FOLDER) -> list[str]:
        """Bring tables and TTLs up to date; names of the migrations applied now.

        In a cluster all servers must be up where there is something to do. Raises ValueError (a changed or
        unknown migration, a server that is too old), OSError.
        """
        if folder == migrate.FOLDER:
            self._refuse_old()
        if self.cluster:
            return self._migrate_cluster(folder)
        with closing(self._connect(self.database, _patient(self.dsn))) as connection:

            def run(sql: str, parameters: Mapping[str, Any] | None = None) -> None:
                with faults("run a statement"):
                    connection.command(sql, parameters, {})

            fresh = migrate.apply(run, self.rows, folder)
            migrate.apply_retention(run, self.rows, self.keeping)
        return fresh

    def _refuse_old(self) -> None:
        [row] = self.rows("SELECT version() AS version")
        if tuple(int(part) for part in row["version"].split(".")[:2]) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise ValueError(f"the server is ClickHouse {row['version']}; install {oldest} or newer")

    def _migrate_cluster(self, folder: Path) -> list[str]:
        dsn = _patient(self.dsn)
        with closing(self._connect(local(self.database), dsn)) as connection:

            def run(sql: str, parameters: Mapping[str, Any] | None = None) -> None:
                with faults("run a statement"):
                    connection.command(sql, parameters, {})

            def rows(sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
                with faults("answer a query"):
                    return connection.rows(sql, parameters)

            def each_shard(sql: str) -> None:
                for replicas in shards(rows, dsn, self.cluster):
                    if replicas:
                        self._run_on_one(replicas, sql)
                    else:
                        run(sql)

            command = ClusterCommand(self.cluster, self.database, run, each_shard)
            fresh = migrate.apply(command, rows, folder)
            migrate.apply_retention(command, rows, self.keeping)
            distribute(run, rows, self.cluster, self.database)
        return fresh

    def _run_on_one(self, replicas: list[str], sql: str) -> None:
        """Run a statement in the local database of the first of a shard's replicas that takes connections."""
        for last, dsn in zip([*[False] * (len(replicas) - 1), True], replicas, strict=True):
            try:
                with faults(f"open the store {_shown(dsn)}"):
                    connection = NativeConnection(dsn, local(self.database), self._settings)
            except OSError:
                if last:
                    raise
                continue
            with closing(connection), faults("run a statement"):
                connection.command(sql, None, {})
            return

    def insert(self, table: str, batch: pa.RecordBatch | pa.Table, token: str) -> None:
        """Insert rows, columns by name; those absent take their defaults. On disk when it returns.

        Flows come with the columns of the contract, and are kept as `pipeline.store.distances` says.

        The same `token` for the same table again does nothing: not there, nor in the rollups fed by
        it, as long as it is among the table's last 10,000 inserted parts. No rows: nothing happens.
        Raises ValueError (table and columns don't fit: a retry is in vain) or OSError (try again).
        """
        if not batch.num_rows:
            return
        whole = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        if table == "flows":
            whole = as_stored(whole)
        settings = INSERT | {"insert_deduplication_token": token}
        with self._client(self._writers) as client, faults(f"insert into {table}"):
            client.insert(table, whole.combine_chunks(), settings)

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Result of a query as a table: IPv6 as 16 bytes, DateTime64 as timestamps, DateTime as uint32
        seconds (cast it in the query where that matters), text always valid UTF-8.

        `parameters` fill `{name:Type}` in the query. Raises ValueError (query), OSError (store).
        """
        with self._client(self._readers) as client, faults("answer a query"):
            return client.arrow(sql, parameters)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Result of a query as JSON-ready dictionaries.

        Times are RFC 3339 text ending in `Z` with the column's precision (6 digits for the records'
        times), addresses text with IPv4-mapped ones as dotted quads, NaN and infinity None, maps
        dictionaries, bytes of text that are no UTF-8 U+FFFD. Raises as `arrow`.
        """
        with self._client(self._readers) as client, faults("answer a query"):
            return client.rows(sql, parameters)

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Run a statement that has no result, or one value. Raises as `arrow`."""
        with self._client(self._readers) as client, faults("run a statement"):
            return client.command(sql, parameters, {})

    def close(self) -> None:
        """Close what is idle now and the rest when its statement ends; the engine goes with the last."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in (*idle, self._anchor):
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_store(settings: Settings) -> Store:
    """The store of `settings.store_dsn`, its database made where it is not there; not migrated.

    `chdb:///folder`, `chdb://:memory:` (gone when closed), `http(s)://user:password@host:port/database`,
    `clickhouse(s)://user:password@host:port/database`; a database other than `spanwatch` in chDB:
    `?database=…`. Raises OSError (held by another process, not writable, not reachable), ValueError (DSN).
    """
    kept = settings.store
    return Store(
        _with_password(settings.store_dsn, kept.password_file),
        {"raw_days": kept.raw_days, "summary_days": kept.summary_days},
        cluster=kept.cluster,
        quorum=kept.quorum,
        policy=kept.storage_policy,
        cold_days=kept.cold_days,
    )


def _with_password(dsn: str, file: Path | None) -> str:
    """The DSN with the first line of the file as its password. Raises OSError."""
    if file is None or embedded(dsn):
        return dsn
    try:
        password = file.read_text("utf-8").split("\n", 1)[0]
    except OSError as error:
        raise OSError(
            error.errno, f"cannot read store.password_file {file}: {error.strerror}; make it readable"
        ) from None
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    user = quote(unquote(parts.username or "default"), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def embedded(dsn: str) -> bool:
    """Whether the store is in the process."""
    return dsn.startswith("chdb:")


def split_dsn(dsn: str) -> tuple[str, str]:
    """The DSN without its database, and the database."""
    parts = urlsplit(dsn)
    named = parse_qs(parts.query).get("database", [""])[0]
    if parts.scheme == "chdb":
        bare = parts._replace(query="", path="" if parts.netloc else parts.path)
        bare_dsn = f"chdb://{parts.netloc}{bare.path}"
        named = named or (unquote(parts.path.strip("/")) if parts.netloc else "")
    elif parts.scheme in ("http", "https", "clickhouse", "clickhouses"):
        named = named or unquote(parts.path.strip("/"))
        query = "&".join(part for part in parts.query.split("&") if part and not part.startswith("database="))
        bare_dsn = urlunsplit(parts._replace(path="", query=query))
    else:
        raise ValueError(
            f"store.dsn {_shown(dsn)} is no store; give chdb:///folder, http(s)://host:port/database or "
            "clickhouse(s)://host:port/database"
        )
    named = named or DATABASE
    if not re.fullmatch(r"\w+", named):
        raise ValueError(f"store.dsn names database {named!r}; give letters, digits and underscores")
    return bare_dsn, named


def _patient(dsn: str) -> str:
    """The DSN with the time that a statement of a migration may take."""
    if embedded(dsn):
        return dsn
    parts = urlsplit(dsn)
    kept = [part for part in parts.query.split("&") if part and not part.startswith("send_receive_timeout=")]
    return urlunsplit(parts._replace(query="&".join([*kept, f"send_receive_timeout={MIGRATION_S}"])))


def _shown(dsn: str) -> str:
    return re.sub(r"//[^@/]*@", "//…@", dsn)


def embedded_folder(dsn: str) -> Path | None:
    """Folder of an embedded store; None for a server and for a store in memory."""
    parts = urlsplit(dsn)
    return Path(parts.path) if parts.scheme == "chdb" and not parts.netloc and parts.path else None


def is_made(settings: Settings) -> bool:
    """False where the store is embedded and its folder not there yet: to open it would make an empty one."""
    folder = embedded_folder(settings.store_dsn)
    return folder is None or folder.exists()


def _folder(dsn: str) -> Path:
    return Path(urlsplit(dsn).path or ".")


def _refuse_held(dsn: str) -> None:
    """Raise OSError where another process has the folder open: chDB would say less, on standard error too."""
    if not dsn.startswith("chdb:///"):
        return
    owner = _holder(_folder(dsn) / "status")
    if owner is not None and owner != str(os.getpid()):
        raise OSError(
            errno.EBUSY,
            f"another spanwatch process{f' (pid {owner})' if owner else ''} holds the store {_folder(dsn)}; "
            "stop it, ask its API, or set store.dsn to another folder",
        )


def _opening_fault(dsn: str, error: OSError) -> OSError:
    if isinstance(error, PermissionError):
        return error
    if not dsn.startswith("chdb:"):
        return OSError(error.errno, f"{error.strerror}; start the server or mend store.dsn")
    folder = _folder(dsn)
    if "already initialized with path" in str(error):
        return OSError(errno.EBUSY, f"this process has another store open than {folder}; close that first")
    reason = re.search(r"filesystem error: in \w+: ([^\[\n]*)", str(error))
    return OSError(
        error.errno,
        f"cannot open the store {folder}: {reason[1].strip() if reason else error.strerror}; "
        "set store.dsn or `state` to a folder that can be written and has room",
    )


def _holder(status: Path) -> str | None:
    """Process id that holds chDB's status file (empty: not readable); None where nobody does."""
    try:
        with status.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found = re.search(rb"PID: (\d+)", file.read(200))
                return found[1].decode() if found else ""
    except OSError:
        pass
    return None
