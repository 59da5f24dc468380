"""The mirror's second copies, and what is none."""

import itertools

import pytest

from tests.capture.packets import (
    ACK,
    RST,
    SECOND,
    T0,
    Conversation,
    Packet,
    client_hello,
    icmp,
    rows_of,
    tcp,
    udp,
)


def twice(packets: list[Packet], apart: int) -> list[Packet]:
    """Each packet and its copy some µs later."""
    return sorted(itertools.chain(packets, (Packet(p.ts + apart, p.data, p.wire) for p in packets)))


SIX = {"source": "2001:db8::1", "target": "2001:db8::2"}
DOUBTFUL = [tcp(ACK, 5, 9, **SIX), tcp(RST, 5, **SIX), udp(b"short", 50_000, 99, **SIX)]


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


def test_copies_without_an_ip_id() -> None:
    """Where there is no IP id, as in IPv6, the content tells whether it is the same packet."""
    sent = [
        Packet(T0, udp(b"a datagram of some length", 50_000, 443, **SIX)),
        Packet(T0 + 10, udp(b"a datagram of same length", 50_000, 443, **SIX)),
        Packet(T0 + 20, tcp(ACK, 5, payload=b"x", **SIX)),
    ]
    rows = rows_of(twice(sent, 40))
    assert (rows.total("duplicates"), sum(row["packets_up"] for row in rows.flows)) == (3, 3)


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
