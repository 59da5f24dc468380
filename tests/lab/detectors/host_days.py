"""School days on which nothing happens, through the whole product: every finding is a false one."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capture.sensor import run_file
from pipeline.settings import SensorSettings
from spanwatch import services
from spanwatch.services import open_parts
from tests.lab.detectors.clips import Clip, Frame, clips_of, read
from tests.lab.detectors.days import VARIANTS, Days, Habit, machines, vlan_of
from tests.lab.detectors.judge import Found, drained, settings_for
from tests.lab.detectors.play import Played
from tests.lab.detectors.scenario import Expectation

HABITS = {
    kind: Habit(float(row.get("weight", 0)), tuple(row.get("hours", ())), float(row.get("stretch", 1)))
    for kind, row in tomllib.loads(Path(__file__).with_name("habits.toml").read_text("utf-8")).items()
}
DATA = Path(services.__file__).parent / "data"
MARGIN_S = 3.0
"""Seconds around a scenario in which its host's clips are left out."""
KINDS = {
    ("students", 64): 4.0,
    ("students", 128): 3.0,
    ("staff", 128): 2.0,
    ("staff", 64): 1.0,
    ("guests", 64): 1.5,
}
"""Machines by VLAN and system (TTL)."""
VPN = 44
"""Last byte of the school's own VPN's address, in every variant of the lab's internet."""
POLICY: Mapping[str, Any] = {
    "filter": {"resolvers": ["10.10.0.53", "10.30.0.53"]},
    "approved": {"scanners": []},
    "sanctioned": {"vpn": [f"198.51.100.{VPN}/32", *(f"198.18.{n}.{VPN}/32" for n in range(1, VARIANTS))]},
}
RIGHT = (Expectation("elephant_flow", "10.30.0.40"),)
"""The backup at night: an elephant is named, not accused."""


@dataclass(frozen=True)
class Quiet:
    """Days on which nothing happened, and what was found."""

    days: int
    host_days: int
    """Machines that were there, over all days; the school's own servers are not counted."""
    frames: int
    false: tuple[Found, ...]


def lessons(folder: Path) -> list[Clip]:
    """Clips of kind `lesson`: what hosts of the bundled capture did apart from its scenarios.

    `folder` gets the capture, unpacked. Raises OSError without the program zstd.
    """
    truth = json.loads((DATA / "demo.truth.json").read_text("utf-8"))
    capture = folder / "demo.pcap"
    subprocess.run(["zstd", "-q", "-f", "-d", str(DATA / truth["capture"]), "-o", str(capture)], check=True)
    names = {host["mac"]: name for name, host in truth["hosts"].items()}
    acted = [
        (bytes.fromhex(s["mac"].replace(":", "")), s["start"] / 1e6, s["end"] / 1e6)
        for s in truth["scenarios"]
    ]
    found = clips_of("lesson", capture, names)
    capture.unlink()
    return [
        clip
        for clip in found
        if not any(
            mac == clip.owner.mac
            and clip.begun <= end + MARGIN_S
            and clip.begun + clip.seconds >= start - MARGIN_S
            for mac, start, end in acted
        )
    ]


def material(played: Sequence[Played]) -> tuple[list[Clip], dict[str, list[Frame]]]:
    """Clips of machines, and whole recordings of servers, as HABITS says."""
    clips: list[Clip] = []
    events = {}
    for seen in played:
        if HABITS[seen.key].hours:
            events[seen.key] = read(seen.mirror, cut=False)
        else:
            names = {host["mac"]: name for name, host in seen.hosts.items()}
            clips += clips_of(seen.key, seen.mirror, names)
    return clips, events


def quiet(
    clips: Sequence[Clip],
    events: Mapping[str, Sequence[Frame]],
    days: int,
    count: int,
    seed: str,
    state: Path,
    habits: Mapping[str, Habit] = HABITS,
) -> Quiet:
    """Makes days of `count` machines and takes each through sensor, log, worker, store and detectors.

    `state` holds the product's state and one day's capture at a time.
    """
    there = {(vlan_of(clip), clip.owner.ttl) for clip in clips}
    weights = {kind: weight for kind, weight in KINDS.items() if kind in there}
    school = Days(seed, machines(seed, count, weights), clips, events, habits)
    state.mkdir(parents=True, exist_ok=True)
    settings = settings_for(POLICY, {}, state, f"chdb://{state / 'store'}")
    capture = state / "day.pcap"
    host_days = 0
    with open_parts(settings) as parts:
        for number in range(days):
            with open(capture, "wb") as target:
                host_days += school.write(number, target)
            if trouble := run_file(str(capture), SensorSettings(name="lab"), parts.log):
                raise ValueError(trouble)
            capture.unlink()
            found = drained(parts)
        frames = int(parts.store.rows("SELECT sum(packets) AS frames FROM health")[0]["frames"])
    false = tuple(f for f in found if not any(e.fits(f.detector, f.subject, {}) for e in RIGHT))
    return Quiet(days, host_days, frames, false)
