"""IPsec by the header of its key exchange, and by counters of ESP inside UDP."""

import struct

import pytest

from tests.capture.applications import DOWN, UP, of_datagram, of_datagrams


def exchange(version: int, kind: int, bits: int = 0, body: bytes = b"p" * 80) -> bytes:
    head = b"initiator"[:8] + bytes(8) + bytes([33, version, kind, bits])
    return head + struct.pack("!II", 0, 28 + len(body)) + body


@pytest.mark.parametrize("frame", [exchange(0x10, 2), exchange(0x10, 4), exchange(0x20, 34, 8)])
def test_key_exchange(frame: bytes) -> None:
    """Versions 1 and 2 are known on any port, and behind the marker of port 4500."""
    assert of_datagram(frame) == "ipsec"
    assert of_datagram(bytes(4) + frame, port=4_500) == "ipsec"


@pytest.mark.parametrize(
    "frame",
    [
        exchange(0x10, 2) + b"x",
        exchange(0x10, 34),
        exchange(0x20, 2),
        exchange(0x20, 34, 0xC0),
        exchange(0x30, 34),
        bytes(16) + exchange(0x20, 34)[16:],
    ],
)
def test_what_does_not_fit(frame: bytes) -> None:
    """A length that is not there, an unknown exchange or version, an empty initiator: none."""
    assert of_datagram(frame) == ""


def test_a_length_on_its_port() -> None:
    """On port 500 a header is enough, also of a message that is cut short."""
    assert of_datagram(exchange(0x10, 2)[:-9], port=500) == "ipsec"
    assert of_datagram(exchange(0x30, 2), port=500) == ""


def test_esp_in_udp() -> None:
    """Two packets of one association on port 4500; noise there is unknown, a keep-alive is not."""
    packets = [struct.pack("!II", 0xC0FFEE01, n) + b"e" * 64 for n in (1, 2)]
    assert of_datagrams((UP, packets[0]), (UP, packets[1]), port=4_500) == "ipsec"
    assert of_datagrams((UP, packets[0]), (UP, packets[1])) == ""
    assert of_datagram(b"\xff", port=4_500) == "ipsec"
    others = [struct.pack("!II", spi, 1) + b"e" * 64 for spi in (0xC0FFEE01, 0xC0FFEE02)]
    assert of_datagrams((UP, b"x" * 40), (DOWN, others[0]), (DOWN, others[1]), port=4_500) == ""
