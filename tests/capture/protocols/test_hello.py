"""Bodies of ClientHello and ServerHello, whatever carried them."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import ALPN_AT, ALPN_MAX, JA4_MAX, NAME_MAX
from capture.protocols.hello import client_hello_body, server_hello_body
from capture.protocols.tls_numbers import OVER_DATAGRAMS, OVER_QUIC, OVER_TCP
from pipeline.records import NAME_SOURCES, TLS_VERSIONS
from tests.capture.packets import VERSIONS, alpn, extension, hello_message, server_name, small_sensor

pytestmark = pytest.mark.uncompiled

TABLE = small_sensor().table


def read(body: bytes, transport: int = OVER_TCP, **before: int) -> dict[str, object]:
    """What a body left in a flow that was empty but for `before`."""
    TABLE.flows[0] = np.zeros(1, TABLE.flows.dtype)[0]
    flow = TABLE.flows[0]
    for key, value in before.items():
        flow[key] = value
    outcome = client_hello_body(TABLE, np.frombuffer(body, np.uint8), 0, len(body), 0, transport)
    slot = TABLE.slots[0].tobytes()
    return {
        "outcome": outcome,
        "name": slot[: int(flow.name_len)].decode(),
        "source": NAME_SOURCES[flow.name_source],
        "alpn": slot[ALPN_AT : ALPN_AT + int(flow.alpn_len)].decode(),
        "version": TLS_VERSIONS[flow.tls_version],
        "hello": int(flow.hello),
        "ech": int(flow.ech),
        "ja4": int(flow.ja4_len),
    }


def body_of(*extensions: bytes, version: int = 0x0303) -> bytes:
    return hello_message(*extensions, version=version)[4:]


def with_cookie(body: bytes, cookie: bytes) -> bytes:
    """The same as DTLS has it, behind an empty session id."""
    return body[:35] + bytes([len(cookie)]) + cookie + body[35:]


@pytest.mark.parametrize(("transport", "source"), [(OVER_TCP, "sni"), (OVER_QUIC, "quic")])
def test_where_the_name_is_from(transport: int, source: str) -> None:
    """A name that came over QUIC says so."""
    told = read(body_of(server_name(b"www.example.org"), alpn(b"h3")), transport)
    assert (told["name"], told["source"], told["alpn"]) == ("www.example.org", source, "h3")


def test_a_cookie() -> None:
    """Over datagrams a cookie stands between session and suites, empty at first."""
    body = body_of(server_name(b"www.example.org"), version=0xFEFD)
    for cookie in (b"", b"c" * 32, b"c" * 255):
        told = read(with_cookie(body, cookie), OVER_DATAGRAMS)
        assert (told["name"], told["version"], told["ja4"]) == ("www.example.org", "1.2", JA4_MAX)


def test_without_a_name_the_old_one_stays() -> None:
    """A hello without a name, or with an empty one, leaves the name that another source gave."""
    before = {"name_len": 9, "name_source": NAME_SOURCES.index("dns")}
    for extensions in ((), (server_name(b""),), (server_name(b"."),), (extension(0, b""),)):
        assert read(body_of(*extensions), **before)["source"] == "dns"


def test_the_first_of_two() -> None:
    """Where an extension comes twice, the first counts."""
    told = read(body_of(server_name(b"a.example"), alpn(b"h2"), server_name(b"b.example"), alpn(b"x")))
    assert (told["name"], told["alpn"]) == ("a.example", "h2")


def test_another_kind_of_name_before() -> None:
    """Only names of type host_name are names."""
    entries = b"\x05\0\x03abc" + b"\0\0\x09a.example"
    assert read(body_of(extension(0, len(entries).to_bytes(2, "big") + entries)))["name"] == "a.example"


@pytest.mark.parametrize("kind", [0xFE0D, 0xFFCE])
def test_hidden_names(kind: int) -> None:
    """An encrypted hello, and the encrypted name of old, are told beside the outer name."""
    told = read(body_of(server_name(b"outer.example"), extension(kind, bytes(200))))
    assert (told["name"], told["ech"]) == ("outer.example", 1)


def test_the_server_has_settled_already() -> None:
    """A hello that is read after its answer leaves the version that was agreed on."""
    told = read(body_of(VERSIONS), hello=2, tls_version=TLS_VERSIONS.index("1.1"))
    assert (told["version"], told["hello"]) == ("1.1", 3)


def test_no_body_of_a_hello() -> None:
    """An unknown version makes it none; nothing of it is told."""
    assert read(b"\x05\x05" + bytes(60)) == read(b"\x05\x05" + bytes(60), OVER_QUIC)
    assert read(b"\x05\x05" + bytes(60))["hello"] == 0


def test_a_cut_hello_has_no_fingerprint() -> None:
    """Of a hello that was cut off, what is there is told, and no fingerprint."""
    body = body_of(server_name(b"www.example.org"), VERSIONS)
    for end in range(len(body)):
        told = read(body[:end])
        # The last field of one without extensions ends there, too.
        assert told["ja4"] == (JA4_MAX if end == 45 else 0)
        assert told["name"] in ("", "www.example.org")
        assert told["hello"] == 1


@pytest.mark.parametrize(
    ("wire", "chosen", "told", "over"),
    [
        (0x0303, 0x0304, "1.3", True),
        (0x0303, 0x7F17, "1.3", True),
        (0x0303, None, "1.2", False),
        (0x0300, None, "ssl3", False),
        (0xFEFD, 0xFEFC, "1.3", True),
        (0xFEFF, None, "1.0", False),
    ],
)
def test_what_the_server_settles_on(wire: int, chosen: int | None, told: str, over: bool) -> None:
    """The version in the extension wins; from 1.3 on nothing more can be read."""
    body = struct.pack("!H", wire) + bytes(32) + b"\x02ab\x13\x01\0"
    if chosen is not None:
        more = extension(51, bytes(8)) + extension(43, chosen.to_bytes(2, "big"))
        body += len(more).to_bytes(2, "big") + more
    TABLE.flows[0].hello = 0
    assert server_hello_body(TABLE, np.frombuffer(body, np.uint8), 0, len(body), 0) == over
    assert TLS_VERSIONS[TABLE.flows[0].tls_version] == told
    assert TABLE.flows[0].hello == 2


@settings(deadline=None, max_examples=300)
@given(st.data(), st.sampled_from([OVER_TCP, OVER_QUIC, OVER_DATAGRAMS]))
def test_any_bytes_are_read_within_bounds(data: st.DataObject, transport: int) -> None:
    """Whatever lengths a body claims, nothing outside it is read and nothing outgrows its place."""
    made = bytearray(
        body_of(server_name(b"www.example.org"), alpn(b"h2"), VERSIONS, extension(13, b"\0\2\4\3"))
    )
    for _ in range(data.draw(st.integers(0, 6))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(made)))
    TABLE.slots[:2] = 7
    read(bytes(made[:end]), transport)
    server_hello_body(TABLE, np.frombuffer(bytes(made[:end]), np.uint8), 0, end, 0)
    assert (TABLE.slots[1] == 7).all()
    assert TABLE.flows[0].name_len <= NAME_MAX
    assert TABLE.flows[0].alpn_len <= ALPN_MAX
