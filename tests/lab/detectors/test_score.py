"""How findings are held against what a scenario expects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.lab.detectors.judge import Found
from tests.lab.detectors.play import Played
from tests.lab.detectors.scenario import Expectation, Scenario, Truth
from tests.lab.detectors.score import reached, recalled, score

PLAYED = Played("scan_x", Path(), (), Truth(subjects={"host": "10.20.0.5"}), {}, 1.0)
SCENARIO = Scenario(
    "scan_x",
    "two findings, and one beside them",
    lambda lab: Truth(),
    [Expectation("port_scan", "10.20.0.5"), Expectation("udp_scan", "{host}")],
    [Expectation("arp_scan", "*")],
    goal="always",
)


def found(detector: str, subject: str) -> Found:
    """A finding of a detector."""
    return Found(detector, "scan_x", "host", subject, 0, 1, 95, "", (), False)


def test_findings_are_sorted() -> None:
    """Expected ones are made or missed, others are right beside, or false."""
    case = score(
        SCENARIO, PLAYED, [found("udp_scan", "10.20.0.5"), found("arp_scan", "x"), found("port_scan", "y")]
    )
    assert [e.detector for e in case.made] == ["udp_scan"]
    assert [e.detector for e in case.missed] == ["port_scan"]
    assert [f.detector for f in case.beside] == ["arp_scan"]
    assert [f.subject for f in case.false] == ["y"]
    assert case.recall == 0.5
    assert recalled([case], "always") == (1, 2)


def test_goals() -> None:
    """A missed or a false finding misses a goal; slow scans have none for recall."""
    both = [found("udp_scan", "10.20.0.5"), found("port_scan", "10.20.0.5")]
    assert reached([score(SCENARIO, PLAYED, both)])
    assert not reached([score(SCENARIO, PLAYED, both[:1])])
    assert not reached([score(SCENARIO, PLAYED, [*both, found("port_scan", "y")])])
    assert reached([score(replace(SCENARIO, goal="slow"), PLAYED, [])])


def test_silence() -> None:
    """A benign scenario has no recall, and any finding is false."""
    benign = replace(SCENARIO, expects=(), beside=())
    assert score(benign, PLAYED, []).recall is None
    assert not reached([score(benign, PLAYED, [found("port_scan", "y")])])
