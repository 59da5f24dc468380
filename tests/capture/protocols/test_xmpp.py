"""XMPP's way to TLS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.protocols.xmpp import find_start_tls

pytestmark = pytest.mark.uncompiled
STREAM = b"<?xml version='1.0'?><stream:stream to='example.org'>"


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (STREAM + b"<starttls/>", 64),
        (b"<starttls xmlns='x'></starttls>", 31),
        (b"<starttls xmlns='x'>", 0),
        (b"<starttls", 0),
        (STREAM, 0),
    ],
)
def test_the_command(data: bytes, end: int) -> None:
    """The element ends with its own tag or the closing one."""
    assert find_start_tls(np.frombuffer(data, np.uint8), 0, len(data)) == end


@given(
    st.lists(st.sampled_from([b"<", b">", b"/", b"starttls", b"<starttls", b"x"]), max_size=9).map(b"".join)
)
def test_any_text_is_read_within_bounds(data: bytes) -> None:
    """The end found lies within the text."""
    assert 0 <= find_start_tls(np.frombuffer(data + b"<", np.uint8), 0, len(data)) <= len(data)
