"""The relay against real brokers: complete, split the same way for ever, patient."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.records import RECORDS, SCHEMAS
from pipeline.settings import Settings, SettingsError, load_settings
from pipeline.stream.kafka import open_admin
from pipeline.stream.log import Log
from pipeline.stream.message import PLAIN, Message, decode
from pipeline.stream.topics import grow, make, topic_of, wanted
from spanwatch import relay as module
from spanwatch.relay import CONSUMER, Relay, only_relay, open_relay
from spanwatch.services import _log_source
from tests.pipeline.batches import batch, message
from tests.services.kafka import Kafka, missing
from tests.services.topics import Kept, kept
from tests.spanwatch.program import COMMAND, environment, one_line, run

KINDS = list(SCHEMAS)
NUMBERS = count()

service = pytest.mark.service
needs_kafka = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("relay") / "kafka") as running:
        yield running


def settings_for(kafka: Kafka, state: Path, **more: Any) -> Settings:
    """Topics of their own for each test."""
    chosen = {"replication": 1, "min_insync": 1, "partitions": 4, "topic_prefix": f"t{next(NUMBERS)}"} | more
    return load_settings(
        state=state, sensor={"name": "gate"}, stream={"site": "north", "kafka": kafka.settings | chosen}
    )


def filled(settings: Settings, messages: list[Message]) -> Log:
    log = Log(settings.log_file, settings.stream.log_bytes)
    log.register(CONSUMER)
    log.append(messages)
    return log


def sample(number: int, rows: int = 300) -> list[Message]:
    return [message(KINDS[n % len(KINDS)], rows, n) for n in range(number)]


def rows_of(messages: list[Message]) -> dict[str, list[str]]:
    """Rows as text, by the batch they are of."""
    found: dict[str, list[str]] = {}
    for one in messages:
        name = f"{one.records}/{one.sensor}/{one.boot}/{one.sequence}"
        found.setdefault(name, []).extend(str(row) for row in decode(one).to_pylist())
    return {name: sorted(rows) for name, rows in found.items()}


def once(found: list[Kept]) -> list[Message]:
    """Each part once; repeats must be what they repeat, in the same partition."""
    parts: dict[tuple[str, str], Kept] = {}
    for one in found:
        first = parts.setdefault((one.records, one.message.token), one)
        assert (first.partition, first.message) == (one.partition, one.message)
    return [one.message for one in parts.values()]


def until(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@service
@needs_kafka
def test_every_row_arrives_and_leaves_the_log(kafka: Kafka, tmp_path: Path) -> None:
    """Topics are made, rows come whole, a host's in one partition, and the log is empty afterwards."""
    settings = settings_for(kafka, tmp_path)
    sent = [*sample(12), message("flows", 0, 90)]
    with filled(settings, sent) as log:
        relay = Relay(settings, log)
        relay.drain()
        assert log.waiting(CONSUMER) == (0, 0)
        found = kept(settings.stream.kafka)
        assert rows_of([one.message for one in found]) == rows_of(sent)
        assert relay.status["messages"] == len(sent)
        assert relay.status["rows"] == sum(one.rows for one in sent)
        assert relay.status["parts"] == len(found)
        assert relay.status["error"] == relay.status["warning"] == ""
        hosts: dict[bytes, set[int]] = {}
        for one in found:
            if one.records in ("flows", "dns"):
                for client in decode(one.message)["client"].to_pylist():
                    hosts.setdefault(client, set()).add(one.partition)
        assert {len(places) for places in hosts.values()} == {1}
        assert len(set.union(*hosts.values())) == 4
        relay.drain()
        assert len(kept(settings.stream.kafka)) == len(found)


@service
@needs_kafka
def test_messages_of_an_older_schema_go_along(kafka: Kafka, tmp_path: Path) -> None:
    """What a sensor wrote before its update is relayed in its own version, and read as ever."""
    made = batch("flows", 300, 1)
    old = [i for i, field in enumerate(RECORDS["flows"]) if field.since == 1]
    schema = pa.schema([PLAIN["flows"].field(i) for i in old])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([made.column(i) for i in old], schema=schema))
    older = message("flows", 300, 1)._replace(schema=1, payload=sink.getvalue().to_pybytes())
    settings = settings_for(kafka, tmp_path)
    with filled(settings, [message("flows", 300, 0), older]) as log:
        Relay(settings, log).drain()
    found = [one.message for one in kept(settings.stream.kafka)]
    assert {(one.sequence, one.schema) for one in found} == {(0, message("flows", 1, 0).schema), (1, 1)}
    assert rows_of(found) == rows_of([message("flows", 300, 0), older])


@service
@needs_kafka
def test_repeats_are_split_as_before(kafka: Kafka, tmp_path: Path) -> None:
    """Though partitions were added and the site renamed, what may have been sent is split the same again."""
    settings = settings_for(kafka, tmp_path)
    sent = sample(8)
    log = filled(settings, sent)
    Relay(settings, log).drain()
    log.close()
    # As after a kill before the acknowledgement: the same ids wait again.
    settings.log_file.unlink()
    for beside in settings.log_file.parent.glob("outbox.sqlite-*"):
        beside.unlink()
    kafka_settings = settings.stream.kafka.model_copy(update={"partitions": 7})
    with open_admin(kafka_settings) as admin:
        grow(admin, wanted(kafka_settings))
    stream = settings.stream.model_copy(update={"kafka": kafka_settings, "site": "south"})
    changed = settings.model_copy(update={"stream": stream})
    with filled(changed, sent) as log:
        relay = Relay(changed, log)
        relay.drain()
        found = kept(kafka_settings)
        assert len(found) == 2 * len({(one.records, one.message.token) for one in found})
        assert rows_of(once(found)) == rows_of(sent)
        assert max(one.partition for one in found) == 3
        # From now on the new partitions are used.
        later = [one._replace(boot="b2") for one in sample(8)]
        log.append(later)
        relay.drain()
    found = [one for one in kept(kafka_settings) if one.message.boot == "b2"]
    assert max(one.partition for one in found) == 6
    assert rows_of([one.message for one in found]) == rows_of(later)


@service
@needs_kafka
def test_a_topic_that_shrank_is_told(kafka: Kafka, tmp_path: Path) -> None:
    """A topic made anew with fewer partitions stops the relay with the mend; nothing is lost."""
    settings = settings_for(kafka, tmp_path, partitions=2)
    with filled(settings, sample(2)) as log, open_admin(settings.stream.kafka) as admin:
        make(admin, wanted(settings.stream.kafka))
        relay = Relay(settings, log)
        for records in KINDS:
            relay.plan.note(records, 0, "north", 6)
        with pytest.raises(
            OSError, match=r"has 2 partitions, .* split into 6; set stream\.kafka\.partitions = 6"
        ):
            relay._session(threading.Event(), drain=True)
        assert log.waiting(CONSUMER)[0] == 2


@service
@needs_kafka
def test_what_cannot_be_sent_is_set_aside(kafka: Kafka, tmp_path: Path) -> None:
    """A damaged message and one too large stay in the log's dead, with the reason; the others go on."""
    settings = settings_for(kafka, tmp_path, message_bytes=1 << 20)
    damaged = message("flows", 50, 1)._replace(payload=b"nothing of ours")
    large = message("health", 1, 2)._replace(payload=os.urandom(1 << 21))
    sent = [message("flows", 50, 0), damaged, large, message("flows", 50, 3)]
    with filled(settings, sent) as log:
        relay = Relay(settings, log)
        relay.drain()
        assert [(one.sequence, one.reason.split(":")[0]) for one in log.dead()] == [
            (1, "ValueError"), (2, "cannot be sent"),
        ]  # fmt: skip
        assert "raise stream.kafka.message_bytes" in log.dead()[1].reason
        assert log.waiting(CONSUMER) == (0, 0)
        assert (relay.status["dead"], relay.status["messages"]) == (2, 2)
    assert {one.message.sequence for one in kept(settings.stream.kafka)} == {0, 3}


@service
@needs_kafka
def test_what_a_topic_refuses_is_set_aside(kafka: Kafka, tmp_path: Path) -> None:
    """A topic may take less than the settings say: what the brokers refuse leaves, the others arrive."""
    settings = settings_for(kafka, tmp_path)
    small = settings.stream.kafka.model_copy(update={"message_bytes": 1 << 20})
    with open_admin(small) as admin:
        make(admin, wanted(small))
    large = message("health", 1, 10)._replace(payload=os.urandom(1 << 21))
    sent = sample(10, 2_000)
    later = [one._replace(sequence=11 + one.sequence) for one in sent]
    with filled(settings, [*sent, large, *later]) as log:
        relay = Relay(settings, log)
        relay.drain()
        assert [one.sequence for one in log.dead()] == [10]
        assert "raise stream.kafka.message_bytes" in log.dead()[0].reason
        assert log.waiting(CONSUMER) == (0, 0)
    assert rows_of(once(kept(settings.stream.kafka))) == rows_of([*sent, *later])


@service
@needs_kafka
@pytest.mark.slow
def test_kills_in_the_middle_lose_nothing(kafka: Kafka, tmp_path: Path) -> None:
    """kill -9 of the relay again and again while the sensor writes: all rows arrive, repeats are the same."""
    settings = settings_for(kafka, tmp_path / "state")
    config = tmp_path / "spanwatch.toml"
    chosen = settings.stream.kafka
    config.write_text(
        f"state = '{settings.state}'\n[sensor]\nname = 'gate'\n[stream]\nsite = 'north'\n[stream.kafka]\n"
        f"brokers = {chosen.brokers}\nreplication = 1\nmin_insync = 1\npartitions = 4\n"
        f"topic_prefix = '{chosen.topic_prefix}'\n"
    )
    sent: list[Message] = []
    with filled(settings, []) as log:
        for turn in range(5):
            process = subprocess.Popen(
                [*COMMAND, "--config", str(config), "relay"],
                env=environment(),
                stdout=subprocess.PIPE,
                text=True,
            )
            with process:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("relay ready")
                for n in range(60):
                    one = message(KINDS[n % len(KINDS)], 400, len(sent))
                    sent.append(one)
                    log.append([one])
                    if turn and n == 30:
                        until(lambda: log.waiting(CONSUMER)[0] < 30)
                if turn == 4:
                    until(lambda: log.waiting(CONSUMER) == (0, 0))
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(30) == 0
                else:
                    process.kill()
        assert log.totals()["lost_records"] == 0
    assert rows_of(once(kept(chosen))) == rows_of(sent)
    assert re.search(
        r"^spanwatch_relay_messages \d+$", (settings.state / "relay.prom").read_text(), re.MULTILINE
    )


@service
@needs_kafka
@pytest.mark.slow
def test_an_outage_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its brokers the relay waits, says so once, bounded in memory, and goes on by itself."""
    monkeypatch.setattr(module, "SLOW_S", 1.0)
    monkeypatch.setattr(module, "STALLED_S", 5.0)
    monkeypatch.setattr(module, "FLYING_BYTES", 200_000)
    monkeypatch.setattr("pipeline.stream.kafka.BOOTSTRAP_MS", 2_000)
    with Kafka(tmp_path / "kafka", brokers=3) as kafka:
        settings = settings_for(kafka, tmp_path / "state", replication=3, min_insync=2)
        with filled(settings, sample(8)) as log:
            relay = Relay(settings, log)
            stop = threading.Event()
            thread = threading.Thread(target=relay.run, args=(stop,))
            thread.start()
            until(lambda: log.waiting(CONSUMER) == (0, 0), 90)
            # One broker less: nothing stops.
            kafka.kill(1)
            second = [one._replace(boot="b2") for one in sample(8)]
            log.append(second)
            until(lambda: log.waiting(CONSUMER) == (0, 0), 90)
            # Nobody left.
            kafka.pause(2)
            kafka.kill(3)
            third = [one._replace(boot="b3") for one in sample(40)]
            log.append(third)
            until(lambda: bool(relay.status["error"]), 60)
            assert re.search(r"see to those that are down|start them", relay.status["error"])
            until(lambda: relay.status["retries"] >= 1, 60)
            assert relay._flying_bytes < 400_000
            assert log.waiting(CONSUMER)[0] > 0
            kafka.resume(2)
            kafka.start(1, 3)
            until(lambda: log.waiting(CONSUMER) == (0, 0), 120)
            assert relay.status["error"] == ""
            stop.set()
            thread.join(30)
            assert not thread.is_alive()
        assert rows_of(once(kept(settings.stream.kafka))) == rows_of([*sample(8), *second, *third])


def test_without_brokers_there_is_nothing_to_do(tmp_path: Path) -> None:
    """The command says which setting is missing."""
    missing_brokers = pytest.raises(SettingsError, match=r"no Kafka to relay to; set stream\.kafka\.brokers")
    with missing_brokers, open_relay(load_settings(state=tmp_path)):
        pass
    done = run("--state", tmp_path, "relay")
    assert done.returncode == 2
    assert "set stream.kafka.brokers" in one_line(done)


def test_a_host_moves_to_kafka_and_back(tmp_path: Path) -> None:
    """What the log still holds goes to whoever reads it now, and nobody else is waited for."""
    kafka = load_settings(state=tmp_path, stream={"kafka": {"brokers": ["127.0.0.1:1"]}})
    with Log(kafka.log_file, kafka.stream.log_bytes) as log:
        log.register("worker")
        log.append(sample(3))
        Relay(kafka, log)._prepare()
        assert log.waiting(CONSUMER)[0] == 3
        with pytest.raises(ValueError, match="knows no consumer 'worker'"):
            log.waiting("worker")
    with _log_source(load_settings(state=tmp_path)) as source:
        assert source.waiting().messages == 3
    with Log(kafka.log_file, kafka.stream.log_bytes) as log:
        assert log.waiting("worker")[0] == 3
        with pytest.raises(ValueError, match="knows no consumer 'relay'"):
            log.waiting(CONSUMER)


def test_only_one_relays_a_log(tmp_path: Path) -> None:
    """A second one would send everything again, for nothing."""
    settings = load_settings(state=tmp_path, stream={"kafka": {"brokers": ["127.0.0.1:1"]}})
    refused = pytest.raises(OSError, match=r"another spanwatch .* relays the log of")
    with only_relay(settings), refused, open_relay(settings):
        pass


@pytest.mark.parametrize("records", KINDS)
def test_topics_are_named_after_their_records(records: str) -> None:
    """With the version of the message's form."""
    settings = load_settings(stream={"kafka": {"topic_prefix": "school"}})
    assert topic_of(settings.stream.kafka, records) == f"school.{records}.v1"
