"""TFTP by its requests, and by blocks that are acknowledged."""

import struct

import pytest

from tests.capture.applications import DOWN, UP, of_datagram, of_datagrams


def block(number: int, size: int = 512) -> bytes:
    return struct.pack("!HH", 3, number) + b"b" * size


def acknowledgement(number: int) -> bytes:
    return struct.pack("!HH", 4, number)


@pytest.mark.parametrize(
    "frame",
    [
        b"\0\x01boot/kernel\0octet\0",
        b"\0\x02upload.txt\0NETASCII\0",
        b"\0\x01a\0octet\0blksize\x001428\0",
        b"\0\x06blksize\x001428\0",
        b"\0\x05\0\x01File not found\0",
    ],
)
def test_one_datagram(frame: bytes) -> None:
    """A request, an acknowledgement of options, an error are enough."""
    assert of_datagram(frame) == "tftp"


@pytest.mark.parametrize(
    "frame", [b"\0\x01\0octet\0", b"\0\x01name\0other\0", b"\0\x01name", b"\0\x05\0\x63no\0", block(1)]
)
def test_what_is_not(frame: bytes) -> None:
    """No name, no mode, an unknown error, a single block: none."""
    assert of_datagram(frame) == ""


@pytest.mark.parametrize(
    "talk",
    [
        [(UP, block(1)), (DOWN, acknowledgement(1))],
        [(UP, acknowledgement(7)), (DOWN, block(8, 40))],
        [(UP, block(1)), (UP, block(2))],
    ],
)
def test_a_transfer(talk: list[tuple[bool, bytes]]) -> None:
    """On ports that say nothing, a block and its acknowledgement, or the next block, tell."""
    assert of_datagrams(*talk) == "tftp"


def test_what_does_not_answer() -> None:
    """An acknowledgement of another block tells nothing."""
    assert of_datagrams((UP, block(1)), (DOWN, acknowledgement(5))) == ""
