"""Labels, PPP, LLC and switches' tags between the link layer and IP."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import ethernet
from tests.capture.tunnels.carried import (
    ARP,
    FRAME,
    FRAME_6,
    IP4,
    IP6,
    TAGGED,
    assert_inner,
    seen,
)


def label(number: int, last: bool = True) -> bytes:
    return struct.pack("!I", number << 12 | last << 8 | 64)


STACK = label(16, False) + label(17, False) + label(18)
WORD = b"\0\0\0\x09"


@pytest.mark.parametrize("stack", [label(16), STACK, label(0), label(2)])
@pytest.mark.parametrize("kind", [0x8847, 0x8848])
def test_labels(stack: bytes, kind: int) -> None:
    """IP of both versions stands behind any number of labels."""
    assert_inner(ethernet(stack + IP4, kind), "mpls")
    assert_inner(ethernet(stack + IP6, kind), "mpls", IP6)


@pytest.mark.parametrize("word", [b"", WORD, bytes(4)])
def test_pseudowires(word: bytes) -> None:
    """Ethernet behind labels, with and without a control word; its tag and addresses are the flow's."""
    assert_inner(ethernet(STACK + word + FRAME, 0x8847), "mpls")
    assert_inner(ethernet(STACK + word + FRAME_6, 0x8847), "mpls", IP6)
    row = seen(ethernet(STACK + word + TAGGED, 0x8847)).flow
    assert (row["vlan"], row["client_mac"]) == (33, "02:aa:00:00:00:01")
    assert [row["source"] for row in seen(ethernet(STACK + word + ARP, 0x8847)).sightings] == ["arp"]


@pytest.mark.parametrize("target", [0x4500_0000_0001, 0x6000_0000_0001, 0x0001_0000_0001])
def test_addresses_that_look_like_packets(target: int) -> None:
    """A pseudowire's frame whose address begins like IP or a control word is taken for what it is."""
    frame = ethernet(IP4, target=target, source=0x02AA00000001)
    assert_inner(ethernet(label(16) + frame, 0x8847), "mpls")


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (label(16) + b"\x10\0\0\0" + bytes(40), "unknown_link"),  # an associated channel (RFC 4385, 5)
        (label(16, False) * 30 + IP4, "malformed"),
        (label(16, False), "truncated"),
    ],
)
def test_labels_that_lead_nowhere(frame: bytes, kind: str) -> None:
    """Other channels, stacks without an end and cut ones are counted."""
    rows = seen(ethernet(frame, 0x8847))
    assert (rows.flows, rows.total(kind)) == ([], 1)


def pppoe(ppp: bytes, head: int = 0x1100, length: int | None = None) -> bytes:
    return struct.pack("!HHH", head, 7, len(ppp) if length is None else length) + ppp


@pytest.mark.parametrize("protocol", [b"\0\x21", b"\x21"])
def test_pppoe(protocol: bytes) -> None:
    """PPP in a session, behind tags too; the frame's padding is no part of it."""
    assert_inner(ethernet(pppoe(protocol + IP4) + bytes(9), 0x8864), "pppoe")
    row = seen(ethernet(pppoe(protocol + IP4), 0x8864, tags=[(0x88A8, 5), (0x8100, 6)])).flow
    assert (row["vlan"], row["tunnel"]) == (6, "pppoe")
    assert_inner(ethernet(pppoe(b"\0\x57" + IP6), 0x8864), "pppoe", IP6)
    assert_inner(ethernet(pppoe(b"\x02\x81" + label(16) + IP4), 0x8864), "mpls")


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(pppoe(b"\xc0\x21\1\1\0\4"), 0x8864),
        ethernet(pppoe(b"\0\x21" + IP4, 0x2100), 0x8864),
        ethernet(pppoe(b"\0\x21" + IP4, 0x11A7), 0x8864),
        ethernet(bytes(40), 0x8863),
    ],
)
def test_pppoe_that_carries_no_ip(frame: bytes) -> None:
    """Discovery, PPP's own protocols, other versions and codes are counted as unknown."""
    rows = seen(frame)
    assert (rows.flows, rows.total("unknown_link")) == ([], 1)


MACS = ethernet(b"")[:12]


def llc(data: bytes) -> bytes:
    return MACS + len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("frame", "packet"),
    [
        (llc(b"\xaa\xaa\3\0\0\0\x08\0" + IP4), IP4),
        (llc(b"\xaa\xaa\3\0\0\xf8\x86\xdd" + IP6), IP6),
        (llc(b"\x06\x06\3" + IP4), IP4),
        (llc(b"\xaa\xaa\3\0\x80\xc2\0\7\0\0" + FRAME), IP4),
        (llc(b"\xaa\xaa\3\0\0\0\x81\0\0\5\x08\0" + IP4), IP4),
    ],
)
def test_llc(frame: bytes, packet: bytes) -> None:
    """IP in LLC, in SNAP of either organisation, behind a tag in SNAP, and in bridged frames."""
    assert_inner(frame, "", packet)


def test_isl() -> None:
    """Cisco's ISL wraps a frame and says its VLAN."""
    frame = (
        b"\x01\0\x0c\0\0\0"
        + bytes(6)
        + b"\0\x60"
        + b"\xaa\xaa\3\0\0\x0c"
        + struct.pack("!HHH", 55 << 1, 0, 0)
    )
    assert_inner(frame + FRAME, "")
    assert seen(frame + FRAME).flow["vlan"] == 55
    assert seen(frame + TAGGED).flow["vlan"] == 33


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (ethernet(bytes(4) + FRAME, 0x88E7), "pbb"),
        (ethernet(b"\0\5\x88\xe7" + bytes(4) + FRAME, 0x88A8), "pbb"),
        (ethernet(bytes(4) + b"\x08\0" + IP4, 0x8926), ""),
        (ethernet(bytes(6) + b"\x08\0" + IP4, 0x893F), ""),
        (ethernet(bytes(6) + b"\x81\0\0\5\x08\0" + IP4, 0x893F), ""),
        (ethernet(b"\1\1\0\1\0\x10\x08\0" + IP4, 0x8909), ""),
        (ethernet(bytes(2) + FRAME, 0x8903), ""),
        (ethernet(bytes(6) + FRAME, 0x22F3), "trill"),
        (ethernet(b"\0\x40" + bytes(4) + bytes(4) + FRAME, 0x22F3), "trill"),
        (ethernet(b"\0\0\0\0\0\1\x08\0" + IP4 + bytes(16), 0x88E5), "macsec"),
        (ethernet(b"\x20\0\0\0\0\1" + bytes(8) + b"\x08\0" + IP4 + bytes(16), 0x88E5), "macsec"),
        (ethernet(b"\x0f\xc6\1\3" + bytes(20) + FRAME, 0x894F), ""),
        (ethernet(b"\x0f\xc2\2\1" + bytes(4) + IP4, 0x894F), ""),
        (ethernet(FRAME, 0x6558), ""),
    ],
)
def test_other_headers_of_switches(frame: bytes, word: str) -> None:
    """Provider backbone, port and security group tags, fabrics, open MACsec, service headers."""
    assert_inner(frame, word)


def test_encrypted_macsec_is_unknown() -> None:
    """What is encrypted is not guessed at."""
    rows = seen(ethernet(b"\x0c\0\0\0\0\1" + bytes(60), 0x88E5))
    assert (rows.flows, rows.total("unknown_link")) == ([], 1)


def test_headers_without_an_end() -> None:
    """A frame of nothing but wrappings is malformed."""
    frame = FRAME
    for _ in range(40):
        frame = ethernet(bytes(4) + frame, 0x88E7)
    rows = seen(frame)
    assert (rows.flows, rows.total("malformed")) == ([], 1)


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(STACK + WORD + FRAME, 0x8847),
        ethernet(pppoe(b"\0\x21" + IP4), 0x8864),
        ethernet(bytes(4) + FRAME, 0x88E7),
    ],
)
def test_cut_off_anywhere(frame: bytes) -> None:
    """A frame that the capture cut is a packet once an IP header is there, else truncated or unknown."""
    for size in range(0, len(frame), 3):
        rows = seen(frame[:size], wire=len(frame))
        packets = sum(row["packets_up"] + row["packets_down"] for row in rows.flows)
        assert packets + rows.total("truncated") + rows.total("unknown_link") >= 1
        assert packets <= 1


KINDS = (
    0x8847,
    0x8864,
    0x88E7,
    0x8926,
    0x893F,
    0x8909,
    0x8903,
    0x22F3,
    0x88E5,
    0x894F,
    0x6558,
    0x880B,
    0x0026,
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KINDS), st.binary(max_size=40), st.sampled_from([b"", IP4, FRAME, STACK + FRAME]))
def test_any_bytes(kind: int, head: bytes, rest: bytes) -> None:
    """Whatever follows a known type, the frame is one packet, sighted, or counted as what it is."""
    rows = seen(ethernet(head + rest, kind))
    packets = sum(row["packets_up"] + row["packets_down"] for row in rows.flows)
    wrong = sum(rows.total(name) for name in ("truncated", "malformed", "unknown_link"))
    assert packets <= 1
    assert packets + wrong + len(rows.sightings) >= 1
