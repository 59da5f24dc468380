"""Certificates of every form, whole, cut and damaged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import CERTIFICATE_AT, CERTIFICATE_MAX, ISSUER_AT, JA4_AT
from capture.protocols.x509 import read_certificate
from tests.capture.der import (
    BMP,
    COMMON_NAME,
    ORGANIZATION,
    PRINTABLE,
    TELETEX,
    UNIVERSAL,
    UTF8,
    alternative,
    certificate,
    common,
    name,
)
from tests.capture.packets import small_sensor

pytestmark = pytest.mark.uncompiled

TABLE = small_sensor().table
ISSUER = common(b"An Issuing CA 1", PRINTABLE)
NOBODY = name((ORGANIZATION, UTF8, b"Nobody"))


def told(made: bytes) -> tuple[int, str, str]:
    """What was read: outcome, subject and issuer."""
    flow = TABLE.flows[0]
    flow.certificate_len = flow.issuer_len = 0
    TABLE.slots[:2] = 7
    outcome = read_certificate(TABLE, np.frombuffer(made, np.uint8), 0, len(made), 0)
    assert (TABLE.slots[0, :CERTIFICATE_AT] == 7).all()
    assert (TABLE.slots[0, JA4_AT:] == 7).all()
    assert flow.certificate_len <= CERTIFICATE_MAX
    assert flow.issuer_len <= CERTIFICATE_MAX
    slot = TABLE.slots[0].tobytes()
    subject = slot[CERTIFICATE_AT : CERTIFICATE_AT + int(flow.certificate_len)].decode()
    return outcome, subject, slot[ISSUER_AT : ISSUER_AT + int(flow.issuer_len)].decode()


@pytest.mark.parametrize("version", [True, False])
def test_common_names(version: bool) -> None:
    """Subject and issuer are told by common name, the subject in small letters, of version 1 and 3."""
    made = certificate(common(b"WWW.Example.ORG"), ISSUER, alternative([b"b.example"]), version=version)
    assert told(made) == (1, "www.example.org", "An Issuing CA 1")


def test_the_most_specific_common_name() -> None:
    """Of several common names the last is told."""
    subject = name((COMMON_NAME, UTF8, b"first"), (COMMON_NAME, UTF8, b"last"))
    assert told(certificate(subject, ISSUER))[1] == "last"


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("subject", [name(), NOBODY, common(b"")])
def test_without_a_common_name(subject: bytes, critical: bool) -> None:
    """A subject without a common name is told by the first DNS name, behind addresses."""
    names = alternative([b"a.example", b"b.example"], critical=critical)
    assert told(certificate(subject, ISSUER, names))[1] == "a.example"
    assert told(certificate(subject, NOBODY)) == (1, "", "")


@pytest.mark.parametrize(
    ("tag", "text", "read"),
    [
        (UTF8, "Bücher & Söhne".encode(), "bücher & söhne"),
        (BMP, "Bücher €".encode("utf-16-be"), "bücher €"),
        (UNIVERSAL, "Zoë 🎒".encode("utf-32-be"), "zoë 🎒"),
        (TELETEX, b"caf\xe9", "caf\\233"),
        (UTF8, b"two\nlines", "two\\010lines"),
        (BMP, b"\0\n\0\x85\xd8\0\0a", "\\010\\133\\000a"),
        (UTF8, b"x" * 200, "x" * CERTIFICATE_MAX),
        (BMP, b"\x20\xac" * 60, "€" * (CERTIFICATE_MAX // 3)),
    ],
)
def test_kinds_of_text(tag: int, text: bytes, read: str) -> None:
    """Each kind of string becomes UTF-8; what is no character is escaped; long ones end early."""
    assert told(certificate(common(text, tag), ISSUER))[1] == read


def test_a_certificate_that_was_cut() -> None:
    """However much is missing, a name is told whole or not at all."""
    made = certificate(common(b"www.example.org"), ISSUER)
    seen = {told(made[:end])[1:] for end in range(len(made))}
    assert seen == {("", ""), ("", "An Issuing CA 1"), ("www.example.org", "An Issuing CA 1")}


def test_not_beside_a_location() -> None:
    """A flow that told a Location has no certificate: their text shares its place."""
    TABLE.flows[0].location_len = 9
    assert told(certificate(common(b"www.example.org"), ISSUER)) == (0, "", "")
    TABLE.flows[0].location_len = 0


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_bytes_are_read_within_bounds(data: st.DataObject) -> None:
    """Whatever lengths a certificate claims, nothing outside it is read and no text outgrows its place."""
    names = alternative([b"a.example"])
    made = bytearray(
        certificate(data.draw(st.sampled_from([NOBODY, common(b"n")])), ISSUER, names, key_bytes=9)
    )
    for _ in range(data.draw(st.integers(0, 6))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.sampled_from([0, 1, 0x30, 0x84, 0xFF]))
    assert told(bytes(made[: data.draw(st.integers(0, len(made)))]))[0] in (0, 1)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise(data: bytes) -> None:
    """Bytes that are no certificate give no names."""
    assert told(data)[1:] == ("", "")
