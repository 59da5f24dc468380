"""Kafka as a source fulfils the contract, and what only Kafka can do to it. Real brokers."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipeline.settings import KafkaSettings
from pipeline.stream.consumer import KafkaSource
from pipeline.stream.dead import listed, put_back
from pipeline.stream.kafka import open_admin, open_producer, options
from pipeline.stream.kafka_headers import headers_of
from pipeline.stream.message import Message
from pipeline.stream.source import Source
from pipeline.stream.topics import make, topic_of, wanted
from tests.pipeline.batches import message
from tests.pipeline.stream.source_contract import SourceContract, Way, names, taken
from tests.services.kafka import Kafka, missing

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
PREFIXES = count()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def settings_of(kafka: Kafka, **changed: Any) -> KafkaSettings:
    values = {
        "topic_prefix": f"t{next(PREFIXES)}",
        "partitions": 2,
        "replication": 1,
        "min_insync": 1,
        "batch_seconds": 0.2,
        "instance": "one",
    }
    values["group"] = values["topic_prefix"]
    return KafkaSettings.model_validate(kafka.settings | values | changed)


class KafkaWay:
    """Topics of their own."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        with open_admin(settings) as admin:
            make(admin, wanted(settings))

    def send(self, messages: list[Message], partition: int = 0) -> None:
        with open_producer(self.settings, "test") as producer:
            for one in messages:
                topic = topic_of(self.settings, one.records)
                producer.send(topic, one.payload, headers=headers_of(one), partition=partition)
            producer.flush()

    @contextmanager
    def opened(self, **changed: Any) -> Iterator[Source]:
        source = KafkaSource(self.settings.model_copy(update=changed))
        try:
            source.open()
            yield source
        finally:
            source.close()

    def dead(self) -> list[tuple[Message, str]]:
        reasons = {one.origin.offset: one.reason for one in listed(self.settings)}
        put_back(self.settings)
        with self.opened(group="others") as source:
            found = taken(source, 4)
        back = [one for portion in found for one in portion.messages][-len(reasons) :]
        return list(zip(back, reasons.values(), strict=True))


class TestKafkaSource(SourceContract):
    @pytest.fixture
    def way(self, kafka: Kafka) -> Way:
        return KafkaWay(settings_of(kafka))


@pytest.fixture
def way(kafka: Kafka) -> KafkaWay:
    return KafkaWay(settings_of(kafka))


def committed(way: KafkaWay, partition: int = 0) -> tuple[int, str]:
    """Offset and text that the group has for a partition of flows."""
    place = TopicPartition(topic_of(way.settings, "flows"), partition)
    consumer = KafkaConsumer(**options(way.settings, "test"), group_id=way.settings.group)
    try:
        found = consumer.committed(place, metadata=True)
    finally:
        consumer.close()
    return (-1, "") if found is None else (found.offset, found.metadata)


def test_many_messages_are_one_portion(way: KafkaWay) -> None:
    """From all partitions, up to the rows of a batch; the plan is beside each offset until the end."""
    way.settings = way.settings.model_copy(update={"batch_rows": 1_000, "batch_seconds": 1.0})
    way.send([message("flows", 300, n) for n in range(6)])
    way.send([message("flows", 300, n) for n in range(6, 8)], partition=1)
    with way.opened() as source:
        [first] = taken(source, 4)
        assert [one.sequence for one in first.messages] == [0, 1, 2, 3]
        offset, text = committed(way)
        assert (offset, json.loads(text)) == (0, {"token": first.token, "ranges": {"0": [0, 4]}})
        source.acknowledge(first)
        [rest] = taken(source, 4)
        assert [one.sequence for one in rest.messages] == [4, 5, 6, 7]
        assert list(rest.places) == [(0, 4), (0, 5), (1, 0), (1, 1)]
        assert committed(way, 1)[1] == committed(way)[1]
        source.acknowledge(rest)
    assert committed(way) == (6, "")


def test_another_worker_repeats_exactly_what_was_planned(way: KafkaWay) -> None:
    """Though more has come since, and though its own batches are smaller."""
    way.send([message("flows", 300, n) for n in range(4)])
    with way.opened(batch_seconds=1.0) as source:
        [before] = taken(source, 4)
        way.send([message("flows", 300, n) for n in range(4, 8)])
    with way.opened(batch_rows=1_000, batch_seconds=0.5) as source:
        [again] = taken(source, 4)
        assert again == before
        source.acknowledge(again)
        [rest] = taken(source, 4)
    assert [one.sequence for one in rest.messages] == [4, 5, 6, 7]


def test_what_is_no_message_is_told_and_set_aside(way: KafkaWay) -> None:
    """Without headers, with broken ones, without a value: each is kept with the reason, the rest goes on."""
    good = message("flows", 5, 0)
    topic = topic_of(way.settings, "flows")
    with open_producer(way.settings, "test") as producer:
        producer.send(topic, b"junk", partition=0)
        producer.send(topic, good.payload, headers=[*headers_of(good), ("rows", b"7")], partition=0)
        producer.send(topic, None, key=b"k", headers=headers_of(good), partition=0)
        producer.flush()
    way.send([good])
    with way.opened(batch_seconds=1.0) as source:
        [portion] = taken(source, 1)
        assert portion.messages == (good,)
        assert portion.places == ((0, 3),)
        assert [broken.place for broken in portion.broken] == [(0, 0), (0, 1), (0, 2)]
        for place, reason in portion.broken:
            source.set_aside(portion, place, reason)
        assert json.loads(committed(way)[1])["dead"] == [[0, 0], [0, 1], [0, 2]]
        source.acknowledge(portion)
    assert {one.origin.offset: one.reason for one in listed(way.settings)} == {
        0: "ValueError: header sensor is missing",
        1: "ValueError: header rows is there twice",
        2: "ValueError: it has no payload",
    }


def test_what_was_set_aside_is_left_out_when_a_portion_is_repeated(way: KafkaWay) -> None:
    """Under the same token: a worker that could read it by now must not note it as inserted."""
    way.send([message("flows", 5, n) for n in range(3)])
    with way.opened(batch_seconds=1.0) as source:
        [before] = taken(source, 3)
        source.set_aside(before, (0, 1), "ValueError: no good")
    with way.opened() as source:
        [again] = taken(source, 2)
    assert again.token == before.token
    assert [one.sequence for one in again.messages] == [0, 2]


def together(condition: Callable[[], bool], *sources: Source) -> None:
    """Each takes in a thread of its own until it holds, as workers would."""
    stop = threading.Event()

    def work(source: Source) -> None:
        while not stop.is_set():
            source.take(0.1)

    threads = [threading.Thread(target=work, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it never came about"
            time.sleep(0.1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_portion_of_partitions_that_moved_is_repeated_by_each(way: KafkaWay) -> None:
    """A second worker joins: both give the whole portion under its token, whichever partitions they have, and
    each hands in its own; what comes after is in portions apart."""
    with way.opened(batch_seconds=1.0) as one:
        way.send([message("flows", 5, n) for n in range(2)])
        way.send([message("flows", 5, n) for n in range(2, 4)], partition=1)
        [before] = taken(one, 4)
        with way.opened(instance="two") as two:
            together(lambda: bool(two.waiting().messages), one, two)
            assert one.take(0.1) == [before]
            [again] = taken(two, 4)
            assert again == before
            one.acknowledge(before)
            assert two.take(0.1) == [before]
            two.acknowledge(again)
            assert one.take(0.1) == two.take(0.1) == []
            assert (committed(way)[0], committed(way, 1)[0]) == (2, 2)
            assert (one.leads(), two.leads()) == (True, False)
            way.send([message("flows", 5, 4)])
            way.send([message("flows", 5, 5)], partition=1)
            assert names(taken(one, 1)) == ["gate/b1/4"]
            assert names(taken(two, 1)) == ["gate/b1/5"]


def test_a_second_worker_of_the_same_name_ends_the_first(way: KafkaWay) -> None:
    """It is told what to set, before it takes anything more."""
    way.send([message("flows", 5, 0)])
    with way.opened() as one:
        [portion] = taken(one, 1)
        with way.opened() as two:
            together(lambda: two.waiting().messages == 1, two)
            one.acknowledge(portion)
            with pytest.raises(ValueError, match=r"another worker is 'one' in group .*give each its own"):
                one.take(1.0)


def test_a_partition_that_stays_goes_on(way: KafkaWay) -> None:
    """Through a rebalance that leaves it here, what was given stays good and what came is not read twice."""
    way.settings = way.settings.model_copy(update={"batch_seconds": 30.0, "batch_rows": 1_000})
    way.send([message("flows", 600, n) for n in range(3)])
    with way.opened(instance="a") as one:
        [portion] = taken(one, 1)
        with way.opened(instance="b") as two:
            together(lambda: two.waiting().messages is not None and not two.leads(), one, two)
            one.acknowledge(portion)
            way.send([message("flows", 600, 3)])
            [rest] = taken(one, 2)
    assert [one.sequence for one in (*portion.messages, *rest.messages)] == [0, 1, 2, 3]
    assert committed(way)[0] == 2


def test_a_topic_made_anew_is_read_from_its_beginning(way: KafkaWay) -> None:
    """Its offsets begin again; what is known by name only the store can tell."""
    way.send([message("flows", 5, n) for n in range(5)])
    with way.opened() as source:
        for portion in taken(source, 5):
            source.acknowledge(portion)
        source.waiting()
    with open_admin(way.settings) as admin:
        admin.delete_topics([topic_of(way.settings, "flows")])
        time.sleep(1)
        make(admin, wanted(way.settings))
    way.send([message("flows", 5, n) for n in range(5, 7)])
    with way.opened() as source:
        assert names(taken(source, 2)) == ["gate/b1/5", "gate/b1/6"]


class NotUtf8(str):
    """A header's name that another program wrote."""

    __slots__ = ()

    def encode(self, *_given: Any) -> bytes:
        return b"\xff\xfe"


def test_a_record_that_the_library_cannot_read_is_stepped_over(way: KafkaWay) -> None:
    """It is set aside like others, wherever it lies between good ones, and holds nobody up."""
    topic = topic_of(way.settings, "flows")
    way.send([message("flows", 5, 0)])
    with open_producer(way.settings, "test") as producer:
        producer.send(topic, b"junk", headers=[(NotUtf8("sensor"), b"x")], partition=0)
        producer.flush()
    way.send([message("flows", 5, 1)])
    with way.opened(batch_seconds=3.0) as source:
        portions = taken(source, 2)
        assert names(portions) == ["gate/b1/0", "gate/b1/1"]
        [broken] = [broken for portion in portions for broken in portion.broken]
        assert broken.place == (0, 1)
        for portion in portions:
            for place, reason in portion.broken:
                source.set_aside(portion, place, reason)
        source.acknowledge(*portions)
        assert source.take(0.1) == []
    assert [one.origin.offset for one in listed(way.settings)] == [1]
