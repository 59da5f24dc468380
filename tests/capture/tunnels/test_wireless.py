"""CAPWAP's data and TZSP."""

import pytest

from tests.capture.tunnels.carried import (
    FRAME,
    INNER_MAC,
    IP4,
    TAGGED,
    assert_inner,
    assert_outer,
    every_cut,
    over_udp,
    seen,
)

#: An open data frame towards the access point.
WLAN = (
    b"\x08\x01\0\0" + bytes(6) + INNER_MAC.to_bytes(6, "big") + bytes(8) + b"\xaa\xaa\x03\0\0\0\x08\0" + IP4
)


def capwap(payload: bytes, *, words: int = 2, binding: int = 1, flags: int = 0x100) -> bytes:
    word = words << 19 | 1 << 14 | binding << 9 | flags
    return b"\0" + word.to_bytes(3, "big") + bytes(words * 4 - 4) + payload


def test_capwap() -> None:
    """802.11 and 802.3 frames, behind a header of any length."""
    assert_inner(over_udp(capwap(WLAN), 5_247), "capwap")
    assert_inner(over_udp(capwap(WLAN, words=4), 50_000, 5_247), "capwap")
    assert_inner(over_udp(capwap(FRAME, flags=0), 5_247), "capwap")


def test_capwap_with_swapped_control_fields() -> None:
    """Some controllers swap the bytes of the frame control and of the sequence number."""
    swapped = WLAN[1::-1] + WLAN[2:22] + b"\x05\x10" + WLAN[24:]
    assert_inner(over_udp(capwap(swapped), 5_247), "capwap")


@pytest.mark.parametrize(
    "payload",
    [
        capwap(WLAN, binding=3),
        capwap(WLAN, flags=0x180),
        capwap(b"", flags=0x108),
        capwap(WLAN, words=1),
        b"\1" + capwap(WLAN)[1:],
        b"\0\x10\2",
    ],
)
def test_what_is_no_frame(payload: bytes) -> None:
    """Fragments, keep-alives, encrypted data and other radios are datagrams like any other."""
    assert_outer(over_udp(payload, 5_247))


def tzsp(payload: bytes, protocol: int = 1, tags: bytes = b"\1", kind: int = 0) -> bytes:
    return bytes([1, kind]) + protocol.to_bytes(2, "big") + tags + payload


def test_tzsp() -> None:
    """Frames behind tags; the VLAN is the frame's, not that of the mirror's way."""
    assert_inner(over_udp(tzsp(FRAME), 37_008), "tzsp")
    assert_inner(over_udp(tzsp(WLAN, 18, b"\0\x0a\1\x99\x12\1\6\1"), 37_008), "tzsp")
    outer = over_udp(tzsp(FRAME), 37_008)
    assert seen(outer[:12] + b"\x81\0\0\x63" + outer[12:]).flow["vlan"] == 0
    assert seen(over_udp(tzsp(TAGGED), 37_008)).flow["vlan"] == 33


@pytest.mark.parametrize(
    "payload", [tzsp(FRAME, 7), tzsp(b"", kind=4), tzsp(FRAME, tags=b"\0" * 40), b"\1\0\0\1\x0a"]
)
def test_what_is_no_tzsp(payload: bytes) -> None:
    """Keep-alives, other protocols and tags without an end are datagrams like any other."""
    assert_outer(over_udp(payload, 37_008))


def test_cut_off_anywhere() -> None:
    """A frame that the capture cut counts by as much as is there."""
    every_cut(over_udp(capwap(FRAME, flags=0), 5_247))
    every_cut(over_udp(tzsp(FRAME, tags=b"\x0a\1\x99\1"), 37_008))
