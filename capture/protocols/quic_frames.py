"""Frames of QUIC's Initial packets (RFC 9000, 19), and the hellos in their CRYPTO streams."""

import numpy as np

from capture.aes import count_blocks
from capture.flows import NONE, release_head
from capture.octets import u8, u16, u24, u32, u64
from capture.protocols.gquic import google_hello, google_hello_bytes
from capture.protocols.hello import client_hello_body, server_hello_body
from capture.protocols.quic_handshakes import end_handshake
from capture.protocols.quic_keys import GOOGLE
from capture.protocols.tls_numbers import CLIENT_HELLO, OVER_QUIC, SERVER_HELLO, TLS_1_3
from capture.reassembly import HEAD_BYTES, add_run, take_head
from pipeline.kernels import packet_kernel
from pipeline.records import HELLO_ALERT, HELLO_CLIENT, HELLO_SERVER

#: Frames that Initial packets may hold (RFC 9000, 12.4), and two of Google's versions.
PADDING, PING, ACK, ACK_ECN, CRYPTO, CLOSE, CLOSE_BY_APPLICATION = 0, 1, 2, 3, 6, 0x1C, 0x1D
GOOGLE_PING, GOOGLE_CRYPTO = 7, 8


@packet_kernel
def varint_bytes(buf, at):
    """Bytes of the variable-length integer that begins at `at` (RFC 9000, 16)."""
    return np.int64(1) << (u8(buf, at) >> 6)


@packet_kernel
def varint(buf, at, end):
    """The variable-length integer at `at` (RFC 9000, 16), -1 if it is cut off."""
    if at >= end or at + varint_bytes(buf, at) > end:
        return np.int64(-1)
    size = varint_bytes(buf, at)
    if size == 1:
        return u8(buf, at)
    if size == 2:
        return u16(buf, at) & 0x3FFF
    if size == 4:
        return u32(buf, at) & 0x3FFFFFFF
    return u64(buf, at) & 0x3FFFFFFFFFFFFFFF


@packet_kernel
def reveal(table, buf, at, cipher_at, cipher_end, revealed, wanted):
    """Decipher on to offset `wanted` of the packet at `at`, in whole blocks; returns how far it is plain."""
    if wanted <= revealed:
        return revealed
    low = at + revealed
    high = min(low + ((at + wanted - low + 15) & ~15), cipher_end)
    count_blocks(
        table.cipher_tables, table.round_keys[0], table.quic_nonce, 0, 2 + (low - cipher_at) // 16,
        buf, low, high, table.quic_plain, revealed, table.cipher_words,
    )  # fmt: skip
    return high - at


@packet_kernel
def read_frames(table, buf, at, cipher_at, cipher_end, i, k, from_client):
    """Read the frames of a verified Initial packet (RFC 9000, 19), deciphered only as far as they matter."""
    place = table.handshakes[k]
    plain = table.quic_plain
    p, end = cipher_at - at, cipher_end - at
    revealed = p
    google = place.salt >= GOOGLE
    while p < end:
        # A frame's fixed part: type and two integers.
        revealed = reveal(table, buf, at, cipher_at, cipher_end, revealed, min(p + 17, end))
        kind = u8(plain, p)
        p += 1
        if kind in (PADDING, PING) or (google and kind == GOOGLE_PING):
            continue
        if kind == CRYPTO or (google and kind == GOOGLE_CRYPTO):
            offset = varint(plain, p, end)
            if offset < 0:
                break
            p += varint_bytes(plain, p)
            length = varint(plain, p, end)
            if length < 0:
                break
            p += varint_bytes(plain, p)
            if length > end - p:
                break
            revealed = reveal(table, buf, at, cipher_at, cipher_end, revealed, p + length)
            if from_client:
                if place.hello_done == 0 and client_crypto(table, i, k, offset, p, p + length):
                    return
            elif server_crypto(table, i, k, offset, p, p + length):
                return
            p += length
        elif kind in (ACK, ACK_ECN):
            revealed = reveal(table, buf, at, cipher_at, cipher_end, revealed, end)
            p = behind_ack(plain, p, end, kind == ACK_ECN)
            if p < 0:
                break
        elif kind in (CLOSE, CLOSE_BY_APPLICATION):
            if not from_client:
                table.flows[i].hello |= HELLO_ALERT
                end_handshake(table, i, k)
            return
        else:
            break
    if from_client and place.hello_done == 0:
        read_part(table, i, k)


@packet_kernel
def behind_ack(plain, p, end, counts):
    """Where the ACK frame ends whose type stands before `p` (RFC 9000, 19.3); -1 if it is cut off."""
    fields = np.int64(4)
    n = np.int64(0)
    while n < fields:
        value = varint(plain, p, end)
        if value < 0:
            return np.int64(-1)
        p += varint_bytes(plain, p)
        if n == 2:
            fields += min(2 * value, end) + (3 if counts else 0)
        n += 1
    return p


@packet_kernel
def hello_bytes(data, at, have):
    """Bytes of the hello at `at`, 0 while that can't be told; -1 if this is no hello."""
    if have < 4:
        return np.int64(0)
    if data[at] == CLIENT_HELLO:
        return 4 + u24(data, at + 1)
    return google_hello_bytes(data, at, have)


@packet_kernel
def client_crypto(table, i, k, offset, start, end):
    """Take bytes of the client's CRYPTO stream, `quic_plain[start:end]`; True if nothing more is to read."""
    flow = table.flows[i]
    place = table.handshakes[k]
    plain = table.quic_plain
    if end <= start:
        return False
    if flow.head == NONE:
        if offset == 0:
            whole = hello_bytes(plain, start, end - start)
            if whole < 0:
                end_handshake(table, i, k)
                return True
            if 0 < whole <= end - start:
                take_hello(table, plain, start, start + whole, i, k)
                return True
        if offset >= HEAD_BYTES:
            return False
        if not take_head(table, i, 1, table.packet[0].ts, 0):
            end_handshake(table, i, k)
            return True
        place.runs = 0
    data = table.head_data[flow.head]
    have = add_run(data, table.handshake_runs[k], place, offset, plain, start, end)
    whole = hello_bytes(data, 0, have)
    if whole < 0:
        end_handshake(table, i, k)
        return True
    if have == HEAD_BYTES or 0 < whole <= have:
        take_hello(table, data, 0, min(whole, have), i, k)
        release_head(table, flow, 1)
        return True
    return False


@packet_kernel
def read_part(table, i, k):
    """Read what is there of a hello whose rest may never come: the name may stand before the first hole."""
    flow = table.flows[i]
    if flow.head == NONE or table.handshakes[k].runs == 0 or table.handshake_runs[k, 0, 0] != 0:
        return
    data = table.head_data[flow.head]
    have = np.int64(table.handshake_runs[k, 0, 1])
    if have > 4 and data[0] == CLIENT_HELLO:
        read_hello(table, data, 0, have, i)


@packet_kernel
def take_hello(table, data, at, end, i, k):
    """Read the whole hello; the handshake only waits for the server now."""
    table.handshakes[k].hello_done = 1
    read_hello(table, data, at, end, i)


@packet_kernel
def read_hello(table, data, at, end, i):
    """Read a ClientHello message, or Google's, into the flow."""
    if data[at] == CLIENT_HELLO:
        client_hello_body(table, data, at + 4, end, i, OVER_QUIC)
        return
    flow = table.flows[i]
    google_hello(data, at, end, table.slots[i], flow)
    flow.hello |= HELLO_CLIENT


@packet_kernel
def server_crypto(table, i, k, offset, start, end):
    """Look at bytes of the server's CRYPTO stream; True if they are its hello: nothing more is readable."""
    flow = table.flows[i]
    if offset != 0 or end <= start:
        return False
    kind = u8(table.quic_plain, start)
    if kind == SERVER_HELLO:
        # Its end, with the version in it, may be in another packet: QUIC has no other (RFC 9001, 4.2).
        server_hello_body(table, table.quic_plain, start + 4, end, i)
        flow.hello |= HELLO_SERVER
        flow.tls_version = TLS_1_3
    elif table.handshakes[k].salt >= GOOGLE:
        flow.hello |= HELLO_SERVER
    end_handshake(table, i, k)
    return True
