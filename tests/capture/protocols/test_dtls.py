"""DTLS handshakes in datagrams: whole, in fragments of any order, cut, hostile, and sessions under way."""

import itertools
import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import CLIENT_HEAD_DONE, NONE
from capture.protocols.dtls import PACKETS_MAX, read_dtls
from capture.protocols.outcomes import DONE, NOT
from tests.capture.der import certificate, certificate_message, common
from tests.capture.packets import (
    CLIENT,
    SERVER,
    T0,
    Packet,
    alpn,
    extension,
    hello_message,
    rows_of,
    server_name,
    small_sensor,
    udp,
)

TABLE = small_sensor().table
VERSIONS = extension(43, b"\x04\xfe\xfc\xfe\xfd")


def hello(*extensions: bytes, cookie: bytes = b"") -> bytes:
    """A ClientHello's body with a cookie."""
    body = hello_message(*extensions, version=0xFEFD)[4:]
    return body[:35] + bytes([len(cookie)]) + cookie + body[35:]


NAMED = hello(server_name(b"www.example.org"), alpn(b"webrtc"), VERSIONS)


def fragment(body: bytes, at: int, size: int, *, kind: int = 1, number: int = 0) -> bytes:
    """A handshake message's part (RFC 6347, 4.2.2)."""
    head = struct.pack("!B3sH3s3s", kind, _u24(len(body)), number, _u24(at), _u24(len(body[at : at + size])))
    return head + body[at : at + size]


def _u24(number: int) -> bytes:
    return number.to_bytes(3, "big")


def record(data: bytes, *, kind: int = 22, epoch: int = 0, sequence: int = 0, version: int = 0xFEFD) -> bytes:
    """A record (RFC 6347, 4.1)."""
    return struct.pack("!BHH", kind, version, epoch) + sequence.to_bytes(6, "big") + _u16(len(data)) + data


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def whole(body: bytes, kind: int = 1, number: int = 0, **fields: int) -> bytes:
    """A record with a whole message."""
    return record(fragment(body, 0, len(body), kind=kind, number=number), **fields)


def server_body(version: int = 0xFEFD, *extensions: bytes) -> bytes:
    """A ServerHello's body."""
    packed = b"".join(extensions)
    return _u16(version) + bytes(32) + b"\0\xc0\x2b\0" + _u16(len(packed)) + packed


CERTIFICATE = certificate_message(
    certificate(common(b"www.example.org"), common(b"An Issuer")),
    certificate(common(b"An Issuer"), common(b"Root")),
)[4:]


def datagrams(*sent: tuple[str, bytes]) -> dict[str, Any]:
    """The row of a flow whose sides, `up` or `down`, sent these."""
    packets = []
    for number, (side, data) in enumerate(sent):
        ends: dict[str, Any] = {"source": CLIENT, "target": SERVER, "sport": 40_000, "dport": 55_555}
        if side == "down":
            ends = {"source": SERVER, "target": CLIENT, "sport": 55_555, "dport": 40_000}
        packets.append(Packet(T0 + number * 1_000, udp(data, ident=number + 1, **ends)))
    return rows_of(packets).flow


def test_a_hello() -> None:
    """Name, first protocol, version, fingerprint and application come from a hello in one datagram."""
    row = datagrams(("up", whole(NAMED)))
    names = ("application", "server_name", "name_source", "alpn", "tls_version", "hello")
    assert [row[n] for n in names] == ["dtls", "www.example.org", "sni", "webrtc", "1.3", 1]
    assert row["ja4"][:10] == "dd3d0203wc"


def test_a_whole_handshake() -> None:
    """Cookie, second hello, answer, certificate in fragments: what was settled on, and the server's names."""
    again = hello(server_name(b"www.example.org"), VERSIONS, cookie=b"c" * 20)
    cut = [
        record(fragment(CERTIFICATE, at, 300, kind=11, number=2)) for at in range(0, len(CERTIFICATE), 300)
    ]
    row = datagrams(
        ("up", whole(NAMED)),
        ("down", whole(b"\xfe\xff\x14" + b"c" * 20, 3)),
        ("up", whole(again, number=1)),
        ("down", whole(server_body(), 2, 1) + cut[0]),
        *(("down", piece) for piece in cut[1:]),
        ("up", record(bytes(40), kind=23, epoch=1)),
    )
    names = ("hello", "tls_version", "certificate", "issuer", "alpn", "application")
    assert [row[n] for n in names] == [11, "1.2", "www.example.org", "An Issuer", "webrtc", "dtls"]


def test_an_alert() -> None:
    """A server that refuses in the clear is told so."""
    row = datagrams(("up", whole(NAMED)), ("down", record(b"\x02\x28", kind=21)))
    assert row["hello"] == 5


def test_after_stun() -> None:
    """A call that began with STUN is DTLS once its hello comes."""
    binding = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    row = datagrams(*[("up", binding), ("down", binding)] * 4, ("up", whole(NAMED)))
    assert (row["application"], row["server_name"]) == ("dtls", "www.example.org")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 300), max_size=8), st.randoms(use_true_random=False), st.integers(1, 3))
def test_fragments_in_any_order(places: list[int], chance: random.Random, together: int) -> None:
    """Fragments in any order, some twice or overlapping, several a datagram: one name."""
    edges = sorted({0, *(p % len(NAMED) for p in places), len(NAMED)})
    pieces = [fragment(NAMED, a, b - a + chance.choice((0, 0, 7))) for a, b in itertools.pairwise(edges)]
    pieces += chance.sample(pieces, len(pieces) // 3)
    chance.shuffle(pieces)
    sent = [b"".join(map(record, pieces[at : at + together])) for at in range(0, len(pieces), together)]
    row = datagrams(*(("up", data) for data in sent))
    assert (row["server_name"], row["hello"]) == ("www.example.org", 1)


def test_fragments_of_two_hellos() -> None:
    """What was left of the first hello does not mix with the second."""
    second = hello(server_name(b"other.example"), cookie=b"c" * 20)
    row = datagrams(
        ("up", record(fragment(NAMED, 0, 60))),
        ("up", record(fragment(second, 0, 50, number=1))),
        ("up", record(fragment(second, 50, 500, number=1))),
    )
    assert row["server_name"] == "other.example"


@pytest.mark.parametrize(
    "data",
    [
        record(bytes(40), kind=23, epoch=1, sequence=77),
        record(bytes(40), kind=22, epoch=1) + record(bytes(24), kind=21, epoch=1),
        record(bytes(40), kind=23, epoch=1, version=0x0100),
        record(bytes(40), kind=25, epoch=2),
        whole(server_body(), 2) + b"\x2e" + bytes(30),
    ],
)
def test_a_session_under_way(data: bytes) -> None:
    """Records whose versions and lengths fit are DTLS without a hello."""
    assert datagrams(("up", data))["application"] == "dtls"


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(40),
        record(bytes(40), version=0x0303),
        record(bytes(40), kind=19),
        record(b""),
        record(bytes(40)) + b"\0",
        record(bytes(40))[:-1],
        record(bytes(40)) + record(bytes(9), kind=7),
    ],
)
def test_other_protocols(data: bytes) -> None:
    """What does not fit to the last byte is another protocol."""
    TABLE.flows[0] = np.zeros(1, TABLE.flows.dtype)[0]
    TABLE.packet[0].payload_bytes = len(data)
    assert read_dtls(TABLE, np.frombuffer(data, np.uint8), 0, len(data), 0) == NOT


def test_a_cut_datagram() -> None:
    """Of a hello that the capture cut off, what is there is told."""
    frame = udp(whole(NAMED), 40_000, 55_555)
    row = rows_of([Packet(T0, frame[:160], len(frame))]).flow
    assert (row["application"], row["server_name"], row["hello"], row["ja4"]) == (
        "dtls",
        "www.example.org",
        1,
        "",
    )


def test_heads_are_given_back() -> None:
    """A hello whose rest never comes keeps its place no longer than the flow is looked at."""
    first = record(fragment(NAMED, 0, 60))
    packets = [
        Packet(T0 + n, udp(first, 40_000 + n % 20, 55_555, ident=n + 1))
        for n in range(20 * (PACKETS_MAX + 1))
    ]
    rows = rows_of(packets, heads=16)
    assert max(row["reassembly_peak"] for row in rows.health) == 16
    assert [row["application"] for row in rows.flows] == ["dtls"] * 20


@pytest.mark.uncompiled
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_bytes_are_read_within_bounds(data: st.DataObject) -> None:
    """Whatever lengths and offsets a datagram claims, nothing outside it is read and heads are given back."""
    table = TABLE
    table.flows[0] = np.zeros(1, table.flows.dtype)[0]
    flow = table.flows[0]
    flow.head = flow.head_down = NONE
    free = int(table.meter[0].heads_free)
    kinds = [
        whole(NAMED), record(fragment(NAMED, 0, 60)), record(fragment(NAMED, 60, 500)),
        whole(server_body(0xFEFD, VERSIONS), 2), record(fragment(CERTIFICATE, 0, 300, kind=11)),
        record(fragment(CERTIFICATE, 300, 900, kind=11)), record(b"\2\x28", kind=21),
    ]  # fmt: skip
    for made in data.draw(st.lists(st.sampled_from(kinds), max_size=6)):
        changed = bytearray(made)
        for _ in range(data.draw(st.integers(0, 3))):
            changed[data.draw(st.integers(0, min(len(made) - 1, 60)))] = data.draw(st.integers(0, 255))
        end = data.draw(st.sampled_from([len(changed), data.draw(st.integers(0, len(changed)))]))
        table.packet[0].payload_bytes = len(changed)
        assert read_dtls(table, np.frombuffer(bytes(changed[:end]), np.uint8), 0, end, 0) in (NOT, DONE)
    flow.packets_up = PACKETS_MAX
    table.packet[0].payload_bytes = len(kinds[0])
    read_dtls(table, np.frombuffer(kinds[0], np.uint8), 0, len(kinds[0]), 0)
    assert flow.done & CLIENT_HEAD_DONE
    assert (flow.head, flow.head_down, int(table.meter[0].heads_free)) == (NONE, NONE, free)
