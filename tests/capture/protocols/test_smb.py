"""SMB's log-ins."""

import struct

import pytest
from hypothesis import given, settings

from capture.protocols.smb import watch_smb
from tests.capture.protocols.streams import counted, segments, watched


def framed(message: bytes) -> bytes:
    """A message behind its transport's header (MS-SMB2, 2.1)."""
    return len(message).to_bytes(4, "big") + message


def smb2(status: int, command: int = 1, response: int = 1, flags: int = 0) -> bytes:
    head = b"\xfeSMB" + struct.pack("<HHIHHIIQ", 64, 0, status, command, 1, response, 0, 1) + bytes(32)
    return framed(head + struct.pack("<HHHH", 9, flags, 72, 0))


def smb1(status: int, command: int = 0x73, response: int = 0x80, action: int = 0) -> bytes:
    head = b"\xffSMB" + struct.pack("<BIBH", command, status, response, 0) + bytes(20)
    return framed(head + struct.pack("<BBBHH", 3, 255, 0, 0, action) + b"\0\0")


ASK_2, ASK_1 = smb2(0, 1, 0), smb1(0, 0x73, 0)
GO_ON, FAILED, LOCKED = 0xC0000016, 0xC000006D, 0xC0000234


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([ASK_2, smb2(GO_ON), ASK_2, smb2(FAILED)] * 3, (3, 3)),
        ([ASK_2, smb2(GO_ON), ASK_2, smb2(0)], (1, 0)),
        ([ASK_2, smb2(0, flags=1), ASK_2, smb2(0, flags=2)], (0, 0)),
        ([ASK_2, smb2(FAILED, command=3), ASK_2, smb2(0xC000000D)], (0, 0)),
        ([ASK_2, smb2(0, command=0) + smb2(LOCKED)], (1, 1)),
        ([ASK_1, smb1(GO_ON), ASK_1, smb1(FAILED), ASK_1, smb1(0)], (2, 1)),
        ([ASK_1, smb1(0, action=1)], (0, 0)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """A session set-up is counted by its status; guests, anonymous ones and other commands are not."""
    assert counted(445, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(ASK_2, smb2(FAILED), smb1(FAILED), smb2(0)[:40]))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_smb, said)
