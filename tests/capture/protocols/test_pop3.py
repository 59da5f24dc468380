"""POP3's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.pop3 import watch_pop3
from tests.capture.protocols.streams import counted, segments, watched


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (
            [
                b"",
                b"+OK ready\r\n",
                b"USER a\r\n",
                b"+OK\r\n",
                b"PASS b\r\n",
                b"-ERR no\r\n",
                b"PASS c\r\n",
                b"+OK\r\n",
            ],
            (2, 1),
        ),
        (
            [b"", b"+OK <1@a>\r\n", b"APOP a c4c9334bac560ecc979e58001b3e22fb\r\n", b"-ERR [AUTH] no\r\n"],
            (1, 1),
        ),
        ([b"", b"+OK\r\n", b"AUTH PLAIN\r\n", b"+ \r\n", b"AGEAYg==\r\n", b"+OK\r\n"], (1, 0)),
        ([b"", b"+OK\r\n", b"USER a\r\n", b"-ERR no such user\r\n"], (0, 0)),
        ([b"", b"+OK\r\n", b"USER a\r\n", b"+OK\r\n", b"PASS b\r\n", b"-ERR [IN-USE] busy\r\n"], (0, 0)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """An attempt is counted by its reply; what is no attempt, or fails for another reason, is not."""
    assert counted(110, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(b"PASS x\r\n", b"+OK\r\n", b"-ERR x\r\n", b"+ \r\n"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_pop3, said)
