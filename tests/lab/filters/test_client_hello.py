"""Names in the first bytes of a connection, as the lab's own filters read them."""

from __future__ import annotations

import contextlib
import ssl

from hypothesis import given
from hypothesis import strategies as st

from tests.lab.filters import client_hello


def hello(name: str | None) -> bytes:
    """The first record that OpenSSL sends to a server of that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(received, sent, server_hostname=name).do_handshake()
    return sent.read()


def test_the_name_is_read_from_openssl_s_client_hello() -> None:
    """A name that OpenSSL asks for is found, and none where it asks for none."""
    assert client_hello.server_name(hello("one.chatter.example")) == "one.chatter.example"
    assert client_hello.server_name(hello(None)) == ""


def test_a_cut_client_hello_has_no_wrong_name() -> None:
    """Every beginning of a client hello is incomplete and yields the name or nothing."""
    whole = hello("one.chatter.example")
    assert client_hello.complete(whole)
    for length in range(1, len(whole)):
        assert not client_hello.complete(whole[:length])
        assert client_hello.server_name(whole[:length]) in ("", "one.chatter.example")


def test_the_host_of_a_request_is_read() -> None:
    """The Host field counts in any case, without its port, and only in the head."""
    assert client_hello.host(b"GET / HTTP/1.1\r\nhOsT: A.example:80\r\n\r\n") == "a.example"
    assert client_hello.host(b"POST / HTTP/1.1\r\nA: b\r\n\r\nHost: c.example\r\n") == ""


@given(st.binary(max_size=400))
def test_any_bytes_are_read(data: bytes) -> None:
    """Nothing raises, whatever a client sends first."""
    client_hello.complete(data)
    assert isinstance(client_hello.server_name(b"\x16\x03\x01" + data), str)
    assert isinstance(client_hello.host(data), str)


def test_a_suffix_is_whole_labels() -> None:
    """A name is under itself and its parents, not under a text that it merely ends in."""
    assert client_hello.is_under("chatter.example", ("chatter.example",))
    assert client_hello.is_under("a.chatter.example", ("chatter.example",))
    assert not client_hello.is_under("notchatter.example", ("chatter.example",))
