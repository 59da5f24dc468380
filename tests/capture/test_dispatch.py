"""Frames through all of it: the mirror's second copies, the room that one frame needs, packet time."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture import dispatch
from tests.capture.packets import (
    ACK,
    ANY_FRAMES,
    RST,
    SECOND,
    SYN,
    T0,
    Conversation,
    Packet,
    block,
    client_hello,
    icmp,
    rows_of,
    small_sensor,
    tcp,
    udp,
)


def twice(packets: list[Packet], apart: int) -> list[Packet]:
    """Each packet and its copy some µs later."""
    return sorted(itertools.chain(packets, (Packet(p.ts + apart, p.data, p.wire) for p in packets)))


def test_the_mirrors_second_copy_is_dropped_and_counted() -> None:
    """A conversation seen twice gives the rows of one, and says how many copies there were."""
    packets = Conversation().open().up(ACK, client_hello()).down(ACK, b"x" * 99).up(ACK).close().packets
    rows, once = rows_of(twice(packets, 40)), rows_of(packets)
    assert rows.flows == once.flows
    assert (rows.total("duplicates"), rows.total("packets")) == (len(packets), 2 * len(packets))
    assert once.total("duplicates") == 0


def test_a_copy_behind_a_router_is_one_too() -> None:
    """The same packet with a lower TTL and other MACs is a copy: the mirror sees both sides of a router."""
    first = tcp(ACK, 5, payload=b"x", ident=7)
    second = bytearray(tcp(ACK, 5, payload=b"x", ident=7, ttl=63))
    second[:12] = second[6:12] + second[:6]
    assert rows_of([Packet(T0, first), Packet(T0 + 50, bytes(second))]).total("duplicates") == 1


def test_a_copy_with_another_tag() -> None:
    """A mirror of two ports of a router tells the VLAN of each; the packet is one."""
    first = tcp(ACK, 5, payload=b"x", ident=7)
    second = first[:12] + b"\x81\0\0\x07" + first[12:]
    assert rows_of([Packet(T0, first), Packet(T0 + 50, second)]).total("duplicates") == 1


SIX = {"source": "2001:db8::1", "target": "2001:db8::2"}


def test_copies_without_an_ip_id() -> None:
    """Where there is no IP id, as in IPv6, the content tells whether it is the same packet."""
    sent = [
        Packet(T0, udp(b"a datagram of some length", 50_000, 443, **SIX)),
        Packet(T0 + 10, udp(b"a datagram of same length", 50_000, 443, **SIX)),
        Packet(T0 + 20, tcp(ACK, 5, payload=b"x", **SIX)),
    ]
    rows = rows_of(twice(sent, 40))
    assert (rows.total("duplicates"), sum(row["packets_up"] for row in rows.flows)) == (3, 3)


DOUBTFUL = [tcp(ACK, 5, 9, **SIX), tcp(RST, 5, **SIX), udp(b"short", 50_000, 99, **SIX)]


@pytest.mark.parametrize("frame", DOUBTFUL)
def test_what_may_be_sent_twice_in_all_honesty(frame: bytes) -> None:
    """Acknowledgements sent again look like copies, and are taken for some while there are certain ones."""
    packets = twice([Packet(T0, frame)], 40)
    rows = rows_of(packets)
    assert (rows.total("duplicates"), rows.flow["packets_up"]) == (0, 2)
    certain = twice([Packet(T0 - 1_000, tcp(ACK, 5, payload=b"x", ident=7))], 40)
    assert rows_of(certain + packets).total("duplicates") == 2
    long_ago = twice([Packet(T0 - 2 * SECOND, tcp(ACK, 5, payload=b"x", ident=7))], 40)
    assert rows_of(long_ago + packets).total("duplicates") == 1


def test_copies_of_pings() -> None:
    """An echo is told from the next by its number; its copy is one."""
    sent = [Packet(T0 + n * 100, icmp(8, 0, bytes([0, 1, 0, n]) + bytes(40))) for n in range(3)]
    rows = rows_of(twice(sent, 40))
    assert (rows.total("duplicates"), rows.flow["packets_up"]) == (3, 3)


@pytest.mark.parametrize("apart", [5_001, SECOND])
def test_after_the_duplicate_time_it_is_no_copy(apart: int) -> None:
    """The same bytes later than 5 ms are a packet of their own."""
    frame = tcp(ACK, 5, payload=b"x", ident=7)
    rows = rows_of([Packet(T0, frame), Packet(T0 + apart, frame)])
    assert (rows.total("duplicates"), rows.flow["packets_up"]) == (0, 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (tcp(ACK, 5, payload=b"x", ident=7), tcp(ACK, 5, payload=b"x", ident=8)),
        (tcp(ACK, 5, 1, payload=b"x"), tcp(ACK, 5, 2, payload=b"x")),
        (tcp(ACK, 5, payload=b"x"), tcp(ACK, 5, payload=b"y")),
        (udp(b"x", 50_000, 99), udp(b"x", 50_000, 99)),
    ],
    ids=["sent again", "acknowledges more", "other bytes", "nothing tells them apart"],
)
def test_what_is_no_copy(first: bytes, second: bytes) -> None:
    """Retransmissions have their own IP id; datagrams without anything that tells them apart all count."""
    rows = rows_of([Packet(T0, first), Packet(T0 + 10, second)])
    assert (rows.total("duplicates"), rows.flow["packets_up"]) == (0, 2)


def test_copies_can_be_kept() -> None:
    """With a duplicate time of 0 every frame counts."""
    packets = twice(Conversation().open().packets, 10)
    assert rows_of(packets, duplicate_us=0).flow["packets_up"] == 4


def test_a_sweep_that_takes_the_last_row_leaves_the_frame_for_later() -> None:
    """Where a sweep fills the rows, the frame waits for the next call; nothing is written beyond."""
    sensor = small_sensor(batch_rows=100)
    packets: list[Packet] = []
    for number in range(101):
        # All but one are due at the second sweep; that one's ports are used again then, so it is due too.
        ts = T0 + (4 * SECOND if number == 100 else 0)
        packets += Conversation(sport=2_000 + number, step=1, ts=ts).open().close().packets
    frames = block([*packets, Packet(T0 + 8 * SECOND + SECOND // 2, tcp(SYN, 123_456, sport=2_100))])
    at = int(dispatch.run(sensor.table, frames, 0))
    meter = sensor.table.meter[0]
    assert (at, meter.packets, meter.flow_rows) == (len(packets), len(packets), 100)
    flushed = sum(len(batch) for kind, batch in sensor.flush() if kind == "flows")
    assert (flushed, int(dispatch.run(sensor.table, frames, at))) == (100, len(packets) + 1)
    rest = sum(len(batch) for kind, batch in sensor.finish() if kind == "flows")
    assert rest == 2


def test_the_room_for_text_is_asked_for_before_each_frame() -> None:
    """With the arena all but full a frame waits; what it then writes is whole."""
    sensor = small_sensor()
    meter = sensor.table.meter[0]
    meter.text_used = len(sensor.table.text) - 20_000
    frames = block([Packet(T0, tcp(SYN, 1))])
    assert dispatch.run(sensor.table, frames, 0) == 0
    list(sensor.flush())
    assert dispatch.run(sensor.table, frames, 0) == 1


@settings(max_examples=150, deadline=None)
@given(ANY_FRAMES, st.integers(100, 110), st.integers(1, 3))
def test_any_frames(packets: list[Packet], rows: int, blocks: int) -> None:
    """Damaged frames of every kind are counted, each in a flow, as a copy or by what is wrong with it."""
    made = rows_of(packets, batch_rows=rows, blocks=blocks)
    assert made.total("packets") == len(packets)
    assert made.total("bytes") == sum(packet.wire or len(packet.data) for packet in packets)
    in_flows = sum(row["packets_up"] + row["packets_down"] for row in made.flows)
    wrong = sum(made.total(name) for name in ("truncated", "malformed", "unknown_link", "duplicates"))
    assert in_flows <= len(packets)
    assert in_flows + wrong + len(made.sightings) >= len(packets) - arp_repeats(packets)
    assert all(row["start"] <= row["end"] for row in made.flows)


def arp_repeats(packets: list[Packet]) -> int:
    """Frames that may be sound ARP, which leave at most a sighting."""
    return sum(b"\x08\x06" in packet.data[12:64] for packet in packets)


def test_no_text_is_left_in_the_arena() -> None:
    """After a flush the arena begins anew."""
    sensor = small_sensor()
    list(sensor.feed(block(Conversation().open().up(ACK, client_hello()).packets)))
    list(sensor.finish())
    assert sensor.table.meter[0].text_used == 0
    assert np.count_nonzero(sensor.table.flows.used) == 0
