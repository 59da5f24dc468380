"""L2TP of both versions, over UDP and over IP."""

import struct

import pytest

from tests.capture.tunnels.carried import (
    FRAME,
    IP4,
    IP6,
    assert_inner,
    assert_outer,
    every_cut,
    over_ip,
    over_udp,
)

PPP = b"\xff\x03\0\x21" + IP4


def l2tp(payload: bytes, flags: int = 0x0002, length: int | None = None) -> bytes:
    """A message with the fields that its flags announce."""
    fields = struct.pack("!HH", 7, 9) + (bytes(4) if flags & 0x0800 else b"")
    fields += b"\0\2ab" if flags & 0x0200 else b""
    size = 2 + 2 * bool(flags & 0x4000) + len(fields) + len(payload)
    told = struct.pack("!H", size if length is None else length) if flags & 0x4000 else b""
    return struct.pack("!H", flags) + told + fields + payload


@pytest.mark.parametrize("flags", [0x0002, 0x4002, 0x0802, 0x4A02, 0x4B02])
def test_data_of_version_2(flags: int) -> None:
    """PPP behind length, numbers and offset; either port may be L2TP's."""
    assert_inner(over_udp(l2tp(PPP, flags), 1_701), "l2tp")
    assert_inner(over_udp(l2tp(b"\0\x57" + IP6, flags), 50_000, 1_701), "l2tp", IP6)


@pytest.mark.parametrize(
    "payload",
    [
        l2tp(PPP, 0xC802),
        l2tp(PPP, 0x0012),
        l2tp(PPP, 0x0001),
        l2tp(PPP, 0x4002, 9_999),
        l2tp(b"\xff\x03\xc0\x21\1\1\0\4"),
        b"\0\2",
    ],
)
def test_what_carries_nothing(payload: bytes) -> None:
    """Control messages, other versions, wrong lengths and PPP's own protocols are plain datagrams."""
    assert_outer(over_udp(payload, 1_701))


@pytest.mark.parametrize("cookie", [0, 4, 8])
@pytest.mark.parametrize("sublayer", [0, 4])
def test_sessions_of_version_3(cookie: int, sublayer: int) -> None:
    """Frames, HDLC and PPP are found behind any cookie, over IP and over UDP."""
    head = b"\0\0\0\5" + b"\xcc" * cookie + b"\x40\0\0\1"[:sublayer]
    for carried, packet in (
        (FRAME, IP4),
        (b"\x0f\0\x08\0" + IP4, IP4),
        (b"\x0f\0\x86\xdd" + IP6, IP6),
        (b"\xff\x03\0\x21" + IP4, IP4),
    ):
        assert_inner(over_ip(head + carried, 115), "l2tp", packet)
        assert_inner(over_udp(b"\0\3\0\0" + head + carried, 1_701), "l2tp", packet)


def test_control_of_version_3() -> None:
    """Session 0 is control; a session of something else is not entered."""
    assert_outer(over_ip(bytes(4) + FRAME, 115))
    assert_outer(over_ip(b"\0\0\0\5" + b"\x99" * 60, 115))


def test_cut_off_anywhere() -> None:
    """A frame that the capture cut counts by as much as is there."""
    every_cut(over_udp(l2tp(PPP, 0x4A02), 1_701))
    every_cut(over_ip(b"\0\0\0\5" + FRAME, 115))
