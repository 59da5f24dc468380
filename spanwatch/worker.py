"""The worker: messages get their meaning, become rows in the store, and are judged.

For each portion of a source: leave out what `batches` knows, decode, classify, insert under the portion's
token, note each message in `batches`, acknowledge. The acknowledgement comes last, so a kill at any point
costs work and never a row; the token and `batches` make the repeated work harmless.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from pipeline.records import TIME
from pipeline.store.client import Store
from pipeline.stream.message import Message, decode
from pipeline.stream.source import Place, Portion, Source
from spanwatch.complaints import Complaints
from spanwatch.judging import Detecting, Judging
from spanwatch.supervision import running

#: Seconds to wait for messages where there are none. Our default.
POLL_S = 0.2
#: A detector round at least this often while messages keep coming. Our default.
ROUND_S = 10.0
#: The same where none came since the last. Our default.
IDLE_ROUND_S = 2.0
#: What is inserted is noted and acknowledged after so many seconds at the latest. Our default.
NOTE_S = 0.5
#: Seconds between two looks whether a round is due. Our default.
LOOK_S = 0.1
#: First and longest wait after the store failed, doubled in between. Our default.
RETRY_S, RETRY_MOST_S = 0.5, 30.0
#: Times that `drain` tries a failing step before it gives up. Our default.
DRAIN_TRIES = 4

INSERTED = (Path(__file__).parent / "inserted.sql").read_text("utf-8")

logger = logging.getLogger(__name__)


#: What the store knows of batches: sensor, boot and sequence → parts of the batch, and those that are there.
Known = dict[tuple[str, str, int], tuple[int, set[int]]]


class Decoded(NamedTuple):
    place: Place
    message: Message
    batch: pa.RecordBatch


class Classifying(Protocol):
    """What the worker needs of a classifier."""

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        """The batch with the columns of its table added."""


class Worker:
    """Works on one source. `run` and `drain` belong to one thread; `status` may be read from any.

    `classifier` and `detectors` may be replaced while it runs: a message is classified by one of
    them as a whole.
    """

    def __init__(self, source: Source, store: Store, classifier: Classifying, detectors: Detecting) -> None:
        self.source = source
        self.store = store
        self.classifier = classifier
        self.judging = Judging(store, detectors)
        self.status: dict[str, Any] = {
            "messages": 0,
            "rows": 0,
            "inserts": 0,
            "repeated": 0,
            "dead": 0,
            "lost": 0,
            "retries": 0,
            "rounds": 0,
            "attempts": 0,
            "findings": 0,
            "last_round_seconds": None,
            "last_event_us": None,
            "backlog_messages": None,
            "backlog_bytes": None,
            "partitions": {},
            "leads": False,
            "warning": "",
            "round_error": "",
            "error": "",
        }
        """Counts since the start. `last_event_us` is the latest event time inserted, `partitions` how many
        messages wait in each that this worker has, `lost` how many were deleted before it had them, `leads`
        whether it runs the detectors, `warning` the last message set aside, `error` and `round_error` why
        messages or rounds are not done, in one line and empty when they are."""
        self._ready = False
        self._idle = True
        self._fresh = True
        self._round_at = time.monotonic()
        self._complaints = Complaints(logger, self.status)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a failing store is tried for ever. Raises ValueError (damaged log)."""
        wait = RETRY_S
        with running("rounds", self._judge, stop):
            while not stop.is_set():
                try:
                    self._take(stop, POLL_S)
                except OSError as error:
                    self._failed(error)
                    stop.wait(wait)
                    wait = min(2 * wait, RETRY_MOST_S)
                    continue
                wait = RETRY_S

    def drain(self) -> None:
        """Work until the source is empty and the detectors have seen it all.

        Raises OSError where the store keeps failing; then the source still holds what is not in.
        """
        never = threading.Event()
        wait_s = POLL_S if self.source.shared else 0.0
        while self._patiently(lambda: self._take(never, wait_s)) or self.status["backlog_messages"] != 0:
            pass
        while self.source.leads() and self._patiently(self._round):
            pass

    def finish(self) -> None:
        """After `run`: drain, unless what is left is for other workers, or for this one when it starts again.

        Raises as `drain`.
        """
        if not self.source.shared:
            self.drain()

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

    def _take(self, stop: threading.Event, wait_s: float) -> int:
        """Work on what there is now; messages done."""
        if not self._ready:
            self.source.open()
            self._ready = True
        done = self._work(self.source.take(wait_s), stop)
        waiting = self.source.waiting()
        self.status["backlog_messages"], self.status["backlog_bytes"] = waiting.messages, waiting.bytes
        self.status["partitions"], self.status["lost"] = waiting.partitions, waiting.lost
        self.status["leads"] = self.source.leads()
        self.status["error"] = ""
        self._idle = not done
        return done

    def _known(self, messages: Sequence[Message]) -> Known:
        if not messages:
            return {}
        names = {
            "sensors": [message.sensor for message in messages],
            "boots": [message.boot for message in messages],
            "sequences": [message.sequence for message in messages],
        }
        return {
            (row["sensor"], row["boot"], row["sequence"]): (row["of"], set(row["known"]))
            for row in self.store.rows(INSERTED, names)
        }

    def _work(self, portions: Sequence[Portion], stop: threading.Event) -> int:
        """Insert the rows of each; note and acknowledge several at once; messages done."""
        known = self._known([message for portion in portions for message in portion.messages])
        inserted: list[Message] = []
        finished: list[Portion] = []
        done, noted_at = 0, time.monotonic()
        for left in range(len(portions) - 1, -1, -1):
            portion = portions[-1 - left]
            inserted += self._insert_new(portion, known)
            finished.append(portion)
            if not left or stop.is_set() or time.monotonic() - noted_at >= NOTE_S:
                self._note(finished, inserted)
                done += sum(len(one.messages) + len(one.broken) for one in finished)
                inserted, finished, noted_at = [], [], time.monotonic()
            if stop.is_set():
                break
        return done

    def _note(self, finished: list[Portion], inserted: list[Message]) -> None:
        if inserted:
            token = finished[0].token
            if len(finished) > 1:
                token = hashlib.sha256("+".join(portion.token for portion in finished).encode()).hexdigest()
            self.store.insert("batches", _batches_rows(inserted), token)
            self._count(inserted)
        self.source.acknowledge(*finished)

    def _count(self, inserted: list[Message]) -> None:
        self.status["messages"] += len(inserted)
        filled = [message for message in inserted if message.rows]
        if filled:
            self.status["rows"] += sum(message.rows for message in filled)
            last = max(message.last for message in filled)
            self.status["last_event_us"] = max(last, self.status["last_event_us"] or last)
            self._fresh = True

    def _insert_new(self, portion: Portion, known: Known) -> list[Message]:
        """Insert what the store does not know yet; the messages whose rows are in now."""
        for place, reason in portion.broken:
            self._set_aside(portion, place, "a message", reason)
        classifier = self.classifier
        decoded: list[Decoded] = []
        for place, message in zip(portion.places, portion.messages, strict=True):
            of, there = known.get(message[:3], (message.parts, set()))
            if message.part in there if of == message.parts else len(there) == of:
                self.status["repeated"] += 1
                continue
            try:
                if of != message.parts:
                    raise ValueError(f"it came in {of} part(s) before, and not all of them are in the store")
                decoded.append(Decoded(place, message, decode(message)))
            except Exception as error:
                self._set_aside(portion, place, f"message {message.token}", _reason(error))
                continue
            # Only now: a damaged one must not stand for another of its name.
            there.add(message.part)
            known[message[:3]] = (of, there)
        return self._insert(portion, classifier, decoded)

    def _insert(self, portion: Portion, classifier: Classifying, decoded: list[Decoded]) -> list[Message]:
        """Insert them as one; where that cannot be, each alone. Returns the messages whose rows are in."""
        try:
            self._insert_rows(portion.records, classifier, decoded, portion.token)
        except OSError:
            raise
        except Exception as error:
            # Whatever a message breaks, the others must not wait for it.
            if len(decoded) == 1:
                place, message, _ = decoded[0]
                self._set_aside(portion, place, f"message {message.token}", _reason(error))
                return []
            alone = [
                portion._replace(token=one.message.token, messages=(one.message,), places=(one.place,))
                for one in decoded
            ]
            return [
                message
                for one, single in zip(decoded, alone, strict=True)
                for message in self._insert(single, classifier, [one])
            ]
        return [one.message for one in decoded]

    def _insert_rows(self, records: str, classifier: Classifying, decoded: list[Decoded], token: str) -> None:
        by_sensor: dict[str, list[pa.RecordBatch]] = {}
        for _, message, batch in decoded:
            if batch.num_rows:
                by_sensor.setdefault(message.sensor, []).append(batch)
        classified = [
            classifier.classify(records, pa.concat_batches(batches), sensor)
            for sensor, batches in by_sensor.items()
        ]
        if classified:
            self.store.insert(records, pa.Table.from_batches(classified), token)
            self.status["inserts"] += 1

    def _set_aside(self, portion: Portion, place: Place, what: str, reason: str) -> None:
        self.source.set_aside(portion, place, reason)
        self.status["dead"] += 1
        self._complaints.tell("warning", "dead", f"{what} was set aside: {reason}")

    def _judge(self, stop: threading.Event) -> None:
        """Rounds, as long as they are this worker's, until `stop` is set."""
        while not stop.wait(LOOK_S):
            if not self.source.leads():
                self.judging.forget()
                continue
            since = time.monotonic() - self._round_at
            if since < (IDLE_ROUND_S if self._idle else ROUND_S) or not (self._fresh or self.source.shared):
                continue
            self._fresh = False
            try:
                self._round()
            except Exception as error:
                # Rows keep coming in; they are judged with the next round.
                self._fresh = True
                self._round_at = time.monotonic()
                self.status["retries"] += 1
                self._complaints.tell("round_error", "round", f"cannot judge what came in: {_line(error)}")

    def _round(self) -> bool:
        judged = self.judging.round()
        self._round_at = time.monotonic()
        for name in ("rounds", "attempts", "findings", "last_round_seconds"):
            self.status[name] = getattr(self.judging, name)
        self.status["round_error"] = ""
        return judged

    def _failed(self, error: OSError) -> None:
        self.status["retries"] += 1
        self._complaints.tell("error", "store", f"{_line(error)}; trying again")


def _line(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split()) or type(error).__name__


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _batches_rows(messages: list[Message]) -> pa.RecordBatch:
    now = time.time_ns() // 1_000_000
    values = {
        "sensor": pa.array([message.sensor for message in messages]),
        "boot": pa.array([message.boot for message in messages]),
        "sequence": pa.array([message.sequence for message in messages], pa.uint64()),
        "part": pa.array([message.part for message in messages], pa.uint32()),
        "parts": pa.array([message.parts for message in messages], pa.uint32()),
        "records": pa.array([message.records for message in messages]),
        "rows": pa.array([message.rows for message in messages], pa.uint64()),
        "first": pa.array([message.first for message in messages], TIME),
        "last": pa.array([message.last for message in messages], TIME),
        "sha256": pa.array([hashlib.sha256(message.payload).hexdigest() for message in messages]),
        "inserted": pa.array([now] * len(messages), pa.timestamp("ms", "UTC")),
    }
    return pa.record_batch(values)
