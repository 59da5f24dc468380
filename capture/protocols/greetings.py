"""Protocols of lines, told by what a server greets with or a client asks first.

SMTP (RFC 5321), FTP (RFC 959), NNTP (RFC 3977), POP3 (RFC 1939), IMAP (RFC 9051), IRC (RFC 2812), XMPP
(RFC 6120), syslog (RFC 3164, RFC 5424), Telnet (RFC 854), tinc, and mining pools.
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u32
from capture.protocols.signatures import WAIT
from pipeline.kernels import packet_kernel, unit_kernel

SMTP, FTP, NNTP, POP3, IMAP, IRC, XMPP, SYSLOG, TELNET, TINC, STRATUM = (
    APPLICATION[word]
    for word in (
        "smtp", "ftp", "nntp", "pop3", "imap", "irc", "xmpp", "syslog", "telnet", "tinc", "stratum",
    )
)  # fmt: skip
#: Bytes looked at; our default.
REACH = 512
FTP_PORT, TELNET_PORT, POP3_PORT, NNTP_PORT = 21, 23, 110, 119
SMTP_PORTS = (25, 465, 587, 2525)


def _four(text: bytes) -> int:
    """Four letters as `u32` reads them, upper case."""
    return int.from_bytes(text, "big")


FTP_WORDS, SMTP_WORDS = (_four(b" FTP"), _four(b"FTPD")), (_four(b"SMTP"), _four(b"MAIL"), _four(b"MTP;"))
NNTP_WORDS = (_four(b"NNTP"), _four(b"NNRP"), _four(b"NEWS"), _four(b"USEN"))
IMAP_WORDS = (_four(b"CAPA"), _four(b"LOGI"), _four(b"STAR"), _four(b"AUTH"), _four(b"NOOP"), _four(b"ID ("))
OPENS_STREAM, JABBER, MINING, JSON_RPC, LOGIN, SUBMIT = (
    _four(word) for word in (b"AM:S", b"JABB", b"MINI", b"JSON", b"LOGI", b"ETH_")
)
#: Telnet: the command byte, its verbs WILL to DONT and subnegotiation, the last option in use (IANA).
IAC, SB, DONT, OPTION_LAST = 255, 250, 254, 49
#: Syslog: facility 23, severity 7 (RFC 5424, 6.2.1).
PRIORITY_MAX = 191


@packet_kernel
def four(buf, at):
    """Four bytes as one number, letters in upper case."""
    value = np.int64(0)
    for n in range(4):
        octet = u8(buf, at + n)
        value = value << 8 | (octet - 32 if 97 <= octet <= 122 else octet)
    return value


@packet_kernel
def has_word(buf, start, end, words):
    """True if one of the words of four letters stands in the first bytes, in either case."""
    for at in range(start, min(end, start + REACH) - 3):
        if four(buf, at) in words:
            return True
    return False


@unit_kernel
def is_greeting(table, buf, start, end, size, up, i):
    """Check of a server's stream that begins with a code: `FTP`, `SMTP`, `NNTP` by words, else by port."""
    port = table.flows[i].server_port
    if has_word(buf, start, end, SMTP_WORDS):
        return np.int64(SMTP)
    if has_word(buf, start, end, NNTP_WORDS):
        return np.int64(NNTP)
    if has_word(buf, start, end, FTP_WORDS) or port == FTP_PORT:
        return np.int64(FTP)
    if port in SMTP_PORTS:
        return np.int64(SMTP)
    if port == NNTP_PORT:
        return np.int64(NNTP)
    # What the client says will tell.
    table.flows[i].candidate = FTP
    return np.int64(0)


@unit_kernel
def is_user(table, buf, start, end, size, up, i):
    """Check of a client's stream that begins with USER: `IRC` for four words, else `POP3` or `FTP`."""
    flow = table.flows[i]
    if flow.application in (FTP, POP3, IRC):
        return np.int64(flow.application)
    spaces = 0
    for at in range(start, min(end, start + REACH)):
        if buf[at] == 32:
            spaces += 1
        elif buf[at] < 32:
            break
    if spaces >= 4:
        return np.int64(IRC)
    if flow.server_port == POP3_PORT:
        return np.int64(POP3)
    return np.int64(FTP if flow.server_port == FTP_PORT or flow.candidate == FTP else 0)


@unit_kernel
def is_ok(table, buf, start, end, size, up, i):
    """Check of a server's stream that begins with +OK: `POP3`, but for the bare word that Redis says, too."""
    talks = end - start > 4 and buf[start + 3] == 32
    return np.int64(POP3 if talks or table.flows[i].server_port == POP3_PORT else 0)


@unit_kernel
def is_imap(table, buf, start, end, size, up, i):
    """Check of a client's stream: `IMAP` for a tag and a command, or 0."""
    for at in range(start, min(end - 5, start + 16)):
        octet = u8(buf, at)
        if octet == 32:
            return np.int64(IMAP if at > start and four(buf, at + 1) in IMAP_WORDS else 0)
        word = 48 <= octet <= 57 or 65 <= octet <= 90 or 97 <= octet <= 122 or octet in (45, 46, 95)
        if not word:
            break
    return np.int64(0)


@unit_kernel
def is_irc(table, buf, start, end, size, up, i):
    """Check of a server's stream that begins with a prefix: `IRC` for NOTICE or a code of three digits."""
    for at in range(start + 1, min(end - 5, start + REACH)):
        if buf[at] == 32:
            notice = four(buf, at + 1) == 0x4E4F5449
            code = u32(buf, at + 1) in (0x30303120, 0x30323020, 0x34333320)
            return np.int64(IRC if notice or code else 0)
        if buf[at] < 32:
            break
    return np.int64(0)


@unit_kernel
def is_xmpp(table, buf, start, end, size, up, i):
    """Check of a stream of XML: `XMPP` if it opens a stream, or 0."""
    if has_word(buf, start, end, (OPENS_STREAM, JABBER)):
        return np.int64(XMPP)
    return np.int64(0 if end - start >= 64 else WAIT)


@unit_kernel
def is_syslog(table, buf, start, end, size, up, i):
    """Check: `SYSLOG` for a priority in brackets and text behind it, or 0."""
    priority, at = 0, start + 1
    while at < end and at < start + 4 and 48 <= u8(buf, at) <= 57:
        priority = priority * 10 + u8(buf, at) - 48
        at += 1
    if at == start + 1 or at + 2 > end or buf[at] != 62 or priority > PRIORITY_MAX:
        return np.int64(0)
    return np.int64(SYSLOG if 32 <= u8(buf, at + 1) < 127 or buf[at + 1] >= 128 else 0)


@unit_kernel
def is_telnet(table, buf, start, end, size, up, i):
    """Check of a stream: `TELNET` for two commands, or one on its port or alone; or 0."""
    if end - start < 3:
        return np.int64(WAIT)
    if not SB <= u8(buf, start + 1) <= DONT or u8(buf, start + 2) > OPTION_LAST:
        return np.int64(0)
    again = end - start == 3 or buf[start + 3] == IAC or buf[start + 1] == SB
    return np.int64(TELNET if again or table.flows[i].server_port == TELNET_PORT else 0)


@unit_kernel
def is_tinc(table, buf, start, end, size, up, i):
    """Check of a stream: `TINC` for "0", a name, and version 17 (tinc manual, 6.3); or 0."""
    for at in range(start + 2, min(end - 3, start + 64)):
        if buf[at] == 32:
            return np.int64(TINC if at > start + 2 and u32(buf, at) >> 8 == 0x203137 else 0)
        if not 48 <= u8(buf, at) <= 122:
            break
    return np.int64(0)


@unit_kernel
def is_stratum(table, buf, start, end, size, up, i):
    """Check of a client's stream of JSON: `STRATUM` for methods of mining pools, or 0."""
    if has_word(buf, start, end, (MINING, SUBMIT)):
        return np.int64(STRATUM)
    login = has_word(buf, start, end, (JSON_RPC,)) and has_word(buf, start, end, (LOGIN,))
    return np.int64(STRATUM if login else 0)
