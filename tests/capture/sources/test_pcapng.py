"""The pcapng format: sections, interfaces, packets, and damaged ones."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.sources.container import MAX_FRAME, MAX_TS
from capture.sources.pcapng import (
    INTERFACE_COLUMNS,
    INTERFACES,
    MAX_BLOCK,
    MAX_INTERFACES,
    SKIP,
    STATE_FIELDS,
    walk_blocks,
)
from tests.capture.sources.made import (
    Packet,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    pcapng,
    read,
    section,
    simple,
    untimed,
)

PACKETS = st.lists(
    st.builds(
        lambda ts, data, more, link: Packet(ts, data, len(data) + more, link),
        st.integers(0, MAX_TS),
        st.binary(max_size=80),
        st.sampled_from([0, 1, 1_400]),
        st.sampled_from([1, 101, 113, 127]),
    ),
    max_size=20,
)


@untimed
@given(PACKETS, PACKETS, st.sampled_from("<>"), st.sampled_from("<>"), st.integers(1, 200))
def test_gives_back_what_was_written(first, second, order, other, step):
    """Sections of either byte order with several interfaces, in pieces of any size, give their frames."""
    assert read(pcapng(first, order) + pcapng(second, other), step) == (first + second, "")


@untimed
@given(PACKETS, st.data())
def test_a_cut_file_gives_all_before_the_cut(packets, data):
    """Wherever the file ends, all whole frames come out."""
    whole = pcapng(packets)
    ends = [
        len(whole) - sum(len(enhanced(0, 0, p.data, 0)) for p in packets[index:])
        for index in range(len(packets) + 1)
    ]
    cut = data.draw(st.integers(28, len(whole)))
    got, truncated = read(whole[:cut])
    assert got == packets[: max(sum(end <= cut for end in ends) - 1, 0)]
    if cut in ends:
        assert truncated == ""
    elif cut > ends[0]:
        assert "is cut off in the middle of a record at byte" in truncated


@untimed
@given(PACKETS, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=30))
def test_stays_within_bounds_whatever_the_bytes(packets, changes):
    """Changed bytes never lead outside the file."""
    damaged = bytearray(pcapng(packets))
    for place, value in changes:
        damaged[min(28 + place % len(damaged), len(damaged) - 1)] = value
    read(bytes(damaged))


@untimed
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                lambda kind, length, body: struct.pack("<II", kind, length) + body,
                st.sampled_from([0x0A0D0D0A, 1, 2, 3, 5, 6]), st.integers(0, 80), st.binary(max_size=60),
            ),
            st.builds(block, st.sampled_from([1, 2, 3, 5, 6]), st.binary(max_size=80)),
        ),
        max_size=10,
    ),
    st.integers(1, 8),
)  # fmt: skip
def test_walk_over_noise(pieces, room):
    """Noise gives frames inside the buffer, no more than there is room for, at times that can be."""
    data = np.frombuffer(b"".join(pieces), np.uint8)
    state = np.zeros(STATE_FIELDS, np.int64)
    table = np.zeros((4, INTERFACE_COLUMNS), np.int64)
    arrays = [np.zeros(room, np.int64) for _ in range(5)]
    count, offset, _ = walk_blocks(data, 0, len(data), state, table, *arrays)
    start, captured, wire, ts, _ = (array[:count] for array in arrays)
    assert 0 <= count <= room
    assert 0 <= offset <= len(data)
    assert 0 <= state[INTERFACES] <= 4
    assert state[SKIP] >= 0
    assert ((start >= 0) & (captured >= 0) & (start + captured <= offset)).all()
    assert (wire >= captured).all()
    assert ((ts >= 0) & (ts <= MAX_TS)).all()


SECOND = 1_600_000_000


@pytest.mark.parametrize(
    ("resolution", "units", "ts"),
    [
        (None, SECOND * 10**6 + 123_456, SECOND * 10**6 + 123_456),
        (6, SECOND * 10**6 + 123_456, SECOND * 10**6 + 123_456),
        (9, SECOND * 10**9 + 123_456_789, SECOND * 10**6 + 123_456),
        (3, SECOND * 10**3 + 123, SECOND * 10**6 + 123_000),
        (0, SECOND, SECOND * 10**6),
        (18, 7 * 10**18, 7 * 10**6),
        (24, 2_000_000 * 10**12, 2),
        (127, 1 << 62, 4),
        (0x80, SECOND, SECOND * 10**6),
        (0x80 | 10, SECOND << 10 | 512, SECOND * 10**6 + 500_000),
        (0x80 | 20, SECOND << 20 | 1 << 19, SECOND * 10**6 + 500_000),
        (0x80 | 32, SECOND << 32 | 1 << 30, SECOND * 10**6 + 250_000),
        (0x80 | 62, 1 << 62 | 1 << 61, 1_500_000),
        (0x80 | 63, 1 << 62, 0),
        (0x80 | 127, 1 << 62, 0),
        (6, (1 << 64) - 1, MAX_TS),
        (0, (1 << 63) - 1, MAX_TS),
        (0x80, (1 << 63) - 1, MAX_TS),
    ],
)
def test_resolution(resolution, units, ts):
    """Times in units of any power of ten or two become µs, without overflow at either end."""
    options = b"" if resolution is None else option(9, bytes([resolution]))
    for order in "<>":
        options = b"" if resolution is None else option(9, bytes([resolution]), order)
        made = section(order) + interface(1, order, options) + enhanced(0, units, b"a", 1, order)
        assert read(made)[0][0].ts == ts


@pytest.mark.parametrize(
    ("offset", "ts"),
    [(0, 10_000_000), (5, 15_000_000), (-4, 6_000_000), (-11, 0), (1 << 62, MAX_TS), (-(1 << 63), 0)],
)
def test_offset(offset, ts):
    """The interface's offset in seconds is added, and the sum stays within 1970 and 2106."""
    for order in "<>":
        options = option(2, b"eth0", order) + option(14, struct.pack(order + "q", offset), order)
        made = section(order) + interface(1, order, options) + enhanced(0, 10_000_000, b"a", 1, order)
        assert read(made)[0][0].ts == ts


def test_options_end_where_they_say():
    """What stands behind the end of the options is none."""
    options = option(0, b"") + option(9, b"\x00")
    assert read(section() + interface(options=options) + enhanced(0, 5, b"a", 1))[0][0].ts == 5


def test_older_and_simpler_packets():
    """The obsolete block is read; a simple one takes the time before it and is cut at the snap length."""
    made = section() + interface(snaplen=6) + obsolete(0, 77, b"older", 60) + simple(b"simpler", 7)
    assert read(made) == ([Packet(77, b"older", 60), Packet(77, b"simple", 7)], "")


def test_options_of_a_packet_are_no_part_of_it():
    """Comments behind the bytes of a frame stay out of it."""
    made = (
        section() + interface() + enhanced(0, 1, b"abc", 3, options=option(1, b"a comment") + option(0, b""))
    )
    assert read(made) == ([Packet(1, b"abc", 3)], "")


@pytest.mark.parametrize("length", [0, 40, MAX_BLOCK, 3 * MAX_BLOCK])
def test_other_blocks_are_passed_over(length):
    """Statistics, names and secrets of any length are no frames and don't end the file."""
    made = section() + interface() + block(0x0A, bytes(length)) + enhanced(0, 1, b"abc", 3)
    for step in (1 << 20, 50_000):
        assert read(made, step) == ([Packet(1, b"abc", 3)], "")


def test_a_cut_in_a_block_that_is_passed_over_is_said():
    """A file that ends within such a block is cut off."""
    made = section() + interface() + enhanced(0, 1, b"abc", 3) + block(0x0A, bytes(3 * MAX_BLOCK))[:-100_000]
    got, truncated = read(made)
    assert got == [Packet(1, b"abc", 3)]
    assert "cut off in the middle of a record" in truncated


def test_a_section_forgets_the_interfaces_of_the_one_before():
    """Packets of an interface that this section did not describe are left out, counted and said."""
    made = section() + interface(101) + enhanced(0, 1, b"a", 1) + section() + enhanced(0, 2, b"b", 1) * 3
    made += interface(113) + enhanced(0, 3, b"c", 1)
    got, truncated = read(made)
    assert got == [Packet(1, b"a", 1, 101), Packet(3, b"c", 1, 113)]
    assert "3 packets of interfaces without a description were left out" in truncated


def test_many_interfaces():
    """A section may have thousands of interfaces, each with its own link type."""
    made = (
        section() + b"".join(interface(index % 200) for index in range(3_000)) + enhanced(2_999, 1, b"a", 1)
    )
    assert read(made) == ([Packet(1, b"a", 1, 199)], "")


def test_too_many_interfaces_end_the_file():
    """There is a bound, and it is named."""
    got, truncated = read(section() + enhanced(0, 1, b"", 0) + interface() * (MAX_INTERFACES + 1))
    assert got == []
    assert f"the section has more than {MAX_INTERFACES} interfaces" in truncated


GOOD = enhanced(0, 1, b"good", 4)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (struct.pack("<II", 6, 8) + bytes(40), "can't have the lengths it says (8 bytes in all)"),
        (struct.pack("<II", 6, 33) + bytes(40), "type 0x6 can't have the lengths it says (33 bytes in all)"),
        (struct.pack("<II", 6, 0x7FFF_FFFC) + bytes(40), "(2147483644 bytes in all)"),
        (GOOD[:-4] + bytes(4), "block of type 0x6 says 36 bytes in front and 0 behind"),
        (block(6, bytes(8)), "can't have the lengths"),
        (block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9) + bytes(8)), "can't have the lengths"),
        (block(6, struct.pack("<IIIII", 0, 0, 0, MAX_FRAME + 4, 9) + bytes(MAX_FRAME + 4)), "can't have"),
        (block(1, b""), "block of type 0x1 can't have"),
        (block(3, b""), "block of type 0x3 can't have"),
        (struct.pack("<III", 0x0A0D0D0A, 28, 7) + bytes(40), "its byte-order magic is 07000000"),
    ],
)  # fmt: skip
def test_a_damaged_block_ends_the_file_with_its_place(bad, says):
    """A block that contradicts itself ends the file: what came before is kept, what and where is said."""
    head = section() + interface() + GOOD
    got, truncated = read(head + bad + GOOD)
    assert got == [Packet(1, b"good", 4)]
    assert f"has a damaged record header at byte {len(head)}: " in truncated
    assert says in truncated
    assert "the 1 frames before it were read" in truncated


def test_wire_lengths_are_believed_within_reason():
    """A wire length below what is there, or beyond any frame, counts what is there."""
    made = section() + interface() + enhanced(0, 1, b"abcd", 0) + enhanced(0, 1, b"abcd", 0xFFFF_FFFF)
    assert [packet.wire for packet in read(made)[0]] == [4, 4]
