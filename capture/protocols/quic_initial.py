"""QUIC's Initial packets, deciphered passively (RFC 9001, 5): which keys open one, and whose it is.

Whatever is read was deciphered and its tag found right: noise gives no name.
"""

import numpy as np

from capture.aes import TAG, encrypt, expand_key, is_authentic
from capture.flows import NONE, release_head
from capture.octets import same, u8, u32
from capture.protocols.quic_frames import read_frames
from capture.protocols.quic_handshakes import begin_handshake, end_handshake, find_handshake, take_handshake
from capture.protocols.quic_keys import CLIENT_SIDE, IV_AT, KEY_AT, PROTECTION_AT, SERVER_SIDE, derive_keys
from capture.reassembly import HEAD_BYTES
from capture.rows import is_from_client
from pipeline.kernels import packet_kernel
from pipeline.words import copy

#: A client's first connection id for the server has at least this length (RFC 9000, 7.2), but after a Retry.
FIRST_CID_MIN = 8
#: The sample of header protection begins where the longest packet number would end (RFC 9001, 5.4.2).
SAMPLE_AT, SAMPLE = 4, 16
#: The largest packet that is deciphered; our default.
PLAIN_BYTES = HEAD_BYTES
#: Failed attempts and changes of keys after which a flow is left alone; our default.
TRIES = 8
#: Deciphered packets after which it is, too: four times what a hello of 16 KiB takes. Our default.
OPENED = 64


@packet_kernel
def take_initial(table, buf, at, number_at, stop, salt, token, i):
    """Decipher an Initial packet whose packet number stands at `number_at` and which ends at `stop`, read it.

    False if it can't be deciphered, when nothing of it was believed.
    """
    flow = table.flows[i]
    packet = table.packet[0]
    from_up = is_from_client(flow, packet)
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
