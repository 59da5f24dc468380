"""TLS handshakes (RFC 8446, RFC 5246): name, ALPN, version, ECH of the ClientHello; the answer."""

import numpy as np

from capture.flows import ALPN_AT, ALPN_MAX, APPLICATION, NAME_MAX
from capture.octets import copy, put_name, put_text, u8, u16, u24
from capture.protocols.outcomes import DONE, MORE, NOT
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_ALERT, HELLO_CERTIFICATE, HELLO_CLIENT, HELLO_SERVER, NAME_SOURCES

TLS = APPLICATION["tls"]
NAME_FROM_SNI = NAME_SOURCES.index("sni")
RECORD_ALERT, RECORD_HANDSHAKE = 21, 22
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
SERVER_NAME, ALPN, SUPPORTED_VERSIONS, ENCRYPTED_CLIENT_HELLO = 0, 16, 43, 0xFE0D


@packet_kernel
def is_grease(value):
    """True for the reserved values of RFC 8701."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


@packet_kernel
def version_code(wire):
    """Code in `TLS_VERSIONS` of a wire version, 0 unknown."""
    if 0x0300 <= wire <= 0x0304:
        return (wire & 0xFF) + 1
    return 0


@packet_kernel
def looks_like_hello(buf, start, end):
    """True if the bytes begin a TLS record that holds a ClientHello, as far as they go."""
    here = end - start
    if here < 1 or buf[start] != RECORD_HANDSHAKE or (here > 1 and buf[start + 1] != 3):
        return False
    if here > 5 and buf[start + 5] != CLIENT_HELLO:
        return False
    return here < 3 or buf[start + 2] <= 4


@packet_kernel
def gather_handshake(buf, start, end, out):
    """Join the handshake bytes of consecutive TLS records into `out` (RFC 8446, 5.1).

    Returns the bytes joined.
    """
    used = 0
    at = start
    while end - at >= 5 and buf[at] == RECORD_HANDSHAKE and buf[at + 1] == 3:
        length = u16(buf, at + 3)
        stop = min(at + 5 + length, end)
        take = min(stop - at - 5, len(out) - used)
        copy(out, used, buf, at + 5, take)
        used += take
        at += 5 + length
        if used == len(out) or length == 0:
            break
    return used


@packet_kernel
def client_hello(buf, start, end, scratch, final, slot, flow):
    """Read the ClientHello that begins at `start` into `flow` and its text slot.

    MORE: the hello goes on behind `end`, unless `final` says that nothing more will come, when what is
    there is read. NOT: no ClientHello.
    """
    if end - start < 9:
        return NOT if final else MORE
    record = u16(buf, start + 3)
    if buf[start + 5] != CLIENT_HELLO or record == 0:
        return NOT
    if record >= 4 and u24(buf, start + 6) + 4 <= record:
        length = u24(buf, start + 6)
        if length < 38:
            return NOT
        stop = start + 9 + length
        if stop > end:
            if not final:
                return MORE
            stop = end
        client_hello_body(buf, start + 9, stop, slot, flow)
        return DONE
    # The message goes on in further records, even its header may.
    used = gather_handshake(buf, start, end, scratch)
    if used < 4:
        return NOT if final else MORE
    length = u24(scratch, 1)
    if length < 38:
        return NOT
    if used < length + 4 and not final and used < len(scratch):
        return MORE
    client_hello_body(scratch, 4, min(used, length + 4), slot, flow)
    return DONE


@packet_kernel
def client_hello_body(buf, at, end, slot, flow):
    """Read a ClientHello's body (RFC 8446, 4.1.2) as far as it is there."""
    flow.name_len = 0
    flow.alpn_len = 0
    if end - at < 35:
        return
    flow.tls_version = version_code(u16(buf, at))
    at += 34
    at += 1 + u8(buf, at)
    if end - at < 2:
        return
    at += 2 + u16(buf, at)
    if end - at < 1:
        return
    at += 1 + u8(buf, at)
    if end - at < 2:
        return
    stop = min(at + 2 + u16(buf, at), end)
    at += 2
    while stop - at >= 4:
        kind = u16(buf, at)
        length = u16(buf, at + 2)
        at += 4
        behind = min(at + length, stop)
        if kind == SERVER_NAME:
            server_name(buf, at, behind, slot, flow)
        elif kind == ALPN:
            if behind - at >= 3 and u8(buf, at + 2) <= behind - at - 3:
                size = u8(buf, at + 2)
                flow.alpn_len = (
                    put_text(slot, ALPN_AT, ALPN_AT + ALPN_MAX, buf, at + 3, at + 3 + size) - ALPN_AT
                )
        elif kind == SUPPORTED_VERSIONS:
            best = 0
            for i in range(at + 1, behind - 1, 2):
                offered = u16(buf, i)
                if not is_grease(offered):
                    best = max(best, version_code(offered))
            if best > 0:
                flow.tls_version = best
        elif kind == ENCRYPTED_CLIENT_HELLO:
            flow.ech = 1
        at += length


@unit_kernel
def read_client_hello(table, buf, start, end, final, i):
    """Reader of a client's stream: a ClientHello."""
    if not looks_like_hello(buf, start, end):
        return np.int64(NOT)
    flow = table.flows[i]
    length, source = flow.name_len, flow.name_source
    outcome = client_hello(buf, start, end, table.scratch, final, table.slots[i], flow)
    if outcome == DONE:
        flow.application = TLS
        flow.hello |= HELLO_CLIENT
        if flow.name_len > 0:
            flow.name_source = NAME_FROM_SNI
        else:
            flow.name_len = length
            flow.name_source = source
    return np.int64(outcome)


@unit_kernel
def read_server_hello(table, buf, start, end, final, i):
    """Reader of a server's stream: hello, certificate or alert."""
    flow = table.flows[i]
    if not server_answer(buf, start, end, flow):
        return np.int64(NOT)
    flow.application = TLS
    return np.int64(DONE)


@packet_kernel
def server_name(buf, at, end, slot, flow):
    """Read the first host name of a server_name extension (RFC 6066, 3) into the slot."""
    at += 2
    while end - at >= 3:
        kind = buf[at]
        length = u16(buf, at + 1)
        at += 3
        if kind == 0:
            # A name that is cut off is another name.
            if at + length <= end:
                flow.name_len = put_name(slot, 0, NAME_MAX, buf, at, at + length)
            return
        at += length


@packet_kernel
def server_answer(buf, start, end, flow):
    """Note the server's hello, certificate or alert at the head of its stream; True if this is TLS."""
    if end - start < 6 or buf[start + 1] != 3 or buf[start + 2] > 4:
        return False
    if buf[start] == RECORD_ALERT:
        flow.hello |= HELLO_ALERT
        return True
    if buf[start] != RECORD_HANDSHAKE:
        return False
    at = start
    while end - at >= 9 and buf[at] == RECORD_HANDSHAKE:
        behind = min(at + 5 + u16(buf, at + 3), end)
        inner = at + 5
        while behind - inner >= 4:
            kind = buf[inner]
            length = u24(buf, inner + 1)
            if kind == SERVER_HELLO:
                flow.hello |= HELLO_SERVER
                server_hello(buf, inner + 4, min(inner + 4 + length, behind), flow)
            elif kind == CERTIFICATE:
                flow.hello |= HELLO_CERTIFICATE
            inner += 4 + length
        at += 5 + u16(buf, at + 3)
    return True


@packet_kernel
def server_hello(buf, at, end, flow):
    """The version a ServerHello settles on (RFC 8446, 4.1.3)."""
    if end - at < 35:
        return
    version = version_code(u16(buf, at))
    at += 35 + u8(buf, at + 34)
    at += 3
    if end - at >= 2:
        at += 2
        while end - at >= 4:
            kind = u16(buf, at)
            length = u16(buf, at + 2)
            if kind == SUPPORTED_VERSIONS and length == 2 and end - at >= 6:
                version = version_code(u16(buf, at + 4))
            at += 4 + length
    if version > 0:
        flow.tls_version = version
