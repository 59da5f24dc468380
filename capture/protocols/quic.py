"""QUIC handshakes, read passively (RFC 9000, 9001, 9369): the ClientHello in Initial packets, and the answer.

The keys of Initial packets follow from the client's first destination connection id. Whatever is read was
deciphered and its tag found right: noise gives no name. A handshake under way has a place in a small pool,
found by the flow's serial number; the bytes of its CRYPTO stream stand in a stream head as those of TCP do.
"""

import numpy as np

from capture.aes import TAG, count_blocks, encrypt, expand_key, is_authentic
from capture.flows import APPLICATION, CLIENT_HEAD_DONE, NONE, release_head
from capture.octets import mix, same, u8, u16, u24, u32, u64
from capture.protocols.gquic import google_hello, google_hello_bytes, has_public_header, read_public_header
from capture.protocols.hello import client_hello_body, server_hello_body
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.quic_keys import (
    CLIENT_SIDE,
    GOOGLE,
    IV_AT,
    KEY_AT,
    PROTECTION_AT,
    SERVER_SIDE,
    V2,
    V2_DRAFT_VERSION,
    derive_keys,
    is_forcing,
    salt_of,
)
from capture.protocols.tls_numbers import CLIENT_HELLO, OVER_QUIC, SERVER_HELLO, TLS_1_3
from capture.reassembly import HEAD_BYTES, HEAD_US, add_run, take_head
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_ALERT, HELLO_CLIENT, HELLO_SERVER, NAME_SOURCES
from pipeline.words import copy

APP_QUIC = APPLICATION["quic"]
NAME_FROM_QUIC = NAME_SOURCES.index("quic")

#: First byte and version, two empty connection ids (RFC 8999, 5.1).
LONG_HEADER, CID_MAX = 7, 20
#: A client's first connection id for the server has at least this length (RFC 9000, 7.2), but after a Retry.
FIRST_CID_MIN = 8
#: Types of long header packets (RFC 9000, 17.2); v2 moved them by one (RFC 9369, 3.2).
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = range(4)
#: The sample of header protection begins where the longest packet number would end (RFC 9001, 5.4.2).
SAMPLE_AT, SAMPLE = 4, 16
#: Frames that Initial packets may hold (RFC 9000, 12.4), and two of Google's versions.
PADDING, PING, ACK, ACK_ECN, CRYPTO, CLOSE, CLOSE_BY_APPLICATION = 0, 1, 2, 3, 6, 0x1C, 0x1D
GOOGLE_PING, GOOGLE_CRYPTO = 7, 8

#: The first three letters of Google's versions with a long header and a hello in the clear.
LETTERS_Q04 = 0x513034

#: The largest packet that is deciphered; our default.
PLAIN_BYTES = HEAD_BYTES
#: Failed attempts and changes of keys after which a flow is left alone; our default.
TRIES = 8
#: Deciphered packets after which it is, too: four times what a hello of 16 KiB takes. Our default.
OPENED = 64
#: Runs of CRYPTO bytes kept apart while holes are open: browsers shuffle small frames. Our default.
CRYPTO_RUNS = 64
#: Places of the pool that one flow may take.
WAYS = 4

HANDSHAKES = np.dtype(
    [
        ("serial", "i8"),  # of the flow, plus one; 0 free
        ("touched", "i8"),
        ("version", "i8"),
        ("runs", "i4"),
        ("salt", "u1"),
        ("cid_len", "u1"),
        ("keyed", "u1"),  # bit set: keys of that side are there
        ("tries", "u1"),
        ("opened", "u1"),
        ("confirmed", "u1"),  # 1: a packet of the client was deciphered
        ("client_up", "u1"),  # 1: it came from the flow's client
        ("hello_done", "u1"),
        ("heard", "u1"),  # 1: a packet of the server was deciphered
    ],
    align=True,
)


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
    name_len, source = flow.name_len, flow.name_source
    flow.name_len = 0
    outcome = read_public_header(buf, start, end, table.slots[i], flow)
    keep_name(flow, name_len, source)
    if outcome != NOT:
        flow.application = APP_QUIC
    if outcome == DONE:
        flow.hello |= HELLO_CLIENT
        flow.done |= CLIENT_HEAD_DONE
    return outcome


@packet_kernel
def keep_name(flow, name_len, source):
    """Note where the name comes from; without one in the hello the flow keeps that which it had."""
    if flow.name_len > 0:
        flow.name_source = NAME_FROM_QUIC
    else:
        flow.name_len = name_len
        flow.name_source = source


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


@packet_kernel
def find_handshake(table, flow):
    """Place of the flow's handshake in the pool, `NONE` if it has none."""
    first = first_place(table, flow)
    for k in range(first, first + WAYS):
        if table.handshakes[k].serial == flow.serial + 1:
            return np.int64(k)
    return np.int64(NONE)


@packet_kernel
def first_place(table, flow):
    """First of the places that the flow's handshake may take; the pool's last place is no flow's."""
    sets = (len(table.handshakes) - 1) // WAYS
    return (mix(flow.serial) & 0x7FFFFFFFFFFFFFFF) % sets * WAYS


@packet_kernel
def take_handshake(table, flow, now):
    """A place for a new handshake: free, else stale, else of noise, else one that only waits for the server.

    `NONE` if all are putting a hello together.
    """
    first = first_place(table, flow)
    best, best_rank = np.int64(NONE), 3
    for k in range(first, first + WAYS):
        place = table.handshakes[k]
        if place.serial == 0 or abs(now - place.touched) > HEAD_US:
            rank = 0
        elif place.confirmed == 0:
            rank = 1
        elif place.hello_done == 1:
            rank = 2
        else:
            continue
        if rank < best_rank:
            best, best_rank = np.int64(k), rank
    if best != NONE:
        begin_handshake(table.handshakes[best], flow.serial + 1, now)
    return best


@packet_kernel
def begin_handshake(place, serial, now):
    """Make the place one of a handshake of which nothing is known."""
    place.serial = serial
    place.touched = now
    place.runs = 0
    place.keyed = 0
    place.tries = 0
    place.opened = 0
    place.confirmed = 0
    place.hello_done = 0
    place.heard = 0


@packet_kernel
def end_handshake(table, i, k):
    """Nothing more to read in this flow: give back its place and its stream head."""
    flow = table.flows[i]
    table.handshakes[k].serial = 0
    flow.done |= CLIENT_HEAD_DONE
    if flow.head != NONE:
        release_head(table, flow, 1)


@packet_kernel
def take_initial(table, buf, at, number_at, stop, salt, token, i):
    """Decipher an Initial packet whose packet number stands at `number_at` and which ends at `stop`, read it.

    False if it can't be deciphered, when nothing of it was believed.
    """
    flow = table.flows[i]
    packet = table.packet[0]
    from_up = (
        packet.source_port == flow.client_port
        and packet.source_lo == flow.client_lo
        and packet.source_hi == flow.client_hi
    )
    version, cid_len = u32(buf, at + 1), u8(buf, at + 5)
    spare = len(table.handshakes) - 1
    k = find_handshake(table, flow)
    fresh = k == NONE or table.handshakes[k].confirmed == 0
    if fresh and cid_len < FIRST_CID_MIN and token == 0:
        return False
    if k == NONE:
        k = take_handshake(table, flow, packet.ts)
        if k == NONE:
            # No room to wait: this packet has all of the hello, or there will be no name.
            table.meter[0].heads_refused += 1
            k = np.int64(spare)
            begin_handshake(table.handshakes[k], flow.serial + 1, packet.ts)
    place = table.handshakes[k]
    if place.confirmed == 0:
        return take_first(table, buf, at, number_at, stop, salt, i, k, from_up)
    if place.tries >= TRIES or place.opened >= OPENED:
        end_handshake(table, i, k)
        return False
    from_client = from_up == (place.client_up == 1)
    cids = table.handshake_cids
    same_cid = cid_len == place.cid_len and same(cids[k], 0, buf, at + 6, cid_len)
    cipher_at = np.int64(-1)
    if from_client:
        if place.hello_done == 1 and (place.heard == 1 or (same_cid and version == place.version)):
            return True
        if place.hello_done == 0 and version == place.version:
            cipher_at = open_side(table, buf, at, number_at, stop, k, CLIENT_SIDE)
        if cipher_at < 0 and not (same_cid and version == place.version):
            # After a Retry or a version negotiation the client begins anew (RFC 9000, 17.2.5.2 and 6.2).
            place.tries += 1
            cipher_at = rekey(table, buf, at, number_at, stop, salt, buf, at + 6, cid_len, CLIENT_SIDE, k)
            if cipher_at >= 0 and flow.head != NONE:
                release_head(table, flow, 1)
    elif version == place.version:
        cipher_at = open_side(table, buf, at, number_at, stop, k, SERVER_SIDE)
    else:
        # The server chose another version that the client offered (RFC 9368, 2.3).
        place.tries += 1
        cipher_at = rekey(
            table, buf, at, number_at, stop, salt, cids[k], 0, np.int64(place.cid_len), SERVER_SIDE, k
        )
    if cipher_at < 0:
        place.tries += 1
        return False
    place.opened += 1
    place.touched = packet.ts
    if not from_client:
        place.heard = 1
    read_frames(table, buf, at, cipher_at, stop - TAG, i, k, from_client)
    return True


@packet_kernel
def take_first(table, buf, at, number_at, stop, salt, i, k, from_up):
    """`take_initial` for a flow of which no packet was deciphered yet: it can be the client's alone."""
    place = table.handshakes[k]
    cid_len = u8(buf, at + 5)
    spare = len(table.handshakes) - 1
    cipher_at = rekey(table, buf, at, number_at, stop, salt, buf, at + 6, cid_len, CLIENT_SIDE, k)
    if cipher_at >= 0:
        place.confirmed = 1
        place.opened = 1
        place.client_up = 1 if from_up else 0
        read_frames(table, buf, at, cipher_at, stop - TAG, i, k, True)
    else:
        place.tries += 1
    if k == spare or place.tries >= TRIES:
        end_handshake(table, i, k)
    return cipher_at >= 0


@packet_kernel
def derive(table, cid, cid_at, cid_len, salt, side, k):
    """Derive the keys of a side for place `k`."""
    derive_keys(
        salt, cid, cid_at, cid_len, side,
        table.sha_work, table.hmac_states, table.quic_secret, table.handshake_keys[k, side],
    )  # fmt: skip


@packet_kernel
def open_side(table, buf, at, number_at, stop, k, side):
    """Decipher a packet of a side with the keys of place `k`, derived where they are not yet there."""
    place = table.handshakes[k]
    if place.keyed & 1 << side == 0:
        cid = table.handshake_cids[k]
        derive(table, cid, 0, np.int64(place.cid_len), np.int64(place.salt), side, k)
        place.keyed |= 1 << side
    return open_initial(table, buf, at, number_at, stop, k, side)


@packet_kernel
def rekey(table, buf, at, number_at, stop, salt, cid, cid_at, cid_len, side, k):
    """Decipher the packet with keys from this connection id and version; if that works they are the place's.

    Returns what `open_initial` returns.
    """
    spare = len(table.handshakes) - 1
    derive(table, cid, cid_at, cid_len, salt, side, spare)
    cipher_at = open_initial(table, buf, at, number_at, stop, spare, side)
    if cipher_at >= 0:
        place = table.handshakes[k]
        keys = table.handshake_keys
        copy(keys[k, side], 0, keys[spare, side], 0, keys.shape[2])
        copy(table.handshake_cids[k], 0, cid, cid_at, cid_len)
        place.cid_len = cid_len
        place.version = u32(buf, at + 1)
        place.salt = salt
        place.keyed = 1 << side
    return cipher_at


@packet_kernel
def open_initial(table, buf, at, number_at, stop, k, side):
    """Take off header protection (RFC 9001, 5.4) and verify the packet (5.3) with the keys of place `k`.

    Returns where the ciphertext begins in `buf`, -1 if the tag is wrong. The header stands in `quic_plain`
    then, the nonce in `quic_nonce`, the cipher's round keys in `round_keys`.
    """
    tables, words = table.cipher_tables, table.cipher_words
    keys = table.handshake_keys[k, side]
    mask_keys, packet_keys = table.round_keys[1], table.round_keys[0]
    plain, nonce = table.quic_plain, table.quic_nonce
    sample = number_at + SAMPLE_AT
    if sample + SAMPLE > stop or stop - at > len(plain):
        return np.int64(-1)
    expand_key(tables, keys, PROTECTION_AT, mask_keys)
    encrypt(
        tables,
        mask_keys,
        u32(buf, sample),
        u32(buf, sample + 4),
        u32(buf, sample + 8),
        u32(buf, sample + 12),
        words,
    )
    mask = words[0]
    first = u8(buf, at) ^ (mask >> 24 & 0x0F)
    number_bytes = (first & 3) + 1
    copy(plain, 0, buf, at, number_at + number_bytes - at)
    plain[0] = first
    copy(nonce, 0, keys, IV_AT, len(nonce))
    for n in range(number_bytes):
        # The mask's second byte on; an Initial's number is small enough to stand here whole.
        bits = mask >> (16 - 8 * n) if n < 3 else words[1] >> 24
        octet = (u8(buf, number_at + n) ^ bits) & 255
        plain[number_at - at + n] = octet
        last = len(nonce) - number_bytes + n
        nonce[last] = u8(nonce, last) ^ octet
    expand_key(tables, keys, KEY_AT, packet_keys)
    cipher_at = number_at + number_bytes
    if is_authentic(
        tables, packet_keys, nonce, 0, plain, 0, cipher_at - at, buf, cipher_at, stop - TAG, words
    ):
        return np.int64(cipher_at)
    return np.int64(-1)


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
    name_len, source = flow.name_len, flow.name_source
    flow.name_len = 0
    google_hello(data, at, end, table.slots[i], flow)
    keep_name(flow, name_len, source)
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
