"""School days made of clips: many machines, each with its own habits, and the school's servers beside.

Everything is drawn from a seed, so the same recordings and seed give the same days.
"""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from tests.lab.detectors.clips import PORTS, Bytes, Clip, Frame, eui64
from tests.lab.plan import VLANS

ZONE = ZoneInfo("America/Los_Angeles")
"""Where the starter policy's school is."""
FIRST_DAY = date(2026, 9, 14)
"""A Monday."""
LESSON_S, LESSONS_FROM = 55 * 60, 8 * 3_600
PRESENT = 0.95
"""Part of the machines that come on a day."""
ACTIVITIES = 35
"""Clips of a machine's day, in the middle."""
VARIANTS = 16
"""Addresses that each outside server has (`Clip.play`)."""
HOUR_US = 3_600_000_000
PCAP_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Habit:
    """How often a kind of clip is played."""

    weight: float
    """By machines, against the other kinds; 0: never by them."""
    hours: tuple[int, ...] = ()
    """By the school's own servers: the whole recording, begun in these hours of the day."""
    stretch: float = 1.0


@dataclass(frozen=True)
class Machine:
    """Somebody's machine: where it is, what it is called, and what it likes to do."""

    number: int
    vlan: str
    ttl: int
    """Its system's: it plays clips of that system alone."""
    random_mac: bool

    @property
    def ipv4(self) -> bytes:
        """Its address, the same every day."""
        network = VLANS[self.vlan].network
        return network[256 * (100 + self.number // 200) + 10 + self.number % 200].packed

    def mac(self, day: int) -> bytes:
        """Its MAC on that day: a phone's is random (IEEE 802c), a laptop's its own."""
        if self.random_mac:
            return bytes([0x02 | self.number << 2 & 0xFC]) + random.Random(f"{self.number} {day}").randbytes(
                5
            )
        return bytes.fromhex("00163e") + (0x100000 + self.number).to_bytes(3, "big")

    def name(self, like: str) -> str:
        """A name as long as another."""
        return f"{like[0]}{self.number:0{len(like) - 1}d}"[: len(like)] if like else ""


def machines(seed: str, count: int, kinds: Mapping[tuple[str, int], float]) -> list[Machine]:
    """Machines spread over VLANs and TTLs by these weights; MACs of guests and of some others are random."""
    chance = random.Random(f"{seed} machines")
    found = []
    for number in range(count):
        vlan, ttl = chance.choices(list(kinds), list(kinds.values()))[0]
        found.append(Machine(number, vlan, ttl, vlan == "guests" or (ttl == 64 and chance.random() < 0.33)))
    return found


@dataclass
class Stretch:
    """Frames ready to be written: absolute µs, captured bytes, lengths."""

    times: Ints
    data: Bytes
    starts: Ints
    lengths: Ints


class Days:
    """School days of machines that play clips, and of servers that play whole recordings."""

    def __init__(
        self,
        seed: str,
        machines: Sequence[Machine],
        clips: Sequence[Clip],
        events: Mapping[str, Sequence[Frame]],
        habits: Mapping[str, Habit],
    ) -> None:
        """`events`: a recording by kind. Raises ValueError for a machine without clips."""
        self._seed = seed
        self._machines = machines
        self._habits = habits
        self._events = {kind: _event(frames, habits[kind].stretch) for kind, frames in events.items()}
        self._clips: dict[tuple[str, int], dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for clip in clips:
            self._clips[vlan_of(clip), clip.owner.ttl][clip.kind].append(clip)
        for machine in machines:
            if (machine.vlan, machine.ttl) not in self._clips:
                raise ValueError(f"no clip was recorded in the VLAN {machine.vlan} with TTL {machine.ttl}")

    def write(self, number: int, target: BinaryIO) -> int:
        """Writes one day as pcap; how many machines were there. An hour is in memory at a time."""
        midnight = datetime.combine(school_day(number), datetime.min.time(), ZONE).astimezone(UTC)
        begin = round(midnight.timestamp() * 1e6)
        chance = random.Random(f"{self._seed} day {number}")
        planned, there = self._planned(number, begin, chance)
        target.write(PCAP_HEAD)
        waiting: list[Stretch] = []
        planned.sort(key=lambda entry: entry[0])
        at = 0
        for hour in range(25):
            end = begin + (hour + 1) * HOUR_US
            while at < len(planned) and planned[at][0] < end:
                waiting.append(planned[at][1]())
                at += 1
            waiting = _written(waiting, end, target)
        _written(waiting, begin + 1_000 * HOUR_US, target)
        return there

    def _planned(
        self, number: int, begin: int, chance: random.Random
    ) -> tuple[list[tuple[int, Callable[[], Stretch]]], int]:
        planned: list[tuple[int, Callable[[], Stretch]]] = []
        for kind, event in self._events.items():
            for hour in self._habits[kind].hours:
                moved = begin + hour * HOUR_US + round(chance.uniform(0, 2_400) * 1e6)
                planned.append((moved, partial(_moved, event, moved)))
        there = 0
        for machine in self._machines:
            own = random.Random(f"{self._seed} machine {machine.number} day {number}")
            if own.random() < PRESENT:
                there += 1
                planned += self._day_of(machine, number, begin, own)
        return planned, there

    def _day_of(
        self, machine: Machine, number: int, begin: int, chance: random.Random
    ) -> Iterator[tuple[int, Callable[[], Stretch]]]:
        kinds = self._clips[machine.vlan, machine.ttl]
        habits = random.Random(f"{self._seed} habits {machine.number}")
        weights = [self._habits[kind].weight * habits.gammavariate(1.5, 1) for kind in kinds]
        mac = machine.mac(number)
        interfaces = [chance.randbytes(8) for _ in range(8)]
        comes, goes = chance.gauss(7.8, 0.3) * 3_600, chance.gauss(15.3, 0.8) * 3_600
        count = max(5, round(ACTIVITIES * chance.lognormvariate(0, 0.35)))
        for when in _times(chance, comes, goes, count):
            clip = chance.choice(kinds[chance.choices(list(kinds), weights)[0]])
            pace = min(2.5, max(0.6, chance.lognormvariate(0, 0.25)))
            start = begin + round(when * 1e6)
            ports, variant = chance.randrange(PORTS), chance.randrange(VARIANTS)

            yield start, partial(_played, clip, machine, mac, interfaces, start, pace, ports, variant)


def school_day(number: int) -> date:
    """The date of a school day, counted from 0; weekends are left out."""
    return FIRST_DAY + timedelta(days=number // 5 * 7 + number % 5)


def vlan_of(clip: Clip) -> str:
    """The VLAN that a clip was recorded in, by its owner's address; empty where that is none."""
    for name, vlan in VLANS.items():
        if clip.owner.ipv4 and clip.owner.ipv4[:2] == vlan.network.network_address.packed[:2]:
            return name
    return ""


def _times(chance: random.Random, comes: float, goes: float, count: int) -> Iterator[float]:
    """Seconds of the day at which something is done: most of it when a lesson begins."""
    for _ in range(count):
        when = chance.uniform(comes, max(goes, comes + 1_800))
        if chance.random() < 0.6 and when > LESSONS_FROM:
            lesson = (when - LESSONS_FROM) // LESSON_S
            when = LESSONS_FROM + lesson * LESSON_S + chance.expovariate(1 / 240)
        yield max(when, comes)


def _played(
    clip: Clip,
    machine: Machine,
    mac: bytes,
    interfaces: Sequence[bytes],
    start: int,
    pace: float,
    ports: int,
    variant: int,
) -> Stretch:
    own = [
        eui64(mac) if made else interface
        for made, interface in zip(clip.own_interface, interfaces, strict=False)
    ]
    data = clip.play(mac, machine.ipv4, own, machine.name(clip.owner.name), ports, variant)
    return Stretch(start + (clip.times * pace).astype(np.int64), data, clip.starts, clip.lengths)


def _event(frames: Sequence[Frame], stretch: float) -> Stretch:
    return Stretch(
        np.array([round((frame.time - frames[0].time) * stretch * 1e6) for frame in frames], np.int64),
        np.frombuffer(b"".join(frame.data for frame in frames), np.uint8),
        np.cumsum([0, *(len(frame.data) for frame in frames)]),
        np.array([frame.length for frame in frames], np.int64),
    )


def _moved(event: Stretch, start: int) -> Stretch:
    return Stretch(event.times + start, event.data, event.starts, event.lengths)


def _written(waiting: Sequence[Stretch], end: int, target: BinaryIO) -> list[Stretch]:
    """Writes what comes before `end`, in order of time; what is left."""
    if not waiting:
        return []
    times = np.concatenate([stretch.times for stretch in waiting])
    sizes = np.concatenate([np.diff(stretch.starts) for stretch in waiting])
    lengths = np.concatenate([stretch.lengths for stretch in waiting])
    data = np.concatenate([stretch.data for stretch in waiting])
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(times, kind="stable")
    now = order[times[order] < end]
    later = np.sort(order[times[order] >= end])
    head = np.empty((len(now), 4), "<u4")
    head[:, 0], head[:, 1] = times[now] // 1_000_000, times[now] % 1_000_000
    head[:, 2], head[:, 3] = sizes[now], lengths[now]
    written = sizes[now] + 16
    to = np.cumsum(written) - written
    out = np.empty(int(written.sum()), np.uint8)
    out[(to[:, None] + np.arange(16)).ravel()] = head.view(np.uint8).ravel()
    _copied(data, starts[now], sizes[now], out, to + 16)
    target.write(out.tobytes())
    if not len(later):
        return []
    kept = np.empty(int(sizes[later].sum()), np.uint8)
    begins = np.cumsum(sizes[later]) - sizes[later]
    _copied(data, starts[later], sizes[later], kept, begins)
    return [Stretch(times[later], kept, np.append(begins, len(kept)), lengths[later])]


def _copied(source: Bytes, starts: Ints, sizes: Ints, target: Bytes, places: Ints) -> None:
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    target[np.repeat(places, sizes) + within] = source[np.repeat(starts, sizes) + within]
