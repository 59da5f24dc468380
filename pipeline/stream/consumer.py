"""Kafka as a source: a consumer group with static members, and inserts that come to one effect.

Messages of a kind are gathered from all partitions that this worker has, until they are many rows or old
enough, and given as one portion: an insert costs the store as much as tens of thousands of rows, however
few it has. Before it is given, the plan of it (which offsets of which partitions, and the token) is written
beside the offsets that the group has committed: whoever has one of the partitions after a kill repeats
exactly that portion under the same token, and reads by the side what lies in partitions of others. The
offsets themselves move after the insert.
"""

import contextlib
import secrets
import time
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
from pipeline.stream.kafka_headers import message_of
from pipeline.stream.plans import Held, Item, Plan
from pipeline.stream.source import Broken, Portion, Waiting
from pipeline.stream.topics import make, topic_of, wanted

#: Partitions whose messages make one portion, at most: their plan must fit beside an offset. Our default.
TOGETHER = 64
#: Seconds that reading what another worker has gets. Our default.
ASIDE_S = 15.0
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
#: Refused commits that say: these partitions are not ours now, or are being handed out.
_NOT_OURS = (
    kafka_errors.CommitFailedError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
)


class Given(NamedTuple):
    portion: Portion
    topic: str
    plan: Plan
    items: dict[tuple[int, int], Item]
    """By partition and offset."""


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
        self._given: list[Given] = []
        self._dead = DeadTopic(settings)
        self._joined_at = time.monotonic()
        self._leads = False

    def open(self) -> None:
        if self._consumer is not None:
            return
        with open_admin(self.settings) as admin:
            make(admin, wanted(self.settings))
        with connecting(self.settings, "worker") as chosen:
            consumer = KafkaConsumer(
                **chosen,
                group_id=self.settings.group,
                group_instance_id=self.settings.instance,
                # Each worker gets its share of every topic, by its name: of flows, too, which are most.
                partition_assignment_strategy=(RangePartitionAssignor,),
                session_timeout_ms=SESSION_MS,
                max_poll_interval_ms=POLL_MS,
                **self._fetching(),
            )
            # Who leads the group before it knows the topics hands out nothing, and may never look again.
            for topic in self._kinds:
                consumer.partitions_for_topic(topic)
        self._consumer = consumer
        self._moves = _Moves()
        self._consumer.subscribe(list(self._kinds), listener=self._moves)
        self._joined_at = time.monotonic()

    def _fetching(self) -> dict[str, Any]:
        return {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_poll_records": RECORDS,
            "fetch_max_bytes": FETCH_BYTES,
            "max_partition_fetch_bytes": PARTITION_BYTES,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }

    def take(self, wait_s: float) -> list[Portion]:
        until = time.monotonic() + wait_s
        while True:
            self._poll(0.0 if self._given else self._patience(until))
            if not self._given:
                self._plan()
                # Until the brokers have the plans, nothing goes by them.
                if self._commit():
                    self._give()
            if self._given or time.monotonic() >= until:
                return [given.portion for given in self._given]

    def _patience(self, until: float) -> float:
        """Seconds until something is due, or `until`."""
        if any(self._due(topic) for topic in self._kinds):
            return 0.0
        due = [held.items[0].came + self.settings.batch_seconds for held in self._held.values() if held.items]
        return max(0.0, min([until, *due]) - time.monotonic())

    def _free(self, topic: str) -> dict[int, Held]:
        """Partitions of the topic with something that is in no plan."""
        return {
            place.partition: held
            for place, held in sorted(self._held.items())
            if place.topic == topic and held.items and held.plan is None
        }

    def _due(self, topic: str) -> bool:
        free = self._free(topic).values()
        oldest = min((held.items[0].came for held in free), default=float("inf"))
        rows = self.settings.batch_rows
        return (
            time.monotonic() - oldest >= self.settings.batch_seconds
            or sum(held.rows for held in free) >= rows
            or any(held.full(rows) for held in free)
        )

    def _plan(self) -> None:
        """Plan a portion of each kind that is due: what there is of it, up to the rows of a batch."""
        for topic in self._kinds:
            if not self._due(topic):
                continue
            plan = Plan(f"{topic}/{secrets.token_hex(16)}", {}, set())
            rows = 0
            for partition, held in list(self._free(topic).items())[:TOGETHER]:
                end = held.done
                for item in held.items:
                    if rows >= self.settings.batch_rows:
                        break
                    rows += item.rows
                    end = item.offset + 1
                if end > held.done:
                    plan.ranges[partition] = (held.done, end)
                    held.plan = plan

    def _give(self) -> None:
        plans = {held.plan.token: (place.topic, held.plan) for place, held in self._held.items() if held.plan}
        for topic, plan in plans.values():
            mine = self._mine(topic, plan)
            if all(self._complete(TopicPartition(topic, n), held, plan) for n, held in mine.items()):
                self._given.append(self._portion(topic, plan, mine))

    def _mine(self, topic: str, plan: Plan) -> dict[int, Held]:
        """What is here of the plan."""
        found = {partition: self._held.get(TopicPartition(topic, partition)) for partition in plan.ranges}
        return {
            partition: held
            for partition, held in found.items()
            if held is not None and held.plan is not None and held.plan.token == plan.token
        }

    def _complete(self, place: TopicPartition, held: Held, plan: Plan) -> bool:
        """Whether all that the plan takes of a partition is here."""
        end = plan.ranges[place.partition][1]
        if held.next < end and self._call("ask where it is", "position", place) >= end:
            # What the plan ended with was deleted meanwhile.
            held.next = end
        return held.next >= end

    def _portion(self, topic: str, plan: Plan, mine: dict[int, Held]) -> Given:
        aside = {
            partition: self._aside(TopicPartition(topic, partition), *bounds)
            for partition, bounds in plan.ranges.items()
            if partition not in mine
        }
        taken = {
            (partition, item.offset): item
            for partition, (_, end) in sorted(plan.ranges.items())
            for item in (mine[partition].take(end) if partition in mine else aside[partition])
            if (partition, item.offset) not in plan.dead
        }
        portion = Portion(
            plan.token,
            self._kinds[topic],
            tuple(item.message for item in taken.values() if item.message),
            tuple(place for place, item in taken.items() if item.message),
            tuple(Broken(place, item.reason) for place, item in taken.items() if not item.message),
        )
        return Given(portion, topic, plan, taken)

    def _aside(self, place: TopicPartition, begin: int, end: int) -> list[Item]:
        """What lies in a partition that another worker has. Raises OSError."""
        with connecting(self.settings, "aside") as chosen:
            consumer = KafkaConsumer(**chosen, **self._fetching())
        try:
            consumer.assign([place])
            consumer.seek(place, begin)
            found: list[Item] = []
            deadline = time.monotonic() + ASIDE_S
            while (at := consumer.position(place)) < end and time.monotonic() < deadline:
                try:
                    records = consumer.poll(500).get(place, [])
                except kafka_errors.CorruptRecordError as error:
                    consumer.seek(place, at + 1)
                    found.append(_damaged(at, error))
                    continue
                found += [self._item(place, record, 0.0) for record in records]
            if at < end:
                raise fault(f"cannot read {place.topic}", kafka_errors.KafkaTimeoutError(), self.settings)
            return [item for item in found if begin <= item.offset < end]
        except kafka_errors.KafkaError as error:
            raise fault(f"cannot read {place.topic}", error, self.settings) from None
        finally:
            consumer.close()

    def acknowledge(self, *portions: Portion) -> None:
        for given in [one for one in self._given if any(one.portion is done for done in portions)]:
            for partition, held in self._mine(given.topic, given.plan).items():
                held.done, held.plan = given.plan.ranges[partition][1], None
            self._given.remove(given)

    def set_aside(self, portion: Portion, place: Any, reason: str) -> None:
        for given in self._given:
            if given.portion is portion:
                partition, offset = place
                item = given.items[place]
                self._dead.put(Origin(given.topic, partition, offset), item.headers, item.value, reason)
                for held in self._mine(given.topic, given.plan).values():
                    assert held.plan is not None
                    held.plan.dead.add(place)
                self._commit()
                return

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
        self._held, self._given, self._leads = {}, [], False
        self._dead.close()
        if self._consumer is not None:
            self._consumer.close(timeout_ms=CLOSE_MS)
            self._consumer = None

    def _poll(self, wait_s: float) -> None:
        """Take over what came, and the partitions that came or went."""
        assert self._consumer is not None
        rows = self.settings.batch_rows
        over = [place for place, held in self._held.items() if held.plan is None and held.full(rows)]
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
            self._held[place] = Held(place.partition, at.offset, at.metadata)
        fresh |= kept
        # Of what is given, that stays which at least one partition is here of.
        self._given = [given for given in self._given if self._mine(given.topic, given.plan)]
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
            if not held.items and held.plan is None:
                held.done = offset
        elif offset < held.next:
            # The topic was made anew: its offsets begin again.
            held = self._held[place] = Held(place.partition, offset, "")
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
            held.add(_damaged(offset, error))

    def _commit(self) -> bool:
        """Hand in plans and what was acknowledged; False where they are not to be had now."""
        changed = {
            place: plan for place, held in self._held.items() if (plan := held.wanted()) != held.committed
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


def _damaged(offset: int, error: Exception) -> Item:
    return Item(offset, None, f"CorruptRecordError: {error}", [], None, time.monotonic())
