"""RTP by sequence, RTCP by lengths, Zoom by its layers."""

import struct

import pytest

from tests.capture.applications import DOWN, UP, of_datagram, of_datagrams


def packet(sequence: int, source: int = 0xABCD1234, kind: int = 0, first: int = 0x80) -> bytes:
    return struct.pack("!BBHII", first, kind, sequence, sequence * 160, source) + b"m" * 160


REPORT = struct.pack("!BBHI", 0x80, 200, 6, 0xABCD1234) + bytes(20)
NAMES = struct.pack("!BBHI", 0x81, 202, 2, 0xABCD1234) + b"\x01\x01a\0"


@pytest.mark.parametrize(
    "talk",
    [
        [(UP, packet(1)), (UP, packet(2))],
        [(UP, packet(1)), (DOWN, packet(900, 5)), (DOWN, packet(901, 5))],
        [(UP, packet(0xFFFF)), (UP, packet(0))],
        [(UP, packet(1)), (UP, packet(4))],
    ],
)
def test_two_in_sequence(talk: list[tuple[bool, bytes]]) -> None:
    """Two packets of one source in one direction, few apart, are RTP."""
    assert of_datagrams(*talk) == "rtp"


@pytest.mark.parametrize(
    "talk",
    [
        [(UP, packet(1))],
        [(UP, packet(1)), (DOWN, packet(2))],
        [(UP, packet(1)), (UP, packet(1))],
        [(UP, packet(1)), (UP, packet(900))],
        [(UP, packet(1)), (UP, packet(2, 77))],
        [(UP, packet(1, first=0xC0)), (UP, packet(2, first=0xC0))],
        [(UP, packet(n, first=0x90)[:14]) for n in (1, 2)],
        [(UP, packet(n, first=0x8F)[:30]) for n in (1, 2)],
    ],
)
def test_what_does_not_follow(talk: list[tuple[bool, bytes]]) -> None:
    """One packet, another source, a jump, a header that does not fit: none."""
    assert of_datagrams(*talk) == ""


def test_reports() -> None:
    """Reports that fill the datagram are RTP's; encrypted ones must come twice from one source."""
    assert of_datagram(REPORT + NAMES) == "rtp"
    assert of_datagram(REPORT + b"encrypted!") == ""
    assert of_datagrams((UP, REPORT + b"encrypted!"), (UP, REPORT + b"and again!")) == "rtp"


def test_zoom() -> None:
    """Zoom's layer around a medium, on its port alone."""
    layered = b"\x05" + bytes(6) + b"\x04" + bytes([16]) + bytes(60)
    assert of_datagram(layered, port=8_801) == "zoom"
    assert of_datagram(layered) == ""
