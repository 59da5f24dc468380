"""What a flow carries: the chain of readers over the heads of TCP streams and over single datagrams.

Each reader is one protocol in one file of `capture.protocols`. A reader of a stream sees the contiguous bytes
of one direction from its beginning and says NOT, DONE, MORE, or where a wrapper ends and another protocol
begins. The chain puts the bytes together, in any order, within the bounds of `capture.reassembly`.
"""

import numpy as np

from capture.answers import name_from_answer
from capture.flows import APPLICATION, CLIENT_HEAD_DONE, NAME_FROM_DNS, NONE, SERVER_HEAD_DONE, release_head
from capture.protocols.dhcp import sight_dhcp
from capture.protocols.dhcpv6 import sight_dhcpv6
from capture.protocols.dns import read_dns_datagram, read_dns_elsewhere, read_dns_stream
from capture.protocols.dtls import read_dtls
from capture.protocols.http import read_request, read_response
from capture.protocols.http2 import read_http2
from capture.protocols.identify import IP_ROW, identify_client, identify_datagram, identify_server
from capture.protocols.kerberos import read_kerberos, sight_kerberos, watch_kerberos
from capture.protocols.logins import begin_watch
from capture.protocols.mdns import read_mdns
from capture.protocols.nbns import read_nbns
from capture.protocols.outcomes import BEYOND, DONE, MORE, NOT
from capture.protocols.quic import read_quic
from capture.protocols.radius import sight_radius
from capture.protocols.rdpudp import read_rdpudp
from capture.protocols.socks import read_socks, read_socks_answer
from capture.protocols.ssdp import sight_ssdp
from capture.protocols.starttls import read_upgrade, read_upgrade_answer
from capture.protocols.tls import read_tls
from capture.protocols.tor import note_tor
from capture.reassembly import HEAD_BYTES, HEAD_US, SHOWN, add_run, take_head
from capture.tcp import ahead
from capture.transport import ICMP, ICMP6, SYN, TCP, UDP
from pipeline.kernels import packet_kernel, unit_kernel

#: Wrappers (CONNECT, SOCKS, STARTTLS, …) followed one inside the other; our default.
WRAPPERS_MAX = 8

DNS_PORT = 53
MDNS_PORT = 5353
#: DNS, its multicast form (RFC 6762) and LLMNR (RFC 4795).
DNS_PORTS = (DNS_PORT, MDNS_PORT, 5355)
NBNS_PORTS, DHCP_PORTS, DHCPV6_PORTS = (137, 138), (67, 68), (546, 547)
KERBEROS_PORT, SSDP_PORT, RDP_PORT = 88, 1900, 3389
#: First byte of an answer in the form of HTTP.
ANSWER = 0x48
#: Authentication and accounting, today's and the older ones (RFC 2865, 3; RFC 2866, 3).
RADIUS_PORTS = (1812, 1813, 1645, 1646)
APP_DHCP, APP_DHCPV6 = APPLICATION["dhcp"], APPLICATION["dhcpv6"]
APP_SSDP, APP_RADIUS, APP_KERBEROS = (APPLICATION[word] for word in ("ssdp", "radius", "kerberos"))
APP_STUN, APP_RDP = APPLICATION["stun"], APPLICATION["rdp"]
#: Packets looked at of a flow that nobody knows, and of one on a port of names or where DTLS may follow; our
#: defaults.
STRANGE_PACKETS, CALL_PACKETS = 4, 40


@unit_kernel
def open_flow(table, i):
    """Before any content: application by port, name by the client's own DNS answer."""
    flow = table.flows[i]
    if flow.protocol == TCP or flow.protocol == UDP:
        row = 1 if flow.protocol == UDP else 0
        flow.application = table.ports[row, flow.server_port]
        if flow.application == 0:
            flow.application = table.ports[row, flow.client_port] if flow.client_port < 1024 else 0
    elif flow.protocol in (ICMP, ICMP6) or table.packet[0].payload_bytes > 0:
        # Others that carry nothing are a scan's.
        flow.application = table.ports[IP_ROW, flow.protocol]
    if flow.server_port == DNS_PORT:
        # The resolver itself; asking for it would cost as much as all the rest of a question.
        return np.int64(0)
    length = name_from_answer(
        table, flow.first, flow.client_hi, flow.client_lo, flow.server_hi, flow.server_lo, table.slots[i]
    )
    if length > 0:
        flow.name_len = length
        flow.name_source = NAME_FROM_DNS
    return np.int64(0)


@packet_kernel
def client_reader(table, buf, start, end, final, i):
    """Ask each protocol for the client's bytes; the outcome of the first that knows them."""
    outcome = read_tls(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_http2(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_request(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_socks(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_upgrade(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_dns_stream(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_kerberos(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = identify_client(table, buf, start, end, final, i)
    return outcome


@packet_kernel
def server_reader(table, buf, start, end, final, i):
    """Ask each protocol for the server's bytes; the outcome of the first that knows them."""
    outcome = read_tls(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_response(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_http2(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_socks_answer(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_upgrade_answer(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_dns_stream(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = read_kerberos(table, buf, start, end, final, i)
    if outcome == NOT:
        outcome = identify_server(table, buf, start, end, final, i)
    return outcome


@unit_kernel
def read_stream(table, buf, start, end, final, up, i):
    """Look at the head of one direction, through the wrappers around it: DONE, MORE or NOT."""
    flow = table.flows[i]
    at = start
    for level in range(WRAPPERS_MAX):
        if up:
            outcome = client_reader(table, buf, at, end, final, i)
        else:
            outcome = server_reader(table, buf, at, end, final, i)
        if flow.outer != 0:
            # What a wrapper carries says which names it has, not which application it is.
            flow.application = flow.outer
        begin_watch(flow)
        if level > 0 and outcome == NOT:
            return np.int64(DONE)
        if outcome < BEYOND:
            return np.int64(outcome)
        flow.outer = flow.application
        at = outcome - BEYOND
        if at >= end:
            return np.int64(DONE if final else MORE)
    return np.int64(DONE)


@packet_kernel
def head_of(flow, up):
    """Stream head of one direction, `NONE` if there is none."""
    return np.int64(flow.head if up else flow.head_down)


@packet_kernel
def end_head(table, up, i):
    """This direction needs no more looking at; give its stream head back."""
    flow = table.flows[i]
    flow.done |= CLIENT_HEAD_DONE if up else SERVER_HEAD_DONE
    if not up and flow.issuer_len > 0:
        note_tor(table, i)
    if head_of(flow, up) != NONE:
        release_head(table, flow, up)


@unit_kernel
def take_segment(table, buf, up, i):
    """Read the head of one direction's stream, in place where it can be, else put together."""
    packet = table.packet[0]
    flow = table.flows[i]
    seq = (packet.seq + (1 if packet.tcp_flags & SYN else 0)) & 0xFFFFFFFF
    start, end = packet.payload, packet.end
    whole = end - start == packet.payload_bytes
    base = flow.base_up if up else flow.base_down
    if base == NONE and packet.payload_bytes == 1:
        # Picked up mid-stream: most likely a keep-alive probe.
        return np.int64(0)
    if head_of(flow, up) == NONE:
        offset = ahead(seq, base) if base != NONE else 0
        if offset < 0:
            # Keep-alive probes and bytes sent again.
            return np.int64(0)
        if offset == 0:
            outcome = read_stream(table, buf, start, end, 0 if whole else 1, up, i)
            if outcome != MORE:
                end_head(table, up, i)
                return np.int64(0)
        if offset >= HEAD_BYTES or not whole:
            end_head(table, up, i)
            return np.int64(0)
        if not take_head(table, i, up, packet.ts, base if base != NONE else seq):
            end_head(table, up, i)
            return np.int64(0)
    h = head_of(flow, up)
    head = table.heads[h]
    had = head.have
    have = add_run(table.head_data[h], table.runs[h], head, ahead(seq, head.origin), buf, start, end)
    head.have = have
    if have == had:
        return np.int64(0)
    late = packet.ts - head.started > HEAD_US
    final = have == HEAD_BYTES or not whole or late
    if have < head.next_read and not final:
        return np.int64(0)
    head.shown += have
    if head.shown >= SHOWN:
        head.next_read = 2 * have
    outcome = read_stream(table, table.head_data[h], 0, have, 1 if final else 0, up, i)
    if outcome != MORE or final:
        end_head(table, up, i)
    return np.int64(0)


@packet_kernel
def give_up_head(table, up, i):
    """Read what is there of a head that no more bytes will come for, and give it back."""
    flow = table.flows[i]
    h = head_of(flow, up)
    if h == NONE:
        return
    have = table.heads[h].have
    if have > 0 and flow.protocol == TCP:
        read_stream(table, table.head_data[h], 0, have, 1, up, i)
    end_head(table, up, i)


@unit_kernel
def give_up_heads(table, i):
    """`give_up_head` for both directions of a flow that ends."""
    give_up_head(table, 1, i)
    give_up_head(table, 0, i)
    return np.int64(0)


@unit_kernel
def drop_old_heads(table, now):
    """Give up the heads that waited longer than `HEAD_US`."""
    meter = table.meter[0]
    for h in range(meter.heads_high):
        head = table.heads[h]
        if head.flow != NONE and now - head.started > HEAD_US:
            give_up_head(table, head.up, np.int64(head.flow))
    return np.int64(0)


@unit_kernel
def take_datagram(table, buf, i):
    """Read one UDP payload of a flow that still has something to say."""
    packet = table.packet[0]
    flow = table.flows[i]
    start, end = packet.payload, packet.end
    if end <= start:
        return np.int64(0)
    low = min(packet.source_port, packet.target_port)
    high = max(packet.source_port, packet.target_port)
    known = 0
    if low in DNS_PORTS or high in DNS_PORTS:
        multicast = low != DNS_PORT and (low == MDNS_PORT or high == MDNS_PORT)
        if multicast and read_mdns(table, buf, start, end, i):
            return np.int64(0)
        if read_dns_datagram(table, buf, start, end, i):
            return np.int64(0)
    elif low in NBNS_PORTS:
        if read_nbns(table, buf, start, end, i):
            return np.int64(0)
    elif low in DHCP_PORTS:
        known = APP_DHCP if sight_dhcp(table, buf, start, end) else 0
    elif low in DHCPV6_PORTS:
        known = APP_DHCPV6 if sight_dhcpv6(table, buf, start, end) else 0
    elif low == SSDP_PORT or high == SSDP_PORT:
        known = APP_SSDP if sight_ssdp(table, buf, start, end) else 0
    elif low in RADIUS_PORTS or high in RADIUS_PORTS:
        known = APP_RADIUS if sight_radius(table, buf, start, end) else 0
    elif low == RDP_PORT or high == RDP_PORT:
        if read_rdpudp(table, buf, start, end, i):
            return np.int64(0)
    elif low == KERBEROS_PORT:
        known = APP_KERBEROS if sight_kerberos(table, buf, start, end) else 0
        watch_kerberos(buf, start, end, packet.target_port == KERBEROS_PORT, flow)
    if known == 0 and buf[start] == ANSWER and sight_ssdp(table, buf, start, end):
        # Devices answer from ports of their own.
        known = APP_SSDP
    if known != 0:
        flow.application = known
        return np.int64(0)
    if read_quic(table, buf, start, end, i) or read_dtls(table, buf, start, end, i):
        return np.int64(0)
    named = low in DNS_PORTS or low in NBNS_PORTS
    if not named and read_dns_elsewhere(table, buf, start, end, i):
        return np.int64(0)
    packets = flow.packets_up + flow.packets_down
    known = identify_datagram(table, buf, start, end, i)
    if named:
        # Messages may follow whatever else came first.
        over = known == DONE and packets >= CALL_PACKETS
    else:
        # Calls begin with STUN (RFC 7983), desktops with a transport of their own; DTLS follows there.
        call = flow.application in (APP_STUN, APP_RDP)
        over = packets >= (CALL_PACKETS if call else STRANGE_PACKETS) or (known == DONE and not call)
    if over:
        flow.done |= CLIENT_HEAD_DONE
    return np.int64(0)
