"""Rounds over what came into a real store, by its own clock."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.records import TIME
from pipeline.store.client import Store
from spanwatch import judging
from spanwatch.judging import Judging
from tests.pipeline.stores import made_store
from tests.spanwatch.worker_process import RoundNotes

HOUR_MS = 3_600_000
HOUR_US = 1000 * HOUR_MS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def detectors() -> RoundNotes:
    return RoundNotes()


def now_ms(store: Store) -> int:
    return int(store.rows("SELECT toUnixTimestamp64Milli(now64(3)) AS ms")[0]["ms"])


def came(
    store: Store, sequence: int, hour: int, stored_ms: int | None = None, part: int = 0
) -> tuple[int, int]:
    """A batch of an hour of event time, stored now or at another time; its range."""
    first, last = hour * 3 * HOUR_US, hour * 3 * HOUR_US + 5
    row: dict[str, Any] = {
        "sensor": ["gate"],
        "boot": ["b1"],
        "sequence": pa.array([sequence], pa.uint64()),
        "part": pa.array([part], pa.uint32()),
        "parts": pa.array([2], pa.uint32()),
        "records": ["flows"],
        "rows": pa.array([1], pa.uint64()),
        "first": pa.array([first], TIME),
        "last": pa.array([last], TIME),
    }
    if stored_ms is not None:
        row["stored"] = pa.array([stored_ms], pa.timestamp("ms", "UTC"))
    store.insert("batches", pa.record_batch(row), f"{sequence}/{part}")
    return first, last


def test_each_batch_is_judged_once(store: Store, detectors: RoundNotes) -> None:
    """In whatever order the sequences come, and each part of a batch for itself."""
    mine = Judging(store, detectors)
    assert not mine.round()
    spans = [came(store, 7, 1), came(store, 3, 2), came(store, 7, 3, part=1)]
    assert mine.round()
    assert not mine.round()
    spans.append(came(store, 1, 4))
    assert mine.round()
    assert detectors.rounds == spans
    assert (mine.rounds, mine.attempts, mine.findings) == (2, 4, 8)


def test_what_is_seen_late_is_judged(store: Store, detectors: RoundNotes) -> None:
    """A batch whose time at the store lies before the last round's, within the slack, is not missed."""
    now, mine = now_ms(store), Judging(store, detectors)
    first = came(store, 0, 1, now)
    mine.round()
    late = came(store, 1, 2, now - 60_000)
    mine.round()
    assert detectors.rounds == [first, late]


def test_the_next_worker_goes_on(store: Store, detectors: RoundNotes) -> None:
    """It looks at the slack again and at nothing before."""
    now = now_ms(store)
    came(store, 0, 1, now - HOUR_MS)
    recent = came(store, 1, 2, now)
    Judging(store, RoundNotes()).round()
    mine = Judging(store, detectors)
    mine.round()
    assert detectors.rounds == [recent]
    mine.forget()
    new = came(store, 2, 3, now + 1)
    mine.round()
    assert detectors.rounds == [recent, recent, new]


def test_a_clock_that_was_set_back_hides_nothing(store: Store, detectors: RoundNotes) -> None:
    """After batches stored an hour ahead of the store's clock, those stored now are judged, once."""
    mine = Judging(store, detectors)
    ahead = came(store, 0, 1, now_ms(store) + HOUR_MS)
    mine.round()
    new = came(store, 1, 2)
    assert mine.round()
    assert not mine.round()
    assert detectors.rounds == [ahead, new]
    newer = Judging(store, RoundNotes())
    assert newer.round()


class Broken(RoundNotes):
    def round(self, first_us: int, last_us: int) -> Any:
        raise ValueError("no such column")


def test_a_round_that_fails_is_repeated(store: Store, detectors: RoundNotes) -> None:
    """Nothing is noted of it."""
    mine = Judging(store, Broken())
    span = came(store, 0, 1)
    for _ in range(2):
        with pytest.raises(ValueError, match="no such column"):
            mine.round()
    mine.detectors = detectors
    mine.round()
    assert detectors.rounds == [span]


def test_a_large_backlog_is_judged_in_pieces(
    store: Store, detectors: RoundNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oldest first, so many batches a round."""
    monkeypatch.setattr(judging, "MOST", 2)
    monkeypatch.setattr(judging, "SLACK_MS", 0)
    now = now_ms(store)
    spans = [came(store, n, n, now - HOUR_MS + 1000 * n) for n in range(1, 6)]
    mine = Judging(store, detectors)
    while mine.round():
        pass
    assert detectors.rounds == spans
    assert mine.rounds == 3
