"""IMAP's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.imap import watch_imap
from tests.capture.protocols.streams import counted, segments, watched


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (
            [
                b"",
                b"* OK ready\r\n",
                b"a1 LOGIN a b\r\n",
                b"a1 NO [AUTHENTICATIONFAILED] no\r\n",
                b"a2 login a c\r\n",
                b"* CAPABILITY IMAP4rev1\r\na2 OK done\r\n",
            ],
            (2, 1),
        ),
        (
            [b"", b"* OK ready\r\n", b"x AUTHENTICATE PLAIN\r\n", b"+ \r\n", b"AGEAYg==\r\n", b"x NO no\r\n"],
            (1, 1),
        ),
        ([b"", b"* OK ready\r\n", b"x LOGIN a b\r\n", b"x NO [UNAVAILABLE] later\r\n"], (0, 0)),
        (
            [b"", b"* OK ready\r\n", b"x LOGIN\r\n", b"x BAD what\r\n", b"y SELECT z\r\n", b"y NO none\r\n"],
            (0, 0),
        ),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """An attempt is counted by its reply; what is no attempt, or fails for another reason, is not."""
    assert counted(143, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(b"a LOGIN b c\r\n", b"a OK\r\n", b"a NO x\r\n", b"* x\r\n"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_imap, said)
