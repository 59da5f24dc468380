"""Which application a flow carries: by its first bytes, by port only where they say nothing."""

import tomllib
from pathlib import Path

import numpy as np

from capture.flows import CLIENT_HEAD_DONE
from capture.octets import u8, u16, u32
from capture.protocols.outcomes import DONE, NOT
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import APPLICATIONS

CODE = {word: code for code, word in enumerate(APPLICATIONS)}
(SSH, SMTP, IMAP, POP3, FTP, SMB, RDP, POSTGRESQL, NTP, SIP, STUN) = (
    CODE[word]
    for word in ("ssh", "smtp", "imap", "pop3", "ftp", "smb", "rdp", "postgresql", "ntp", "sip", "stun")
)
(BITTORRENT, WIREGUARD, OPENVPN, QUIC, SOCKS, RTP, MQTT) = (
    CODE[word] for word in ("bittorrent", "wireguard", "openvpn", "quic", "socks", "rtp", "mqtt")
)


def port_table() -> np.ndarray:
    """uint8[2, 65536]: application code by (TCP 0 or UDP 1, port), from `ports.toml`."""
    table = np.zeros((2, 65_536), np.uint8)
    text = Path(__file__).with_name("ports.toml").read_text("utf-8")
    for row, ports in enumerate(tomllib.loads(text)[side] for side in ("tcp", "udp")):
        for port, word in ports.items():
            table[row, int(port)] = CODE[word]
    return table


@packet_kernel
def word(buf, at, end, text):
    """True if the bytes at `at` are the text."""
    if end - at < len(text):
        return False
    for i in range(len(text)):
        if buf[at + i] != text[i]:
            return False
    return True


def _octets(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


SSH_BANNER = _octets(b"SSH-")
BITTORRENT_BANNER = _octets(b"\x13BitTorrent protocol")
EHLO, HELO = _octets(b"EHLO "), _octets(b"HELO ")
OK_BANNER, STAR_OK, READY = _octets(b"+OK"), _octets(b"* OK"), _octets(b"220")
REGISTER, INVITE, OPTIONS_SIP = _octets(b"REGISTER sip"), _octets(b"INVITE sip"), _octets(b"OPTIONS sip")
SIP_2 = _octets(b"SIP/2.0 ")
MQTT_NAME = _octets(b"MQTT")
DHT = _octets(b"d1:")


@packet_kernel
def tcp_client(buf, at, end):
    """Application code by the first bytes of a TCP client, 0 unknown. TLS, HTTP and DNS are judged before."""
    n = end - at
    if n < 3:
        return 0
    if word(buf, at, end, SSH_BANNER):
        return SSH
    if word(buf, at, end, BITTORRENT_BANNER):
        return BITTORRENT
    if word(buf, at, end, EHLO) or word(buf, at, end, HELO):
        return SMTP
    if n >= 8 and u8(buf, at) == 0 and (u32(buf, at + 4) == 0xFF534D42 or u32(buf, at + 4) == 0xFE534D42):
        # NetBIOS session header, then SMB 1 or 2 (MS-SMB2, 2.1).
        return SMB
    if (
        n >= 11
        and u16(buf, at) == 0x0300
        and u16(buf, at + 2) == u8(buf, at + 4) + 5
        and u8(buf, at + 5) == 0xE0
    ):
        # TPKT with an X.224 connection request (MS-RDPBCGR, 2.2.1.1).
        return RDP
    if n >= 8 and (u32(buf, at + 4) == 0x00030000 or u32(buf, at + 4) == 0x04D2162F) and u32(buf, at) >= 8:
        # Start-up or SSL request (PostgreSQL, protocol message formats).
        return POSTGRESQL
    if word(buf, at, end, REGISTER) or word(buf, at, end, INVITE) or word(buf, at, end, OPTIONS_SIP):
        return SIP
    if n >= 8 and buf[at] == 0x10 and word(buf, at + 4, end, MQTT_NAME):
        return MQTT
    if n >= 3 and n == 2 + u8(buf, at + 1) and buf[at] == 5 and 1 <= buf[at + 1] <= 5:
        # SOCKS 5 greeting (RFC 1928, 3).
        return SOCKS
    if n >= 16 and u16(buf, at) == n - 2 and u8(buf, at + 2) in (0x38, 0x50):
        # Length, then a hard reset of the client (OpenVPN protocol, P_CONTROL_HARD_RESET_CLIENT_V2, V3).
        return OPENVPN
    return 0


@packet_kernel
def tcp_server(buf, at, end):
    """Application code by the first bytes of a TCP server that speaks first, 0 unknown."""
    if word(buf, at, end, SSH_BANNER):
        return SSH
    if word(buf, at, end, STAR_OK):
        return IMAP
    if word(buf, at, end, OK_BANNER):
        return POP3
    if word(buf, at, end, SIP_2):
        return SIP
    return 0


@packet_kernel
def udp_payload(buf, at, end):
    """Application code by one UDP payload, 0 unknown. DNS and DHCP are judged before."""
    n = end - at
    if n >= 20 and u32(buf, at + 4) == 0x2112A442 and buf[at] < 0x40 and u16(buf, at + 2) + 20 <= n:
        # Magic cookie (RFC 8489, 5).
        return STUN
    if n >= 7 and buf[at] & 0xC0 == 0xC0:
        version = u32(buf, at + 1)
        # Long header of version 1, 2, a draft, or version negotiation (RFC 9000, 17.2; RFC 9369).
        known = version in (0, 1, 0x6B3343CF) or version >> 8 == 0xFF0000
        if known and u8(buf, at + 5) <= 20:
            return QUIC
    if (n == 148 and u32(buf, at) == 0x01000000) or (n == 92 and u32(buf, at) == 0x02000000):
        # Handshake initiation and response (WireGuard, 5.4).
        return WIREGUARD
    if n >= 14 and buf[at] in (0x38, 0x50) and n < 200 and u8(buf, at + 9) == 0 and u32(buf, at + 10) == 0:
        return OPENVPN
    if word(buf, at, end, DHT) and n >= 12:
        return BITTORRENT
    if word(buf, at, end, REGISTER) or word(buf, at, end, INVITE) or word(buf, at, end, OPTIONS_SIP):
        return SIP
    if word(buf, at, end, SIP_2):
        return SIP
    return 0


@unit_kernel
def identify_client(table, buf, start, end, final, i):
    """Reader of a client's stream: which application by its first bytes."""
    code = tcp_client(buf, start, end)
    if code == 0:
        return np.int64(NOT)
    table.flows[i].application = code
    return np.int64(DONE)


@unit_kernel
def identify_server(table, buf, start, end, final, i):
    """Reader of a server's stream: which application, where the client's bytes did not say."""
    code = tcp_server(buf, start, end)
    if code == 0:
        return np.int64(NOT)
    flow = table.flows[i]
    if flow.done & CLIENT_HEAD_DONE == 0 or flow.application == 0:
        flow.application = code
    return np.int64(DONE)


@unit_kernel
def identify_datagram(table, buf, start, end, i):
    """Reader of a datagram: which application by one UDP payload."""
    code = udp_payload(buf, start, end)
    if code == 0:
        return np.int64(NOT)
    table.flows[i].application = code
    return np.int64(DONE)
