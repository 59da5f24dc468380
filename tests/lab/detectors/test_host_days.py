"""A small school day on which nothing happens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.lab.detectors.catalogue import SCENARIOS
from tests.lab.detectors.host_days import HABITS, lessons, quiet


def test_habits_are_of_benign_scenarios() -> None:
    """Each kind of clip is a lesson's or a benign scenario's, played by machines or by servers."""
    silent = {key for key, scenario in SCENARIOS.items() if scenario.benign}
    assert set(HABITS) <= silent | {"lesson"}
    for habit in HABITS.values():
        assert bool(habit.weight) != bool(habit.hours)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_found_where_nothing_happens(tmp_path: Path) -> None:
    """A day of what the bundled capture's hosts did in their lesson, by 40 machines: no finding."""
    if shutil.which("zstd") is None:
        pytest.skip("unpacking the bundled capture needs zstd: apt-get install zstd")
    clips = lessons(tmp_path)
    assert len({clip.owner.mac for clip in clips}) >= 8
    seen = quiet(clips, {}, 1, 40, "test", tmp_path / "state")
    assert seen.host_days >= 30
    assert seen.frames > 10_000
    assert [f"{found.detector} {found.statement}" for found in seen.false] == []
