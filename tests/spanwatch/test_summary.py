"""The summary: its questions are answered by the store, its numbers are the store's."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.settings import Settings
from pipeline.store.client import open_store
from spanwatch.summary import bytes_text, print_summary, queries, summarise
from tests.spanwatch.captures import first_frames
from tests.spanwatch.program import run


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (2_500_000, "2.5 MB"), (3e12, "3.0 TB")],
)
def test_bytes_text(count: float, text: str) -> None:
    """Bytes are shown in decimal units."""
    assert bytes_text(count) == text


def _printed(state: Path) -> str:
    with open_store(Settings(state=state)) as store:
        store.migrate()
        summary = summarise(store)
    assert set(summary) == set(queries())
    out = io.StringIO()
    print_summary(summary, 1.5, Console(file=out, width=100))
    return out.getvalue()


def test_empty_store_says_that_there_is_nothing(tmp_path: Path) -> None:
    """Every section is there without rows, and says so."""
    text = _printed(tmp_path)
    for line in (
        "categories: none",
        "top talkers: none",
        "findings: none",
        "no attempts",
        "took       1.5 s",
    ):
        assert line in text


def test_numbers_are_the_stores(tmp_path: Path) -> None:
    """What is printed after a replay is what the store holds."""
    capture = first_frames(tmp_path / "small.pcap", 5_000)
    assert run("--state", tmp_path / "state", "replay", capture).returncode == 0
    text = _printed(tmp_path / "state")
    with open_store(Settings(state=tmp_path / "state")) as store:
        flows = store.rows("SELECT uniqExact(sensor, flow_id) AS n FROM flows")[0]["n"]
        talker = store.rows(
            "SELECT client FROM flows GROUP BY client ORDER BY sum(bytes_up + bytes_down) DESC"
        )
    assert "packets    5,000," in text
    assert f"flows      {flows:,} in" in text
    assert talker[0]["client"] in text.partition("top talkers")[2]
