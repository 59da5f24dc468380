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
from capture.protocols.tls import read_tls
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
