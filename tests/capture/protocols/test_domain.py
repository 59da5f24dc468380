"""Domain names on the wire: what is read, what is refused, what stays in bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.domain import first_label, open_record, read_name, skip_name, skip_questions
from tests.capture.packets import labels

pytestmark = pytest.mark.uncompiled


def read(data: bytes, at: int = 0, limit: int = 1_024) -> tuple[int, str]:
    out = np.zeros(1_100, np.uint8)
    buf = np.frombuffer(data, np.uint8)
    behind, stop = read_name(buf, 0, len(buf), at, out, 0, limit)
    return int(behind), out[:stop].tobytes().decode("ascii")


def test_pointers_point_back() -> None:
    """A name goes on at an earlier one; behind it stands what follows the pointer."""
    data = labels(b"example.org") + b"\x03WWW\xc0\x00" + b"\x01a\xc0\x0d"
    assert read(data, 13) == (19, "www.example.org")
    assert read(data, 19) == (23, "a.www.example.org")


@pytest.mark.parametrize(
    "data", [b"\xc0\x00", b"\xc0\x02\x00", b"\x01a\xc0\x00", b"\xc0", b"\x41", b"\x03ab", b"\x80\x00", b""]
)
def test_what_is_no_name(data: bytes) -> None:
    """Loops, pointers forward, reserved types and names that are cut off are refused, and write nothing."""
    assert read(data) == (-1, "")


def test_the_longest_name() -> None:
    """255 octets are a name, 256 are none (RFC 1035, 2.3.4)."""
    longest = b"\x3f" + b"x" * 63
    assert read(longest * 3 + b"\x3d" + b"y" * 61 + b"\0")[0] == 255
    assert read(longest * 3 + b"\x3e" + b"y" * 62 + b"\0") == (-1, "")
    assert read(b"\x01a" * 127 + b"\0")[0] == 255


def test_a_chain_of_pointers_ends() -> None:
    """Work is bounded where each name points at the one before, thousands deep."""
    data = b"\x01a\0" + b"".join((0xC000 | max(3 + 2 * n - 2, 0)).to_bytes(2, "big") for n in range(200))
    assert read(data, len(data) - 2) == (-1, "")


def test_first_labels() -> None:
    """The first label is found at a pointer's end; the root and loops have none."""
    data = np.frombuffer(labels(b"Abc.example") + b"\xc0\x00" + b"\xc0\x0f" + b"\xc0\x11", np.uint8)
    assert first_label(data, 0, len(data), 0) == (1, 4)
    assert first_label(data, 0, len(data), 13) == (1, 4)
    assert first_label(data, 0, len(data), 15) == (-1, -1)
    assert first_label(data, 0, len(data), 12) == (13, 13)


@settings(max_examples=300)
@given(st.binary(max_size=80), st.integers(0, 90))
def test_any_bytes(data: bytes, limit: int) -> None:
    """No bytes make a reader leave the message, loop for ever or write beyond the limit."""
    out = np.full(200, 7, np.uint8)
    buf = np.frombuffer(bytes(12) + data, np.uint8)
    behind, stop = read_name(buf, 0, len(buf), 12, out, 3, 3 + limit)
    assert -1 <= behind <= len(buf)
    assert 3 <= stop <= 3 + limit
    assert (out[:3] == 7).all()
    assert (out[3 + limit :] == 7).all()
    assert -1 <= skip_name(buf, len(buf), 12) <= len(buf)
    start, end = first_label(buf, 0, len(buf), 12)
    assert -1 <= start <= end <= len(buf)


@pytest.mark.parametrize(
    ("data", "behind"),
    [
        (b"\0\1" + bytes(6) + b"\1a\0\0\1\0\1", 19),
        (b"\0\0" + bytes(6), 12),
        (b"\0\1" + bytes(6) + b"\1a\0\0\1\0", -1),
        (b"\0\3" + bytes(6) + 3 * b"\0\0\1\0\1", -1),
    ],
)
def test_question_sections(data: bytes, behind: int) -> None:
    """The position behind the questions, none where one is cut off or there are more than asked for."""
    buf = np.frombuffer(bytes(4) + data, np.uint8)
    assert skip_questions(buf, 0, len(buf), 2) == behind


def test_records() -> None:
    """A record's head says where its data stand; one whose data are cut off is none."""
    buf = np.frombuffer(b"\0\1\0\1\0\0\0\x0a\0\2ab", np.uint8)
    assert open_record(buf, len(buf), 0) == (1, 10, 10, 12)
    assert open_record(buf, len(buf) - 1, 0)[0] == -1
    assert open_record(buf, len(buf), -1)[0] == -1
