"""SMTP's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.smtp import watch_smtp
from tests.capture.protocols.streams import counted, segments, watched


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (
            [
                b"",
                b"220 mx\r\n",
                b"EHLO a\r\n",
                b"250 AUTH\r\n",
                b"AUTH LOGIN\r\n",
                b"334 VXNlcm5hbWU6\r\n",
                b"YQ==\r\n",
                b"334 UGFzc3dvcmQ6\r\n",
                b"Yg==\r\n",
                b"535 5.7.8 no\r\n",
            ],
            (1, 1),
        ),
        ([b"EHLO a\r\n", b"250 AUTH\r\n", b"auth PLAIN AGEAYg==\r\n", b"235 2.7.0 ok\r\n"], (1, 0)),
        ([b"EHLO a\r\n", b"250 x\r\n", b"AUTH PLAIN x\r\n", b"504 unknown mechanism\r\n"], (0, 0)),
        ([b"EHLO a\r\n", b"250 x\r\n", b"MAIL FROM:<a>\r\n", b"530 authenticate first\r\n"], (0, 0)),
        ([b"EHLO a\r\n", b"250 x\r\n"] + [b"AUTH PLAIN x\r\n", b"535 no\r\n"] * 3, (3, 3)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """An attempt is counted by its reply; what is no attempt, or fails for another reason, is not."""
    assert counted(25, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(b"AUTH LOGIN\r\n", b"334 x\r\n", b"535 no\r\n", b"235 ok\r\n"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_smtp, said)
