"""VNC's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.vnc import watch_vnc
from tests.capture.protocols.streams import segments, watched

VERSION = b"RFB 003.008\n"
START = [(0, VERSION), (1, VERSION), (0, b"\1\2"), (1, b"\2")]
CHALLENGE = [(0, bytes(16)), (1, bytes(16))]


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([*START, *CHALLENGE, (0, bytes(4)), (1, b"\1")], (1, 0)),
        ([*START, *CHALLENGE, (0, b"\0\0\0\1\0\0\0\2no")], (1, 1)),
        ([*START, *CHALLENGE, (0, b"\0\0\0\2")], (1, 1)),
        ([*START, (0, bytes(4)), (1, b"\1"), (0, bytes(24))], (0, 0)),
        ([*START, (0, bytes(16)), (1, bytes(20)), (0, bytes(4))], (0, 0)),
    ],
)
def test_log_ins(said: list[tuple[int, bytes]], expected: tuple[int, int]) -> None:
    """The result behind a challenge and its response is counted."""
    assert watched(watch_vnc, said) == expected


@pytest.mark.uncompiled
@settings(max_examples=100)
@given(segments(VERSION, bytes(16), b"\0\0\0\1"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_vnc, said)
