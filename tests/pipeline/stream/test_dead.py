"""The topic of dead messages: kept with reason and origin, listed once, put back once."""

from collections.abc import Iterator
from itertools import count

import pytest

from pipeline.settings import KafkaSettings
from pipeline.stream.dead import REASON_CHARACTERS, DeadTopic, Origin, listed, put_back
from pipeline.stream.kafka import open_admin, open_producer
from pipeline.stream.kafka_headers import headers_of
from pipeline.stream.topics import make, topic_of, wanted
from tests.pipeline.batches import message
from tests.services.kafka import Kafka, missing
from tests.services.topics import kept, records_of

pytestmark = [pytest.mark.service, pytest.mark.skipif(bool(missing()), reason=missing())]
NUMBERS = count()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("dead") / "kafka") as running:
        yield running


@pytest.fixture
def settings(kafka: Kafka) -> KafkaSettings:
    """With topics of the test's own."""
    chosen = KafkaSettings.model_validate(
        kafka.settings
        | {"replication": 1, "min_insync": 1, "partitions": 2, "topic_prefix": f"d{next(NUMBERS)}"}
        | {"message_bytes": 1 << 20}
    )
    with open_admin(chosen) as admin:
        make(admin, wanted(chosen))
    return chosen


def test_a_message_is_kept_and_put_back_once(settings: KafkaSettings) -> None:
    """Its headers, payload, origin and reason; after the replay it is on its partition and not listed."""
    flows = topic_of(settings, "flows")
    one, other = message("flows", 20, 1), message("flows", 20, 2)
    dead = DeadTopic(settings)
    dead.put(Origin(flows, 1, 7), headers_of(one), one.payload, "ValueError: no\nsense")
    dead.put(Origin(flows, 0, 3), headers_of(other), other.payload, "x" * 9_999)
    # A worker that was killed before it went on puts it there again.
    dead.put(Origin(flows, 1, 7), headers_of(one), one.payload, "ValueError: no\nsense")
    dead.close()
    found = listed(settings)
    assert [(each.origin, each.reason) for each in found] == [
        (Origin(flows, 1, 7), "ValueError: no sense"),
        (Origin(flows, 0, 3), "x" * REASON_CHARACTERS),
    ]
    assert found[0].message == one._replace(payload=b"")
    assert found[0].size == len(one.payload)
    assert found[0].ts > 1_700_000_000_000_000

    assert put_back(settings, [found[0].id]) == 1
    assert [(each.partition, each.message) for each in kept(settings)] == [(1, one)]
    assert [each.origin for each in listed(settings)] == [Origin(flows, 0, 3)]
    with pytest.raises(ValueError, match=f"no message set aside has the id {found[0].id}"):
        put_back(settings, [found[0].id])
    assert put_back(settings) == 1
    assert put_back(settings) == 0
    assert sorted(each.message.sequence for each in kept(settings)) == [1, 2]


def test_anything_may_be_set_aside(settings: KafkaSettings) -> None:
    """Headers of others, missing, endless or pretending to be ours; the largest payload; none at all."""
    dead = DeadTopic(settings)
    flows = topic_of(settings, "flows")
    cases: list[tuple[list[tuple[str, bytes | None]], bytes | None]] = [
        ([], None),
        ([("sensor", b"\xff"), ("dead-topic", b"elsewhere"), ("dead-replayed", b"all")], b"x"),
        ([("endless", b"y" * 200_000), ("sensor", None)], b"z"),
        ([("many", b"y" * 100)] * 10_000, b"z" * (1 << 20)),
    ]
    for offset, (headers, payload) in enumerate(cases):
        dead.put(Origin(flows, 0, offset), headers, payload, "why")
    dead.close()
    found = listed(settings)
    assert [(each.origin.offset, each.message, each.size) for each in found] == [
        (0, None, 0), (1, None, 1), (2, None, 1), (3, None, 1 << 20),
    ]  # fmt: skip


def test_what_others_write_there_is_no_message_of_ours(settings: KafkaSettings) -> None:
    """Records without an origin are passed over, and nothing is put on a topic that is none of ours."""
    topic = topic_of(settings, "dead")
    with open_producer(settings, "test") as producer:
        producer.send(topic, b"hello", partition=0).get(30)
        headers = [("dead-topic", b"payroll"), ("dead-partition", b"0"), ("dead-offset", b"1")]
        producer.send(topic, b"hello", partition=0, headers=headers).get(30)
    [found] = listed(settings)
    assert found.origin == Origin("payroll", 0, 1)
    with pytest.raises(ValueError, match="comes from payroll, which is no topic of ours"):
        put_back(settings)
    assert len(records_of(settings, "dead")) == 2


def test_no_topic_is_told(settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with the mend."""
    monkeypatch.setattr("pipeline.stream.kafka.BOOTSTRAP_MS", 1_000)
    other = settings.model_copy(update={"topic_prefix": "nothing"})
    with pytest.raises(OSError, match="; "):
        DeadTopic(other).put(Origin("t", 0, 0), [], b"", "why")
    gone = settings.model_copy(update={"brokers": ["127.0.0.1:1"]})
    with pytest.raises(OSError, match="no broker answers"):
        listed(gone)
