"""NetFlow and IPFIX by counts, lengths and times."""

import struct

import pytest

from tests.capture.applications import of_datagram

NOW = 1_700_000_000
V5 = struct.pack("!HHIII", 5, 2, 1_000, NOW, 0) + bytes(8) + bytes(96)
V9 = struct.pack("!HHIIII", 9, 1, 1_000, NOW, 1, 0) + struct.pack("!HH", 0, 12) + bytes(8)
IPFIX = struct.pack("!HHIII", 10, 28, NOW, 1, 0) + struct.pack("!HH", 2, 12) + bytes(8)


@pytest.mark.parametrize("frame", [V5, V9, IPFIX])
def test_exports(frame: bytes) -> None:
    """Each version is known on any port."""
    assert of_datagram(frame) == "netflow"


@pytest.mark.parametrize(
    "frame", [V5[:-1], V5 + b"x", V9.replace(NOW.to_bytes(4, "big"), bytes(4)), IPFIX + b"x"]
)
def test_what_does_not_fit(frame: bytes) -> None:
    """A length or a time that does not fit: none."""
    assert of_datagram(frame) == ""
