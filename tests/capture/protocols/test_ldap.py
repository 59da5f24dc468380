"""LDAP's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.ldap import watch_ldap
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
