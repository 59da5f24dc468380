"""`spanwatch detect` as a user calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from classifiers.detector import load_detectors
from spanwatch.cli import DONE, FAILED, USAGE, main

Captured = pytest.CaptureFixture[str]
RANGE = ("--from", "2026-03-02T10:00:00", "--to", "2026-03-02T11:00:00Z")
#: A store with one port scan, made by a process of its own: chDB opens one store a process.
MAKE = """
import sys
from pathlib import Path
from pipeline.settings import Settings
from pipeline.store.client import open_store
from tests.classifiers.conftest import Scribe
with open_store(Settings(state=Path(sys.argv[1]))) as store:
    store.migrate()
    scribe = Scribe(store)
    for port in range(60):
        scribe.failed(port, "10.20.0.66", "10.10.0.1", 1_000 + port)
    scribe.write()
    if len(sys.argv) > 2:
        print("open", flush=True)
        sys.stdin.read()
"""


def called(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spanwatch", "--state", str(state), "detect", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_detectors_are_listed_with_their_numbers(capsys: Captured) -> None:
    """`--list` gives every detector with parameters, defaults, sources and what is in force."""
    assert main(["detect", "--list", "--set", "port_scan.inside_pairs=7"]) == DONE
    rows = {row["detector"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows.keys() == {detector.name for detector in load_detectors()}
    (pairs,) = (p for p in rows["port_scan"]["parameters"] if p["name"] == "inside_pairs")
    assert pairs["in_force"] == 7
    assert pairs["source"].startswith("[")
    assert main(["detect", "--list", "--detector", "port_scan", "--format", "text"]) == DONE
    assert "inside_pairs = " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detector", "port_scam", "--list"], "port_scan"),
        (["--set", "port_scan.inside_pears=3", "--list"], "inside_pairs"),
        ([], "--from TIME --to TIME"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], "swap them"),
        ([*RANGE, "--site", "nowhere"], "no site 'nowhere'"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: Captured
) -> None:
    """A wrong name or range is exit code 2 and one line that shows the way."""
    assert main(["--state", str(tmp_path / "state"), "detect", *arguments]) == USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_without_a_store_it_says_so(tmp_path: Path, capsys: Captured) -> None:
    """Where nothing was ever stored there is nothing to run over."""
    assert main(["--state", str(tmp_path / "state"), "detect", *RANGE]) == FAILED
    assert "no store yet" in capsys.readouterr().err


@pytest.mark.slow
def test_shown_then_written_then_as_stored(tmp_path: Path) -> None:
    """A run shows what is new and writes nothing; with --write it keeps it; then all is as stored."""
    subprocess.run([sys.executable, "-c", MAKE, str(tmp_path)], check=True)
    scan = (*RANGE, "--detector", "port_scan")
    shown = called(tmp_path, *scan)
    assert shown.returncode == DONE, shown.stderr
    (row,) = map(json.loads, shown.stdout.splitlines())
    assert (row["change"], row["subject"]) == ("new", "10.20.0.66")
    assert "1 new, 0 changed, 0 gone, 0 as stored: nothing was written" in shown.stderr
    assert "written" in called(tmp_path, *scan, "--write").stderr
    (row,) = map(json.loads, called(tmp_path, *scan).stdout.splitlines())
    assert row["change"] == "same"
    higher = called(tmp_path, *scan, "--set", "inside_pairs=100", "--set", "outside_pairs=100")
    (row,) = map(json.loads, higher.stdout.splitlines())
    assert (row["change"], bool(row["withdrawn"])) == ("gone", True)


@pytest.mark.slow
def test_a_store_that_is_held_is_said(tmp_path: Path) -> None:
    """While another process has the store open, the error names it and what to do."""
    command = [sys.executable, "-c", MAKE, str(tmp_path), "hold"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        refused = called(tmp_path, *RANGE)
        holder.communicate("")
    assert refused.returncode == FAILED
    assert f"(pid {holder.pid}) holds the store" in refused.stderr
