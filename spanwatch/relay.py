"""The relay: messages from the sensor's log, split by the clients' hosts, to Kafka.

It reads ahead of what is acknowledged and has a bounded number of bytes on their way; a message goes out of
the log when all in-sync brokers have all parts of it. Whatever fails, it starts again from the log: a part
that the workers have already is left out by them.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from pipeline.records import SCHEMAS
from pipeline.settings import Settings, SettingsError
from pipeline.stream import source
from pipeline.stream.kafka import fault, open_admin, open_producer, options
from pipeline.stream.kafka_headers import headers_of
from pipeline.stream.log import Entry, Log
from pipeline.stream.split import split
from pipeline.stream.split_plan import SplitPlan
from pipeline.stream.topics import make, topic_of, wanted
from spanwatch.complaints import Complaints
from spanwatch.sensing import stop_with_parent
from spanwatch.services import RELAY, only_one, stopped_by_signals
from spanwatch.textfile import writing

#: Name under which the relay reads the log.
CONSUMER = RELAY
#: Messages read at once, and bytes on their way to the brokers at most. Our defaults.
READ, FLYING_BYTES = 32, 32 << 20
#: Seconds between two looks at an empty log. Our default.
POLL_S = 0.1
#: Acknowledging costs the disk a flush: not more often than this, in seconds. Our default.
ACKNOWLEDGE_S = 0.25
#: First and longest wait after the brokers failed, doubled in between. Our default.
RETRY_S, RETRY_MOST_S = 0.5, 10.0
#: Seconds without any acknowledgement after which the connection is made anew. Our default.
STALLED_S = 150.0
#: Seconds without any acknowledgement after which that is told. Our default.
SLOW_S = 10.0
#: Seconds between two looks at how many partitions there are. Our default.
PARTITIONS_S = 30.0
#: Seconds that the last messages get when the relay stops. Our default.
FLUSH_S = 5.0
#: Times that `drain` tries before it gives up. Our default.
DRAIN_TRIES = 4

logger = logging.getLogger("spanwatch.relay")


class Flying(NamedTuple):
    """A message on its way."""

    id: int
    rows: int
    size: int
    futures: list[Any]
    """Of its parts; none where it was set aside."""


class Afresh(Exception):  # noqa: N818
    """The brokers are well, the producer is of no more use."""


class Relay:
    """Moves one log to Kafka. `run` and `drain` belong to one thread; `status` may be read from any."""

    def __init__(self, settings: Settings, log: Log) -> None:
        """Raises ValueError (damaged plan), OSError."""
        self.settings = settings
        self.log = log
        self.plan = SplitPlan(settings.split_file)
        self.status: dict[str, Any] = {
            "messages": 0,
            "rows": 0,
            "parts": 0,
            "bytes": 0,
            "dead": 0,
            "retries": 0,
            "connected": False,
            "waiting_messages": None,
            "waiting_bytes": None,
            "last_acknowledged_us": None,
            "warning": "",
            "error": "",
        }
        """Counts since the start, of what all brokers acknowledged; `waiting_*` in the log; `warning` the
        last message set aside, `error` why messages are not moving, in one line and empty when they are."""
        self._flying: deque[Flying] = deque()
        self._flying_bytes = 0
        self._read_to = 0
        self._moved_at = self._acknowledged_at = 0.0
        self._done_to = 0
        self._alone_to = 0
        """Up to this place of the log messages go one by one: one of them was too large."""
        self._landed = threading.Event()
        self._complaints = Complaints(logger, self.status)
        self._ready = False

    def run(self, stop: threading.Event) -> None:
        """Relay until `stop` is set, trying brokers that fail for ever. Raises ValueError."""
        wait = RETRY_S
        while not stop.is_set():
            moved = self.status["messages"]
            try:
                self._session(stop, drain=False)
            except OSError as error:
                self._failed(error)
                if self.status["messages"] > moved:
                    wait = RETRY_S
                stop.wait(wait)
                wait = min(2 * wait, RETRY_MOST_S)

    def drain(self) -> None:
        """Relay until the log holds nothing more for us. Raises OSError where the brokers keep failing."""
        wait = RETRY_S
        for left in range(DRAIN_TRIES - 1, -1, -1):
            try:
                return self._session(threading.Event(), drain=True)
            except OSError as error:
                self._failed(error)
                if not left:
                    raise
                time.sleep(wait)
                wait *= 2

    def _session(self, stop: threading.Event, *, drain: bool) -> None:
        """Relay over one connection, until `stop` or, draining, until nothing waits. Raises OSError."""
        self._prepare()
        kafka = self.settings.stream.kafka
        with open_admin(kafka) as admin:
            made = make(admin, wanted(kafka))
            if made:
                logger.info("made the topics %s", ", ".join(made))
        while True:
            try:
                with open_producer(kafka, "relay") as producer:
                    return self._move(producer, stop, drain=drain)
            except Afresh:
                continue

    def _move(self, producer: KafkaProducer, stop: threading.Event, *, drain: bool) -> None:
        """Relay with one producer. Raises OSError, Afresh."""
        self._flying.clear()
        self._flying_bytes = 0
        self._read_to = self._done_to
        self._moved_at = time.monotonic()
        looked = -PARTITIONS_S
        try:
            while not stop.is_set():
                if time.monotonic() - looked >= PARTITIONS_S:
                    self._plan(producer)
                    looked = time.monotonic()
                    self.status["connected"] = True
                busy = self._send(producer)
                busy = self._settle() or busy
                if drain and not busy and not self._flying:
                    break
                if not busy:
                    self._idle(stop)
            self._flush(producer)
        finally:
            self.status["connected"] = False

    def _prepare(self) -> None:
        """Be known to the log before anything else: it must not drop what waits for us."""
        if not self._ready:
            self.log.register(CONSUMER)
            # This host's worker, if it had one, takes from Kafka now: nothing may be kept for it here.
            self.log.forget(source.CONSUMER)
            self._ready = True
        self._waiting()

    def _plan(self, producer: KafkaProducer) -> None:
        """Note how what comes next is split, where that changed. Raises OSError."""
        kafka = self.settings.stream.kafka
        for records in SCHEMAS:
            topic = topic_of(kafka, records)
            try:
                partitions = len(producer.partitions_for(topic))
            except KafkaError as error:
                raise fault(f"cannot ask for topic {topic}", error, kafka) from None
            latest = self.plan.latest(records)
            if latest is not None and partitions < latest.partitions:
                raise OSError(
                    f"topic {topic} has {partitions} partitions, messages in the log were split into "
                    f"{latest.partitions}; set stream.kafka.partitions = {latest.partitions} and run "
                    "`spanwatch topics --grow`"
                )
            if latest is None or (latest.site, latest.partitions) != (self.settings.site, partitions):
                start = 0 if latest is None else self.log.newest() + 1
                self.plan.note(records, start, self.settings.site, partitions)

    def _send(self, producer: KafkaProducer) -> bool:
        """Give the next messages to the producer, while there is room; whether there were any."""
        alone = self._read_to < self._alone_to
        if self._flying_bytes >= FLYING_BYTES or (alone and self._flying):
            return False
        room = FLYING_BYTES - self._flying_bytes
        entries = self.log.read(CONSUMER, 1 if alone else READ, room, after=self._read_to)
        for entry in entries:
            futures = self._parts(producer, entry)
            size = len(entry.message.payload)
            self._flying.append(Flying(entry.id, entry.message.rows, size, futures))
            self._flying_bytes += size
            self._read_to = entry.id
        return bool(entries)

    def _parts(self, producer: KafkaProducer, entry: Entry) -> list[Any]:
        kafka = self.settings.stream.kafka
        message = entry.message
        topic = topic_of(kafka, message.records)
        try:
            held = self.plan.entry(message.records, entry.id)
            parts = split(message, held.site, held.partitions, kafka.compression)
        except (ValueError, KeyError) as error:
            self._set_aside(entry.id, message.token, f"{type(error).__name__}: {error}")
            return []
        futures = []
        for partition, part in parts:
            try:
                future = producer.send(topic, part.payload, headers=headers_of(part), partition=partition)
            except MessageSizeTooLargeError as error:
                self._set_aside(entry.id, message.token, str(fault("cannot be sent", error, kafka)))
                return []
            except (KafkaError, ValueError) as error:
                raise fault(f"cannot send to {topic}", error, kafka) from None
            future.add_both(lambda _: self._landed.set())
            futures.append(future)
        return futures

    def _settle(self) -> bool:
        """Take out of the log what all brokers have; whether that was anything. Raises OSError."""
        self._landed.clear()
        moved = False
        while self._flying and all(future.is_done for future in self._flying[0].futures):
            first = self._flying[0]
            failures = [future.exception for future in first.futures if future.failed()]
            if any(isinstance(one, MessageSizeTooLargeError) for one in failures):
                self._refused(first, failures[0])
            elif failures:
                raise fault("cannot relay the log", failures[0], self.settings.stream.kafka)
            elif first.futures:
                self.status["messages"] += 1
                self.status["rows"] += first.rows
                self.status["parts"] += len(first.futures)
                self.status["bytes"] += first.size
                self.status["error"] = ""
            self._flying.popleft()
            self._flying_bytes -= first.size
            self._done_to = max(self._done_to, first.id)
            moved = True
        now = time.monotonic()
        if moved:
            self._moved_at = now
        elif self._flying and now - self._moved_at > SLOW_S:
            self._stalled(now - self._moved_at)
        elif not self._flying:
            self._moved_at = now
        if now - self._acknowledged_at >= ACKNOWLEDGE_S:
            self._acknowledge()
        return moved

    def _refused(self, first: Flying, error: Exception) -> None:
        """A topic takes no message so large, and with it the library failed all that were on their way."""
        if first.id > self._alone_to:
            self._alone_to = self._read_to
        else:
            why = str(fault("cannot be sent", error, self.settings.stream.kafka))
            self._set_aside(first.id, f"at {first.id} of the log", why)
            self._done_to = max(self._done_to, first.id)
        raise Afresh

    def _stalled(self, seconds: float) -> None:
        where = ", ".join(self.settings.stream.kafka.brokers)
        line = (
            f"no acknowledgement from the brokers at {where} for {seconds:.0f} s; see to those that are down"
        )
        if seconds > STALLED_S:
            raise OSError(line)
        self._complaints.tell("error", "stalled", f"{line}; what comes waits in the log")

    def _acknowledge(self) -> None:
        self._acknowledged_at = time.monotonic()
        if self._done_to:
            self.log.acknowledge(CONSUMER, self._done_to)
            self.plan.forget(self._done_to)
            self._done_to = 0
            self.status["last_acknowledged_us"] = time.time_ns() // 1_000
        self._waiting()

    def _waiting(self) -> None:
        waiting = self.log.waiting(CONSUMER)
        self.status["waiting_messages"], self.status["waiting_bytes"] = waiting

    def _idle(self, stop: threading.Event) -> None:
        if self._flying:
            self._landed.wait(POLL_S)
        else:
            self._acknowledge()
            stop.wait(POLL_S)

    def _flush(self, producer: KafkaProducer) -> None:
        """Give the last messages, which the sensor writes as it ends, a little time; what is left keeps."""
        end = time.monotonic() + FLUSH_S
        while time.monotonic() < end:
            sent = self._send(producer)
            if not self._settle() and not sent:
                if not self._flying:
                    break
                self._landed.wait(POLL_S)
        self._acknowledge()

    def _set_aside(self, id_: int, what: str, reason: str) -> None:
        reason = " ".join(reason.split())
        self.log.set_aside(id_, reason)
        self.status["dead"] += 1
        self._complaints.tell("warning", "dead", f"message {what} was set aside: {reason}")

    def _failed(self, error: OSError) -> None:
        if isinstance(error, SettingsError):
            raise error
        self.status["retries"] += 1
        self._complaints.tell("error", "kafka", f"{error.strerror or error}; trying again")
        self._waiting()


def only_relay(settings: Settings) -> contextlib.AbstractContextManager[None]:
    """Holds the state folder's relay lock. Raises OSError where another process has it."""
    return only_one(settings, "relay", "relays the log of")


@contextlib.contextmanager
def open_relay(settings: Settings) -> Iterator[Relay]:
    """The only relay of the state folder's log. Raises SettingsError, OSError, ValueError."""
    if not settings.stream.kafka.brokers:
        raise SettingsError("there is no Kafka to relay to; set stream.kafka.brokers")
    options(settings.stream.kafka, "relay")
    with (
        only_relay(settings),
        contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log,
    ):
        relay = Relay(settings, log)
        with writing(settings.state / "relay.prom", "spanwatch_relay", lambda: relay.status):
            yield relay


def run_relay(settings: Settings, *, supervised: bool) -> None:
    """Relay until stopped; supervised, it ends with its parent. Raises SettingsError, OSError, ValueError."""
    with stopped_by_signals() as stop:
        if supervised:
            stop_with_parent()
        with open_relay(settings) as relay:
            print(f"relay ready: {', '.join(settings.stream.kafka.brokers)}", flush=True)
            relay.run(stop)
