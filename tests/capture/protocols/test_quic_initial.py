"""Which Initial packets of QUIC are opened, and how often one tries."""

import pytest

from capture.protocols.quic_initial import OPENED, TRIES
from tests.capture.protocols.test_quic import rows, whole
from tests.capture.quic_packets import CID, Exchange, initial


@pytest.mark.compiled
def test_tries_are_bounded() -> None:
    """A flow whose packets can't be deciphered is left alone after a few."""
    bad = bytearray(whole())
    bad[-1] ^= 1
    for before, name in ((TRIES - 1, "www.example.org"), (TRIES, "")):
        talk = Exchange()
        for _ in range(before):
            talk.up(bytes(bad))
        assert rows(talk.up(whole())).flow["server_name"] == name


@pytest.mark.compiled
def test_packets_are_bounded() -> None:
    """A flow that goes on with packets that say nothing, or with new keys, is left alone after some."""
    for before, name in ((OPENED - 1, "www.example.org"), (OPENED, "")):
        talk = Exchange()
        for number in range(before):
            talk.up(initial(b"\x01", number=number & 255))
        assert rows(talk.up(whole())).flow["server_name"] == name
    for before, name in ((TRIES, "www.example.org"), (2 * TRIES, "")):
        talk = Exchange()
        for number in range(before):
            talk.up(initial(b"\x01", dcid=bytes([number] * 8)))
        assert rows(talk.up(whole())).flow["server_name"] == name


def test_short_first_id() -> None:
    """A first connection id of fewer than eight bytes is no client's (RFC 9000, 7.2)."""
    row = rows(Exchange().up(whole(dcid=CID[:7]))).flow
    assert (row["application"], row["server_name"]) == ("quic", "")


def test_first_seen_after_a_retry() -> None:
    """With a token, a first connection id may be as short as the server that sent the Retry likes."""
    row = rows(Exchange().up(whole(dcid=CID[:4], token=b"a token"))).flow
    assert (row["server_name"], row["hello"]) == ("www.example.org", 1)
