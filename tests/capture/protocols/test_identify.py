"""Applications by first bytes, and by port where those say nothing."""

import struct
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.protocols.identify import port_table, tcp_client, tcp_server, udp_payload
from pipeline.records import APPLICATIONS
from tests.capture.packets import ACK, SERVER, T0, Conversation, Packet, rows_of, udp

SMB2 = b"\0\0\0\x40\xfeSMB" + bytes(60)
RDP = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\3\0\0\0"
POSTGRES = struct.pack("!II", 20, 0x00030000) + b"user\0me\0\0\0\0\0"
MQTT = b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd"
OPENVPN_TCP = b"\0\x2a\x38" + bytes(41)


@pytest.mark.parametrize(
    ("data", "application"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "ssh"),
        (b"\x13BitTorrent protocol" + bytes(48), "bittorrent"),
        (b"EHLO me.example\r\n", "smtp"),
        (SMB2, "smb"),
        (RDP, "rdp"),
        (POSTGRES, "postgresql"),
        (b"REGISTER sip:a.example SIP/2.0\r\n", "sip"),
        (MQTT, "mqtt"),
        (b"\x05\x01\0", "socks"),
        (OPENVPN_TCP, "openvpn"),
        (b"something else", ""),
        (b"ab", ""),
    ],
)
def test_tcp_by_content(data: bytes, application: str) -> None:
    """The client's first bytes tell the application on a port that says nothing."""
    talk = Conversation(dport=12_345).open().up(ACK, data)
    assert rows_of(talk.packets).flow["application"] == application


@pytest.mark.parametrize(
    ("data", "application"),
    [(b"SSH-2.0-x\r\n", "ssh"), (b"* OK IMAP4rev1\r\n", "imap"), (b"+OK POP3\r\n", "pop3"), (b"hello", "")],
)
def test_servers_that_speak_first(data: bytes, application: str) -> None:
    """A banner tells the application, too."""
    talk = Conversation(dport=12_345).open().down(ACK, data)
    assert rows_of(talk.packets).flow["application"] == application


STUN = struct.pack("!HHI", 1, 0, 0x2112A442) + bytes(12)
QUIC_1 = b"\xc3\0\0\0\x01\x08" + bytes(1_190)
WIREGUARD = b"\x01\0\0\0" + bytes(144)
OPENVPN = b"\x38" + bytes(40)


@pytest.mark.parametrize(
    ("data", "application"),
    [
        (STUN, "stun"),
        (QUIC_1, "quic"),
        (b"\xc3\x6b\x33\x43\xcf\x08" + bytes(1_190), "quic"),
        (b"\xc3\xff\0\0\x1d\x08" + bytes(1_190), "quic"),
        (b"\xc3\x12\x34\x56\x78\x08" + bytes(1_190), ""),
        (b"\xc3\0\0\0\x01\x15" + bytes(1_190), ""),
        (WIREGUARD, "wireguard"),
        (WIREGUARD + b"x", ""),
        (OPENVPN, "openvpn"),
        (b"d1:ad2:id20:xxxxxxxxxxxxxxxxxxxx", "bittorrent"),
        (b"INVITE sip:b@example SIP/2.0\r\n", "sip"),
        (b"x", ""),
    ],
)
def test_udp_by_content(data: bytes, application: str) -> None:
    """A datagram's first bytes tell the application on a port that says nothing."""
    assert rows_of([Packet(T0, udp(data, 50_000, 12_345))]).flow["application"] == application


@pytest.mark.parametrize(
    ("port", "application"), [(123, "ntp"), (500, "ipsec"), (1900, "ssdp"), (40_000, "")]
)
def test_udp_by_port(port: int, application: str) -> None:
    """Where the content says nothing, the port does."""
    assert rows_of([Packet(T0, udp(b"????", 50_000, port))]).flow["application"] == application


def test_content_comes_before_the_port() -> None:
    """SSH on port 443 is SSH."""
    talk = Conversation(dport=443).open().up(ACK, b"SSH-2.0-x\r\n")
    assert rows_of(talk.packets).flow["application"] == "ssh"


def test_quic_stays_quic() -> None:
    """Short headers that follow do not change what the first datagram said."""
    packets = [
        Packet(T0 + n, udp(QUIC_1 if n == 0 else b"\x40" + bytes(n + 30), 50_000, 9_443)) for n in range(9)
    ]
    assert rows_of(packets).flow["application"] == "quic"


def test_the_port_table() -> None:
    """Every port of the table has a word of the record's set."""
    table = port_table()
    assert table.shape == (2, 65_536)
    assert table.max() < len(APPLICATIONS)
    assert APPLICATIONS[table[0, 443]] == "tls"
    assert APPLICATIONS[table[1, 443]] == "quic"


def test_words_that_ndpi_names() -> None:
    """Every protocol of nDPI that agreement is measured by stands for words that records have."""
    path = Path(__file__).parents[3] / "benchmarks" / "ndpi_applications.toml"
    named = tomllib.loads(path.read_text("utf-8"))
    assert {word for words in named.values() for word in words} <= set(APPLICATIONS) - {""}


def test_server_of_an_unanswered_probe() -> None:
    """A datagram of a known port towards a high one is the server's."""
    row = rows_of([Packet(T0, udp(b"x", 123, 50_000, source=SERVER, target="10.1.2.3"))]).flow
    assert (row["server"], row["server_port"], row["application"]) == (SERVER, 123, "ntp")


@pytest.mark.uncompiled
@given(
    st.binary(max_size=160),
    st.sampled_from([b"", SMB2, RDP, POSTGRES, MQTT, STUN, QUIC_1[:20], OPENVPN, b"\x05"]),
)
def test_any_bytes_have_an_application_or_none(tail: bytes, head: bytes) -> None:
    """No bytes make a judge read outside of them."""
    for size in (len(head) + len(tail), len(head) // 2, 1, 0):
        buf = np.frombuffer((head + tail)[:size], np.uint8)
        for judge in (tcp_client, tcp_server, udp_payload):
            assert 0 <= judge(buf, 0, len(buf)) < len(APPLICATIONS)
