"""Tor by three made-up names."""

import pytest

from tests.capture.applications import DOWN, UP, of_stream
from tests.capture.der import certificate, certificate_message, common
from tests.capture.packets import client_hello, server_hello, tls_records

ASKED, SUBJECT, ISSUER = b"www.q3v7x5kd2a.com", b"www.m2n4o6p7.net", b"www.abcdefgh234567.com"


def talk(asked: bytes | None, subject: bytes, issuer: bytes) -> list[tuple[bool, bytes]]:
    """A client's hello, and a server's with a certificate, in TLS 1.2."""
    shown = tls_records(certificate_message(certificate(common(subject), common(issuer))))
    hello = server_hello(0x0303)
    # The hello alone: what follows it there is an empty certificate.
    return [(UP, client_hello(asked)), (DOWN, hello[:3] + b"\0\x2a" + hello[5:47] + shown)]


def test_three_names() -> None:
    """Asked for, subject and issuer are made up, each of another name: Tor, on any port."""
    assert of_stream(*talk(ASKED, SUBJECT, ISSUER)) == "tor"


@pytest.mark.parametrize(
    ("asked", "subject", "issuer"),
    [
        (None, SUBJECT, ISSUER),
        (b"www.example.org", SUBJECT, ISSUER),
        (b"www.with-hyphen.com", SUBJECT, ISSUER),
        (b"www.abc.com", SUBJECT, ISSUER),
        (b"www.eight8888.com", SUBJECT, ISSUER),
        (ASKED, b"www.m2n4o6p7.com", ISSUER),
        (ASKED, SUBJECT, b"An Issuing CA"),
        (ASKED, SUBJECT, ASKED),
    ],
)
def test_two_are_not_enough(asked: bytes | None, subject: bytes, issuer: bytes) -> None:
    """One name that could be anybody's, and it is TLS."""
    assert of_stream(*talk(asked, subject, issuer)) == "tls"
