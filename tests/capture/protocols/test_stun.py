"""STUN by cookie, by attributes, by its answer; and what follows on the path that it opened."""

import struct

import pytest

from tests.capture.applications import DOWN, UP, of_client, of_datagram, of_datagrams

NUMBER = bytes(range(1, 13))
OLD_NUMBER = bytes(range(1, 17))
REQUEST = struct.pack("!HHI", 1, 0, 0x2112A442) + NUMBER
MAPPED = struct.pack("!HHHH4s", 1, 8, 1, 5_000, b"\xc0\0\x02\x01")


def classic(kind: int, attributes: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(attributes)) + OLD_NUMBER + attributes


def rtp(sequence: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, sequence, sequence * 160, 0xABCD1234) + b"m" * 100


@pytest.mark.parametrize(
    "frame", [REQUEST, classic(0x0101, MAPPED), struct.pack("!HHI", 0x0113, 0, 0x2112A442) + NUMBER]
)
def test_one_message(frame: bytes) -> None:
    """The magic cookie, or attributes that fill an older message, are enough."""
    assert of_datagram(frame) == "stun"


def test_over_tcp() -> None:
    """A relay is asked over TCP, too."""
    assert of_client(REQUEST) == "stun"


@pytest.mark.parametrize(
    "frame", [classic(1), classic(0x0101, MAPPED + b"x"), classic(0x0777, MAPPED), REQUEST[:10]]
)
def test_what_is_not(frame: bytes) -> None:
    """A bare old request, attributes that do not fit, an unknown type: none."""
    assert of_datagram(frame) == ""


def test_old_request() -> None:
    """Without a cookie, STUN's port or an answer with the same number tells."""
    assert of_datagram(classic(1), port=3_478) == "stun"
    assert of_datagrams((UP, classic(1)), (DOWN, classic(0x0111))) == "stun"


def test_a_call_behind_it() -> None:
    """A flow that goes on with media is a call."""
    talk = [(UP, REQUEST)] * 6 + [(UP, rtp(7)), (UP, rtp(8))]
    assert of_datagrams(*talk) == "rtp"
    assert of_datagrams(*talk[:-1]) == "stun"
