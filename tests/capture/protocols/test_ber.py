"""Elements of the basic encoding, and LDAP, SNMP and Kerberos by their outer ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.protocols.ber import element
from tests.capture.applications import of_client, of_datagram, of_server


def made(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body


def number(value: int) -> bytes:
    return made(2, bytes([value]))


BIND = made(0x30, number(1), made(0x60, number(3), made(4, b"cn=me"), made(0x80, b"secret")))
SEARCH = made(0x30, number(2), made(0x63, made(4, b"dc=school"), made(10, b"\0"), b"x" * 200))
DONE = made(0x30, number(1), made(0x61, made(10, b"\0"), made(4), made(4)))
UNBIND = made(0x30, number(3), made(0x42))
SNMP_2C = made(0x30, number(1), made(4, b"public"), made(0xA0, number(1), number(0), number(0)))
SNMP_3 = made(0x30, number(3), made(0x30, number(1), number(9)), made(4, b"engine"))
AS_REQUEST = made(0x6A, made(0x30, made(0xA1, number(5)), made(0xA2, number(10))))
ERROR = made(0x7E, made(0x30, made(0xA0, number(5)), made(0xA1, number(30))))


@pytest.mark.parametrize("message", [BIND, SEARCH, UNBIND])
def test_ldap(message: bytes) -> None:
    """A message number and an operation, over TCP and, as domain controllers ask, over UDP."""
    assert of_client(message) == "ldap"
    assert of_datagram(message) == "ldap"


def test_ldap_of_the_server() -> None:
    """A server's answer alone tells."""
    assert of_server(DONE) == "ldap"


@pytest.mark.parametrize("message", [SNMP_2C, SNMP_3])
def test_snmp(message: bytes) -> None:
    """A version and a community, or a version and a header."""
    assert of_datagram(message) == "snmp"


@pytest.mark.parametrize("message", [AS_REQUEST, ERROR])
def test_kerberos(message: bytes) -> None:
    """Protocol version 5 at its place, over UDP and, behind a length, over TCP."""
    assert of_datagram(message) == "kerberos"
    assert of_client(len(message).to_bytes(4, "big") + message) == "kerberos"


@pytest.mark.parametrize(
    "message",
    [
        BIND[:-1],
        made(0x30, made(4, b"no number first")),
        made(0x30, number(1), made(0x04, b"public"), made(0x30, number(1))),
        made(0x30, number(9), made(0x30, number(1))),
        made(0x6A, made(0x30, made(0xA1, number(4)))),
        b"\x30\x85\x01\x01\x01\x01\x01" + bytes(20),
    ],
)
def test_what_is_not(message: bytes) -> None:
    """A length that is not there, another order of elements, another version: none."""
    assert of_datagram(message) == ""


def test_lengths_on_their_own_ports() -> None:
    """On LDAP's and SNMP's own ports a message that is cut short is one all the same."""
    assert of_client(BIND[:-1], port=389) == "ldap"
    assert of_datagram(SNMP_2C[:-1], port=161) == "snmp"


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x30\2ab", (0x30, 2, 4)),
        (b"\x04\0", (4, 2, 2)),
        (b"\x30\x81\x80", (0x30, 3, 131)),
        (b"\x30\x84\0\0\1\0", (0x30, 6, 262)),
        (b"\x30", (-1, 1, 1)),
        (b"\x30\x80ab", (-1, 4, 4)),
        (b"\x30\x85" + bytes(9), (-1, 11, 11)),
        (b"\x30\x82\1", (-1, 3, 3)),
    ],
)
def test_lengths(data: bytes, expected: tuple[int, int, int]) -> None:
    """Short and long lengths are read, indefinite and endless ones refused."""
    assert element(np.frombuffer(data, np.uint8), 0, len(data)) == expected


@pytest.mark.uncompiled
@given(st.binary(max_size=8))
def test_content_stands_behind_the_head(data: bytes) -> None:
    """The content begins within the bytes at hand, or there is none."""
    tag, start, stop = element(np.frombuffer(data, np.uint8), 0, len(data))
    if tag < 0:
        assert start == stop == len(data)
    else:
        assert 2 <= start <= len(data)
        assert stop >= start
