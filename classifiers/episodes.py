"""Parts to findings: what a detector states of one subject without a pause of an hour is one finding.

A part is what was found about a subject in one piece of event time. Parts of one subject that lie
within an hour of each other are one finding [Zeek suppresses a notice for an hour]: it lasts from the
first to the last of them, its words and numbers are those of the strongest. Nothing but the parts
decides, so it does not matter in which order they were found.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from classifiers.loss import floor

#: A subject that a detector already named is not named anew for this long.
SUPPRESSION = timedelta(hours=1)


class Key(NamedTuple):
    """Whom a part or finding is about."""

    site: str
    subject_kind: str
    subject: str


@dataclass(frozen=True)
class Part:
    """A row of `finding_parts`; `start` and `end` are its `from` and `to`."""

    key: Key
    piece: datetime = field(compare=False)
    start: datetime
    end: datetime
    strength: float
    confidence: int
    statement: str
    inputs: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    loss: float | None = None
    """None where nobody measured it."""
    inconclusive: bool = False


@dataclass(frozen=True)
class Finding:
    """A row of `findings`: the strongest part, lasting as long as all of them."""

    id: str
    told: Part
    withdrawn: str = ""
    """Why it no longer holds; empty: it does."""


def joined(parts: Iterable[Part]) -> Part:
    """The strongest part, lasting from the first to the last of all; of equals the earliest."""
    whole = list(parts)
    strongest = min(whole, key=lambda part: (-part.strength, part.start, part.end, part.statement))
    return replace(strongest, start=min(p.start for p in whole), end=max(p.end for p in whole))


def episodes(parts: Iterable[Part]) -> list[Part]:
    """Parts of one subject, those within the suppression time of each other joined, in order of time."""
    groups: list[list[Part]] = []
    end = datetime.min
    for part in sorted(parts, key=lambda part: (part.start, part.end)):
        if groups and part.start <= end + SUPPRESSION:
            groups[-1].append(part)
            end = max(end, part.end)
        else:
            groups.append([part])
            end = part.end
    return [joined(group) for group in groups]


def finding_id(detector: str, told: Part) -> str:
    """Id of a finding: its detector, subject and the hour it begins in; two of a subject share none."""
    key = "\0".join((detector, *told.key, str(floor(told.start, 3_600))))
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
