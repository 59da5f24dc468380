"""Kafka as a source: a consumer group with static members, and inserts that come to one effect.

Messages of a partition are gathered until they are many rows or old enough, and given as one portion. Before
it is given, its end is written beside the offset that the group has committed: whoever has the partition
after a kill reads there exactly which messages belong together, and inserts them again under the same token.
The offset itself moves after the insert.
"""

import contextlib
import hashlib
import json
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.base import MemberState
from kafka.structs import OffsetAndMetadata

from pipeline.records import SCHEMAS
from pipeline.settings import KafkaSettings
from pipeline.stream.dead import DeadTopic, Origin
from pipeline.stream.kafka import connecting, fault, open_admin
from pipeline.stream.kafka_headers import headers_of, message_of
from pipeline.stream.message import Message
from pipeline.stream.source import Broken, Portion, Waiting
from pipeline.stream.topics import make, topic_of, wanted

#: Bytes and messages after which a portion is full, however few rows they have. Our default.
PORTION_BYTES, PORTION_MESSAGES = 32 << 20, 1_000
#: Bytes that a broker sends at once, of all partitions and of one. A larger message comes alone. Our default.
FETCH_BYTES, PARTITION_BYTES = 32 << 20, 4 << 20
#: Records taken over from the library at once. Our default.
RECORDS = 100
#: A worker that is silent so long has lost its partitions, ms. Our default.
SESSION_MS = 30_000
#: The same for one that is alive and does not come back for more: a store may be slow. Our default.
POLL_MS = 900_000
#: Seconds without a place in the group after which that is an error. Our default.
JOIN_S = 60.0
#: Milliseconds that leaving the group may take. Our default.
CLOSE_MS = 5_000
#: Milliseconds that a call waits for a place in the group, while others come back for theirs. Our default.
PLACE_MS = 15_000
#: What Kafka keeps beside an offset by default (offset.metadata.max.bytes) is 4,096 bytes.
METADATA_BYTES = 4_000
#: Refused commits that say: these partitions are not ours now, or are being handed out.
_NOT_OURS = (
    kafka_errors.CommitFailedError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
)


class Item(NamedTuple):
    """A record of a partition: a message, or why it is none."""

    offset: int
    message: Message | None
    reason: str
    headers: list[tuple[str, bytes | None]]
    value: bytes | None
    came: float


class Held:
    """A partition that this worker has."""

    def __init__(self, offset: int, metadata: str) -> None:
        self.done = offset
        """Everything before it is in the store."""
        self.next = offset
        """Where the next record is expected."""
        self.items: deque[Item] = deque()
        self.rows = self.bytes = 0
        self.end: int | None = None
        """Where the portion ends that is begun: planned here, or by the worker before."""
        self.dead: set[int] = set()
        """Offsets of that portion that were set aside."""
        self.given: Portion | None = None
        self.raw: dict[int, Item] = {}
        """What was given, by offset."""
        self.committed = (offset, metadata)
        try:
            plan = json.loads(metadata or "{}")
            self.end, self.dead = plan.get("to"), set(plan.get("dead", ()))
        except (ValueError, AttributeError, TypeError):
            # Somebody else's text: no plan of ours.
            self.end, self.dead = None, set()

    def plan(self) -> tuple[int, str]:
        """Offset and text that are to be committed now."""
        if self.end is None:
            return self.done, ""
        text = json.dumps({"to": self.end} | ({"dead": sorted(self.dead)} if self.dead else {}))
        return self.done, text if len(text) <= METADATA_BYTES else json.dumps({"to": self.end})

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.next = item.offset + 1
        self.rows += item.message.rows if item.message else 0
        self.bytes += len(item.value or b"")

    def full(self, rows: int) -> bool:
        return self.rows >= rows or self.bytes >= PORTION_BYTES or len(self.items) >= PORTION_MESSAGES

    def cut(self, rows: int) -> int:
        """Where a portion ends that takes what there is, up to the bounds."""
        size = taken = 0
        for count, item in enumerate(self.items, 1):
            taken += item.message.rows if item.message else 0
            size += len(item.value or b"")
            if taken >= rows or size >= PORTION_BYTES or count >= PORTION_MESSAGES:
                return item.offset + 1
        return self.items[-1].offset + 1

    def give(self, place: TopicPartition, records: str) -> Portion:
        """The planned portion, out of the items."""
        assert self.end is not None
        digest = hashlib.sha256()
        taken: list[Item] = []
        while self.items and self.items[0].offset < self.end:
            item = self.items.popleft()
            self.rows -= item.message.rows if item.message else 0
            self.bytes -= len(item.value or b"")
            digest.update(f"{item.offset} {item.message.token if item.message else ''}\n".encode())
            if item.offset not in self.dead:
                taken.append(item)
        name = f"{place.topic}/{place.partition}"
        self.raw = {item.offset: item for item in taken}
        self.given = Portion(
            f"{name}/{self.done}-{self.end}/{digest.hexdigest()[:32]}",
            records,
            tuple(item.message for item in taken if item.message),
            tuple(item.offset for item in taken if item.message),
            tuple(Broken(item.offset, item.reason) for item in taken if not item.message),
            name,
        )
        return self.given


class _Moves(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what a rebalance does. The library's own thread calls it, while ours waits in a call.

    All partitions are revoked before the group hands them out anew; one that comes back at once was with
    nobody else in between.
    """

    def __init__(self) -> None:
        self.gone: set[TopicPartition] = set()
        self.kept: set[TopicPartition] = set()
        self._revoked: set[TopicPartition] = set()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._revoked |= set(revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self.gone |= set(lost)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.gone |= self._revoked - set(assigned)
        self.kept |= self._revoked & set(assigned)
        self._revoked = set()


class KafkaSource:
    """One member of the group. Fulfils `pipeline.stream.source.Source`."""

    shared = True

    def __init__(self, settings: KafkaSettings) -> None:
        """Connects with `open`."""
        self.settings = settings
        self.lost = 0
        """Messages that the brokers deleted, by retention, before this worker could take them."""
        self._kinds = {topic_of(settings, records): records for records in SCHEMAS}
        self._first = TopicPartition(topic_of(settings, "flows"), 0)
        self._consumer: KafkaConsumer | None = None
        self._moves = _Moves()
        self._held: dict[TopicPartition, Held] = {}
        self._dead = DeadTopic(settings)
        self._joined_at = time.monotonic()
        self._leads = False

    def open(self) -> None:
        if self._consumer is not None:
            return
        with open_admin(self.settings) as admin:
            make(admin, wanted(self.settings))
        with connecting(self.settings, "worker") as chosen:
            self._consumer = KafkaConsumer(
                **chosen,
                group_id=self.settings.group,
                group_instance_id=self.settings.instance,
                # Each worker gets its share of every topic, by its name: of flows, too, which are most.
                partition_assignment_strategy=(RangePartitionAssignor,),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=SESSION_MS,
                max_poll_interval_ms=POLL_MS,
                max_poll_records=RECORDS,
                fetch_max_bytes=FETCH_BYTES,
                max_partition_fetch_bytes=PARTITION_BYTES,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        self._moves = _Moves()
        self._consumer.subscribe(list(self._kinds), listener=self._moves)
        self._joined_at = time.monotonic()

    def take(self, wait_s: float) -> list[Portion]:
        until = time.monotonic() + wait_s
        while True:
            given = [held.given for held in self._held.values() if held.given]
            self._poll(0.0 if given else self._patience(until))
            given = [held.given for held in self._held.values() if held.given]
            if not given:
                self._plan()
            # Until the brokers have the plans, nothing goes by them.
            if self._commit() and not given:
                given = [
                    held.give(place, self._kinds[place.topic])
                    for place, held in self._held.items()
                    if self._complete(place, held)
                ]
            if given or time.monotonic() >= until:
                return given

    def _patience(self, until: float) -> float:
        """Seconds until something is due, or `until`."""
        due = [held.items[0].came + self.settings.batch_seconds for held in self._held.values() if held.items]
        if any(held.full(self.settings.batch_rows) for held in self._held.values()):
            return 0.0
        return max(0.0, min([until, *due]) - time.monotonic())

    def _plan(self) -> None:
        now = time.monotonic()
        for held in self._held.values():
            if held.end is None and held.items:
                old = now - held.items[0].came >= self.settings.batch_seconds
                if old or held.full(self.settings.batch_rows):
                    held.end, held.dead = held.cut(self.settings.batch_rows), set()

    def _complete(self, place: TopicPartition, held: Held) -> bool:
        """Whether all of a planned portion is here."""
        if held.end is None:
            return False
        if held.next < held.end and self._call("ask where it is", "position", place) >= held.end:
            # What the plan ended with was deleted meanwhile.
            held.next = held.end
        return held.next >= held.end

    def acknowledge(self, portion: Portion) -> None:
        for held in self._held.values():
            if held.given is portion:
                assert held.end is not None
                held.done, held.end, held.given, held.raw, held.dead = held.end, None, None, {}, set()

    def set_aside(self, portion: Portion, place: int, reason: str) -> None:
        topic, _, partition = portion.partition.rpartition("/")
        at = TopicPartition(topic, int(partition))
        held = self._held.get(at)
        item = held.raw.get(place) if held is not None and held.given is portion else None
        if item is not None:
            headers, value = item.headers, item.value
        else:
            messages = dict(zip(portion.places, portion.messages, strict=True))
            if place not in messages:
                # Lost with its partition: whoever has that now meets it, too.
                return
            headers, value = [*headers_of(messages[place])], messages[place].payload
        self._dead.put(Origin(topic, int(partition), place), headers, value, reason)
        if held is not None and held.given is portion:
            held.dead.add(place)
            self._commit()

    def waiting(self) -> Waiting:
        if self._consumer is None or self._consumer.group_metadata().state is not MemberState.STABLE:
            return Waiting(None, None, {}, self.lost)
        partitions: dict[str, int] = {}
        known = self._consumer.assignment() == self._held.keys()
        for place, held in self._held.items():
            newest = self._consumer.highwater(place) if place in self._consumer.assignment() else None
            known = known and newest is not None
            partitions[f"{place.topic}/{place.partition}"] = max(newest or 0, held.next) - held.done
        return Waiting(sum(partitions.values()) if known else None, None, partitions, self.lost)

    def leads(self) -> bool:
        return self._leads

    def close(self) -> None:
        if self._consumer is not None:
            # What is not handed in comes again, and the store knows it.
            with contextlib.suppress(OSError, ValueError):
                self._commit()
        self._held, self._leads = {}, False
        self._dead.close()
        if self._consumer is not None:
            self._consumer.close(timeout_ms=CLOSE_MS)
            self._consumer = None

    def _poll(self, wait_s: float) -> None:
        """Take over what came, and the partitions that came or went."""
        assert self._consumer is not None
        rows = self.settings.batch_rows
        over = [place for place, held in self._held.items() if held.end is None and held.full(rows)]
        paused = self._consumer.paused()
        self._consumer.pause(*(p for p in over if p not in paused))
        self._consumer.resume(*(p for p in paused if p not in over))
        if self._consumer._coordinator.need_rejoin():
            # A place that is given between two calls the library gives up again: all members would go on
            # asking for ever. One long call waits for it.
            self._take_place()
        came: dict[TopicPartition, list[Any]] = {}
        try:
            came = self._call("take messages", "poll", timeout_ms=int(wait_s * 1000))
        except kafka_errors.CorruptRecordError as error:
            self._step_over(error)
        fresh = self._moved()
        now = time.monotonic()
        for place, records in came.items():
            if place not in self._held or place in fresh:
                continue
            for record in records:
                held = self._expected(place, record.offset)
                held.add(self._item(place, record, now))

    def _take_place(self) -> None:
        assert self._consumer is not None
        try:
            self._consumer._coordinator.poll(timeout_ms=PLACE_MS)
        except kafka_errors.KafkaError as error:
            raise self._fault("take a place in the group", error) from None

    def _moved(self) -> set[TopicPartition]:
        """Forget partitions that went, begin with those that came; those whose records of now don't count."""
        assert self._consumer is not None
        gone, self._moves.gone = self._moves.gone, set()
        kept, self._moves.kept = self._moves.kept, set()
        for place in gone:
            self._held.pop(place, None)
        for place in kept & self._held.keys():
            # The library begins at the group's offset again; what came since is here.
            self._consumer.seek(place, self._held[place].next)
        assigned = self._consumer.assignment()
        for place in self._held.keys() - assigned:
            del self._held[place]
        fresh = set(assigned - self._held.keys())
        for place in sorted(fresh):
            at = self._call("read the offset of a partition", "committed", place, metadata=True)
            if at is None or at.offset < 0:
                begin = self._call("find the first message", "beginning_offsets", [place])[place]
                at = OffsetAndMetadata(begin, "", -1)
            self._consumer.seek(place, at.offset)
            self._held[place] = Held(at.offset, at.metadata)
        fresh |= kept
        self._leads = self._first in self._held
        if assigned or self._consumer.group_metadata().state is MemberState.STABLE:
            self._joined_at = time.monotonic()
        elif time.monotonic() - self._joined_at > JOIN_S:
            self._joined_at = time.monotonic()
            raise fault("cannot join the group", kafka_errors.KafkaTimeoutError(), self.settings)
        return fresh

    def _expected(self, place: TopicPartition, offset: int) -> Held:
        """The partition, ready for a record with this offset."""
        held = self._held[place]
        if offset > held.next:
            self.lost += offset - held.next
            if not held.items and held.end is None:
                held.done = offset
        elif offset < held.next:
            # The topic was made anew: its offsets begin again.
            held = self._held[place] = Held(offset, "")
        return held

    def _item(self, place: TopicPartition, record: Any, now: float) -> Item:
        headers = list(record.headers or ())
        try:
            message = message_of(headers, record.value, self._kinds[place.topic])
        except ValueError as error:
            return Item(record.offset, None, f"ValueError: {error}", headers, record.value, now)
        return Item(record.offset, message, "", headers, record.value, now)

    def _step_over(self, error: Exception) -> None:
        """Go on behind a record that the library cannot read: without this it would stay there for ever."""
        assert self._consumer is not None
        at = self._consumer._fetcher._next_partition_records
        if at is None:
            raise fault("cannot read what came", error, self.settings) from None
        place, offset = at.topic_partition, at.next_fetch_offset
        self._consumer.seek(place, offset + 1)
        if place in self._held and offset >= self._held[place].next:
            held = self._expected(place, offset)
            held.add(Item(offset, None, f"CorruptRecordError: {error}", [], None, time.monotonic()))

    def _commit(self) -> bool:
        """Hand in plans and what was acknowledged; False where they are not to be had now."""
        changed = {
            place: plan for place, held in self._held.items() if (plan := held.plan()) != held.committed
        }
        if not changed:
            return True
        offsets = {place: OffsetAndMetadata(offset, text, -1) for place, (offset, text) in changed.items()}
        try:
            self._call("commit offsets", "commit", offsets)
        except _NOT_OURS:
            # The next poll tells which partitions are still ours; those that went are somebody else's to do.
            return False
        for place, plan in changed.items():
            if place in self._held:
                self._held[place].committed = plan
        return True

    def _call(self, what: str, method: str, *given: Any, **named: Any) -> Any:
        """What the library answers. Raises OSError, and ValueError where another worker has our name."""
        try:
            return getattr(self._consumer, method)(*given, **named)
        except (*_NOT_OURS, kafka_errors.CorruptRecordError):
            raise
        except kafka_errors.KafkaError as error:
            raise self._fault(what, error) from None

    def _fault(self, what: str, error: kafka_errors.KafkaError) -> Exception:
        if isinstance(error, kafka_errors.FencedInstanceIdError):
            return ValueError(
                f"another worker is {self.settings.instance!r} in group {self.settings.group!r}; "
                "give each its own stream.kafka.instance"
            )
        return fault(f"cannot {what}", error, self.settings)
