"""TLS over TCP (RFC 8446, RFC 5246): records, and the handshake messages that they carry in the clear."""

import numpy as np

from capture.flows import CLIENT_HEAD_DONE, NONE, SERVER_HEAD_DONE, release_head
from capture.octets import u8, u16, u24
from capture.protocols.hello import client_hello_body, server_hello_body
from capture.protocols.outcomes import BEYOND, DONE, MORE, NOT
from capture.protocols.sslv2 import read_ssl2
from capture.protocols.tls_numbers import (
    ALERT,
    CERTIFICATE,
    CHANGE_CIPHER_SPEC,
    CLIENT_HELLO,
    ENCRYPTED_MIN,
    HANDSHAKE,
    HANDSHAKE_LAST,
    HEARTBEAT,
    HELLO_REQUEST,
    OVER_TCP,
    RECORD_MAX,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    TLS,
    version_code,
)
from capture.protocols.x509 import read_certificate_message
from capture.reassembly import add_run, take_head
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_ALERT, HELLO_CERTIFICATE
from pipeline.words import copy

#: Bytes of a record's header, of a handshake message's, and of an alert with its record.
RECORD, MESSAGE, ALERT_BYTES = 5, 4, 7
#: Fewest bytes of a ClientHello's body: version, random, empty session id, one suite, one compression.
CLIENT_HELLO_MIN = 38
#: Longest hello that is believed; our default.
MESSAGE_MAX = 1 << 17
WARNING, FATAL = 1, 2
#: Packets of a client in a row among which a ClientHello is looked for behind its stream's head: a connection
#: may idle for minutes before it turns to TLS; our default.
LATE_PACKETS = 16
#: Highest alert that is assigned (IANA).
ALERT_LAST = 121


@packet_kernel
def is_record(buf, at, end):
    """True if the bytes at `at` begin a TLS record, as far as they go."""
    here = end - at
    if here < 1 or buf[at] < CHANGE_CIPHER_SPEC or buf[at] > HEARTBEAT:
        return False
    if here < 2:
        return True
    if buf[at + 1] != 3:
        return False
    if here < 3:
        return True
    if buf[at + 2] > 4:
        return False
    return here < RECORD or u16(buf, at + 3) <= RECORD_MAX


@packet_kernel
def is_alert(buf, at, end):
    """True for a whole alert that is not encrypted (RFC 8446, 6)."""
    return (
        end - at >= ALERT_BYTES
        and buf[at] == ALERT
        and buf[at + 1] == 3
        and u16(buf, at + 3) == 2
        and (buf[at + 5] == WARNING or buf[at + 5] == FATAL)
        and buf[at + 6] <= ALERT_LAST
    )


@packet_kernel
def is_stream(buf, start, end):
    """True if the bytes are TLS records, seen from the middle of a connection: lengths and versions fit."""
    at = start
    while end - at >= RECORD:
        if not is_record(buf, at, end):
            return False
        kind, length = buf[at], u16(buf, at + 3)
        plain_alert = kind == ALERT and length == 2
        if kind == CHANGE_CIPHER_SPEC:
            if length != 1:
                return False
        elif kind == HANDSHAKE:
            if length < ENCRYPTED_MIN and (end - at <= RECORD or u8(buf, at + RECORD) > HANDSHAKE_LAST):
                return False
        elif length < ENCRYPTED_MIN and not plain_alert:
            return False
        if plain_alert and end - at >= ALERT_BYTES and not is_alert(buf, at, end):
            return False
        at += RECORD + length
    return at > start and (at >= end or is_record(buf, at, end))


@packet_kernel
def gather_handshake(buf, at, inner, end, out):
    """Join the handshake bytes of the record at `at`, from `inner` on, and of later records (RFC 8446, 5.1).

    Alerts between them are left out; the first record of another kind ends it. Returns the bytes joined.
    """
    used = 0
    while end - at >= RECORD and is_record(buf, at, end):
        behind = at + RECORD + u16(buf, at + 3)
        if buf[at] == HANDSHAKE:
            take = max(min(min(behind, end) - inner, len(out) - used), 0)
            copy(out, used, buf, inner, take)
            used += take
        elif buf[at] != ALERT or behind != at + ALERT_BYTES:
            break
        at = behind
        inner = at + RECORD
    return used


@unit_kernel
def read_messages(table, buf, at, end, final, i):
    """Read the handshake messages in `buf[at:end]` that are of use (RFC 8446, 4; RFC 5246, 7.4).

    Returns DONE where nothing more is of use, NOT where this is no handshake, else `BEYOND` + the offset of
    the first message that is not all there. With `final`, that one is read as far as it is there.
    """
    flow = table.flows[i]
    while end - at >= MESSAGE:
        kind, length = buf[at], u24(buf, at + 1)
        inner = at + MESSAGE
        whole = inner + length <= end
        behind = min(inner + length, end)
        if kind == CLIENT_HELLO:
            if length < CLIENT_HELLO_MIN or length > MESSAGE_MAX:
                return np.int64(NOT)
            if not whole and not final:
                return np.int64(BEYOND + at)
            if client_hello_body(table, buf, inner, behind, i, OVER_TCP) == 0:
                return np.int64(NOT)
            flow.application = TLS
            return np.int64(DONE)
        if kind == SERVER_HELLO:
            if length > MESSAGE_MAX or (end - inner >= 2 and version_code(u16(buf, inner)) == 0):
                return np.int64(NOT)
            if not whole and not final:
                return np.int64(BEYOND + at)
            over = server_hello_body(table, buf, inner, behind, i)
            flow.application = TLS
            if over:
                return np.int64(DONE)
        elif kind == CERTIFICATE:
            flow.hello |= HELLO_CERTIFICATE
            if read_certificate_message(table, buf, inner, behind, 1 if whole else final, i) == 0:
                return np.int64(BEYOND + at)
            return np.int64(DONE)
        elif kind in (HELLO_REQUEST, SERVER_HELLO_DONE) or kind > HANDSHAKE_LAST:
            return np.int64(DONE)
        if not whole:
            break
        at = behind
    return np.int64(BEYOND + at)


@unit_kernel
def read_tls(table, buf, start, end, final, i):
    """Reader of a stream of either side: hellos, certificate and alerts, or records seen from the middle."""
    flow = table.flows[i]
    at = start
    while end - at >= RECORD and buf[at] == HANDSHAKE and is_record(buf, at, end) and u16(buf, at + 3) == 0:
        at += RECORD
    if not is_record(buf, at, end):
        return read_ssl2(table, buf, start, end, final, i) if at == start else np.int64(NOT)
    if end - at <= RECORD and not final:
        return np.int64(MORE)
    opens = end - at > RECORD and buf[at] == HANDSHAKE and buf[at + RECORD] in (CLIENT_HELLO, SERVER_HELLO)
    if not opens and not (buf[at] == ALERT and is_alert(buf, at, end)):
        if end - at < RECORD or not is_stream(buf, at, end):
            return np.int64(NOT)
        flow.application = TLS
        return np.int64(DONE)
    while end - at >= RECORD and is_record(buf, at, end):
        behind = at + RECORD + u16(buf, at + 3)
        if buf[at] == ALERT:
            if behind == at + ALERT_BYTES and behind > end and not final:
                return np.int64(MORE)
            if not is_alert(buf, at, end):
                return np.int64(DONE)
            flow.application = TLS
            flow.hello |= HELLO_ALERT
            if buf[at + RECORD] == FATAL:
                return np.int64(DONE)
        elif buf[at] == HANDSHAKE:
            stop = min(behind, end)
            outcome = read_messages(table, buf, at + RECORD, stop, final and behind > end, i)
            if outcome < BEYOND:
                return np.int64(outcome)
            if behind > end:
                return np.int64(DONE if final else MORE)
            if outcome - BEYOND < stop:
                # The message goes on in further records, even its header may.
                used = gather_handshake(buf, at, outcome - BEYOND, end, table.scratch)
                last = 1 if final or used == len(table.scratch) else 0
                outcome = read_messages(table, table.scratch, 0, used, last, i)
                if outcome < BEYOND:
                    return np.int64(outcome)
                return np.int64(DONE if last else MORE)
        else:
            return np.int64(DONE)
        at = behind
    if end - at >= RECORD or final:
        return np.int64(DONE)
    return np.int64(MORE)


@packet_kernel
def may_be_late(buf, packet, flow):
    """True for a client's segment behind its head that could begin with the flow's first ClientHello."""
    return (
        flow.hello == 0
        and flow.packets_up <= LATE_PACKETS
        and packet.payload < packet.end
        and buf[packet.payload] == HANDSHAKE
    )


@packet_kernel
def is_client_hello(buf, at, end):
    """True if the bytes begin with a ClientHello and all its lengths and versions fit."""
    if end - at < RECORD + MESSAGE + 2 or not is_record(buf, at, end) or buf[at + RECORD] != CLIENT_HELLO:
        return False
    record, length = u16(buf, at + 3), u24(buf, at + RECORD + 1)
    fits = length + MESSAGE == record or (length + MESSAGE > record and length <= MESSAGE_MAX)
    return fits and length >= CLIENT_HELLO_MIN and buf[at + RECORD + MESSAGE] == 3


@unit_kernel
def read_late_hello(table, buf, i):
    """Look for TLS that begins at a segment, after words of another protocol; 1 if it does.

    Whatever asked for it: STARTTLS of a protocol that we don't read, or a preface of its own.
    """
    packet = table.packet[0]
    flow = table.flows[i]
    start, end = packet.payload, packet.end
    if not is_client_hello(buf, start, end):
        return np.int64(0)
    application = flow.application
    whole = end - start == packet.payload_bytes
    outcome = read_tls(table, buf, start, end, 0 if whole else 1, i)
    if outcome == NOT:
        return np.int64(0)
    if application != 0:
        flow.outer = application
        flow.application = application
    if outcome == MORE and take_head(table, i, 1, packet.ts, packet.seq):
        head = table.heads[flow.head]
        head.have = add_run(table.head_data[flow.head], table.runs[flow.head], head, 0, buf, start, end)
        flow.done ^= CLIENT_HEAD_DONE
    # The server's answer begins with the next byte that the client expects.
    if flow.head_down != NONE:
        release_head(table, flow, 0)
    if take_head(table, i, 0, packet.ts, packet.ack):
        flow.done = (flow.done | SERVER_HEAD_DONE) ^ SERVER_HEAD_DONE
    return np.int64(1)


@unit_kernel
def note_alert(table, buf, start, end, i):
    """Note a segment behind the heads that is nothing but an alert in the clear; 1 if it is."""
    if end - start != ALERT_BYTES or not is_alert(buf, start, end):
        return np.int64(0)
    table.flows[i].hello |= HELLO_ALERT
    return np.int64(1)
