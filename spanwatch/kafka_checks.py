"""The doctor's look at Kafka: brokers, topics, copies, what workers have yet to read, what was set aside."""

import contextlib
import time
from collections.abc import Iterator, Mapping

from kafka import TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import KafkaAdminClient, OffsetSpec

from pipeline.records import SCHEMAS
from pipeline.settings import KafkaSettings, Settings
from pipeline.stream.dead import listed
from pipeline.stream.kafka import open_admin
from pipeline.stream.log import Log
from pipeline.stream.topics import Found, Topic, differences, find, topic_of, wanted
from spanwatch.check import FAIL, OK, WARN, Check, failed
from spanwatch.relay import CONSUMER

#: Messages behind from which on the workers are late. Our default: some minutes of a large site.
LATE = 10_000
#: Seconds that the brokers get to say who keeps the group. Our default.
COORDINATOR_S = 15.0
#: Share of the log's bound that may wait for the relay. Our default.
FULL = 0.5


def check_kafka(settings: Settings) -> Iterator[Check]:
    """All checks of Kafka, as far as it can be reached."""
    kafka = settings.stream.kafka
    topics = wanted(kafka)
    try:
        with open_admin(kafka) as admin:
            brokers = admin.describe_cluster()["brokers"]
            yield _brokers(kafka, sum(not broker.get("is_fenced") for broker in brokers))
            found = find(admin, topics)
            yield from check_topics(topics, found)
            yield from _copies(kafka, found)
            yield _lag(kafka, admin, found)
        yield _dead(kafka, found)
    except (OSError, ValueError) as error:
        yield failed("brokers", error)
    if settings.log_file.exists():
        yield _relay(settings)


def _brokers(kafka: KafkaSettings, count: int) -> Check:
    text = f"{count} of Kafka answer" if count > 1 else "one of Kafka answers"
    if count < kafka.replication:
        mend = "start those that are down, or lower stream.kafka.replication"
        return Check("brokers", WARN, f"{text}, messages should have {kafka.replication} copies", mend)
    return Check("brokers", OK, text)


def check_topics(topics: list[Topic], found: Mapping[str, Found]) -> Iterator[Check]:
    """A line for each topic that is missing or differs; one where none does."""
    good = True
    for topic in topics:
        if topic.name not in found:
            good = False
            yield Check("topics", WARN, f"{topic.name} is missing", "spanwatch topics, or start a relay")
            continue
        if not found[topic.name].configs:
            good = False
            mend = "give this user the right DescribeConfigs on it"
            yield Check("topics", WARN, f"{topic.name}: how it is set may not be read", mend)
        for told in differences(topic, found[topic.name]):
            good = False
            grows = "partitions" in told
            mend = "spanwatch topics --grow" if grows else "alter it with Kafka's own tools, or the setting"
            yield Check("topics", WARN, f"{topic.name}: {told}", mend)
    if good:
        yield Check("topics", OK, f"{len(topics)} as the settings want them")


def _copies(kafka: KafkaSettings, found: Mapping[str, Found]) -> Iterator[Check]:
    mend = "start the brokers that are down; see their logs"
    good = True
    for name, topic in found.items():
        least = int(topic.configs.get("min.insync.replicas", kafka.min_insync))
        if topic.leaderless:
            good = False
            yield Check("copies", FAIL, f"{name}: nobody serves {topic.leaderless} partitions", mend)
        elif topic.in_sync < least:
            good = False
            text = f"{name}: {topic.in_sync} in sync, {least} needed: nothing is taken"
            yield Check("copies", FAIL, text, mend)
        elif topic.in_sync < topic.replication:
            good = False
            yield Check("copies", WARN, f"{name}: {topic.in_sync} of {topic.replication} in sync", mend)
    if good and found:
        yield Check("copies", OK, "all in sync")


def _behind(kafka: KafkaSettings, admin: KafkaAdminClient, found: Mapping[str, Found]) -> tuple[int, bool]:
    """Messages that the group has yet to read, and whether it ever read any. Raises KafkaError."""
    places = [
        TopicPartition(name, partition)
        for name in (topic_of(kafka, records) for records in SCHEMAS)
        if name in found
        for partition in range(found[name].partitions)
    ]
    if not places:
        return 0, False
    ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    begins = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
    read = admin.list_group_offsets({kafka.group: places}).get(kafka.group, {})
    done = {place: committed.offset for place, committed in read.items() if committed.offset >= 0}
    behind = sum(
        max(0, ends[place].offset - max(done.get(place, 0), begins[place].offset)) for place in places
    )
    return behind, bool(done)


def _lag(kafka: KafkaSettings, admin: KafkaAdminClient, found: Mapping[str, Found]) -> Check:
    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            behind, ever = _behind(kafka, admin, found)
            members = admin.describe_groups([kafka.group])[kafka.group].get("members") or []
            break
        except kafka_errors.AuthorizationError:
            return Check("workers", OK, f"group {kafka.group} is not for this host to see")
        except kafka_errors.RetriableError:
            # The first question about any group makes the topic that groups are kept in.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    text = f"group {kafka.group} has {behind:,} messages to read"
    if not members and (behind or ever):
        return Check("workers", WARN, f"{text}, and no worker runs", "start one: spanwatch worker")
    if behind > LATE:
        mend = "start more workers, up to one for each partition; see docs/sizing.md"
        return Check("workers", WARN, f"{text}: {len(members)} workers are late", mend)
    return Check("workers", OK, f"{text}, {len(members)} workers")


def _dead(kafka: KafkaSettings, found: Mapping[str, Found]) -> Check:
    try:
        count = len(listed(kafka)) if topic_of(kafka, "dead") in found else 0
    except PermissionError:
        return Check("set aside", OK, "not for this host to see")
    if count:
        mend = "spanwatch dead list says why; mended, spanwatch dead replay"
        return Check("set aside", WARN, f"{count:,} messages that no worker could use", mend)
    return Check("set aside", OK, "nothing")


def _relay(settings: Settings) -> Check:
    try:
        with contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log:
            log.register(CONSUMER)
            messages, size = log.waiting(CONSUMER)
    except (OSError, ValueError) as error:
        return failed("relay", error)
    text = f"{messages:,} messages of this host's log wait for it, {size >> 20} MiB"
    if size > FULL * settings.stream.log_bytes:
        mend = "see that the relay runs and brokers take what it sends, before the oldest are lost"
        return Check("relay", FAIL, text, mend)
    return Check("relay", OK, text)
