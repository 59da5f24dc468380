"""kill -9 of each process in mid-run: after the next start, rows and sums equal an undisturbed run."""

import contextlib
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spanwatch.cli import DONE
from tests.spanwatch.captures import days
from tests.spanwatch.program import COMMAND, environment, run
from tests.spanwatch.test_replay import replayed, sums

pytestmark = pytest.mark.slow

#: Rounds of kill and restart of each kind, after pauses of up to so many seconds.
ROUNDS, PAUSE_S = 4, 1.5


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled school day eight times, an hour apart."""
    return days(tmp_path_factory.mktemp("captures") / "days.pcap", 8)


@pytest.fixture(scope="module")
def undisturbed(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """The sums that a replay without any trouble leaves."""
    return replayed(capture, tmp_path_factory.mktemp("undisturbed") / "state")


def _start(state: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "--state", str(state), *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip


def _kill_rounds(start: Callable[[], subprocess.Popen[bytes]], at_work: Callable[[], bool]) -> int:
    """Start, wait until it is at work, kill -9 after a while; how often it was killed before its end."""
    killed = 0
    chance = random.Random(7)
    for _ in range(ROUNDS):
        process = start()
        deadline = time.monotonic() + 60
        while process.poll() is None and not at_work() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, PAUSE_S))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    return killed


def _count(state: Path, sql: str) -> int:
    """A number out of the log, 0 as long as there is none."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(
            sqlite3.connect(f"file:{state / 'outbox.sqlite'}?mode=ro", uri=True, timeout=5)
        ) as log,
    ):
        return int(log.execute(sql).fetchone()[0])
    return 0


def _appended(state: Path) -> int:
    return _count(state, "SELECT coalesce(sum(highest + 1), 0) FROM marks")


def _acknowledged(state: Path) -> int:
    return _count(state, "SELECT coalesce(max(acknowledged), 0) FROM consumers")


def _grows(measure: Callable[[Path], int], state: Path) -> Callable[[], bool]:
    """True once the measure is above what it was when first asked."""
    seen: list[int] = []

    def grown() -> bool:
        seen.append(measure(state))
        return seen[-1] > seen[0]

    return grown


def test_sensor(capture: Path, undisturbed: dict[str, list[object]], tmp_path: Path) -> None:
    """A sensor that is killed while it reads a capture gives the same batches under the same names again."""
    killed = _kill_rounds(lambda: _start(tmp_path, "sensor", capture), lambda: _appended(tmp_path) > 0)
    assert killed > 0
    assert run("--state", tmp_path, "sensor", capture).returncode == DONE
    assert run("--state", tmp_path, "replay", capture).returncode == DONE
    assert sums(tmp_path) == undisturbed


def test_worker(capture: Path, undisturbed: dict[str, list[object]], tmp_path: Path) -> None:
    """A worker that is killed between read, insert and acknowledgement loses and doubles nothing."""
    assert run("--state", tmp_path, "sensor", capture).returncode == DONE
    killed = _kill_rounds(lambda: _start(tmp_path, "worker"), _grows(_acknowledged, tmp_path))
    assert killed > 0
    assert run("--state", tmp_path, "replay", capture).returncode == DONE
    assert sums(tmp_path) == undisturbed


def test_worker_and_api_in_one_process(
    capture: Path, undisturbed: dict[str, list[object]], tmp_path: Path
) -> None:
    """The process of worker and API is killed while a sensor feeds it, which goes on."""
    sensor = _start(tmp_path, "sensor", capture)
    killed = _kill_rounds(
        lambda: _start(tmp_path, "up", "--no-sensor", "--port", "0"), _grows(_acknowledged, tmp_path)
    )
    assert sensor.wait(120) == DONE
    assert killed > 0
    assert run("--state", tmp_path, "replay", capture).returncode == DONE
    assert sums(tmp_path) == undisturbed


def test_replay(capture: Path, undisturbed: dict[str, list[object]], tmp_path: Path) -> None:
    """Sensor and worker killed together, in a replay: the next replay brings what is missing."""
    killed = _kill_rounds(lambda: _start(tmp_path, "replay", capture), _grows(_appended, tmp_path))
    assert killed > 0
    assert run("--state", tmp_path, "replay", capture).returncode == DONE
    assert sums(tmp_path) == undisturbed
