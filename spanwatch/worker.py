"""The worker: messages from the log get their meaning, become rows in the store, and are judged.

For each message: read, decode, classify, insert with its token, note it in `batches`, acknowledge.
The acknowledgement comes last, so a kill at any point costs work and never a row; the token and
`batches` make the repeated work harmless.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from pipeline.records import TIME
from pipeline.settings import Settings
from pipeline.store.client import Store
from pipeline.stream.log import Entry, Log
from pipeline.stream.message import Message, decode
from spanwatch.spans import merged

#: Name under which workers read the log.
CONSUMER = "worker"
#: Messages read at once. Our default.
READ = 32
#: Seconds between two looks at an empty log. Our default.
POLL_S = 0.2
#: A detector round at least this often while messages keep coming. Our default.
ROUND_S = 10.0
#: An idle worker waits this long between rounds. Our default.
IDLE_ROUND_S = 2.0
#: First and longest wait after the store failed, doubled in between. Our default.
RETRY_S, RETRY_MOST_S = 0.5, 30.0
#: Times that `drain` tries a failing step before it gives up. Our default.
DRAIN_TRIES = 4
#: The same complaint is logged once in this many seconds. Our default.
COMPLAINT_S = 60.0

FOLDER = Path(__file__).parent
UNCOVERED = (FOLDER / "uncovered.sql").read_text("utf-8")
INSERTED = (FOLDER / "inserted.sql").read_text("utf-8")

logger = logging.getLogger(__name__)


class Classifying(Protocol):
    """What the worker needs of a classifier."""

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        """The batch with the columns of its table added."""


class Judged(Protocol):
    """What a detector round says it did."""

    @property
    def attempts(self) -> int: ...
    @property
    def findings(self) -> int: ...


class Detecting(Protocol):
    """What the worker needs of the detectors."""

    def round(self, first_us: int, last_us: int) -> Judged:
        """Judge everything that touches the range of event time, again if need be."""


class Worker:
    """Works on one log. `run` and `drain` belong to one thread; `status` may be read from any.

    `classifier` and `detectors` may be replaced while it runs: a message is classified by one of
    them as a whole.
    """

    def __init__(
        self, settings: Settings, log: Log, store: Store, classifier: Classifying, detectors: Detecting
    ) -> None:
        self.settings = settings
        self.log = log
        self.store = store
        self.classifier = classifier
        self.detectors = detectors
        self.status: dict[str, Any] = {
            "messages": 0,
            "rows": 0,
            "repeated": 0,
            "dead": 0,
            "retries": 0,
            "rounds": 0,
            "attempts": 0,
            "findings": 0,
            "last_round_seconds": None,
            "last_event_us": None,
            "backlog_messages": None,
            "backlog_bytes": None,
            "warning": "",
            "round_error": "",
            "error": "",
        }
        """Counts since the start; `last_event_us` is the latest event time inserted, `warning` the
        last message set aside, `error` and `round_error` why messages or rounds are
        not done, in one line and empty when they are."""
        self._ready = False
        self._spans: list[tuple[int, int]] = []
        self._covered: dict[tuple[str, str], int] = {}
        self._round_at = 0.0
        self._complaints: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a failing store is tried for ever. Raises ValueError (damaged log)."""
        wait = RETRY_S
        while not stop.is_set():
            try:
                self._prepare()
                took = self._take(stop)
                self._round_when_due(idle=not took)
            except OSError as error:
                self._failed(error)
                stop.wait(wait)
                wait = min(2 * wait, RETRY_MOST_S)
                continue
            wait = RETRY_S
            if not took:
                stop.wait(POLL_S)

    def drain(self) -> None:
        """Work until the log is empty and the detectors have seen it all.

        Raises OSError where the store keeps failing; then the log still holds what is not in.
        """
        never = threading.Event()
        self._patiently(self._prepare)
        while self._patiently(lambda: self._take(never)):
            self._patiently(lambda: self._round_when_due(idle=False))
        if self._spans:
            self._patiently(self._round)

    def _patiently(self, step: Callable[[], Any]) -> Any:
        wait = RETRY_S
        for left in range(DRAIN_TRIES - 1, -1, -1):
            try:
                return step()
            except OSError as error:
                self._failed(error)
                if not left:
                    raise
                time.sleep(wait)
                wait *= 2
        return None

    def _prepare(self) -> None:
        if self._ready:
            return
        self.log.register(CONSUMER)
        for row in self.store.rows(UNCOVERED):
            self._uncovered(row["sensor"], row["boot"], row["sequence"], row["first_us"], row["last_us"])
        self._round_at = time.monotonic()
        self._ready = True

    def _take(self, stop: threading.Event) -> int:
        """Work on what can be read now; messages done."""
        entries = self.log.read(CONSUMER, READ)
        done = 0
        if entries:
            inserted = self._inserted([entry.message for entry in entries])
            for entry in entries:
                if stop.is_set():
                    break
                if entry.message.token in inserted:
                    self.status["repeated"] += 1
                else:
                    self._work(entry)
                self.log.acknowledge(CONSUMER, entry.id)
                done += 1
        self.status["backlog_messages"], self.status["backlog_bytes"] = self.log.waiting(CONSUMER)
        self.status["error"] = ""
        return done

    def _inserted(self, messages: list[Message]) -> set[str]:
        names = {
            "sensors": [message.sensor for message in messages],
            "boots": [message.boot for message in messages],
            "sequences": [message.sequence for message in messages],
        }
        rows = self.store.rows(INSERTED, names)
        return {f"{row['sensor']}/{row['boot']}/{row['sequence']}" for row in rows}

    def _work(self, entry: Entry) -> None:
        message = entry.message
        try:
            classifier = self.classifier
            batch = classifier.classify(message.records, decode(message), message.sensor)
            self.store.insert(message.records, batch, message.token)
        except OSError:
            raise
        except Exception as error:
            # Whatever a message breaks, the ones behind it must not wait for it.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.log.set_aside(entry.id, reason)
            self.status["dead"] += 1
            self._complain("warning", "dead", f"message {message.token} was set aside: {reason}")
            return
        self.store.insert("batches", _batches_row(message), message.token)
        self.status["messages"] += 1
        self.status["rows"] += message.rows
        if message.rows:
            self.status["last_event_us"] = max(message.last, self.status["last_event_us"] or message.last)
            self._uncovered(message.sensor, message.boot, message.sequence, message.first, message.last)

    def _uncovered(self, sensor: str, boot: str, sequence: int, first: int, last: int) -> None:
        self._spans = merged([*self._spans, (first, last)])
        self._covered[sensor, boot] = max(sequence, self._covered.get((sensor, boot), 0))

    def _round_when_due(self, idle: bool) -> None:
        since = time.monotonic() - self._round_at
        if self._spans and since >= (IDLE_ROUND_S if idle else ROUND_S):
            try:
                self._round()
            except OSError:
                raise
            except Exception as error:
                # Rows keep coming in; the ranges are judged with the next round.
                self.status["retries"] += 1
                self._complain("round_error", "round", f"cannot judge what came in: {_line(error)}")
                self._round_at = time.monotonic()

    def _round(self) -> None:
        """Judge the ranges that are left and note how far that is. What fails is left for the next round."""
        begun = time.monotonic()
        spans, covered = list(self._spans), dict(self._covered)
        for first, last in spans:
            judged = self.detectors.round(first, last)
            self.status["attempts"] += judged.attempts
            self.status["findings"] += judged.findings
        token = hashlib.sha256(repr((spans, sorted(covered.items()))).encode()).hexdigest()
        self.store.insert("rounds", _rounds_rows(covered), token)
        self._spans, self._covered = [], {}
        self._round_at = time.monotonic()
        self.status["rounds"] += 1
        self.status["round_error"] = ""
        self.status["last_round_seconds"] = self._round_at - begun

    def _failed(self, error: OSError) -> None:
        self.status["retries"] += 1
        self._complain("error", "store", f"{_line(error)}; trying again")

    def _complain(self, key: str, kind: str, line: str) -> None:
        """Keep the line in the status, and log one of its kind a minute."""
        self.status[key] = line
        now = time.monotonic()
        if now - self._complaints.get(kind, -COMPLAINT_S) >= COMPLAINT_S:
            self._complaints[kind] = now
            logger.warning("%s", line)


def _line(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split()) or type(error).__name__


def _batches_row(message: Message) -> pa.RecordBatch:
    values = {
        "sensor": pa.array([message.sensor]),
        "boot": pa.array([message.boot]),
        "sequence": pa.array([message.sequence], pa.uint64()),
        "records": pa.array([message.records]),
        "rows": pa.array([message.rows], pa.uint64()),
        "first": pa.array([message.first], TIME),
        "last": pa.array([message.last], TIME),
        "sha256": pa.array([hashlib.sha256(message.payload).hexdigest()]),
        "inserted": pa.array([time.time_ns() // 1_000_000], pa.timestamp("ms", "UTC")),
    }
    return pa.record_batch(values)


def _rounds_rows(covered: dict[tuple[str, str], int]) -> pa.RecordBatch:
    values = {
        "sensor": pa.array([sensor for sensor, _ in covered]),
        "boot": pa.array([boot for _, boot in covered]),
        "sequence": pa.array(covered.values(), pa.uint64()),
        "finished": pa.array([time.time_ns() // 1_000_000] * len(covered), pa.timestamp("ms", "UTC")),
    }
    return pa.record_batch(values)
