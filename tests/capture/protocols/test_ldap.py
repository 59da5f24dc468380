"""LDAP's log-ins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.ldap import element, watch_ldap
from tests.capture.protocols.streams import counted, segments, watched


def tlv(tag: int, body: bytes) -> bytes:
    return bytes([tag, len(body)]) + body


def bind(password: bytes, name: bytes = b"cn=me") -> bytes:
    return tlv(0x30, b"\2\1\1" + tlv(0x60, b"\2\1\3" + tlv(4, name) + tlv(0x80, password)))


def answer(code: int) -> bytes:
    return tlv(0x30, b"\2\1\1" + tlv(0x61, bytes([10, 1, code]) + b"\4\0\4\0"))


LONG = b"\x30\x84\0\0\0\x10\2\1\1\x61\x84\0\0\0\7\x0a\1\x31\4\0\4\0"


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([bind(b"x"), answer(49), bind(b"y"), answer(49), bind(b"z"), answer(0)], (3, 2)),
        ([bind(b"x"), LONG], (1, 1)),
        ([bind(b"", b""), answer(0)], (0, 0)),
        ([bind(b"x"), answer(14), bind(b"x"), answer(0)], (1, 0)),
        ([bind(b"x"), answer(53)], (0, 0)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """A bind is counted by its result; one of nobody, or one that goes on, is none."""
    assert counted(389, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(bind(b"x"), answer(49), LONG, b"\x30\x84"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_ldap, said)


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x30\2ab", (2, 4)),
        (b"\x30\0", (2, 2)),
        (b"\x30\x81\x80", (3, 131)),
        (b"\x30\x84\0\0\1\0", (6, 262)),
        (b"\x30", (-1, -1)),
        (b"\x30\x80ab", (-1, -1)),
        (b"\x30\x85" + bytes(9), (-1, -1)),
        (b"\x30\x82\1", (-1, -1)),
    ],
)
def test_lengths(data: bytes, expected: tuple[int, int]) -> None:
    """Short and long lengths are read, indefinite and endless ones refused."""
    assert element(np.frombuffer(data, np.uint8), 0, len(data)) == expected


@pytest.mark.uncompiled
@given(st.binary(max_size=8))
def test_content_stands_behind_the_head(data: bytes) -> None:
    """The content begins within the bytes at hand, or there is none."""
    inner, behind = element(np.frombuffer(data, np.uint8), 0, len(data))
    assert inner == behind == -1 or (2 <= inner <= len(data) and behind >= inner)
