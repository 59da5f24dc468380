"""One packet into its flow: found or opened, counted, its content shown to the readers."""

import numpy as np

from capture.content import give_up_heads, open_flow, take_datagram, take_segment
from capture.flows import (
    CLIENT_HEAD_DONE,
    ENDED_CLOSED,
    ESTABLISHED,
    EVICTED,
    NONE,
    SERVER_HEAD_DONE,
    count_packet,
    find_flow,
    longest_idle,
    new_flow,
    unlink,
)
from capture.network import is_group
from capture.protocols.dns import APP_DNS, read_dns_segment
from capture.protocols.doh import APP_HTTP, may_hold_messages, read_doh_segment
from capture.protocols.logins import watch_login
from capture.protocols.ndp import sight_ndp
from capture.protocols.tls import ALERT_BYTES, may_be_late, note_alert, read_late_hello
from capture.rows import has_flow_room, write_flow
from capture.states import is_over
from capture.tcp import is_reused, update_tcp
from capture.transport import ACK, FIN, ICMP6, RST, SYN, TCP, UDP
from pipeline.kernels import hot_kernel, packet_kernel


@packet_kernel
def is_service(table, packet, port):
    """True if the port is one that servers listen on: below 1024 or known."""
    return port < 1024 or table.ports[1 if packet.protocol == UDP else 0, port] != 0


@packet_kernel
def opened_by_source(table, packet):
    """True if the packet's source is the client (records.md): SYN sender, else the higher port.

    A broadcast or multicast address never is.
    """
    if packet.protocol == TCP:
        if packet.tcp_flags & SYN:
            return packet.tcp_flags & ACK == 0
    elif packet.protocol != UDP:
        return packet.source_port not in (0, 129) or packet.target_port not in (8, 128)
    if is_group(packet.target_hi, packet.target_lo):
        return True
    if packet.source_port < packet.target_port and is_service(table, packet, packet.source_port):
        return False
    return not (packet.protocol == TCP and packet.tcp_flags & RST and packet.source_port < packet.target_port)


@packet_kernel
def end_flow(table, i, ended):
    """Write what record `i` still has to say, and free it; a row without packets is not written."""
    flow = table.flows[i]
    if flow.head != NONE or flow.head_down != NONE:
        give_up_heads(table, i)
    if flow.row_start != NONE:
        write_flow(table, i, ENDED_CLOSED if is_over(flow) else ended)
    unlink(table, i)


@hot_kernel
def take_packet(table, buf, packet, key):
    """Find or open the packet's flow by its `flow_hash`, count the packet, look at its content."""
    meter = table.meter[0]
    i, up = find_flow(table, packet, key)
    if (
        i != NONE
        and packet.protocol == TCP
        and packet.tcp_flags & SYN
        and is_reused(table.flows[i], packet, up)
    ):
        # The ports are used again: a new flow.
        end_flow(table, i, ENDED_CLOSED)
        i = np.int64(NONE)
    if i == NONE:
        if meter.flows_free == 0:
            if not has_flow_room(table):
                # `run` made sure of one row; a reused port cannot meet a full table.
                return
            end_flow(table, longest_idle(table), EVICTED)
            meter.evicted += 1
        up = opened_by_source(table, packet)
        i = new_flow(table, packet, key, up)
        open_flow(table, i)
    flow = table.flows[i]
    if flow.row_start == NONE:
        table.due[i] = 0
    count_packet(flow, packet, up)
    if packet.protocol == TCP:
        update_tcp(buf, packet, flow, up)
        if packet.tcp_flags & (FIN | RST) and is_over(flow):
            table.due[i] = 0
        if packet.payload_bytes > 0:
            if flow.done & (CLIENT_HEAD_DONE if up else SERVER_HEAD_DONE) == 0:
                take_segment(table, buf, 1 if up else 0, i)
            elif packet.payload_bytes == ALERT_BYTES and flow.hello != 0:
                note_alert(table, buf, packet.payload, packet.end, i)
            elif up and may_be_late(buf, packet, flow):
                read_late_hello(table, buf, i)
            elif flow.watch == APP_DNS:
                read_dns_segment(table, buf, packet.payload, packet.end, i)
            if flow.application in (APP_HTTP, 0) and may_hold_messages(buf, packet.payload, packet.end):
                read_doh_segment(table, buf, packet.payload, packet.end, i)
            if flow.watch != 0 and watch_login(table, buf, packet.payload, packet.end, 1 if up else 0, i):
                # Something to read begins anew with this segment.
                take_segment(table, buf, 1 if up else 0, i)
    else:
        if up:
            flow.client_state = ESTABLISHED
        else:
            flow.server_state = ESTABLISHED
        if packet.protocol == UDP:
            if flow.done & CLIENT_HEAD_DONE == 0:
                take_datagram(table, buf, i)
        elif packet.protocol == ICMP6:
            sight_ndp(table, buf, packet.at, packet.end)
