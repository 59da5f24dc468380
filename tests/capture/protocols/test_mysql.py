"""MySQL by the server's greeting and the client's answer."""

import pytest

from tests.capture.applications import of_client, of_server


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
