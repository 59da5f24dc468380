"""What the machines of a quiet school day do."""

from __future__ import annotations

from tests.lab.detectors.catalogue import SCENARIOS
from tests.lab.detectors.host_days import HABITS


def test_habits_are_of_benign_scenarios() -> None:
    """Each kind of clip is a lesson's or a benign scenario's, played by machines or by servers."""
    silent = {key for key, scenario in SCENARIOS.items() if scenario.benign}
    assert set(HABITS) <= silent | {"lesson"}
    for habit in HABITS.values():
        assert bool(habit.weight) != bool(habit.hours)
