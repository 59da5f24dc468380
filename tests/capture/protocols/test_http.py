"""HTTP/1 heads: hosts in the forms they come in, responses, what only begins like a request."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import FLOW, SLOT
from capture.protocols.http import METHOD_LENGTHS, is_response, method_of, request, response
from pipeline.records import HTTP_METHODS
from tests.capture.packets import ACK, PSH, Conversation, rows_of


def flow_of(asked: bytes, answered: bytes = b"") -> dict[str, Any]:
    """The row of a connection to port 80 with these bytes each way."""
    talk = Conversation(dport=80).open().up(ACK | PSH, asked)
    if answered:
        talk.down(ACK | PSH, answered)
    return rows_of(talk.packets).flow


@pytest.mark.parametrize(
    ("head", "host"),
    [
        (b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n", "www.example.org"),
        (b"GET / HTTP/1.1\r\nhost:WWW.Example.ORG.\r\n\r\n", "www.example.org"),
        (b"GET / HTTP/1.1\r\nHOST: \t www.example.org \t\r\n\r\n", "www.example.org"),
        (b"GET / HTTP/1.1\r\nHost: www.example.org:8080\r\n\r\n", "www.example.org"),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", "[2001:db8::1]"),
        (b"GET / HTTP/1.1\r\nHost: 192.0.2.80\r\n\r\n", "192.0.2.80"),
        (b"GET / HTTP/1.1\nHost: lines.example\n\n", "lines.example"),
        (
            b"GET / HTTP/1.1\r\nX-Host: wrong\r\nHostile: wrong\r\nHost: right.example\r\n\r\n",
            "right.example",
        ),
        (b"GET / HTTP/1.1\r\nHost: first.example\r\nHost: second.example\r\n\r\n", "first.example"),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", ""),
        (b"GET / HTTP/1.0\r\n\r\nHost: in.the.body\r\n\r\n", ""),
        (b"GET http://proxied.example/path HTTP/1.1\r\nHost: other.example\r\n\r\n", "proxied.example"),
        (b"GET http://user:pass@proxied.example:81/?a=@b HTTP/1.0\r\n\r\n", "proxied.example"),
        (b"CONNECT tunnel.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n", "tunnel.example"),
        (b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n", "[2001:db8::1]"),
        (b"OPTIONS * HTTP/1.1\r\nHost: star.example\r\n\r\n", "star.example"),
        (b"GET /http://not.example/ HTTP/1.1\r\nHost: path.example\r\n\r\n", "path.example"),
        (b"GET //not.example/ HTTP/1.1\r\nHost: slashes.example\r\n\r\n", "slashes.example"),
        (b"GET /a path with spaces HTTP/1.0.8\r\nHost: odd.example\r\n\r\n", "odd.example"),
        (b"GET / HTTP/1.1\r\nHost: b\xc3\xbccher.example\r\n\r\n", "b\\195\\188cher.example"),
        (b"GET / HTTP/1.1\r\nHost: " + b"x" * 400 + b"\r\n\r\n", "x" * 255),
        (b"GET / HTTP/1.1\r\nHost: cut.off", ""),
    ],
)
def test_forms_of_the_host(head: bytes, host: str) -> None:
    """The host is lower case, without port, and comes from the request's target where that names one."""
    row = flow_of(head)
    assert row["server_name"] == host
    assert row["name_source"] == ("http" if host else "none")
    assert row["application"] == "http"
    assert row["http_method"] == head.split(b" ")[0].decode()


@pytest.mark.parametrize("method", HTTP_METHODS[1:])
def test_methods(method: str) -> None:
    """Each method of the table is told."""
    assert flow_of(f"{method} / HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())["http_method"] == method


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 80), max_size=6, unique=True))
def test_a_split_head(places: list[int]) -> None:
    """A request in several segments, split anywhere, is read as one."""
    head = b"GET /some/path HTTP/1.1\r\nUser-Agent: none\r\nHost: split.example\r\nAccept: */*\r\n\r\n"
    talk = Conversation(dport=80, step=1_000).open()
    edges = [0, *sorted(p for p in places if p < len(head)), len(head)]
    for low, high in itertools.pairwise(edges):
        talk.up(ACK, head[low:high])
    row = rows_of(talk.packets).flow
    assert (row["server_name"], row["http_method"]) == ("split.example", "GET")


@pytest.mark.parametrize(
    ("text", "application"),
    [
        (b"GET out of here\r\n", ""),
        (b"PUT x\r\n\r\n", ""),
        (b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", "sip"),
        (b"GETTING / HTTP/1.1\r\n\r\n", "http"),
    ],
)
def test_what_only_begins_like_a_request(text: bytes, application: str) -> None:
    """A method alone is no request: no method, no name."""
    row = flow_of(text)
    assert (row["http_method"], row["server_name"], row["application"]) == ("", "", application)


@pytest.mark.parametrize(
    ("head", "status", "location"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, ""),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", 404, ""),
        (b"HTTP/1.1 302 Found\r\nLocation: https://block.example/page?u=http://x.example/\r\n\r\n", 302,
         "block.example"),
        (b"HTTP/1.1 302 Found\r\nlocation:http://BLOCK.example:8080?x\r\n\r\n", 302, "block.example"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login?next=http://wrong.example/\r\n\r\n", 302, ""),
        (b"HTTP/1.1 302 Found\r\nLocation: //same.example/x\r\n\r\n", 302, "same.example"),
        (b"HTTP/1.1 302 Found\r\nLocation: login?u=http://wrong.example\r\n\r\n", 302, ""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://user@block.example/\r\n\r\n", 302, "block.example"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[2001:db8::2]:80/\r\n\r\n", 302, "[2001:db8::2]"),
        (b"HTTP/1.1 302 Found\r\nLocation: mailto:a@b.example\r\n\r\n", 302, ""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://" + b"x" * 300 + b"/\r\n\r\n", 302, "x" * 224),
        (b"HTTP/1.1 302 Found\r\nLocation: http://cut.off", 302, ""),
        (b"HTTP/1.1 abc Odd\r\n\r\n", None, ""),
        (b"HTTP/1.1 30", None, ""),
    ],
)  # fmt: skip
def test_responses(head: bytes, status: int | None, location: str) -> None:
    """Status and the Location's host come from the first response; a path alone names no host."""
    row = flow_of(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", head)
    assert (row["http_status"], row["http_location"]) == (status, location)


def test_the_first_request_names_the_flow() -> None:
    """A later request on the same connection changes nothing."""
    talk = Conversation(dport=80).open().up(ACK, b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
    talk.down(ACK, b"HTTP/1.1 200 OK\r\n\r\n").up(ACK, b"POST / HTTP/1.1\r\nHost: two.example\r\n\r\n")
    talk.down(ACK, b"HTTP/1.1 500 No\r\n\r\n")
    row = rows_of(talk.packets).flow
    assert (row["server_name"], row["http_method"], row["http_status"]) == ("one.example", "GET", 200)


@pytest.mark.uncompiled
@settings(max_examples=400)
@given(
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b"GET / HTTP/1.1\r\nHost: ", b"CONNECT ", b"HTTP/1.1 302 x\r\nLocation: ", b"HTTP/1.1 "]
    ),
    st.binary(max_size=40),
    st.booleans(),
)
def test_any_bytes_are_read_within_bounds(before: bytes, text: bytes, behind: bytes, final: bool) -> None:
    """No bytes make a parser read outside of them or write outside of the flow's slot."""
    data = (text + before + behind) if final else (before + text + behind)
    buf = np.frombuffer(data, np.uint8)
    slot = np.full(SLOT + 64, 7, np.uint8)
    flow = np.zeros(1, FLOW).view(np.recarray)[0]
    assert -1 <= method_of(buf, 0, len(data)) < len(METHOD_LENGTHS)
    request(buf, 0, len(data), final, slot, flow)
    if is_response(buf, 0, len(data)):
        response(buf, 0, len(data), slot, flow)
    assert (slot[SLOT:] == 7).all()
    assert 0 <= flow.name_len <= 255
    assert 0 <= flow.location_len <= 224
