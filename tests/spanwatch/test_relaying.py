"""A relay beside the sensor: only where there is Kafka, gone with the block."""

import threading
from pathlib import Path

import pytest

from pipeline.settings import load_settings
from spanwatch.invocation import Invocation
from spanwatch.relay import only_relay
from spanwatch.relaying import relaying


def test_without_kafka_nothing_is_started(tmp_path: Path) -> None:
    """A sensor of one machine has no relay."""
    stop = threading.Event()
    with relaying(Invocation(None, tmp_path), load_settings(state=tmp_path), stop):
        assert threading.active_count() == 1 or "relay" not in {t.name for t in threading.enumerate()}
    assert not (tmp_path / "relay.lock").exists()


@pytest.mark.slow
def test_a_relay_runs_for_the_block_and_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the log's relay lock meanwhile, though no broker answers."""
    monkeypatch.setenv("SPANWATCH_STREAM__KAFKA__BROKERS", "127.0.0.1:1")
    settings = load_settings(state=tmp_path)
    stop = threading.Event()
    with relaying(Invocation(None, tmp_path), settings, stop):
        for _ in range(300):
            if (tmp_path / "relay.prom").exists() or stop.wait(0.1):
                break
        assert "spanwatch_relay_connected 0" in (tmp_path / "relay.prom").read_text()
        with pytest.raises(OSError, match="another spanwatch"), only_relay(settings):
            pass
    assert not stop.is_set()
    with only_relay(settings):
        pass


def test_a_relay_that_cannot_start_ends_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with its settings is seen at the start, not when the disk is full."""
    monkeypatch.setenv("SPANWATCH_STREAM__KAFKA__BROKERS", "127.0.0.1:1")
    monkeypatch.setenv("SPANWATCH_STREAM__KAFKA__CA", str(tmp_path / "none.pem"))
    stop = threading.Event()
    beside = relaying(Invocation(None, tmp_path), load_settings(state=tmp_path), stop)
    with pytest.raises(ChildProcessError) as caught, beside:
        assert stop.wait(30)
    assert caught.value.args == (2,)
