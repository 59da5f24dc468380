"""What the processes share: port, state folder, worker lock, first token, signals."""

import os
import signal
import socket
from pathlib import Path

import pytest

from api.access import Access
from pipeline.settings import Settings
from pipeline.stream.log import Log
from spanwatch.relay import Relay
from spanwatch.services import (
    address_of,
    bind,
    first_token,
    make_state,
    only_worker,
    open_parts,
    stopped_by_signals,
    worker_running,
)
from tests.pipeline.batches import message
from tests.services.kafka import Kafka, missing


def test_port_in_use_is_one_line_with_the_mend() -> None:
    """A port that something listens on is refused before any work, and --port is named."""
    with bind("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}: .*in use; .*--port"):
            bind("127.0.0.1", port)


def test_unknown_host_is_named() -> None:
    """An address that is no address of this machine is refused with --host as the mend."""
    with pytest.raises((OSError, ValueError), match="--host"):
        bind("203.0.113.9", 0)


def test_bound_port_is_ours_already() -> None:
    """From bind on clients can connect: no second process can take the port while we prepare."""
    with bind("127.0.0.1", 0) as held, socket.create_connection(held.getsockname(), 5) as client:
        assert client.getpeername() == held.getsockname()


def test_address_of_a_wildcard_is_loopback() -> None:
    """The link that is printed can be opened on this machine."""
    with bind("0.0.0.0", 0) as held:
        assert address_of(held) == f"http://127.0.0.1:{held.getsockname()[1]}/"


def test_only_one_worker(tmp_path: Path) -> None:
    """A state folder has one worker; the second is told who has it."""
    settings = Settings(state=tmp_path / "state")
    assert not worker_running(settings)
    with only_worker(settings):
        assert worker_running(settings)
        with pytest.raises(OSError, match=rf"process {os.getpid()}.*--state"), only_worker(settings):
            pass
    assert not worker_running(settings)


def test_state_folder_is_not_for_everybody(tmp_path: Path) -> None:
    """The folder that holds records of people is not readable by others."""
    make_state(tmp_path / "deep" / "state")
    assert (tmp_path / "deep" / "state").stat().st_mode & 0o007 == 0


def test_state_that_cannot_be_made(tmp_path: Path) -> None:
    """A state folder below a file is refused with the mend."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="--state"):
        make_state(tmp_path / "file" / "state")


def test_first_start_makes_one_administrator(tmp_path: Path) -> None:
    """The first start gives a token that works, the second gives none."""
    access = Access(tmp_path / "access.sqlite")
    token = first_token(access)
    assert token is not None
    identity = access.check(token)
    assert identity is not None
    assert identity.roles == ("administrator",)
    assert first_token(access) is None
    access.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_set_the_event(number: signal.Signals) -> None:
    """SIGTERM and SIGINT set the event, and the handlers before come back."""
    before = signal.getsignal(number)
    with stopped_by_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before


@pytest.mark.service
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_with_brokers_the_worker_takes_from_kafka(tmp_path: Path) -> None:
    """What a log holds comes by relay and Kafka, each batch whole again in the store; nobody waits for this
    machine's worker, and what was in before it moved to Kafka is not taken twice."""
    with Kafka(tmp_path / "kafka") as kafka:
        topics = {"partitions": 3, "replication": 1, "min_insync": 1, "batch_seconds": 0.2}
        settings = Settings.model_validate(
            {"state": tmp_path / "state", "stream": {"kafka": kafka.settings | topics}}
        )
        make_state(settings.state)
        sent = [message(records, 60, n) for n, records in enumerate(("flows", "dns", "sightings", "health"))]
        with Log(settings.log_file, 1 << 30) as log:
            log.register("relay")
            log.append(sent[:1])
        with open_parts(settings) as parts:
            parts.worker.drain()
        with Log(settings.log_file, 1 << 30) as log:
            log.append(sent[1:])
        with open_parts(settings, shared=True) as parts:
            with Log(settings.log_file, 1 << 30) as log:
                Relay(settings, log).drain()
                assert log.totals()["bytes"] == 0
            parts.worker.drain()
            assert parts.worker.status["repeated"] > 1
            assert parts.worker.status["leads"]
            for records in ("flows", "dns", "sightings", "health"):
                [row] = parts.store.rows(f"SELECT count() AS rows FROM {records}")
                assert row["rows"] == 60
            whole = parts.store.rows(
                "SELECT sequence FROM batches GROUP BY sequence HAVING count() = max(parts) ORDER BY sequence"
            )
            assert [row["sequence"] for row in whole] == [0, 1, 2, 3]
