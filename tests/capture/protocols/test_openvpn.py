"""OpenVPN by its reset and the answer to it."""

import struct

import pytest

from tests.capture.applications import DOWN, UP, of_client, of_datagram, of_datagrams, of_stream

SESSION, OTHER = b"\x01\x02\x03\x04\x05\x06\x07\x08", b"\x11\x12\x13\x14\x15\x16\x17\x18"
COUNTER = struct.pack("!II", 1, 1_700_000_000)


def plain(opcode: int = 7) -> bytes:
    return bytes([opcode << 3]) + SESSION + bytes(5)


def signed(hash_bytes: int = 20, opcode: int = 7) -> bytes:
    return bytes([opcode << 3]) + SESSION + b"h" * hash_bytes + COUNTER + bytes(5)


def encrypted(opcode: int = 7, more: bytes = b"") -> bytes:
    return bytes([opcode << 3]) + SESSION + COUNTER + b"h" * 32 + b"crypt" + more


def answer(between: bytes = b"") -> bytes:
    return b"\x40" + OTHER + between + b"\x01" + bytes(4) + SESSION + bytes(4)


@pytest.mark.parametrize("hash_bytes", [16, 20, 32, 64])
def test_a_signed_reset_is_enough(hash_bytes: int) -> None:
    """Under tls-auth a counter, a time and zeros stand where they belong."""
    assert of_datagram(signed(hash_bytes)) == "openvpn"


@pytest.mark.parametrize("first", [plain(), encrypted(), encrypted(10, b"k" * 290)])
def test_others_need_a_second(first: bytes) -> None:
    """A plain or encrypted reset alone is a guess; sent again, it is none."""
    assert of_datagram(first) == ""
    assert of_datagrams((UP, first), (UP, first)) == "openvpn"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (plain(), answer()),
        (signed(), answer(b"h" * 20 + COUNTER)),
        (encrypted(), b"\x40" + OTHER + COUNTER + b"h" * 32 + b"e" * 17),
    ],
)
def test_a_server_answers(first: bytes, second: bytes) -> None:
    """The server's reset repeats the client's session, or its own counter begins."""
    assert of_datagrams((UP, first), (DOWN, second)) == "openvpn"


def test_an_answer_to_another_session() -> None:
    """A reset for a session that was not asked for confirms nothing."""
    assert of_datagrams((UP, plain()), (DOWN, answer().replace(SESSION, OTHER))) == ""


@pytest.mark.parametrize("packet", [plain(), signed(), encrypted(), encrypted(10, b"k" * 290)])
def test_over_tcp(packet: bytes) -> None:
    """The length before the packet confirms it; a wrong one does not."""
    assert of_client(len(packet).to_bytes(2, "big") + packet) == "openvpn"
    assert of_client((len(packet) + 300).to_bytes(2, "big") + packet) == ""


def test_both_ways_over_tcp() -> None:
    """A server that answers does not change what the client said."""
    first, second = plain(), answer()
    talk = [(UP, len(first).to_bytes(2, "big") + first), (DOWN, len(second).to_bytes(2, "big") + second)]
    assert of_stream(*talk) == "openvpn"


@pytest.mark.parametrize("frame", [b"\x38" + bytes(13), b"\x38" + bytes(40), b"8 is a digit that opens text"])
def test_noise(frame: bytes) -> None:
    """Zeros and text that begin with the opcode are nothing, twice too."""
    assert of_datagrams((UP, frame), (UP, frame)) == ""


def test_in_the_middle_on_its_port() -> None:
    """Data packets of one peer on port 1194 are OpenVPN; others there are unknown."""
    data = [b"\x48\0\0\x03" + struct.pack("!I", n) + bytes(range(1, 80)) for n in (5, 6)]
    assert of_datagrams((UP, data[0]), (UP, data[1]), port=1_194) == "openvpn"
    assert of_datagrams((UP, data[0]), (UP, data[1])) == ""
    assert of_datagram(b"\xff" * 60, port=1_194) == ""
