"""State as a file of metrics: names as in /metrics, whole files, alive while nothing happens."""

import os
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spanwatch import textfile


def test_numbers_have_their_lines_and_text_has_none() -> None:
    """What is unknown or text is left out; yes and no are 1 and 0."""
    status = {
        "rows": 12,
        "connected": True,
        "dead": 0,
        "share": 0.5,
        "waiting": None,
        "error": "a\nb",
        "us": 2**60,
    }
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(textfile.text("spanwatch_relay", status))
        for sample in family.samples
    }
    assert found == {
        "spanwatch_relay_rows": 12, "spanwatch_relay_connected": 1, "spanwatch_relay_dead": 0,
        "spanwatch_relay_share": 0.5, "spanwatch_relay_us": 2**60,
    }  # fmt: skip


def test_the_file_is_written_at_once_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its age tells whether the process lives, so it is written without news, too."""
    monkeypatch.setattr(textfile, "WRITE_S", 0.02)
    path = tmp_path / "relay.prom"
    count = {"n": 0}

    def status() -> dict[str, int]:
        count["n"] += 1
        return count

    with textfile.writing(path, "x", status):
        deadline = time.monotonic() + 10
        while count["n"] < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert float(path.read_text().split()[1]) >= 2
    assert os.listdir(tmp_path) == ["relay.prom"]


def test_a_folder_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    """The work goes on without its file."""
    with textfile.writing(tmp_path / "none" / "relay.prom", "x", dict):
        pass
    assert not (tmp_path / "none").exists()
