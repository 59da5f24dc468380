"""What is on Kafka's topics, read whole."""

from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from pipeline.records import SCHEMAS
from pipeline.settings import KafkaSettings
from pipeline.stream.kafka import options
from pipeline.stream.kafka_headers import message_of
from pipeline.stream.message import Message
from pipeline.stream.topics import topic_of


class Kept(NamedTuple):
    """A message on a topic."""

    records: str
    partition: int
    offset: int
    message: Message


def records_of(settings: KafkaSettings, *names: str) -> list[Any]:
    """Every record of these kinds' topics, partition by partition, in order."""
    consumer = KafkaConsumer(**options(settings, "test"), enable_auto_commit=False)
    try:
        places = [
            TopicPartition(topic, partition)
            for topic in (topic_of(settings, name) for name in names)
            for partition in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[Any] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(5_000).values():
                found += records
        return sorted(found, key=lambda one: (one.topic, one.partition, one.offset))
    finally:
        consumer.close()


def kept(settings: KafkaSettings) -> list[Kept]:
    """Every message on the topics of records."""
    kinds = {topic_of(settings, records): records for records in SCHEMAS}
    return [
        Kept(
            kinds[one.topic], one.partition, one.offset, message_of(one.headers, one.value, kinds[one.topic])
        )
        for one in records_of(settings, *SCHEMAS)
    ]
