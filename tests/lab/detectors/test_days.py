"""School days made of clips."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lab.detectors.clips import Frame
from tests.lab.detectors.days import Days, Habit, machines, school_day, vlan_of
from tests.lab.detectors.test_clips import clips, udp

HABITS = {"benign_x": Habit(1.0), "benign_server": Habit(0.0, (9, 23), 2.0)}


def days(tmp_path: Path, seed: str = "a", count: int = 12) -> Days:
    """Machines that all play one clip, and a server's recording of two frames, one second apart."""
    own = clips(tmp_path, (1, udp(True, 40_000)), (1.2, udp(False, 40_000)))
    event = [Frame(5.0, b"\xff" * 60, 60), Frame(6.0, b"\xee" * 60, 90)]
    people = machines(seed, count, {("students", 128): 1.0})
    return Days(seed, people, own, {"benign_server": event}, HABITS)


def written(school: Days, number: int) -> tuple[int, list[tuple[float, bytes, int]]]:
    """Machines that were there on a day, and its frames."""
    file = io.BytesIO()
    there = school.write(number, file)
    data, at, frames = file.getvalue(), 24, []
    while at < len(data):
        seconds, fraction, captured, length = struct.unpack_from("<IIII", data, at)
        frames.append((seconds + fraction / 1e6, data[at + 16 : at + 16 + captured], length))
        at += 16 + captured
    return there, frames


def test_a_day_is_in_order_and_whole(tmp_path: Path) -> None:
    """Frames come in order of time, both of each clip, within the day, by every machine that is there."""
    there, frames = written(days(tmp_path), 3)
    times = [time for time, _, _ in frames]
    assert times == sorted(times)
    assert {datetime.fromtimestamp(time - 7 * 3_600, UTC).date() for time in times} == {school_day(3)}
    people = [data for _, data, _ in frames if data[:1] not in (b"\xff", b"\xee")]
    up = [data[6:12] for data in people if data[30:32] == b"\x0a\x14"]
    assert len(up) * 2 == len(people)
    assert len(set(up)) == there > 6
    assert len(up) > 5 * there


def test_servers_play_their_recording_at_their_hours(tmp_path: Path) -> None:
    """The whole recording, at its hours, stretched; the last may end after midnight."""
    _, frames = written(days(tmp_path), 0)
    heads = [(time, length) for time, data, length in frames if data[:1] in (b"\xff", b"\xee")]
    assert [length for _, length in heads] == [60, 90, 60, 90]
    hours = [datetime.fromtimestamp(time - 7 * 3_600, UTC).hour for time, _ in heads]
    assert hours[::2] == [9, 23]
    assert heads[1][0] - heads[0][0] == pytest.approx(2)


def test_the_seed_decides(tmp_path: Path) -> None:
    """The same seed gives the same bytes, another seed or day others."""
    assert written(days(tmp_path), 1) == written(days(tmp_path), 1)
    assert written(days(tmp_path), 1) != written(days(tmp_path), 2)
    assert written(days(tmp_path), 1) != written(days(tmp_path, "b"), 1)


def test_a_machine_without_clips_is_refused(tmp_path: Path) -> None:
    """A machine can only do what was recorded in its VLAN by its system."""
    own = clips(tmp_path, (1, udp(True, 40_000)))
    assert vlan_of(own[0]) == "students"
    with pytest.raises(ValueError, match="staff"):
        Days("a", machines("a", 1, {("staff", 64): 1.0}), own, {}, HABITS)


def test_machines() -> None:
    """No two share an address or a MAC; random MACs change every day and say that they are random."""
    people = machines("a", 450, {("students", 64): 2.0, ("guests", 64): 1.0})
    assert len({machine.ipv4 for machine in people}) == 450
    assert len({machine.mac(0) for machine in people}) == 450
    phone = next(machine for machine in people if machine.random_mac)
    laptop = next(machine for machine in people if not machine.random_mac)
    assert phone.mac(0) != phone.mac(1)
    assert phone.mac(0)[0] & 3 == 2
    assert laptop.mac(0) == laptop.mac(1)
    assert len(laptop.name("student-laptop")) == 14


def test_weekends_are_left_out() -> None:
    """School days are Mondays to Fridays."""
    assert [school_day(n).isoweekday() for n in range(7)] == [1, 2, 3, 4, 5, 1, 2]
