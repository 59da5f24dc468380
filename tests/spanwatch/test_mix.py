"""The made capture for measuring is what it says it is, the same each time."""

from pathlib import Path

from capture.sources.pcap import open_capture
from spanwatch.mix import write_mix


def test_frames_and_bytes_are_as_told(tmp_path: Path) -> None:
    """The file holds the frames and bytes that its maker counted, in the order of time."""
    made = write_mix(tmp_path / "mix.pcap", 20_000)
    frames = size = 0
    last = 0
    with open_capture(str(tmp_path / "mix.pcap")) as capture:
        for block in capture:
            times = block.ts[: block.count]
            assert int(times[0]) >= last
            assert (times[1:] >= times[:-1]).all()
            last = int(times[-1])
            frames += block.count
            size += int(block.wire[: block.count].sum())
    assert capture.truncated == ""
    assert (frames, size) == (made.packets, made.bytes)
    assert abs(frames - 20_000) < 2_000


def test_same_each_time(tmp_path: Path) -> None:
    """Two makings give the same bytes, so that figures can be compared."""
    write_mix(tmp_path / "a.pcap", 10_000)
    write_mix(tmp_path / "b.pcap", 10_000)
    assert (tmp_path / "a.pcap").read_bytes() == (tmp_path / "b.pcap").read_bytes()
