"""The topic of messages that no worker could use: each as it was, where it came from, and why.

A message keeps its headers and payload; ours are added, with names that begin with `dead-`. What was put back
on its topic is noted by a record of its own, since nothing on Kafka is ever changed.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.fetcher import ConsumerRecord

from pipeline.settings import KafkaSettings
from pipeline.stream.kafka import DELIVERY_MS, connecting, fault, open_producer
from pipeline.stream.kafka_headers import message_of
from pipeline.stream.message import Message
from pipeline.stream.topics import topic_of, wanted

Headers = list[tuple[str, bytes]]

OURS = "dead-"
REASON, TOPIC, PARTITION, OFFSET, REPLAYED = (
    f"{OURS}{name}" for name in ("reason", "topic", "partition", "offset", "replayed")
)
#: Characters of a reason, and bytes of the headers that a message keeps; our defaults.
REASON_CHARACTERS, HEADER_BYTES = 500, 32 << 10
#: Seconds that the brokers get for the next messages of the topic. Our default.
READ_S = 15.0


class Origin(NamedTuple):
    """Where on Kafka a message was."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class DeadMessage(NamedTuple):
    """A message set aside, without its payload."""

    id: int
    """Its place in the topic."""
    origin: Origin
    message: Message | None
    """Its headers, with an empty payload; None where they are not a message's."""
    size: int
    """Bytes of the payload."""
    reason: str
    ts: int
    """When it was set aside, µs since 1970."""


class DeadTopic:
    """Where a worker puts what it can't use. Connects with the first message."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._stack = contextlib.ExitStack()
        self._producer: KafkaProducer | None = None

    def put(self, origin: Origin, headers: Iterable[tuple[str, bytes | None]], payload: bytes | None,
            reason: str) -> None:  # fmt: skip
        """Keep the message with the reason; all in-sync brokers have it when this returns. Raises OSError.

        The same one may be put there again: it is listed once.
        """
        kept = _bounded(headers)
        kept += [
            (REASON, " ".join(reason.split())[:REASON_CHARACTERS].encode("utf-8", "replace")),
            (TOPIC, origin.topic.encode()),
            (PARTITION, str(origin.partition).encode()),
            (OFFSET, str(origin.offset).encode()),
        ]
        if self._producer is None:
            self._producer = self._stack.enter_context(open_producer(self._settings, "dead"))
        try:
            _send(self._settings, self._producer, topic_of(self._settings, "dead"), 0, kept, payload or b"")
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        self._stack.close()
        self._producer = None


def listed(settings: KafkaSettings) -> list[DeadMessage]:
    """Messages set aside and not put back since, oldest first. Raises OSError."""
    return [found for found, _ in _waiting(settings)]


def put_back(settings: KafkaSettings, ids: Collection[int] = ()) -> int:
    """Put messages set aside (those ids; without any, all) back on their topics; how many.

    Raises ValueError, and puts none back, where an id is not among them or its topic none of ours; OSError.
    """
    names = {topic.name for topic in wanted(settings)} - {topic_of(settings, "dead")}
    there = {found.id: found for found in listed(settings)}
    if unknown := set(ids) - there.keys():
        raise ValueError(f"no message set aside has the id {min(unknown)}")
    chosen = set(ids) or there.keys()
    for id_ in chosen:
        if there[id_].origin.topic not in names:
            raise ValueError(f"message {id_} comes from {there[id_].origin.topic}, which is no topic of ours")
    done = 0
    with open_producer(settings, "replay") as producer:
        for found, record in _waiting(settings):
            if found.id not in chosen:
                continue
            headers = [(name, value) for name, value in record.headers if not name.startswith(OURS)]
            topic, partition, _ = found.origin
            _send(settings, producer, topic, partition, headers, record.value)
            note = [(REPLAYED, str(found.origin).encode())]
            _send(settings, producer, topic_of(settings, "dead"), 0, note, b"")
            done += 1
    return done


def _send(
    settings: KafkaSettings,
    producer: KafkaProducer,
    topic: str,
    partition: int,
    headers: Headers,
    payload: bytes,
) -> None:
    try:
        producer.send(topic, payload, headers=headers, partition=partition).get(DELIVERY_MS / 1000)
    except (kafka_errors.KafkaError, ValueError) as error:
        raise fault(f"cannot write to {topic}", error, settings) from None


def _bounded(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    kept: Headers = []
    room = HEADER_BYTES
    for name, value in headers:
        room -= len(name.encode("utf-8", "replace")) + len(value or b"")
        if room < 0:
            break
        if not name.startswith(OURS):
            kept.append((name, value or b""))
    return kept


def _waiting(settings: KafkaSettings) -> Iterator[tuple[DeadMessage, ConsumerRecord]]:
    """What is set aside and not put back: two passes, so that no more than a fetch is ever in memory."""
    replayed: set[str] = set()
    for record in _records(settings):
        for name, value in record.headers:
            if name == REPLAYED and value is not None:
                replayed.add(value.decode("utf-8", "replace"))
    seen: set[Origin] = set()
    for record in _records(settings):
        found = _found(record)
        if found is None or found.origin in seen or str(found.origin) in replayed:
            continue
        seen.add(found.origin)
        yield found, record


def _found(record: Any) -> DeadMessage | None:
    """None for what is no message set aside."""
    headers = {name: value for name, value in record.headers if value is not None}
    try:
        topic = headers[TOPIC].decode()
        origin = Origin(topic, int(headers[PARTITION]), int(headers[OFFSET]))
    except (KeyError, ValueError):
        return None
    try:
        records = headers.get("records", b"").decode("utf-8", "replace")
        message = message_of(record.headers, b"", records)
    except ValueError:
        message = None
    reason = headers.get(REASON, b"").decode("utf-8", "replace")
    size = len(record.value or b"")
    return DeadMessage(record.offset, origin, message, size, reason, record.timestamp * 1_000)


def _records(settings: KafkaSettings) -> Iterator[Any]:
    """Every record of the topic that there is now. Raises OSError."""
    topic = topic_of(settings, "dead")
    what = f"cannot read {topic}"
    with connecting(settings, "dead") as chosen:
        consumer = KafkaConsumer(
            **chosen, enable_auto_commit=False, metrics_enabled=False, max_poll_records=64
        )
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        at, end = consumer.position(place), consumer.end_offsets([place])[place]
        while at < end:
            batch = consumer.poll(READ_S * 1000, max_records=64).get(place, [])
            if not batch and consumer.position(place) <= at:
                raise OSError(
                    f"{what}: the brokers gave nothing for {READ_S:.0f} s; see to those that are down"
                )
            yield from (record for record in batch if record.offset < end)
            at = consumer.position(place)
    except kafka_errors.KafkaError as error:
        raise fault(what, error, settings) from None
    finally:
        consumer.close()
