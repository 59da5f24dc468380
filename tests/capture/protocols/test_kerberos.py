"""Kerberos: who asks for tickets, over UDP and TCP, and how log-ins end."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.kerberos import FAILED, SUCCEEDED, UNDECIDED, login_outcome, watch_kerberos
from tests.capture.packets import ACK, CLIENT, SECOND, SERVER, T0, Conversation, Packet, rows_of, udp
from tests.capture.protocols.streams import counted, segments, watched
from tests.capture.protocols.test_ldap import tlv

CONTROLLER = "10.1.0.10"


def der(tag: int, data: bytes) -> bytes:
    """An element with the shortest form of its length (X.690, 8.1.3)."""
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    packed = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(packed)]) + packed + data


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def text(value: bytes) -> bytes:
    return der(0x1B, value)


def sequence(**fields: bytes) -> bytes:
    """A sequence of fields; `f3` has context tag 3."""
    return der(0x30, b"".join(der(0xA0 | int(name[1:]), data) for name, data in fields.items()))


def principal(*parts: bytes, kind: int = 1) -> bytes:
    return sequence(f0=number(kind), f1=der(0x30, b"".join(map(text, parts))))


REALM, USER = b"SCHULE.EXAMPLE", principal(b"k.lehrer")
SERVICE = principal(b"krbtgt", REALM, kind=2)


def as_request(name: bytes = USER, kind: int = 0x6A) -> bytes:
    body = sequence(
        f0=der(3, bytes(5)), f1=name, f2=text(REALM), f3=SERVICE, f5=der(0x18, b"20370913024805Z")
    )
    padata = der(0x30, sequence(f1=number(2), f2=der(4, bytes(60))))
    return der(kind, sequence(f1=number(5), f2=number(10), f3=padata, f4=body))


def reply(kind: int = 0x6B, name: bytes = USER) -> bytes:
    ticket = der(0x61, sequence(f0=number(5), f1=text(REALM), f2=SERVICE, f3=der(4, bytes(600))))
    return der(
        kind, sequence(f0=number(5), f1=number(11), f3=text(REALM), f4=name, f5=ticket, f6=der(4, bytes(200)))
    )


def error(code: int, *, named: bool = True) -> bytes:
    client = {"f7": text(REALM), "f8": USER} if named else {}
    fields = {
        "f0": number(5), "f1": number(30), "f4": der(0x18, b"20260302080000Z"), "f5": number(1),
        "f6": number(code), **client, "f9": text(REALM), "f10": SERVICE,
    }  # fmt: skip
    return der(0x7E, sequence(**fields))


def asked(data: bytes, ts: int = T0) -> Packet:
    return Packet(ts, udp(data, 50_123, 88, source=CLIENT, target=CONTROLLER, ident=ts & 0x7FFF | 1))


def answered(data: bytes, ts: int = T0) -> Packet:
    return Packet(ts, udp(data, 88, 50_123, source=CONTROLLER, target=CLIENT, ident=ts & 0x7FFF | 1))


def one(*packets: Packet) -> dict[str, Any]:
    rows = rows_of(packets)
    (row,) = rows.sightings
    assert rows.flow["application"] == "kerberos"
    return row


def test_a_request() -> None:
    """Who asks for a ticket tells name and realm, at the address that it asks from."""
    assert one(asked(as_request())) == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "kerberos",
        "mac": "02:00:00:00:00:01",
        "ip": CLIENT,
        "name": "k.lehrer",
        "value": "SCHULE.EXAMPLE",
        "attributes": {"type": "as_request"},
    }


@pytest.mark.parametrize(("kind", "word"), [(0x6B, "as_reply"), (0x6D, "tgs_reply")])
def test_replies(kind: int, word: str) -> None:
    """A ticket given is told of its client, not of the server that gave it."""
    row = one(answered(reply(kind)))
    assert (row["ip"], row["mac"], row["name"], row["attributes"]) == (
        CLIENT,
        "02:00:00:00:00:02",
        "k.lehrer",
        {"type": word},
    )


@pytest.mark.parametrize("code", [6, 18, 24, 37, 68])
def test_errors(code: int) -> None:
    """An error tells its code and whom it is about."""
    row = one(answered(error(code)))
    assert (row["name"], row["value"], row["attributes"]) == (
        "k.lehrer",
        "SCHULE.EXAMPLE",
        {"type": "error", "error": str(code)},
    )


@pytest.mark.parametrize(
    "packet",
    [
        answered(error(25)),
        answered(error(52)),
        answered(error(24, named=False)),
        asked(as_request(kind=0x6C)),
        asked(as_request(der(0x30, b""))),
        asked(as_request()[:40]),
    ],
)
def test_messages_that_name_nobody(packet: Packet) -> None:
    """A call for more, a request with a ticket, and what is cut off before the name are no sightings."""
    rows = rows_of([packet])
    assert (rows.sightings, rows.flow["application"]) == ([], "kerberos")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (principal(b"host", b"pc-7.schule.example"), "host/pc-7.schule.example"),
        (principal(b"PC-7$"), "PC-7$"),
        (principal(b"k.lehrer@schule.example", kind=10), "k.lehrer@schule.example"),
        (principal(b"M\xc3\xbcller"), "Müller"),
        (principal(b"a\nb\xff"), "a\\010b\\255"),
        (principal(b"x" * 300), "x" * 255),
        (principal(*[b"p"] * 12), "p/p/p/p/p/p/p/p"),
    ],
)
def test_names(name: bytes, told: str) -> None:
    """Names are told with all their parts, as UTF-8 or escaped."""
    assert one(asked(as_request(name)))["name"] == told


@pytest.mark.parametrize("cuts", [(), (4,), (1, 2, 3, 5, 9), (100,), (150,)])
def test_over_tcp(cuts: tuple[int, ...]) -> None:
    """Over TCP a message has a length before it, and comes in as many segments as it likes."""
    request = as_request()
    data = len(request).to_bytes(4, "big") + request
    talk = Conversation(server=CONTROLLER, dport=88).open()
    edges = [0, *cuts, len(data)]
    for first, last in itertools.pairwise(edges):
        talk.up(ACK, data[first:last])
    ticket = reply()
    data = len(ticket).to_bytes(4, "big") + ticket
    talk.down(ACK, data[:300]).down(ACK, data[300:]).close()
    rows = rows_of(talk.packets)
    assert rows.flow["application"] == "kerberos"
    assert [(row["name"], row["ip"], row["attributes"]["type"]) for row in rows.sightings] == [
        ("k.lehrer", CLIENT, "as_request"),
        ("k.lehrer", CLIENT, "as_reply"),
    ]


def test_a_request_with_a_ticket_over_tcp() -> None:
    """A request that carries a large ticket is known by its first bytes."""
    data = (40_000).to_bytes(4, "big") + as_request(kind=0x6C)
    rows = rows_of(Conversation(server=CONTROLLER, dport=8_088).open().up(ACK, data[:100]).close().packets)
    assert (rows.sightings, rows.flow["application"]) == ([], "kerberos")


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (as_request(), UNDECIDED),
        (reply(), SUCCEEDED),
        (reply(0x6D), UNDECIDED),
        (error(6), FAILED),
        (error(18), FAILED),
        (error(24), FAILED),
        (error(24, named=False), FAILED),
        (error(25), UNDECIDED),
        (error(37), UNDECIDED),
        (error(24)[:20], UNDECIDED),
        (b"", UNDECIDED),
        (b"\x7e" * 40, UNDECIDED),
    ],
)
@pytest.mark.uncompiled
def test_outcomes_of_logins(data: bytes, outcome: int) -> None:
    """A first ticket is a success, a wrong name or password a failure; a call for more is neither."""
    buf = np.frombuffer(b"\xff" * 4 + data, np.uint8)
    assert login_outcome(buf, 4, len(buf)) == outcome


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x6a",
        b"\x6a\x80" + bytes(20),
        b"\x6a\x85\0\0\0\0\x01" + bytes(20),
        b"\x6a\x84\xff\xff\xff\xff" + bytes(20),
        der(0x6A, sequence(f1=number(4))),
        der(0x6A, der(0x31, b"")),
        der(0x6F, sequence(f1=number(5))),
        bytes(60),
    ],
)
def test_what_is_no_kerberos(data: bytes) -> None:
    """Other tags, other versions, and lengths that DER doesn't have are no sightings, over UDP and TCP."""
    assert rows_of([asked(data)]).sightings == []
    framed = len(data).to_bytes(4, "big") + data
    talk = Conversation(server=CONTROLLER, dport=88).open().up(ACK, framed).close()
    assert rows_of(talk.packets).sightings == []


def test_repetition() -> None:
    """The same user at the same address is told once in 10 minutes."""
    packets = [asked(as_request(), T0 + n * 60 * SECOND) for n in range(11)]
    assert [row["ts"][14:16] for row in rows_of(packets).sightings] == ["00", "10"]


WHOLE = [as_request(), reply(), reply(0x6D), error(24)]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
def test_damaged_messages(made: bytes, changes: list[tuple[int, int]]) -> None:
    """Whatever is wrong with a message, it gives at most one sighting, in bounds."""
    data = bytearray(made)
    for at, octet in changes:
        data[at % len(data)] = octet
    cut = bytes(data[: changes[0][0] + 1]) if changes else bytes(data)
    rows = rows_of([asked(bytes(data)), answered(cut, T0 + 1)])
    assert len(rows.sightings) <= 2


def short_error(code: int) -> bytes:
    """A KRB-ERROR (RFC 4120, 5.9.1) that names no client."""
    fields = tlv(0xA0, b"\2\1\5") + tlv(0xA1, b"\2\1\x1e") + tlv(0xA4, tlv(24, b"20260302080000Z"))
    return tlv(
        0x7E, tlv(0x30, fields + tlv(0xA5, b"\2\1\1") + tlv(0xA6, bytes([2, 1, code])) + tlv(0xA9, b"\x1b\0"))
    )


REPLY = tlv(0x6B, tlv(0x30, tlv(0xA0, b"\2\1\5") + tlv(0xA1, b"\2\1\x0b")))
REQUEST = tlv(0x6A, tlv(0x30, tlv(0xA1, b"\2\1\5")))


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([short_error(25), REPLY], (1, 0)),
        ([short_error(24), short_error(24), short_error(6), short_error(18)], (4, 4)),
        ([short_error(37), short_error(7)], (0, 0)),
    ],
)
def test_log_ins(answers: list[bytes], expected: tuple[int, int]) -> None:
    """A ticket is a log-in, a failed pre-authentication, unknown or locked name a refused one."""
    turns = [turn for answer in answers for turn in (framed(REQUEST), framed(answer))]
    assert counted(88, turns) == expected


def test_log_ins_over_udp() -> None:
    """A datagram of the server counts as a segment does."""
    packets = [Packet(T0, udp(REQUEST, 40_000, 88, ident=1))]
    packets.append(Packet(T0 + 1, udp(short_error(24), 88, 40_000, source=SERVER, target=CLIENT, ident=1)))
    row = rows_of(packets).flow
    assert (row["logins"], row["logins_failed"]) == (1, 1)


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(short_error(24), REPLY, framed(short_error(6)), b"\x7e\x84\x30"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_kerberos, said)
    watched(watch_kerberos, said, protocol=17)
