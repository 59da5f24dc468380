"""A lossy mirror: which frames are left of a recording."""

from __future__ import annotations

from pathlib import Path

import dpkt
import pytest

from tests.lab.filters.loss import began, lose

FRAMES = [number.to_bytes(4) * (1 + number % 40) for number in range(5_000)]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A capture of FRAMES."""
    path = tmp_path / "lan.pcap"
    with open(path, "wb") as file:
        writer = dpkt.pcap.Writer(file)
        for number, frame in enumerate(FRAMES):
            writer.writepkt(frame, ts=number)
    return path


def frames(path: Path) -> list[bytes]:
    """The frames of a capture."""
    with open(path, "rb") as file:
        return [bytes(frame) for _, frame in dpkt.pcap.Reader(file)]


def test_without_loss_every_frame_stays(recording: Path, tmp_path: Path) -> None:
    """The recording is copied byte for byte."""
    assert lose(recording, tmp_path / "out.pcap", 0.0) == (len(FRAMES), 0)
    assert (tmp_path / "out.pcap").read_bytes() == recording.read_bytes()


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_a_share_of_the_frames_is_lost_and_always_the_same(
    recording: Path, tmp_path: Path, share: float
) -> None:
    """What stays is in order, the counts add up, and a second time loses the same frames."""
    kept, lost = lose(recording, tmp_path / "one.pcap", share)
    assert kept + lost == len(FRAMES)
    assert share / 2 < lost / len(FRAMES) < share * 2
    left = frames(tmp_path / "one.pcap")
    assert len(left) == kept
    assert left == sorted(left, key=lambda frame: frame[:4])
    lose(recording, tmp_path / "two.pcap", share)
    assert (tmp_path / "two.pcap").read_bytes() == (tmp_path / "one.pcap").read_bytes()


def test_a_recording_of_days_before(recording: Path, tmp_path: Path) -> None:
    """All its frames are so much earlier, and the same."""
    later = tmp_path / "later.pcap"
    with open(later, "wb") as file:
        writer = dpkt.pcap.Writer(file)
        for number, frame in enumerate(FRAMES[:3]):
            writer.writepkt(frame, ts=1_000_000 + number)
    lose(later, tmp_path / "out.pcap", 0.0, days_before=2)
    assert began(later) == 1_000_000
    assert began(tmp_path / "out.pcap") == 1_000_000 - 2 * 86_400
    assert frames(tmp_path / "out.pcap") == FRAMES[:3]


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A file that tcpdump here would not write is named."""
    other = tmp_path / "other.pcap"
    other.write_bytes(b"\x0a\x0d\x0d\x0a" + bytes(40))
    with pytest.raises(ValueError, match="other"):
        lose(other, tmp_path / "out.pcap", 0.05)
