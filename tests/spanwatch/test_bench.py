"""`spanwatch bench`: figures of a given or a made capture."""

import re
from pathlib import Path

import pytest

from spanwatch.cli import DONE, USAGE
from tests.spanwatch.captures import first_frames
from tests.spanwatch.program import one_line, run

FIGURES = ("packets", "Gbit/s", "CPU", "memory")


@pytest.mark.slow
def test_figures_of_a_given_capture(tmp_path: Path) -> None:
    """Packets a second, bits, CPU and memory are printed, with numbers."""
    capture = first_frames(tmp_path / "small.pcap", 20_000)
    done = run("bench", capture, "--runs", "1", "--processes", "2")
    assert done.returncode == DONE, done.stderr
    text = done.stdout.decode()
    for figure in FIGURES:
        line = next(line for line in text.splitlines() if figure.lower() in line.lower())
        assert re.search(r"\d", line), figure
    assert re.search(r"2 processes take \d\.\d\d x", text)


def test_missing_capture() -> None:
    """A capture that isn't there is wrong usage, with its name."""
    done = run("bench", "/nowhere.pcap")
    assert done.returncode == USAGE
    assert "/nowhere.pcap" in one_line(done)
