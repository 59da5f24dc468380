"""The contract of a scenario: what is done in the lab, what must be found of it, and what else is right."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.lab import servers
from tests.lab.network import Lab

Goal = Literal["always", "mostly", "slow"]
"""`always`: recall of 100 % is the goal (scans at T3 and above, one-packet equipment rules); `mostly`: 90 %;
`slow`: measured without a goal (slow scans)."""

GOALS: Mapping[Goal, float | None] = {"always": 1.0, "mostly": 0.9, "slow": None}


ANYONE = "*"


@dataclass(frozen=True)
class Expectation:
    """One finding: a detector and whom or what it names."""

    detector: str
    """Name of a file of `classifiers/detectors/`."""
    subject: str
    """As in `findings.subject`: address, MAC, name or site. `{word}` stands for `Truth.subjects[word]`,
    `{site}` for the site, `*` for any subject."""

    def fits(self, detector: str, subject: str, subjects: Mapping[str, str]) -> bool:
        """Whether a finding is this one; raises KeyError for a word that the truth doesn't have."""
        wanted = self.subject.format_map(subjects) if "{" in self.subject else self.subject
        return detector == self.detector and wanted in (subject, ANYONE)


@dataclass(frozen=True)
class Truth:
    """What was done, by the programs' own word."""

    said: str = ""
    """The programs' last words, or how much they did; for people."""
    subjects: Mapping[str, str] = field(default_factory=dict)
    """Addresses and names that only the lab knows (an address of SLAAC), by word."""


@dataclass(frozen=True)
class Scenario:
    """Something that happens at the school, harmful or not."""

    key: str
    """`scan_…`, `guess_…`, `equipment_…`, `bandwidth_…`, `around_…` or `benign_…`: for command lines,
    folders and tables."""
    title: str
    """One line for the table, with the program and its options, as `nmap -sS -T4, 128 hosts, port 445`."""
    play: Callable[[Lab], Truth]
    """Makes its hosts, runs its programs to their end, and returns what they did. Raises where one of them
    could not do it (RuntimeError with its last words): then the scenario counts as not played, not as missed.
    What it writes to `lab.path / "more"` as `*.pcap` is judged as a second sensor's recording of the
    same site (802.11 frames, say), so its times must be those of the clock."""
    expects: Sequence[Expectation] = ()
    """Findings it must make. None: it is benign and must stay silent."""
    beside: Sequence[Expectation] = ()
    """Findings that are right as well, and not asked for: two rules that see one thing."""
    goal: Goal = "mostly"
    policy: Mapping[str, Any] = field(default_factory=dict)
    """What this scenario's policy says over the starter policy (`classifiers/starter.toml`), which describes
    the lab's network: tables are merged, everything else replaced."""
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """More lists: names or addresses by category."""
    prepare: Callable[[Lab], object] = servers.start_school
    """Starts what stands before the recording begins; `nothing` where switch and gateway are enough."""
    stretch: float = 1.0
    """The recording is judged as if it had taken that many times as long, for what is too slow to be
    played: a day's scan in a minute. The title says so."""
    starts: str = "2026-09-15T17:03:20+00:00"
    """The recording is judged as if it had begun then: a Tuesday, 10:03 at the school."""
    needs: Sequence[str] = ()
    """Programs beyond the lab's own (`tests.lab.servers.PROGRAMS`)."""

    @property
    def benign(self) -> bool:
        """Whether nothing may be found."""
        return not self.expects

    def why_not(self) -> str:
        """Empty where it can be played, else the missing programs in one line."""
        missing = [name for name in self.needs if shutil.which(name) is None]
        return f"{self.key} needs {', '.join(missing)}" if missing else ""


def nothing(lab: Lab) -> None:
    """No servers at all: for what never leaves a VLAN."""
    del lab
