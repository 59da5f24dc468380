"""SSH's log-ins, by the sizes of encrypted packets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.ssh import watch_ssh
from tests.capture.protocols.streams import counted, segments, watched

BANNER = b"SSH-2.0-x\r\n"
NEW_KEYS = b"\0\0\0\x0c\x0a\x15" + bytes(10)
KEXINIT = b"\0\0\1\x04\4\x14" + bytes(258)


def sealed(payload: int, cipher: str) -> bytes:
    """A packet of so many octets as the cipher leaves it on the wire (RFC 4253, 6)."""
    block, clear, tag = {"chacha20": (8, 4, 16), "gcm": (16, 4, 16), "ctr": (16, 0, 32), "etm": (16, 4, 32)}[
        cipher
    ]
    inner = (0 if clear else 4) + 1 + payload
    padding = -(inner + 4) % block + 4
    return b"\xee" * (clear + inner + padding + tag)


def session(cipher: str, *answers: int, banner: int = 0) -> list[bytes]:
    """A talk whose client asks for its service, then tries once for each answer's size."""
    talk = [BANNER, BANNER, KEXINIT, KEXINIT, bytes(40), bytes(300) + NEW_KEYS, NEW_KEYS, b""]
    talk += [sealed(17, cipher), sealed(17, cipher)]
    for answer in answers:
        talk += [sealed(60, cipher)]
        if banner:
            talk += [sealed(banner, cipher), b""]
            banner = 0
        talk += [sealed(answer, cipher)]
    return talk


#: SUCCESS; FAILURE with the methods "publickey,password".
OK, FAILED = 1, 24


@pytest.mark.parametrize("cipher", ["chacha20", "gcm", "ctr", "etm"])
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((FAILED, OK), (1, 0)),
        ((FAILED, FAILED, FAILED, FAILED), (3, 3)),
        ((FAILED, FAILED, OK), (2, 1)),
        ((OK,), (1, 0)),
        ((), (0, 0)),
    ],
)
def test_log_ins(cipher: str, answers: tuple[int, ...], expected: tuple[int, int]) -> None:
    """The server's first answer lists the methods; the same again is a refusal, the shortest is consent."""
    assert counted(22, session(cipher, *answers)) == expected


def test_a_banner_before_the_methods() -> None:
    """A banner, which comes before the first answer, is not taken for it."""
    assert counted(22, session("chacha20", FAILED, FAILED, OK, banner=200)) == (2, 1)


def test_a_server_that_calls() -> None:
    """A connection that the SSH server opened tells nothing: its log-ins go the other way."""
    talk = session("ctr", FAILED, FAILED, OK)
    talk[5] = b"\0\0\0\x2c\x06\x1e" + bytes(42)
    assert counted(22, [b"", *talk]) == (0, 0)


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(NEW_KEYS, bytes(44), bytes(28)), st.integers(0, 15))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]], step: int) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_ssh, said, step=step)
