"""Lines of text protocols."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.protocols.lines import begins, is_command, is_prefix, line_end, octets, reply_code, text_end

pytestmark = pytest.mark.uncompiled


def made(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"220 ready\r\n", 220),
        (b"530-no\r\n", 530),
        (b"235\r\n", 235),
        (b"235", 235),
        (b"2350 x", -1),
        (b"23x x", -1),
        (b"22", -1),
        (b"", -1),
    ],
)
def test_reply_codes(text: bytes, code: int) -> None:
    """A reply begins with three digits and a space, a dash or the line's end."""
    assert reply_code(made(text), 0, len(text)) == code


@pytest.mark.parametrize(
    ("text", "whole", "prefix"),
    [
        (b"STARTTLS\r\n", True, True),
        (b"StartTLS", True, True),
        (b"STARTTLSX", False, True),
        (b"START", False, True),
        (b"STARX", False, False),
        (b"", False, True),
    ],
)
def test_commands(text: bytes, whole: bool, prefix: bool) -> None:
    """A command is its word in any case, and the word ends there."""
    word = octets("starttls")
    assert is_command(made(text), 0, len(text), word) == whole
    assert is_prefix(made(text), 0, len(text), word) == prefix


@given(st.binary(max_size=40))
def test_lines_end_within_bounds(text: bytes) -> None:
    """A line ends at its feed, or at the end; its text leaves out the carriage return."""
    stop = line_end(made(text), 0, len(text))
    assert stop == (text.index(b"\n") if b"\n" in text else len(text))
    assert text[: text_end(made(text), 0, stop)] == (
        text[:stop][:-1] if text[:stop].endswith(b"\r") else text[:stop]
    )
    assert begins(made(text), 0, len(text), made(text[:5].lower()))
