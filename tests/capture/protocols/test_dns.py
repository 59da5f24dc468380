"""DNS messages: questions and their answers, compression, hostile ones, names for later flows."""

import struct
from collections.abc import Sequence
from typing import Any

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.dns import parse
from capture.questions import MESSAGE, MESSAGE_TEXT, NAME_ROOM
from tests.capture.packets import (
    ACK,
    ASKED,
    CLIENT,
    SECOND,
    T0,
    Conversation,
    Packet,
    address_record,
    answered,
    asked,
    dns,
    ip,
    labels,
    record,
    rows_of,
)

RESOLVER = "10.0.0.53"
ANSWER = 0x8180


def one(packets: Sequence[Packet]) -> dict[str, Any]:
    """The only DNS row."""
    (row,) = rows_of(packets).dns
    return row


def test_question_and_answer_are_one_row() -> None:
    """A question with its answer is one row with every field of both."""
    chain = [
        record(5, labels(b"edge.example.net"), 300),
        address_record("192.0.2.1", 30, labels(b"edge.example.net")),
        address_record("2001:db8::1", 90, labels(b"edge.example.net")),
    ]
    row = one(
        [asked(dns(7, b"WWW.Example.org")), answered(dns(7, b"WWW.Example.org", flags=ANSWER, records=chain))]
    )
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "client": CLIENT,
        "server": RESOLVER,
        "vlan": 0,
        "transport": "udp",
        "id": 7,
        "qname": "www.example.org",
        "qtype": 1,
        "rcode": 0,
        "ra": True,
        "ede": None,
        "answers": ["edge.example.net"],
        "addresses": ["192.0.2.1", "2001:db8::1"],
        "min_ttl": 30,
        "rtt_us": 15_000,
        "answered": True,
        "aa": False,
        "soa": False,
    }


@pytest.mark.parametrize("rcode", [2, 3, 5])
def test_response_codes(rcode: int) -> None:
    """Codes are the header's; without recursion `ra` is false."""
    row = one([answered(dns(9, flags=0x8000 | rcode))])
    assert (row["rcode"], row["ra"], row["rtt_us"], row["min_ttl"]) == (rcode, False, None, None)


START_OF_AUTHORITY = record(6, labels(b"ns.example.org") + labels(b"admin.example.org") + bytes(20))


@pytest.mark.parametrize("aa", [0, 0x0400])
def test_what_a_negative_answer_rests_on(aa: int) -> None:
    """Told are the authoritative bit, and whether the authority section, no other, holds an SOA."""
    flags = 0x8183 | aa
    row = one([asked(dns(9)), answered(dns(9, flags=flags, authority=[START_OF_AUTHORITY]))])
    assert (row["aa"], row["soa"]) == (aa != 0, True)
    for elsewhere in ({"records": [START_OF_AUTHORITY]}, {"additional": [START_OF_AUTHORITY]}, {}):
        row = one([answered(dns(9, flags=flags, **elsewhere))])
        assert (row["aa"], row["soa"]) == (aa != 0, False)


def test_an_authority_that_was_not_read_is_unknown() -> None:
    """Where the message breaks off, is marked as truncated, or no answer came, nobody knows what it held."""
    cut = dns(9, flags=0x8183, authority=[START_OF_AUTHORITY])[:-4]
    assert one([answered(cut)])["soa"] is None
    assert one([answered(dns(9, flags=0x8383))])["soa"] is None
    assert one([answered(dns(9, flags=0x8383, authority=[START_OF_AUTHORITY]))])["soa"] is True
    unanswered = one([asked(dns(9))])
    assert (unanswered["aa"], unanswered["soa"]) == (None, None)


def opt(*options: tuple[int, bytes], extended: int = 0) -> bytes:
    data = b"".join(struct.pack("!HH", kind, len(value)) + value for kind, value in options)
    return record(41, data, extended << 24, b"\0", 1_232)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([(15, b"\0\x0f" + b"blocked by policy")], 15),
        ([(10, bytes(8)), (15, b"\0\x11")], 17),
        ([(15, b"\0\x0f"), (15, b"\0\x10")], 15),
        ([(15, b"\0")], None),
        ([(10, bytes(8))], None),
        ([], None),
    ],
)
def test_extended_errors(options: list[tuple[int, bytes]], code: int | None) -> None:
    """The first extended error of the OPT record (RFC 8914) is told."""
    assert one([answered(dns(9, flags=ANSWER, additional=[opt(*options)]))])["ede"] == code


def test_extended_response_codes() -> None:
    """The OPT record's upper bits of the code count (RFC 6891, 6.1.3): BADVERS is 16."""
    assert one([answered(dns(9, flags=ANSWER, additional=[opt(extended=1)]))])["rcode"] == 16


def test_names_in_answers() -> None:
    """Targets of CNAME, NS, PTR, DNAME, MX, SRV and HTTPS are told; of other types the TTL alone."""
    records = [
        record(5, ASKED, 90),
        record(2, b"\x02ns" + ASKED),
        record(12, labels(b"host.example")),
        record(39, labels(b"d.example")),
        record(15, b"\0\x0a" + labels(b"mx.example")),
        record(33, b"\0\1\0\2\x01\xbb" + labels(b"srv.example")),
        record(16, b"\x04text", 5),
        record(65, b"\0\1\0", 70),
        record(65_280, b"", 70),
    ]
    row = one([answered(dns(3, b"q.example", 255, flags=ANSWER, records=records))])
    names = ["q.example", "ns.q.example", "host.example", "d.example", "mx.example", "srv.example", "."]
    assert row["answers"] == names
    assert (row["min_ttl"], row["addresses"], row["qtype"]) == (5, [], 255)


def test_authority_and_additional_are_no_answers() -> None:
    """Addresses of the additional section name nothing."""
    row = one([answered(dns(3, flags=ANSWER, additional=[address_record("192.0.2.9")]))])
    assert (row["addresses"], row["min_ttl"]) == ([], None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"\x03www\x07Example\x03ORG\0", "www.example.org"),
        (b"\0", ""),
        (b"\x05a.b\\c\x01d\0", "a\\.b\\\\c.d"),
        (b"\x04a\0\xffb\0", "a\\000\\255b"),
        (b"\x03a b\0", "a\\032b"),
        (b"\x3f" + b"x" * 63 + b"\0", "x" * 63),
    ],
)
def test_forms_of_names(name: bytes, text: str) -> None:
    """Labels are joined by dots, lower case; dots, backslashes and other octets in them are escaped."""
    message = struct.pack("!HHHHHH", 5, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1"
    assert one([asked(message)])["qname"] == text


LOOPS = [
    b"\xc0\x0c",  # itself
    b"\x01a\xc0\x0c",  # its own begin
    b"\xc0\x0e\xc0\x0c",  # two that point at each other
    b"\xc0\xff",  # behind the end
    b"\x40" + b"x" * 64 + b"\0",  # label type 01
    b"\x80",
    b"\x3fabc",
    b"\x05abc",
    b"\xc0",
    b"".join(b"\x3f" + b"x" * 63 for _ in range(4)) + b"\0",  # 257 octets
]


@pytest.mark.parametrize("name", LOOPS)
def test_broken_names_are_no_dns(name: bytes) -> None:
    """Loops, pointers that don't point back, reserved label types and names over 255 octets are refused."""
    rows = rows_of([asked(struct.pack("!HHHHHH", 5, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1")])
    assert rows.dns == []
    assert (rows.flow["application"], rows.flow["packets_up"]) == ("dns", 1)


def test_names_of_255_octets_are_told() -> None:
    """The longest name the protocol allows is whole, with an escape for each of its octets too."""
    longest = b".".join([b"x" * 63] * 3 + [b"y" * 61])
    assert one([asked(dns(1, longest))])["qname"] == longest.decode()
    escapes = b".".join([b"\xff" * 63] * 3 + [b"a" * 61])
    text = one([asked(dns(1, escapes))])["qname"]
    whole = ".".join(["\\255" * 63] * 3 + ["a" * 61])
    assert text == whole


@pytest.mark.parametrize("count", [0, 2, 3, 64])
def test_several_questions(count: int) -> None:
    """The first question is told; answers behind further ones are found."""
    head = struct.pack("!HHHHHH", 5, ANSWER, count, 1, 0, 0)
    questions = b"".join(labels(b"q%d.example" % n) + b"\0\1\0\1" for n in range(count))
    rows = rows_of([answered(head + questions + address_record("192.0.2.7", 60, b"\0"))]).dns
    if count == 0:
        assert rows == []
    else:
        assert (rows[0]["qname"], rows[0]["addresses"]) == ("q0.example", ["192.0.2.7"])


def test_other_operations() -> None:
    """Notifies and updates (RFC 1996, RFC 2136) ask about a zone; what an update requires is no answer."""
    notify = dns(1, b"zone.example", 6, flags=0x2000)
    update = dns(2, b"zone.example", 6, flags=0x2800, records=[address_record("192.0.2.1")])
    refused = dns(2, b"zone.example", 6, flags=0xA805, records=[address_record("192.0.2.1")])
    rows = rows_of([asked(notify), asked(update), answered(refused)]).dns
    told = sorted((row["id"], row["qname"], row["qtype"], row["rcode"], row["addresses"]) for row in rows)
    assert told == [(1, "zone.example", 6, None, []), (2, "zone.example", 6, 5, [])]


def test_a_full_message_is_bounded() -> None:
    """A message of 60 KB with thousands of answers is cut at 256 records."""
    records = [address_record(f"10.0.{n >> 8}.{n & 255}") for n in range(1_500)]
    message = dns(1, b"many.example", flags=ANSWER, records=records)
    row = one([answered(message)])
    assert row["addresses"] == [f"10.0.0.{n}" for n in range(256)]


def test_fragments_of_a_message() -> None:
    """An answer in IP fragments, in any order, is read whole."""
    records = [address_record(f"10.0.0.{n}") for n in range(200)]
    message = dns(1, flags=ANSWER, records=records)
    whole = struct.pack("!HHHH", 53, 50_000, 8 + len(message), 0) + message
    from tests.capture.packets import ethernet, ipv4

    pieces = [(at, whole[at : at + 1_000]) for at in range(0, len(whole), 1_000)]
    frames = [
        ethernet(
            ipv4(
                part,
                17,
                RESOLVER,
                CLIENT,
                ident=9,
                flags=at // 8 | (0x2000 if at + 1_000 < len(whole) else 0),
            )
        )
        for at, part in pieces
    ]
    for order in (frames, frames[::-1]):
        rows = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(order)])
        assert len(rows.dns[0]["addresses"]) == 200
        assert (rows.flow["packets_down"], rows.flow["server_port"]) == (len(frames), 53)
        assert rows.flow["bytes_down"] == sum(len(frame) - 14 for frame in frames)


@pytest.mark.uncompiled
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_as_a_message(data: st.DataObject) -> None:
    """A damaged message appends at most its share of the arena and reads nothing outside."""
    records = [record(5, b"\x02ab" + ASKED), address_record("192.0.2.1"), record(33, b"\0" * 6 + ASKED)] * 3
    message = bytearray(
        dns(1, b"www.example.org", flags=ANSWER, records=records, additional=[opt((15, b"\0\1"))])
    )
    for _ in range(data.draw(st.integers(0, 8))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    message = message[: data.draw(st.integers(0, len(message)))]
    text = np.full(MESSAGE_TEXT + 64, 7, np.uint8)
    said = np.zeros(1, MESSAGE).view(np.recarray)[0]
    name = np.zeros(NAME_ROOM, np.uint8)
    if parse(np.frombuffer(bytes(message), np.uint8), 0, len(message), said, name, text, 0):
        assert 0 <= said.behind <= MESSAGE_TEXT
    assert (text[MESSAGE_TEXT:] == 7).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.from_regex(rb"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}", fullmatch=True), min_size=1, max_size=5
    )
)
def test_messages_of_another_encoder(names: list[bytes]) -> None:
    """Messages that dpkt packs, with its own compression, are read as it meant them."""
    message = dpkt.dns.DNS(id=77, op=ANSWER)
    message.qd = [dpkt.dns.DNS.Q(name=names[0].decode(), type=1)]
    message.an = [
        dpkt.dns.DNS.RR(name=names[0].decode(), type=5, cls=1, ttl=9, cname=name.decode()) for name in names
    ]
    row = one([answered(bytes(message))])
    assert (row["qname"], row["answers"]) == (names[0].decode(), [name.decode() for name in names])


def framed(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def told(packets: Sequence[Packet]) -> list[tuple[int, str, bool, list[str]]]:
    """Id, name, whether it was answered, and addresses of every row, by id."""
    rows = rows_of(packets).dns
    assert {row["transport"] for row in rows} <= {"tcp"}
    return sorted((row["id"], row["qname"], row["answered"], row["addresses"]) for row in rows)


NAMES = [b"n%d.example" % n for n in range(4)]
QUESTIONS = framed(*(dns(n, name) for n, name in enumerate(NAMES)))
ANSWERS = framed(
    *(
        dns(n, NAMES[n], flags=ANSWER, records=[address_record(f"192.0.2.{n}")])
        for n in (2, 0, 3, 1)  # in any order (RFC 7766, 7)
    )
)
TOLD = [(n, name.decode(), True, [f"192.0.2.{n}"]) for n, name in enumerate(NAMES)]


@pytest.mark.parametrize("size", [1, 2, 7, 40, 1_000])
@pytest.mark.parametrize("port", [53, 8_530])
def test_streams_of_messages(size: int, port: int) -> None:
    """All messages of both directions are read, each once, however they are cut; elsewhere whole ones."""
    if port != 53 and size < 40:
        size = len(QUESTIONS) // 2
    talk = Conversation(server=RESOLVER, dport=port, step=100).open()
    for at in range(0, len(QUESTIONS), size):
        talk.up(ACK, QUESTIONS[at : at + size])
    for at in range(0, len(ANSWERS), size):
        talk.down(ACK, ANSWERS[at : at + size])
    assert told(talk.packets) == TOLD
    assert rows_of(talk.packets).flow["application"] == "dns"


def test_segments_out_of_order_and_again() -> None:
    """Segments that come late, twice or overlapping give each message once."""
    talk = Conversation(server=RESOLVER, dport=53, step=100).open()
    parts = [(at, QUESTIONS[at : at + 30]) for at in range(0, len(QUESTIONS), 20)]
    first = talk.up_next
    for at, part in [*parts[1:], *parts[::-1], *parts]:
        talk.up(ACK, part, seq=first + at, keep=True)
    talk.up_next = first + len(QUESTIONS)
    talk.down(ACK, ANSWERS)
    assert told(talk.packets) == TOLD


def test_a_long_lived_stream() -> None:
    """Questions minutes apart on one connection (RFC 7766, 6.2) are all told."""
    talk = Conversation(server=RESOLVER, dport=53, step=100).open()
    for n, name in enumerate(NAMES):
        talk.up(ACK, framed(dns(n, name)))
        talk.down(ACK, framed(dns(n, name, flags=ANSWER, records=[address_record(f"192.0.2.{n}")])))
        talk.ts += 20 * SECOND
    assert told(talk.packets) == TOLD


def test_a_head_full_of_questions() -> None:
    """Every question of the first 16 KiB, and of whole segments behind them, is a row."""
    messages = [framed(dns(n, b"n%d.example" % n)) for n in range(700)]
    talk = Conversation(server=RESOLVER, dport=53, step=10).open()
    for at in range(0, 700, 35):
        talk.up(ACK, b"".join(messages[at : at + 35]))
    rows = [row[0] for row in told(talk.packets)]
    within = sum(len(b"".join(messages[: n + 1])) <= 16_384 for n in range(700))
    assert 400 < within < 600
    assert rows[:within] == list(range(within))
    assert rows[-70:] == list(range(630, 700))


def test_a_message_longer_than_its_stream() -> None:
    """Of a message that is cut off the question is told; of one that never got that far, nothing."""
    whole = framed(dns(1, b"first.example"), dns(2, b"second.example"))
    for size, count in ((len(whole) - 2, 1), (len(whole), 2), (20, 0)):
        talk = Conversation(server=RESOLVER, dport=53, step=100).open().up(ACK, whole[:size])
        assert len(told(talk.close().packets)) == count


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\x05abcde",
        bytes(40),
        framed(bytes(12)) + b"x",
        b"\0\x20" + b"\xff" * 32,
    ],
)
def test_other_streams_on_its_port(data: bytes) -> None:
    """What is no DNS makes no row, and is left to other readers."""
    talk = Conversation(server=RESOLVER, dport=53, step=100).open().up(ACK, data)
    rows = rows_of(talk.packets)
    assert rows.dns == []
    if data.startswith(b"SSH"):
        assert rows.flow["application"] == "ssh"


@pytest.mark.parametrize("port", [443, 5_353, 8_053, 53_053])
def test_datagrams_on_other_ports(port: int) -> None:
    """A whole ordinary question is DNS wherever it is sent, and so is its answer."""
    reply = dns(7, flags=ANSWER, records=[address_record("192.0.2.1")], additional=[opt()])
    row = one([asked(dns(7, additional=[opt()]), dport=port), answered(reply, dport=port)])
    assert (row["transport"], row["qname"], row["rtt_us"]) == ("udp", "www.example.org", 15_000)
    assert rows_of([asked(dns(7), dport=port)]).flow["application"] == "dns"


@pytest.mark.parametrize(
    "data",
    [
        dns(7)[:-1],
        dns(7) + b"\0",
        dns(7, b""),
        dns(7, flags=0x2000),
        dns(7, flags=0x0140),
        dns(7, flags=0x0103),
        dns(7, kind=0),
        dns(7)[:-2] + b"\0\x09",
        dns(7, flags=ANSWER, records=[address_record("192.0.2.1")])[:-1],
        dns(7, None),
    ],
)
def test_what_is_no_dns_elsewhere(data: bytes) -> None:
    """On other ports a message must be whole and ordinary from the first byte to the last."""
    assert rows_of([asked(data, dport=12_345)]).dns == []


def test_junk_before_the_first_message() -> None:
    """On its own port DNS is looked for in every datagram, whatever came before."""
    binding = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    for other in (b"\x17" * 40, binding):
        junk = [asked(other, T0 + n) for n in range(20)]
        assert one([*junk, asked(dns(7), T0 + 50)])["qname"] == "www.example.org"


def test_what_is_no_dns_on_its_port() -> None:
    """Bytes on port 53 that are no DNS leave no row, and the flow its port's application."""
    rows = rows_of([Packet(T0, ip(b"\0\x35\0\x35\0\x0c\0\0abcd", 17, CLIENT, RESOLVER))])
    assert (rows.dns, rows.flow["application"]) == ([], "dns")
