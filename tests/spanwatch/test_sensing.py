"""`spanwatch sensor` over captures: what gets into the log."""

import contextlib
from pathlib import Path

from pipeline.stream.log import Log
from spanwatch.cli import FAILED
from tests.spanwatch.captures import first_frames
from tests.spanwatch.program import one_line, run


def test_bad_file_costs_nothing_else(tmp_path: Path) -> None:
    """A file that is no capture has its one line and exit code 1; the files after it are in the log."""
    bad, good = tmp_path / "bad.pcap", first_frames(tmp_path / "good.pcap", 200)
    bad.write_text("no capture at all")
    done = run("--state", tmp_path / "state", "sensor", bad, good)
    assert done.returncode == FAILED
    assert str(bad) in one_line(done)
    with contextlib.closing(Log(tmp_path / "state" / "outbox.sqlite", 1 << 30)) as log:
        log.register("reader")
        assert "health" in {entry.message.records for entry in log.read("reader", 10)}
