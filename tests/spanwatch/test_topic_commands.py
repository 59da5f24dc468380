"""`spanwatch topics`: makes what is missing, tells what differs, grows when asked."""

from pathlib import Path

import pytest

from tests.services.kafka import Kafka, missing
from tests.spanwatch.program import environment, one_line, run


def test_without_kafka_it_says_so(tmp_path: Path) -> None:
    """One line that names the setting."""
    done = run("--state", tmp_path, "topics")
    assert done.returncode == 2
    assert "there is no Kafka; set stream.kafka.brokers" in one_line(done)


@pytest.mark.service
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_topics_are_made_told_and_grown(tmp_path: Path) -> None:
    """A line for each topic; what differs makes the exit code 1."""
    with Kafka(tmp_path / "kafka") as kafka:
        variables = {
            "SPANWATCH_STREAM__KAFKA__BROKERS": ",".join(kafka.addresses),
            "SPANWATCH_STREAM__KAFKA__REPLICATION": "1",
            "SPANWATCH_STREAM__KAFKA__MIN_INSYNC": "1",
            "SPANWATCH_STREAM__KAFKA__PARTITIONS": "2",
        }
        done = run("topics", env=environment(**variables))
        assert done.returncode == 0
        assert done.stdout.decode().splitlines()[0] == "spanwatch.flows.v1: made"
        variables["SPANWATCH_STREAM__KAFKA__PARTITIONS"] = "3"
        done = run("topics", env=environment(**variables))
        assert done.returncode == 1
        told = done.stdout.decode().splitlines()
        assert told[0] == "spanwatch.flows.v1: 2 partitions, stream.kafka.partitions wants 3"
        assert told[4] == "spanwatch.dead.v1: there"
        done = run("topics", "--grow", env=environment(**variables))
        assert done.returncode == 0
        assert done.stdout.decode().splitlines()[0] == "spanwatch.flows.v1: grown"
