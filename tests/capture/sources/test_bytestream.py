"""Packed captures: several members, cut off, damaged, from a path and from standard input."""

import gzip
import os
import random

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from capture.sources.bytestream import PIECE, PlainFile, unpack
from tests.capture.sources.made import standard_input, untimed


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data))


SKIPPABLE = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"other"
PACKERS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd}
packed_by = pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)


def drain(source: PlainFile, room: int = 1 << 20) -> tuple[bytes, str]:
    """All bytes of a stream, and its damage."""
    stream = unpack(source)
    view = memoryview(bytearray(room))
    got = bytearray()
    while count := stream.readinto(view):
        got += view[:count]
    assert stream.readinto(view) == 0
    stream.close()
    return bytes(got), stream.damage


def through(data: bytes, step: int = 1 << 20, room: int = 1 << 20) -> tuple[bytes, str]:
    with standard_input(data, step):
        return drain(PlainFile("-"), room)


def mixed(length: int) -> bytes:
    """Bytes of which half can be packed."""
    return random.Random(length).randbytes(length // 2) + b"mirror port " * (length // 24)


@packed_by
@untimed
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50), st.integers(1, 500))
def test_any_pieces(pack, parts, step, room):
    """Members one after another, read in pieces of any size into room of any size, give all bytes."""
    # Plain bytes that begin like packed ones are another test's.
    assume(pack is not bytes or parts[0][:1] not in (b"\x1f", b"\x28"))
    assert through(b"".join(pack(part) for part in parts), step, room) == (b"".join(parts), "")


@packed_by
def test_several_megabytes_from_a_path(pack, tmp_path):
    """A file longer than every buffer comes out whole, and the bytes taken from it are counted."""
    data = mixed(5_000_000)
    path = tmp_path / "file"
    path.write_bytes(pack(data) + pack(b"and more"))
    source = PlainFile(str(path))
    assert drain(source) == (data + b"and more", "")
    assert source.bytes_read == source.bytes_total == path.stat().st_size


@pytest.mark.parametrize("tail", [SKIPPABLE, SKIPPABLE + zstd(b"")])
def test_skippable_frames(tail):
    """Skippable Zstandard frames, at the front too, are passed over."""
    assert through(SKIPPABLE + zstd(b"capture") + tail) == (b"capture", "")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_gzip_gives_every_byte_before_the_cut(part):
    """Nothing that the packed bytes still tell is lost, and the place of the cut is said."""
    data = mixed(3_000_000)
    packed = gzip.compress(data)
    cut = int(len(packed) * part)
    got, damage = through(packed[:cut], room=100_000)
    assert data.startswith(got)
    assert len(got) > part * len(data) / 2 - 70_000
    assert damage == f"gzip data is cut off at byte {cut}"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_zstandard_gives_what_was_decoded(part):
    """Blocks that were whole come out, the bytes that were never written don't."""
    data = random.Random(7).randbytes(3_000_000)
    packed = zstd(data)
    cut = int(len(packed) * part)
    got, damage = through(packed[:cut])
    assert data.startswith(got)
    # A block holds up to 128 KiB (RFC 8878, 3.1.1.2.4).
    assert len(got) >= cut - (1 << 17) - 1_000
    assert damage == f"Zstandard data is cut off at byte {cut}"


def test_damaged_gzip_ends_at_the_damage():
    """Bytes before the damage come out; a wrong check sum at the end is said too."""
    data = random.Random(8).randbytes(1_000_000)
    packed = bytearray(gzip.compress(data))
    packed[-8] ^= 1
    got, damage = through(bytes(packed))
    assert got == data
    assert damage.startswith("gzip data is damaged at byte ")
    packed = bytearray(gzip.compress(b"a" * 1_000) + gzip.compress(data))
    packed[500_000:500_100] = bytes(100)
    got, damage = through(bytes(packed))
    assert got[:1_000] == b"a" * 1_000
    assert damage.startswith("gzip data is damaged at byte ")


def test_damaged_zstandard_ends_at_the_damage():
    """A damaged frame ends the data with a message, what came before it comes out."""
    first, second = random.Random(1).randbytes(2 * PIECE), random.Random(2).randbytes(2_000_000)
    packed = zstd(first) + b"\xff" * 40 + zstd(second)
    got, damage = through(packed)
    assert got == first
    assert damage.startswith("Zstandard data is damaged at byte ")


@pytest.mark.parametrize(("tail", "damage"), [(bytes(700), ""), (b"tail", "what follows the gzip data")])
def test_what_follows_gzip(tail, damage):
    """Zero padding behind the last member is nothing; anything else is said."""
    packed = gzip.compress(b"capture")
    for step in (3, 1 << 20):
        got, said = through(packed + tail, step)
        assert got == b"capture"
        assert said.startswith(damage)
        assert bool(said) == bool(damage)


def test_a_packed_bomb_takes_no_memory():
    """Data that unpacks to a thousand times its size comes in pieces no larger than the room given."""
    packed = gzip.compress(bytes(30_000_000))
    with standard_input(packed):
        stream = unpack(PlainFile("-"))
        view = memoryview(bytearray(1_000_000))
        counts = []
        while count := stream.readinto(view):
            counts.append(count)
    assert sum(counts) == 30_000_000
    assert max(counts) <= 1_000_000


def test_peeking_takes_nothing_away():
    """Bytes looked at ahead of time stay in the stream, however they are read."""
    with standard_input(b"abcdef", 2):
        source = PlainFile("-")
        assert source.peek(4) == b"abcd"
        assert source.peek(2) == b"ab"
        assert source.read(3) == b"abc"
        view = memoryview(bytearray(9))
        assert source.readinto(view) == 1
        assert source.readinto(view) == 2
        assert source.bytes_read == 6
        assert source.peek(1) == b""


def test_a_path_is_closed(tmp_path):
    """Closing the stream closes the file."""
    for name, pack in PACKERS.items():
        path = tmp_path / name
        path.write_bytes(pack(b"capture"))
        before = len(os.listdir("/proc/self/fd"))
        stream = unpack(PlainFile(str(path)))
        stream.close()
        assert len(os.listdir("/proc/self/fd")) == before
