"""The topics on Kafka: as the settings want them, as they are, and what differs."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from pipeline.records import SCHEMAS
from pipeline.settings import KafkaSettings
from pipeline.stream.kafka import FRAMING_BYTES

#: What is set aside waits for a person: so many hours at least. Our default, 90 days.
DEAD_HOURS = 90 * 24
HOUR_MS = 3_600_000


class Topic(NamedTuple):
    """A topic as the settings want it."""

    name: str
    partitions: int
    replication: int
    configs: dict[str, str]


class Found(NamedTuple):
    """A topic as the brokers have it."""

    partitions: int
    replication: int
    """Least copies of any partition."""
    in_sync: int
    """Least copies of any partition that are up to date."""
    leaderless: int
    """Partitions that nobody serves now."""
    configs: dict[str, str]
    """Its settings; empty where this user may not read them."""


def topic_of(settings: KafkaSettings, records: str) -> str:
    """Name of the topic of a kind of record, or of `dead`."""
    return f"{settings.topic_prefix}.{records}.v1"


def wanted(settings: KafkaSettings) -> list[Topic]:
    """Every topic that the program uses: one for each kind of record, and the one of dead messages."""
    hours = settings.retention_hours
    made = [_wanted(settings, records, settings.partitions, hours) for records in SCHEMAS]
    return [*made, _wanted(settings, "dead", 1, max(hours, DEAD_HOURS))]


def _wanted(settings: KafkaSettings, records: str, partitions: int, hours: int) -> Topic:
    configs = {
        "cleanup.policy": "delete",
        "retention.ms": str(hours * HOUR_MS),
        "retention.bytes": "-1",
        "min.insync.replicas": str(settings.min_insync),
        "max.message.bytes": str(settings.message_bytes + FRAMING_BYTES),
        # Payloads are compressed as they are; a sensor's clock must not decide what is old.
        "compression.type": "producer",
        "message.timestamp.type": "LogAppendTime",
    }
    return Topic(topic_of(settings, records), partitions, settings.replication, configs)


def find(admin: KafkaAdminClient, topics: Iterable[Topic]) -> dict[str, Found]:
    """Those of the topics that there are, by name."""
    there = _partitions(admin, topics)
    if not there:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: Found(
            len(partitions),
            min(len(one["replica_nodes"]) for one in partitions),
            min(len(one["isr_nodes"]) for one in partitions),
            sum(one["leader_id"] < 0 for one in partitions),
            {key: str(config["value"]) for key, config in configs[name].items()},
        )
        for name, partitions in there.items()
    }


def _partitions(admin: KafkaAdminClient, topics: Iterable[Topic]) -> dict[str, list[dict[str, Any]]]:
    """What the brokers say of each partition, by the names of the topics that there are."""
    return {
        topic["name"]: topic["partitions"]
        for topic in admin.describe_topics([topic.name for topic in topics])
        if not topic["error_code"] and topic["partitions"]
    }


def differences(topic: Topic, found: Found) -> list[str]:
    """What of a topic is not as wanted, a line each. More partitions than wanted are none."""
    told = []
    if found.partitions < topic.partitions:
        told.append(f"{found.partitions} partitions, stream.kafka.partitions wants {topic.partitions}")
    if found.replication < topic.replication:
        told.append(f"{found.replication} copies, stream.kafka.replication wants {topic.replication}")
    for key, value in topic.configs.items() if found.configs else ():
        if found.configs.get(key) != value:
            told.append(f"{key} is {found.configs.get(key, 'unknown')}, the settings want {value}")
    return told


def make(admin: KafkaAdminClient, topics: Iterable[Topic]) -> list[str]:
    """Make the topics that are missing; names of those made. What is there already stays as it is."""
    topics = list(topics)
    there = _partitions(admin, topics)
    missing = [topic for topic in topics if topic.name not in there]
    made = []
    for topic in missing:
        data = {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replication,
            "configs": topic.configs,
        }
        try:
            admin.create_topics({topic.name: data})
        except kafka_errors.TopicAlreadyExistsError:
            continue
        made.append(topic.name)
    if missing:
        admin.wait_for_topics([topic.name for topic in missing], timeout_ms=30_000)
    return made


def grow(admin: KafkaAdminClient, topics: Iterable[Topic]) -> list[str]:
    """Give topics with too few partitions as many as wanted; names of those that grew. None ever shrinks."""
    topics = list(topics)
    there = _partitions(admin, topics)
    short = {
        topic.name: topic.partitions
        for topic in topics
        if topic.name in there and len(there[topic.name]) < topic.partitions
    }
    if short:
        admin.create_partitions(short)
        admin.wait_for_topics(list(short), timeout_ms=30_000)
    return list(short)
