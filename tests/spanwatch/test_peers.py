"""The comparison with other programs: what runs, what is left out, and what it is charged."""

import os
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from spanwatch import peers
from spanwatch.cli import DONE
from spanwatch.peers import Peer, cpu_seconds, installed_peers, ourselves, run_comparison
from tests.spanwatch.captures import first_frames
from tests.spanwatch.program import run

CORE = max(os.sched_getaffinity(0))
BUSY = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_cpu_is_that_of_the_process_and_its_children(tmp_path: Path) -> None:
    """A program that computes for 0.3 s itself and in a child is charged 0.6 s or more."""
    program = f"import subprocess, sys\n{BUSY}subprocess.run([sys.executable, '-c', '''{BUSY}'''])\n"
    spent = cpu_seconds(Peer("busy", "", (sys.executable, "-c", program), ""), str(tmp_path), CORE)
    assert spent >= 0.6


@pytest.mark.slow
def test_ourselves_as_a_peer(tmp_path: Path) -> None:
    """What is compared runs: the records of the capture are written, and the time is charged."""
    capture = first_frames(tmp_path / "small.pcap", 2_000)
    assert cpu_seconds(ourselves(), str(capture), CORE) > 0
    done = run("bench", capture, "--once", tmp_path)
    assert done.returncode == DONE, done.stderr
    with pa.ipc.open_stream(tmp_path / "health.arrows") as written:
        assert sum(sum(batch["packets"].to_pylist()) for batch in written) == 2_000
    assert (tmp_path / "flows.arrows").stat().st_size > 0


def test_a_program_that_fails_is_named(tmp_path: Path) -> None:
    """Its name, exit code and last words are in the error."""
    peer = Peer("broken", "", (sys.executable, "-c", "import sys; sys.exit('no {file}')"), "")
    with pytest.raises(RuntimeError, match=r"broken ended with 1: no .*test_a_program"):
        cpu_seconds(peer, str(tmp_path), CORE)


def test_a_program_that_does_not_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Patience has an end."""
    monkeypatch.setattr(peers, "PATIENCE_S", 0.5)
    peer = Peer("endless", "", (sys.executable, "-c", "import time; time.sleep(60)"), "")
    with pytest.raises(RuntimeError, match="endless ended with -9"):
        cpu_seconds(peer, str(tmp_path), CORE)


def test_only_installed_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Programs are looked for on the path; those that are not there are left out."""
    program = tmp_path / "argus"
    program.write_text("#!/bin/sh\necho argus 9.9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = [peer for peer in installed_peers() if peer.name != "nfstream"]
    assert (found.name, found.version, found.command[0]) == ("argus", "argus 9.9", "argus")


def test_without_ourselves_there_is_nothing_to_compare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where spanwatch itself fails, the comparison ends with its last words."""
    ours = Peer("spanwatch", "", (sys.executable, "-c", "import sys; sys.exit('no room')"), "")
    monkeypatch.setattr(peers, "ourselves", lambda: ours)
    monkeypatch.setattr(peers, "installed_peers", list)
    with pytest.raises(RuntimeError, match="spanwatch ended with 1: no room"):
        run_comparison(str(tmp_path), 1_000, 1)


def test_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a program with CPU seconds, rate and ratio; one that fails is left out by name."""
    ours = Peer("spanwatch", "ours", (sys.executable, "-c", ""), "")
    others = [
        Peer("slow", "theirs", (sys.executable, "-c", BUSY), "slow 1.0"),
        Peer("broken", "", (sys.executable, "-c", "1 / 0"), "x"),
    ]
    monkeypatch.setattr(peers, "ourselves", lambda: ours)
    monkeypatch.setattr(peers, "installed_peers", lambda: others)
    run_comparison(str(tmp_path), 1_000, 1)
    said = capsys.readouterr().out
    assert "left out: broken ended with 1: ZeroDivisionError: division by zero" in said
    assert "slow 1.0" in said
    (line,) = [line for line in said.splitlines() if "theirs" in line]
    assert float(line.split()[-4]) > 1.0
