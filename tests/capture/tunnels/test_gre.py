"""GRE and its relatives."""

import struct

import pytest

from tests.capture.tunnels.carried import (
    ARP,
    FRAME,
    INNER_MAC,
    IP4,
    IP6,
    TAGGED,
    assert_inner,
    assert_outer,
    every_cut,
    over_ip,
    over_ip6,
    seen,
)


def gre(flags: int, kind: int, *words: int) -> bytes:
    return struct.pack(f"!HH{len(words)}I", flags, kind, *words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (0, 0),
        (0x8000, 1),
        (0x2000, 1),
        (0x1000, 1),
        (0xB000, 3),
        (0x3000, 2),
    ],
)
def test_gre_with_and_without_its_fields(flags: int, words: int) -> None:
    """Checksum, key and sequence number are stepped over, and IP of both versions found in both."""
    head = gre(flags, 0x0800, *range(words))
    assert_inner(over_ip(head + IP4, 47), "gre")
    assert_inner(over_ip6(head + IP4, 47), "gre")
    assert_inner(over_ip(gre(flags, 0x86DD, *range(words)) + IP6, 47), "gre", IP6)


def test_source_routes_are_stepped_over() -> None:
    """The list of routes of RFC 1701 ends with an empty one; without its end nothing is entered."""
    route = struct.pack("!HBB", 0x0800, 0, 4) + bytes(4)
    head = gre(0x4000, 0x0800, 0)
    assert_inner(over_ip(head + route * 2 + bytes(4) + IP4, 47), "gre")
    assert_outer(over_ip(head + route * 20, 47))


def test_bridged_frames() -> None:
    """A frame with a key and no checksum is NVGRE's, others are GRE's; addresses and tag are the frame's."""
    assert_inner(over_ip(gre(0x2000, 0x6558, 7) + FRAME, 47), "nvgre")
    assert_inner(over_ip(gre(0, 0x6558) + FRAME, 47), "gre")
    row = seen(over_ip(gre(0, 0x6558) + TAGGED, 47)).flow
    assert (row["vlan"], row["client_mac"]) == (33, "02:aa:00:00:00:01")


def erspan_2(vlan: int) -> bytes:
    return gre(0x1000, 0x88BE, 5) + struct.pack("!HHI", 1 << 12 | vlan, 100, 0)


def erspan_3(vlan: int, frame_type: int = 0, platform: int = 0) -> bytes:
    last = frame_type << 10 | platform
    return (
        gre(0x1000, 0x22EB, 5) + struct.pack("!HHIHH", 2 << 12 | vlan, 100, 0, 0, last) + bytes(8 * platform)
    )


@pytest.mark.parametrize(
    ("head", "vlan"),
    [
        (gre(0, 0x88BE), 0),
        (erspan_2(12), 12),
        (erspan_3(13), 13),
        (erspan_3(14, platform=1), 14),
    ],
)
def test_erspan(head: bytes, vlan: int) -> None:
    """Of the three types the frame's own addresses count, and its VLAN, never that of the mirror's way."""
    outer = over_ip(head + FRAME, 47)
    assert_inner(outer, "erspan")
    tagged = outer[:12] + b"\x81\0\0\x63" + outer[12:]
    row = seen(tagged).flow
    assert (row["vlan"], row["client_mac"]) == (vlan, "02:aa:00:00:00:01")
    assert seen(over_ip(head + TAGGED, 47)).flow["vlan"] == 33


def test_erspan_of_bare_packets_and_other_versions() -> None:
    """Type III may carry IP without a frame; a version that does not fit the type is not entered."""
    assert_inner(over_ip(erspan_3(1, frame_type=2) + IP4, 47), "erspan")
    assert_outer(over_ip(erspan_3(1, frame_type=7) + FRAME, 47))
    assert_outer(over_ip(gre(0x1000, 0x88BE, 5) + bytes(8) + FRAME, 47))
    assert_outer(over_ip(gre(0x1000, 0x22EB, 5) + bytes(12) + FRAME, 47))


def pptp(payload: bytes, flags: int = 0x3081, length: int | None = None) -> bytes:
    """Enhanced GRE: call 9, with sequence and acknowledgement numbers as the flags say."""
    words = bool(flags & 0x1000) + bool(flags & 0x80)
    size = len(payload) if length is None else length
    return struct.pack("!HHHH", flags, 0x880B, size, 9) + bytes(4 * words) + payload


def test_pptp() -> None:
    """PPP in enhanced GRE, its header in any of its short forms; an acknowledgement alone carries nothing."""
    for ppp in (b"\xff\x03\0\x21", b"\xff\x03\x21", b"\0\x21", b"\x21"):
        assert_inner(over_ip(pptp(ppp + IP4), 47), "pptp")
        assert_inner(over_ip(pptp(ppp + IP4, 0x3001), 47), "pptp")
    assert_inner(over_ip(pptp(b"\xff\x03\0\x57" + IP6), 47), "pptp", IP6)
    assert_outer(over_ip(pptp(b"", 0x2081), 47))
    assert_outer(over_ip(pptp(b"\xff\x03\xc0\x21\1\1\0\4"), 47))
    assert_outer(over_ip(pptp(b"\xff\x03\0\x21" + IP4, 0x1001), 47))


def eoip(frame: bytes, length: int | None = None) -> bytes:
    return struct.pack("!HHHH", 0x2001, 0x6400, len(frame) if length is None else length, 0x0100) + frame


def test_eoip() -> None:
    """MikroTik's Ethernet over IP has no number for it but looks like GRE; an empty one keeps alive."""
    assert_inner(over_ip(eoip(FRAME), 47), "eoip")
    assert_outer(over_ip(eoip(b"", 0), 47))


def test_wccp() -> None:
    """A redirected packet stands behind four bytes, or at once."""
    assert_inner(over_ip(gre(0, 0x883E) + b"\1\0\0\1" + IP4, 47), "gre")
    assert_inner(over_ip(gre(0, 0x883E) + IP4, 47), "gre")


def test_what_gre_carries_and_is_no_ip() -> None:
    """ARP in a bridged frame is sighted and its carrier counted; keep-alives and other versions count."""
    rows = seen(over_ip(gre(0, 0x6558) + ARP, 47))
    assert [row["mac"] for row in rows.sightings] == ["02:aa:00:00:00:01"]
    assert (rows.flow["client"], rows.flow["tunnel"], rows.flow["protocol"]) == ("198.51.100.1", "", 47)
    for frame in (gre(0, 0), gre(2, 0x0800) + IP4, gre(0, 0x0800), gre(0, 0x9999) + IP4, b"\0\0"):
        assert_outer(over_ip(frame, 47))


@pytest.mark.parametrize(
    "payload", [gre(0xB000, 0x0800, 1, 2, 3) + IP4, erspan_3(1, 0, 1) + FRAME, pptp(b"\x21" + IP4)]
)
def test_cut_off_anywhere(payload: bytes) -> None:
    """A frame that the capture cut counts by as much as is there."""
    every_cut(over_ip(payload, 47))


def test_802_11_of_an_access_point() -> None:
    """Aruba's access points send the frames they hear in GRE."""
    data = (
        b"\x08\x01\0\0"
        + bytes(6)
        + INNER_MAC.to_bytes(6, "big")
        + bytes(8)
        + b"\xaa\xaa\x03\0\0\0\x08\0"
        + IP4
    )
    assert_inner(over_ip(gre(0, 0x8200) + data, 47), "gre")
