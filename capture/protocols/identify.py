"""Which application a flow carries: by its first bytes, by port only where they say nothing.

One pass over the lines of `signatures.txt` that allow the first byte; what a line's bytes alone cannot tell
is decided by a check in a file of its own. A port's word stays while nothing contradicts it: it goes where
the payload of a flow, seen from its beginning, is of another form than a protocol that is always known here.
"""

import tomllib
from pathlib import Path

import numpy as np

from capture.flows import APPLICATION, CLIENT_HEAD_DONE, NONE, SERVER_HEAD_DONE
from capture.octets import u8, u16
from capture.protocols.ber import is_directory_or_management, is_kerberos
from capture.protocols.bittorrent import is_dht, is_utp
from capture.protocols.encrypted import looks_encrypted
from capture.protocols.framed import (
    is_coap,
    is_dcerpc,
    is_dnp3,
    is_minecraft,
    is_mqtt,
    is_mumble,
    is_rtmp,
    is_socks_answer,
)
from capture.protocols.greetings import (
    is_greeting,
    is_imap,
    is_irc,
    is_ok,
    is_stratum,
    is_syslog,
    is_telnet,
    is_tinc,
    is_user,
    is_xmpp,
)
from capture.protocols.ipsec import is_esp, is_ike, is_marked_ike
from capture.protocols.mysql import is_mysql_answer, is_mysql_greeting
from capture.protocols.netflow import is_netflow
from capture.protocols.ntp import is_ntp
from capture.protocols.openvpn import is_openvpn, is_openvpn_stream
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.peers import is_ethereum, is_gnutella
from capture.protocols.rdp import is_connection, is_udp_opening
from capture.protocols.request_line import is_request_line
from capture.protocols.rtp import is_rtcp, is_rtp, is_zoom
from capture.protocols.signatures import (
    ENOUGH,
    MESSAGE_MAX,
    TCP_CLIENT,
    TCP_SERVER,
    UDP_EITHER,
    WAIT,
    eight,
    fits,
    stated_length,
)
from capture.protocols.stun import is_stun
from capture.protocols.tftp import is_tftp, is_tftp_request
from capture.protocols.wireguard import is_wireguard
from capture.rows import is_from_client
from pipeline.kernels import packet_kernel, unit_kernel

#: Names that `check=` may have in `signatures.txt`; `check` below calls their functions.
CHECKS = (
    "", "ber", "coap", "cotp", "dcerpc", "dht", "dnp3", "esp", "ethereum", "gnutella", "greeting",
    "ike", "ike_marked", "imap", "irc", "kerberos", "minecraft", "mqtt", "mumble", "mysql", "mysql_login",
    "netflow", "ntp", "ok", "openvpn", "openvpn_tcp", "rdp_udp", "request_line", "rtcp", "rtmp",
    "rtp", "socks_answer", "stratum", "stun", "syslog", "telnet", "tftp", "tftp_request", "tinc",
    "user", "utp", "wireguard", "xmpp", "zoom",
)  # fmt: skip
(
    _, BER, COAP, COTP, DCERPC, DHT, DNP3, ESP, ETHEREUM, GNUTELLA, GREETING, IKE, IKE_MARKED, IMAP,
    IRC, KERBEROS, MINECRAFT, MQTT, MUMBLE, MYSQL, MYSQL_LOGIN, NETFLOW, NTP, OK, OPENVPN, OPENVPN_TCP,
    RDP_UDP, REQUEST_LINE, RTCP, RTMP, RTP, SOCKS_ANSWER, STRATUM, STUN, SYSLOG, TELNET, TFTP,
    TFTP_REQUEST, TINC, USER, UTP, WIREGUARD, XMPP, ZOOM,
) = range(len(CHECKS))  # fmt: skip

#: Bits of `evidence`: payload of the client, of the server, or of the first datagram that no protocol knows;
#: payload of the client, of the server that looks random.
CLIENT_UNKNOWN, SERVER_UNKNOWN, FIRST_UNKNOWN, CLIENT_RANDOM, SERVER_RANDOM = 1, 2, 4, 8, 16
BOTH_RANDOM = CLIENT_RANDOM | SERVER_RANDOM
FTP_DATA_PORT = 20
#: Fewer bytes of a stream than this may be the beginning of anything; our default.
LITTLE = 8
#: Longest datagram that only keeps an address translator's mapping alive; our default.
KEEP_ALIVE_MAX = 4
#: Packets of a row after which a flow that nobody knew from its first datagram on is looked at no more, on a
#: port of names, too, where messages may follow what else came first; our default.
UNKNOWN_PACKETS = 100

#: What is always known by its content when it is seen from the beginning; others keep their port's word.
_ALWAYS_TCP = (
    "tls", "http", "dns", "ssh", "smtp", "imap", "pop3", "ftp", "smb", "rdp", "ldap", "mysql", "postgresql",
    "mqtt", "kerberos", "sip", "vnc", "xmpp", "irc", "rtsp",
    "mssql", "mongodb", "amqp", "rsync", "git", "bgp", "modbus", "dcerpc",
)  # fmt: skip
_ALWAYS_UDP = (
    "dns", "ntp", "snmp", "dhcp", "dhcpv6", "mdns", "llmnr", "nbns", "ssdp", "kerberos", "ldap", "tftp",
    "stun", "quic", "coap", "bacnet",
    "natpmp", "wsd", "netflow", "ipmi",
)  # fmt: skip
ALWAYS = np.zeros((2, 256), np.uint8)
ALWAYS[0, [APPLICATION[word] for word in _ALWAYS_TCP]] = 1
ALWAYS[1, [APPLICATION[word] for word in _ALWAYS_UDP]] = 1

APP_QUIC, APP_STUN, APP_ENCRYPTED = APPLICATION["quic"], APPLICATION["stun"], APPLICATION["encrypted"]
APP_NAMES = tuple(APPLICATION[word] for word in ("dns", "mdns", "llmnr", "nbns"))
#: Header of their messages; the last opcode in use (IANA; NBNS up to 9); questions, our default.
NAMES_HEADER, OPCODE_LAST, QUESTIONS_MAX = 12, 9, 16
#: Bit that a QUIC packet has set (RFC 9000, 17.2 and 17.3).
QUIC_FIXED = 0x40

PORT_ROWS = ("tcp", "udp", "ip")
IP_ROW = PORT_ROWS.index("ip")


def port_table() -> np.ndarray:
    """uint8[3, 65536]: application code by (TCP 0 or UDP 1, port) or (2, IP protocol), from `ports.toml`."""
    table = np.zeros((len(PORT_ROWS), 65_536), np.uint8)
    text = Path(__file__).with_name("ports.toml").read_text("utf-8")
    for row, ports in enumerate(tomllib.loads(text)[side] for side in PORT_ROWS):
        for port, word in ports.items():
            table[row, int(port)] = APPLICATION[word]
    return table


@unit_kernel
def check(table, buf, start, end, size, up, i, number):
    """What the check of this number says: an application's code, 0, or `WAIT` for more bytes of a stream."""
    if number == BER:
        return is_directory_or_management(table, buf, start, end, size, up, i)
    if number == COAP:
        return is_coap(table, buf, start, end, size, up, i)
    if number == COTP:
        return is_connection(table, buf, start, end, size, up, i)
    if number == DCERPC:
        return is_dcerpc(table, buf, start, end, size, up, i)
    if number == DHT:
        return is_dht(table, buf, start, end, size, up, i)
    if number == DNP3:
        return is_dnp3(table, buf, start, end, size, up, i)
    if number == ESP:
        return is_esp(table, buf, start, end, size, up, i)
    if number == ETHEREUM:
        return is_ethereum(table, buf, start, end, size, up, i)
    if number == GNUTELLA:
        return is_gnutella(table, buf, start, end, size, up, i)
    if number == GREETING:
        return is_greeting(table, buf, start, end, size, up, i)
    if number == IKE:
        return is_ike(table, buf, start, end, size, up, i)
    if number == IKE_MARKED:
        return is_marked_ike(table, buf, start, end, size, up, i)
    if number == IMAP:
        return is_imap(table, buf, start, end, size, up, i)
    if number == IRC:
        return is_irc(table, buf, start, end, size, up, i)
    if number == KERBEROS:
        return is_kerberos(table, buf, start, end, size, up, i)
    if number == MINECRAFT:
        return is_minecraft(table, buf, start, end, size, up, i)
    if number == MQTT:
        return is_mqtt(table, buf, start, end, size, up, i)
    if number == MUMBLE:
        return is_mumble(table, buf, start, end, size, up, i)
    if number == MYSQL:
        return is_mysql_greeting(table, buf, start, end, size, up, i)
    if number == MYSQL_LOGIN:
        return is_mysql_answer(table, buf, start, end, size, up, i)
    if number == NETFLOW:
        return is_netflow(table, buf, start, end, size, up, i)
    if number == NTP:
        return is_ntp(table, buf, start, end, size, up, i)
    if number == OK:
        return is_ok(table, buf, start, end, size, up, i)
    if number == OPENVPN:
        return is_openvpn(table, buf, start, end, size, up, i)
    if number == OPENVPN_TCP:
        return is_openvpn_stream(table, buf, start, end, size, up, i)
    if number == RDP_UDP:
        return is_udp_opening(table, buf, start, end, size, up, i)
    if number == REQUEST_LINE:
        return is_request_line(table, buf, start, end, size, up, i)
    if number == RTCP:
        return is_rtcp(table, buf, start, end, size, up, i)
    if number == RTMP:
        return is_rtmp(table, buf, start, end, size, up, i)
    if number == RTP:
        return is_rtp(table, buf, start, end, size, up, i)
    if number == SOCKS_ANSWER:
        return is_socks_answer(table, buf, start, end, size, up, i)
    if number == STRATUM:
        return is_stratum(table, buf, start, end, size, up, i)
    if number == STUN:
        return is_stun(table, buf, start, end, size, up, i)
    if number == SYSLOG:
        return is_syslog(table, buf, start, end, size, up, i)
    if number == TELNET:
        return is_telnet(table, buf, start, end, size, up, i)
    if number == TFTP:
        return is_tftp(table, buf, start, end, size, up, i)
    if number == TFTP_REQUEST:
        return is_tftp_request(table, buf, start, end, size, up, i)
    if number == TINC:
        return is_tinc(table, buf, start, end, size, up, i)
    if number == USER:
        return is_user(table, buf, start, end, size, up, i)
    if number == UTP:
        return is_utp(table, buf, start, end, size, up, i)
    if number == WIREGUARD:
        return is_wireguard(table, buf, start, end, size, up, i)
    if number == XMPP:
        return is_xmpp(table, buf, start, end, size, up, i)
    if number == ZOOM:
        return is_zoom(table, buf, start, end, size, up, i)
    return np.int64(0)


@unit_kernel
def judge(table, buf, start, end, size, group, up, i):
    """Application code by the first bytes, 0 unknown, or `WAIT` where more bytes of the stream could tell.

    `size` is the length on the wire of a datagram, or what there is of a stream; `group` of signatures.py.
    """
    flow = table.flows[i]
    word_1, word_2 = eight(buf, start, end), eight(buf, start + 8, end)
    first = u8(buf, start)
    wait = np.int64(0)
    for place in range(table.signature_starts[group, first], table.signature_starts[group, first + 1]):
        line = table.signatures[table.signature_order[place]]
        if not fits(line, buf, start, end, word_1, word_2) or size > line.longest:
            continue
        if line.port != 0 and flow.server_port != line.port and flow.client_port != line.port:
            continue
        if line.length_size != 0:
            total = stated_length(line, buf, start)
            if group == UDP_EITHER:
                if total != size:
                    continue
            elif total < line.shortest or total > MESSAGE_MAX:
                continue
            elif total > size and size < ENOUGH:
                wait = np.int64(WAIT)
                continue
        code = np.int64(line.application)
        if line.check != 0:
            code = check(table, buf, start, end, size, up, i, np.int64(line.check))
        elif line.twice == 1 and flow.candidate != code:
            flow.candidate = code
            code = np.int64(0)
        if code > 0:
            return code
        if code == WAIT:
            wait = code
    return wait


@packet_kernel
def opened_in_sight(flow):
    """True if the connection's own first segment was seen, so that a stream's head is its head."""
    return flow.base_up != NONE or flow.base_down != NONE


@packet_kernel
def judge_stream(table, buf, start, end, final, up, i):
    """Application code of one direction's head, 0 unknown, `WAIT` for more.

    In a connection picked up in the middle, who is the server is a guess: the other side's lines count, too.
    """
    flow = table.flows[i]
    if end <= start:
        return np.int64(WAIT)
    code = judge(table, buf, start, end, end - start, TCP_CLIENT if up else TCP_SERVER, up, i)
    if code == 0 and not opened_in_sight(flow):
        code = judge(table, buf, start, end, end - start, TCP_SERVER if up else TCP_CLIENT, up, i)
    if code == 0 and end - start < LITTLE:
        code = np.int64(WAIT)
    return np.int64(0) if code == WAIT and final else code


@packet_kernel
def take_unknown(flow, buf, start, end, mine, theirs, their_head_done):
    """Payload of one direction is unknown: drop a port's word that it contradicts, note what looks random."""
    flow.evidence |= mine
    known_by_other = flow.done & their_head_done and flow.evidence & theirs == 0
    # A file may be anything.
    is_file = flow.client_port == FTP_DATA_PORT or flow.server_port == FTP_DATA_PORT
    if not known_by_other and not is_file and opened_in_sight(flow) and ALWAYS[0, flow.application]:
        flow.application = 0
    if flow.application == 0 and not is_file and opened_in_sight(flow) and looks_encrypted(buf, start, end):
        flow.evidence |= CLIENT_RANDOM if mine == CLIENT_UNKNOWN else SERVER_RANDOM
        if flow.evidence & BOTH_RANDOM == BOTH_RANDOM:
            flow.application = APP_ENCRYPTED


@unit_kernel
def identify_client(table, buf, start, end, final, i):
    """Reader of a client's stream: which application by its first bytes."""
    flow = table.flows[i]
    code = judge_stream(table, buf, start, end, final, 1, i)
    if code == WAIT:
        return np.int64(MORE)
    if code == 0:
        take_unknown(flow, buf, start, end, CLIENT_UNKNOWN, SERVER_UNKNOWN, SERVER_HEAD_DONE)
        return np.int64(NOT)
    flow.application = code
    return np.int64(DONE)


@unit_kernel
def identify_server(table, buf, start, end, final, i):
    """Reader of a server's stream: which application, where the client's bytes did not say."""
    flow = table.flows[i]
    code = judge_stream(table, buf, start, end, final, 0, i)
    if code == WAIT:
        return np.int64(MORE)
    if code == 0:
        take_unknown(flow, buf, start, end, SERVER_UNKNOWN, CLIENT_UNKNOWN, CLIENT_HEAD_DONE)
        return np.int64(NOT)
    if flow.done & CLIENT_HEAD_DONE == 0 or flow.evidence & CLIENT_UNKNOWN or flow.application == 0:
        flow.application = code
    return np.int64(DONE)


@packet_kernel
def contradicts(flow, buf, start, end):
    """True if an unknown datagram cannot be what the flow's port says."""
    if not ALWAYS[1, flow.application] or end - start <= KEEP_ALIVE_MAX:
        return False
    if flow.application in APP_NAMES:
        # A header of DNS with broken names behind it is an attempt at DNS: opcode and questions in bounds.
        questions = u16(buf, start + 4) if end - start >= NAMES_HEADER else 0
        return questions == 0 or questions > QUESTIONS_MAX or u8(buf, start + 2) >> 3 & 15 > OPCODE_LAST
    if flow.application == APP_QUIC:
        # In the middle of a connection, little else can be said of a packet.
        return buf[start] & QUIC_FIXED == 0
    return True


@unit_kernel
def identify_datagram(table, buf, start, end, i):
    """Reader of a datagram: which application by one UDP payload.

    STUN opens a path for something else (RFC 7983): it is noted, and the next datagrams are asked.
    """
    packet = table.packet[0]
    flow = table.flows[i]
    if end <= start:
        return np.int64(NOT)
    up = is_from_client(flow, packet)
    code = judge(table, buf, start, end, packet.payload_bytes, UDP_EITHER, up, i)
    if code > 0:
        flow.application = code
        flow.evidence &= 0xFF - FIRST_UNKNOWN
        return np.int64(NOT if code == APP_STUN else DONE)
    if flow.packets_up + flow.packets_down == 1 and packet.ts == flow.first:
        # The counters are a row's: the first packet of a later row is not the flow's.
        flow.evidence |= FIRST_UNKNOWN
    if flow.evidence & FIRST_UNKNOWN and contradicts(flow, buf, start, end):
        flow.application = 0
    if (
        flow.application == 0
        and flow.evidence & FIRST_UNKNOWN
        and flow.packets_up + flow.packets_down >= UNKNOWN_PACKETS
    ):
        flow.done |= CLIENT_HEAD_DONE
    return np.int64(NOT)
