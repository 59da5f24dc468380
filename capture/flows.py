"""The flow table: one record a flow, found by a keyed hash, bounded, swept by packet time.

Records stand in one array and are handed out from a stack of free ones, so the order of the rows
written does not depend on the hash seed: a replay gives the same rows. Chains hang off a bucket
array. When the table is full, the longest-idle of the next `EVICT_REACH` records goes early.
"""

import numpy as np

from capture.network import UNKNOWN_TTL
from capture.octets import mix
from capture.transport import TCP
from pipeline.kernels import hot_kernel, packet_kernel
from pipeline.records import APPLICATIONS, ENDED, NAME_SOURCES
from pipeline.words import prefetch

NONE = -1
#: Records looked at for one to evict; our default.
EVICT_REACH = 64
#: Records asked for ahead of that search, which reads one line of each; our default.
EVICT_AHEAD = 24

# A downstream burst: bytes of the IP packets that answer what the client asked for after nothing came either
# way for so long. A request has a payload of so many bytes: in TCP, HTTP/2's WINDOW_UPDATE behind TLS has 35,
# over UDP, QUIC's acknowledgements and MAX_DATA have less than that. Our defaults.
BURST_PAUSE_US, BURST_BYTES = 500_000, 150_000
BURST_TCP_REQUEST_BYTES, BURST_UDP_REQUEST_BYTES = 45, 60
BURSTS_MAX, BURST_MARK_MAX = 0xFFFF, 0x7FFFFFFF

# Layout of a flow's text slot (one a record, touched only when there is text): name, ALPN, Location host or
# the certificate's subject and issuer (what is plain HTTP shows no certificate), JA4.
SLOT, NAME_MAX, ALPN_AT, ALPN_MAX, LOCATION_AT, LOCATION_MAX = 576, 255, 256, 32, 288, 224
CERTIFICATE_AT, ISSUER_AT, CERTIFICATE_MAX, JA4_AT, JA4_MAX = 288, 400, 112, 512, 36

# Endpoint states, as in Zeek's TCP analyzer.
INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = range(7)

# Bits of `history`, for states that depend on what went before: a side sent a FIN before it was reset; the
# client sent, to a server that never answered, more than SYN, data and RST.
CLIENT_CLOSED, SERVER_CLOSED, CLIENT_SPOKE = 1, 2, 4

# Bits of `done`: what needs no more looking at.
CLIENT_HEAD_DONE, SERVER_HEAD_DONE, ROUND_TRIP_DONE = 1, 2, 4

# The order is that of use: a segment of an established connection touches the first three lines of 64 bytes.
# A record is a whole number of lines.
FLOW = np.dtype(
    [
        # line 1: identity, fixed for the flow's life, and states
        ("client_hi", "i8"),
        ("client_lo", "i8"),
        ("server_hi", "i8"),
        ("server_lo", "i8"),
        ("client_port", "u2"),
        ("server_port", "u2"),
        ("next", "i4"),  # chain of the bucket
        ("head_down", "i4"),  # stream head of the server, -1 none
        ("application", "u1"),
        ("watch", "u1"),  # protocol whose later packets tell how logins end, 0 none
        ("hello", "u1"),
        ("history", "u1"),
        ("last", "i8"),
        ("protocol", "u1"),
        ("used", "u1"),  # 1 in use, 0 free
        ("client_state", "u1"),
        ("server_state", "u1"),
        ("flags_up", "u1"),
        ("flags_down", "u1"),
        ("done", "u1"),
        ("reset_by", "u1"),
        # line 2: what a row counts
        ("bytes_up", "i8"),
        ("bytes_down", "i8"),
        ("payload_up", "i8"),
        ("payload_down", "i8"),
        ("packets_up", "i4"),
        ("packets_down", "i4"),
        ("row_start", "i8"),
        ("ttl_up_min", "i2"),
        ("ttl_up_max", "i2"),
        ("ttl_down_min", "i2"),
        ("ttl_down_max", "i2"),
        ("retransmits_up", "i4"),
        ("retransmits_down", "i4"),
        # line 3: TCP sequence tracking
        ("seq_up", "i8"),  # next byte expected; -1 before any
        ("seq_down", "i8"),
        ("ack_up", "i8"),  # highest acknowledgement sent by the client; -1 before any
        ("acked_down", "i8"),
        ("lost", "i8"),
        # Last bytes of the client before the server's head was read, -1 none. Once it was reset: µs from them
        # to the reset, -1 not known.
        ("asked", "i8"),
        ("hole_up", "i4"),  # bytes skipped over and not yet seen
        ("hole_down", "i4"),
        ("head", "i4"),  # stream head of the client being put together, -1 none
        ("name_len", "i2"),
        ("vlan", "i2"),
        # set once or rarely
        ("first", "i8"),  # µs, packet time
        ("serial", "i8"),
        ("client_mac", "i8"),
        ("server_mac", "i8"),
        ("base_up", "i8"),  # first sequence number of the stream's bytes; -1 unknown
        ("base_down", "i8"),
        ("mark_ts", "i8"),  # last SYN until the round trip is known, then when a hole last opened; -1 none
        ("rtt_us", "i8"),  # -1 unknown
        ("synack_ttl", "i2"),  # -1 unknown
        ("reset_ttl_delta", "i2"),
        ("http_status", "i2"),  # -1 none
        ("syn_scale", "i2"),  # -1 no option
        ("name_source", "u1"),
        ("reset_known", "u1"),  # 1: reset_ttl_delta holds
        ("tunnel", "u1"),
        ("alpn_len", "u1"),
        ("tls_version", "u1"),
        ("ech", "u1"),
        ("http_method", "u1"),
        ("location_len", "u1"),
        ("syn_version", "u1"),  # 0: no SYN seen
        ("syn_ttl", "u1"),
        ("syn_padding", "u1"),  # bytes after the end-of-options mark
        ("syn_payload", "u1"),
        ("syn_mss", "i4"),  # -1 no option
        ("syn_window", "u2"),
        ("step", "u1"),  # how far the log-in's watcher is, its own bits
        ("outer", "u1"),  # application of the wrapper (STARTTLS, CONNECT, SOCKS) that carries another, 0 none
        ("syn_quirks", "i4"),
        ("syn_options", "i8"),  # 4 bits an option, first in the lowest; 0 ends
        # What a client's datagram said that the next ones must fit; of TCP what a watcher remembers
        # (capture/protocols).
        ("token_up", "u4"),
        ("token_down", "u4"),
        ("logins", "u2"),  # attempts seen, of this row
        ("logins_failed", "u2"),
        ("certificate_len", "u1"),
        ("issuer_len", "u1"),
        ("ja4_len", "u1"),
        ("candidate", "u1"),  # application that waits for a second datagram, 0 none
        ("evidence", "u1"),  # bits of capture/protocols/identify.py
        ("syn_ip_options", "u1"),  # bytes
        ("bursts_down", "u2"),  # of this row
        ("burst_mark", "i4"),  # bytes_down where the burst at hand began; below 0: what came before this row
    ],
    align=True,
)

ENDED_CODE = {word: code for code, word in enumerate(ENDED)}
ACTIVE, IDLE, ENDED_CLOSED, EVICTED, SHUTDOWN = (
    ENDED_CODE[word] for word in ("active", "idle", "closed", "evicted", "shutdown")
)
NAME_FROM_DNS = NAME_SOURCES.index("dns")
APPLICATION = {word: code for code, word in enumerate(APPLICATIONS)}


@hot_kernel
def side_hash(seed, high, low, port):
    """Keyed hash of one end of a flow; an IPv4 address and its port fill one word without loss."""
    if high != 0:
        seed = mix(high ^ seed)
    return mix(seed ^ low ^ port << 48)


@hot_kernel
def flow_hash(seed, packet):
    """The same for both directions of a flow."""
    return ends_hash(
        seed,
        packet.source_hi,
        packet.source_lo,
        packet.source_port,
        packet.target_hi,
        packet.target_lo,
        packet.target_port,
        packet.protocol,
    )


@hot_kernel
def ends_hash(seed, a_hi, a_lo, a_port, b_hi, b_lo, b_port, protocol):
    """The same whichever end is called a."""
    return mix(side_hash(seed, a_hi, a_lo, a_port) + side_hash(seed, b_hi, b_lo, b_port) + protocol)


@hot_kernel
def find_flow(table, packet, key):
    """(record, from client?) of the packet's flow; record `NONE` if there is none."""
    i = np.int64(table.buckets[key & (len(table.buckets) - 1)])
    while i != NONE:
        flow = table.flows[i]
        if flow.protocol == packet.protocol:
            if (
                flow.client_lo == packet.source_lo
                and flow.server_lo == packet.target_lo
                and flow.client_port == packet.source_port
                and flow.server_port == packet.target_port
                and flow.client_hi == packet.source_hi
                and flow.server_hi == packet.target_hi
            ):
                return i, True
            if (
                flow.client_lo == packet.target_lo
                and flow.server_lo == packet.source_lo
                and flow.client_port == packet.target_port
                and flow.server_port == packet.source_port
                and flow.client_hi == packet.target_hi
                and flow.server_hi == packet.source_hi
            ):
                return i, False
        i = np.int64(flow.next)
    return np.int64(NONE), True


@packet_kernel
def record_hash(table, flow):
    """`flow_hash` of a record."""
    return ends_hash(
        table.meter[0].seed,
        flow.client_hi,
        flow.client_lo,
        np.int64(flow.client_port),
        flow.server_hi,
        flow.server_lo,
        np.int64(flow.server_port),
        np.int64(flow.protocol),
    )


@packet_kernel
def unlink(table, i):
    """Take record `i` out of its chain and give it back, its stream head too."""
    flow = table.flows[i]
    bucket = record_hash(table, flow) & (len(table.buckets) - 1)
    j = np.int64(table.buckets[bucket])
    if j == i:
        table.buckets[bucket] = flow.next
    else:
        while j != NONE:
            behind = table.flows[j]
            if behind.next == i:
                behind.next = flow.next
                break
            j = np.int64(behind.next)
    meter = table.meter[0]
    if flow.head != NONE:
        release_head(table, flow, 1)
    if flow.head_down != NONE:
        release_head(table, flow, 0)
    flow.used = 0
    table.free[meter.flows_free] = i
    meter.flows_free += 1


@packet_kernel
def release_head(table, flow, up):
    """Give the stream head of one direction back."""
    meter = table.meter[0]
    h = flow.head if up else flow.head_down
    table.heads[h].flow = NONE
    table.free_heads[meter.heads_free] = h
    meter.heads_free += 1
    if up:
        flow.head = NONE
    else:
        flow.head_down = NONE


@packet_kernel
def new_flow(table, packet, key, from_client):
    """A fresh record for the packet's flow; there must be a free one."""
    meter = table.meter[0]
    meter.flows_free -= 1
    i = np.int64(table.free[meter.flows_free])
    if i >= meter.flows_high:
        meter.flows_high = i + 1
    flow = table.flows[i]
    if from_client:
        flow.client_hi = packet.source_hi
        flow.client_lo = packet.source_lo
        flow.server_hi = packet.target_hi
        flow.server_lo = packet.target_lo
        flow.client_port = packet.source_port
        flow.server_port = packet.target_port
    else:
        flow.client_hi = packet.target_hi
        flow.client_lo = packet.target_lo
        flow.server_hi = packet.source_hi
        flow.server_lo = packet.source_lo
        flow.client_port = packet.target_port
        flow.server_port = packet.source_port
    flow.protocol = packet.protocol
    flow.vlan = packet.vlan
    flow.tunnel = packet.tunnel
    flow.client_mac = 0
    flow.server_mac = 0
    flow.first = packet.ts
    flow.last = packet.ts
    flow.serial = meter.serial
    meter.serial += 1
    flow.used = 1
    flow.head = NONE
    flow.head_down = NONE
    flow.done = 0
    flow.watch = 0
    flow.step = 0
    flow.outer = 0
    flow.token_up = 0
    flow.token_down = 0
    flow.application = 0
    flow.candidate = 0
    flow.evidence = 0
    flow.name_source = 0
    flow.name_len = 0
    flow.alpn_len = 0
    flow.location_len = 0
    flow.certificate_len = 0
    flow.issuer_len = 0
    flow.ja4_len = 0
    flow.hello = 0
    flow.client_state = INACTIVE
    flow.server_state = INACTIVE
    flow.seq_up = NONE
    flow.seq_down = NONE
    flow.ack_up = NONE
    flow.base_up = NONE
    flow.base_down = NONE
    flow.hole_up = 0
    flow.hole_down = 0
    flow.mark_ts = NONE
    flow.rtt_us = NONE
    flow.asked = NONE
    flow.synack_ttl = NONE
    flow.reset_known = 0
    flow.reset_by = 0
    flow.tls_version = 0
    flow.ech = 0
    flow.http_method = 0
    flow.http_status = NONE
    flow.syn_version = 0
    flow.history = 0
    start_row(flow)
    flow.burst_mark = 0
    bucket = key & (len(table.buckets) - 1)
    flow.next = table.buckets[bucket]
    table.buckets[bucket] = i
    table.due[i] = 0
    used = len(table.flows) - meter.flows_free
    if used > meter.flows_peak:
        meter.flows_peak = used
    return i


@packet_kernel
def start_row(flow):
    """Zero what a row counts."""
    flow.row_start = NONE
    flow.bursts_down = 0
    flow.burst_mark = -min(flow.bytes_down - flow.burst_mark, BURST_BYTES)
    flow.bytes_up = 0
    flow.bytes_down = 0
    flow.payload_up = 0
    flow.payload_down = 0
    flow.packets_up = 0
    flow.packets_down = 0
    flow.flags_up = 0
    flow.flags_down = 0
    flow.ttl_up_min = UNKNOWN_TTL
    flow.ttl_up_max = -1
    flow.ttl_down_min = UNKNOWN_TTL
    flow.ttl_down_max = -1
    flow.retransmits_up = 0
    flow.retransmits_down = 0
    flow.acked_down = 0
    flow.lost = 0
    flow.logins = 0
    flow.logins_failed = 0


@packet_kernel
def end_burst(flow):
    """Count the downstream burst at hand if it was one, and begin the next."""
    if flow.bytes_down - flow.burst_mark >= BURST_BYTES and flow.bursts_down < BURSTS_MAX:
        flow.bursts_down += 1
    flow.burst_mark = min(flow.bytes_down, BURST_MARK_MAX)


@hot_kernel
def count_packet(flow, packet, up):
    """Add one packet to the row."""
    if up and packet.ts - flow.last >= BURST_PAUSE_US:
        request = BURST_TCP_REQUEST_BYTES if packet.protocol == TCP else BURST_UDP_REQUEST_BYTES
        if packet.payload_bytes >= request:
            end_burst(flow)
    if packet.ts > flow.last:
        flow.last = packet.ts
    if flow.row_start == NONE or packet.ts < flow.row_start:
        flow.row_start = packet.ts
    if up:
        if flow.packets_up == 0 and flow.client_mac == 0:
            flow.client_mac = packet.source_mac
        flow.bytes_up += packet.ip_bytes
        flow.packets_up += packet.packets
        flow.payload_up += packet.payload_bytes
        if packet.ttl < flow.ttl_up_min:
            flow.ttl_up_min = packet.ttl
        if packet.ttl > flow.ttl_up_max:
            flow.ttl_up_max = packet.ttl
    else:
        if flow.packets_down == 0 and flow.server_mac == 0:
            flow.server_mac = packet.source_mac
        flow.bytes_down += packet.ip_bytes
        flow.packets_down += packet.packets
        flow.payload_down += packet.payload_bytes
        if packet.ttl < flow.ttl_down_min:
            flow.ttl_down_min = packet.ttl
        if packet.ttl > flow.ttl_down_max:
            flow.ttl_down_max = packet.ttl


@packet_kernel
def longest_idle(table):
    """The record to evict: longest idle of the next few in use."""
    meter = table.meter[0]
    best = np.int64(NONE)
    hand = meter.hand
    seen = 0
    for _ in range(len(table.flows)):
        if hand >= meter.flows_high:
            hand = 0
        prefetch(table.flows, hand + EVICT_AHEAD, 0)
        if table.flows[hand].used == 1:
            if best == NONE or table.flows[hand].last < table.flows[best].last:
                best = np.int64(hand)
            seen += 1
            if seen >= EVICT_REACH:
                break
        hand += 1
    meter.hand = hand + 1
    return best
