"""The odd sites: each behaviour over a real connection."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.filters.odd_sites import ALERT_UNRECOGNIZED_NAME, PAGES, Sites
from tests.lab.filters.scenario import PAGE_MARK
from tests.lab.filters.test_client_hello import hello

NEVER_USED = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@contextmanager
def served(kind: str, *, secure: bool, some: bool = False) -> Iterator[tuple[str, int]]:
    """The address of a site of that kind, for one connection."""
    sites = Sites(kind, some, NEVER_USED, NEVER_USED)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            sites.answer(server.accept()[0], secure)

        serving = threading.Thread(target=once)
        serving.start()
        yield server.getsockname()
        serving.join()


def get(address: tuple[str, int], name: str) -> tuple[int, str | None, bytes]:
    """Status, mark in the header and body of a page over plain HTTP."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request("GET", "/", headers={"Host": name})
    answer = connection.getresponse()
    said = answer.status, answer.getheader("X-Lab"), answer.read()
    connection.close()
    return said


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_has_its_status_its_size_and_the_mark(kind: str) -> None:
    """Whatever the status, the answer is marked as the site's own."""
    with served(kind, secure=False) as address:
        status, mark, body = get(address, "one.chatter.example")
    assert (status, len(body)) == PAGES[kind]
    assert mark == PAGE_MARK
    assert not body or PAGE_MARK.encode() in body


def test_a_refusing_site_resets() -> None:
    """The client hello is answered with a reset."""
    with served("refusing", secure=True) as address, socket.create_connection(address, 10) as client:
        client.sendall(hello("one.chatter.example"))
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_site_that_knows_no_such_name_says_so() -> None:
    """The client hello is answered with the alert of RFC 6066, and then the end."""
    with served("unknown", secure=True) as address, socket.create_connection(address, 10) as client:
        client.sendall(hello("one.chatter.example"))
        assert client.recv(100) == ALERT_UNRECOGNIZED_NAME
        assert client.recv(100) == b""


def test_some_names_are_served_well() -> None:
    """With `some`, a name that ends in an odd digit gets the ordinary page of a sick server."""
    with served("error", secure=False, some=True) as address:
        assert get(address, "a-1.chatter.example")[0] == 200
    with served("error", secure=False, some=True) as address:
        assert get(address, "a-2.chatter.example")[0] == 500


def test_a_client_that_leaves_ends_its_connection_only() -> None:
    """A connection without a word is no error."""
    with served("large", secure=True) as address:
        socket.create_connection(address, 10).close()
