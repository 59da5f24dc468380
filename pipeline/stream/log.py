"""The log: messages on the sensor's disk until every consumer acknowledged them, within a bound.

One SQLite file (WAL, synchronous=FULL), written by the sensor and read by workers in other
processes. A message is in the log or it is not: `append` is one transaction. Statements are in
`log.sql`.
"""

import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from pipeline.stream.faults import BUSY_S, fault
from pipeline.stream.message import Message
from pipeline.stream.reserve import Reserve

SCRIPT = Path(__file__).with_name("log.sql")
#: Version of `log.sql`, kept in the file's `user_version`.
VERSION = 1
PAGE_BYTES = 16_384
#: What a message costs besides its payload: headers, keys, half a page left over. Our default.
OVERHEAD_BYTES = 1_024
#: Free pages are handed back to the file system from this many on (64 MiB). Our default.
FREE_PAGES = 4_096
#: Room kept free for acknowledging on a full disk: what the write-ahead log may hold, with a margin; at
#: most an eighth of the bound. Without it a full disk would stop the very reading that makes room.
RESERVE_BYTES = 32 << 20
#: Messages set aside keep at most this share of the bound. Our default.
DEAD_SHARE = 0.1

HEADERS = "sensor, boot, sequence, records, schema, rows, first, last, payload"
#: A message in the log is whole: without what says which part it is.
FIELDS = len(HEADERS.split(", "))


class Appended(NamedTuple):
    messages: int
    """Messages that are new in the log; repeated ones are not counted."""
    lost_records: int
    """Records in the messages that had to go, or were not taken, because of the bound."""


class Entry(NamedTuple):
    id: int
    """Place in the log: higher is newer, never used twice."""
    message: Message


class Dead(NamedTuple):
    """A message that no worker could use, without its payload."""

    id: int
    """Its place in the log, while it was there."""
    sensor: str
    boot: str
    sequence: int
    records: str
    schema: int
    rows: int
    first: int
    last: int
    """As in `Message`."""
    size: int
    """Bytes that it takes of the bound."""
    reason: str
    ts: int
    """When it was set aside, µs since 1970."""


class Log:
    """One log file, opened. Usable from several threads; open it once in each process.

    A consumer that registers sees what is still in the log, oldest first. Without any consumer
    nothing is deleted but by the bound.
    """

    def __init__(self, path: Path | str, bound_bytes: int) -> None:
        """Open or create the log at `path`.

        `bound_bytes` bounds the payloads kept plus about 1 KiB each; the file is a little larger.
        Raises OSError (not writable, disk full), ValueError (no log, or a newer program's).
        """
        if bound_bytes <= 0:
            raise ValueError(
                f"cannot open the log {path}: bound of {bound_bytes} bytes; set stream.log_bytes above 0"
            )
        self.path = Path(path)
        self.bound_bytes = bound_bytes
        self._reserve = Reserve(Path(f"{path}-reserve"), min(RESERVE_BYTES, bound_bytes // 8))
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                error.errno,
                f"cannot open the log {path}: {error.strerror}; set `state` to a folder that can be written",
            ) from None
        with self._faults("open"):
            self._db = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
        try:
            with self._faults("open"):
                self._set_up()
            self._renew_reserve()
        except BaseException:
            self._db.close()
            raise

    def _set_up(self) -> None:
        self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA wal_autocheckpoint = 512")
        self._db.execute(f"PRAGMA journal_size_limit = {64 << 20}")
        version = self._version()
        if version == 0:
            with self._transaction():
                if self._version() == 0:
                    for statement in SCRIPT.read_text("utf-8").split(";\n"):
                        if statement.strip():
                            self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise ValueError(
                f"cannot open the log {self.path}: its format is {version}, this program knows {VERSION}; "
                "run the version that wrote it"
            )

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def append(self, messages: Iterable[Message]) -> Appended:
        """Add messages in one transaction, on disk when it returns.

        A boot's sequences only grow: a message at or below its boot's highest was seen before and
        is ignored. Past the bound the oldest messages go, whoever has yet to read them.
        Raises OSError (disk full, busy); then nothing was added and the log stays usable.
        """
        added = lost = 0
        try:
            self._reserve.keep()
        except OSError as error:
            raise fault(f"cannot append to the log {self.path}", error) from None
        with self._lock, self._faults("append to"), self._transaction():
            for message in messages:
                if message.sequence <= self._highest(message.sensor, message.boot):
                    continue
                self._db.execute(
                    "INSERT INTO marks VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET highest = excluded.highest",
                    (message.sensor, message.boot, message.sequence),
                )
                size = len(message.payload) + OVERHEAD_BYTES
                if size > self.bound_bytes:
                    lost += self._lose(1, message.rows)
                    continue
                self._db.execute(
                    f"INSERT INTO messages ({HEADERS}, size) VALUES (?,?,?,?,?,?,?,?,?,?)",
                    (*message[:FIELDS], size),
                )
                self._add("bytes", size)
                added += 1
            lost += self._within_bound()
        return Appended(added, lost)

    def _within_bound(self) -> int:
        excess = self._get("bytes") + self._get("dead_bytes") - self.bound_bytes
        if excess <= 0:
            return 0
        last, count, rows = 0, 0, 0
        for id_, size, rows_ in self._db.execute(
            "SELECT id, size, rows FROM messages INDEXED BY messages_size ORDER BY id"
        ):
            last, count, rows, excess = id_, count + 1, rows + rows_, excess - size
            if excess <= 0:
                break
        self._delete_through(last)
        return self._lose(count, rows)

    def _lose(self, messages: int, rows: int) -> int:
        self._add("lost_messages", messages)
        self._add("lost_records", rows)
        return rows

    def highest(self, sensor: str, boot: str) -> int:
        """Highest sequence of the boot ever appended, -1 before any."""
        with self._lock, self._faults("read"):
            return self._highest(sensor, boot)

    def _highest(self, sensor: str, boot: str) -> int:
        row = self._db.execute(
            "SELECT highest FROM marks WHERE sensor = ? AND boot = ?", (sensor, boot)
        ).fetchone()
        return -1 if row is None else int(row[0])

    def register(self, consumer: str) -> None:
        """Make `consumer` known: from now on it is waited for. Known already: nothing happens."""
        with self._lock, self._faults("register with"), self._transaction():
            self._db.execute("INSERT OR IGNORE INTO consumers VALUES (?, 0)", (consumer,))

    def forget(self, consumer: str) -> None:
        """Stop waiting for `consumer`; what only it still had to read is deleted."""
        with self._lock, self._faults("change"), self._transaction():
            self._db.execute("DELETE FROM consumers WHERE name = ?", (consumer,))
            self._purge()
        self._shrink()

    def read(self, consumer: str, limit: int, limit_bytes: int = 64 << 20, after: int = 0) -> list[Entry]:
        """Oldest messages that `consumer` has not acknowledged, behind the id `after`: up to `limit`, and no
        further one once `limit_bytes` of payload are together. Empty where none wait. Raises ValueError
        (unknown consumer)."""
        entries: list[Entry] = []
        kept = 0
        with self._lock, self._faults("read"):
            after = max(after, self._acknowledged(consumer))
            found = self._db.execute(
                f"SELECT id, {HEADERS} FROM messages WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
            )
            for id_, *headers in found:
                entries.append(Entry(id_, Message(*headers)))
                kept += len(headers[-1])
                if kept >= limit_bytes:
                    break
            found.close()
        return entries

    def acknowledge(self, consumer: str, id: int) -> None:  # noqa: A002
        """`consumer` is done with everything up to and with `id`; it never sees that again.

        What all consumers acknowledged is deleted. Raises ValueError (unknown consumer, or an id
        the log never gave).
        """

        def step() -> None:
            with self._lock, self._faults("acknowledge in"), self._transaction():
                self._acknowledge(consumer, id)

        self._on_reserve(step)
        self._shrink()

    def _acknowledge(self, consumer: str, id_: int) -> None:
        self._acknowledged(consumer)
        if id_ > self._newest():
            raise ValueError(f"cannot acknowledge {id_} in the log {self.path}: no message has that id")
        self._db.execute(
            "UPDATE consumers SET acknowledged = max(acknowledged, ?) WHERE name = ?", (id_, consumer)
        )
        self._purge()

    def newest(self) -> int:
        """Highest id ever given to a message; 0 before any."""
        with self._lock, self._faults("read"):
            return self._newest()

    def _newest(self) -> int:
        given = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        return 0 if given is None else int(given[0])

    def _acknowledged(self, consumer: str) -> int:
        row = self._db.execute("SELECT acknowledged FROM consumers WHERE name = ?", (consumer,)).fetchone()
        if row is None:
            raise ValueError(f"the log {self.path} knows no consumer {consumer!r}; register it first")
        return int(row[0])

    def _purge(self) -> None:
        slowest = self._db.execute("SELECT min(acknowledged) FROM consumers").fetchone()[0]
        if slowest is not None:
            self._delete_through(slowest)

    def _delete_through(self, id_: int) -> None:
        size = self._db.execute(
            "SELECT coalesce(sum(size), 0) FROM messages WHERE id <= ?", (id_,)
        ).fetchone()[0]
        self._db.execute("DELETE FROM messages WHERE id <= ?", (id_,))
        self._add("bytes", -size)

    def _shrink(self) -> None:
        """Hand free pages back to the file system: many, or any while the reserve is used up."""
        with self._lock, self._faults("shrink"):
            free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
            if free < (FREE_PAGES if self._reserve.there() else 1):
                return
            # `execute` would stop after the first page: the statement gives a row for each, without columns.
            self._db.executescript(f"PRAGMA incremental_vacuum({FREE_PAGES // 2})")
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._renew_reserve()

    def _renew_reserve(self) -> None:
        # Here too, not with appends alone: a sensor that dropped its privileges may not make files.
        with suppress(OSError):
            self._reserve.keep()

    def _on_reserve(self, step: Callable[[], None]) -> None:
        """Run `step`; on a full disk once more with the reserve given up. The next append makes it anew."""
        try:
            step()
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._reserve.there():
                raise
            self._reserve.give_up()
            with self._lock, self._faults("checkpoint"):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            step()

    def set_aside(self, id: int, reason: str) -> None:  # noqa: A002
        """Copy the message with `id` to the dead ones, with the reason; once, however often it is called.

        It stays for the other consumers; the caller acknowledges it as any other. Dead messages keep
        at most a tenth of the bound, the oldest go first.
        """
        with self._lock, self._faults("set a message aside in"), self._transaction():
            now = time.time_ns() // 1000
            cursor = self._db.execute(
                f"INSERT OR IGNORE INTO dead SELECT id, {HEADERS}, size, ?, ? FROM messages WHERE id = ?",
                (reason, now, id),
            )
            if cursor.rowcount < 1:
                return
            self._add("dead_messages", 1)
            kept = 0
            for dead_id, size in self._db.execute("SELECT id, size FROM dead ORDER BY id DESC").fetchall():
                kept += size
                if kept > self.bound_bytes * DEAD_SHARE and dead_id != id:
                    self._db.execute("DELETE FROM dead WHERE id = ?", (dead_id,))
                    kept -= size
            self._set("dead_bytes", kept)

    def dead(self) -> list[Dead]:
        """Messages set aside that are still kept, oldest first."""
        with self._lock, self._faults("read"):
            found = self._db.execute(
                "SELECT id, sensor, boot, sequence, records, schema, rows, first, last, size, reason, ts"
                " FROM dead ORDER BY id"
            ).fetchall()
        return [Dead(*row) for row in found]

    def revive(self, ids: Collection[int] = ()) -> int:
        """Put messages set aside (those ids; without any, all) back at the log's end, for every consumer.

        Returns how many. Raises ValueError, and revives none, where an id is not among them.
        """
        with self._lock, self._faults("change"), self._transaction():
            kept = dict(self._db.execute("SELECT id, size FROM dead ORDER BY id").fetchall())
            if unknown := set(ids) - kept.keys():
                raise ValueError(f"no message set aside has the id {min(unknown)}")
            wanted = [id_ for id_ in kept if not ids or id_ in ids]
            columns = f"{HEADERS}, size"
            for id_ in wanted:
                self._db.execute(
                    f"INSERT INTO messages ({columns}) SELECT {columns} FROM dead WHERE id = ?", (id_,)
                )
                self._db.execute("DELETE FROM dead WHERE id = ?", (id_,))
            revived = sum(kept[id_] for id_ in wanted)
            self._add("bytes", revived)
            self._add("dead_bytes", -revived)
        return len(wanted)

    def waiting(self, consumer: str) -> tuple[int, int]:
        """Messages that `consumer` has not acknowledged, and their bytes."""
        with self._lock, self._faults("read"):
            after = self._acknowledged(consumer)
            row = self._db.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM messages WHERE id > ?", (after,)
            )
            messages, size = row.fetchone()
        return messages, size

    def totals(self) -> dict[str, int]:
        """Since the log was made: `lost_messages`, `lost_records` (bound), `dead_messages`; now: `bytes`,
        `dead_bytes`."""
        with self._lock, self._faults("read"):
            return dict(self._db.execute("SELECT name, value FROM totals"))

    def close(self) -> None:
        """Close the file; what was appended is on disk already."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _get(self, name: str) -> int:
        return int(self._db.execute("SELECT value FROM totals WHERE name = ?", (name,)).fetchone()[0])

    def _add(self, name: str, value: int) -> None:
        self._db.execute("UPDATE totals SET value = value + ? WHERE name = ?", (value, name))

    def _set(self, name: str, value: int) -> None:
        self._db.execute("UPDATE totals SET value = ? WHERE name = ?", (value, name))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _faults(self, doing: str) -> Iterator[None]:
        """SQLite's errors as OSError or ValueError, with the mend."""
        try:
            yield
        except sqlite3.Error as error:
            raise fault(f"cannot {doing} the log {self.path}", error) from None
