"""PostgreSQL's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.postgresql import watch_postgresql
from tests.capture.protocols.streams import counted, segments, watched


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


START = b"\0\0\0\x10\0\3\0\0user\0me\0"
MD5 = message(b"R", b"\0\0\0\5salt")
OK = message(b"R", bytes(4))
DENIED = message(b"E", b"SFATAL\0VFATAL\0C28P01\0Mno\0\0")


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([START, MD5, message(b"p", b"md5x\0"), OK + message(b"S", b"a\0b\0")], (1, 0)),
        ([START, MD5, message(b"p", b"md5x\0"), DENIED], (1, 1)),
        ([START, message(b"R", b"\0\0\0\x0cx") + OK], (1, 0)),
        ([START, message(b"E", b"SFATAL\0C3D000\0Mno database\0\0")], (0, 0)),
        ([START, OK, message(b"Q", b"x\0"), DENIED], (1, 0)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """Consent, or an error of class 28, ends the one log-in of a connection."""
    assert counted(5_432, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(START, MD5, OK, DENIED))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_postgresql, said)
