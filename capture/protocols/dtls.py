"""DTLS (RFC 6347, RFC 9147): hellos, certificate and alerts in datagrams, their fragments in any order."""

import numpy as np

from capture.flows import CLIENT_HEAD_DONE, NONE, release_head
from capture.octets import u8, u16, u24
from capture.protocols.hello import client_hello_body, server_hello_body
from capture.protocols.outcomes import DONE, NOT
from capture.protocols.tls_numbers import (
    ALERT,
    CERTIFICATE,
    CHANGE_CIPHER_SPEC,
    CLIENT_HELLO,
    DTLS,
    HANDSHAKE,
    HANDSHAKE_LAST,
    OVER_DATAGRAMS,
    RECORD_MAX,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
)
from capture.protocols.x509 import read_certificate_message
from capture.reassembly import HEAD_BYTES, add_run, take_head
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_ALERT, HELLO_CERTIFICATE, HELLO_CLIENT, HELLO_SERVER

#: Bytes of a record's header, and of a handshake message's (RFC 6347, 4.1, 4.2.2).
RECORD, MESSAGE = 13, 12
#: Content types that DTLS adds: with a connection id (RFC 9146), acknowledgement (RFC 9147, 7).
WITH_CID, ACKNOWLEDGEMENT = 25, 26
#: First bits of a record of DTLS 1.3 that is encrypted, and their mask (RFC 9147, 4).
UNIFIED, UNIFIED_MASK = 0x20, 0xE0
#: DTLS 1.0, 1.2, and what was in use before the first RFC.
VERSIONS = (0xFEFF, 0xFEFD, 0x0100)
#: Packets of a flow's row after which its handshake is looked for no more; our default.
PACKETS_MAX = 40


@packet_kernel
def are_records(buf, at, end, cut):
    """True if the bytes are DTLS records that end where the datagram does, or behind it if that was `cut`."""
    start = at
    while end - at >= RECORD:
        kind = u8(buf, at)
        if at > start and kind & UNIFIED_MASK == UNIFIED:
            return True
        if kind < CHANGE_CIPHER_SPEC or kind > ACKNOWLEDGEMENT or u16(buf, at + 1) not in VERSIONS:
            return False
        if kind == WITH_CID:
            # How long the id is was agreed on before; where the record ends is not known.
            return True
        length = u16(buf, at + 11)
        if length == 0 or length > RECORD_MAX:
            return False
        at += RECORD + length
    return at > start and (at == end or cut)


@packet_kernel
def take_message(table, buf, at, end, kind, cut, i):
    """Read the body of one handshake message; True if nothing more is of use."""
    flow = table.flows[i]
    if kind == CLIENT_HELLO:
        # The second one, with the cookie, says the same.
        if flow.hello & HELLO_CLIENT == 0:
            client_hello_body(table, buf, at, end, i, OVER_DATAGRAMS)
        return cut
    if kind == SERVER_HELLO:
        return server_hello_body(table, buf, at, end, i) or cut
    flow.hello |= HELLO_CERTIFICATE
    read_certificate_message(table, buf, at, end, 1, i)
    return True


@packet_kernel
def add_fragment(table, buf, at, end, offset, length, kind, number, i):
    """Put a fragment of a message in its place (RFC 6347, 4.2.3); True if nothing more is of use."""
    flow = table.flows[i]
    up = 1 if kind == CLIENT_HELLO else 0
    h = np.int64(flow.head if up else flow.head_down)
    message = kind << 16 | number
    if h == NONE:
        if not take_head(table, i, up, table.packet[0].ts, message):
            return False
        h = np.int64(flow.head if up else flow.head_down)
    head = table.heads[h]
    if head.origin != message:
        head.origin = message
        head.runs = 0
    have = add_run(table.head_data[h], table.runs[h], head, offset, buf, at, end)
    head.have = have
    if have < min(length, HEAD_BYTES):
        return False
    over = take_message(table, table.head_data[h], 0, have, kind, have < length, i)
    release_head(table, flow, up)
    return over


@packet_kernel
def read_record(table, buf, at, end, cut, i):
    """Read the handshake messages of one record that is not encrypted; True if nothing more is of use."""
    flow = table.flows[i]
    while end - at >= MESSAGE:
        kind, length = u8(buf, at), u24(buf, at + 1)
        number, offset, size = u16(buf, at + 4), u24(buf, at + 6), u24(buf, at + 9)
        at += MESSAGE
        if kind > HANDSHAKE_LAST or offset + size > length:
            return False
        if at + size > end:
            if not cut or offset > 0:
                return False
            size = end - at
        if kind == SERVER_HELLO_DONE:
            return True
        of_server = kind == CERTIFICATE and flow.hello & (HELLO_SERVER | HELLO_CERTIFICATE) == HELLO_SERVER
        if kind in (CLIENT_HELLO, SERVER_HELLO) or of_server:
            if offset == 0 and (size == length or cut):
                over = take_message(table, buf, at, at + size, kind, cut, i)
            else:
                over = add_fragment(table, buf, at, at + size, offset, length, kind, number, i)
            if over:
                return True
        at += size
    return False


@packet_kernel
def end_handshake(table, i):
    """Look no more at this flow's datagrams; give its heads back."""
    flow = table.flows[i]
    flow.done |= CLIENT_HEAD_DONE
    if flow.head != NONE:
        release_head(table, flow, 1)
    if flow.head_down != NONE:
        release_head(table, flow, 0)


@unit_kernel
def read_dtls(table, buf, start, end, i):
    """Reader of a datagram: DTLS, from its first hello or from the middle of a session."""
    flow = table.flows[i]
    packet = table.packet[0]
    if end - start < 1:
        return np.int64(NOT)
    cut = end - start < packet.payload_bytes
    if not are_records(buf, start, end, cut):
        if flow.application != DTLS or flow.hello == 0:
            return np.int64(NOT)
        # What comes amidst a handshake: media, STUN (RFC 7983), or encrypted records of DTLS 1.3.
        if u8(buf, start) & UNIFIED_MASK == UNIFIED or flow.packets_up + flow.packets_down >= PACKETS_MAX:
            end_handshake(table, i)
        return np.int64(DONE)
    flow.application = DTLS
    at = start
    over = flow.packets_up + flow.packets_down >= PACKETS_MAX
    while end - at >= RECORD and not over:
        kind, epoch, length = u8(buf, at), u16(buf, at + 3), u16(buf, at + 11)
        if epoch != 0 or (kind != HANDSHAKE and kind != ALERT):
            over = True
        elif kind == HANDSHAKE:
            behind = min(at + RECORD + length, end)
            over = read_record(table, buf, at + RECORD, behind, at + RECORD + length > end, i)
        elif length == 2 and end - at >= RECORD + 2:
            flow.hello |= HELLO_ALERT
        at += RECORD + length
    if over:
        end_handshake(table, i)
    return np.int64(DONE)
