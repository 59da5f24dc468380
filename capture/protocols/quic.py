"""QUIC, read passively (RFC 9000, 9001, 9369): the packets of a datagram, by their long headers.

The keys of Initial packets follow from the client's first destination connection id (`quic_initial.py`); in
their frames stand the ClientHello and the answer (`quic_frames.py`).
"""

import numpy as np

from capture.aes import TAG
from capture.flows import APPLICATION, CLIENT_HEAD_DONE
from capture.octets import u8, u32
from capture.protocols.gquic import has_public_header, read_public_header
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.quic_frames import varint, varint_bytes
from capture.protocols.quic_handshakes import CID_MAX
from capture.protocols.quic_initial import PLAIN_BYTES, SAMPLE, SAMPLE_AT, take_initial
from capture.protocols.quic_keys import V2, V2_DRAFT_VERSION, is_forcing, salt_of
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_CLIENT

APP_QUIC = APPLICATION["quic"]

#: First byte and version, two empty connection ids (RFC 8999, 5.1).
LONG_HEADER = 7
#: Types of long header packets (RFC 9000, 17.2); v2 moved them by one (RFC 9369, 3.2).
INITIAL, RETRY = 0, 3
#: The first three letters of Google's versions with a long header and a hello in the clear.
LETTERS_Q04 = 0x513034


@packet_kernel
def looks_like_quic(buf, start, end):
    """True for a long header of a version that we know or of none, and for Google's public header."""
    if end - start < LONG_HEADER:
        return False
    if np.int64(buf[start]) & 0x80 == 0:
        return has_public_header(buf, start, end)
    version = u32(buf, start + 1)
    return version == 0 or version >> 8 == LETTERS_Q04 or salt_of(version) >= 0


@unit_kernel
def read_quic(table, buf, start, end, i):
    """Read one datagram of flow `i`, all the packets in it (RFC 9000, 12.2).

    MORE: this is QUIC, and its handshake goes on; DONE: nothing more to read in this flow; NOT: not QUIC.
    """
    if not looks_like_quic(buf, start, end):
        return np.int64(NOT)
    flow = table.flows[i]
    if np.int64(buf[start]) & 0x80 == 0 or u32(buf, start + 1) >> 8 == LETTERS_Q04:
        return np.int64(read_google(table, buf, start, end, i))
    outcome = NOT
    at = start
    while end - at >= LONG_HEADER and np.int64(buf[at]) & 0x80:
        at = read_packet(table, buf, at, end, i)
        if at < 0:
            break
        outcome = MORE
        flow.application = APP_QUIC
        if flow.done & CLIENT_HEAD_DONE:
            return np.int64(DONE)
    return np.int64(outcome)


@packet_kernel
def read_google(table, buf, start, end, i):
    """Read a datagram of Google's QUIC before its hello was enciphered."""
    flow = table.flows[i]
    outcome = read_public_header(buf, start, end, table.slots[i], flow)
    if outcome != NOT:
        flow.application = APP_QUIC
    if outcome == DONE:
        flow.hello |= HELLO_CLIENT
        flow.done |= CLIENT_HEAD_DONE
    return outcome


@packet_kernel
def read_packet(table, buf, at, end, i):
    """Read the long header packet at `at` (RFC 9000, 17.2).

    Returns where the next one begins, `end` where none can be told, -1 if this is no QUIC packet.
    """
    first, version = u8(buf, at), u32(buf, at + 1)
    cid_len = u8(buf, at + 5)
    p = at + 6 + cid_len
    if cid_len > CID_MAX or p >= end or u8(buf, p) > CID_MAX or p + 1 + u8(buf, p) > end:
        return np.int64(-1)
    p += 1 + u8(buf, p)
    if version == 0:
        return np.int64(end if is_negotiation(buf, p, end) else -1)
    salt = salt_of(version)
    if salt < 0:
        return np.int64(-1)
    # Of a version that nobody has, nothing but a tag that is right says that this is QUIC.
    other = np.int64(-1 if is_forcing(version) else end)
    kind = first >> 4 & 3
    if salt == V2 or version == V2_DRAFT_VERSION:
        kind = (kind - 1) & 3
    if kind == RETRY:
        # Token and integrity tag fill the datagram. The client begins anew, with another connection id.
        return other if end - p >= TAG else np.int64(-1)
    token = np.int64(0)
    if kind == INITIAL:
        token = varint(buf, p, end)
        if token < 0 or token > end - p:
            return np.int64(-1)
        p += varint_bytes(buf, p) + token
    length = varint(buf, p, end)
    if length < SAMPLE_AT + SAMPLE:
        return np.int64(-1)
    p += varint_bytes(buf, p)
    if length > end - p:
        # Cut off by the capture, the tag too.
        packet = table.packet[0]
        return (
            other
            if length <= end - p + packet.payload_bytes - (packet.end - packet.payload)
            else np.int64(-1)
        )
    if kind == INITIAL and length <= PLAIN_BYTES - (p - at):
        if not take_initial(table, buf, at, p, p + length, salt, token, i):
            return other
    elif is_forcing(version):
        return np.int64(-1)
    return p + length


@packet_kernel
def is_negotiation(buf, at, end):
    """True if `buf[at:end]` lists versions (RFC 9000, 17.2.1), one that we know among them."""
    if end - at < 4 or (end - at) & 3:
        return False
    for k in range(at, min(end, at + 128), 4):
        if salt_of(u32(buf, k)) >= 0:
            return True
    return False
