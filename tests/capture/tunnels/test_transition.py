"""Teredo and AYIYA."""

import pytest

from tests.capture.packets import ipv6
from tests.capture.tunnels.carried import (
    INNER_6,
    IP4,
    IP6,
    assert_inner,
    assert_outer,
    every_cut,
    over_udp,
    seen,
)

AUTHENTICATION = b"\0\1\0\0" + bytes(9)
ORIGIN = b"\0\0\x12\x34\1\2\3\4"


@pytest.mark.parametrize(
    "head", [b"", AUTHENTICATION, ORIGIN, AUTHENTICATION + ORIGIN, b"\0\1\2\3" + b"abcde" + bytes(9)]
)
def test_teredo(head: bytes) -> None:
    """An IPv6 packet behind either indication, both or none, from and to the service's port."""
    assert_inner(over_udp(head + IP6, 3_544), "teredo", IP6)
    assert_inner(over_udp(head + IP6, 50_000, 3_544), "teredo", IP6)


def test_bubbles() -> None:
    """A bubble is an IPv6 packet without anything in it."""
    row = seen(over_udp(ipv6(b"", 59, *INNER_6), 3_544)).flow
    assert (row["client"], row["protocol"], row["bytes_up"]) == (INNER_6[0], 59, 40)


@pytest.mark.parametrize(
    "payload", [IP4, IP6[:39], b"\x60" + bytes(20), IP6[:4] + b"\xff\xff" + IP6[6:], b"\0\1"]
)
def test_what_is_no_teredo(payload: bytes) -> None:
    """What is no IPv6 packet of the datagram's length is a datagram like any other."""
    assert_outer(over_udp(payload, 3_544))


def ayiya(payload: bytes, following: int = 41, operation: int = 1) -> bytes:
    """Identity of 16 bytes, a signature of 20, and the epoch."""
    return bytes([0x44, 0x52, 0x10 | operation, following]) + bytes(4 + 16 + 20) + payload


def test_ayiya() -> None:
    """A forwarded packet behind identity and signature."""
    assert_inner(over_udp(ayiya(IP6), 5_072), "ayiya", IP6)
    assert_inner(over_udp(ayiya(IP4, 4), 5_072), "ayiya")
    assert_outer(over_udp(ayiya(IP6, operation=0), 5_072))
    assert_outer(over_udp(ayiya(IP6, 59), 5_072))
    assert_outer(over_udp(b"\x44\x52\x11", 5_072))


def test_cut_off_anywhere() -> None:
    """A frame that the capture cut counts by as much as is there."""
    every_cut(over_udp(AUTHENTICATION + ORIGIN + IP6, 3_544))
    every_cut(over_udp(ayiya(IP6), 5_072))
