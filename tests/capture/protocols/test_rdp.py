"""Remote desktops over TCP and UDP, and what else connects through X.224."""

import struct

import pytest

from tests.capture.applications import of_client, of_datagram, of_server


def connection(kind: int, more: bytes = b"") -> bytes:
    body = bytes([6 + len(more), kind]) + bytes(5) + more
    return b"\x03\0" + (4 + len(body)).to_bytes(2, "big") + body


NEGOTIATE = b"\x01\0\x08\0\x03\0\0\0"
S7_SLOT = b"\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02"
OPENING = b"\xff\xff\xff\xff\0\x40\x18\x01" + b"\x01\x02\x03\x04" + struct.pack("!HH", 1_232, 1_232)


@pytest.mark.parametrize(
    "request_", [connection(0xE0, NEGOTIATE), connection(0xE0, b"Cookie: mstshash=me\r\n" + NEGOTIATE)]
)
def test_request(request_: bytes) -> None:
    """A negotiation or a cookie is a remote desktop's, on any port."""
    assert of_client(request_) == "rdp"


def test_confirm() -> None:
    """A server's answer alone tells."""
    assert of_server(connection(0xD0, b"\x02\x1f\x08\0\x02\0\0\0")) == "rdp"


def test_bare_request() -> None:
    """Old clients say nothing more: their port does."""
    assert of_client(connection(0xE0), port=3_389) == "rdp"
    assert of_client(connection(0xE0)) == ""


def test_others() -> None:
    """A slot of a rack on the port of ISO transport is S7; another called name is neither."""
    assert of_client(connection(0xE0, S7_SLOT), port=102) == "s7comm"
    assert of_client(connection(0xE0, b"\xc2\x02\0\x01"), port=102) == ""


def test_over_udp() -> None:
    """A SYN with packet sizes in bounds."""
    assert of_datagram(OPENING + bytes(1_216)) == "rdp"
    assert of_datagram(OPENING[:12] + bytes(4) + bytes(1_216)) == ""
