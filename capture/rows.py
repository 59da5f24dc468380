"""Writing a flow's row: the record of the table becomes a record of the batch, text behind it."""

import numpy as np

from capture.arena import UNKNOWN, UNKNOWN_DELTA
from capture.flows import (
    ACTIVE,
    ALPN_AT,
    CERTIFICATE_AT,
    ISSUER_AT,
    JA4_AT,
    LOCATION_AT,
    count_packet,
    end_burst,
    start_row,
)
from capture.network import (
    QUIRK_DF,
    QUIRK_ECN,
    QUIRK_FLOW,
    QUIRK_ID_MINUS,
    QUIRK_ID_PLUS,
    QUIRK_ZERO,
    UNKNOWN_TTL,
)
from capture.octets import mix, put_decimal
from capture.sightings import put_word, word_table
from capture.states import conn_state
from capture.tcp import (
    QUIRK_ACK_SET,
    QUIRK_BAD,
    QUIRK_OPT_TAIL,
    QUIRK_PUSH,
    QUIRK_SCALE,
    QUIRK_SEQ_ZERO,
    QUIRK_TS1_ZERO,
    QUIRK_TS2_SET,
    QUIRK_URG,
    QUIRK_URG_SET,
)
from pipeline.kernels import hot_kernel, packet_kernel, unit_kernel
from pipeline.words import copy

#: Text that one flow row may append.
FLOW_TEXT = 1_024
#: Longest SYN signature.
SIGNATURE_MAX = 250


# Words of p0f 3 signatures, by the option codes of capture.tcp and by quirk bit.
OPTION_WORDS = word_table("", "eol+", "nop", "mss", "ws", "sok", "sack", "ts", "?")
QUIRK_BITS = np.array(
    [
        QUIRK_DF, QUIRK_ID_PLUS, QUIRK_ID_MINUS, QUIRK_ECN, QUIRK_ZERO, QUIRK_FLOW, QUIRK_SEQ_ZERO,
        QUIRK_ACK_SET, QUIRK_URG_SET, QUIRK_URG, QUIRK_PUSH, QUIRK_TS1_ZERO, QUIRK_TS2_SET, QUIRK_OPT_TAIL,
        QUIRK_SCALE, QUIRK_BAD,
    ]
)  # fmt: skip
QUIRK_WORDS = word_table(
    "df", "id+", "id-", "ecn", "0+", "flow", "seq-", "ack+", "uptr+", "urgf+", "pushf+", "ts1-", "ts2+",
    "opt+", "exws", "bad",
)  # fmt: skip


@packet_kernel
def put_octet(out, at, limit, octet):
    """Append one byte."""
    if at >= limit:
        return at
    out[at] = octet
    return at + 1


@packet_kernel
def initial_ttl(ttl):
    """The start value a TTL most likely had: 32, 64, 128 or 255 (p0f 3)."""
    if ttl <= 32:
        return 32
    if ttl <= 64:
        return 64
    if ttl <= 128:
        return 128
    return 255


@packet_kernel
def put_signature(out, at, flow):
    """Append the SYN in p0f 3 form: version:ttl:ip option length:MSS:window,scale:options:quirks:payload."""
    limit = at + SIGNATURE_MAX
    at = put_decimal(out, at, limit, np.int64(flow.syn_version))
    at = put_octet(out, at, limit, 58)
    at = put_decimal(out, at, limit, initial_ttl(flow.syn_ttl))
    at = put_octet(out, at, limit, 58)
    at = put_decimal(out, at, limit, np.int64(flow.syn_ip_options))
    at = put_octet(out, at, limit, 58)
    if flow.syn_mss < 0:
        at = put_octet(out, at, limit, 42)
    else:
        at = put_decimal(out, at, limit, np.int64(flow.syn_mss))
    at = put_octet(out, at, limit, 58)
    at = put_decimal(out, at, limit, np.int64(flow.syn_window))
    at = put_octet(out, at, limit, 44)
    at = put_decimal(out, at, limit, np.int64(max(flow.syn_scale, 0)))
    at = put_octet(out, at, limit, 58)
    layout = flow.syn_options
    first = True
    while layout & 15:
        if not first:
            at = put_octet(out, at, limit, 44)
        first = False
        kind = layout & 15
        at = put_word(out, at, OPTION_WORDS, kind)
        if kind == 1:
            at = put_decimal(out, at, limit, np.int64(flow.syn_padding))
        layout = layout >> 4 & 0x0FFFFFFFFFFFFFFF
    at = put_octet(out, at, limit, 58)
    first = True
    for i in range(len(QUIRK_BITS)):
        if flow.syn_quirks & QUIRK_BITS[i]:
            if not first:
                at = put_octet(out, at, limit, 44)
            first = False
            at = put_word(out, at, QUIRK_WORDS, i)
    at = put_octet(out, at, limit, 58)
    return put_octet(out, at, limit, 43 if flow.syn_payload else 48)


@hot_kernel
def has_flow_room(table):
    """True if one more flow row and its text fit."""
    meter = table.meter[0]
    return meter.flow_rows < len(table.flow_rows) and meter.text_used + FLOW_TEXT < len(table.text)


@packet_kernel
def copy_text(table, slot, at, length):
    """Append `slot[at:at+length]` to the arena; returns where it stands."""
    meter = table.meter[0]
    start = meter.text_used
    copy(table.text, start, slot, at, length)
    meter.text_used = start + length
    return start


@unit_kernel
def write_flow(table, i, ended):
    """Write the row of record `i` and begin its next one; the caller made sure that there is room."""
    meter = table.meter[0]
    flow = table.flows[i]
    row = table.flow_rows[meter.flow_rows]
    meter.flow_rows += 1
    slot = table.slots[i]
    row.sensor = 0
    row.vlan = flow.vlan
    row.tunnel = flow.tunnel
    row.flow_id = mix(meter.boot ^ flow.serial)
    row.start = flow.row_start
    row.end = flow.last
    row.first = flow.first
    row.client_hi = flow.client_hi
    row.client_lo = flow.client_lo
    row.server_hi = flow.server_hi
    row.server_lo = flow.server_lo
    row.client_port = flow.client_port
    row.server_port = flow.server_port
    row.protocol = flow.protocol
    row.client_mac = flow.client_mac
    row.server_mac = flow.server_mac
    row.bytes_up = flow.bytes_up
    row.bytes_down = flow.bytes_down
    row.packets_up = flow.packets_up
    row.packets_down = flow.packets_down
    row.payload_up = flow.payload_up
    row.payload_down = flow.payload_down
    row.state = conn_state(flow)
    row.flags_up = flow.flags_up
    row.flags_down = flow.flags_down
    row.rtt_us = flow.rtt_us
    row.retransmits_up = flow.retransmits_up
    row.retransmits_down = flow.retransmits_down
    row.ttl_up_min = flow.ttl_up_min if flow.ttl_up_min < UNKNOWN_TTL else UNKNOWN
    row.ttl_up_max = flow.ttl_up_max
    row.ttl_down_min = flow.ttl_down_min if flow.ttl_down_min < UNKNOWN_TTL else UNKNOWN
    row.ttl_down_max = flow.ttl_down_max
    row.ended = ended
    if ended != ACTIVE:
        end_burst(flow)
    row.bursts_down = flow.bursts_down
    row.application = flow.application
    row.server_name_len = flow.name_len
    row.server_name_at = copy_text(table, slot, 0, np.int64(flow.name_len))
    row.name_source = flow.name_source if flow.name_len > 0 else 0
    row.alpn_len = flow.alpn_len
    row.alpn_at = copy_text(table, slot, ALPN_AT, np.int64(flow.alpn_len))
    row.tls_version = flow.tls_version
    row.ja4_len = flow.ja4_len
    row.ja4_at = copy_text(table, slot, JA4_AT, np.int64(flow.ja4_len))
    row.certificate_len = flow.certificate_len
    row.certificate_at = copy_text(table, slot, CERTIFICATE_AT, np.int64(flow.certificate_len))
    row.issuer_len = flow.issuer_len
    row.issuer_at = copy_text(table, slot, ISSUER_AT, np.int64(flow.issuer_len))
    row.logins = flow.logins
    row.logins_failed = flow.logins_failed
    row.reset_us = flow.asked if flow.reset_by != 0 else UNKNOWN
    row.ech = flow.ech
    row.http_method = flow.http_method
    row.http_status = flow.http_status
    row.http_location_len = flow.location_len
    row.http_location_at = copy_text(table, slot, LOCATION_AT, np.int64(flow.location_len))
    row.hello = flow.hello
    row.reset_by = flow.reset_by
    row.reset_ttl_delta = flow.reset_ttl_delta if flow.reset_known else UNKNOWN_DELTA
    row.acked_down = flow.acked_down
    row.syn_signature_at = meter.text_used
    row.syn_signature_len = 0
    if flow.syn_version != 0:
        behind = put_signature(table.text, meter.text_used, flow)
        row.syn_signature_len = behind - meter.text_used
        meter.text_used = behind
    row.lost = flow.lost
    start_row(flow)
    return np.int64(0)


@packet_kernel
def is_from_client(flow, packet):
    """1 if the packet's source is the flow's client."""
    same = packet.source_port == flow.client_port and packet.source_lo == flow.client_lo
    return 1 if same and packet.source_hi == flow.client_hi else 0


@unit_kernel
def leave_name(table, i):
    """Write the row that record `i` has up to the packet at hand, which begins the row of another name.

    Names that share a packet have rows without packets, but for the last of them.
    """
    meter = table.meter[0]
    flow = table.flows[i]
    packet = table.packet[0]
    if meter.flow_rows + 2 > len(table.flow_rows) or meter.text_used + 2 * FLOW_TEXT >= len(table.text):
        # The last place is for what the caller may still write: the names share a row.
        return np.int64(0)
    at_hand = (
        is_from_client(flow, packet)
        and flow.packets_up >= packet.packets
        and flow.bytes_up >= packet.ip_bytes
        and flow.payload_up >= packet.payload_bytes
    )
    if at_hand:
        flow.bytes_up -= packet.ip_bytes
        flow.packets_up -= packet.packets
        flow.payload_up -= packet.payload_bytes
    write_flow(table, i, ACTIVE)
    if at_hand:
        count_packet(flow, packet, True)
    return np.int64(0)
