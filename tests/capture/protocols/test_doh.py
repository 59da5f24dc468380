"""DNS over HTTP/2 in the clear: DATA frames that are messages, and all that are none."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.doh import may_hold_messages
from pipeline.kernels import kernel
from tests.capture.packets import ACK, ANSWER, Conversation, Rows, address_record, dns, rows_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4


def frame(kind: int, data: bytes, stream: int = 1, flags: int = 0) -> bytes:
    return len(data).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, stream) + data


QUESTION = dns(0)
REPLY = dns(0, flags=ANSWER, records=[address_record("192.0.2.1")])
POST = frame(HEADERS, b"\x83\x86\x84", flags=4)


def exchange(up: bytes, down: bytes = b"", port: int = 80) -> Rows:
    """Rows of a connection that goes on, behind its first exchange, with these bytes."""
    talk = Conversation(dport=port, step=100).open()
    talk.up(ACK, PREFACE + frame(SETTINGS, b"", 0)).down(
        ACK, frame(SETTINGS, bytes.fromhex("000300000064"), 0)
    )
    talk.up(ACK, POST).down(ACK, frame(HEADERS, b"\x88", flags=4)).up(ACK, up)
    if down:
        talk.down(ACK, down)
    return rows_of(talk.packets)


@pytest.mark.parametrize("before", [b"", POST, frame(SETTINGS, b"", 0) + POST])
def test_messages_in_frames(before: bytes) -> None:
    """A question and its answer in DATA frames, alone or behind others, are one row; the flow stays HTTP."""
    rows = exchange(before + frame(DATA, QUESTION, flags=1), before + frame(DATA, REPLY))
    (row,) = rows.dns
    assert (row["transport"], row["qname"], row["rtt_us"]) == ("tcp", "www.example.org", 100)
    assert row["addresses"] == ["192.0.2.1"]
    assert rows.flow["application"] == "http"


def test_padding() -> None:
    """Padding (RFC 9113, 6.1) is no part of the message."""
    (row,) = exchange(frame(DATA, b"\x05" + QUESTION + bytes(5), flags=8)).dns
    assert row["qname"] == "www.example.org"


def test_several_messages() -> None:
    """Each of several frames in a segment is read; all have the id 0 (RFC 8484, 4.1)."""
    names = [b"n%d.example" % n for n in range(5)]
    rows = exchange(b"".join(frame(DATA, dns(0, name), 2 * n + 1) for n, name in enumerate(names))).dns
    assert {row["qname"] for row in rows} == {name.decode() for name in names}


@pytest.mark.parametrize(
    "data",
    [
        frame(DATA, QUESTION[:-1]),
        frame(DATA, QUESTION + b"\0"),
        frame(DATA, QUESTION)[:-1],
        frame(HEADERS, QUESTION),
        frame(10, QUESTION),
        frame(DATA, QUESTION, stream=0x80000001),
        frame(DATA, b"\xff" + QUESTION, flags=8),
        frame(DATA, b"", flags=8) + bytes(40),
        bytes(60),
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    """Cut, longer, in another frame or no frame: no row."""
    assert exchange(data).dns == []


@kernel
def looked_at(buf):  # type: ignore[no-untyped-def]
    """Whether the bytes could be a frame, asked as another kernel asks."""
    return may_hold_messages(buf, 0, len(buf))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(DATA, QUESTION), True),
        (frame(DATA, b"", flags=1) + frame(DATA, QUESTION, stream=3), True),
        (frame(SETTINGS, bytes(30), 0), True),
        (frame(DATA, QUESTION, stream=0), False),
        (bytes(1_400), False),
        (frame(DATA, QUESTION)[: 9 + 16], False),
    ],
)
def test_frames_of_data_have_a_stream(data: bytes, expected: bool) -> None:
    """DATA of stream 0 is an error (RFC 9113, 6.1), so that zeros are no frames; empty DATA ends a stream."""
    assert looked_at(np.frombuffer(data, np.uint8).copy()) == expected


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_frames(data: st.DataObject) -> None:
    """Whatever becomes of frames, they are read within their bounds."""
    damaged = bytearray(POST + frame(DATA, QUESTION) + frame(DATA, b"\x02" + REPLY + bytes(2), flags=8))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert len(exchange(bytes(damaged)).dns) <= 2
