"""Recordings through the whole pipeline: sensor, log, worker, store; what it says became of each attempt."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capture.sensor import run_file
from pipeline.settings import SensorSettings, Settings
from spanwatch.services import open_parts
from tests.lab.filters.loss import began, lose
from tests.lab.filters.scenario import ZONES
from tests.lab.filters.topology import INSIDE
from tests.pipeline.stores import made_state

LOSSES: Sequence[float] = (0.0, 0.01, 0.05)
"""Shares of the mirror's frames that are lost."""

ATTEMPTS = """
SELECT site, replaceOne(toString(client), '::ffff:', '') AS client, name,
    toUnixTimestamp64Micro(first) / 1e6 AS first, toUnixTimestamp64Micro(last) / 1e6 AS last,
    toString(verdict) AS verdict, toString(mechanism) AS mechanism, confidence, evidence, corroborators,
    toString(action) AS action, dns, tcp, quic, loss
FROM attempts FINAL
"""

POLICY = """
organisation = "Filter lab"
clauses = {{ L1 = "Social media is blocked" }}
{sites}
[[groups]]
id = "pupils"
minor = true
subnets = ["10.20.0.0/16", "2001:db8:20::/64"]

[[rules]]
categories = ["social_media"]
action = "prohibit"
clause = "L1"

[filter]
{facts}
"""
SITE = """
[[sites]]
id = "{site}"
sensors = ["{site}"]
subnets = {inside}
"""


@dataclass(frozen=True)
class Judged:
    """One attempt as the product sees it."""

    scenario: str
    """Key of the recording."""
    loss: float
    """Share of the mirror's frames that was lost."""
    client: str
    """Address."""
    name: str
    first: float
    last: float
    """Seconds since 1970."""
    verdict: str
    mechanism: str
    confidence: int
    evidence: tuple[str, ...]
    corroborators: tuple[str, ...]
    counted: tuple[int, int, int]
    """Questions, TCP connections, QUIC connections."""


def judge(
    recordings: Mapping[str, Path],
    tap: str,
    facts: Mapping[str, Any],
    folder: Path,
    losses: Sequence[float] = LOSSES,
    days: Mapping[str, int] | None = None,
) -> list[Judged]:
    """The attempts of recordings, at each loss, under a policy with these facts about the filter.

    Each recording at each loss is a site of its own, so that none corroborates another. `recordings`: by
    scenario's key. `days`: those that came the same way on days before, with how many days in all; the last
    counts. `folder` holds the thinned recordings and the product's state; it is emptied first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    lists = folder / "lists"
    lists.mkdir(parents=True)
    _lists(lists)
    sites = {f"{key}-{100 * loss:g}": (key, loss) for key in recordings for loss in losses}
    policy = folder / "policy.toml"
    policy.write_text(
        POLICY.format(
            sites="".join(SITE.format(site=site, inside=_toml(INSIDE)) for site in sites),
            facts="\n".join(f"{k} = {_toml(v)}" for k, v in {**facts, "tap_side": tap}.items()),
        )
    )
    settings = Settings(state=made_state(folder / "state"), policy=policy, lists=lists)
    with open_parts(settings) as parts:
        for site, (key, loss) in sites.items():
            thinned = folder / f"{site}.pcap"
            for before in reversed(range((days or {}).get(key, 1))):
                lose(recordings[key], thinned, loss, before)
                if trouble := run_file(str(thinned), SensorSettings(name=site, flows=65_536), parts.log):
                    raise ValueError(trouble)
                thinned.unlink()
        parts.worker.drain()
        rows = parts.store.rows(ATTEMPTS)
    starts = {key: began(recording) for key, recording in recordings.items()}
    judged = [_judged(row, *sites[row["site"]]) for row in rows]
    return [attempt for attempt in judged if attempt.first >= starts[attempt.scenario]]


def _judged(row: Mapping[str, Any], scenario: str, loss: float) -> Judged:
    return Judged(
        scenario=scenario,
        loss=loss,
        client=row["client"],
        name=row["name"],
        first=float(row["first"]),
        last=float(row["last"]),
        verdict=row["verdict"],
        mechanism=row["mechanism"],
        confidence=int(row["confidence"]),
        evidence=tuple(row["evidence"]),
        corroborators=tuple(row["corroborators"]),
        counted=(int(row["dns"]), int(row["tcp"]), int(row["quic"])),
    )


def _lists(folder: Path) -> None:
    tables = []
    for category in sorted({category for category in ZONES.values() if category}):
        listed = "".join(f"{zone}\n" for zone, given in ZONES.items() if given == category)
        (folder / f"{category}.txt").write_text(listed)
        tables.append(
            f'[[lists]]\nname = "{category}"\nfile = "{category}.txt"\nformat = "domains"\n'
            f'categories = ["{category}"]\nurl = ""\nlicence = "none"\n'
        )
    (folder / "sources.toml").write_text("\n".join(tables))


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
