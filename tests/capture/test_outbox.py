"""The way into the log: a full disk, a slow one, one that fails."""

import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from capture.outbox import Courier, Outbox
from pipeline.stream.log import Log
from tests.capture.packets import (
    T0,
    small_sensor,
)


def new_log(path: Path) -> Log:
    log = Log(path, 1 << 30)
    log.register("test")
    return log


class Full:
    """A log on a full disk: room for some messages, then none."""

    def __init__(self, log: Log) -> None:
        self.log, self.full = log, True

    def append(self, made: Any) -> Any:
        if self.full:
            raise OSError(28, "No space left on device")
        return self.log.append(made)

    def totals(self) -> dict[str, int]:
        return self.log.totals()


def test_a_live_sensor_outlives_a_full_disk(tmp_path: Path) -> None:
    """Batches that the log can't take are counted as lost; their numbers stay unused, so the hole shows."""
    with new_log(tmp_path / "log") as log:
        full = Full(log)
        outbox = Outbox(full, "gate", "live-1", live=True)  # type: ignore[arg-type]
        outbox.put(small_sensor().finish(T0))
        assert outbox.take_lost() == 1
        assert outbox.take_lost() == 0
        full.full = False
        outbox.put(small_sensor().finish(T0))
        assert log.highest("gate", "live-1") == 1
        log.register("reader")
        assert [entry.message.sequence for entry in log.read("reader", 10)] == [1]
        strict = Outbox(Full(log), "gate", "file-1")  # type: ignore[arg-type]
        with pytest.raises(OSError, match="No space"):
            strict.put(small_sensor().finish(T0))


def test_a_slow_disk_holds_up_nothing_but_its_own_thread() -> None:
    """Batches wait for an outbox that is busy, in their order, and all are handed over at the end."""
    busy = threading.Event()
    taken: list[str] = []

    class Slow:
        def put(self, batches: list[tuple[str, str]]) -> None:
            busy.wait(10)
            taken.extend(kind for kind, _ in batches)

    with Courier(Slow()) as courier:  # type: ignore[arg-type]
        for number in range(5):
            courier.put([(f"{number}", "")])  # type: ignore[list-item]
        assert taken == []
        busy.set()
    assert taken == ["0", "1", "2", "3", "4"]


def test_what_stops_the_outbox_stops_the_sensor() -> None:
    """An error of the outbox's thread is raised where the sensor hands over."""

    class Broken:
        def put(self, batches: object) -> None:
            raise OSError("no disk")

    raised = ""
    with suppress(OSError), Courier(Broken()) as courier:  # type: ignore[arg-type]
        deadline = time.monotonic() + 10
        while not raised and time.monotonic() < deadline:
            try:
                courier.put([("flows", "")])  # type: ignore[list-item]
            except OSError as error:
                raised = str(error)
    assert raised == "no disk"


def test_what_stops_the_outbox_at_the_end_is_raised_there() -> None:
    """Leaving the block hides no error of the last batches."""

    class Broken:
        def put(self, batches: object) -> None:
            raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"), Courier(Broken()) as courier:  # type: ignore[arg-type]
        courier.put([("flows", "")])  # type: ignore[list-item]


def test_losses_are_taken_once() -> None:
    """What one thread counts as lost while another takes it adds up."""

    class Losing:
        def append(self, messages: list[object]) -> object:
            return SimpleNamespace(lost_records=1)

        def totals(self) -> dict[str, int]:
            return {"bytes": 0}

    outbox = Outbox(Losing(), "gate", "live-1", live=True)  # type: ignore[arg-type]
    (batch,) = [made for made in small_sensor().finish(T0) if made[0] == "health"]
    counting = threading.Thread(target=lambda: [outbox.put([batch]) for _ in range(300)])
    counting.start()
    taken = 0
    while counting.is_alive():
        taken += outbox.take_lost()
    counting.join()
    assert taken + outbox.take_lost() == 300
