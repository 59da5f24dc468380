"""Telnet's refused log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.telnet import watch_telnet
from tests.capture.protocols.streams import counted, segments, watched


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (
            [b"", b"login: ", b"root\r\n", b"Password: ", b"toor\r\n", b"\r\nLogin incorrect\r\nlogin: "],
            (1, 1),
        ),
        ([b"", b"Username: ", b"a\r\n", b"Password: ", b"b\r\n", b"\r\n% Login invalid\r\n"], (1, 1)),
        ([b"", b"login: ", b"a\r\n", b"Password: ", b"b\r\n", b"\r\n$ "], (0, 0)),
        ([b"", b"x" * 300 + b"login incorrect"], (0, 0)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """An attempt is counted by its reply; what is no attempt, or fails for another reason, is not."""
    assert counted(23, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(b"Login incorrect", b"access denied", b"login: "))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_telnet, said)
