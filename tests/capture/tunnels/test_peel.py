"""Tunnels inside tunnels, their levels and limits, fragments on either side, and what must not be lost."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.tunnels.peel import LEVELS, PORTS, tunnel_port_bits
from tests.capture.packets import SECOND, T0, Packet, ethernet, ipv4, ipv6, rows_of, udp
from tests.capture.tunnels.carried import (
    FRAME,
    INNER_6,
    INNER_CLIENT,
    INNER_SERVER,
    IP4,
    IP6,
    OTHER,
    OUTER,
    OUTER_6,
    SEGMENT,
    assert_inner,
    assert_outer,
    datagram,
    over_ip,
    over_ip6,
    over_udp,
    seen,
)
from tests.capture.tunnels.test_gre import erspan_2, gre, pptp
from tests.capture.tunnels.test_l2tp import l2tp
from tests.capture.tunnels.test_overlays import geneve, gtp, vxlan


@pytest.mark.parametrize(
    ("frame", "word", "packet"),
    [
        (over_ip(IP4, 4), "ipip", IP4),
        (over_ip(IP6, 41), "6in4", IP6),
        (over_ip6(IP4, 4), "ipip", IP4),
        (over_ip6(IP6, 41), "ipip", IP6),
        (over_ip(b"\x30\0" + FRAME, 97), "etherip", IP4),
        (over_ip(b"\x03\0" + FRAME, 97), "etherip", IP4),
        (over_ip(b"\0\1\1\x40" + IP4, 137), "mpls", IP4),
        (over_udp(b"\0\1\1\x40" + IP4, 6_635), "mpls", IP4),
        (over_udp(gre(0x2000, 0x0800, 1) + IP4, 4_754), "gre", IP4),
    ],
)
def test_tunnels_without_a_header_of_their_own(frame: bytes, word: str, packet: bytes) -> None:
    """IP in IP of all versions, EtherIP, labels in IP and in UDP, GRE in UDP."""
    assert_inner(frame, word, packet)


def test_the_innermost_tunnel_has_the_word() -> None:
    """A flow inside several tunnels says the last one; its bytes are those of the innermost packet."""
    assert_inner(over_ip(erspan_2(5) + over_udp(vxlan(FRAME), 4_789), 47), "vxlan")
    assert_inner(over_udp(geneve(ipv4(gre(0, 0x0800) + IP4, 47), 0x0800), 6_081), "gre")
    assert_inner(over_udp(gtp(ipv4(datagram(l2tp(b"\x21" + IP4), 1_701), 17)), 2_152), "l2tp")


def nested(levels: int) -> bytes:
    packet = IP4
    for level in range(levels):
        packet = ipv4(packet, 4, f"10.8.{level}.1", f"10.8.{level}.2", ident=3)
    return ethernet(packet)


def test_levels_are_bounded() -> None:
    """Eight tunnels are entered; of a ninth the packet around it counts."""
    assert LEVELS == 8
    assert_inner(nested(8), "ipip")
    assert seen(nested(9)).flow["client"] == "10.8.0.1"
    assert sum(row["packets_up"] for row in seen(nested(60)).flows) == 1


@pytest.mark.parametrize(
    "inner",
    [
        b"",
        b"\x45",
        bytes(40),
        b"\x99" * 40,
        b"\x4f" + IP4[1:8],
        b"\x45\0\0\x05" + IP4[4:],
        b"\x44" + IP4[1:],
    ],
)
def test_what_is_no_packet_is_not_entered(inner: bytes) -> None:
    """Where no IP packet stands in a tunnel, the one around it counts and nothing is malformed."""
    frame = over_ip(inner, 4)
    assert_outer(frame)
    assert seen(frame).total("malformed") == 0
    assert_outer(over_udp(vxlan(FRAME[:14] + inner), 4_789))


def test_a_mirror_that_shortens_frames() -> None:
    """A packet that a mirror cut before it was wrapped counts by what its header says, and as truncated."""
    whole = ethernet(udp(bytes(1_000), 50_000, 9_999)[14:])
    rows = seen(over_ip(erspan_2(5) + whole[:100], 47))
    assert (rows.flow["bytes_up"], rows.flow["server_port"], rows.flow["tunnel"]) == (1_028, 9_999, "erspan")
    assert rows.total("truncated") == 1


def pieces(packet: bytes, size: int, ident: int = 77) -> list[bytes]:
    """The IPv4 packet in fragments of `size` bytes of payload."""
    data = packet[20:]
    source, target = (".".join(map(str, packet[at : at + 4])) for at in (12, 16))
    return [
        ipv4(
            data[at : at + size],
            packet[9],
            source,
            target,
            ident=ident,
            flags=at // 8 | (0x2000 if at + size < len(data) else 0),
        )
        for at in range(0, len(data), size)
    ]


def test_a_tunnel_in_fragments() -> None:
    """The datagrams around it are put together first; then the packet within counts, once."""
    outer = ipv4(gre(0, 0x0800) + IP4, 47, OUTER, OTHER)
    row = rows_of([Packet(T0 + n, ethernet(piece)) for n, piece in enumerate(pieces(outer, 16))]).flow
    assert (row["client"], row["tunnel"], row["packets_up"], row["bytes_up"]) == (
        INNER_CLIENT,
        "gre",
        1,
        len(IP4),
    )


def test_fragments_in_a_tunnel() -> None:
    """Fragments within are put together behind the tunnel: packets and bytes of all."""
    whole = ipv4(datagram(bytes(64), 9_999), 17, INNER_CLIENT, INNER_SERVER)
    carried = pieces(whole, 24)
    row = rows_of(Packet(T0 + n, over_ip(gre(0, 0x0800) + p, 47)) for n, p in enumerate(carried)).flow
    assert (row["client"], row["server_port"], row["tunnel"]) == (INNER_CLIENT, 9_999, "gre")
    assert (row["packets_up"], row["bytes_up"], row["payload_up"]) == (3, sum(map(len, carried)), 64)


def test_fragments_in_a_tunnel_in_fragments() -> None:
    """Both levels are put together, whatever places the datagrams have."""
    for ident in range(12):
        whole = ipv4(datagram(bytes(range(200)), 9_999), 17, INNER_CLIENT, INNER_SERVER)
        packets = []
        for n, carried in enumerate(pieces(whole, 104, ident)):
            outer = ipv4(gre(0, 0x0800) + carried, 47, OUTER, OTHER)
            packets += [ethernet(piece) for piece in pieces(outer, 48, 100 + n)]
        row = rows_of(Packet(T0 + n, frame) for n, frame in enumerate(packets)).flow
        assert (row["client"], row["server_port"], row["packets_up"]) == (INNER_CLIENT, 9_999, 2)
        assert row["payload_up"] == 200


def test_a_tunnel_whose_rest_is_lost() -> None:
    """Of an unfinished datagram the packet around counts, by its own protocol."""
    outer = ipv4(gre(0, 0x0800) + IP4, 47, OUTER, OTHER)
    frames = pieces(outer, 24)[:1]
    row = rows_of([Packet(T0, ethernet(frames[0])), Packet(T0 + 60 * SECOND, b"")]).flow
    assert (row["client"], row["protocol"], row["tunnel"]) == (OUTER, 47, "")


def test_ipv6_fragments_around_a_tunnel() -> None:
    """The same with IPv6's fragment header."""
    data = datagram(vxlan(FRAME), 4_789)
    frames = []
    for at in range(0, len(data), 48):
        head = struct.pack("!BBHI", 17, 0, at | (at + 48 < len(data)), 5)
        frames.append(ethernet(ipv6(head + data[at : at + 48], 44, *OUTER_6), 0x86DD))
    row = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(frames)]).flow
    assert (row["client"], row["tunnel"], row["bytes_up"]) == (INNER_CLIENT, "vxlan", len(IP4))


def test_the_mirrors_copy_in_another_tunnel() -> None:
    """The same packet with and without its tunnel is one packet and a copy."""
    rows = rows_of([Packet(T0, over_udp(vxlan(FRAME), 4_789)), Packet(T0 + 30, FRAME)])
    assert (rows.flow["packets_up"], rows.total("duplicates")) == (1, 1)


def test_the_bits_are_the_ports() -> None:
    """A bit for each port of a tunnel, and no other."""
    bits = tunnel_port_bits()
    assert {port for port in range(65_536) if bits[port >> 3] >> (port & 7) & 1} == set(PORTS)


def test_ports_of_tunnels_used_by_something_else() -> None:
    """A datagram that has the port but not the header is one of the application that sent it."""
    for port in PORTS:
        assert_outer(over_udp(b"something else entirely, on this port", port))


CARRIERS = (
    over_ip(erspan_2(5) + over_udp(vxlan(FRAME), 4_789), 47),
    over_udp(geneve(ipv4(gre(0xB000, 0x0800, 1, 2, 3) + IP4, 47), 0x0800, bytes(8)), 6_081),
    over_udp(
        gtp(
            ipv6(datagram(l2tp(b"\xff\x03\0\x57" + IP6, 0x4A02), 1_701), 17, *INNER_6),
            0x34,
            b"\0\0\0\x85\1\0\1\0",
        ),
        2_152,
    ),
    over_ip(pptp(b"\x21" + over_ip(IP6, 41)[14:]), 47),
    over_udp(b"\0\1\0\0" + bytes(9) + IP6, 3_544),
    over_udp(b"\0\1\1\x40" + bytes(4) + FRAME, 6_635),
    over_ip6(b"\x30\0" + ethernet(SEGMENT, 0x8847), 97),
    over_udp(vxlan(b"\x0f\xc2\1\3" + bytes(4) + FRAME, 0x0C, b"\0\0\4"), 4_790),
)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(CARRIERS),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 220),
    st.sampled_from([0, 0, 40, 70_000]),
)
def test_any_damage(frame: bytes, changes: list[tuple[int, int]], size: int, beyond: int) -> None:
    """Whatever is wrong in a tunnel, the frame is one packet of a flow, or counted as what it is."""
    made = bytearray(frame)
    for at, octet in changes:
        if at < len(made):
            made[at] = octet
    made = made[: max(size, 1)]
    rows = seen(bytes(made), wire=len(made) + beyond)
    packets = sum(row["packets_up"] + row["packets_down"] for row in rows.flows)
    wrong = sum(rows.total(name) for name in ("truncated", "malformed", "unknown_link"))
    assert packets <= 1
    assert packets + wrong + len(rows.sightings) >= 1
