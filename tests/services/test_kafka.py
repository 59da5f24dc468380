"""The brokers of the tests: they start, take part in what is done to them, and are gone at the end."""

import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from tests.services.kafka import Kafka, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.mark.service
def test_three_brokers_keep_a_message_while_one_is_killed(tmp_path: Path) -> None:
    """What was acknowledged by all is there after a broker is killed, and that broker comes back."""
    with Kafka(tmp_path / "kafka", brokers=3) as kafka:
        assert [kafka.runs(number) for number in kafka.numbers] == [True] * 3
        admin = KafkaAdminClient(bootstrap_servers=kafka.addresses)
        admin.create_topics([NewTopic("t", 3, 3, topic_configs={"min.insync.replicas": "2"})])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=kafka.addresses, acks="all", enable_idempotence=True)
        for partition in range(3):
            producer.send("t", b"before", partition=partition).get(30)
        kafka.kill(1)
        assert not kafka.runs(1)
        for partition in range(3):
            producer.send("t", b"without", partition=partition).get(60)
        kafka.start(1)
        kafka.pause(2)
        for partition in range(3):
            producer.send("t", b"paused", partition=partition).get(60)
        kafka.resume(2)
        producer.close()
        consumer = KafkaConsumer("t", bootstrap_servers=kafka.addresses, auto_offset_reset="earliest")
        found: list[bytes] = []
        deadline = time.monotonic() + 60
        while len(found) < 9 and time.monotonic() < deadline:
            for records in consumer.poll(500).values():
                found += [record.value for record in records]
        consumer.close()
        assert sorted(found) == [b"before"] * 3 + [b"paused"] * 3 + [b"without"] * 3
        pids = [kafka.pid(number) for number in kafka.numbers]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.service
def test_a_broker_that_can_not_start_says_why(tmp_path: Path) -> None:
    """The end of its log is in the error, and nothing is left running."""
    kafka = Kafka(tmp_path / "kafka")
    path = tmp_path / "kafka" / "broker-1.properties"
    path.write_text(path.read_text() + "process.roles=nonsense\n")
    with pytest.raises(OSError, match=r"did not start:[\s\S]*process\.roles"):
        kafka.start()
    assert not kafka.runs(1)
