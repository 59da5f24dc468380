"""Hellos of SSL 2.0, from clients that knew later versions too."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.sslv2 import read_ssl2
from tests.capture.der import certificate, common
from tests.capture.packets import ACK, PSH, Conversation, rows_of, small_sensor

TABLE = small_sensor().table


def client(version: int = 0x0301, specs: int = 9, session: int = 0, challenge: int = 16) -> bytes:
    """A CLIENT-HELLO."""
    body = struct.pack("!BHHHH", 1, version, specs, session, challenge) + bytes(specs + session + challenge)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def server(made: bytes = certificate(common(b"www.example.org"), common(b"An Issuer"))) -> bytes:
    """A SERVER-HELLO with a certificate."""
    body = struct.pack("!BBBHHHH", 4, 0, 1, 2, len(made), 3, 16) + made + bytes(19)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def read(data: bytes, final: int = 0) -> int:
    return int(read_ssl2(TABLE, np.frombuffer(data, np.uint8), 0, len(data), final, 0))


@pytest.mark.parametrize(
    ("version", "told"), [(0x0002, "ssl2"), (0x0300, "ssl3"), (0x0301, "1.0"), (0x0303, "1.2")]
)
def test_clients(version: int, told: str) -> None:
    """The hello is TLS, and its version the highest that the client knows."""
    row = rows_of(Conversation().open().up(ACK | PSH, client(version)).packets).flow
    assert [row[n] for n in ("application", "hello", "tls_version", "ja4")] == ["tls", 1, told, ""]


def test_a_conversation_of_old() -> None:
    """The server's answer settles on SSL 2.0 and shows its certificate, in several segments too."""
    answer = server()
    talk = Conversation().open().up(ACK | PSH, client(2)).down(ACK, answer[:400]).down(ACK, answer[400:])
    row = rows_of(talk.packets).flow
    names = ("hello", "tls_version", "certificate", "issuer")
    assert [row[n] for n in names] == [11, "ssl2", "www.example.org", "An Issuer"]


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    "made",
    [
        client(0x0505),
        client(specs=0),
        client(specs=8),
        client(session=7),
        client(challenge=8),
        client(challenge=40),
    ],
)
def test_other_protocols(made: bytes) -> None:
    """What breaks a rule of the format is another protocol."""
    assert read(made) == NOT
    assert read(made[:2] + b"\x07" + made[3:]) == NOT


@pytest.mark.uncompiled
def test_more_is_asked_for() -> None:
    """A hello is known by its first nine bytes of content, the certificate is waited for."""
    assert [read(client()[:end]) for end in (1, 6, 7, 10, 11)] == [NOT, NOT, MORE, MORE, DONE]
    assert read(client()[:10], 1) == NOT
    assert [read(server()[:end]) for end in (12, 13, 400, len(server()))] == [MORE, MORE, MORE, DONE]


@pytest.mark.uncompiled
@settings(deadline=None)
@given(st.data())
def test_any_bytes_are_read_within_bounds(data: st.DataObject) -> None:
    """Whatever lengths a hello claims, nothing outside it is read."""
    made = bytearray(data.draw(st.sampled_from([client(), server()])))
    for _ in range(data.draw(st.integers(0, 4))):
        made[data.draw(st.integers(0, 30))] = data.draw(st.integers(0, 255))
    cut = bytes(made[: data.draw(st.integers(0, len(made)))])
    assert read(cut, data.draw(st.integers(0, 1))) in (NOT, DONE, MORE)
