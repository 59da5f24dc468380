"""Google's QUIC before its hello was enciphered, by its versions' headers."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import rows_of
from tests.capture.quic_packets import CID, Exchange


def chlo(*values: tuple[bytes, bytes], cut: int | None = None) -> bytes:
    """A CHLO message of these tags."""
    index, data = b"", b""
    for tag, value in values:
        data += value
        index += tag.ljust(4, b"\0") + struct.pack("<I", len(data))
    return (b"CHLO" + struct.pack("<HH", len(values), 0) + index + data)[:cut]


HELLO = chlo((b"PAD", b"-" * 40), (b"SNI", b"WWW.example.org"), (b"VER", b"Q039"))


def packet(version: bytes, message: bytes = HELLO, private: bytes = b"", number: int = 1) -> bytes:
    """A packet with the public header and one frame of stream 1."""
    flags = 0x09 | {1: 0, 2: 0x10, 4: 0x20, 6: 0x30}[number]
    head = bytes([flags]) + CID + version + bytes(number) + bytes(12) + private
    return head + b"\xa0\x01" + struct.pack("<H", len(message)) + message + bytes(200)


def long_packet(version: bytes, message: bytes = HELLO) -> bytes:
    """The header of Q044 to Q046."""
    return (
        b"\xc3"
        + version
        + b"\x50"
        + CID
        + bytes(4)
        + bytes(12)
        + b"\xa0\x01"
        + b"\0\0"
        + message
        + bytes(200)
    )


@pytest.mark.parametrize(
    "datagram",
    [
        packet(b"Q024", private=b"\1"),
        packet(b"Q033", private=b"\0", number=6),
        packet(b"Q035", number=2),
        packet(b"Q039", number=4),
        packet(b"Q043"),
        long_packet(b"Q044"),
        long_packet(b"Q046"),
    ],
)
def test_versions(datagram: bytes) -> None:
    """The name is read from the hello of each version's header; TLS and ALPN are unknown."""
    row = rows_of(Exchange().up(datagram).packets).flow
    got = [row[n] for n in ("application", "server_name", "name_source", "hello", "tls_version", "alpn")]
    assert got == ["quic", "www.example.org", "quic", 1, "", ""]


@pytest.mark.parametrize(
    "message",
    [
        chlo((b"VER", b"Q039")),
        HELLO[:50],
        b"CHLO" + bytes(4),
        b"CHLO" + b"\xff" * 300,
        chlo((b"SNI", b"a.example"))[:12] + b"\xff\xff\xff\xff" + b"a.example",
    ],
)
def test_no_name(message: bytes) -> None:
    """A hello without a name, cut off or out of joint is QUIC without a name."""
    row = rows_of(Exchange().up(packet(b"Q039", message)[: 40 + len(message)]).packets).flow
    assert (row["application"], row["server_name"], row["name_source"]) == ("quic", "", "none")


def test_other_version() -> None:
    """What only begins like the header is not QUIC."""
    row = rows_of(Exchange(dport=40_000).up(packet(b"X039")).up(packet(b"Q0:9")).packets).flow
    assert (row["application"], row["server_name"]) == ("", "")


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=80), st.integers(0, 300), st.lists(st.tuples(st.integers(0), st.integers(0, 255))))
def test_damage(tail: bytes, cut: int, changes: list[tuple[int, int]]) -> None:
    """Cut and changed packets are counted as they are, without an error."""
    damaged = bytearray(packet(b"Q039")[:cut] + tail)
    for place, octet in changes:
        if damaged:
            damaged[place % len(damaged)] = octet
    assert rows_of(Exchange().up(bytes(damaged)).packets).flow["packets_up"] == 1
