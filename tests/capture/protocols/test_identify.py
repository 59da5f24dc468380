"""Applications by first bytes, and by port where those say nothing."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import FLOW
from capture.network import PACKET
from capture.protocols.identify import (
    CHECKS,
    IP_ROW,
    UNKNOWN_PACKETS,
    identify_client,
    identify_datagram,
    identify_server,
    port_table,
)
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.signatures import GROUPS, UDP_EITHER, signature_tables
from pipeline.records import APPLICATIONS
from tests.capture.applications import DOWN, UP, of_client, of_datagram, of_datagrams, of_server, of_stream
from tests.capture.packets import (
    ACK,
    CLIENT,
    SECOND,
    SERVER,
    T0,
    Conversation,
    Packet,
    dns,
    ethernet,
    ipv4,
    rows_of,
    udp,
)


def framed(size: int, body: bytes) -> bytes:
    """Behind its length, which counts itself."""
    return (size + len(body)).to_bytes(size, "big") + body


@pytest.mark.parametrize(
    ("data", "application"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "ssh"),
        (b"\0\0\0\x40\xfeSMB" + bytes(60), "smb"),
        (b"\0\0\0\x40\xffSMB" + bytes(60), "smb"),
        (b"\0\0\0\x40\xfdSMB" + bytes(60), "smb"),
        (framed(4, b"\0\x03\0\0user\0me\0\0"), "postgresql"),
        (b"\0\0\0\x08\x04\xd2\x16\x2f", "postgresql"),
        (b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd", "mqtt"),
        (framed(2, b"\0\x01\x1a\x2b\x3c\x4d\0\x01\0\0" + bytes(144)), "pptp"),
        (b"\x12\x01\0\x14\0\0\0\0" + bytes(12), "mssql"),
        (b"\x30\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0" + bytes(32), "mongodb"),
        (b"*1\r\n$4\r\nPING\r\n", "redis"),
        (b"AMQP\0\0\x09\x01", "amqp"),
        (b"@RSYNCD: 31.0\n", "rsync"),
        (b"0032git-upload-pack /project.git\0host=x\0", "git"),
        (b"\xff" * 16 + b"\0\x1d\x01\x04\xfd\xe8" + bytes(7), "bgp"),
        (b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0" + bytes(60), "dcerpc"),
        (b"\x80\0\0\x28\0\0\0\x07\0\0\0\0\0\0\0\x02\0\x01\x86\xa3" + bytes(24), "nfs"),
        (b"ZBXD\x01" + bytes(20), "zabbix"),
        (b"l\0\x0b\0\0\0\0\0\0\0\0\0", "x11"),
        (b"WA\x06\x03\0\0\x24", "whatsapp"),
        (b"\0\x14\0\x01\0\0\x21\x12\xa4\x42" + bytes(12), "stun"),
        (b"<presence to='room@example'/>", "xmpp"),
        (bytes(64), ""),
        (b"GET /index.html\r\n", "http"),
        (b"something else", ""),
        (b"ab", ""),
    ],
)
def test_tcp_by_content(data: bytes, application: str) -> None:
    """The client's first bytes tell the application on a port that says nothing."""
    assert of_client(data) == application


@pytest.mark.parametrize(
    ("data", "application"),
    [
        (b"SSH-2.0-x\r\n", "ssh"),
        (b"RFB 003.008\n", "vnc"),
        (b"R\0\0\0\x08\0\0\0\0", "postgresql"),
        (b"hello", ""),
    ],
)
def test_servers_that_speak_first(data: bytes, application: str) -> None:
    """A banner tells the application, too."""
    assert of_server(data) == application


@pytest.mark.parametrize(
    ("data", "application"),
    [
        (b"\xc8\x02\0\x14" + bytes(16), "l2tp"),
        (b"\xc8\x02\0\x15" + bytes(16), ""),
        (bytes(24) + b"\xff\xff\xff\xff\xfe\xff\xff\xff" + bytes(8), "telegram"),
        (bytes(64), ""),
        (b"\x81\x0b\0\x0c\x01\x20" + bytes(6), "bacnet"),
        (b"\xff\xff\xff\xffTSource Engine Query\0", "steam"),
        (b"\x05\0\xff\xff\0\xfe\xfe\xfe\xfe\xfd\xfd\xfd\xfd\x12\x34\x56\x78\x0a" + bytes(40), "raknet"),
        (b"r6fnvWj8" + bytes(40), "dnscrypt"),
        (b"\0\x01\0\x46\0\0\0\x07" + bytes(66), "discord"),
        (b"\0\0\0\x07\0\0\0\0\0\0\0\x02\0\x01\x86\xa0" + bytes(24), "nfs"),
        (b"\x11\x0e\0\x01\x0a\x01\x02\x03\0\x8a\0\xbb" + bytes(80), "nbns"),
        (b"x", ""),
    ],
)
def test_udp_by_content(data: bytes, application: str) -> None:
    """A datagram's first bytes tell the application on a port that says nothing."""
    assert of_datagram(data) == application


def test_a_line_that_needs_two() -> None:
    """What is too weak alone is named by the second datagram."""
    frame = b"\0" + bytes(10) + b"\x17\x24" + bytes(20)
    assert of_datagram(frame) == ""
    assert of_datagrams((UP, frame), (DOWN, frame)) == "teamviewer"


@pytest.mark.parametrize(
    ("port", "application"), [(514, "syslog"), (443, ""), (53, ""), (123, ""), (1_985, "hsrp"), (40_000, "")]
)
def test_datagrams_that_contradict_their_port(port: int, application: str) -> None:
    """Unknown payload keeps the port's word only where the protocol is not always known by content."""
    assert of_datagram(b"\x3f?????????", port=port) == application


def test_what_comes_in_a_later_row() -> None:
    """Only the flow's first datagram contradicts its port or what was known, not the first of a later row."""
    stun = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    talk = [
        Packet(T0 + 20 * SECOND * number, udp(stun, 50_000, 3_478, ident=number + 1)) for number in range(4)
    ]
    talk += [
        Packet(T0 + (80 + 20 * number) * SECOND, udp(b"?" * 40, 50_000, 3_478, ident=number + 9))
        for number in range(4)
    ]
    rows = rows_of(talk).flows
    assert len(rows) > 1
    assert {row["application"] for row in rows} == {"stun"}


@pytest.mark.parametrize(
    ("before", "unknown", "rows"),
    [(0, UNKNOWN_PACKETS - 1, 1), (0, UNKNOWN_PACKETS, 0), (1, UNKNOWN_PACKETS, 2)],
)
def test_what_nobody_knows_on_a_port_of_names(before: int, unknown: int, rows: int) -> None:
    """Questions behind much that is no DNS are left, but not those of a flow that began with one."""
    said = [dns(1)] * before + [b"\x3f?????????"] * unknown + [dns(2)]
    talk = [Packet(T0 + n, udp(data, 50_000, 53, ident=n + 1)) for n, data in enumerate(said)]
    assert len(rows_of(talk).dns) == rows


def test_what_a_port_may_carry_in_the_middle() -> None:
    """Short headers of QUIC and keep-alives say little, and do not contradict their ports."""
    assert of_datagram(b"\x7f" + b"?" * 40, port=443) == "quic"
    assert of_datagram(b"\0", port=3_478) == "stun"


@pytest.mark.parametrize(("port", "application"), [(22, ""), (80, ""), (443, ""), (5_938, "teamviewer")])
def test_streams_that_contradict_their_port(port: int, application: str) -> None:
    """The same for connections that were seen from their first segment."""
    assert of_client(b"\x7f nothing that is known", port=port) == application


@pytest.mark.parametrize("port", [1_080, 1_194, 1_723, 9_001])
def test_ports_of_tunnels_say_nothing(port: int) -> None:
    """An unanswered connection to a tunnel's port, such as a scan makes, is no tunnel."""
    assert of_stream(port=port) == ""


def test_data_of_l2tp() -> None:
    """Data messages are known on their port alone."""
    message = b"\0\x02\0\x07\0\x01" + b"\xff\x03" + bytes(20)
    assert of_datagram(message, port=1_701) == "l2tp"
    assert of_datagram(message) == ""


def test_no_payload_keeps_the_port() -> None:
    """A connection without payload, or picked up in the middle, has its port's word."""
    assert of_stream(port=443) == "tls"
    assert of_stream((UP, b"\x7f nothing that is known"), port=443, opened=False) == "tls"


def test_files_on_connections_for_data() -> None:
    """What comes from port 20 is a file, whatever its bytes; a listing of a folder is known on any port."""
    talk = Conversation(sport=20, dport=50_000).open().up(ACK, b"\x7f any file at all")
    assert rows_of(talk.packets).flow["application"] == "ftp"
    assert of_server(b"drwxr-xr-x 2 me me 4096 Jan 1 12:00 folder\r\n") == "ftp"


def test_unknown_before_a_banner() -> None:
    """Bytes of the client that say nothing do not hide what the server says."""
    assert of_stream((UP, b"\x7f nothing known"), (DOWN, b"SSH-2.0-x\r\n"), port=22) == "ssh"
    assert of_stream((DOWN, b"SSH-2.0-x\r\n"), (UP, b"\x7f nothing known"), port=22) == "ssh"


def test_content_comes_before_the_port() -> None:
    """SSH on port 443 is SSH."""
    assert of_client(b"SSH-2.0-x\r\n", port=443) == "ssh"


def test_in_pieces() -> None:
    """A banner that comes byte by byte is a banner."""
    assert of_stream(*[(UP, bytes([octet])) for octet in b"SSH-2.0-x"]) == "ssh"


def test_the_wrong_side_in_the_middle() -> None:
    """Picked up in the middle, a server's words are known from what was taken for the client."""
    assert of_stream((UP, b"220 mail.example ESMTP\r\n"), opened=False) == "smtp"
    assert of_stream((UP, b"220 mail.example ESMTP\r\n")) == ""


def test_what_follows_changes_nothing() -> None:
    """Datagrams that say nothing do not change what the first one said."""
    talk = [(UP, b"\xc8\x02\0\x14" + bytes(16) if n == 0 else b"\x02" + bytes(n + 30)) for n in range(9)]
    assert of_datagrams(*talk, port=9_443) == "l2tp"


@pytest.mark.parametrize(("number", "application"), [(50, "ipsec"), (51, "ipsec"), (2, "igmp"), (89, "ospf")])
def test_ip_protocols(number: int, application: str) -> None:
    """Protocols without ports are known by their number."""
    frame = ethernet(ipv4(bytes(40), number, CLIENT, SERVER))
    assert rows_of([Packet(T0, frame)]).flow["application"] == application


def test_ip_protocols_without_payload() -> None:
    """A header alone, as a scan of protocols sends it, names nothing."""
    assert rows_of([Packet(T0, ethernet(ipv4(b"", 50, CLIENT, SERVER)))]).flow["application"] == ""


def test_the_port_table() -> None:
    """Every port and IP protocol of the table has a word of the record's set."""
    table = port_table()
    assert table.shape == (3, 65_536)
    assert table.max() < len(APPLICATIONS)
    assert APPLICATIONS[table[0, 443]] == "tls"
    assert APPLICATIONS[table[1, 443]] == "quic"
    assert APPLICATIONS[table[IP_ROW, 1]] == "icmp"


def test_words_that_ndpi_names() -> None:
    """Every protocol of nDPI that agreement is measured by stands for words that records have."""
    path = Path(__file__).parents[3] / "benchmarks" / "ndpi_applications.toml"
    named = tomllib.loads(path.read_text("utf-8"))
    assert {word for words in named.values() for word in words} <= set(APPLICATIONS) - {""}


def test_server_of_an_unanswered_probe() -> None:
    """A datagram of a known port towards a high one is the server's."""
    row = rows_of([Packet(T0, udp(b"x", 123, 50_000, source=SERVER, target="10.1.2.3"))]).flow
    assert (row["server"], row["server_port"], row["application"]) == (SERVER, 123, "ntp")


LINES, ORDER, STARTS = signature_tables(CHECKS)


class Small:
    """As much of a table as judging needs."""

    def __init__(self, protocol: int, port: int, size: int) -> None:
        self.signatures, self.signature_order, self.signature_starts = LINES, ORDER, STARTS
        self.flows = np.zeros(1, FLOW).view(np.recarray)
        self.flows.protocol, self.flows.server_port, self.flows.base_up = protocol, port, 1
        self.flows.packets_up = 1
        self.packet = np.zeros(1, PACKET).view(np.recarray)
        self.packet.payload_bytes = size


@st.composite
def _like_a_line(draw: st.DrawFn) -> tuple[int, bytes]:
    """(port, bytes that a line of the table allows, then others), maybe damaged."""
    line = LINES[draw(st.integers(0, len(LINES) - 1))]
    size = draw(st.integers(0, 200)) + int(line.shortest)
    data = bytearray(draw(st.binary(min_size=size, max_size=size)))
    places = (
        (0, line.mask_1, line.value_1),
        (8, line.mask_2, line.value_2),
        (line.far, line.mask_3, line.value_3),
    )
    for at, mask, value in places:
        masks, values = int(mask).to_bytes(8, "big", signed=True), int(value).to_bytes(8, "big", signed=True)
        for n in range(8):
            if masks[n]:
                data[at + n] = data[at + n] & ~masks[n] & 0xFF | values[n]
    return int(line.port), bytes(data[: draw(st.integers(1, size))] if draw(st.booleans()) else data)


@pytest.mark.uncompiled
@settings(max_examples=300, deadline=None)
@given(_like_a_line(), st.booleans())
def test_any_bytes_have_an_application_or_none(made: tuple[int, bytes], final: bool) -> None:
    """No bytes make a judge read outside of them, and what it says is one of the words."""
    port, data = made
    buf = np.frombuffer(data, np.uint8)
    for protocol in (6, 17):
        table = Small(protocol, port, len(data))
        if protocol == 17:
            assert identify_datagram(table, buf, 0, len(data), 0) in (NOT, DONE)
            assert identify_datagram(table, buf, 0, len(data), 0) in (NOT, DONE)
        else:
            for reader in (identify_client, identify_server):
                outcome = reader(table, buf, 0, len(data), int(final), 0)
                assert outcome in ((NOT, DONE) if final else (NOT, DONE, MORE))
        assert 0 <= table.flows[0].application < len(APPLICATIONS)


def test_groups_of_lines() -> None:
    """Datagrams are of one group: who is the client is a guess."""
    assert GROUPS["udp", "either"] == (UDP_EITHER,)
