"""Values that mean something, and those that mean nothing on purpose."""

import struct

import pytest

from capture.protocols.tls_numbers import is_grease, version_code
from pipeline.records import TLS_VERSIONS


@pytest.mark.uncompiled
def test_grease_values() -> None:
    """The sixteen values of RFC 8701 are GREASE, no other is."""
    reserved = {struct.unpack("!H", bytes([0x10 * n + 0x0A] * 2))[0] for n in range(16)}
    assert {value for value in range(65_536) if is_grease(value)} == reserved


@pytest.mark.uncompiled
def test_versions() -> None:
    """Versions of TLS, of DTLS by its own number, and drafts have their word; all other numbers have none."""
    words: dict[str, list[int]] = {}
    for wire in range(65_536):
        words.setdefault(TLS_VERSIONS[version_code(wire)], []).append(wire)
    assert words["ssl2"] == [0x0002]
    assert words["ssl3"] == [0x0300]
    assert words["1.0"] == [0x0100, 0x0301, 0xFEFF]
    assert words["1.1"] == [0x0302]
    assert words["1.2"] == [0x0303, 0xFEFD]
    assert words["1.3"] == [0x0304, *range(0x7F0E, 0x7F1D), *range(0xFB17, 0xFB1B), 0xFEFC]
