"""AES-128, its counter mode and GCM's tag: the standards' vectors, and another implementation."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.aes import ROUND_KEYS, WORDS, cipher_tables, count_blocks, encrypt, expand_key, is_authentic

pytestmark = pytest.mark.uncompiled

TABLES = cipher_tables()


def octets(data: bytes) -> np.ndarray:
    return np.frombuffer(data or b"\0", np.uint8)


def round_keys(key: bytes) -> np.ndarray:
    keys = np.zeros(ROUND_KEYS, np.int64)
    expand_key(TABLES, octets(key), 0, keys)
    return keys


def opened(key: bytes, nonce: bytes, head: bytes, sealed: bytes) -> bytes | None:
    """The plaintext, None if the tag is wrong."""
    keys, words = round_keys(key), np.zeros(WORDS, np.int64)
    end = len(sealed) - 16
    if not is_authentic(
        TABLES, keys, octets(nonce), 0, octets(head), 0, len(head), octets(sealed), 0, end, words
    ):
        return None
    out = np.zeros(end, np.uint8)
    count_blocks(TABLES, keys, octets(nonce), 0, 2, octets(sealed), 0, end, out, 0, words)
    return out.tobytes()


def test_block() -> None:
    """The example of FIPS 197, appendix C.1."""
    words = np.zeros(WORDS, np.int64)
    encrypt(TABLES, round_keys(bytes(range(16))), 0x00112233, 0x44556677, 0x8899AABB, 0xCCDDEEFF, words)
    assert [int(word) for word in words[:4]] == [0x69C4E0D8, 0x6A7B0430, 0xD8CDB780, 0x70B4C55A]


def test_round_keys() -> None:
    """The last round key of FIPS 197, appendix A.1."""
    keys = round_keys(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"))
    assert [int(word) for word in keys[40:]] == [0xD014F9A8, 0xC9EE2589, 0xE13F0CC8, 0xB6630CA6]


@settings(deadline=None, max_examples=25)
@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=12, max_size=12),
    st.binary(max_size=40),
    st.binary(max_size=70),
)
def test_opens_what_another_sealed(key: bytes, nonce: bytes, head: bytes, plain: bytes) -> None:
    """What another implementation sealed is authentic and comes out as it went in."""
    assert opened(key, nonce, head, AESGCM(key).encrypt(nonce, plain, head)) == plain


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=30), st.binary(max_size=40), st.integers(0), st.integers(0, 7))
def test_one_bit_is_noticed(head: bytes, plain: bytes, place: int, bit: int) -> None:
    """One changed bit of head, ciphertext or tag, and nothing is authentic."""
    key, nonce = bytes(range(16)), bytes(12)
    whole = bytearray(head + AESGCM(key).encrypt(nonce, plain, head))
    whole[place % len(whole)] ^= 1 << bit
    assert opened(key, nonce, bytes(whole[: len(head)]), bytes(whole[len(head) :])) is None
