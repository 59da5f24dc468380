"""HPACK: integers, the Huffman code and strings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.protocols.hpack import (
    CODE_LENGTHS,
    COUNTS,
    FIRST_CODES,
    PLACES,
    SYMBOLS,
    VALUE_MAX,
    prefixed,
    string,
)

pytestmark = pytest.mark.uncompiled

CODES = {
    int(SYMBOLS[PLACES[length] + k]): format(FIRST_CODES[length] + k, f"0{length}b")
    for length in range(1, 31)
    for k in range(COUNTS[length])
}


def coded(text: bytes) -> bytes:
    """A string literal in the Huffman code (RFC 7541, 5.2), for texts below 127 octets."""
    bits = "".join(CODES[octet] for octet in text)
    bits += "1" * (-len(bits) % 8)
    packed = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return bytes([0x80 | len(packed)]) + packed


def decoded(data: bytes) -> bytes | None:
    out = np.zeros(VALUE_MAX, np.uint8)
    length, _ = string(np.frombuffer(data, np.uint8), 0, len(data), out)
    return out[:length].tobytes() if length >= 0 else None


def test_the_code_is_complete() -> None:
    """The lengths make a prefix code that leaves no bits unused (Kraft), with the end of string last."""
    assert sum(2.0 ** -int(length) for length in CODE_LENGTHS) == 1.0
    assert CODES[256] == "1" * 30
    assert (CODES[ord("0")], CODES[ord("a")], CODES[ord("/")]) == ("00000", "00011", "011000")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x0a", 10),
        (b"\x1f\x9a\x0a", 1337),
        (b"\x1e", 30),
        (b"\x1f\x00", 31),
        (b"\x1f", -1),
        (b"\x1f\x80", -1),
        (b"\x1f\xff\xff\xff\xff\x01", -1),
        (b"", -1),
    ],
)
def test_integers(data: bytes, value: int) -> None:
    """The examples of RFC 7541, C.1, with a prefix of five bits; endless ones are refused."""
    assert prefixed(np.frombuffer(data, np.uint8), 0, len(data), 5)[0] == value


def test_the_rfcs_example() -> None:
    """ "www.example.com" as RFC 7541, C.4.1 writes it."""
    data = bytes.fromhex("8cf1e3c2e5f23a6ba0ab90f4ff")
    assert coded(b"www.example.com") == data
    assert decoded(data) == b"www.example.com"


@given(st.binary(max_size=30))
def test_strings_return(text: bytes) -> None:
    """What is coded, or not, is read back; what is cut off is none."""
    assert decoded(coded(text)) == text
    assert decoded(bytes([len(text)]) + text) == text
    if text:
        assert decoded(coded(text)[:-1]) is None


@given(st.binary(max_size=600))
def test_any_bytes_are_a_string_or_none(data: bytes) -> None:
    """No bytes are read or written out of bounds."""
    value = decoded(data)
    assert value is None or len(value) <= VALUE_MAX
