"""VXLAN, Geneve, LISP, GTP-U: headers of every form, and what only uses their ports."""

import struct

import pytest

from tests.capture.packets import ethernet, ipv6
from tests.capture.tunnels.carried import (
    ARP,
    FRAME,
    FRAME_6,
    IP4,
    IP6,
    OUTER_6,
    TAGGED,
    assert_inner,
    assert_outer,
    datagram,
    every_cut,
    over_udp,
    seen,
)


def vxlan(frame: bytes, flags: int = 8, rest: bytes = bytes(3)) -> bytes:
    return bytes([flags]) + rest + b"\0\0\x2a\0" + frame


@pytest.mark.parametrize("port", [4_789, 8_472, 4_790])
def test_vxlan(port: int) -> None:
    """The frame within is the flow's; the port is the target's."""
    assert_inner(over_udp(vxlan(FRAME), port), "vxlan")
    assert_inner(over_udp(vxlan(FRAME_6), port), "vxlan", IP6)
    assert seen(over_udp(vxlan(TAGGED), port)).flow["vlan"] == 33
    assert_outer(over_udp(vxlan(FRAME), 50_001, port))


def test_vxlan_over_ipv6_and_in_itself() -> None:
    """Level by level, to the innermost."""
    frame = ethernet(ipv6(datagram(vxlan(FRAME), 4_789), 17, *OUTER_6), 0x86DD)
    assert_inner(frame, "vxlan")
    assert_inner(over_udp(vxlan(frame), 4_789), "vxlan")


def test_vxlan_with_a_group_policy_and_reserved_bits() -> None:
    """Reserved bits are ignored where a frame follows; without the instance bit it is no VXLAN."""
    assert_inner(over_udp(vxlan(FRAME, 0x88, b"\x40\0\7"), 4_789), "vxlan")
    assert_inner(over_udp(vxlan(FRAME, 0x48), 4_789), "vxlan")
    assert_outer(over_udp(vxlan(bytes(40), 0x48), 4_789))
    assert_outer(over_udp(vxlan(FRAME, 0), 4_789))


@pytest.mark.parametrize(
    ("following", "payload"), [(1, IP4), (2, IP6), (3, FRAME), (5, b"\0\1\x01\x40" + IP4)]
)
def test_vxlan_gpe(following: int, payload: bytes) -> None:
    """The next protocol says what is carried."""
    word = "mpls" if following == 5 else "vxlan"
    frame = over_udp(vxlan(payload, 0x0C, bytes([0, 0, following])), 4_790)
    assert_inner(frame, word, IP6 if following == 2 else IP4)


def test_vxlan_gpe_of_other_things() -> None:
    """A service header leads on; another version or protocol does not."""
    service = b"\x0f\xc2\1\3" + bytes(4)
    assert_inner(over_udp(vxlan(service + FRAME, 0x0C, b"\0\0\4"), 4_790), "vxlan")
    assert_outer(over_udp(vxlan(IP4, 0x0C, b"\0\0\7"), 4_790))
    assert_outer(over_udp(vxlan(IP4, 0x1C, b"\0\0\1"), 4_790))


def geneve(payload: bytes, kind: int = 0x6558, options: bytes = b"", version: int = 0) -> bytes:
    return struct.pack("!BBHI", version << 6 | len(options) // 4, 0, kind, 42 << 8) + options + payload


def test_geneve() -> None:
    """Frames and bare packets, behind options of any length."""
    assert_inner(over_udp(geneve(FRAME), 6_081), "geneve")
    assert_inner(over_udp(geneve(FRAME, options=bytes(252)), 6_081), "geneve")
    assert_inner(over_udp(geneve(IP4, 0x0800, bytes(8)), 6_081), "geneve")
    assert_inner(over_udp(geneve(IP6, 0x86DD), 6_081), "geneve", IP6)
    assert_outer(over_udp(geneve(FRAME, version=1), 6_081))
    assert_outer(over_udp(geneve(FRAME, 0x1234), 6_081))


def test_what_an_overlay_carries_and_is_no_ip() -> None:
    """ARP in an overlay is sighted, and the datagram around it counted."""
    for frame in (over_udp(vxlan(ARP), 4_789), over_udp(geneve(ARP), 6_081)):
        rows = seen(frame)
        assert [row["source"] for row in rows.sightings] == ["arp"]
        assert (rows.flow["client"], rows.flow["packets_up"]) == ("198.51.100.1", 1)


def test_lisp() -> None:
    """An IP packet behind eight bytes."""
    assert_inner(over_udp(b"\x80" + bytes(7) + IP4, 4_341), "lisp")
    assert_outer(over_udp(bytes(40), 4_341))


def gtp(payload: bytes, flags: int = 0x30, optional: bytes = b"", kind: int = 255) -> bytes:
    return struct.pack("!BBHI", flags, kind, len(optional) + len(payload), 7) + optional + payload


@pytest.mark.parametrize(
    ("flags", "optional"),
    [
        (0x30, b""),
        (0x32, b"\0\5\0\0"),
        (0x31, b"\0\0\1\0"),
        (0x34, b"\0\0\0\x85\1\0\1\0"),
        (0x36, b"\0\1\0\x85\1\0\1\xc0\2\0\0\0\0\0\0\0"),
    ],
)
def test_gtp(flags: int, optional: bytes) -> None:
    """A user's packet behind numbers and extension headers; either port may be GTP's."""
    assert_inner(over_udp(gtp(IP4, flags, optional), 2_152), "gtp")
    assert_inner(over_udp(gtp(IP6, flags, optional), 50_000, 2_152), "gtp", IP6)
    assert_inner(over_udp(gtp(FRAME, flags, optional), 2_152), "gtp")


@pytest.mark.parametrize(
    "payload",
    [
        gtp(IP4, kind=1),
        gtp(IP4, 0x20),
        gtp(IP4, 0x50),
        gtp(b"\x99" * 40),
        gtp(IP4, 0x34, b"\0\0\0\x85\0"),
        gtp(IP4)[:8],
        gtp(IP4)[:2] + b"\xff\xff" + gtp(IP4)[4:],
    ],
)
def test_what_is_no_gtp(payload: bytes) -> None:
    """Echoes, GTP', other versions and lengths that contradict themselves are datagrams like any other."""
    assert_outer(over_udp(payload, 2_152))


@pytest.mark.parametrize(
    ("payload", "port"),
    [
        (vxlan(FRAME), 4_789),
        (geneve(FRAME, options=bytes(8)), 6_081),
        (gtp(IP4, 0x34, b"\0\0\0\x85\1\0\1\0"), 2_152),
    ],
)
def test_cut_off_anywhere(payload: bytes, port: int) -> None:
    """A frame that the capture cut counts by as much as is there."""
    every_cut(over_udp(payload, port))
