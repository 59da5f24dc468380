"""Captures of others through the whole product, and whether it finds in them what others say is there."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifiers.detector import load_detectors
from tests.lab.detectors.judge import Found, findings_in_file, laid_over, settings_for

POLICY: Mapping[str, Any] = {
    "approved": {"dhcp": [], "routers": [], "router_macs": []},
    "filter": {"resolvers": [], "sinkholes": [], "block_pages": [], "block_hosts": [], "methods": []},
}
"""Over the starter policy: nothing is known of the networks that the captures are from."""
NOT_ASKED = ("filtering", "bandwidth")
"""Classes that say nothing about attacks: what they find is right beside anything."""
CLASSES = {detector.name: detector.kind for detector in load_detectors()}


@dataclass(frozen=True)
class Capture:
    """A row of captures.tsv."""

    kind: str
    path: str
    expects: tuple[str, ...]
    """Detectors, or `class:NAME`, any of which is right; none: silence."""
    subject: str
    says: str
    over: Mapping[str, Any]
    """Keys of the policy."""


def read_captures() -> list[Capture]:
    """The rows of captures.tsv."""
    text = Path(__file__).with_name("captures.tsv").read_text("utf-8")
    rows = csv.reader((line for line in text.splitlines() if not line.startswith("#")), delimiter="\t")
    found = []
    for kind, path, expects, subject, says, *over in rows:
        words = () if expects == "-" else tuple(expects.split("|"))
        found.append(Capture(kind, path, words, subject, says, tomllib.loads(over[0]) if over else {}))
    return found


CAPTURES = read_captures()


def findings_in(capture: Capture, folder: Path, state: Path) -> list[Found]:
    """What the product finds in a capture of the folder. Raises OSError, ValueError."""
    state.mkdir(parents=True)
    settings = settings_for(laid_over(POLICY, capture.over), {}, state)
    return findings_in_file(settings, folder / capture.path)


def right(capture: Capture, found: Iterable[Found]) -> list[Found]:
    """The findings that were expected of it."""
    return [
        f
        for f in found
        if any(word in (f.detector, f"class:{CLASSES[f.detector]}") for word in capture.expects)
        and capture.subject in (f.subject, "*")
    ]


def false(capture: Capture, found: Sequence[Found]) -> list[Found]:
    """Findings where silence was expected; elsewhere others may be right beside the one expected."""
    return [f for f in found if not capture.expects and CLASSES[f.detector] not in NOT_ASKED]
