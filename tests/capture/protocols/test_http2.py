"""HTTP/2 in the clear."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.http2 import PREFACE, read_http2
from tests.capture.packets import ACK, Conversation, rows_of
from tests.capture.protocols.streams import fresh_flow, octets, read
from tests.capture.protocols.test_hpack import coded

START = PREFACE.tobytes()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, 0, 0, b"\0\x03\0\0\0\x64")
WINDOW = frame(8, 0, 0, b"\0\x0f\0\1")


def plain(text: bytes) -> bytes:
    return bytes([len(text)]) + text


#: GET, http, a path, an authority; as a literal, in the Huffman code, with a name of its own.
BLOCKS = [
    b"\x82\x86\x84\x41" + plain(b"two.example:8080"),
    b"\x82\x86\x84\x41" + coded(b"two.example"),
    b"\x3f\x01\x82\x86\x04" + plain(b"/path") + b"\x00" + coded(b":authority") + plain(b"two.example"),
    b"\x42" + plain(b"GET") + b"\x86\x84\x0f\x17" + plain(b"TWO.example"),
    b"\x82\x40" + plain(b"x") + plain(b"y") + b"\xbe\x41" + plain(b"me@two.example"),
]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("form", ["bare", "padded", "weighted"])
def test_the_first_request(block: bytes, form: str) -> None:
    """Authority and method are told, however the fields are written and the frame is padded."""
    if form == "padded":
        headers = frame(1, 0x0C, 1, b"\3" + block + b"\0\0\0")
    else:
        headers = frame(1, 0x24, 1, b"\0\0\0\0\x10" + block) if form == "weighted" else frame(1, 4, 1, block)
    answer = (
        SETTINGS
        + frame(4, 1, 0, b"")
        + frame(1, 4, 1, b"\x48" + coded(b"302") + b"\x6e" + plain(b"https://there.example/x"))
    )
    talk = Conversation(dport=8_080).open().up(ACK, START + SETTINGS + WINDOW + headers).down(ACK, answer)
    row = rows_of(talk.packets).flow
    assert (row["application"], row["http_method"]) == ("http", "GET")
    assert (row["server_name"], row["name_source"]) == ("two.example", "http")
    assert (row["http_status"], row["http_location"]) == (302, "there.example")


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 90), max_size=5, unique=True))
def test_split_streams(places: list[int]) -> None:
    """Split anywhere, both sides are read as one."""
    asked = START + SETTINGS + frame(1, 4, 1, BLOCKS[0])
    answered = SETTINGS + WINDOW + frame(1, 4, 1, b"\x8d")
    talk = Conversation(dport=8_080, step=1_000).open()
    for data, send in ((asked, talk.up), (answered, talk.down)):
        for low, high in itertools.pairwise([0, *sorted(p for p in places if p < len(data)), len(data)]):
            send(ACK, data[low:high])
    row = rows_of(talk.packets).flow
    assert (row["server_name"], row["http_status"]) == ("two.example", 404)


def test_upgrade() -> None:
    """A connection that turns from HTTP/1 keeps its host; the status is that of the response itself."""
    talk = Conversation(dport=80).open()
    talk.up(ACK, b"GET / HTTP/1.1\r\nHost: one.example\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
    talk.down(ACK, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + SETTINGS)
    talk.up(ACK, START + SETTINGS).down(ACK, frame(1, 4, 1, b"\x88"))
    row = rows_of(talk.packets).flow
    assert (row["server_name"], row["http_status"], row["application"]) == ("one.example", 200, "http")


@pytest.mark.uncompiled
@settings(max_examples=300)
@given(
    octets(START, SETTINGS, WINDOW, *(frame(1, 4, 1, block) for block in BLOCKS), b"\xff\xff\xff\xff"),
    st.booleans(),
)
def test_any_bytes_are_read_within_bounds(data: bytes, final: bool) -> None:
    """No bytes make the reader read outside of them or write outside of the flow's slot."""
    fresh_flow()
    read(read_http2, data, final)
