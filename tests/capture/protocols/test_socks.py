"""SOCKS: targets, and what stands behind them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.outcomes import DONE, NOT
from capture.protocols.socks import read_socks, read_socks_answer
from tests.capture.packets import ACK, SECOND, Conversation, client_hello, rows_of, server_hello
from tests.capture.protocols.streams import fresh_flow, octets, read

NAMED = b"\x05\1\0\3\x0ewww.target.org\1\xbb"
GRANTED = b"\x05\0\0\1\0\0\0\0\0\0"
GREETING, CHOSEN = b"\x05\2\0\2", b"\x05\2"
LOGIN = b"\1\4user\4word"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (b"\x05\1\0" + NAMED, "www.target.org"),
        (GREETING + LOGIN + NAMED, "www.target.org"),
        (b"\x05\1\0\x05\1\0\1\xc0\0\2\7\0\x50", "192.0.2.7"),
        (b"\x05\1\0\x05\1\0\4" + bytes.fromhex("20010db8") + bytes(11) + b"\7\0\x50", "[2001:db8::7]"),
        (b"\x05\1\0\x05\3\0\1\0\0\0\0\0\0", ""),
        (b"\x05\1\0\x05\xf0\0\3\x06a.test\0\0", "a.test"),
        (b"\4\1\0\x50\xc0\0\2\7user\0", "192.0.2.7"),
        (b"\4\1\1\xbb\0\0\0\1\0www.target.org\0", "www.target.org"),
        (b"\4\1\1\xbb\0\0\0\1user\0www.target.org\0", "www.target.org"),
    ],
)
@pytest.mark.parametrize("size", [999, 1, 5])
def test_targets(asked: bytes, name: str, size: int) -> None:
    """The target is the flow's name, in any segments, on any port."""
    talk = Conversation(dport=9_999, step=1_000).open()
    for at in range(0, len(asked), size):
        talk.up(ACK, asked[at : at + size])
    row = rows_of(talk.packets).flow
    assert (row["application"], row["server_name"]) == ("socks", name)
    assert row["name_source"] == ("http" if name else "none")


@pytest.mark.parametrize("pause", [0, 10])
@pytest.mark.parametrize("version", [4, 5])
def test_hellos_inside(version: int, pause: int) -> None:
    """The name in the tunnelled hello wins; the hellos of both sides are read, after a pause too."""
    talk = Conversation(dport=1_080).open()
    if version == 5:
        exchanges = [(GREETING, CHOSEN), (LOGIN, b"\1\0"), (NAMED, GRANTED)]
    else:
        exchanges = [(b"\4\1\1\xbb\xc0\0\2\7\0", b"\0\x5a" + bytes(6))]
    for asked, answered in [*exchanges, (client_hello(b"inner.example"), server_hello())]:
        talk.up(ACK, asked).down(ACK, answered)
        talk.ts += pause * SECOND
    row = rows_of(talk.packets, idle_tcp_s=600).flows[-1]
    assert (row["server_name"], row["name_source"], row["hello"]) == ("inner.example", "sni", 3)
    assert (row["application"], row["tls_version"]) == ("socks", "1.3")


def test_a_request_inside() -> None:
    """A tunnelled HTTP request names the flow by its host."""
    talk = Conversation(dport=1_080).open().up(ACK, b"\x05\1\0").down(ACK, b"\x05\0")
    talk.up(ACK, b"\x05\1\0\1\xc0\0\2\7\0\x50").down(ACK, GRANTED)
    talk.up(ACK, b"GET / HTTP/1.1\r\nHost: page.example\r\n\r\n").down(ACK, b"HTTP/1.1 403 No\r\n\r\n")
    row = rows_of(talk.packets).flow
    assert (row["server_name"], row["http_status"], row["application"]) == ("page.example", 403, "socks")


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    "data",
    [
        b"\x05\0",
        b"\x05\x0b" + bytes(11),
        b"\x05\1\x40",
        b"\x05\1\0\x05\1\1\3",
        b"\4\3\0\x50" + bytes(9),
        b"\4\1\0\0\1\2\3\4\0",
        b"\4\1\0\x50\1\2\3\4\7\0",
        b"\x05\1\0\x05\1\0\2ab",
    ],
)
def test_what_is_no_socks(data: bytes) -> None:
    """Other bytes that begin with 4 or 5 are not taken for it."""
    fresh_flow()
    assert read(read_socks, data) == NOT


@pytest.mark.uncompiled
def test_an_answer_without_a_question() -> None:
    """Where no client spoke SOCKS, only a full exchange is taken for an answer; a refusal ends it."""
    fresh_flow()
    assert read(read_socks_answer, b"\0\x5a" + bytes(6)) == NOT
    assert read(read_socks_answer, b"\x05\0") == NOT
    fresh_flow("socks")
    assert read(read_socks_answer, b"\0\x5b" + bytes(6)) == DONE
    assert read(read_socks_answer, CHOSEN + b"\1\0\x05\2\0\1" + bytes(6)) == DONE


@pytest.mark.uncompiled
@settings(max_examples=300)
@given(
    octets(GREETING, LOGIN, NAMED, GRANTED, CHOSEN, b"\4\1\0\x50"),
    st.booleans(),
    st.sampled_from(["", "socks"]),
)
def test_any_bytes_are_read_within_bounds(data: bytes, final: bool, application: str) -> None:
    """No bytes make a reader read outside of them or write outside of the flow's slot."""
    for reader, step in itertools.product((read_socks, read_socks_answer), (0, 3)):
        fresh_flow(application, step=step)
        read(reader, data, final)
