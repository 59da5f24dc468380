"""FTP's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.ftp import watch_ftp
from tests.capture.protocols.streams import counted, segments, watched


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (
            [b"", b"220 hi\r\n"] + [b"USER a\r\n", b"331 password\r\n", b"PASS b\r\n", b"530 no\r\n"] * 4,
            (4, 4),
        ),
        (
            [
                b"",
                b"220 hi\r\n",
                b"USER a\r\n",
                b"331 x\r\n",
                b"PASS b\r\n",
                b"230-hello\r\n230 in\r\n",
                b"PWD\r\n",
                b"257 x\r\n",
            ],
            (1, 0),
        ),
        ([b"", b"220 hi\r\n", b"user anonymous\r\n", b"230 in\r\n"], (1, 0)),
        ([b"", b"220 hi\r\n", b"LIST\r\n", b"530 log in first\r\n"], (0, 0)),
        ([b"", b"220 hi\r\n", b"USER a\r\n", b"331 x\r\n", b"PASS b\r\n", b"421 too many\r\n"], (0, 0)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """An attempt is counted by its reply; what is no attempt, or fails for another reason, is not."""
    assert counted(21, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(b"PASS x\r\n", b"USER x\r\n", b"530 x\r\n", b"230 x\r\n"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_ftp, said)
