"""IP fragments put together, and those whose rest never comes."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import CLIENT, SECOND, SERVER, T0, Packet, dns, ethernet, icmp, ipv4, ipv6, rows_of

A, B = "2001:db8::1", "2001:db8::2"


def fragments(data: bytes, size: int, version: int, more: int = 0) -> list[bytes]:
    """A UDP datagram in fragments of `size` bytes."""
    frames = []
    for at in range(0, len(data), size):
        last = at + size >= len(data)
        if version == 4:
            word = at // 8 | (0 if last and not more else 0x2000)
            frames.append(ethernet(ipv4(data[at : at + size], 17, ident=77, flags=word)))
        else:
            head = struct.pack("!BBHI", 17, 0, at | (0 if last and not more else 1), 77)
            frames.append(ethernet(ipv6(head + data[at : at + size], 44, A, B), 0x86DD))
    return frames


DATAGRAM = struct.pack("!HHHH", 50_000, 9_999, 3_008, 0) + bytes(3_000)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("order", [1, -1])
def test_fragments_are_one_datagram(version: int, order: int) -> None:
    """Fragments in any order are one flow: bytes and packets of all, payload of the whole."""
    frames = fragments(DATAGRAM, 1_000, version)[::order]
    row = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(frames)]).flow
    assert (row["client_port"], row["server_port"], row["payload_up"]) == (50_000, 9_999, 3_000)
    assert (row["packets_up"], row["bytes_up"]) == (4, sum(len(frame) - 14 for frame in frames))


def test_lost_fragments_still_count() -> None:
    """A datagram whose rest never came counts: by its ports, or without where the first is missing."""
    frames = fragments(DATAGRAM, 1_000, 4)
    row = rows_of([Packet(T0, frames[0]), Packet(T0 + 1, frames[1])]).flow
    assert (row["client_port"], row["packets_up"], row["bytes_up"]) == (50_000, 2, 2_040)
    row = rows_of([Packet(T0, frames[1]), Packet(T0 + 1, frames[2])]).flow
    assert (row["client_port"], row["server_port"], row["packets_up"]) == (0, 0, 2)
    assert (row["client"], row["server"], row["protocol"]) == (CLIENT, SERVER, 17)


def test_a_fragment_beyond_the_longest_datagram_is_malformed() -> None:
    """The end of a "ping of death" is counted, alone it makes no flow."""
    frame = ethernet(ipv4(bytes(1_000), 17, ident=9, flags=8_191))
    rows = rows_of([Packet(T0, frame)])
    assert (rows.flows, rows.total("malformed"), rows.total("packets")) == ([], 1, 1)


@pytest.mark.compiled
def test_more_datagrams_than_there_is_room_for() -> None:
    """Unfinished datagrams push older ones out; all their packets count."""
    frames = [
        Packet(T0 + n, ethernet(ipv4(DATAGRAM[:800], 17, ident=n & 0xFFFF, flags=0x2000)))
        for n in range(1_000)
    ]
    rows = rows_of(frames)
    assert sum(row["packets_up"] for row in rows.flows) == 1_000


def test_overlapping_fragments_are_bounded() -> None:
    """Fragments that overlap and repeat (teardrop) leave one flow with each packet counted."""
    pieces = [(0, 800, 1), (0, 800, 1), (96, 200, 1), (400, 800, 1), (1_200, 40, 0), (1_192, 100, 0)]
    frames = [
        ethernet(ipv4(DATAGRAM[at : at + size], 17, ident=5, flags=at // 8 | (0x2000 if more else 0)))
        for at, size, more in pieces
    ]
    rows = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(frames)], duplicate_us=0)
    assert sum(row["packets_up"] + row["packets_down"] for row in rows.flows) == 6


def six(at: int, data: bytes, more: int, following: int = 17) -> bytes:
    """One IPv6 fragment."""
    head = struct.pack("!BBHI", following, 0, at | more, 77)
    return ethernet(ipv6(head + data, 44, A, B), 0x86DD)


def test_the_first_bytes_stay() -> None:
    """Of IPv4 fragments that say different things about the same place, the first one's bytes count."""
    question = dns(7, b"first.example.org")
    other = dns(7, b"other.example.org")
    data, later = (struct.pack("!HHHH", 50_000, 53, 8 + len(m), 0) + m for m in (question, other))
    pieces = [(0, data[:32], 1), (16, later[16:40], 1), (32, data[32:], 0)]
    frames = [
        ethernet(ipv4(piece, 17, ident=7, flags=at // 8 | (0x2000 if more else 0)))
        for at, piece, more in pieces
    ]
    rows = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(frames)])
    assert [row["qname"] for row in rows.dns] == ["first.example.org"]
    assert rows.flow["packets_up"] == 3


def test_ipv6_fragments_that_overlap_are_not_read() -> None:
    """RFC 5722: such a datagram is none; its packets count by their ports, and it is malformed once."""
    question = dns(7, b"first.example.org")
    data = struct.pack("!HHHH", 50_000, 53, 8 + len(question), 0) + question
    frames = [six(0, data[:32], 1), six(24, bytes(16), 1), six(32, data[32:], 0)]
    rows = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(frames)])
    assert (rows.flow["server_port"], rows.flow["packets_up"], rows.dns) == (53, 3, [])
    assert rows.total("malformed") == 1
    same = [six(0, data[:32], 1), six(0, data[:32], 1), six(32, data[32:], 0)]
    rows = rows_of([Packet(T0 + n * 10_000, frame) for n, frame in enumerate(same)])
    assert (rows.flow["packets_up"], [row["qname"] for row in rows.dns]) == (3, ["first.example.org"])
    assert rows.total("malformed") == 0


def test_headers_behind_the_fragment_header() -> None:
    """IPv6 extension headers in the part that is cut up are stepped over once it is whole."""
    data = bytes([17, 0]) + bytes(6) + struct.pack("!HHHH", 50_000, 9_999, 72, 0) + bytes(64)
    frames = [six(0, data[:40], 1, 60), six(40, data[40:], 0, 60)]
    row = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(frames)]).flow
    assert (row["protocol"], row["server_port"], row["payload_up"]) == (17, 9_999, 64)
    again = bytes([17, 0, 0, 9]) + bytes(4)
    rows = rows_of([Packet(T0, six(0, again, 1, 44)), Packet(T0 + 1, six(8, bytes(8), 0, 44))])
    assert (rows.flow["client_port"], rows.total("malformed")) == (0, 1)


@pytest.mark.parametrize("version", [4, 6])
def test_the_mirrors_second_copies(version: int) -> None:
    """Copies of fragments are dropped and counted like those of packets."""
    frames = fragments(DATAGRAM, 1_000, version)
    packets = [Packet(T0 + n * 10 + copy, frame) for n, frame in enumerate(frames) for copy in (0, 5)]
    rows = rows_of(packets)
    assert (rows.flow["packets_up"], rows.flow["payload_up"], rows.total("duplicates")) == (4, 3_000, 4)


def test_a_cut_fragment_counts() -> None:
    """A fragment that the snaplen cut is not put together, and is counted in a flow."""
    frames = fragments(DATAGRAM, 1_000, 4)
    rows = rows_of([Packet(T0 + n, frame[:100], len(frame)) for n, frame in enumerate(frames)])
    assert sum(row["packets_up"] for row in rows.flows) == 4


def test_the_rest_is_waited_for_30_s() -> None:
    """After 30 s what came counts in its flow; a fragment that comes later is on its own."""
    frames = fragments(DATAGRAM, 1_000, 4)
    packets = [Packet(T0 + n, frame) for n, frame in enumerate(frames[:3])]
    packets += [Packet(T0 + n * SECOND, icmp(8, 0)) for n in (25, 33)]
    rows = rows_of([*packets, Packet(T0 + 40 * SECOND, frames[3])])
    told = {row["client_port"]: row["packets_up"] for row in rows.flows if row["protocol"] == 17}
    assert told == {50_000: 3, 0: 1}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 8_191), st.integers(0, 1_400), st.booleans(), st.integers(0, 2)), max_size=30
    )
)
def test_any_fragments_are_counted(pieces: list[tuple[int, int, bool, int]]) -> None:
    """Whatever offsets fragments claim, each is a packet of a flow or malformed."""
    frames = [
        ethernet(ipv4(bytes(size), 17, ident=ident, flags=offset | (0x2000 if more else 0)))
        for offset, size, more, ident in pieces
    ]
    rows = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(frames)], duplicate_us=0)
    counted = sum(row["packets_up"] + row["packets_down"] for row in rows.flows)
    beyond = sum(offset * 8 + size > 65_535 for offset, size, more, _ in pieces if offset > 0 or more)
    assert rows.total("packets") == len(pieces)
    assert counted == len(pieces) - beyond
    assert rows.total("malformed") >= beyond
