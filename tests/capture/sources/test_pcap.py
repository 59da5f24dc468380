"""Opening captures: what they are, where they end, what is wrong with them, and what others read in them."""

import errno
import gzip
import itertools
import resource
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import dpkt
import pyarrow as pa
import pytest

from capture.sources.container import MAX_TS
from capture.sources.mapping import WINDOW
from capture.sources.pcap import BUFFER, Capture, open_capture
from tests.capture.sources.made import (
    MICRO,
    NANO,
    Packet,
    Trickle,
    interface,
    packets_of,
    pcap,
    pcapng,
    read,
    section,
    standard_input,
)

#: Captures of other projects, beside the repository; see its README for what they are.
COLLECTION = Path(__file__).resolve().parents[4] / "shared" / "captures" / "pcap"
FILES = sorted(path for path in COLLECTION.rglob("*") if path.is_file()) if COLLECTION.is_dir() else []
needs_collection = pytest.mark.skipif(not FILES, reason=f"no collection of captures in {COLLECTION}")

#: Captures in it whose lengths or times are damaged on purpose: each reader makes its own of them.
DAMAGED = ("bad-caplen", "fuzz-2021-06-07", "timestamp_invalid")

PACKETS = [Packet(1_700_000_000_000_000 + index, bytes([index] * index), index + 9) for index in range(200)]


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("made", [pcap(PACKETS), pcap(PACKETS, NANO, ">"), pcapng(PACKETS, ">")])
def test_recognises_by_content(pack, made, tmp_path):
    """Format, byte order and packing are found in the bytes, from a path and from standard input."""
    path = tmp_path / "capture.txt"
    path.write_bytes(pack(made))
    with open_capture(str(path)) as capture:
        assert packets_of(capture) == PACKETS
        assert capture.truncated == ""
        assert capture.name == str(path)
        assert capture.frames == len(PACKETS)
        assert capture.bytes_read == capture.bytes_total == path.stat().st_size
    assert read(pack(made), step=100) == (PACKETS, "")


def test_a_pipe_of_another_process():
    """A capture comes in through a real pipe, as it is written."""
    code = """
        from capture.sources.pcap import open_capture
        with open_capture("-") as capture:
            for frames in capture:
                print(frames.count, capture.bytes_total, flush=True)
            print(capture.truncated or "whole")
    """
    made = pcap(PACKETS)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(made[:-5])
        child.stdin.flush()
        # The frames so far come out while the pipe is still open.
        assert child.stdout.readline() == b"199 None\n"
        child.stdin.write(made[-5:])
        child.stdin.close()
        assert child.stdout.readlines() == [b"1 None\n", b"whole\n"]


@pytest.mark.parametrize("made", [pcap([]), section() + interface(), section()])
def test_no_frames(made):
    """A capture without frames is a capture."""
    assert read(made) == ([], "")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (b"", "it is empty; give a pcap or pcapng file, plain, .gz or .zst"),
        (gzip.compress(b"", mtime=0), "it is empty; give a pcap"),
        (b"<!DOCTYPE html><html>", "not pcap or pcapng (first bytes 3c 21 44 4f 43 54 59 50); give a pcap"),
        (b"\x0a", "not pcap or pcapng (first bytes 0a); give a pcap"),
        (section()[:8] + bytes(20), "not pcap or pcapng (first bytes 0a 0d 0d 0a 1c 00 00 00); give"),
        (struct.pack("<I", MICRO) + b"abc", "cut off in the file header, after 7 bytes; copy the file again"),
        (gzip.compress(pcap(PACKETS), mtime=0)[:11], "gzip data is cut off at byte 11; give"),
        (zstd(pcap(PACKETS))[:11], "Zstandard data is cut off at byte 11; give"),
        (
            gzip.compress(b"plain text, packed", mtime=0),
            "not pcap or pcapng (first bytes 70 6c 61 69 6e 20 74 65)",
        ),
    ],
)  # fmt: skip
def test_what_is_no_capture(made, says, tmp_path):
    """The message says which file, what it is instead, and what to give; the file is closed again."""
    path = tmp_path / "file"
    path.write_bytes(made)
    with pytest.raises(ValueError, match=r"^cannot read capture ") as caught:
        open_capture(str(path))
    assert str(caught.value).startswith(f"cannot read capture {path}: {says}")
    assert "\n" not in str(caught.value)
    with standard_input(made), pytest.raises(ValueError, match=r"^cannot read capture standard input: "):
        open_capture("-")


def test_what_can_not_be_opened(tmp_path):
    """A missing file and a folder are told apart, in one line each."""
    with pytest.raises(FileNotFoundError) as missing:
        open_capture(str(tmp_path / "none"))
    assert str(missing.value) == (
        f"cannot read capture {tmp_path / 'none'}: No such file or directory; give a readable file"
    )
    with pytest.raises(IsADirectoryError) as folder:
        open_capture(str(tmp_path))
    assert str(folder.value) == f"cannot read capture {tmp_path}: Is a directory; give a readable file"
    # Address 0 of a process is mapped nowhere: opening works, reading does not.
    with pytest.raises(OSError, match=r"^cannot read capture /proc/self/mem: Input/output error; give"):
        open_capture("/proc/self/mem")


def test_a_disk_that_fails_in_the_middle():
    """Frames read before an error of the disk are given, then the error says how far it went."""

    class Failing(Trickle):
        def read1(self, size: int = -1) -> bytes:
            taken = super().read1(size)
            if not taken:
                raise OSError(errno.EIO, "Input/output error")
            return taken

    made = pcap(PACKETS)
    seen: list[int] = []
    stream = SimpleNamespace(buffer=Failing(made, 1_000), isatty=lambda: False)
    with patch.object(sys, "stdin", stream), open_capture("-") as capture:
        says = rf"^cannot read capture standard input beyond byte {len(made)}: Input/output error; check"
        with pytest.raises(OSError, match=says):
            seen.extend(frames.count for frames in capture)
    assert sum(seen) == len(PACKETS)


def test_a_terminal_is_no_capture():
    """Nobody types a capture: the message says to pipe one in."""
    with (
        patch.object(sys, "stdin", SimpleNamespace(isatty=lambda: True)),
        pytest.raises(ValueError, match="standard input is no capture but a terminal; pipe"),
    ):
        open_capture("-")


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (gzip.compress(pcap(PACKETS), mtime=0)[:-30], "gzip data is cut off at byte "),
        (gzip.compress(pcap(PACKETS), mtime=0) + b"tail", "what follows the gzip data at byte "),
    ],
)
def test_a_cut_in_the_packing_is_said(packed, says):
    """Frames before the cut are given, and the message says that the packed data ended early."""
    got, truncated = read(packed)
    assert got == PACKETS[: len(got)]
    assert len(got) > 100
    assert says in truncated
    assert f"the {len(got)} frames before it were read" in truncated


def test_memory_stays_flat(tmp_path):
    """A file forty times the buffer is read without taking more memory than a small one."""
    path = tmp_path / "large.pcap"
    some = pcap([Packet(index, bytes(1_400), 1_400) for index in range(1_000)])
    with path.open("wb") as file:
        file.write(some)
        for _ in range(40 * BUFFER // len(some)):
            file.write(some[24:])
    with open_capture(str(path)) as capture:
        blocks = iter(capture)
        next(blocks)
        before = resident_bytes()
        frames, most = 0, 0
        for block in blocks:
            frames += block.count
            most = max(most, resident_bytes())
    assert frames > 55_000
    # A window of the map, and the one before it until the new one stands.
    assert most - before < 2 * WINDOW + 4 * BUFFER


def large(path: Path, made=pcap) -> list[Packet]:
    """A file of several windows of the map: the packets that it repeats to its end."""
    packets = [
        Packet(1_700_000_000_000_000 + index, bytes([index]) * (index * 7_919 % 9_000), 9_000)
        for index in range(200)
    ]
    head, some = made(packets[:0]), made(packets)
    with path.open("wb") as file:
        file.write(head)
        for _ in range(3 * WINDOW // len(some)):
            file.write(some[len(head) :])
    return packets


def sizes(capture: Capture) -> Iterator[tuple[int, int]]:
    """Of each frame its length and the sum of its bytes."""
    for block in capture:
        for start, length in zip(block.start[: block.count], block.captured[: block.count], strict=True):
            yield int(length), int(block.data[start : start + length].sum())


def repeats(got: Iterable[tuple[int, int]], packets: list[Packet]) -> int:
    """How many frames there were, each the next of the packets, over and over."""
    wanted = itertools.cycle([(len(packet.data), sum(packet.data)) for packet in packets])
    count = 0
    for frame, packet in zip(got, wanted, strict=False):
        assert frame == packet
        count += 1
    return count


@pytest.mark.parametrize("made", [pcap, pcapng])
def test_a_large_file_is_read_whole(made, tmp_path):
    """Over the edges of buffers, blocks and windows each frame comes once, as it is."""
    packets = large(tmp_path / "large", made)
    with open_capture(str(tmp_path / "large")) as capture:
        count = repeats(sizes(capture), packets)
        assert count % len(packets) == 0 < count == capture.frames
        assert capture.bytes_read == capture.bytes_total
        assert capture.truncated == ""


def test_a_file_that_is_shortened_ends_early(tmp_path):
    """Another program that shortens the file waits for the next window; what was read before stands."""
    path = tmp_path / "large"
    packets = large(path)
    writer = f"open({str(path)!r}, 'r+b').truncate({12 << 20})"
    with open_capture(str(path)) as capture:
        blocks = iter(sizes(capture))
        before = repeats(itertools.islice(blocks, 1_000), packets)
        with subprocess.Popen([sys.executable, "-c", writer]) as shortens:
            while "BREAKING" not in Path("/proc/locks").read_text():
                assert shortens.poll() is None
            count = before + repeats(blocks, packets)
            capture.close()
        assert shortens.returncode == 0
    assert path.stat().st_size == 12 << 20
    assert before < count
    assert "cut off in the middle of a record" in capture.truncated


def test_a_file_that_is_written_to_is_read_without_a_map(tmp_path):
    """What another program still writes is copied, as it may be shortened at any time."""
    path = tmp_path / "large"
    packets = large(path)
    with path.open("ab"), open_capture(str(path)) as capture:
        count = repeats(sizes(capture), packets)
        assert count % len(packets) == 0 < count
        assert str(path) not in Path("/proc/self/maps").read_text()


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Totals:
    """What a whole capture adds up to."""

    def __init__(self) -> None:
        self.frames = self.captured = self.wire = 0
        self.first = self.last = 0
        self.lowest, self.highest = MAX_TS, 0


def totals(path: Path) -> tuple[Totals, str] | None:
    """Our reading of a capture, None where it is none."""
    sums = Totals()
    try:
        with open_capture(str(path)) as capture:
            for frames in capture:
                n = frames.count
                assert (frames.start[:n] + frames.captured[:n] <= len(frames.data)).all()
                if not sums.frames:
                    sums.first = int(frames.ts[0])
                sums.last = int(frames.ts[n - 1])
                sums.frames += n
                sums.captured += int(frames.captured[:n].sum())
                sums.wire += int(frames.wire[:n].sum())
                sums.lowest = min(sums.lowest, int(frames.ts[:n].min()))
                sums.highest = max(sums.highest, int(frames.ts[:n].max()))
            return sums, capture.truncated
    except ValueError:
        return None


def dpkt_totals(path: Path) -> Totals | None:
    """What dpkt reads in a capture, None where it can't."""
    sums = Totals()
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            for ts, data in dpkt.pcap.UniversalReader(file):
                us = int(Decimal(ts) * 1_000_000)
                if not sums.frames:
                    sums.first = us
                sums.last = us
                sums.frames += 1
                sums.captured += len(data)
    # dpkt raises whatever its parsing runs into.
    except Exception:
        return None
    return sums


def interfaces(path: Path) -> int:
    """Interface descriptions in a pcapng file."""
    data = path.read_bytes()
    count, at, order = 0, 0, "<"
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8] == 0x4D else ">"
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12:
            break
        count += kind == 1
        at += length
    return count


def differences(path: Path) -> list[str]:
    """Where we and dpkt differ about a capture that both can read and that is whole."""
    theirs = dpkt_totals(path)
    ours = totals(path)
    if theirs is None or ours is None or ours[1]:
        return []
    sums = ours[0]
    # dpkt takes the resolution of one interface for all.
    timed = interfaces(path) < 2
    return [
        f"{path.relative_to(COLLECTION)}: {name} {mine} here, {other} by dpkt"
        for name, mine, other, within, meant in (
            ("frames", sums.frames, theirs.frames, 0, True),
            ("captured bytes", sums.captured, theirs.captured, 0, True),
            # dpkt's times are floating point; beyond 2106 ours are clamped.
            ("first time", sums.first, min(theirs.first, MAX_TS), 2, timed),
            ("last time", sums.last, min(theirs.last, MAX_TS), 2, timed),
        )
        if meant and abs(mine - other) > within
    ]


@needs_collection
def test_some_real_captures_read_as_dpkt_reads_them():
    """Frames, bytes and times of a sample of real captures are what dpkt says."""
    sample = FILES[::50]
    assert sum(totals(path) is not None for path in sample) > len(sample) / 2
    assert [line for path in sample for line in differences(path)] == []


@needs_collection
@pytest.mark.slow
def test_all_real_captures_read_as_dpkt_reads_them():
    """Every real capture that dpkt can read gives the same frames, bytes and times."""
    lines = [line for path in FILES for line in differences(path)]
    print("\n".join(lines))
    assert [line for line in lines if not any(name in line for name in DAMAGED)] == []


@needs_collection
@pytest.mark.slow
@pytest.mark.service
def test_all_real_captures_read_as_capinfos_reads_them():
    """Frames, wire bytes, earliest and latest time of every real capture are what capinfos says."""
    command = ["capinfos", "-T", "-M", "-r", "-c", "-d", "-a", "-e", "-S"]
    lines, compared = [], 0
    for at in range(0, len(FILES), 100):
        done = subprocess.run(
            [*command, *map(str, FILES[at : at + 100])], capture_output=True, text=True, timeout=120
        )
        for row in done.stdout.splitlines():
            name, frames, wire, lowest, highest = row.split("\t")[:5]
            ours = totals(Path(name))
            if ours is None or ours[1] or frames in ("0", "n/a"):
                continue
            sums = ours[0]
            compared += 1
            expected = (int(frames), int(wire), micros(lowest), micros(highest))
            got = (sums.frames, sums.wire, sums.lowest, sums.highest)
            if expected != got:
                lines.append(f"{Path(name).relative_to(COLLECTION)}: {got} here, {expected} by capinfos")
    print("\n".join(lines))
    assert compared > len(FILES) / 2
    assert [line for line in lines if not any(name in line for name in DAMAGED)] == []


def micros(text: str) -> int:
    """µs of seconds as capinfos writes them, within what can be."""
    whole, _, part = text.partition(".")
    fraction = int(part[:6].ljust(6, "0")) if part.isdigit() else 999_999
    return min(int(whole) * 1_000_000 + fraction, MAX_TS)
