"""The doctor's look at Kafka: from nothing there to all well, and each thing that goes wrong."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from pipeline.settings import Settings, load_settings
from pipeline.stream.dead import DeadTopic, Origin
from pipeline.stream.kafka import options
from pipeline.stream.log import Log
from pipeline.stream.topics import Found, topic_of, wanted
from spanwatch import kafka_checks
from spanwatch.check import FAIL, OK, WARN, Check
from spanwatch.doctor import run_doctor
from spanwatch.kafka_checks import check_kafka, check_topics
from spanwatch.relay import CONSUMER, Relay
from tests.pipeline.batches import message
from tests.services.kafka import Kafka, Security, missing


def found(settings: Settings) -> dict[str, Check]:
    """The worst check of each name."""
    order = (OK, WARN, FAIL)
    worst: dict[str, Check] = {}
    for check in check_kafka(settings):
        assert bool(check.mend) == (check.level != OK), check
        if check.name not in worst or order.index(check.level) > order.index(worst[check.name].level):
            worst[check.name] = check
    return worst


def test_topics_are_judged() -> None:
    """Missing and different ones are warnings with the command that mends them."""
    kafka = load_settings(stream={"kafka": {"brokers": ["127.0.0.1:1"]}}).stream.kafka
    topics = wanted(kafka)
    good = {topic.name: Found(topic.partitions, 3, 3, 0, topic.configs) for topic in topics}
    assert [check.level for check in check_topics(topics, good)] == [OK]
    flows = topics[0].name
    changed = good[flows]._replace(partitions=1, configs=topics[0].configs | {"retention.ms": "1"})
    bad = good | {flows: changed}
    del bad[topics[1].name]
    told = list(check_topics(topics, bad))
    assert [check.level for check in told] == [WARN] * 3
    assert told[0].mend == "spanwatch topics --grow"
    assert "retention.ms is 1" in told[1].text
    assert "is missing" in told[2].text


def test_nobody_there_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the addresses, what to do, and what waits in the log meanwhile."""
    monkeypatch.setattr("pipeline.stream.kafka.BOOTSTRAP_MS", 500)
    settings = load_settings(
        state=tmp_path, stream={"log_bytes": 1 << 20, "kafka": {"brokers": ["127.0.0.1:1"]}}
    )
    worst = found(settings)
    assert list(worst) == ["brokers"]
    assert worst["brokers"].level == FAIL
    assert "127.0.0.1:1" in worst["brokers"].text
    with Log(settings.log_file, 1 << 20) as log:
        log.register(CONSUMER)
        assert found(settings)["relay"].level == OK
        for n in range(9):
            log.append([message("flows", 900, n)._replace(payload=b"x" * 90_000)])
        assert found(settings)["relay"].level == FAIL


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_cluster_from_nothing_to_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No topics, nobody reading, all well, late, something set aside, too few copies."""
    with Kafka(tmp_path / "kafka", brokers=3) as kafka:
        settings = load_settings(
            state=tmp_path / "state", sensor={"name": "gate"},
            stream={"kafka": kafka.settings | {"partitions": 2}},
        )  # fmt: skip
        chosen = settings.stream.kafka
        worst = found(settings)
        assert worst["brokers"] == Check("brokers", OK, "3 of Kafka answer")
        assert (worst["topics"].level, worst["workers"].level) == (WARN, OK)

        with Log(settings.log_file, settings.stream.log_bytes) as log:
            log.register(CONSUMER)
            log.append([message("flows", 100, n) for n in range(6)])
            Relay(settings, log).drain()
        worst = found(settings)
        assert {name: check.level for name, check in worst.items()} == {
            "brokers": OK, "topics": OK, "copies": OK, "workers": WARN, "set aside": OK, "relay": OK,
        }  # fmt: skip
        assert worst["workers"].text == "group spanwatch has 12 messages to read, and no worker runs"

        flows = topic_of(chosen, "flows")
        consumer = KafkaConsumer(**options(chosen, "worker"), group_id=chosen.group, enable_auto_commit=False)
        # Who leads the group before it knows the topic hands out nothing, and may never look again.
        assert consumer.partitions_for_topic(flows) == {0, 1}
        consumer.subscribe([flows])
        deadline = time.monotonic() + 90
        committed = False
        while not committed:
            assert time.monotonic() < deadline
            # A place that is given between two short calls is given up again.
            consumer.poll(10_000)
            if consumer.assignment():
                with suppress(RebalanceInProgressError):
                    consumer.commit({TopicPartition(flows, 0): OffsetAndMetadata(4, "", -1)})
                    committed = True
        assert found(settings)["workers"].text == "group spanwatch has 8 messages to read, 1 workers"
        monkeypatch.setattr(kafka_checks, "LATE", 5)
        assert found(settings)["workers"].level == WARN
        consumer.close()

        dead = DeadTopic(chosen)
        dead.put(Origin(flows, 0, 0), [], b"x", "ValueError: nonsense")
        dead.close()
        worst = found(settings)
        assert worst["set aside"].level == WARN
        assert "1 messages" in worst["set aside"].text

        kafka.kill(3)
        for _ in range(60):
            worst = found(settings)
            if "copies" in worst and {worst["copies"].level, worst["brokers"].level} == {WARN}:
                break
        assert "2 of 3 in sync" in worst["copies"].text
        assert "2 of Kafka answer, messages should have 3 copies" in worst["brokers"].text
        run_doctor(settings)
        assert "warn copies:" in capsys.readouterr().out


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_relay_needs_few_rights(tmp_path: Path) -> None:
    """Without any it is told which; with those of a relay it works, and the doctor passes over the rest."""
    with Kafka(tmp_path / "kafka", security=Security.MTLS, guarded=True) as kafka:
        settings = load_settings(
            state=tmp_path / "state", sensor={"name": "gate"},
            stream={"kafka": kafka.settings | {"replication": 1, "min_insync": 1, "partitions": 2}},
        )  # fmt: skip
        with Log(settings.log_file, settings.stream.log_bytes) as log:
            log.register(CONSUMER)
            log.append([message("flows", 100, n) for n in range(4)])
            relay = Relay(settings, log)
            with pytest.raises(PermissionError, match=r"forbid it; give this user READ, WRITE"):
                relay._session(threading.Event(), drain=True)
            assert found(settings)["topics"].level == WARN
            topics = ResourcePattern(ResourceType.TOPIC, "spanwatch.", ACLResourcePatternType.PREFIXED)
            inside = KafkaAdminClient(bootstrap_servers=kafka.inside)
            inside.create_acls(
                [
                    ACL("User:CN=sensor.example", "*", operation, ACLPermissionType.ALLOW, topics)
                    for operation in (ACLOperation.CREATE, ACLOperation.WRITE, ACLOperation.DESCRIBE)
                ]
            )
            inside.close()
            relay.drain()
            assert log.waiting(CONSUMER) == (0, 0)
        dead = DeadTopic(settings.stream.kafka)
        dead.put(Origin("spanwatch.flows.v1", 0, 0), [], b"x", "why")
        dead.close()
        worst = found(settings)
        assert worst.pop("topics").mend == "give this user the right DescribeConfigs on it"
        assert {check.level for check in worst.values()} == {OK}
        assert worst["workers"].text == "group spanwatch is not for this host to see"
        assert worst["set aside"].text == "not for this host to see"
