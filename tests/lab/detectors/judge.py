"""A recording through the whole product: sensor, log, worker, store, detectors; the findings of them."""

from __future__ import annotations

import json
import shutil
import struct
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from capture.sensor import run_file
from classifiers import policy
from pipeline.settings import SensorSettings, Settings, StoreSettings
from spanwatch.services import Parts, open_parts
from tests.lab.detectors.play import Played
from tests.lab.detectors.scenario import Scenario
from tests.pipeline.stores import made_state

STARTER = Path(policy.__file__).with_name("starter.toml")
FOUND = "found.json"
FINDINGS = """
SELECT toString(detector) AS detector, site, subject, toString(subject_kind) AS kind,
    toUnixTimestamp64Micro(`from`) / 1e6 AS start, toUnixTimestamp64Micro(`to`) / 1e6 AS end,
    confidence, statement, samples, inconclusive
FROM findings FINAL WHERE withdrawn = '' ORDER BY `from`, detector, subject
"""


@dataclass(frozen=True)
class Found:
    """One finding of the product."""

    detector: str
    site: str
    kind: str
    """`subject_kind`."""
    subject: str
    start: float
    end: float
    """Seconds since 1970, of the retimed recording."""
    confidence: int
    statement: str
    samples: tuple[str, ...]
    inconclusive: bool


def judge(cases: Sequence[tuple[Scenario, Played]], state: Path) -> dict[str, list[Found]]:
    """Everything that the product finds in the recordings of scenarios, by key.

    Scenarios with the same policy and lists are judged in one store, each as a site of its own. `state` holds
    the product's state and the retimed recordings; it is emptied first.
    """
    groups: dict[str, list[tuple[Scenario, Played]]] = defaultdict(list)
    for scenario, played in cases:
        groups[repr((scenario.policy, scenario.lists))].append((scenario, played))
    found = {}
    for number, group in enumerate(groups.values()):
        place = state / str(number)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        found |= _judged(group, place)
        shutil.rmtree(place)
    return found


def _judged(group: Sequence[tuple[Scenario, Played]], place: Path) -> dict[str, list[Found]]:
    over = group[0][0].policy
    plan = over.get("sites") or tomllib.loads(STARTER.read_text("utf-8"))["sites"]
    sites = [
        {
            **plan[0],
            "id": scenario.key,
            "sensors": [scenario.key, *(f"{scenario.key}-{f.stem}" for f in played.more)],
        }
        for scenario, played in group
    ]
    settings = settings_for({**over, "sites": sites}, group[0][0].lists, place)
    retimed = place / "retimed.pcap"
    made_state(settings.state)
    with open_parts(settings) as parts:
        for scenario, played in group:
            first = first_time((played.mirror, *played.more))
            start = datetime.fromisoformat(scenario.starts).timestamp()
            for file in (played.mirror, *played.more):
                retime(file, retimed, first, start, scenario.stretch)
                name = scenario.key if file == played.mirror else f"{scenario.key}-{file.stem}"
                if trouble := run_file(str(retimed), SensorSettings(name=name, flows=65_536), parts.log):
                    raise ValueError(f"{file}: {trouble}")
        found = drained(parts)
    return {scenario.key: [f for f in found if f.site == scenario.key] for scenario, _ in group}


def findings_in_file(settings: Settings, capture: Path) -> list[Found]:
    """Findings of the product in one capture, which may be cut off. Raises OSError, ValueError."""
    made_state(settings.state)
    with open_parts(settings) as parts:
        run_file(str(capture), SensorSettings(name="capture", flows=65_536), parts.log)
        return drained(parts)


def drained(parts: Parts) -> list[Found]:
    """All findings, when everything in the log was worked on. Raises ValueError where that went wrong."""
    parts.worker.drain()
    if reason := parts.worker.status["warning"] or parts.worker.status["round_error"]:
        raise ValueError(reason)
    return all_found(parts.store)


def all_found(store: Any) -> list[Found]:
    """All findings of a store."""
    return [_found(row) for row in store.rows(FINDINGS)]


def _found(row: Mapping[str, Any]) -> Found:
    return Found(
        detector=row["detector"],
        site=row["site"],
        kind=row["kind"],
        subject=row["subject"],
        start=float(row["start"]),
        end=float(row["end"]),
        confidence=int(row["confidence"]),
        statement=row["statement"],
        samples=tuple(row["samples"]),
        inconclusive=bool(row["inconclusive"]),
    )


def keep(found: Sequence[Found], folder: Path) -> None:
    """Leaves the findings beside the recordings they were made of."""
    (folder / FOUND).write_text(json.dumps([asdict(f) for f in found], indent=1) + "\n")


def kept(folder: Path) -> list[Found]:
    """What `keep` left. Raises OSError where it isn't there."""
    rows = json.loads((folder / FOUND).read_text())
    return [Found(**{**row, "samples": tuple(row["samples"])}) for row in rows]


def settings_for(
    over: Mapping[str, Any], lists: Mapping[str, Sequence[str]], state: Path, store: str = ""
) -> Settings:
    """Settings of a product whose policy is the starter policy with `over` laid over it."""
    starter = tomllib.loads(STARTER.read_text("utf-8"))
    file = state / "policy.toml"
    file.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in laid_over(starter, over).items()))
    folder = None
    if lists:
        folder = state / "lists"
        folder.mkdir()
        tables = []
        for category, entries in lists.items():
            (folder / f"{category}.txt").write_text("".join(f"{entry}\n" for entry in entries))
            kind = "domains" if any(c.isalpha() for c in entries[0].replace(":", "")) else "addresses"
            tables.append(
                f'[[lists]]\nname = "lab-{category}"\nfile = "{category}.txt"\nformat = "{kind}"\n'
                f'categories = ["{category}"]\nurl = ""\nlicence = "none"\n'
            )
        (folder / "sources.toml").write_text("\n".join(tables))
    return Settings(state=state / "state", policy=file, lists=folder, store=StoreSettings(dsn=store))


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` in their places: tables merged, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = laid_over(below, value) if both else value
    return merged


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)


def first_time(recordings: Sequence[Path]) -> float:
    """Time of the earliest frame, seconds since 1970. Raises ValueError where there is none."""
    times = []
    for file in recordings:
        with open(file, "rb") as source:
            head = source.read(40)
        if len(head) == 40:
            seconds, fraction = struct.unpack("<II", head[24:32])
            times.append(seconds + fraction / 1e6)
    if not times:
        raise ValueError("the mirror showed nothing")
    return min(times)


def retime(source: Path, target: Path, first: float, start: float, stretch: float) -> None:
    """Copies a little-endian pcap of microseconds as if what happened at `first` had happened at `start`.

    Times between frames grow by `stretch`.
    """
    with open(source, "rb") as old, open(target, "wb") as new:
        head = old.read(24)
        if struct.unpack("<I", head[:4])[0] != 0xA1B2C3D4:
            raise ValueError(f"{source} is no little-endian pcap of microseconds")
        new.write(head)
        while record := old.read(16):
            seconds, fraction, captured, length = struct.unpack("<IIII", record)
            moved = round((start + (seconds + fraction / 1e6 - first) * stretch) * 1e6)
            new.write(struct.pack("<IIII", moved // 1_000_000, moved % 1_000_000, captured, length))
            new.write(old.read(captured))
