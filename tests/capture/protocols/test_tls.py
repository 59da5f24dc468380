"""ClientHellos and their answers, whole, cut, shuffled and hostile."""

import itertools
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import ALPN_MAX, JA4_MAX, NAME_MAX
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.tls import LATE_PACKETS, read_tls
from tests.capture.der import certificate, certificate_message, common
from tests.capture.packets import (
    ACK,
    PSH,
    VERSIONS,
    Conversation,
    Packet,
    alpn,
    client_hello,
    extension,
    hello_message,
    rows_of,
    server_hello,
    server_name,
    small_sensor,
    tls_records,
)

TABLE = small_sensor().table


def flow_of(hello: bytes, **fields: Any) -> dict[str, Any]:
    """The row of a connection that begins with these bytes."""
    return rows_of(Conversation(**fields).open().up(ACK | PSH, hello).packets).flow


def cut(hello: bytes, places: list[int]) -> list[tuple[int, bytes]]:
    """The bytes in pieces with their offsets."""
    edges = sorted({0, *(p % len(hello) for p in places), len(hello)})
    return [(low, hello[low:high]) for low, high in itertools.pairwise(edges)]


def sent(pieces: list[tuple[int, bytes]], seq: int = 1_000) -> list[Packet]:
    """A connection that sends the pieces in this order."""
    talk = Conversation(seq=seq, step=1_000).open()
    for offset, piece in pieces:
        talk.up(ACK | PSH, piece, seq=(seq + 1 + offset) & 0xFFFFFFFF, keep=True)
    return talk.packets


def test_one_segment() -> None:
    """Name, first protocol, version and application come from a hello in one segment."""
    row = flow_of(client_hello())
    names = ("server_name", "name_source", "alpn", "tls_version", "application", "hello", "ech")
    assert [row[n] for n in names] == ["www.example.org", "sni", "h2", "1.3", "tls", 1, "none"]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 2_000), min_size=1, max_size=19),
    st.randoms(use_true_random=False),
    st.integers(0, 2**32 - 1),
    st.sampled_from([16_384, 100, 7, 1]),
)
def test_segments_in_any_order(places: list[int], chance: random.Random, seq: int, size: int) -> None:
    """Two to twenty segments in any order, some twice, any sequence number and record size: one name."""
    hello = tls_records(
        hello_message(server_name(b"www.example.org"), extension(21, bytes(400)), VERSIONS), size
    )
    pieces = cut(hello, places)
    pieces += chance.sample(pieces, len(pieces) // 3)
    chance.shuffle(pieces)
    row = rows_of(sent(pieces, seq)).flow
    assert (row["server_name"], row["tls_version"], row["hello"]) == ("www.example.org", "1.3", 1)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_overlapping_segments(ranges: list[tuple[int, int]], chance: random.Random) -> None:
    """Segments that overlap give the same hello, whatever order they come in."""
    hello = client_hello()
    pieces = [(low, hello[low : low + size]) for low, size in ranges if low < len(hello)]
    pieces += cut(hello, [40, 80])
    chance.shuffle(pieces)
    assert rows_of(sent(pieces)).flow["server_name"] == "www.example.org"


def test_where_segments_disagree_the_first_stays() -> None:
    """An overlap with other bytes does not replace what came first."""
    hello = client_hello()
    at = hello.index(b"www")
    other = hello.replace(b"www", b"evi")
    pieces = [(0, hello[: at + 20]), (at, other[at:])]
    assert rows_of(sent(pieces)).flow["server_name"] == "www.example.org"


@pytest.mark.parametrize("padding", [0, 12_000, 15_000])
def test_large_hellos(padding: int) -> None:
    """A hello of several segments and up to the head's 16 KiB is read to its end."""
    more = extension(21, bytes(padding))
    hello = tls_records(hello_message(more, server_name(b"behind.example"), VERSIONS), 4_000)
    pieces = [(at, hello[at : at + 1_460]) for at in range(0, len(hello), 1_460)]
    assert rows_of(sent(pieces)).flow["server_name"] == "behind.example"


def test_a_hello_beyond_the_head_is_read_as_far_as_it_goes() -> None:
    """Of a hello of 40 KB, the first 16 KiB count: a name there is found, one behind is not."""
    for before in (True, False):
        parts = [server_name(b"far.example"), extension(21, bytes(40_000))]
        hello = tls_records(hello_message(*(parts if before else parts[::-1])))
        pieces = [(at, hello[at : at + 1_460]) for at in range(0, len(hello), 1_460)]
        row = rows_of(sent(pieces)).flow
        assert row["server_name"] == ("far.example" if before else "")
        assert row["hello"] == 1


def test_a_hello_without_a_name() -> None:
    """Without the extension there is no name, and still a hello."""
    row = flow_of(client_hello(None))
    assert (row["server_name"], row["name_source"], row["hello"], row["alpn"]) == ("", "none", 1, "h2")


@pytest.mark.parametrize(
    ("sent_name", "told"),
    [
        (b"WWW.Example.ORG", "www.example.org"),
        (b"www.example.org.", "www.example.org"),
        (b"b\xc3\xbccher.example", "b\\195\\188cher.example"),
        (b"a\0b.example", "a\\000b.example"),
        (b"xn--bcher-kva.example", "xn--bcher-kva.example"),
        (b"x" * 255, "x" * 255),
        (b"x" * 300, "x" * 255),
        (b".", ""),
        (b"", ""),
        (b"10.0.0.1", "10.0.0.1"),
    ],
)
def test_forms_of_the_name(sent_name: bytes, told: str) -> None:
    """Names are lower case, without the trailing dot, other than printable ASCII escaped, 255 bytes long."""
    assert flow_of(client_hello(sent_name))["server_name"] == told


@pytest.mark.parametrize(
    ("offered", "version"),
    [
        (extension(43, b"\x04\x03\x04\x03\x03"), "1.3"),
        (extension(43, b"\x04\x8a\x8a\x03\x03"), "1.2"),
        (extension(43, b"\x02\x0a\x0a"), "1.2"),
        (extension(43, b""), "1.2"),
        (b"", "1.2"),
    ],
)
def test_the_highest_offered_version(offered: bytes, version: str) -> None:
    """Supported versions win over the header's, GREASE counts for nothing."""
    assert flow_of(tls_records(hello_message(offered)))["tls_version"] == version


def test_encrypted_client_hello() -> None:
    """The ECH extension is told, whether it is real or GREASE."""
    assert flow_of(client_hello(b"outer.example", extension(0xFE0D, b"\0" * 40)))["ech"] == "grease_or_real"


@pytest.mark.parametrize("cut_at", range(60, 140, 10))
def test_a_hello_that_the_snaplen_cut(cut_at: int) -> None:
    """A frame cut off by the capture gives the name if it is there whole, and never a part of it."""
    hello = tls_records(hello_message(server_name(b"www.example.org"), extension(21, bytes(200))))
    packets = Conversation().open().up(ACK | PSH, hello).packets
    ts, frame, _ = packets[-1]
    packets[-1] = Packet(ts, frame[: 54 + cut_at], len(frame))
    whole = cut_at >= hello.index(b"www.example.org") + 15
    row = rows_of(packets).flow
    assert row["server_name"] == ("www.example.org" if whole else "")
    assert (row["hello"], row["application"], row["payload_up"]) == (1, "tls", len(hello))


def test_a_cut_protocol_name_is_left_out() -> None:
    """A protocol whose length goes beyond its extension is no protocol."""
    bad = extension(16, b"\0\x09\x08http/1")
    assert flow_of(tls_records(hello_message(bad)))["alpn"] == ""


@pytest.mark.parametrize(
    ("version", "told", "bits"), [(0x0304, "1.3", 2), (0x0303, "1.2", 10), (0x0301, "1.0", 10)]
)
def test_the_answer_settles_the_version(version: int, told: str, bits: int) -> None:
    """ServerHello and certificate are told, and the version that was agreed on."""
    talk = Conversation().open().up(ACK, client_hello()).down(ACK, server_hello(version))
    row = rows_of(talk.packets).flow
    assert (row["tls_version"], row["hello"]) == (told, 1 | bits)


def test_an_alert_instead_of_an_answer() -> None:
    """A server that answers the hello with an alert is told so."""
    talk = Conversation().open().up(ACK, client_hello()).down(ACK, b"\x15\x03\x03\x00\x02\x02\x70")
    assert rows_of(talk.packets).flow["hello"] == 5


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\0\0", b"\x16\x03\x01\xff\xff\x02" + bytes(60), b"\x16\x02" * 30]
)
def test_what_only_looks_like_a_hello(data: bytes) -> None:
    """Records without a ClientHello make neither a hello nor a name."""
    row = flow_of(data)
    assert (row["hello"], row["server_name"]) == (0, "")


@pytest.mark.uncompiled
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bytes_are_read_within_bounds(data: st.DataObject) -> None:
    """Whatever lengths a hello claims, nothing outside it is read and no length outgrows its place."""
    hello = bytearray(
        tls_records(
            hello_message(server_name(b"www.example.org"), alpn(b"h2"), VERSIONS),
            data.draw(st.sampled_from([16_384, 60, 9, 1])),
        )
    )
    for _ in range(data.draw(st.integers(0, 6))):
        hello[data.draw(st.integers(0, len(hello) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(hello)))
    table = TABLE
    table.slots[:2] = 7
    buf = np.frombuffer(bytes(hello[:end]), np.uint8)
    assert read_tls(table, buf, 0, end, data.draw(st.integers(0, 1)), 0) in (NOT, DONE, MORE)
    flow = table.flows[0]
    assert (table.slots[1] == 7).all()
    assert flow.name_len <= NAME_MAX
    assert flow.alpn_len <= ALPN_MAX
    assert flow.ja4_len in (0, JA4_MAX)
    assert bytes(table.slots[0, : flow.name_len]).isascii()


@pytest.mark.uncompiled
@pytest.mark.parametrize("size", [16_384, 40, 1])
def test_more_is_asked_for_until_the_hello_is_whole(size: int) -> None:
    """Every true prefix asks for more; the whole is done; a prefix that is final is read as it is."""
    hello = tls_records(hello_message(server_name(b"www.example.org"), alpn(b"h2"), VERSIONS), size)
    table = small_sensor().table
    buf = np.frombuffer(hello, np.uint8)
    for end in range(1, len(hello)):
        assert read_tls(table, buf, 0, end, 0, 0) == MORE
    assert table.flows[0].hello == 0
    assert read_tls(table, buf, 0, len(hello), 0, 0) == DONE
    assert read_tls(table, buf, 0, len(hello) // 2, 1, 1) == DONE
    assert table.flows[:2].hello.tolist() == [1, 1]


def answer_body(version: int = 0x0303, *extensions: bytes) -> bytes:
    """A ServerHello as a handshake message."""
    packed = b"".join(extensions)
    body = version.to_bytes(2, "big") + bytes(32) + b"\0\xc0\x2f\0" + len(packed).to_bytes(2, "big") + packed
    return b"\x02" + len(body).to_bytes(3, "big") + body


#: A server's flight of TLS 1.2: hello, chain of two, key exchange, done.
FLIGHT = (
    answer_body()
    + certificate_message(
        certificate(common(b"www.example.org"), common(b"An Issuing CA")),
        certificate(common(b"An Issuing CA"), common(b"A Root")),
    )
    + b"\x0c\0\1\0"
    + bytes(256)
    + b"\x0e\0\0\0"
)
TOLD = [11, "1.2", "www.example.org", "An Issuing CA", "tls"]


def told(row: dict[str, Any]) -> list[Any]:
    """What a row says of the server."""
    return [row[n] for n in ("hello", "tls_version", "certificate", "issuer", "application")]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(1, 3_000), max_size=12),
    st.randoms(use_true_random=False),
    st.sampled_from([16_384, 700, 90, 5, 1]),
)
def test_certificates_in_any_order(places: list[int], chance: random.Random, size: int) -> None:
    """A server's flight in records of any size and segments in any order gives the certificate's names."""
    flight = tls_records(FLIGHT, size)
    pieces = cut(flight, places)
    chance.shuffle(pieces)
    talk = Conversation(step=1_000).open().up(ACK | PSH, client_hello())
    base = talk.down_next
    for offset, piece in pieces:
        talk.down(ACK | PSH, piece, seq=base + offset, keep=True)
    assert told(rows_of(talk.packets).flow) == TOLD


def test_a_flight_of_one_record_a_message() -> None:
    """Each message in a record of its own, as OpenSSL sends them."""
    at = len(answer_body())
    flight = tls_records(FLIGHT[:at]) + tls_records(FLIGHT[at:])
    row = rows_of(Conversation().open().up(ACK, client_hello()).down(ACK, flight).packets).flow
    assert told(row) == TOLD


@pytest.mark.parametrize("missing", [1, 600, 1_000])
def test_a_flight_whose_end_never_comes(missing: int) -> None:
    """The chain's end is not needed; a certificate of which enough is there is named when the flow ends."""
    flight = tls_records(FLIGHT)[:-missing]
    row = rows_of(Conversation().open().up(ACK, client_hello()).down(ACK, flight).packets).flow
    assert told(row) == TOLD


def test_the_version_asked_for_anew() -> None:
    """A HelloRetryRequest is an answer, and settles the version."""
    retry = tls_records(answer_body(0x0303, extension(43, b"\x03\x04"), extension(51, b"\0\x17")))
    talk = Conversation().open().up(ACK, client_hello()).down(ACK, retry + b"\x14\x03\x03\0\1\1")
    row = rows_of(talk.up(ACK, b"\x14\x03\x03\0\1\1" + client_hello(b"second.example")).packets).flow
    assert (row["hello"], row["tls_version"], row["server_name"]) == (3, "1.3", "www.example.org")


def test_a_resumed_session() -> None:
    """A session that goes on without a certificate shows none."""
    answer = tls_records(answer_body()) + b"\x14\x03\x03\0\1\1" + b"\x16\x03\x03\0\x28" + bytes(40)
    row = rows_of(Conversation().open().up(ACK, client_hello()).down(ACK, answer).packets).flow
    assert told(row) == [3, "1.2", "", "", "tls"]


def test_a_warning_before_the_answer() -> None:
    """A server that warns of the name it does not know, and answers all the same, has answered."""
    answer = b"\x15\x03\x03\0\2\1\x70" + tls_records(FLIGHT)
    row = rows_of(Conversation().open().up(ACK, client_hello()).down(ACK, answer).packets).flow
    assert told(row) == [15, *TOLD[1:]]


@pytest.mark.parametrize(("up", "alert", "bit"), [
    (True, b"\x15\x03\x03\0\2\2\x30", 4),
    (False, b"\x15\x03\x03\0\2\2\x28", 4),
    (True, b"\x15\x03\x03\0\2\7\7", 0),
    (True, b"\x17\x03\x03\0\2\2\x30", 0),
])  # fmt: skip
def test_an_alert_later_on(up: bool, alert: bytes, bit: int) -> None:
    """Either side's alert in the clear is told, also behind hello and certificate."""
    talk = Conversation().open().up(ACK, client_hello()).down(ACK, tls_records(FLIGHT))
    talk = talk.up(ACK, alert) if up else talk.down(ACK, alert)
    assert rows_of(talk.packets).flow["hello"] == 11 | bit


def test_records_between_those_of_a_hello() -> None:
    """An alert, and records without content, between the records of a hello don't hide it."""
    whole = client_hello()
    message = whole[5:]
    empty = b"\x16\x03\x01\0\0"
    for first, between in ((empty, b""), (b"", b"\x15\x03\x01\0\2\1\0"), (b"", empty)):
        hello = first + tls_records(message[:2]) + between + tls_records(message[2:])
        assert flow_of(hello)["server_name"] == "www.example.org"


def test_a_hello_from_the_other_side() -> None:
    """Whoever opened the connection: the ClientHello makes the name, the ServerHello the version."""
    talk = Conversation().open().down(ACK, client_hello()).up(ACK, tls_records(FLIGHT))
    row = rows_of(talk.packets).flow
    assert [row["server_name"], *told(row)] == ["www.example.org", *TOLD]


DATA = b"\x17\x03\x03\0\x40" + bytes(64)


@pytest.mark.parametrize(
    "data",
    [
        DATA,
        DATA[:20],
        DATA + b"\x15\x03\x03\0\x1a" + bytes(26),
        b"\x14\x03\x01\0\1\1\x16\x03\x01\0\x28" + bytes(40),
        b"\x16\x03\x03\0\x46\x10" + bytes(69),
        b"\x16\x03\x03\0\x28" + bytes(8) + b"\x0b" * 32,
        b"\x16\x03\x03\0\4" + bytes(4),
        b"\x17\x03\x03\x48\0" + bytes(900),
        b"\x15\x03\x01\0\2\1\0",
    ],
)
def test_from_the_middle(data: bytes) -> None:
    """Records whose lengths and versions fit are TLS on any port, the hello unseen."""
    for talk in (Conversation(dport=7_001).up(ACK, data), Conversation(dport=7_001).open().down(ACK, data)):
        row = rows_of(talk.packets).flow
        assert (row["application"], row["hello"] & 11) == ("tls", 0)


@pytest.mark.parametrize(
    "data",
    [
        DATA + b"HTTP/",
        b"\x17\x03\x03\0\4" + bytes(4),
        b"\x17\x03\x03\x48\1" + bytes(40),
        b"\x17\x02\x03\0\x40" + bytes(64),
        b"\x14\x03\x03\0\2\1\1",
        b"\x15\x03\x01\0\2\3\0",
        b"\x16\x03\x03\0\x08\x63" + bytes(7),
        b"\x16\x03\x03\0\x2a\2\0\0\x26\5\5" + bytes(36),
        b"\x16\x03\x03\0\x2a\1\0\0\x26\5\5" + bytes(36),
    ],
)
def test_not_from_the_middle(data: bytes) -> None:
    """Lengths, versions or contents that don't fit are something else."""
    row = rows_of(Conversation(dport=7_001).open().up(ACK, data).packets).flow
    assert (row["application"], row["hello"]) == ("", 0)


@pytest.mark.parametrize("size", [60, 2_000])
def test_a_hello_after_other_words(size: int) -> None:
    """TLS that begins after words of another protocol is found, in one segment or more, and its answer."""
    hello = tls_records(hello_message(server_name(b"late.example"), extension(21, bytes(600)), VERSIONS))
    talk = (
        Conversation(dport=7_001).open().down(ACK, b"say when").up(ACK, b"now, please").down(ACK, b"so be it")
    )
    for at in range(0, len(hello), size):
        talk.up(ACK | PSH, hello[at : at + size])
    row = rows_of(talk.down(ACK, tls_records(FLIGHT)).packets).flow
    assert [row["server_name"], *told(row)] == ["late.example", *TOLD]


def test_inside_another_protocol() -> None:
    """A protocol that is known stays the application where it turns to TLS."""
    greeting = b"\x1b\0\0\0\x0a8.0.36\0" + bytes(4) + b"saltsalt" + bytes(7)
    talk = Conversation(dport=3_306).open().down(ACK, greeting).up(ACK, b"\x20\0\0\1" + bytes(32))
    row = rows_of(talk.up(ACK, client_hello()).down(ACK, tls_records(FLIGHT)).packets).flow
    assert [row["server_name"], *told(row)] == ["www.example.org", *TOLD[:4], "mysql"]


def test_a_hello_far_inside_is_left() -> None:
    """Behind the first packets nothing is looked for."""
    talk = Conversation(dport=7_001).open()
    for _ in range(LATE_PACKETS):
        talk.up(ACK, b"something else")
    assert rows_of(talk.up(ACK, client_hello()).packets).flow["hello"] == 0


@pytest.mark.uncompiled
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_answer_is_read_within_bounds(data: st.DataObject) -> None:
    """Whatever lengths a server's flight claims, nothing outside it is read."""
    flight = bytearray(tls_records(FLIGHT, data.draw(st.sampled_from([16_384, 90, 2]))))
    for _ in range(data.draw(st.integers(0, 6))):
        flight[data.draw(st.integers(0, 250))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(flight)))
    buf = np.frombuffer(bytes(flight[:end]), np.uint8)
    assert read_tls(TABLE, buf, 0, end, data.draw(st.integers(0, 1)), 0) in (NOT, DONE, MORE)
