"""How a connection stands: Zeek's conn_state from the states of both endpoints."""

from capture.flows import (
    CLIENT_SPOKE,
    CLOSED,
    ESTABLISHED,
    INACTIVE,
    NONE,
    PARTIAL,
    RESET,
    SYN_ACK_SENT,
    SYN_SENT,
)
from capture.transport import TCP, UDP
from pipeline.kernels import packet_kernel
from pipeline.records import STATES

(OTH, S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR) = range(len(STATES))


@packet_kernel
def is_over(flow):
    """True if TCP ended the flow, by FINs or a reset."""
    return flow.protocol == TCP and (
        flow.client_state == RESET
        or flow.server_state == RESET
        or (flow.client_state == CLOSED and flow.server_state == CLOSED)
    )


@packet_kernel
def is_empty(flow):
    """True if neither side of a TCP connection sent a byte."""
    return flow.seq_up == flow.base_up and (flow.base_down == NONE or flow.seq_down == flow.base_down)


@packet_kernel
def conn_state(flow):
    """Zeek's conn_state (docs.zeek.org, base/protocols/conn) of what was seen so far, a code of `STATES`."""
    client, server = flow.client_state, flow.server_state
    if flow.protocol != TCP:
        if flow.protocol != UDP:
            return OTH
        if client == ESTABLISHED:
            return SF if server == ESTABLISHED else S0
        return SHR if server == ESTABLISHED else OTH
    client_idle = client in (INACTIVE, PARTIAL)
    server_idle = server in (INACTIVE, PARTIAL)
    if server == RESET:
        if client in (SYN_SENT, SYN_ACK_SENT) or (client == RESET and is_empty(flow)):
            return REJ
        return RSTRH if client_idle else RSTR
    if client == RESET:
        if server_idle:
            return RSTOS0 if flow.syn_version != 0 and flow.history & CLIENT_SPOKE == 0 else OTH
        return RSTO
    if client == CLOSED and server == CLOSED:
        return SF
    if client == CLOSED:
        return SH if server_idle else S2
    if server == CLOSED:
        return SHR if client_idle else S3
    if client == SYN_SENT and server == INACTIVE:
        return S0
    if client == ESTABLISHED and server == ESTABLISHED:
        return S1
    return OTH
