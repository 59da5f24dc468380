"""`spanwatch replay`: rows come in once, whatever the file and whoever else is at work."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.settings import Settings
from pipeline.store.client import open_store
from spanwatch.cli import DONE, FAILED
from tests.pipeline.stores import made_state
from tests.spanwatch.captures import days, first_frames
from tests.spanwatch.program import COMMAND, environment, one_line, run

#: Counts and sums over everything that a replay leaves; equal numbers mean nothing lost, nothing doubled.
SUMS = {
    "flows": "SELECT count(), sum(bytes_up + bytes_down), sum(packets_up), sum(flow_id) FROM flows",
    "dns": "SELECT count(), countIf(answered), sum(cityHash64(qname, ts)) FROM dns",
    "sightings": "SELECT count(), sum(cityHash64(mac, ts, value)) FROM sightings",
    "health": "SELECT count(), sum(packets), sum(bytes) FROM health",
    "traffic_1m": "SELECT sum(bytes_up), sum(bytes_down), sum(packets_up), sum(flows) FROM traffic_1m",
    "attempts": "SELECT count(), sum(cityHash64(client, name, verdict)) FROM attempts FINAL",
    "findings": "SELECT count(), sum(cityHash64(id)) FROM findings FINAL",
    "batches": "SELECT count(), sum(rows), uniqExact(sensor, boot, sequence) FROM batches",
}


def sums(state: Path) -> dict[str, list[object]]:
    """The numbers of `SUMS` in the store of a state folder."""
    with open_store(Settings(state=state)) as store:
        return {name: list(store.rows(sql)[0].values()) for name, sql in SUMS.items()}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 20,000 frames of the bundled capture."""
    return first_frames(tmp_path_factory.mktemp("captures") / "small.pcap", 20_000)


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled day six times."""
    return days(tmp_path_factory.mktemp("captures") / "days.pcap", 6)


def replayed(capture: Path, state: Path) -> dict[str, list[object]]:
    """The numbers of a capture that is replayed without any trouble."""
    done = run("--state", made_state(state), "replay", capture)
    assert done.returncode == DONE, done.stderr
    return sums(state)


@pytest.fixture(scope="module")
def small_alone(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    return replayed(small, tmp_path_factory.mktemp("alone") / "state")


@pytest.fixture(scope="module")
def six_alone(six: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    return replayed(six, tmp_path_factory.mktemp("alone") / "state")


@pytest.mark.slow
def test_again_adds_nothing(small: Path, tmp_path: Path) -> None:
    """A second replay of the same content, under any name, leaves all counts and sums as they were."""
    first = run("--state", tmp_path, "replay", small)
    assert first.returncode == DONE, first.stderr
    assert b"flows" in first.stdout
    before = sums(tmp_path)
    assert int(str(before["flows"][0])) > 100
    again = tmp_path / "again.pcap"
    again.write_bytes(small.read_bytes())
    assert run("--state", tmp_path, "replay", again, small).returncode == DONE
    assert sums(tmp_path) == before


@pytest.mark.slow
def test_bad_file_costs_nothing_else(
    small: Path, small_alone: dict[str, list[object]], tmp_path: Path
) -> None:
    """What could be read is in the store; the bad file has its one line and exit code 1."""
    bad = tmp_path / "bad.pcap"
    bad.write_text("no capture at all")
    done = run("--state", made_state(tmp_path / "state"), "replay", bad, small)
    assert done.returncode == FAILED
    assert str(bad) in one_line(done)
    assert sums(tmp_path / "state") == small_alone


def test_cut_off_file_keeps_what_was_before(small: Path, tmp_path: Path) -> None:
    """Of a file that is cut off, every frame before the cut counts."""
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(small.read_bytes()[:-5])
    done = run("--state", made_state(tmp_path / "state"), "replay", cut)
    assert done.returncode == FAILED
    assert "cut off" in one_line(done)
    assert sums(tmp_path / "state")["health"][1] == 19_999


@pytest.mark.slow
def test_standard_input(small: Path, small_alone: dict[str, list[object]], tmp_path: Path) -> None:
    """A capture that is piped in arrives whole; it is cut into other blocks, so health has other rows."""
    state = made_state(tmp_path / "state")
    assert run("--state", state, "replay", "-", stdin=small.read_bytes()).returncode == DONE
    piped = sums(state)
    assert piped["health"][1:] == small_alone["health"][1:]
    for name in ("dns", "traffic_1m"):
        assert piped[name] == small_alone[name], name


@pytest.mark.slow
def test_beside_a_running_worker(small: Path, small_alone: dict[str, list[object]], tmp_path: Path) -> None:
    """Where a spanwatch works on the state folder, the capture reaches its store through the log."""
    shared = made_state(tmp_path / "shared")
    worker = subprocess.Popen(
        [*COMMAND, "--state", str(shared), "worker"], stdout=subprocess.PIPE, env=environment()
    )
    assert worker.stdout is not None
    try:
        assert worker.stdout.readline() == b"worker ready\n"
        done = run("--state", shared, "replay", small)
        assert done.returncode == DONE, done.stderr
        assert b"in the log of the spanwatch that runs" in done.stdout
    finally:
        worker.terminate()
        assert worker.wait(60) == DONE
        worker.stdout.close()
    assert sums(shared) == small_alone


@pytest.mark.service
@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is a mount, which needs root")
def test_full_disk(six: Path, six_alone: dict[str, list[object]], tmp_path: Path) -> None:
    """A full disk is one line with the mend; with room again, the rest comes in and nothing twice."""
    small_disk = tmp_path / "disk"
    small_disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small_disk)], check=True)
    try:
        done = run("--state", small_disk / "state", "replay", six)
        assert done.returncode == FAILED
        lines = done.stderr.decode().splitlines()
        assert "space" in lines[-1]
        assert lines[-1].startswith("spanwatch: ")
        assert b"Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=600m", str(small_disk)], check=True)
        assert run("--state", small_disk / "state", "replay", six).returncode == DONE
        assert sums(small_disk / "state") == six_alone
    finally:
        subprocess.run(["umount", "-l", str(small_disk)], check=True)


@pytest.mark.slow
def test_interrupted(six: Path, six_alone: dict[str, list[object]], tmp_path: Path) -> None:
    """Ctrl-C ends a replay quietly, and the next one brings the rest."""
    process = subprocess.Popen(
        [*COMMAND, "--state", str(tmp_path / "state"), "replay", str(six)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    log = tmp_path / "state" / "outbox.sqlite"
    while process.poll() is None and not log.exists():
        time.sleep(0.02)
    time.sleep(1.0)
    process.send_signal(2)
    _, errors = process.communicate(timeout=60)
    assert errors == b""
    assert process.returncode in (130, DONE)
    assert run("--state", tmp_path / "state", "replay", six).returncode == DONE
    assert sums(tmp_path / "state") == six_alone
