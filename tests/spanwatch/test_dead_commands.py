"""`dead` as a user calls it."""

import json
from pathlib import Path

import pytest

from pipeline.settings import KafkaSettings, load_settings
from pipeline.stream.dead import DeadTopic, Origin
from pipeline.stream.kafka import open_admin
from pipeline.stream.kafka_headers import headers_of
from pipeline.stream.log import Log
from pipeline.stream.message import encode
from pipeline.stream.topics import make, wanted
from spanwatch.cli import DONE, FAILED, USAGE, main
from spanwatch.services import open_parts
from tests.pipeline.batches import batch, message
from tests.services.kafka import Kafka, missing
from tests.services.topics import kept
from tests.spanwatch.program import environment, one_line, run

Captured = pytest.CaptureFixture[str]


def test_a_message_set_aside_is_listed_and_replayed(tmp_path: Path, capsys: Captured) -> None:
    """A damaged message is listed with its reason; given back and whole again, its rows arrive once."""
    settings = load_settings(state=tmp_path)
    called = ["--state", str(tmp_path), "dead"]
    sent = encode("flows", batch("flows", 20), sensor="gate", boot="b1", sequence=0)
    with Log(settings.log_file, settings.stream.log_bytes) as log:
        log.append([sent._replace(schema=99)])
    with open_parts(settings) as parts:
        parts.worker.drain()
        assert parts.store.rows("SELECT count() AS n FROM flows") == [{"n": 0}]
        capsys.readouterr()
        assert main([*called, "list"]) == DONE
        dead = json.loads(capsys.readouterr().out)
        assert (dead["sensor"], dead["boot"], dead["sequence"], dead["records"]) == ("gate", "b1", 0, "flows")
        assert (dead["rows"], dead["id"]) == (20, 1)
        assert "schema version 99" in dead["reason"]
        assert dead["first"] < dead["last"] < dead["ts"]
        assert main([*called, "replay", "7"]) == USAGE
        assert "id 7" in capsys.readouterr().err
        # What an update of the program would do: now the version is known.
        parts.log._db.execute("UPDATE dead SET schema = ?", (sent.schema,))
        assert main([*called, "replay", "1"]) == DONE
        assert capsys.readouterr().out == "1 message given back\n"
        parts.worker.drain()
        assert parts.store.rows("SELECT count() AS n FROM flows") == [{"n": 20}]
        assert main([*called, "replay"]) == DONE
        assert main([*called, "list"]) == DONE
        assert capsys.readouterr().out == "0 messages given back\n"


def test_without_a_log_there_is_nothing_to_list(tmp_path: Path, capsys: Captured) -> None:
    """A folder without a log is named, and no log is made."""
    assert main(["--state", str(tmp_path), "dead", "list"]) == FAILED
    assert "outbox.sqlite" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.service
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_with_kafka_its_topic_is_meant(tmp_path: Path) -> None:
    """Listed with what the headers say and where it was, put back once; `--local` is the host's log."""
    with Kafka(tmp_path / "kafka") as kafka:
        variables = {
            "SPANWATCH_STREAM__KAFKA__BROKERS": ",".join(kafka.addresses),
            "SPANWATCH_STREAM__KAFKA__REPLICATION": "1",
            "SPANWATCH_STREAM__KAFKA__MIN_INSYNC": "1",
            "SPANWATCH_STATE": str(tmp_path / "state"),
        }
        settings = KafkaSettings(brokers=kafka.addresses, replication=1, min_insync=1)
        with open_admin(settings) as admin:
            make(admin, wanted(settings))
        one = message("flows", 20, 1)
        dead = DeadTopic(settings)
        dead.put(Origin("spanwatch.flows.v1", 2, 7), headers_of(one), one.payload, "ValueError: nonsense")
        dead.put(Origin("spanwatch.dns.v1", 0, 0), [], b"x", "header sensor is missing")
        dead.close()

        done = run("dead", "list", env=environment(**variables))
        assert done.returncode == 0
        first, second = (json.loads(line) for line in done.stdout.decode().splitlines())
        assert (first["sensor"], first["boot"], first["sequence"], first["rows"]) == ("gate", "b1", 1, 20)
        assert (first["topic"], first["partition"], first["offset"]) == ("spanwatch.flows.v1", 2, 7)
        assert first["reason"] == "ValueError: nonsense"
        assert first["first"].startswith("2026-03-02T08:00")
        assert (second["sensor"], second["first"], second["size"]) == (None, None, 1)

        done = run("dead", "replay", "99", env=environment(**variables))
        assert done.returncode == 2
        assert "no message set aside has the id 99" in one_line(done)
        done = run("dead", "replay", str(first["id"]), env=environment(**variables))
        assert done.stdout.decode() == "1 message given back\n"
        assert [each.message for each in kept(settings)] == [one]
        done = run("dead", "list", env=environment(**variables))
        assert len(done.stdout.decode().splitlines()) == 1
        done = run("dead", "list", "--local", env=environment(**variables))
        assert done.returncode == 1
        assert "there is no log" in one_line(done)
