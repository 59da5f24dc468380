"""HTTP/1 heads: hosts in the forms they come in, responses, what only begins like a request."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import LOCATION_AT
from capture.protocols.http import method_of, put_location, read_request, read_response
from capture.protocols.outcomes import BEYOND
from pipeline.records import HTTP_METHODS
from tests.capture.packets import (
    ACK,
    PSH,
    SECOND,
    Conversation,
    client_hello,
    rows_of,
    server_hello,
    small_table,
)
from tests.capture.protocols.streams import FLOW, fresh_flow


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
        (b"\r\nGET / HTTP/1.1\r\nHost: behind.example\r\n\r\n", "behind.example"),
        (b"GET / HTTP/1.1\r\nHost : blank.example\r\n\r\n", "blank.example"),
        (b"GET / HTTP/1.1\r\nHost:\r\n folded.example\r\n\r\n", "folded.example"),
        (b"GET / HTTP/1.1 \r\nHost: trailing.example\r\n\r\n", "trailing.example"),
        (b"GET / HTTP/1.1\r\nHost: two words.example\r\n\r\n", "two\\032words.example"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 9_000 + b"\r\nHost: far.example\r\n\r\n", "far.example"),
    ],
)
def test_forms_of_the_host(head: bytes, host: str) -> None:
    """The host is lower case, without port, and comes from the request's target where that names one."""
    row = flow_of(head)
    assert row["server_name"] == host
    assert row["name_source"] == ("http" if host else "none")
    assert row["application"] == "http"
    assert row["http_method"] == head.split(b" ")[0].decode().strip()


def test_a_method_of_no_table() -> None:
    """A request is one with any method; which, is told of those in the table."""
    row = flow_of(b"BREW /pot HTTP/1.1\r\nHost: coffee.example\r\n\r\n")
    assert (row["http_method"], row["server_name"]) == ("other", "coffee.example")


@pytest.mark.parametrize("method", HTTP_METHODS[1:-1])
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
        (b"GETTING x HTTP/1.1\r\n\r\n", "http"),
        (b"GET / HTTPS/1.1\r\n\r\n", "http"),
        (b"GET /\r\nHost: old.example\r\n\r\n", "http"),
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
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200, ""),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None, ""),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello", 101, ""),
        (b"HTTP/1.1 511 Network Authentication Required\r\n", 511, ""),
        (b"HTTP/1.1 302 Found\nLocation: http://lf.example/\n\n", 302, "lf.example"),
    ],
)  # fmt: skip
def test_responses(head: bytes, status: int | None, location: str) -> None:
    """Status and the Location's host come from the first response; a path alone names no host."""
    row = flow_of(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", head)
    assert (row["http_status"], row["http_location"]) == (status, location)


GET_ONE = b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n"
POST_TWO = b"POST /x HTTP/1.1\r\nAccept: */*\r\nHost: two.example\r\n\r\n"


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str, int | None]]:
    return [(row["server_name"], row["http_method"], row["http_status"]) for row in rows]


@pytest.mark.parametrize("size", [400, 20, 33])
def test_another_host_on_one_connection(size: int) -> None:
    """A later request to another host begins a row of its own, and no packet is counted twice."""
    talk = Conversation(dport=80).open().up(ACK, GET_ONE).down(ACK, b"HTTP/1.1 200 OK\r\n\r\n")
    for at in range(0, len(POST_TWO), size):
        talk.up(ACK, POST_TWO[at : at + size])
    talk.down(ACK, b"HTTP/1.1 451 No\r\n\r\n").up(
        ACK, b"GET /y HTTP/1.1\r\nHost: two.example\r\n\r\n"
    ).close()
    rows = rows_of(talk.packets).flows
    assert told(rows) == [("one.example", "GET", 200), ("two.example", "POST", 451)]
    assert [row["ended"] for row in rows] == ["active", "closed"]
    assert len({row["flow_id"] for row in rows}) == 1
    assert sum(row["packets_up"] + row["packets_down"] for row in rows) == len(talk.packets)
    assert rows[0]["payload_up"] >= len(GET_ONE)
    if size == 400:
        assert rows[0]["payload_up"] == len(GET_ONE)


def test_the_same_host_again() -> None:
    """Later requests to the same host change nothing, and segments sent again bring no old host back."""
    talk = Conversation(dport=80).open().up(ACK, GET_ONE, keep=True).up(ACK, GET_ONE)
    talk.down(ACK, b"HTTP/1.1 200 OK\r\n\r\n").up(ACK, b"PUT / HTTP/1.1\r\nHost: ONE.example\r\n\r\n")
    talk.down(ACK, b"HTTP/1.1 500 No\r\n\r\n").up(ACK, POST_TWO)
    talk.up(ACK, GET_ONE, seq=1_001, keep=True)
    assert told(rows_of(talk.packets).flows) == [("one.example", "GET", 200), ("two.example", "POST", None)]


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("between", [b"", b"\r\n"])
def test_pipelined_requests(opened: bool, between: bytes) -> None:
    """Requests that share a segment each have their host, empty lines between them or not; it counts once."""
    talk = Conversation(dport=80)
    if opened:
        talk.open()
    talk.up(ACK, GET_ONE + between + GET_ONE.replace(b"one", b"ten") + GET_ONE.replace(b"one", b"six"))
    rows = rows_of(talk.packets).flows
    assert [row["server_name"] for row in rows] == ["one.example", "ten.example", "six.example"]
    assert sum(row["packets_up"] + row["packets_down"] for row in rows) == len(talk.packets)
    assert all(row["start"] and row["end"] for row in rows)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 130), max_size=6, unique=True), st.booleans())
def test_a_split_response(places: list[int], backwards: bool) -> None:
    """The final response behind interim ones is read from any segments in any order, Location too."""
    head = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 302 Found\r\nServer: x\r\n"
    head += b"Location: https://there.example/path\r\n\r\nbody"
    talk = Conversation(dport=80, step=1_000).open().up(ACK, GET_ONE)
    edges = [0, *sorted(p for p in places if p < len(head)), len(head)]
    spans = list(itertools.pairwise(edges))
    for low, high in reversed(spans) if backwards else spans:
        talk.down(ACK, head[low:high], seq=9_001 + low, keep=True)
    row = rows_of(talk.packets).flow
    assert (row["http_status"], row["http_location"]) == (302, "there.example")


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("sni", [b"inner.example", None])
def test_connect(together: bool, sni: bytes | None) -> None:
    """A tunnel is named by its target, by the name inside it where there is one; its hellos are read."""
    asked = b"CONNECT outer.example:443 HTTP/1.1\r\nHost: outer.example:443\r\n\r\n"
    hello = client_hello(sni)
    talk = Conversation(dport=3_128).open()
    if together:
        talk.up(ACK, asked + hello)
    else:
        talk.up(ACK, asked).down(ACK, b"HTTP/1.1 200 OK\r\n\r\n").up(ACK, hello[:90]).up(ACK, hello[90:])
        talk.down(ACK, server_hello())
    row = rows_of(talk.packets).flow
    assert (row["server_name"], row["name_source"]) == (
        ("inner.example", "sni") if sni else ("outer.example", "http")
    )
    assert (row["application"], row["http_method"]) == ("http", "CONNECT")
    assert row["hello"] == (1 if together else 3)


def test_connect_after_a_refusal_and_a_pause() -> None:
    """A proxy that wants a password, and a user who takes his time, do not hide what is in the tunnel."""
    asked = b"CONNECT outer.example:443 HTTP/1.1\r\nHost: outer.example:443\r\n"
    talk = Conversation(dport=3_128).open().up(ACK, asked + b"\r\n")
    talk.down(ACK, b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n")
    talk.ts += 20 * SECOND
    talk.up(ACK, asked + b"Proxy-Authorization: Basic dTpw\r\n\r\n").down(ACK, b"HTTP/1.1 200 OK\r\n\r\n")
    talk.ts += 20 * SECOND
    talk.up(ACK, client_hello(b"inner.example")).down(ACK, server_hello())
    row = rows_of(talk.packets).flow
    assert (row["server_name"], row["hello"], row["http_status"]) == ("inner.example", 3, 200)
    assert (row["logins"], row["logins_failed"]) == (1, 0)


def test_plain_http_in_a_tunnel() -> None:
    """A request inside a tunnel to another host has its own row, and stays a tunnel's."""
    talk = Conversation(dport=3_128).open().up(ACK, b"CONNECT outer.example:80 HTTP/1.1\r\n\r\n")
    talk.down(ACK, b"HTTP/1.1 200 OK\r\n\r\n").up(ACK, GET_ONE).down(ACK, b"HTTP/1.1 403 No\r\n\r\n")
    rows = rows_of(talk.packets).flows
    assert told(rows) == [("outer.example", "CONNECT", 200), ("one.example", "CONNECT", 403)]


AUTH = b"Authorization: Basic dTpw\r\n"


@pytest.mark.parametrize(
    ("exchanges", "logins", "failed"),
    [
        ([(AUTH, 401)], 1, 1),
        ([(b"", 401)], 0, 0),
        ([(b"", 401), (AUTH, 401), (AUTH, 401), (AUTH, 200), (AUTH, 200)], 3, 2),
        ([(b"", 200), (b"", 401), (AUTH, 401), (AUTH, 200)], 2, 1),
        ([(AUTH, 200), (AUTH, 200), (AUTH, 404)], 1, 0),
        ([(b"Proxy-" + AUTH, 407), (b"Proxy-" + AUTH, 407)], 2, 2),
        ([(b"", 401), (b"Authorization: NTLM TlRMTVNTUAABAAAAB4II\r\n", 401),
          (b"Authorization: NTLM TlRMTVNTUAADAAAAGAAY\r\n", 401)], 1, 1),
        ([(b"X-Authorization: x\r\nAuthorization:\r\n", 401)], 0, 0),
    ],
)  # fmt: skip
def test_log_ins(exchanges: list[tuple[bytes, int]], logins: int, failed: int) -> None:
    """A request with credentials is an attempt, refused by 401 or 407; once admitted, they count no more."""
    talk = Conversation(dport=80).open()
    for field, status in exchanges:
        talk.up(ACK, b"GET / HTTP/1.1\r\nHost: a.example\r\n" + field + b"\r\n")
        talk.down(ACK, b"HTTP/1.1 %d X\r\n\r\n" % status)
    row = rows_of(talk.packets).flow
    assert (row["logins"], row["logins_failed"]) == (logins, failed)


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
    table = small_table()
    slots = table.slots.copy()
    assert -1 <= method_of(buf, 0, len(data)) < len(HTTP_METHODS)
    for read in (read_request, read_response):
        outcome = read(table, buf, 0, len(data), final, 3)
        assert outcome in (0, 1, 2) or BEYOND <= outcome <= BEYOND + len(data)
        assert not (final and outcome == 2)
    assert (np.delete(table.slots, 3, axis=0) == np.delete(slots, 3, axis=0)).all()
    assert 0 <= table.flows[3].name_len <= 255
    assert 0 <= table.flows[3].location_len <= 224


@pytest.mark.uncompiled
def test_a_certificate_keeps_its_place() -> None:
    """A Location is not told of a flow whose certificate's names stand where its text would."""
    flow = fresh_flow(issuer_len=5)
    slot = small_table().slots[FLOW]
    text = np.frombuffer(b"http://a.example/", np.uint8)
    put_location(flow, slot, text, 0, len(text))
    assert (flow.location_len, int(slot[LOCATION_AT])) == (0, 7)
    flow.issuer_len = 0
    put_location(flow, slot, text, 0, len(text))
    assert slot[LOCATION_AT : LOCATION_AT + int(flow.location_len)].tobytes() == b"a.example"
