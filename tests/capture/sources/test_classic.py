"""The classic pcap format, in all its variants and with all that can be wrong with it."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.frames import LINK_RAW
from capture.sources.classic import walk_records
from capture.sources.container import DAMAGED, FULL, MAX_FRAME, MAX_TS, NEED_BYTES
from tests.capture.sources.made import MICRO, MODIFIED, NANO, Packet, pcap, read, untimed

TIMES = st.integers(0, MAX_TS)
PACKETS = st.lists(
    st.builds(
        lambda ts, data, more: Packet(ts, data, len(data) + more),
        TIMES,
        st.binary(max_size=80),
        st.sampled_from([0, 1, 1_400]),
    ),
    max_size=20,
)


@untimed
@given(PACKETS, st.sampled_from([MICRO, NANO, MODIFIED]), st.sampled_from("<>"), st.integers(1, 200))
def test_gives_back_what_was_written(packets, magic, order, step):
    """Every variant, in pieces of any size, gives the frames that were written, in order."""
    assert read(pcap(packets, magic, order), step) == (packets, "")


@untimed
@given(PACKETS, st.data())
def test_a_cut_file_gives_all_before_the_cut(packets, data):
    """Wherever the file ends, all whole frames come out; the message says where the last record began."""
    whole = pcap(packets)
    cut = data.draw(st.integers(24, len(whole)))
    ends = [24]
    for packet in packets:
        ends.append(ends[-1] + 16 + len(packet.data))
    kept = sum(end <= cut for end in ends) - 1
    got, truncated = read(whole[:cut])
    assert got == packets[:kept]
    if cut in ends:
        assert truncated == ""
    else:
        assert truncated == (
            f"capture standard input is cut off in the middle of a record at byte {ends[kept]}; "
            f"the {kept} frames before it were read"
        )


@untimed
@given(PACKETS, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=30))
def test_stays_within_bounds_whatever_the_bytes(packets, changes):
    """Changed bytes never lead outside the file, and what comes before them is not lost."""
    damaged = bytearray(pcap(packets))
    places = [24 + place % (len(damaged) - 24) for place, _ in changes if len(damaged) > 24]
    for place, (_, value) in zip(places, changes, strict=False):
        damaged[place] = value
    got, _ = read(bytes(damaged))
    good, at = 0, 24
    for packet in packets:
        at += 16 + len(packet.data)
        good += at <= min(places)
    assert got[:good] == packets[:good]


@untimed
@given(st.binary(max_size=400), st.booleans(), st.integers(1, 8))
def test_walk_over_noise(noise, big, room):
    """Noise gives frames inside the buffer, no more than there is room for, and the walk goes forward."""
    data = np.frombuffer(noise, np.uint8)
    start, captured, wire, ts = (np.zeros(room, np.int64) for _ in range(4))
    count, offset, outcome = walk_records(data, 0, len(data), big, 16, 1, start, captured, wire, ts)
    assert 0 <= count <= room
    assert outcome in (NEED_BYTES, FULL, DAMAGED)
    assert offset == 16 * count + captured[:count].sum()
    assert offset <= len(data)
    assert (start[:count] + captured[:count] <= offset).all()
    assert (wire[:count] >= captured[:count]).all()
    assert ((ts[:count] >= 0) & (ts[:count] <= MAX_TS)).all()


def record(captured: int, wire: int, data: bytes, seconds: int = 1, fraction: int = 2) -> bytes:
    return struct.pack("<IIII", seconds, fraction, captured, wire) + data


def test_a_damaged_length_ends_the_file_with_its_place():
    """A captured length beyond belief ends the walk; the frames before it are kept."""
    made = pcap([Packet(5, b"abc", 3)]) + record(0x7FFF_FFFF, 60, b"x" * 100)
    got, truncated = read(made)
    assert got == [Packet(5, b"abc", 3)]
    assert truncated == (
        "capture standard input has a damaged record header at byte 43: its captured length is 2147483647, "
        f"more than {MAX_FRAME}; the 1 frames before it were read"
    )


@pytest.mark.parametrize(("says", "counts"), [(0, 5), (4, 5), (5, 5), (6, 6), (MAX_FRAME, MAX_FRAME)])
def test_wire_is_at_least_what_was_captured(says, counts):
    """A wire length shorter than the frame is not believed."""
    assert read(pcap([]) + record(5, says, b"abcde"))[0][0].wire == counts


@pytest.mark.parametrize("says", [MAX_FRAME + 1, 0xFFFF_FFFF])
def test_an_enormous_wire_length_is_not_believed(says):
    """A wire length no frame can have counts what is there, so that no sum is poisoned."""
    assert read(pcap([]) + record(5, says, b"abcde"))[0][0].wire == 5


def test_the_longest_frame_is_read():
    """A frame of the greatest length goes through, in small pieces too."""
    packets = [Packet(1, bytes(MAX_FRAME), MAX_FRAME), Packet(2, b"next", 4)]
    assert read(pcap(packets), step=4_096) == (packets, "")


def test_more_frames_than_fit_in_a_block():
    """40,000 frames without a byte come out in several blocks."""
    packets = [Packet(index, b"", 0) for index in range(40_000)]
    assert read(pcap(packets)) == (packets, "")


def test_times_are_clamped():
    """A fraction that was not carried is added, an absurd one is not, and nothing goes beyond 2106."""
    fractions = [(7, 1_500_000), (7, 2_000_000), (7, 0xFFFF_FFFF), (0xFFFF_FFFF, 1_999_999)]
    made = pcap([]) + b"".join(record(0, 0, b"", second, part) for second, part in fractions)
    assert [packet.ts for packet in read(made)[0]] == [8_500_000, 7_999_999, 7_999_999, MAX_TS]


@pytest.mark.parametrize(
    ("written", "read_as"), [(1, 1), (0x2400_0001, 1), (12, LINK_RAW), (14, LINK_RAW), (127, 127)]
)
def test_link_type(written, read_as):
    """The bits of the frame check sequence are no part of it; other numbers of raw IP are made one."""
    assert read(pcap([Packet(1, b"a", 1)], link=written))[0][0].link == read_as
