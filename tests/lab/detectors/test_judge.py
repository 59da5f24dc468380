"""How a recording and a policy are made ready to be judged."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from classifiers.policy import load_policy
from tests.lab.detectors.judge import first_time, laid_over, retime, settings_for

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)


def recording(file: Path, *times: float) -> Path:
    """A pcap with a frame of 60 bytes at each time."""
    frames = (struct.pack("<IIII", int(t), round(t % 1 * 1e6), 60, 60) + bytes(60) for t in times)
    file.write_bytes(HEAD + b"".join(frames))
    return file


def times(file: Path) -> list[float]:
    """The times of a pcap of such frames."""
    data = file.read_bytes()[24:]
    return [s + us / 1e6 for s, us in (struct.unpack_from("<II", data, at) for at in range(0, len(data), 76))]


def test_a_recording_is_moved_and_stretched(tmp_path: Path) -> None:
    """The first frame stands at the start, later ones as many times as far from it as is said."""
    source = recording(tmp_path / "a.pcap", 100.5, 101, 103.25)
    retime(source, tmp_path / "b.pcap", 100.5, 1_000_000, 4)
    assert times(tmp_path / "b.pcap") == [1_000_000, 1_000_002, 1_000_011]


def test_recordings_keep_their_distance(tmp_path: Path) -> None:
    """The earliest frame of all recordings is the beginning of each; empty ones have none."""
    late, early = recording(tmp_path / "a.pcap", 70), recording(tmp_path / "b.pcap", 60, 80)
    empty = recording(tmp_path / "c.pcap")
    assert first_time([late, early, empty]) == 60
    with pytest.raises(ValueError, match="nothing"):
        first_time([empty])


def test_other_captures_are_refused(tmp_path: Path) -> None:
    """Nanoseconds, or no capture at all, are an error that names the file."""
    source = tmp_path / "a.pcap"
    source.write_bytes(struct.pack("<I", 0xA1B23C4D) + bytes(20))
    with pytest.raises(ValueError, match=r"a\.pcap"):
        retime(source, tmp_path / "b.pcap", 0, 0, 1)


def test_a_policy_is_laid_over() -> None:
    """Tables are merged, everything else is replaced."""
    base = {"a": {"b": 1, "c": [2]}, "d": [3]}
    assert laid_over(base, {"a": {"c": []}, "d": [4], "e": 5}) == {"a": {"b": 1, "c": []}, "d": [4], "e": 5}


def test_the_policy_of_a_scenario(tmp_path: Path) -> None:
    """It is the starter policy with the scenario's tables in it."""
    over = {"approved": {"dhcp": ["10.20.0.7"]}, "thresholds": {"arp_scan": {"targets": 5}}}
    settings = settings_for(over, {"vpn": ["vpn.example"], "tor": ["198.51.100.7"]}, tmp_path)
    assert settings.policy is not None
    loaded = load_policy(settings.policy)
    assert [str(a) for a in loaded.approved.dhcp] == ["10.20.0.7"]
    assert loaded.approved.router_macs
    assert loaded.thresholds == {"arp_scan": {"targets": 5}}
    assert (tmp_path / "lists" / "tor.txt").read_text() == "198.51.100.7\n"
