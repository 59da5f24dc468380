"""How a scenario went: what was found of what was done, and what was found besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.lab.detectors.judge import Found
from tests.lab.detectors.play import Played
from tests.lab.detectors.scenario import GOALS, Expectation, Scenario


@dataclass(frozen=True)
class Scored:
    """A scenario's outcome."""

    scenario: Scenario
    made: tuple[Expectation, ...]
    """Expectations that a finding fits."""
    missed: tuple[Expectation, ...]
    beside: tuple[Found, ...]
    """Findings that are right as well."""
    false: tuple[Found, ...]
    """Findings that nothing of the scenario asks for or allows."""

    @property
    def recall(self) -> float | None:
        """Share of the expected findings that was made; None where silence was expected."""
        asked = len(self.made) + len(self.missed)
        return len(self.made) / asked if asked else None


def score(scenario: Scenario, played: Played, found: Iterable[Found]) -> Scored:
    """The findings of a scenario held against what it expects."""
    subjects = {"site": scenario.key, **played.truth.subjects}
    findings = list(found)
    made = [e for e in scenario.expects if any(e.fits(f.detector, f.subject, subjects) for f in findings)]
    others = [
        f for f in findings if not any(e.fits(f.detector, f.subject, subjects) for e in scenario.expects)
    ]
    beside = [f for f in others if any(e.fits(f.detector, f.subject, subjects) for e in scenario.beside)]
    return Scored(
        scenario=scenario,
        made=tuple(made),
        missed=tuple(e for e in scenario.expects if e not in made),
        beside=tuple(beside),
        false=tuple(f for f in others if f not in beside),
    )


def recalled(cases: Sequence[Scored], goal: str) -> tuple[int, int]:
    """Expected findings that were made, and all of them, of the scenarios with that goal."""
    own = [case for case in cases if case.scenario.goal == goal]
    made = sum(len(case.made) for case in own)
    return made, made + sum(len(case.missed) for case in own)


def reached(cases: Sequence[Scored]) -> bool:
    """Whether every goal holds: recall of each kind of scenario, and no false finding at all."""
    for goal, wanted in GOALS.items():
        made, asked = recalled(cases, goal)
        if wanted is not None and asked and made < wanted * asked:
            return False
    return not any(case.false for case in cases)
