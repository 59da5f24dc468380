"""Verdicts against the truth: which attempt was judged how, and how often that was right."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.lab.filters.judge import Judged
from tests.lab.filters.play import Tried
from tests.lab.filters.scenario import PLAIN, Scenario
from tests.lab.filters.topology import CLIENTS

TRUTHS = ("blocked", "delivered", "connected", "failed", "resolved")
ARRIVED = ("delivered", "connected")
"""Truths of which `allowed` is right: the client was with the site, whatever that sent."""
VERDICTS = ("blocked", "allowed", "partial", "inconclusive", "unseen")
Z95 = 1.959963984540054
"""95 % of a normal distribution lies within this many standard deviations."""

GOALS = {"precision": 0.99, "recall": 0.95}
"""What is wanted of both verdicts without loss."""


@dataclass(frozen=True)
class Scored:
    """One attempt: its truth and its verdict."""

    scenario: str
    tap: str
    declared: bool
    """Whether the policy said how the filter blocks."""
    loss: float
    program: str
    stack: str
    protocol: str
    truth: str
    leak: bool
    """Delivered although the filter was meant to stop it."""
    verdict: str
    """`unseen` where the tap showed nothing of it."""
    mechanism: str
    own: bool
    """Made by the filter box itself (a resolver, a proxy), not by a client."""
    evidence: str
    """Name, marks, corroborators and points, for whoever asks why."""


def combined(rows: Sequence[Judged]) -> tuple[str, str]:
    """Verdict and mechanism of one client's rows for one name: what arrived on any path outranks a block.

    A client with addresses of both families has a row for each.
    """
    verdicts = {row.verdict for row in rows}
    mechanism = max((row.mechanism for row in rows), default="")
    if "partial" in verdicts or {"allowed", "blocked"} <= verdicts:
        return "partial", mechanism
    for verdict in ("allowed", "blocked", "inconclusive"):
        if verdict in verdicts:
            return verdict, mechanism
    return "unseen", ""


def compare(
    scenario: Scenario,
    tap: str,
    declared: bool,
    loss: float,
    tried: Iterable[Tried],
    judged: Iterable[Judged],
) -> list[Scored]:
    """Every visit with its verdict, then the attempts of the filter box itself.

    Visits to names of no list are left out where nothing plainly stopped them: they are no attempts.
    """
    owner = {address: c.name for c in CLIENTS for address in (c.ipv4, c.ipv6) if address}
    rows: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for row in judged:
        if (row.scenario, row.loss) == (scenario.key, loss):
            rows[owner.get(row.client, ""), row.name].append(row)
    found = []
    by_name: dict[str, list[Tried]] = defaultdict(list)
    for entry in tried:
        visit = entry.outcome.visit
        by_name[visit.name].append(entry)
        own = rows.pop((visit.client, visit.name), [])
        if own or visit.zone != PLAIN:
            found.append(_scored(scenario, tap, declared, loss, entry, own, False))
    for (_, name), left in rows.items():
        if entries := by_name.get(name):
            # The box asks and fetches for whoever wanted it: it got what one of them got.
            best = max(entries, key=lambda entry: entry.truth == "delivered")
            found.append(_scored(scenario, tap, declared, loss, best, left, True))
    return found


def _scored(
    scenario: Scenario,
    tap: str,
    declared: bool,
    loss: float,
    entry: Tried,
    rows: Sequence[Judged],
    own: bool,
) -> Scored:
    verdict, mechanism = combined(rows)
    cell = entry.outcome.visit.cell
    said = "; ".join(
        f"{row.client} {row.verdict} {row.confidence} {row.evidence} {row.corroborators} {row.counted}"
        for row in rows
    )
    return Scored(
        scenario=scenario.key,
        tap=tap,
        declared=declared,
        loss=loss,
        program=cell.program,
        stack=cell.stack,
        protocol=cell.protocol,
        truth=entry.truth,
        leak=entry.stopped and entry.truth == "delivered",
        verdict=verdict,
        mechanism=mechanism,
        own=own,
        evidence=f"{entry.outcome.visit.client} {entry.outcome.visit.name}: {said}",
    )


@dataclass(frozen=True)
class Share:
    """A share of cases with its Wilson score interval (Wilson 1927), 95 %."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share itself, None of no cases."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; 0 and 1 of no cases."""
        if not self.of:
            return 0.0, 1.0
        n, p, z = self.of, self.hits / self.of, Z95
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.1f}–{100 * high:.1f}; {self.hits}/{self.of})"


def _share(cases: Iterable[Scored], hit: Callable[[Scored], bool]) -> Share:
    counted = [hit(case) for case in cases]
    return Share(sum(counted), len(counted))


def precision(cases: Sequence[Scored], verdict: str) -> Share:
    """Of the attempts judged `blocked` (or `allowed`, `partial`), those that were blocked (delivered)."""
    right = ("blocked",) if verdict == "blocked" else ARRIVED
    return _share((c for c in cases if c.verdict == verdict), lambda c: c.truth in right)


def recall(cases: Sequence[Scored], verdict: str, *, seen: bool = False) -> Share:
    """Of what clients met that was blocked (delivered), what was judged so; `partial` is a delivery.

    `seen`: only of the attempts that the tap showed anything of.
    """
    truth, right = ("blocked", {"blocked"}) if verdict == "blocked" else ("delivered", {"allowed", "partial"})
    return _share(
        (c for c in cases if c.truth == truth and not c.own and not (seen and c.verdict == "unseen")),
        lambda c: c.verdict in right,
    )


def wrong(cases: Iterable[Scored]) -> list[Scored]:
    """Verdicts that say what is not so: blocked for what was not, allowed or partial for what never came."""
    return [
        c
        for c in cases
        if (c.verdict == "blocked" and c.truth != "blocked")
        or (c.verdict in ("allowed", "partial") and c.truth not in ARRIVED)
    ]


def matrix(cases: Iterable[Scored]) -> Counter[tuple[str, str]]:
    """Attempts by truth and verdict."""
    return Counter((case.truth, case.verdict) for case in cases)
