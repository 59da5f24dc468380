"""Topics: what is wanted, what differs, made once, grown when asked."""

from pathlib import Path

import pytest

from pipeline.records import SCHEMAS
from pipeline.settings import KafkaSettings
from pipeline.stream.kafka import open_admin
from pipeline.stream.topics import Found, differences, find, grow, make, topic_of, wanted
from tests.services.kafka import Kafka, missing

SETTINGS = KafkaSettings(brokers=["127.0.0.1:1"], topic_prefix="school", partitions=4)


def test_every_kind_has_a_topic_and_the_dead_have_one() -> None:
    """With the settings' numbers; what is set aside stays longer, in one partition."""
    topics = {topic.name: topic for topic in wanted(SETTINGS)}
    assert list(topics) == [f"school.{records}.v1" for records in (*SCHEMAS, "dead")]
    flows, dead = topics[topic_of(SETTINGS, "flows")], topics[topic_of(SETTINGS, "dead")]
    assert (flows.partitions, flows.replication, dead.partitions) == (4, 3, 1)
    assert flows.configs["min.insync.replicas"] == "2"
    assert flows.configs["retention.ms"] == str(168 * 3_600_000)
    assert dead.configs["retention.ms"] == str(90 * 24 * 3_600_000)


def test_differences_are_told() -> None:
    """Fewer partitions or copies and other settings are; more partitions are no fault."""
    topic = wanted(SETTINGS)[0]
    as_wanted = Found(4, 3, 3, 0, topic.configs | {"segment.bytes": "1"})
    assert differences(topic, as_wanted) == []
    assert differences(topic, as_wanted._replace(partitions=9)) == []
    found = as_wanted._replace(partitions=2, replication=1, configs=topic.configs | {"retention.ms": "5"})
    assert differences(topic, found) == [
        "2 partitions, stream.kafka.partitions wants 4",
        "1 copies, stream.kafka.replication wants 3",
        "retention.ms is 5, the settings want 604800000",
    ]


@pytest.mark.service
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_topics_are_made_once_and_grown_when_asked(tmp_path: Path) -> None:
    """Made as wanted; a second time changes nothing, other settings only tell, growing only adds."""
    with Kafka(tmp_path / "kafka") as kafka:
        chosen = SETTINGS.model_copy(
            update={"brokers": kafka.addresses, "replication": 1, "min_insync": 1, "partitions": 2}
        )
        topics = wanted(chosen)
        with open_admin(chosen) as admin:
            assert find(admin, topics) == {}
            assert make(admin, topics) == [topic.name for topic in topics]
            assert make(admin, topics) == []
            found = find(admin, topics)
            assert [differences(topic, found[topic.name]) for topic in topics] == [[]] * 5
            assert all((one.in_sync, one.leaderless) == (1, 0) for one in found.values())

            more = wanted(chosen.model_copy(update={"partitions": 3, "retention_hours": 5}))
            assert make(admin, more) == []
            assert find(admin, more) == found
            assert differences(more[0], found[more[0].name]) == [
                "2 partitions, stream.kafka.partitions wants 3",
                "retention.ms is 604800000, the settings want 18000000",
            ]
            assert grow(admin, more) == [topic_of(chosen, records) for records in SCHEMAS]
            assert grow(admin, more) == grow(admin, topics) == []
            assert find(admin, more)[more[0].name].partitions == 3

        other = chosen.model_copy(update={"topic_prefix": "other", "replication": 3})
        refused = pytest.raises(OSError, match="fewer than 3 brokers; start more")
        with refused, open_admin(other) as admin:
            make(admin, wanted(other))
