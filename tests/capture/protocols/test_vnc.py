"""VNC's log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.vnc import watch_vnc
from tests.capture.protocols.streams import counted, segments, watched

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
    assert watched(watch_vnc, said, base_down=0) == expected


def test_a_session_is_no_log_in() -> None:
    """Without authentication, updates and input of the same sizes as challenge and response count nothing."""
    opening = [b"", VERSION, VERSION, b"\1\1", b"\1", bytes(4), b"\1", bytes(600)]
    update = b"\0\0\0\1" + bytes(12)
    assert counted(5900, [*opening, bytes(10), update, bytes(16), update]) == (0, 0)
    assert counted(5900, [b"", VERSION, VERSION, b"\1\2", b"\2", bytes(16), bytes(16), update]) == (1, 1)


@pytest.mark.uncompiled
@settings(max_examples=100)
@given(segments(VERSION, bytes(16), b"\0\0\0\1"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_vnc, said, base_down=0)
