"""What looks like nothing: both sides' first bytes are random."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.protocols.encrypted import LOOKED_AT, SHORTEST, looks_encrypted
from tests.capture.applications import DOWN, UP, of_stream


def noise(size: int, seed: int = 1) -> bytes:
    """Random bytes that are the same in every run."""
    return random.Random(seed).randbytes(size)


def looks(data: bytes) -> bool:
    return bool(looks_encrypted(np.frombuffer(data, np.uint8), 0, len(data)))


def test_both_sides() -> None:
    """A connection whose two sides both begin with random bytes is named so, whatever its port says."""
    talk = [(UP, noise(320)), (DOWN, noise(900, 2))]
    assert of_stream(*talk) == "encrypted"
    assert of_stream(*reversed(talk)) == "encrypted"
    assert of_stream(*talk, port=443) == "encrypted"


@pytest.mark.parametrize(
    "talk",
    [
        [(UP, noise(320))],
        [(UP, noise(320)), (DOWN, b"220 mail.example ESMTP\r\n")],
        [(UP, noise(320)), (DOWN, bytes(200))],
        [(UP, b"\x16\x03\x01\x02\x00\x01" + noise(320)), (DOWN, noise(900, 2))],
        [(UP, noise(SHORTEST - 1)), (DOWN, noise(900, 2))],
    ],
)
def test_one_side_is_not_enough(talk: list[tuple[bool, bytes]]) -> None:
    """One side that looks like nothing names nothing, nor what some protocol knows or what is too short."""
    assert of_stream(*talk) != "encrypted"


def test_middle_of_a_stream() -> None:
    """A connection that was not seen to open says nothing about its first bytes."""
    assert of_stream((UP, noise(320)), (DOWN, noise(900, 2)), opened=False) == ""


def test_file_transfer() -> None:
    """A file may be anything."""
    assert of_stream((UP, noise(320)), (DOWN, noise(900, 2)), port=20) != "encrypted"


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (noise(200), True),
        # Ex1: all bytes have 3 bits set of 8, or 5.
        (b"\x07\x83\xc1\x13" * 50, False),
        (b"\xf8\x7c\x9b\xec" * 50, False),
        # Ex2: six printable bytes in front.
        (b"abcdef" + noise(200), False),
        (b"abcde\0" + noise(200), True),
        # Ex3: more than half is printable.
        ((b"\x0f\x8f" + b"ab\xf0k\x9czr") * 30, False),
        # Ex4: 21 printable bytes in a row.
        (noise(100) + b"\0" + b"wikipedia+kiwi+go+kno" + b"\0" + noise(200, 3), False),
        (noise(100) + b"\0" + b"wikipedia+kiwi+go+kn" + b"\0" + noise(200, 3), True),
        # Ours: a length in front.
        ((202).to_bytes(2, "big") + noise(200), False),
        ((200).to_bytes(2, "little") + noise(200), False),
        ((200).to_bytes(4, "big") + noise(200), False),
        (noise(SHORTEST), True),
        (noise(SHORTEST - 1), False),
        (b"", False),
    ],
)
def test_exemptions(data: bytes, expected: bool) -> None:
    """Each exemption of the published rule holds, and those of our own."""
    assert looks(data) is expected


@pytest.mark.uncompiled
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes(data: bytes, more: bytes) -> None:
    """Any bytes get an answer, and nothing past the first segment's worth, or behind a length, changes it."""
    assert looks(data) in (False, True)
    body = data + noise(LOOKED_AT - len(data))
    assert looks(body + b"\xff" + more) == looks(body + b"\xff") == looks(body + b"\0")
