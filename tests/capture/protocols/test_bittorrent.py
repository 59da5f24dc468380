"""BitTorrent over UDP: hash table, tracker, uTP."""

import struct

import pytest

from tests.capture.applications import DOWN, UP, of_client, of_datagram, of_datagrams

PING = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"
ANSWER = b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re"


def utp(kind: int, connection: int, clock: int, sequence: int = 2, acknowledged: int = 9) -> bytes:
    head = struct.pack("!BBHIIIHH", kind << 4 | 1, 0, connection, clock, 500, 100_000, sequence, acknowledged)
    return head + b"d" * 40


@pytest.mark.parametrize(
    "frame",
    [
        PING,
        ANSWER,
        struct.pack("!QII", 0x41727101980, 0, 77),
        struct.pack("!BBHIIIHH", 0x41, 0, 4_711, 123_456_789, 0, 65_536, 1, 0),
    ],
)
def test_one_datagram(frame: bytes) -> None:
    """A question or answer of the table, a call of a tracker, the opening of a connection are enough."""
    assert of_datagram(frame) == "bittorrent"


@pytest.mark.parametrize(
    "frame", [PING[:-1], b"d1:zzz" + PING[6:], utp(0, 7, 5_000_000), utp(4, 7, 5_000_000)]
)
def test_what_is_not(frame: bytes) -> None:
    """A dictionary cut short or with other keys, one packet of a connection: none."""
    assert of_datagram(frame) == ""


def test_a_connection() -> None:
    """Two packets of one connection, their clock moved on, or one and the other side's answer."""
    assert of_datagrams((UP, utp(0, 7, 5_000_000)), (UP, utp(0, 7, 5_090_000))) == "bittorrent"
    assert of_datagrams((UP, utp(0, 7, 5_000_000)), (DOWN, utp(2, 8, 99))) == "bittorrent"
    assert of_datagrams((UP, utp(0, 7, 5_000_000)), (UP, utp(0, 7, 5_000_000))) == ""
    assert of_datagrams((UP, utp(0, 7, 5_000_000)), (DOWN, utp(2, 800, 99))) == ""


def test_over_tcp() -> None:
    """The handshake names the protocol."""
    assert of_client(b"\x13BitTorrent protocol" + bytes(48), port=6_881) == "bittorrent"
