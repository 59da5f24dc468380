"""TCP state of a flow: who opened, Zeek's states, retransmissions, the mirror's loss, form of the SYN."""

import numpy as np

from capture.flows import (
    CLIENT_CLOSED,
    CLIENT_SPOKE,
    CLOSED,
    ESTABLISHED,
    INACTIVE,
    NONE,
    PARTIAL,
    RESET,
    ROUND_TRIP_DONE,
    SERVER_CLOSED,
    SERVER_HEAD_DONE,
    SYN_ACK_SENT,
    SYN_SENT,
)
from capture.network import QUIRK_ECN
from capture.octets import u8, u16, u32
from capture.transport import ACK, FIN, PSH, RST, SYN, URG
from pipeline.kernels import hot_kernel, packet_kernel

# p0f 3 quirks of the TCP header; the lower bits are the IP header's (capture.network).
QUIRK_SEQ_ZERO, QUIRK_ACK_SET, QUIRK_URG_SET, QUIRK_URG = 64, 128, 512, 1024
QUIRK_PUSH, QUIRK_TS1_ZERO, QUIRK_TS2_SET, QUIRK_OPT_TAIL = 2048, 4096, 8192, 16384
QUIRK_SCALE, QUIRK_BAD = 32768, 65536

# Option kinds in `syn_options`, 4 bits each.
OPTION_END, OPTION_NOP, OPTION_MSS, OPTION_SCALE, OPTION_SACK_OK, OPTION_SACK, OPTION_TS, OPTION_OTHER = (
    range(1, 9)
)
OPTIONS_MAX = 15
#: Most bytes that can be on their way: the largest window (RFC 7323, 2.3).
WINDOW_MAX = 1 << 30
#: µs within which an overtaken segment arrives, where no round trip is known (Wireshark's default).
REORDER_US = 3_000
#: Longest round trip that a record can say, µs.
RTT_MAX = 0xFFFFFFFF


@hot_kernel
def ahead(a, b):
    """Signed distance a - b of two sequence numbers (RFC 1982)."""
    distance = (a - b) & 0xFFFFFFFF
    return distance - 0x100000000 if distance >= 0x80000000 else distance


@packet_kernel
def note_syn(buf, packet, flow):
    """Keep the form of the client's SYN for its signature: README of p0f 3, "TCP SYN"."""
    flow.syn_version = packet.version
    flow.syn_ttl = packet.ttl
    flow.syn_window = packet.window
    flow.syn_mss = NONE
    flow.syn_scale = NONE
    flow.syn_padding = 0
    # IPv4 options or IPv6 extension headers.
    fixed = 20 if packet.version == 4 else 40
    flow.syn_ip_options = min(max(packet.ip_bytes - packet.transport_bytes - fixed, 0), 255)
    flow.syn_payload = 1 if packet.payload_bytes > 0 else 0
    quirks = packet.ip_flags
    flags = packet.tcp_flags
    if packet.tcp_flags & 0xC0:
        quirks |= QUIRK_ECN
    if packet.seq == 0:
        quirks |= QUIRK_SEQ_ZERO
    if flags & ACK == 0 and packet.ack != 0:
        quirks |= QUIRK_ACK_SET
    if flags & URG:
        quirks |= QUIRK_URG
    elif u16(buf, packet.at + 18) != 0:
        quirks |= QUIRK_URG_SET
    if flags & PSH:
        quirks |= QUIRK_PUSH
    layout = np.int64(0)
    count = 0
    at = packet.options
    stop = packet.payload
    while at < stop and count < OPTIONS_MAX:
        kind = u8(buf, at)
        if kind == 0:
            layout |= np.int64(OPTION_END) << (4 * count)
            count += 1
            flow.syn_padding = stop - at - 1
            for i in range(at + 1, stop):
                if buf[i] != 0:
                    quirks |= QUIRK_OPT_TAIL
            break
        if kind == 1:
            layout |= np.int64(OPTION_NOP) << (4 * count)
            count += 1
            at += 1
            continue
        if at + 2 > stop:
            quirks |= QUIRK_BAD
            break
        length = u8(buf, at + 1)
        if length < 2 or at + length > stop:
            quirks |= QUIRK_BAD
            break
        word = OPTION_OTHER
        if kind == 2:
            word = OPTION_MSS
            if length == 4:
                flow.syn_mss = u16(buf, at + 2)
            else:
                quirks |= QUIRK_BAD
        elif kind == 3:
            word = OPTION_SCALE
            if length == 3:
                flow.syn_scale = u8(buf, at + 2)
                if flow.syn_scale > 14:
                    quirks |= QUIRK_SCALE
            else:
                quirks |= QUIRK_BAD
        elif kind == 4:
            word = OPTION_SACK_OK
        elif kind == 5:
            word = OPTION_SACK
        elif kind == 8:
            word = OPTION_TS
            if length == 10:
                if u32(buf, at + 2) == 0:
                    quirks |= QUIRK_TS1_ZERO
                if u32(buf, at + 6) != 0:
                    quirks |= QUIRK_TS2_SET
            else:
                quirks |= QUIRK_BAD
        layout |= np.int64(word) << (4 * count)
        count += 1
        at += length
    flow.syn_options = layout
    flow.syn_quirks = quirks


@hot_kernel
def next_state(me, peer, flags, length, up, peer_closed):
    """(my state, the peer's) after a segment of mine: the endpoint states of Zeek's TCP analyzer.

    `up`: I am the client. `peer_closed`: the peer sent a FIN before. Only the client ever waits for an
    answer; a server that answers is established, and so is then a client that asked.
    """
    if me == INACTIVE:
        if flags & SYN:
            if not up:
                if peer in (SYN_SENT, SYN_ACK_SENT):
                    peer = ESTABLISHED
                me = ESTABLISHED
            elif flags & ACK:
                me = SYN_ACK_SENT
            else:
                # A SYN that comes behind its answer opens the connection all the same.
                me = ESTABLISHED if peer == ESTABLISHED else SYN_SENT
        if flags & FIN:
            me = CLOSED
        if flags & RST:
            me = RESET
        if me == INACTIVE and (up or length > 0 or peer != SYN_SENT):
            me = ESTABLISHED if flags & ACK and peer == ESTABLISHED else PARTIAL
    elif me == CLOSED:
        # After both FINs a reset changes nothing.
        if flags & RST and peer != CLOSED:
            me = RESET
    elif me != RESET:
        if me == PARTIAL and peer == INACTIVE and flags & (SYN | ACK) == SYN:
            me = SYN_SENT
        if flags & RST:
            me = RESET
        elif flags & FIN:
            me = CLOSED
            if peer == RESET and peer_closed:
                # FIN and RST of one side, FIN of the other: they parted in peace.
                peer = CLOSED
    return me, peer


@packet_kernel
def is_reused(flow, packet, up):
    """True if a SYN opens another connection on the flow's addresses and ports, as Zeek decides it.

    A first sequence number of its own does, whatever the old connection's state; after both sides' end
    any does. Two SYNs that cross are one connection (RFC 9293, 3.5).
    """
    base = (packet.seq + 1) & 0xFFFFFFFF
    if packet.tcp_flags & ACK:
        return flow.client_state == INACTIVE and not up and flow.base_down not in (NONE, base)
    if flow.client_state in (CLOSED, RESET) and flow.server_state in (CLOSED, RESET):
        return True
    if up:
        return flow.base_up != base
    return flow.base_down != base and (flow.client_state != SYN_SENT or flow.server_state != INACTIVE)


@hot_kernel
def update_states(packet, flow, up):
    """Take the segment's flags into both endpoints' states."""
    flags = packet.tcp_flags
    if flow.client_state == flow.server_state == ESTABLISHED and flags & (SYN | FIN | RST) == 0:
        # What follows would change nothing; so are most segments.
        if up:
            flow.flags_up |= flags
        else:
            flow.flags_down |= flags
    elif up:
        if flow.server_state in (INACTIVE, PARTIAL) and flow.client_state != RESET:
            control = flags & (SYN | FIN | RST)
            bare = control == 0 and packet.payload_bytes == 0
            if bare or control not in (0, SYN, RST) or flags & (SYN | ACK) == SYN | ACK:
                flow.history |= CLIENT_SPOKE
        mine, theirs = next_state(
            flow.client_state,
            flow.server_state,
            flags,
            packet.payload_bytes,
            up,
            flow.history & SERVER_CLOSED,
        )
        if flow.client_state != mine:
            flow.client_state = mine
            if mine == CLOSED:
                flow.history |= CLIENT_CLOSED
        flow.server_state = theirs
        flow.flags_up |= flags
    else:
        mine, theirs = next_state(
            flow.server_state,
            flow.client_state,
            flags,
            packet.payload_bytes,
            up,
            flow.history & CLIENT_CLOSED,
        )
        if flow.server_state != mine:
            flow.server_state = mine
            if mine == CLOSED:
                flow.history |= SERVER_CLOSED
        flow.client_state = theirs
        flow.flags_down |= flags


@packet_kernel
def note_opening(buf, packet, flow, up):
    """Where a side's stream begins, when the client asked, and how: from a SYN."""
    behind = (packet.seq + 1) & 0xFFFFFFFF
    if up:
        if packet.tcp_flags & ACK == 0:
            if flow.syn_version == 0:
                note_syn(buf, packet, flow)
            if flow.done & ROUND_TRIP_DONE == 0:
                # The last SYN is the one that the handshake went on from.
                flow.mark_ts = packet.ts
        if flow.base_up == NONE:
            flow.base_up = behind
    elif flow.base_down == NONE:
        flow.base_down = behind
        if packet.tcp_flags & ACK:
            flow.synack_ttl = packet.ttl
            if flow.base_up == NONE:
                flow.base_up = packet.ack


@hot_kernel
def update_tcp(buf, packet, flow, up):
    """Take one segment into the flow: states, sequence numbers, retransmissions, loss, round trip, reset."""
    update_states(packet, flow, up)
    flags = packet.tcp_flags
    seq = packet.seq
    length = packet.payload_bytes
    if flags & SYN:
        note_opening(buf, packet, flow, up)
        seq = (seq + 1) & 0xFFFFFFFF
    if flags & RST and flow.reset_by == 0:
        flow.reset_by = 1 if up else 2
        if not up and flow.synack_ttl >= 0:
            flow.reset_known = 1
            flow.reset_ttl_delta = packet.ttl - flow.synack_ttl
        if not up and flow.asked != NONE and flow.seq_down == flow.base_down != NONE:
            flow.asked = min(max(packet.ts - flow.asked, 0), RTT_MAX)
        else:
            flow.asked = NONE
    stop = (seq + length + (1 if flags & FIN else 0)) & 0xFFFFFFFF
    # What a reset says of numbers is not to be trusted: it may be forged.
    if flags & RST == 0:
        if up:
            if length > 0 and flow.reset_by == 0 and flow.done & SERVER_HEAD_DONE == 0:
                flow.asked = packet.ts
            if flow.seq_up == NONE:
                flow.seq_up = stop
                if flags & SYN and flow.base_up != seq:
                    flow.retransmits_up += 1
            else:
                step = ahead(stop, flow.seq_up)
                if 0 < step < WINDOW_MAX:
                    hole = ahead(seq, flow.seq_up)
                    if hole > 0:
                        flow.hole_up = min(flow.hole_up + hole, WINDOW_MAX)
                        note_hole(packet, flow)
                    flow.seq_up = stop
                elif step <= 0 and is_sent_again(flags, length, step):
                    if flow.hole_up >= length > 0:
                        flow.hole_up -= length
                        flow.retransmits_up += is_late(packet, flow)
                    else:
                        flow.retransmits_up += 1
        elif flow.seq_down == NONE:
            flow.seq_down = stop
        else:
            step = ahead(stop, flow.seq_down)
            if 0 < step < WINDOW_MAX:
                hole = ahead(seq, flow.seq_down)
                if hole > 0:
                    flow.hole_down = min(flow.hole_down + hole, WINDOW_MAX)
                    note_hole(packet, flow)
                flow.seq_down = stop
            elif step <= 0 and is_sent_again(flags, length, step):
                if flow.hole_down >= length > 0:
                    flow.hole_down -= length
                    flow.retransmits_down += is_late(packet, flow)
                else:
                    flow.retransmits_down += 1
        if flags & ACK:
            take_ack(packet, flow, up)


@packet_kernel
def note_hole(packet, flow):
    """Remember when a stream went on behind bytes that were not seen."""
    if flow.done & ROUND_TRIP_DONE:
        flow.mark_ts = packet.ts


@packet_kernel
def is_late(packet, flow):
    """1 if a segment that fills a hole was sent again, 0 if it was overtaken.

    To be sent again takes a round trip at least; where that is not known, 3 ms (Wireshark's default).
    """
    if flow.mark_ts == NONE:
        return 0
    threshold = flow.rtt_us if flow.rtt_us > 0 else REORDER_US
    return 1 if packet.ts - flow.mark_ts > threshold else 0


@packet_kernel
def is_sent_again(flags, length, step):
    """True if a segment that brings nothing new was sent before; a keep-alive of one byte was not.

    `step`: how far its end lies past the highest number seen, 0 or less (RFC 9293, 3.8.4).
    """
    if flags & (SYN | FIN):
        return True
    return length > 1 or (length == 1 and step < 0)


@hot_kernel
def take_ack(packet, flow, up):
    """What an acknowledgement says about the other side's bytes: acknowledged, and lost by the mirror."""
    ack = packet.ack
    if up:
        if flow.done & ROUND_TRIP_DONE == 0 and packet.tcp_flags & SYN == 0:
            flow.done |= ROUND_TRIP_DONE
            # It acknowledges what the server sent so far, and nothing else.
            asked = flow.mark_ts != NONE and flow.base_down != NONE
            if asked and ahead(ack, flow.base_down) >= 0 and ahead(ack, flow.seq_down) <= 0:
                flow.rtt_us = min(max(packet.ts - flow.mark_ts, 0), RTT_MAX)
            flow.mark_ts = NONE
        if flow.ack_up == NONE:
            flow.ack_up = flow.base_down if flow.base_down != NONE else ack
        step = ahead(ack, flow.ack_up)
        if 0 < step < WINDOW_MAX:
            flow.acked_down += step
            flow.ack_up = ack
            if flow.server_state == CLOSED and flow.seq_down == ack:
                # The FIN's own number is no byte.
                flow.acked_down -= 1
        if flow.seq_down != NONE:
            unseen = ahead(ack, flow.seq_down)
            if 0 <= unseen < WINDOW_MAX:
                flow.lost += unseen + flow.hole_down
                flow.hole_down = 0
                flow.seq_down = ack
    else:
        if flow.seq_up != NONE:
            unseen = ahead(ack, flow.seq_up)
            if 0 <= unseen < WINDOW_MAX:
                flow.lost += unseen + flow.hole_up
                flow.hole_up = 0
                flow.seq_up = ack
