"""MySQL by the server's greeting and the client's answer."""

import pytest
from hypothesis import given, settings

from capture.protocols.mysql import watch_mysql
from tests.capture.applications import of_client, of_server
from tests.capture.protocols.streams import counted, segments, watched


def framed(body: bytes, sequence: int = 0) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([sequence]) + body


GREETING = framed(b"\x0a8.0.36-standard\0" + b"\x07\0\0\0" + b"saltsalt" + b"\0" + bytes(30))
LOGIN = framed(b"\x85\xa2\xff\x01" + b"\0\0\0\x01" + b"\x21" + bytes(23) + b"me\0\x14" + b"h" * 20, 1)
TLS_FIRST = framed(b"\x85\xaa\xff\x01" + b"\0\0\0\x01" + b"\x21" + bytes(23), 1)


def test_greeting() -> None:
    """Protocol 10, a version in text, and a challenge with its filler."""
    assert of_server(GREETING) == "mysql"


@pytest.mark.parametrize("answer", [LOGIN, TLS_FIRST])
def test_answer(answer: bytes) -> None:
    """A client's answer tells where the server's side was not seen."""
    assert of_client(answer) == "mysql"


@pytest.mark.parametrize(
    "greeting",
    [
        GREETING.replace(b"8.0", b"x.0"),
        GREETING.replace(b"standard\0", b"standard "),
        GREETING.replace(b"saltsalt\0", b"saltsalt!"),
        GREETING[:-20],
    ],
)
def test_what_is_not(greeting: bytes) -> None:
    """A version that is none, no filler, a length that is not there: none."""
    assert of_server(greeting) == ""


def test_an_answer_that_is_not() -> None:
    """Zeros that are none."""
    assert of_client(LOGIN.replace(bytes(19), b"z" * 19)) == ""


SHORT_GREETING = b"\x0e\0\0\0\x0a8.0.36\0" + bytes(6)
RESPONSE = b"\x24\0\0\1\x8d\xa2\xff\1\0\0\0\1\x21" + bytes(23) + b"me\0\0"
OK = b"\7\0\0\2\0\0\0\2\0\0\0"
DENIED = b"\x0c\0\0\2\xff\x15\x04#28000no"


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([b"", SHORT_GREETING, RESPONSE, OK], (1, 0)),
        ([b"", SHORT_GREETING, RESPONSE, DENIED], (1, 1)),
        ([b"", SHORT_GREETING, RESPONSE, b"\2\0\0\2\1\3" + OK.replace(b"\2\0", b"\3\0", 1)], (1, 0)),
        ([b"", SHORT_GREETING, RESPONSE, b"\x0c\0\0\2\xff\x10\x04#08004no"], (0, 0)),
        ([b"", SHORT_GREETING, RESPONSE, OK, b"\2\0\0\0\3x", b"\x0c\0\0\1\xff\x15\x04#28000no"], (1, 0)),
        ([b"", b"\x0c\0\0\0\xff\x6a\x04Host no"], (0, 0)),
    ],
)
def test_log_ins(turns: list[bytes], expected: tuple[int, int]) -> None:
    """The first answer to the client's response counts; errors that deny no access do not."""
    assert counted(3_306, turns) == expected


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(SHORT_GREETING, RESPONSE, OK, DENIED, b"\2\0\0\2\1\3"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_mysql, said)
