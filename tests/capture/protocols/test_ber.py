"""LDAP, SNMP and Kerberos by their outer elements."""

import pytest

from tests.capture.applications import of_client, of_datagram, of_server


def element(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body


def number(value: int) -> bytes:
    return element(2, bytes([value]))


BIND = element(0x30, number(1), element(0x60, number(3), element(4, b"cn=me"), element(0x80, b"secret")))
SEARCH = element(0x30, number(2), element(0x63, element(4, b"dc=school"), element(10, b"\0"), b"x" * 200))
DONE = element(0x30, number(1), element(0x61, element(10, b"\0"), element(4), element(4)))
UNBIND = element(0x30, number(3), element(0x42))
SNMP_2C = element(0x30, number(1), element(4, b"public"), element(0xA0, number(1), number(0), number(0)))
SNMP_3 = element(0x30, number(3), element(0x30, number(1), number(9)), element(4, b"engine"))
AS_REQUEST = element(0x6A, element(0x30, element(0xA1, number(5)), element(0xA2, number(10))))
ERROR = element(0x7E, element(0x30, element(0xA0, number(5)), element(0xA1, number(30))))


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
        element(0x30, element(4, b"no number first")),
        element(0x30, number(1), element(0x04, b"public"), element(0x30, number(1))),
        element(0x30, number(9), element(0x30, number(1))),
        element(0x6A, element(0x30, element(0xA1, number(4)))),
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
