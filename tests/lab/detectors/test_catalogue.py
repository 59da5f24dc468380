"""What every scenario of the detectors' lab must be, without playing it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from blocklists.taxonomy import CATEGORIES
from classifiers.detector import load_detectors
from classifiers.policy import load_policy
from tests.lab.detectors.catalogue import DECLARED, SCENARIOS
from tests.lab.detectors.judge import settings_for
from tests.lab.detectors.scenario import GOALS, Scenario

DETECTORS = {detector.name for detector in load_detectors()}


def test_keys_differ() -> None:
    """No scenario hides another, and each key says what kind it is."""
    assert len(SCENARIOS) == len(DECLARED)
    for key, scenario in SCENARIOS.items():
        assert re.fullmatch(r"(scan|guess|equipment|bandwidth|around|benign)_[a-z0-9_]+", key)
        assert scenario.benign or not key.startswith("benign_")


@pytest.mark.parametrize("scenario", DECLARED, ids=SCENARIOS)
def test_a_scenario_can_be_judged(scenario: Scenario, tmp_path: Path) -> None:
    """Its detectors exist, each expectation names a subject, its policy loads, its time is one."""
    for expectation in (*scenario.expects, *scenario.beside):
        assert expectation.detector in DETECTORS
    assert all(expectation.subject for expectation in scenario.expects)
    assert scenario.goal in GOALS
    assert set(scenario.lists) <= set(CATEGORIES)
    settings = settings_for(scenario.policy, scenario.lists, tmp_path)
    assert settings.policy is not None
    assert load_policy(settings.policy)
    assert datetime.fromisoformat(scenario.starts).tzinfo
    assert scenario.stretch >= 1
