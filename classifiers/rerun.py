"""Detectors run again over history, with other thresholds or as they are, and what that changes."""

import difflib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from classifiers.detect import Detectors
from classifiers.detector import Detector, DetectorError
from classifiers.episodes import Finding
from classifiers.findings import Changes, Diff, Findings
from classifiers.judge import Judge
from classifiers.loss import Store
from classifiers.pieces import microseconds

#: Detector and parameter to value; an empty detector is each that has the parameter.
Overrides = dict[tuple[str, str], float]


class Rerun(NamedTuple):
    """What a detector finds now, against what is stored."""

    detector: Detector
    changes: Changes
    same: list[Finding]
    """Stored, and found again as they are."""


def parse_override(text: str) -> tuple[tuple[str, str], float]:
    """`DETECTOR.PARAMETER=VALUE`, or `PARAMETER=VALUE` for each that has it. Raises DetectorError."""
    name, equals, value = text.partition("=")
    detector, _, parameter = name.strip().rpartition(".")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not equals or not parameter or number != number:
        raise DetectorError(f"{text[:80]!r} sets nothing; write DETECTOR.PARAMETER=NUMBER")
    return (detector, parameter), number


def _near(what: str, name: str, known: Iterable[str]) -> DetectorError:
    names = sorted(known)
    near = difflib.get_close_matches(name[:60], names, 3, 0.5) or names
    return DetectorError(f"no {what} {name[:60]!r}; there is {', '.join(near)}")


def chosen(every: Sequence[Detector], names: Sequence[str]) -> tuple[Detector, ...]:
    """The detectors of those names, all without any. Raises DetectorError for a name that is none."""
    of = {detector.name: detector for detector in every}
    for name in names:
        if name not in of:
            raise _near("detector", name, of)
    return tuple(detector for detector in every if not names or detector.name in names)


def thresholds(detectors: Sequence[Detector], overrides: Overrides) -> dict[str, dict[str, float]]:
    """Overrides by detector. Raises DetectorError for one that no chosen detector has."""
    of = {detector.name: {p.name for p in detector.parameters} for detector in detectors}
    found: dict[str, dict[str, float]] = {name: {} for name in of}
    for (name, parameter), value in overrides.items():
        if name and name not in of:
            raise _near("detector", name, of)
        having = [d for d in ([name] if name else of) if parameter in of[d]]
        if not having:
            where = of[name] if name else {p for parameters in of.values() for p in parameters}
            raise _near("parameter", parameter, where)
        for detector in having:
            found[detector][parameter] = value
    return found


def rerun(
    store: Store,
    judge: Judge,
    first: datetime,
    last: datetime,
    detectors: tuple[Detector, ...],
    overrides: dict[str, dict[str, float]],
    site: str | None = None,
    write: bool = False,
) -> list[Rerun]:
    """What the detectors find in the pieces that a range touches, each by the policy of its time.

    Overrides come before the policy's thresholds. Attempts are taken as they are. Raises DetectorError, and
    as the store does.
    """
    first_us, last_us = microseconds(first), microseconds(last)
    findings = Findings(store)
    diffs = {detector.name: Diff([], []) for detector in detectors}
    parts = judge.parts(first_us, last_us)
    for number, (policy, begin, end) in enumerate(parts):
        known = {name: dict(values) for name, values in policy.thresholds.items() if name in diffs}
        for name, values in overrides.items():
            known[name] = {**known.get(name, {}), **values}
        runner = Detectors(store, policy.model_copy(update={"thresholds": known}), detectors)
        bounds = begin if number else None, end + 1 if number + 1 < len(parts) else None
        for name, diff in runner.compared(first_us, last_us, *bounds).items():
            diffs[name].fresh.extend(part for part in diff.fresh if site in (None, part.key.site))
            diffs[name].gone.extend(part for part in diff.gone if site in (None, part.key.site))
    told = []
    for detector in detectors:
        diff = diffs[detector.name]
        changes = findings.changes(detector.name, diff)
        if write:
            findings.write(detector, diff, changes)
        other = {f.id for f in changes.rows()}
        stored = findings.between(detector.name, first, last)
        same = [f for f in stored if f.id not in other and site in (None, f.told.key.site)]
        told.append(Rerun(detector, changes, same))
    return told


def plain(detector: Detector, change: str, finding: Finding, before: Finding | None = None) -> dict[str, Any]:
    """A finding as an object of JSON, with what would become of it: new, changed, gone or same."""
    told = finding.told
    return {
        "change": change,
        "id": finding.id,
        "detector": detector.name,
        "class": detector.kind,
        "title": detector.title,
        "severity": detector.severity,
        "clause": detector.clause,
        **told.key._asdict(),
        "from": f"{told.start:%Y-%m-%dT%H:%M:%S.%fZ}",
        "to": f"{told.end:%Y-%m-%dT%H:%M:%S.%fZ}",
        "strength": told.strength,
        "confidence": told.confidence,
        "statement": told.statement,
        "inputs": told.inputs,
        "thresholds": told.thresholds,
        "samples": list(told.samples),
        "loss": told.loss,
        "inconclusive": told.inconclusive,
        **({"withdrawn": finding.withdrawn} if finding.withdrawn else {}),
        **({"before": plain(detector, "before", before)} if before else {}),
    }
