"""Link layers other than Ethernet, each with a packet made for it."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.test_shims import pppoe
from tests.capture.tunnels.carried import FRAME, IP4, IP6, assert_inner, seen

SNAP = b"\xaa\xaa\3\0\0\0\x08\0"
JUNIPER = b"\x4d\x47\x43"


def attribute(kind: int, data: bytes, order: str) -> bytes:
    return struct.pack(f"{order}HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def nflog(order: str) -> bytes:
    return (
        b"\x02\0\0\0"
        + attribute(1, bytes(4), order)
        + attribute(10, b"abc\0\0", order)
        + attribute(9, IP4, order)
    )


def erf(kind: int, payload: bytes, extensions: bytes = b"") -> bytes:
    return (
        bytes(8)
        + bytes([kind, 0])
        + struct.pack("!HHH", 18 + len(payload), 0, len(payload))
        + extensions
        + payload
    )


def pktap(link: int, payload: bytes) -> bytes:
    return struct.pack("<III", 108, 1, link) + bytes(96) + payload


LINKS = [
    (0, b"\x02\0\0\0" + IP4),
    (6, b"\x10\x40" + bytes(6) + b"\x02\0\0\0\0\1" + SNAP + IP4),
    (6, b"\x10\x40" + bytes(6) + b"\x82\0\0\0\0\1" + b"\x06\x30\0\x10\0\x20" + SNAP + IP4),
    (8, bytes(16) + IP4),
    (9, b"\xff\x03\0\x21" + IP4),
    (9, b"\0\x21" + IP4),
    (9, b"\x0f\0\x08\0" + IP4),
    (10, b"\x50" + bytes(12) + SNAP + IP4),
    (12, IP4),
    (14, IP4),
    (50, b"\xff\x03\0\x21" + IP4),
    (50, b"\x8f\0\x08\0" + IP4),
    (100, SNAP + IP4),
    (101, IP4),
    (104, b"\x0f\0\x08\0" + IP4),
    (104, b"\xff\x03\0\x21" + IP4),
    (106, IP4),
    (106, SNAP + IP4),
    (107, b"\x18\x41\x03\xcc" + IP4),
    (107, b"\x18\x41\x08\0" + IP4),
    (107, b"\x18\x41\x03\0\x80\0\0\0\x08\0" + IP4),
    (107, b"\x18\x40\x40\x41\x03\xcf\xff\x03\0\x21" + IP4),
    (108, b"\0\0\0\2" + IP4),
    (109, bytes(12) + IP4),
    (113, struct.pack("!HHH6s2sH", 0, 1, 6, b"\2\0\0\0\0\1", b"", 0x0800) + IP4),
    (113, struct.pack("!HHH6s2sH", 0, 1, 6, b"\2\0\0\0\0\1", b"", 4) + SNAP + IP4),
    (113, struct.pack("!HHH6s2sH", 4, 512, 0, b"", b"", 0x8864) + pppoe(b"\0\x21" + IP4)),
    (117, b"\x3d\2\0\0" + bytes(60) + IP4),
    (122, bytes(16) + SNAP + IP4),
    (123, b"\x02\0\0\x64" + SNAP + IP4),
    (138, bytes(16) + b"\x08\0" + IP4),
    (166, b"\1\x03\0\x21" + IP4),
    (178, JUNIPER + b"\1" + FRAME),
    (178, JUNIPER + b"\x80\0\x06abcdef" + FRAME),
    (178, JUNIPER + b"\2\0\0\0\2" + IP4),
    (179, JUNIPER + b"\1\xff\x03\0\x21" + IP4),
    (180, JUNIPER + b"\1\x18\x41\x03\xcc" + IP4),
    (181, JUNIPER + b"\1\x0f\0\x08\0" + IP4),
    (197, erf(2, b"\0\0" + FRAME)),
    (197, erf(0x82, b"\0\0" + FRAME, b"\x83" + bytes(7) + b"\x03" + bytes(7))),
    (197, erf(1, b"\x0f\0\x08\0" + IP4)),
    (197, erf(10, b"\x0f\0\x08\0" + IP4)),
    (197, erf(19, b"\x0f\0\x08\0" + IP4)),
    (197, erf(20, b"\0\0" + FRAME)),
    (197, erf(17, b"\0\0\0\7\x0f\0\x08\0" + IP4)),
    (197, erf(22, IP4)),
    (204, b"\1\xff\x03\0\x21" + IP4),
    (205, b"\1\x0f\0\x08\0" + IP4),
    (206, b"\1\x18\x41\x03\xcc" + IP4),
    (226, bytes(24) + IP4),
    (228, IP4),
    (239, nflog("<")),
    (239, nflog(">")),
    (240, bytes(4) + FRAME),
    (241, bytes(12) + FRAME),
    (242, bytes(40) + b"\x08\0\0\0" + IP4),
    (258, pktap(1, FRAME)),
    (258, pktap(101, IP4)),
    (276, struct.pack("!HHIHBB8s", 0x0800, 0, 3, 1, 0, 6, b"\2\0\0\0\0\1") + IP4),
    (281, FRAME[:12] + bytes(4) + FRAME[12:]),
    (282, bytes(4) + FRAME),
    (284, FRAME[:12] + bytes(4) + FRAME[12:]),
    (285, FRAME[:12] + b"\xda\xda" + bytes(6) + FRAME[12:]),
]


@pytest.mark.parametrize(("link", "frame"), LINKS)
def test_the_packet_is_found(link: int, frame: bytes) -> None:
    """Behind each link layer stands the same packet; PPPoE alone is a tunnel's word."""
    assert_inner(frame, "pppoe" if b"\x88\x64" in frame[:16] else "", link=link)


def test_ppp_over_ethernet_on_its_own() -> None:
    """A capture of a PPPoE session begins with its header."""
    assert_inner(pppoe(b"\0\x21" + IP4), "pppoe", link=51)


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (229, IP6),
        (9, b"\xff\x03\0\x57" + IP6),
        (107, b"\x18\x41\x03\x8e" + IP6),
        (104, b"\x0f\0\x86\xdd" + IP6),
        (0, b"\x1e\0\0\0" + IP6),
    ],
)
def test_ipv6(link: int, frame: bytes) -> None:
    """IPv6 has its own number where there is one, else its version shows it."""
    assert_inner(frame, "", IP6, link)


def test_what_is_said_of_macs_and_vlans() -> None:
    """Cooked captures know the sender, switch chips the VLAN, rings both ends."""
    cooked = struct.pack("!HHH6s2sH", 0, 1, 6, b"\2\0\0\0\0\7", b"", 0x8100) + b"\0\x21\x08\0" + IP4
    row = seen(cooked, 113).flow
    assert (row["client_mac"], row["vlan"]) == ("02:00:00:00:00:07", 33)
    assert seen(FRAME[:12] + b"\0\0\0\x21" + FRAME[12:], 284).flow["vlan"] == 33
    ring = b"\x10\x40" + bytes(6) + b"\x82\0\0\0\0\1" + b"\x02\x30" + SNAP + IP4
    assert seen(ring, 6).flow["client_mac"] == "02:00:00:00:00:01"


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (113, struct.pack("!HHH6s2sH", 0, 824, 0, b"", b"", 0x0800) + IP4),
        (113, struct.pack("!HHH6s2sH", 0, 1, 6, b"", b"", 1) + IP4),
        (178, b"abc\0" + FRAME),
        (197, erf(21, IP4)),
        (107, b"\x18\x41\x03\x99" + IP4),
        (239, b"\x02\0\0\0" + attribute(1, bytes(4), "<")),
        (147, IP4),
        (9_999, IP4),
    ],
)
def test_what_is_not_decoded(link: int, frame: bytes) -> None:
    """Netlink, unknown records and layers are counted as unknown."""
    rows = seen(frame, link)
    assert (rows.flows, rows.total("unknown_link"), rows.total("packets")) == ([], 1, 1)


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(LINKS),
    st.integers(0, 120),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=3),
)
def test_any_damage(made: tuple[int, bytes], size: int, changes: list[tuple[int, int]]) -> None:
    """However a frame is cut or changed, it is one packet, sighted, or counted as what it is."""
    link, whole = made
    frame = bytearray(whole[:size])
    for at, octet in changes:
        if at < len(frame):
            frame[at] = octet
    rows = seen(bytes(frame), link, len(whole))
    packets = sum(row["packets_up"] + row["packets_down"] for row in rows.flows)
    wrong = sum(rows.total(name) for name in ("truncated", "malformed", "unknown_link"))
    assert packets <= 1
    assert packets + wrong + len(rows.sightings) >= 1
