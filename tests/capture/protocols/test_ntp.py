"""NTP by a header that makes sense, on its port or off it."""

import pytest

from tests.capture.applications import of_datagram

TIME = bytes.fromhex("e4f5a6b7c8d9eafb")


def header(first: int, stratum: int = 0, poll: int = 6, precision: int = 0xEC, more: bytes = b"") -> bytes:
    return bytes([first, stratum, poll, precision]) + bytes(36) + TIME + more


@pytest.mark.parametrize("first", [0x23, 0x1B, 0xE3, 0x24, 0x1C])
@pytest.mark.parametrize("more", [b"", bytes(4), bytes(20), bytes(24)])
def test_anywhere(first: int, more: bytes) -> None:
    """Requests and answers of versions 3 and 4 are known on any port, with authentication, too."""
    assert of_datagram(header(first, stratum=2, more=more)) == "ntp"


@pytest.mark.parametrize(
    "frame",
    [
        header(0x23, stratum=200),
        header(0x23, precision=5),
        header(0x23, poll=99),
        header(0x23)[:-8] + bytes(8),
        header(0x3B),
        header(0x23, more=b"x"),
        header(0x26),
    ],
)
def test_what_makes_no_sense(frame: bytes) -> None:
    """Another stratum, precision, poll, version, length, or no time: none."""
    assert of_datagram(frame) == ""


@pytest.mark.parametrize(
    "frame",
    [header(0x21), header(0x25), header(0x0B), b"\x16\x02\0\x01" + bytes(8), b"\x17\0\x03\x2a" + bytes(4)],
)
def test_on_its_port(frame: bytes) -> None:
    """Every mode and version is known on port 123, control and private ones too."""
    assert of_datagram(frame, port=123) == "ntp"


def test_noise_on_its_port() -> None:
    """Port 123 does not make text NTP."""
    assert of_datagram(b"not the time of day at all, however long the text is", port=123) == ""
