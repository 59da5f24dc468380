"""Remote desktops over TCP and UDP, and what else connects through X.224."""

import struct

import numpy as np
import pytest

from capture.protocols.rdp import CONNECTION_CONFIRM, CONNECTION_REQUEST, connection_end
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


REQUEST = b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0"


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("data", "kind", "end"),
    [
        (REQUEST, CONNECTION_REQUEST, 19),
        (REQUEST, CONNECTION_CONFIRM, 0),
        (REQUEST[:10], CONNECTION_REQUEST, 10),
        (REQUEST[:-4] + bytes(4), CONNECTION_REQUEST, 0),
        (REQUEST[:4] + b"\x0d" + REQUEST[5:], CONNECTION_REQUEST, 0),
        (b"\3\0\0\x0b\6\xd0\0\0\x12\x34\0", CONNECTION_CONFIRM, 11),
    ],
)
def test_connections(data: bytes, kind: int, end: int) -> None:
    """Where both lengths agree, the request or confirm ends where they say."""
    assert connection_end(np.frombuffer(data, np.uint8), 0, len(data), kind) == end
