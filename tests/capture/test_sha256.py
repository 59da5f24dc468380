"""SHA-256 against the standard library's, in one go and in steps."""

import hashlib
import hmac

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.sha256 import BLOCK, DIGEST, STATE, WORK, absorb_blocks, begin_sha256, end_sha256, sha256

pytestmark = pytest.mark.uncompiled


def work_array() -> np.ndarray:
    """A dirty one: nothing may depend on what stood there."""
    return np.full(WORK, 0x12345678, np.int64)


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def digest(data: bytes, start: int = 0) -> bytes:
    out = np.full(DIGEST + 8, 7, np.uint8)
    sha256(array(data), start, len(data), work_array(), out, 4)
    assert (np.concatenate([out[:4], out[-4:]]) == 7).all()
    return out[4:-4].tobytes()


def test_every_length_of_two_blocks() -> None:
    """Every place the padding may fall gives the standard library's digest."""
    for length in range(2 * BLOCK + 2):
        data = bytes(range(length))
        assert digest(data) == hashlib.sha256(data).digest()


@settings(deadline=None)
@given(st.binary(max_size=1_000), st.integers(0, 20))
def test_any_bytes(data: bytes, start: int) -> None:
    """Any bytes from any place give the standard library's digest."""
    start = min(start, len(data))
    assert digest(data, start) == hashlib.sha256(data[start:]).digest()


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 119, 120, 200])
def test_hmac_in_steps(length: int) -> None:
    """The steps make an HMAC (RFC 2104), with the state laid aside between."""
    key, data = bytes(range(20)), bytes(length)
    work, out = work_array(), np.zeros(DIGEST, np.uint8)
    begin_sha256(work)
    outer = bytes(b ^ 0x5C for b in key.ljust(BLOCK, b"\0"))
    assert absorb_blocks(work, array(outer), 0, BLOCK) == BLOCK
    aside = work[STATE:].copy()
    begin_sha256(work)
    absorb_blocks(work, array(bytes(b ^ 0x36 for b in key.ljust(BLOCK, b"\0"))), 0, BLOCK)
    end_sha256(work, array(data), 0, length, BLOCK + length, out, 0)
    work[STATE:] = aside
    end_sha256(work, out, 0, DIGEST, BLOCK + DIGEST, out, 0)
    assert out.tobytes() == hmac.digest(key, data, "sha256")


@pytest.mark.uncompiled
@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=20)
def test_uncompiled_digests(data: bytes) -> None:
    """The same source gives the same digests without the compiler."""
    assert digest(data) == hashlib.sha256(data).digest()
