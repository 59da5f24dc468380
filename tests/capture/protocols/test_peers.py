"""Gnutella and Ethereum by lengths that must fit."""

import pytest

from tests.capture.applications import of_client, of_datagram


def gnutella(kind: int, body: bytes = b"", hops: int = 1) -> bytes:
    return bytes(range(16)) + bytes([kind, 3, hops]) + len(body).to_bytes(4, "little") + body


def discovery(kind: int, body: bytes) -> bytes:
    head = bytes([0xC0 + len(body)]) if len(body) < 56 else bytes([0xF8, len(body)])
    return b"h" * 32 + b"s" * 65 + bytes([kind]) + head + body


@pytest.mark.parametrize("frame", [gnutella(0), gnutella(1, b"pong" * 5), gnutella(0x31, b"vendor")])
def test_gnutella(frame: bytes) -> None:
    """Number, kind, hops, and a length that fits."""
    assert of_datagram(frame) == "gnutella"


@pytest.mark.parametrize("frame", [gnutella(0) + b"x", gnutella(0x99), gnutella(0, hops=200)])
def test_not_gnutella(frame: bytes) -> None:
    """Another length, an unknown kind, too many hops: none."""
    assert of_datagram(frame) == ""


def test_gnutella_over_tcp() -> None:
    """A connection begins with its name."""
    assert of_client(b"GNUTELLA CONNECT/0.6\r\n\r\n") == "gnutella"


@pytest.mark.parametrize("frame", [discovery(1, b"p" * 40), discovery(4, b"n" * 200)])
def test_ethereum(frame: bytes) -> None:
    """Hash, signature, kind, and a list that ends with the datagram."""
    assert of_datagram(frame) == "ethereum"
    assert of_datagram(frame + b"x") == ""
