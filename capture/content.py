"""What a flow carries: the heads of TCP streams and single datagrams, read by every protocol that we know."""

from capture.flows import CLIENT_HEAD_DONE, NAME_FROM_DNS, NONE, SERVER_HEAD_DONE, release_head
from capture.octets import u16
from capture.protocols.dhcp import CLIENT_PORT, SERVER_PORT, sight_dhcp
from capture.protocols.http import is_response, method_of, request, response
from capture.protocols.identify import CODE, tcp_client, tcp_server, udp_payload
from capture.protocols.tls import DONE, MORE, NOT, client_hello, looks_like_hello, server_answer
from capture.questions import (
    LLMNR,
    MDNS,
    TCP_TRANSPORT,
    UDP_TRANSPORT,
    has_dns_room,
    name_from_answer,
    take_message,
)
from capture.reassembly import HEAD_BYTES, HEAD_US, add_run, take_head
from capture.tcp import ahead
from capture.transport import ICMP6, SYN, TCP, UDP
from pipeline.kernels import packet_kernel
from pipeline.records import HELLO_CLIENT, NAME_SOURCES

DNS_PORT, MDNS_PORT, LLMNR_PORT = 53, 5353, 5355
APP_TLS, APP_HTTP, APP_DNS, APP_DHCP = (CODE[word] for word in ("tls", "http", "dns", "dhcp"))
APP_MDNS, APP_LLMNR, APP_ICMP, APP_ICMP6 = (CODE[word] for word in ("mdns", "llmnr", "icmp", "icmp6"))
NAME_FROM_SNI, NAME_FROM_HTTP = NAME_SOURCES.index("sni"), NAME_SOURCES.index("http")


@packet_kernel
def open_flow(table, i):
    """Before any content: application by port, name by the client's own DNS answer."""
    flow = table.flows[i]
    if flow.protocol == TCP or flow.protocol == UDP:
        row = 1 if flow.protocol == UDP else 0
        flow.application = table.ports[row, flow.server_port]
        if flow.application == 0:
            flow.application = table.ports[row, flow.client_port] if flow.client_port < 1024 else 0
    elif flow.protocol == ICMP6:
        flow.application = APP_ICMP6
    elif flow.protocol == 1:
        flow.application = APP_ICMP
    if flow.server_port == DNS_PORT:
        # The resolver itself; asking for it would cost as much as all the rest of a question.
        return
    length = name_from_answer(
        table, flow.first, flow.client_hi, flow.client_lo, flow.server_hi, flow.server_lo, table.slots[i]
    )
    if length > 0:
        flow.name_len = length
        flow.name_source = NAME_FROM_DNS


@packet_kernel
def read_client(table, buf, start, end, final, i, packet):
    """Look at the head of a client's stream: DONE when it says no more, MORE when it goes on, NOT unknown."""
    flow = table.flows[i]
    slot = table.slots[i]
    if looks_like_hello(buf, start, end):
        length, source = flow.name_len, flow.name_source
        outcome = client_hello(buf, start, end, table.scratch, final, slot, flow)
        if outcome == DONE:
            flow.application = APP_TLS
            flow.hello |= HELLO_CLIENT
            if flow.name_len > 0:
                flow.name_source = NAME_FROM_SNI
            else:
                flow.name_len = length
                flow.name_source = source
        return outcome
    if method_of(buf, start, end) != 0:
        length, source = flow.name_len, flow.name_source
        flow.name_len = 0
        outcome = request(buf, start, end, final, slot, flow)
        if outcome == DONE:
            flow.application = APP_HTTP
        if flow.name_len > 0:
            flow.name_source = NAME_FROM_HTTP
        else:
            flow.name_len = length
            flow.name_source = source
        if outcome != NOT:
            return outcome
    if flow.server_port == DNS_PORT and end - start < 14 and not final:
        # Some send the length on its own.
        return MORE
    if flow.server_port == DNS_PORT and end - start >= 14 and u16(buf, start) >= 12:
        length = u16(buf, start)
        if start + 2 + length > end:
            return NOT if final else MORE
        if has_dns_room(table) and take_message(
            table, buf, start + 2, start + 2 + length, packet, TCP_TRANSPORT
        ):
            flow.application = APP_DNS
            return DONE
    code = tcp_client(buf, start, end)
    if code != 0:
        flow.application = code
        return DONE
    return NOT


@packet_kernel
def client_head(table, buf, packet, i):
    """Read the head of the client's stream, in place where it can be, else put together."""
    flow = table.flows[i]
    seq = (packet.seq + (1 if packet.tcp_flags & SYN else 0)) & 0xFFFFFFFF
    start, end = packet.payload, packet.end
    whole = end - start == packet.payload_bytes
    if flow.base_up == NONE and packet.payload_bytes == 1:
        # Picked up mid-stream: most likely a keep-alive probe.
        return
    if flow.head == NONE:
        offset = ahead(seq, flow.base_up) if flow.base_up != NONE else 0
        if offset < 0:
            # Keep-alive probes and bytes sent again.
            return
        if offset == 0:
            outcome = read_client(table, buf, start, end, not whole, i, packet)
            if outcome != MORE:
                flow.done |= CLIENT_HEAD_DONE
                return
        if offset >= HEAD_BYTES or not whole:
            flow.done |= CLIENT_HEAD_DONE
            return
        base = flow.base_up if flow.base_up != NONE else seq
        if not take_head(table, i, packet.ts, base):
            flow.done |= CLIENT_HEAD_DONE
            return
    head = table.heads[flow.head]
    data = table.head_data[flow.head]
    have = add_run(data, table.runs[flow.head], head, ahead(seq, head.origin), buf, start, end)
    if have == 0:
        return
    late = packet.ts - head.started > HEAD_US
    final = have == HEAD_BYTES or not whole or late
    outcome = read_client(table, data, 0, have, final, i, packet)
    if outcome != MORE:
        flow.done |= CLIENT_HEAD_DONE
        release_head(table, flow)


@packet_kernel
def server_head(table, buf, packet, i):
    """Read the first payload of the server."""
    flow = table.flows[i]
    start, end = packet.payload, packet.end
    if server_answer(buf, start, end, flow):
        flow.application = APP_TLS
    elif is_response(buf, start, end):
        flow.application = APP_HTTP
        response(buf, start, end, table.slots[i], flow)
    elif flow.server_port == DNS_PORT and end - start >= 14 and start + 2 + u16(buf, start) <= end:
        if has_dns_room(table):
            take_message(table, buf, start + 2, start + 2 + u16(buf, start), packet, TCP_TRANSPORT)
    elif flow.done & CLIENT_HEAD_DONE == 0 or flow.application == 0:
        code = tcp_server(buf, start, end)
        if code != 0:
            flow.application = code
    flow.done |= SERVER_HEAD_DONE


@packet_kernel
def take_datagram(table, buf, packet, flow):
    """Read one UDP payload."""
    start, end = packet.payload, packet.end
    if end <= start:
        return
    source, target = packet.source_port, packet.target_port
    if source == DNS_PORT or target == DNS_PORT:
        if has_dns_room(table) and take_message(table, buf, start, end, packet, UDP_TRANSPORT):
            flow.application = APP_DNS
        return
    if source == MDNS_PORT or target == MDNS_PORT:
        if has_dns_room(table) and take_message(table, buf, start, end, packet, MDNS):
            flow.application = APP_MDNS
        return
    if source == LLMNR_PORT or target == LLMNR_PORT:
        if has_dns_room(table) and take_message(table, buf, start, end, packet, LLMNR):
            flow.application = APP_LLMNR
        return
    if source in (SERVER_PORT, CLIENT_PORT) and target in (SERVER_PORT, CLIENT_PORT):
        if sight_dhcp(table, buf, start, end, packet):
            flow.application = APP_DHCP
        return
    if flow.done & CLIENT_HEAD_DONE == 0:
        code = udp_payload(buf, start, end)
        if code != 0:
            flow.application = code
            flow.done |= CLIENT_HEAD_DONE
        elif flow.packets_up + flow.packets_down >= 4:
            flow.done |= CLIENT_HEAD_DONE
