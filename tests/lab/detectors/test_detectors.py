"""Two scenarios for real: what is done is found, what is harmless is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import traffic
from tests.lab.detectors import play
from tests.lab.detectors.catalogue import SCENARIOS
from tests.lab.detectors.judge import judge, keep, kept
from tests.lab.detectors.scenario import Expectation, Scenario, Truth, nothing
from tests.lab.detectors.score import Scored, reached, score
from tests.lab.network import Lab

pytestmark = [pytest.mark.service, pytest.mark.slow]


def outcome(scenario: Scenario, folder: Path) -> Scored:
    """The scenario played and judged, its findings kept and read again."""
    if reason := play.why_not() or scenario.why_not():
        pytest.skip(reason)
    seen = play.play(scenario, folder / "played")
    keep(judge([(scenario, seen)], folder / "state")[scenario.key], folder / "played")
    return score(scenario, play.load(scenario.key, folder / "played"), kept(folder / "played"))


def sweep(lab: Lab) -> Truth:
    """nmap looks for 128 neighbours that are not there."""
    lab.host("scanner", "students", address="10.20.0.66")
    traffic.scan_neighbours(lab, "scanner", "10.20.3.0-127")
    return Truth(subjects={"scanner": "10.20.0.66"})


def test_what_is_done_is_found(tmp_path: Path) -> None:
    """A neighbour sweep is found with its subject, and nothing is said of anybody else."""
    expected = Expectation("arp_scan", "{scanner}")
    scenario = Scenario(
        "scan_sweep", "nmap -sn", sweep, [expected], goal="always", prepare=nothing, needs=["nmap"]
    )
    case = outcome(scenario, tmp_path)
    assert case.made == (expected,)
    assert case.false == ()
    assert reached([case])


def test_what_is_harmless_is_not(tmp_path: Path) -> None:
    """A laptop that gets an address and reads pages makes no finding."""
    case = outcome(SCENARIOS["benign_pages"], tmp_path)
    assert case.recall is None
    assert case.false == ()
