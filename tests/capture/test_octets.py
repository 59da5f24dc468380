"""Readers and text writers: values, limits, escapes, addresses as other programs write them."""

import ipaddress
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.octets import (
    mix,
    mix_octets,
    put_decimal,
    put_ipv4,
    put_ipv6,
    put_mac,
    put_name,
    put_text,
    same,
    u8,
    u16,
    u24,
    u32,
    u48,
    u64,
    utf8_length,
)

pytestmark = pytest.mark.uncompiled


def octets(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@given(st.binary(min_size=12, max_size=12), st.integers(0, 4))
def test_integers_are_big_endian(data: bytes, at: int) -> None:
    """Each reader gives the integer that the network order says, the widest as signed bits."""
    for reader, size in ((u8, 1), (u16, 2), (u24, 3), (u32, 4), (u48, 6)):
        assert reader(octets(data), at) == int.from_bytes(data[at : at + size], "big")
    assert u64(octets(data), at) == int.from_bytes(data[at : at + 8], "big", signed=True)


def written(put, *what, room: int = 64, limit: int | None = None) -> bytes:  # type: ignore[no-untyped-def]
    """What a writer wrote at offset 3, having left alone what lies before and behind."""
    limit = room if limit is None else limit
    out = np.full(room + 8, 250, np.uint8)
    behind = put(out, 3, 3 + limit, *what)
    assert 3 <= behind <= 3 + limit
    assert (out[:3] == 250).all()
    assert (out[3 + limit :] == 250).all()
    return bytes(out[3:behind])


@given(st.binary(max_size=40), st.integers(0, 64))
def test_names(data: bytes, limit: int) -> None:
    """Names are lower case and printable; a shorter limit gives a shorter text, never another."""
    full = written(put_name, octets(data), 0, len(data), room=200)
    body = data[:-1] if data.endswith(b".") else data
    spelt = "".join(chr(octet).lower() if 32 < octet < 127 else f"\\{octet:03d}" for octet in body)
    assert full.decode() == spelt
    assert full.startswith(written(put_name, octets(data), 0, len(data), limit=limit))


@given(st.text(max_size=30), st.integers(0, 64))
def test_text(text: str, limit: int) -> None:
    """Text stays as it is but for control characters; a limit never cuts a character in two."""
    data = text.encode()
    full = written(put_text, octets(data), 0, len(data), room=400).decode()
    plain = "".join(
        "".join(f"\\{octet:03d}" for octet in char.encode())
        if ord(char) < 32 or 127 <= ord(char) < 160
        else char
        for char in text
    )
    # The second octet of an escaped C1 character is no character of its own.
    assert full == plain
    assert full.startswith(written(put_text, octets(data), 0, len(data), limit=limit).decode())


@given(st.binary(max_size=40))
def test_any_bytes_become_utf8(data: bytes) -> None:
    """Whatever the bytes, the text is valid UTF-8 without control characters."""
    text = written(put_text, octets(data), 0, len(data), room=200).decode()
    assert all(ord(char) >= 32 and not 127 <= ord(char) < 160 for char in text)


@given(st.binary(min_size=1, max_size=6))
def test_utf8_sequences_are_pythons(data: bytes) -> None:
    """A sequence is valid exactly where Python decodes it to one character (RFC 3629)."""
    length = utf8_length(octets(data), 0, len(data))
    valid = [n for n in range(1, min(4, len(data)) + 1) if _is_one(data[:n])]
    assert length == (valid[0] if valid else 0)


def _is_one(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


@given(st.integers(0, 2**63 - 1), st.integers(0, 25))
def test_decimals(number: int, limit: int) -> None:
    """A number that does not fit is left out whole."""
    if number >= 10**18:
        number //= 10
    text = str(number).encode()
    assert written(put_decimal, number, limit=limit) == (text if len(text) <= limit else b"")


@given(st.ip_addresses(v=4))
def test_ipv4(address: ipaddress.IPv4Address) -> None:
    """Addresses are dotted quads."""
    assert written(put_ipv4, octets(address.packed), 0).decode() == str(address)


@given(st.ip_addresses(v=6))
def test_ipv6(address: ipaddress.IPv6Address) -> None:
    """Addresses are as RFC 5952 and Python write them, mapped ones as IPv4."""
    told = str(address.ipv4_mapped or address)
    assert written(put_ipv6, octets(address.packed), 0).decode() == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("::", "::"),
        ("::1", "::1"),
        ("1::", "1::"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_ipv6_forms(text: str, told: str) -> None:
    """The longest run of zeros, the first of equals, is left out; mapped addresses are IPv4."""
    data = octets(ipaddress.IPv6Address(text).packed)
    assert written(put_ipv6, data, 0).decode() == told
    assert written(put_ipv6, data, 0, limit=6).decode() in ("", told[:6])


def test_ipv6_of_random_zeros() -> None:
    """Addresses with many zero groups, which random ones lack, are Python's text, too."""
    chance = random.Random(1)
    for _ in range(2_000):
        groups = [chance.choice((0, 0, 1, 0xAB)) for _ in range(8)]
        packed = b"".join(group.to_bytes(2, "big") for group in groups)
        assert written(put_ipv6, octets(packed), 0).decode() == str(ipaddress.IPv6Address(packed))


def test_macs() -> None:
    """A MAC is six pairs, or nothing where it does not fit."""
    assert written(put_mac, 0x02AB00FF0109) == b"02:ab:00:ff:01:09"
    assert written(put_mac, 0x02AB00FF0109, limit=16) == b""


def test_runs_are_compared() -> None:
    """Runs are the same if all bytes are."""
    a, b = octets(b"xabcy"), octets(b"abcd")
    assert same(a, 1, b, 0, 3)
    assert not same(a, 1, b, 0, 4)
    assert same(a, 0, b, 0, 0)


def test_hashes_differ_and_repeat() -> None:
    """Keyed hashes repeat, depend on every byte, the length and the key, and spread over small tables."""
    data = octets(bytes(range(40)))
    base = mix_octets(np.int64(5), data, 0, 40)
    assert base == mix_octets(np.int64(5), data.copy(), 0, 40)
    others = [mix_octets(np.int64(5), data, 0, n) for n in range(40)]
    others += [mix_octets(np.int64(6), data, 0, 40)]
    for i in range(40):
        changed = data.copy()
        changed[i] ^= 1
        others.append(mix_octets(np.int64(5), changed, 0, 40))
    assert len({int(h) for h in others}) == 81
    assert base not in others
    filled = {int(mix(np.int64(n))) & 1_023 for n in range(10_000)}
    assert len(filled) == 1_024
