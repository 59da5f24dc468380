"""Protocols that turn to TLS inside their stream: where the hellos begin.

Those of text (SMTP: RFC 3207; IMAP and POP3: RFC 2595; FTP: RFC 4217; NNTP: RFC 4642; IRC), XMPP, LDAP,
PostgreSQL, MySQL and RDP. The command may come late, so a head begins anew with it (`watch_upgrade`), and
with a hello at the beginning of a segment where the command was not seen.
"""

import numpy as np

from capture.flows import APPLICATION, CLIENT_HEAD_DONE, NONE, SERVER_HEAD_DONE
from capture.octets import u16
from capture.protocols.ber import SEQUENCE
from capture.protocols.ldap import EXTENDED_REQUEST, EXTENDED_RESPONSE, operation
from capture.protocols.ldap import start_tls_end as ldap_start_tls_end
from capture.protocols.lines import begins, is_command, line_end, octets, text_end
from capture.protocols.mysql import SSL_REQUEST_SIZE
from capture.protocols.mysql import ssl_request_end as mysql_ssl_request_end
from capture.protocols.outcomes import BEYOND, DONE, MORE, NOT
from capture.protocols.postgresql import UNWILLING, WILLING
from capture.protocols.postgresql import ssl_request_end as postgresql_ssl_request_end
from capture.protocols.rdp import CONNECTION_CONFIRM, CONNECTION_REQUEST, TPKT_VERSION, connection_end
from capture.protocols.tls_numbers import ALERT, HANDSHAKE
from capture.protocols.watching import opens_tls, restart
from capture.protocols.xmpp import TAG_END, find_start_tls
from capture.protocols.xmpp import start_tls_end as xmpp_start_tls_end
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import APPLICATIONS, HELLO_CLIENT, HELLO_SERVER

SMTP, IMAP, POP3, FTP, IRC = (APPLICATION[word] for word in ("smtp", "imap", "pop3", "ftp", "irc"))
XMPP = APPLICATION["xmpp"]
LDAP, MYSQL, POSTGRESQL, RDP = (APPLICATION[word] for word in ("ldap", "mysql", "postgresql", "rdp"))
#: By application: 1 for those that are lines of text.
TEXT = np.array([word in ("smtp", "imap", "pop3", "ftp", "nntp", "irc") for word in APPLICATIONS], np.uint8)
#: By application: 1 for those that may turn to TLS.
UPGRADING = TEXT.copy()
UPGRADING[[XMPP, LDAP, MYSQL, POSTGRESQL, RDP]] = 1

STARTTLS, STLS, EHLO = octets("starttls"), octets("stls"), octets("ehlo ")
AUTH_TLS, AUTH_SSL = octets("auth tls"), octets("auth ssl")
#: Lines of a head that are walked through, the longest tag of a command; our defaults.
LINES_MAX, TAG_MAX = 64, 32
#: Bit of `flow.step`: the server's answer to the command was looked for.
ANSWERED = 128


@packet_kernel
def upgrade_command(buf, at, end):
    """Application whose command to turn to TLS `buf[at:end]` is, where nothing else tells; 0 none."""
    if is_command(buf, at, end, STARTTLS):
        # In SMTP it never comes first.
        return IRC
    if is_command(buf, at, end, STLS):
        return POP3
    if begins(buf, at, end, AUTH_TLS) or is_command(buf, at, end, AUTH_SSL):
        # AUTH TLS-C and TLS-P are older words for it.
        return FTP
    tag = at
    while tag < end and tag - at < TAG_MAX and buf[tag] > 32:
        tag += 1
    if tag > at and tag < end and buf[tag] == 32 and is_command(buf, tag + 1, end, STARTTLS):
        return IMAP
    return 0


@packet_kernel
def is_tls(buf, at, end):
    """True if a TLS record of a handshake, or an alert, begins at `at`."""
    return at < end and (buf[at] == HANDSHAKE or buf[at] == ALERT) and (end - at < 2 or buf[at + 1] == 3)


@packet_kernel
def behind_command(flow, buf, at, end, final, code):
    """Outcome for a client whose command to turn to TLS ends at `at`."""
    flow.application = code
    if at < end:
        if opens_tls(buf, at, end):
            return BEYOND + at
        flow.outer = 0
        return DONE
    flow.outer = code
    return DONE if final else MORE


@packet_kernel
def text_upgrade(flow, buf, start, end, final):
    """Outcome for a client that speaks lines of text."""
    at = start
    code = 0
    known = False
    if begins(buf, start, end, EHLO) and TEXT[flow.application] == 0:
        flow.application = SMTP
    for _ in range(LINES_MAX):
        if at >= end or (at > start and opens_tls(buf, at, end)):
            break
        stop = line_end(buf, at, end)
        if stop == end or buf[at] < 32:
            code = 0
            break
        code = upgrade_command(buf, at, text_end(buf, at, stop))
        known = known or code != 0
        at = stop + 1
    if code != 0:
        return behind_command(flow, buf, at, end, final, flow.application if TEXT[flow.application] else code)
    if known:
        # It was refused.
        flow.outer = 0
        return DONE
    return NOT


@unit_kernel
def read_upgrade(table, buf, start, end, final, i):
    """Reader of a client's stream: where its ClientHello begins."""
    if end - start < 6:
        return np.int64(NOT)
    flow = table.flows[i]
    first = buf[start]
    code = 0
    behind = np.int64(0)
    if (48 <= first <= 122 and first != 60 and first != SEQUENCE) or first == 42:
        return np.int64(text_upgrade(flow, buf, start, end, final))
    if first == SEQUENCE:
        code = LDAP
        behind = ldap_start_tls_end(buf, start, end)
        if behind == 0:
            inner, stop = operation(buf, start, end)
            if inner > 0 and buf[inner] == EXTENDED_REQUEST and stop > end and not final:
                return np.int64(MORE)
            return np.int64(text_upgrade(flow, buf, start, end, final))
    elif first == 60:
        code = XMPP
        behind = find_start_tls(buf, start, end)
    elif first == 0:
        code = POSTGRESQL
        behind = postgresql_ssl_request_end(buf, start, end)
    elif first == SSL_REQUEST_SIZE:
        code = MYSQL
        behind = mysql_ssl_request_end(buf, start, end)
    elif first == TPKT_VERSION:
        code = RDP
        behind = connection_end(buf, start, end, CONNECTION_REQUEST)
        if behind == end and end - start != u16(buf, start + 2):
            return np.int64(NOT if final else MORE)
    if behind == 0:
        return np.int64(NOT)
    return np.int64(behind_command(flow, buf, behind, end, final, code))


@packet_kernel
def answer_end(buf, start, end, outer):
    """Offset behind the server's consent at `start`, `end` if it is cut off, 0 if this is none."""
    if outer == POSTGRESQL:
        at = start
        if buf[at] == UNWILLING and end - at > 1:
            # To a GSSENCRequest before.
            at += 1
        return np.int64(at + 1 if buf[at] == WILLING else 0)
    if outer == RDP:
        return connection_end(buf, start, end, CONNECTION_CONFIRM)
    if outer == LDAP:
        inner, behind = operation(buf, start, end)
        return min(behind, end) if inner > 0 and buf[inner] == EXTENDED_RESPONSE else np.int64(0)
    at = start
    for _ in range(LINES_MAX):
        if at >= end or is_tls(buf, at, end):
            break
        while at < end and buf[at] != (TAG_END if outer == XMPP else 10):
            at += 1
        at += 1
    return np.int64(min(at, end))


@unit_kernel
def read_upgrade_answer(table, buf, start, end, final, i):
    """Reader of a server's stream: where its ServerHello begins; only where the client asked for one."""
    flow = table.flows[i]
    if flow.outer == 0 or UPGRADING[flow.outer] == 0 or end <= start:
        return np.int64(NOT)
    at = answer_end(buf, start, end, flow.outer)
    if at == 0:
        return np.int64(NOT)
    if at >= end:
        return np.int64(DONE if final else MORE)
    if not is_tls(buf, at, end):
        return np.int64(DONE)
    return np.int64(BEYOND + at)


@packet_kernel
def is_upgrade(buf, start, end, code):
    """True if a segment begins with the command of the application to turn to TLS."""
    if code == LDAP:
        return ldap_start_tls_end(buf, start, end) > 0
    if code == XMPP:
        return xmpp_start_tls_end(buf, start, end) > 0
    if TEXT[code]:
        stop = line_end(buf, start, min(end, start + 64))
        return stop < end and upgrade_command(buf, start, text_end(buf, start, stop)) != 0
    return False


@packet_kernel
def watch_upgrade(table, buf, start, end, up, i):
    """A segment behind the heads: 1 if the way to TLS begins with it."""
    flow = table.flows[i]
    if flow.hello & HELLO_CLIENT and flow.hello & HELLO_SERVER:
        flow.watch = 0
        return np.int64(0)
    packet = table.packet[0]
    if up:
        if flow.head != NONE or flow.done & CLIENT_HEAD_DONE == 0 or flow.hello & HELLO_CLIENT:
            return np.int64(0)
        if packet.seq == flow.token_up:
            return np.int64(0)
        if end - start >= 6 and opens_tls(buf, start, end):
            flow.outer = flow.watch
        elif not is_upgrade(buf, start, end, flow.watch):
            return np.int64(0)
        flow.token_up = packet.seq
        return restart(flow, packet, up)
    if flow.outer == 0 or flow.head_down != NONE or flow.done & SERVER_HEAD_DONE == 0:
        return np.int64(0)
    if flow.step & ANSWERED and not is_tls(buf, start, end):
        return np.int64(0)
    flow.step |= ANSWERED
    return restart(flow, packet, up)
