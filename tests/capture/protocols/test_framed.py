"""Binary protocols by lengths that must fit."""

import pytest

from tests.capture.applications import (
    DOWN,
    UP,
    of_client,
    of_datagram,
    of_datagrams,
    of_server,
    of_stream,
)


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def minecraft(host: bytes, state: int = 2) -> bytes:
    body = b"\0" + varint(765) + varint(len(host)) + host + b"\x63\xdd" + bytes([state])
    return varint(len(body)) + body


DNP3 = b"\x05\x64\x0b\xc4\x01\0\x02\0" + b"cc" + b"d" * 6 + b"cc"
RPC = b"\x04\0\x28\0\x10\0\0\0" + bytes(66) + b"\x0c\0" + bytes(4) + b"b" * 12


@pytest.mark.parametrize(
    ("head", "port", "application"),
    [
        (DNP3, 20_000, "dnp3"),
        (DNP3[:-1], 12_345, ""),
        (b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", 12_345, "mqtt"),
        (b"\xc0\0", 1_883, "mqtt"),
        (b"\xf0\x02ab", 1_883, ""),
        (b"\x03\0\0\0\1" + bytes(4) + b"r" * 1_400, 12_345, "rtmp"),
        (minecraft(b"play.example"), 12_345, "minecraft"),
        (minecraft(b"bad host"), 12_345, ""),
        (minecraft(b"play.example", 9), 12_345, ""),
    ],
)
def test_clients(head: bytes, port: int, application: str) -> None:
    """A head whose lengths fit is known, one whose do not is unknown on its own port, too."""
    assert of_client(head, port=port) == application


@pytest.mark.parametrize(
    ("frame", "port", "application"),
    [
        (b"\x44\x01\x10\x01toke\xb4test", 5_683, "coap"),
        (b"\xff\x01\x10\x01toke\xb4test", 5_683, ""),
        (RPC, 12_345, "dcerpc"),
        (RPC + b"x", 12_345, ""),
    ],
)
def test_datagrams(frame: bytes, port: int, application: str) -> None:
    """The same for datagrams."""
    assert of_datagram(frame, port=port) == application


def test_mumble() -> None:
    """An answer that repeats a ping's number."""
    ping, number = bytes(4), b"\x01\x02\x03\x04\x05\x06\x07\x08"
    answer = b"\0\x01\x03\x04" + number + bytes(12)
    assert of_datagrams((UP, ping + number), (DOWN, answer)) == "mumble"
    assert of_datagrams((UP, ping + number[::-1]), (DOWN, answer)) == ""


def test_socks_of_the_server() -> None:
    """A proxy's choice of a method, with a reply behind it or on its port."""
    assert of_server(b"\x05\0", port=1_080) == "socks"
    assert of_stream((DOWN, b"\x05\0"), (DOWN, b"\x05\0\0\x01\x7f\0\0\x01\x04\x38")) == "socks"
    words = [b"\x05\x02", b"\x01\0", b"\x05\0\0\x01\x7f\0\0\x01\x04\x38"]
    assert of_stream(*[(DOWN, word) for word in words]) == "socks"
    assert of_server(b"\x05\0 anything else") == ""
