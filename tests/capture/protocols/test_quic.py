"""QUIC handshakes: every version, any order of frames and packets, Retry, negotiation, noise and floods."""

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture import packets
from tests.capture.packets import (
    GOOGLE_INITIAL,
    QUIC_INITIAL,
    T0,
    Packet,
    Rows,
    address_record,
    alpn,
    answered,
    asked,
    dns,
    extension,
    hello_message,
    rows_of,
    server_hello,
    server_name,
)
from tests.capture.quic_packets import (
    CID,
    HANDSHAKE,
    SALTS,
    SERVER_CID,
    V1,
    V2,
    ZERO_RTT,
    Exchange,
    ack,
    answer,
    close,
    crypto,
    initial,
    negotiation,
    other,
    retry,
)

VERSIONS = extension(43, b"\x02\x03\x04")
HELLO = hello_message(server_name(b"www.example.org"), alpn(b"h3"), VERSIONS, extension(57, bytes(40)))
#: One with a key share of a post-quantum group, which takes two packets or more.
LARGE = hello_message(extension(51, bytes(1_300)), server_name(b"www.example.org"), alpn(b"h3"), VERSIONS)
SERVER_HELLO = server_hello()[5:]
ANSWER = ack() + crypto(0, SERVER_HELLO)
SHORT = b"\x40" + bytes(60)

#: RFC 9001, A.2, and RFC 9369, A.2: the client's hello.
RFC_HELLO = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302"
    "010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d001700180010000700050461"
    "6c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e9"
    "94ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c000240010039003204"
    "08ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
)  # fmt: skip
#: How the protected packets of A.2 begin and end, and those of A.3.
RFC_PACKETS = [
    (
        V1,
        "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92ec356c",
        "e221af44860018ab0856972e194cd934",
        "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f"
        "5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795"
        "d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee",
    ),
    (
        V2,
        "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071bf03dceebfa162e75d6c",
        "a18b2faa745b6fe189cf772a9f84cbfc",
        "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358"
        "230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d"
        "8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140",
    ),
]  # fmt: skip


def named(row: dict[str, Any]) -> tuple[str, str, str, str, str, int]:
    return tuple(
        row[n] for n in ("application", "server_name", "name_source", "alpn", "tls_version", "hello")
    )  # type: ignore[return-value]


def rows(exchange: Exchange, **more: Any) -> Rows:
    return rows_of(exchange.packets, **more)


def whole(frames: bytes = crypto(0, HELLO), **more: Any) -> bytes:
    """A client's first datagram."""
    return initial(frames, **({"pad": 1_200} | more))


@pytest.mark.parametrize(("version", "begin", "end", "server"), RFC_PACKETS)
def test_vectors(version: int, begin: str, end: str, server: str) -> None:
    """The packets of RFC 9001, appendix A, and of RFC 9369, appendix A, are read."""
    client = initial(RFC_HELLO, version=version, number=2, pad=1_200)
    assert (client[:48].hex(), client[-16:].hex(), len(client)) == (begin, end, 1_200)
    row = rows(Exchange().up(client).down(bytes.fromhex(server))).flow
    assert named(row) == ("quic", "example.com", "quic", "alpn", "1.3", 3)


def test_packets_that_others_damage() -> None:
    """The packets that the room's other tests cut and change are read where they are whole."""
    assert (
        initial(crypto(0, hello_message(server_name(b"a.example"), packets.VERSIONS)), number_bytes=1)
        == QUIC_INITIAL
    )
    for packet in (QUIC_INITIAL, GOOGLE_INITIAL):
        row = rows(Exchange().up(packet)).flow
        assert (row["server_name"], row["name_source"], row["hello"]) == ("a.example", "quic", 1)


@pytest.mark.parametrize("version", SALTS)
def test_versions(version: int) -> None:
    """v1, v2, the drafts, Facebook's and Google's versions are read, and who answered."""
    row = rows(Exchange().up(whole(version=version)).down(answer(ANSWER, version=version))).flow
    assert named(row) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


def test_google_frames() -> None:
    """Q050's hello is Google's, in a CRYPTO frame of Google's type."""
    message = b"CHLO\x01\0\0\0SNI\0\x09\0\0\0a.example"
    first = whole(b"\x07" + crypto(0, message, 8), version=0x51303530)
    row = rows(Exchange().up(first).down(answer(crypto(0, b"REJ\0", 8), version=0x51303530))).flow
    assert named(row) == ("quic", "a.example", "quic", "", "", 3)


def test_greased_version() -> None:
    """A version that forces negotiation is read where the client takes the keys of v1."""
    talk = Exchange(dport=4_433).up(whole(version=0x1A2A3A4A)).down(negotiation(V1, 0x4A4A4A4A))
    assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 1)


@pytest.mark.parametrize("number_bytes", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [8, 15, 20])
def test_header_fields(number_bytes: int, length: int) -> None:
    """Packet numbers and connection ids of any length, tokens and IPv6 change nothing."""
    cid, scid = bytes(range(length)), bytes(20 - length)
    first = whole(dcid=cid, scid=scid, number=0x51, number_bytes=number_bytes, token=bytes(90))
    talk = Exchange(client="2001:db8::5", server="2001:db8::1").up(first)
    talk.down(initial(ANSWER, dcid=scid, scid=b"", side="server", key_cid=cid, number_bytes=number_bytes))
    assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


@pytest.mark.parametrize(("sport", "dport"), [(50_000, 8_853), (443, 50_000), (443, 443), (1_024, 784)])
def test_any_port(sport: int, dport: int) -> None:
    """Content decides, not the port: whichever side began a flow, the hello is the client's."""
    row = rows(Exchange(sport=sport, dport=dport).up(whole()).down(answer(ANSWER))).flow
    assert named(row) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


def split(message: bytes, places: list[int]) -> list[bytes]:
    """CRYPTO frames of the message, cut at these places."""
    edges = sorted({0, *(p % len(message) for p in places), len(message)})
    return [crypto(low, message[low:high]) for low, high in itertools.pairwise(edges)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 5_000), max_size=40),
    st.integers(1, 6),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@pytest.mark.compiled
def test_frames_in_any_order(places: list[int], count: int, large: bool, chance: random.Random) -> None:
    """Frames shuffled over packets and datagrams, some twice, others between them: one name."""
    frames = split(LARGE if large else HELLO, places)
    frames += chance.sample(frames, len(frames) // 3)
    frames += [b"\x01", bytes(3), ack(2, [(0, 1), (1, 0)], True), b"\0\x01\0"]
    chance.shuffle(frames)
    size = -(-len(frames) // count)
    packets = [
        initial(b"".join(frames[at : at + size]), number=number)
        for number, at in enumerate(range(0, len(frames), size))
    ]
    talk = Exchange()
    while packets:
        together = [packets.pop() for _ in range(min(chance.randint(1, 3), len(packets)))]
        talk.up(*together, *([other(ZERO_RTT)] if chance.random() < 0.3 else []))
    assert named(rows(talk.down(answer(ANSWER))).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


def test_hello_over_packets() -> None:
    """A hello over two datagrams, the second first too, is read, also while the server acknowledges."""
    parts = split(LARGE, [1_100])
    for order in ((0, 1), (1, 0)):
        talk = Exchange()
        for number in order:
            talk.up(whole(parts[number], number=number)).down(answer(ack(number), number=number))
        talk.down(answer(crypto(0, SERVER_HELLO), number=2))
        assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


def test_later_packets_under_the_servers_id() -> None:
    """Later packets carry the connection id that the server chose, and the first one's keys."""
    parts = split(LARGE, [1_100])
    talk = Exchange().up(whole(parts[0])).down(answer(ack()))
    talk.up(whole(parts[1], number=1, dcid=SERVER_CID, key_cid=CID))
    assert rows(talk).flow["server_name"] == "www.example.org"


@pytest.mark.compiled
def test_hello_of_16_kib() -> None:
    """A hello as large as a stream head is read."""
    message = hello_message(
        extension(21, bytes(16_000)), server_name(b"www.example.org"), alpn(b"h3"), VERSIONS
    )
    talk = Exchange()
    for number, frame in enumerate(split(message, list(range(1_000, 16_500, 1_000)))):
        talk.up(whole(frame, number=number))
    assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 1)


def test_part_of_a_hello() -> None:
    """Where the rest never comes, the name that stands before the hole is told."""
    message = hello_message(server_name(b"www.example.org"), extension(51, bytes(1_300)), VERSIONS)
    talk = Exchange().up(whole(split(message, [1_000])[0]))
    assert rows(talk).flow["server_name"] == "www.example.org"
    talk = Exchange().up(whole(split(LARGE, [1_000])[0]))
    assert rows(talk).flow["server_name"] == ""


def test_coalesced() -> None:
    """Packets of every kind may stand in one datagram, and what is not a packet behind them."""
    talk = Exchange().up(other(ZERO_RTT), initial(crypto(0, HELLO)), other(HANDSHAKE), SHORT)
    talk.down(answer(ANSWER), other(HANDSHAKE, dcid=b""), bytes(30))
    assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("chosen", [bytes.fromhex("1122334455667788"), b"\x11\x22\x33\x44", b""])
def test_retry(early: bool, told: bool, chosen: bytes) -> None:
    """After a Retry the keys come from the connection id in it, also if the mirror lost the Retry itself."""
    parts = split(LARGE, [1_000])
    talk = Exchange().up(whole(crypto(0, HELLO) if early else parts[0]))
    if told:
        talk.down(retry(chosen))
    if early:
        talk.up(whole(dcid=chosen, token=b"a token"))
    else:
        talk.up(whole(parts[0], dcid=chosen, token=b"a token"))
        talk.up(whole(parts[1], dcid=chosen, token=b"a token", number=1))
    talk.down(answer(ANSWER, key_cid=chosen))
    assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


@pytest.mark.parametrize("cid", [CID, bytes(range(12))])
def test_version_negotiation(cid: bytes) -> None:
    """After a negotiation the client begins anew with another version, with the same connection id or not."""
    talk = Exchange().up(whole(split(LARGE, [900])[0], version=V2)).down(negotiation(V1))
    talk.up(whole(dcid=cid)).down(answer(ANSWER, key_cid=cid))
    assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


def test_compatible_version() -> None:
    """A server may answer in another version (RFC 9368); its keys come from the same connection id."""
    parts = split(LARGE, [1_000])
    talk = Exchange().up(whole(parts[0])).down(answer(ack(), version=V2))
    talk.up(whole(parts[1], number=1, version=V2, dcid=SERVER_CID, key_cid=CID))
    talk.down(answer(ANSWER, version=V2, number=1))
    assert named(rows(talk).flow) == ("quic", "www.example.org", "quic", "h3", "1.3", 3)


def test_unknown_version_is_not_believed() -> None:
    """A long header of a version that nobody defined is no QUIC, whatever stands in it."""
    row = rows(Exchange(dport=40_000).up(whole(version=0x12345678))).flow
    assert named(row) == ("", "", "none", "", "", 0)


@pytest.mark.parametrize("error", [0x02, 0x128, 0x178])
def test_refused(error: int) -> None:
    """A server that closes instead of answering leaves the alert bit."""
    row = rows(Exchange().up(whole()).down(answer(ack() + close(error, b"no")))).flow
    assert (row["server_name"], row["hello"]) == ("www.example.org", 5)


def test_client_closes() -> None:
    """A client that closes is no alert of the server."""
    row = rows(Exchange().up(whole()).up(initial(close(0x100), number=1))).flow
    assert row["hello"] == 1


def test_name_of_the_answer_stays() -> None:
    """A hello without a name leaves that which the client's own DNS answer gave."""
    message = hello_message(alpn(b"h3"), VERSIONS)
    first = dns(7, b"other.example")
    packets = [
        asked(first),
        answered(dns(7, b"other.example", flags=0x8180, records=[address_record("192.0.2.80")])),
        *Exchange(ts=T0 + 100_000).up(whole(crypto(0, message))).packets,
    ]
    row = next(row for row in rows_of(packets).flows if row["server_port"] == 443)
    assert (row["server_name"], row["name_source"], row["hello"]) == ("other.example", "dns", 1)


@settings(deadline=None, max_examples=20)
@given(st.integers(1), st.integers(0, 7))
def test_no_name_from_noise(place: int, bit: int) -> None:
    """One wrong bit anywhere in the packet, and nothing in it is believed."""
    packet = bytearray(initial(crypto(0, HELLO)))
    place = place % len(packet)
    packet[place] ^= 1 << bit
    row = rows(Exchange().up(bytes(packet))).flow
    # The version's bits may make it one with the same keys; the tag covers them too.
    assert (row["server_name"], row["hello"]) == ("", 0)


def test_cut_off() -> None:
    """A packet that the capture cut has no tag to believe, but is QUIC."""
    talk = Exchange(dport=4_433).up(whole())
    frame = talk.packets[0]
    cut = Packet(frame.ts, frame.data[:300], len(frame.data))
    row = rows_of([cut]).flow
    assert (row["application"], row["server_name"], row["hello"]) == ("quic", "", 0)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from([V1, V2, 0, 0xFF00001D, 0x51303436, 0x1A2A3A4A]),
    st.integers(128, 255),
    st.binary(max_size=120),
)
def test_random_long_headers(version: int, first: int, tail: bytes) -> None:
    """Bytes behind a long header name nothing and disturb nothing."""
    row = rows(Exchange().up(bytes([first]) + version.to_bytes(4, "big") + tail)).flow
    assert (row["server_name"], row["packets_up"]) == ("", 1)
