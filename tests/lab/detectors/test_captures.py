"""Captures of others: the table, and what the product makes of them where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from classifiers.detector import load_detectors
from tests.lab.detectors.captures import CAPTURES, CLASSES, Capture, false, findings_in, right
from tests.lab.detectors.judge import Found

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "captures"


def found(detector: str, subject: str) -> Found:
    """A finding of a detector."""
    return Found(detector, "site", "host", subject, 0, 1, 95, "", (), False)


def test_the_table_holds() -> None:
    """Each row expects detectors or classes that exist, or silence, and says whose word that is."""
    known = {detector.name for detector in load_detectors()}
    for capture in CAPTURES:
        words = {word for word in capture.expects if not word.startswith("class:")}
        assert words <= known
        assert {word.removeprefix("class:") for word in capture.expects} - words <= set(
            CLASSES.values()
        ) | known
        assert capture.says


def test_right_and_false() -> None:
    """What is expected counts for its subject alone; in silence all but traffic's own are false."""
    scan = Capture("scanning", "x", ("class:scanning",), "10.0.0.1", "its name", {})
    both = [found("port_scan", "10.0.0.1"), found("udp_scan", "10.0.0.2"), found("rogue_dhcp", "10.0.0.1")]
    assert right(scan, both) == both[:1]
    assert false(scan, both) == []
    quiet = Capture("ordinary", "x", (), "*", "ordinary", {})
    assert false(quiet, [*both, found("elephant_flow", "10.0.0.1")]) == both


#: Attacks that the product does not find, and why: one that is found fails, and is to be taken out here.
MISSED = {
    "pcap/wireguard": "joined midway, so its first packet makes the server outside the client",
    "cloudflare-warp": "two attempts without delivery, then a tunnel whose message types are disguised",
    "psiphon3": "a hello without a name, a certificate of many names, an address that no list holds",
    "ultrasurf": "a hello without a name, an address that no list holds",
}


def case(capture: Capture) -> Any:
    """The capture as a parameter; a known miss has to be missed."""
    path = Path(capture.path).with_suffix("")
    for name, reason in MISSED.items():
        if f"/{path}".endswith(f"/{name}"):
            return pytest.param(capture, id=path.name, marks=pytest.mark.xfail(reason=reason, strict=True))
    return pytest.param(capture, id=path.name)


@pytest.mark.slow
@pytest.mark.parametrize("capture", [case(capture) for capture in CAPTURES])
def test_a_capture(capture: Capture, tmp_path: Path) -> None:
    """The product finds in it what others say is there."""
    if not (FOLDER / capture.path).exists():
        pytest.skip(f"needs the capture {capture.path}")
    seen = findings_in(capture, FOLDER, tmp_path / "state")
    assert bool(right(capture, seen)) if capture.expects else not false(capture, seen)
