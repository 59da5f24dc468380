"""WireGuard by lengths, zeros and indices that answer each other."""

import struct

import pytest

from tests.capture.applications import DOWN, UP, of_datagram, of_datagrams

KEY = bytes(range(1, 33))


def initiation(sender: int = 0x11223344, reserved: bytes = bytes(3), cookie: bytes = bytes(16)) -> bytes:
    body = b"\x01" + reserved + struct.pack("<I", sender) + KEY + KEY * 2 + KEY[:12]
    return body + KEY[:16] + cookie


def response(receiver: int = 0x11223344, reserved: bytes = bytes(3), cookie: bytes = b"c" * 16) -> bytes:
    head = b"\x02" + reserved + struct.pack("<II", 0x55667788, receiver)
    return head + KEY + KEY[:16] * 2 + cookie


def data(receiver: int, counter: int, size: int = 96) -> bytes:
    return b"\x04\0\0\0" + struct.pack("<IQ", receiver, counter) + bytes(range(size - 16))


def test_an_initiation_is_enough() -> None:
    """148 bytes with zeros where they belong are an initiation, answered or not, on any port."""
    assert len(initiation()) == 148
    assert of_datagram(initiation()) == "wireguard"


@pytest.mark.parametrize(
    "frame",
    [
        b"\x01\0\0\0" + bytes(144),
        initiation()[:-1],
        initiation() + b"x",
        initiation(cookie=b"c" * 16),
        initiation(reserved=b"abc"),
        response(),
        data(7, 1),
    ],
)
def test_one_datagram_that_is_not(frame: bytes) -> None:
    """Zeros alone, another length, or what only a second datagram can confirm is not named."""
    assert of_datagram(frame) == ""


def test_an_answer_confirms() -> None:
    """A response to the initiation's sender confirms it, also with a client number in the reserved bytes."""
    assert len(response()) == 92
    first = initiation(reserved=b"abc")
    assert of_datagrams((UP, first), (DOWN, response(reserved=b"abc"))) == "wireguard"
    assert of_datagrams((UP, first), (DOWN, response(receiver=99))) == ""


def test_a_cookie_confirms() -> None:
    """A server under load sends a cookie to the initiation's sender."""
    cookie = b"\x03\0\0\0" + struct.pack("<I", 0x11223344) + bytes(range(56))
    assert of_datagrams((UP, initiation(cookie=b"c" * 16)), (DOWN, cookie)) == "wireguard"


def test_in_the_middle() -> None:
    """Two data messages to one receiver in one direction are a session; to two receivers they are none."""
    assert of_datagrams((UP, data(7, 1)), (DOWN, data(9, 1)), (UP, data(7, 2))) == "wireguard"
    assert of_datagrams((UP, data(7, 1)), (UP, data(8, 2))) == ""


def test_in_the_middle_on_its_port() -> None:
    """On port 51820 one data message is enough."""
    assert of_datagram(data(7, 1), port=51_820) == "wireguard"
    assert of_datagram(data(7, 1)[:-1], port=51_820) == ""


def test_its_port_is_not_enough() -> None:
    """Something else on port 51820 is not WireGuard."""
    assert of_datagram(b"something else entirely", port=51_820) == ""
