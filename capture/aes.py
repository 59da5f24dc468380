"""AES-128 (FIPS 197) and its counter mode with GHASH, GCM (NIST SP 800-38D), for kernels.

Everything worked on is passed in: `tables` is what `cipher_tables` returns, `keys` int64[44] the round keys,
`words` int64[WORDS] the block at hand and the state of GHASH.

GHASH multiplies in GF(2**128) without tables: integer products of words in which only every fourth bit is
set carry into the holes, so that masking leaves the carry-less product (Pornin, "Constant-Time Mul", BearSSL,
2018). What a key's tables would cost to build is not won back over the few packets of a handshake.
"""

import numpy as np

from capture.octets import u32, u64
from pipeline.kernels import packet_kernel

BLOCK, TAG, ROUND_KEYS = 16, 16, 44
#: Places in `words` behind the block: the hash key's low and high half and their sum, the same three with
#: their bits reversed; then the hash.
KEY, HASH, WORDS = 4, 10, 12

MASK = 0xFFFFFFFF
#: Bits 0, 4, 8 … of 64, as int64, and the same moved up by one to three.
HOLES = tuple(int(np.uint64(0x1111111111111111 << shift).astype(np.int64)) for shift in range(4))
HOLES_0, HOLES_1, HOLES_2, HOLES_3 = HOLES
MAX63 = 0x7FFFFFFFFFFFFFFF


def cipher_tables() -> np.ndarray:
    """uint32[5, 256]: the four tables of a round (FIPS 197, 5.1, three steps in one), then the S-box."""
    power = [1]
    for _ in range(254):
        x = power[-1]
        x ^= x << 1
        power.append(x ^ 0x11B if x & 0x100 else x)
    log = {x: i for i, x in enumerate(power)}
    tables = np.zeros((5, 256), np.uint32)
    for x in range(256):
        inverse = power[-log[x] % 255] if x else 0
        ring = inverse << 8 | inverse
        s = inverse ^ 0x63
        for turn in range(4, 8):
            s ^= ring >> turn & 255
        double = s << 1 ^ (0x11B if s & 0x80 else 0)
        column = double << 24 | s << 16 | s << 8 | (double ^ s)
        for row in range(4):
            tables[row, x] = (column >> 8 * row | column << (32 - 8 * row)) & MASK
        tables[4, x] = s
    return tables


@packet_kernel
def substitute(tables, word):
    """SubWord (FIPS 197, 5.2)."""
    return (
        np.int64(tables[4, word >> 24 & 255]) << 24
        | np.int64(tables[4, word >> 16 & 255]) << 16
        | np.int64(tables[4, word >> 8 & 255]) << 8
        | np.int64(tables[4, word & 255])
    )


@packet_kernel
def expand_key(tables, key, at, keys):
    """Write the round keys of the 16 bytes `key[at:]` (FIPS 197, 5.2)."""
    for i in range(4):
        keys[i] = u32(key, at + 4 * i)
    constant = np.int64(1)
    for i in range(4, ROUND_KEYS, 4):
        word = keys[i - 1]
        word = substitute(tables, (word << 8 | word >> 24) & MASK) ^ constant << 24
        constant = constant << 1 ^ (0x11B if constant & 0x80 else 0)
        for k in range(i, i + 4):
            word ^= keys[k - 4]
            keys[k] = word


@packet_kernel
def encrypt(tables, keys, a, b, c, d, words):
    """Encrypt the block of the four 32-bit words into `words[0:4]` (FIPS 197, 5.1)."""
    a ^= keys[0]
    b ^= keys[1]
    c ^= keys[2]
    d ^= keys[3]
    for r in range(4, 40, 4):
        w = np.int64(
            tables[0, a >> 24 & 255] ^ tables[1, b >> 16 & 255] ^ tables[2, c >> 8 & 255] ^ tables[3, d & 255]
        )
        x = np.int64(
            tables[0, b >> 24 & 255] ^ tables[1, c >> 16 & 255] ^ tables[2, d >> 8 & 255] ^ tables[3, a & 255]
        )
        y = np.int64(
            tables[0, c >> 24 & 255] ^ tables[1, d >> 16 & 255] ^ tables[2, a >> 8 & 255] ^ tables[3, b & 255]
        )
        z = np.int64(
            tables[0, d >> 24 & 255] ^ tables[1, a >> 16 & 255] ^ tables[2, b >> 8 & 255] ^ tables[3, c & 255]
        )
        a = w ^ keys[r]
        b = x ^ keys[r + 1]
        c = y ^ keys[r + 2]
        d = z ^ keys[r + 3]
    words[0] = substitute(tables, (a & 0xFF000000) | (b & 0xFF0000) | (c & 0xFF00) | (d & 255)) ^ keys[40]
    words[1] = substitute(tables, (b & 0xFF000000) | (c & 0xFF0000) | (d & 0xFF00) | (a & 255)) ^ keys[41]
    words[2] = substitute(tables, (c & 0xFF000000) | (d & 0xFF0000) | (a & 0xFF00) | (b & 255)) ^ keys[42]
    words[3] = substitute(tables, (d & 0xFF000000) | (a & 0xFF0000) | (b & 0xFF00) | (c & 255)) ^ keys[43]


@packet_kernel
def count_blocks(tables, keys, nonce, nonce_at, first, buf, start, end, out, at, words):
    """Counter mode (SP 800-38D, 6.5): write `buf[start:end]` deciphered to `out` at `at`.

    `nonce` holds 12 bytes; the message's first block has counter 2 (7.1), `first` is the counter of this one.
    """
    a, b, c = u32(nonce, nonce_at), u32(nonce, nonce_at + 4), u32(nonce, nonce_at + 8)
    while start < end:
        encrypt(tables, keys, a, b, c, first, words)
        first += 1
        if end - start >= BLOCK:
            for i in range(4):
                word = words[i]
                out[at] = np.int64(buf[start]) ^ word >> 24
                out[at + 1] = np.int64(buf[start + 1]) ^ (word >> 16 & 255)
                out[at + 2] = np.int64(buf[start + 2]) ^ (word >> 8 & 255)
                out[at + 3] = np.int64(buf[start + 3]) ^ (word & 255)
                start += 4
                at += 4
        else:
            for i in range(end - start):
                out[at + i] = np.int64(buf[start + i]) ^ (words[i >> 2] >> (24 - 8 * (i & 3)) & 255)
            start = end


@packet_kernel
def shifted(x, places):
    """Right shift of the 64 bits, zeros coming in."""
    return x >> places & (MAX63 >> (places - 1))


@packet_kernel
def product(x, y):
    """Low 64 bits of the carry-less product."""
    x0, x1, x2, x3 = x & HOLES_0, x & HOLES_1, x & HOLES_2, x & HOLES_3
    y0, y1, y2, y3 = y & HOLES_0, y & HOLES_1, y & HOLES_2, y & HOLES_3
    return (
        (x0 * y0 ^ x1 * y3 ^ x2 * y2 ^ x3 * y1) & HOLES_0
        | (x0 * y1 ^ x1 * y0 ^ x2 * y3 ^ x3 * y2) & HOLES_1
        | (x0 * y2 ^ x1 * y1 ^ x2 * y0 ^ x3 * y3) & HOLES_2
        | (x0 * y3 ^ x1 * y2 ^ x2 * y1 ^ x3 * y0) & HOLES_3
    )


@packet_kernel
def reversed_bits(x):
    """The 64 bits in the opposite order."""
    x = (x & 0x5555555555555555) << 1 | (x >> 1 & 0x5555555555555555)
    x = (x & 0x3333333333333333) << 2 | (x >> 2 & 0x3333333333333333)
    x = (x & 0x0F0F0F0F0F0F0F0F) << 4 | (x >> 4 & 0x0F0F0F0F0F0F0F0F)
    x = (x & 0x00FF00FF00FF00FF) << 8 | (x >> 8 & 0x00FF00FF00FF00FF)
    x = (x & 0x0000FFFF0000FFFF) << 16 | (x >> 16 & 0x0000FFFF0000FFFF)
    return x << 32 | (x >> 32 & MASK)


@packet_kernel
def begin_hash(tables, keys, words):
    """The hash key, the cipher of a zero block (SP 800-38D, 7.1), and an empty hash."""
    encrypt(tables, keys, 0, 0, 0, 0, words)
    high, low = words[0] << 32 | words[1], words[2] << 32 | words[3]
    words[KEY] = low
    words[KEY + 1] = high
    words[KEY + 2] = low ^ high
    words[KEY + 3] = reversed_bits(low)
    words[KEY + 4] = reversed_bits(high)
    words[KEY + 5] = words[KEY + 3] ^ words[KEY + 4]
    words[HASH] = 0
    words[HASH + 1] = 0


@packet_kernel
def absorb_block(words, high, low):
    """Take one block into the hash (SP 800-38D, 6.4): add it, then multiply by the hash key (6.3)."""
    low ^= words[HASH]
    high ^= words[HASH + 1]
    low_r, high_r = reversed_bits(low), reversed_bits(high)
    # Karatsuba; the upper half of a product is the lower half of that of the reversed factors, reversed.
    a, b = product(low, words[KEY]), product(high, words[KEY + 1])
    c = product(low ^ high, words[KEY + 2]) ^ a ^ b
    a_r, b_r = product(low_r, words[KEY + 3]), product(high_r, words[KEY + 4])
    c_r = product(low_r ^ high_r, words[KEY + 5]) ^ a_r ^ b_r
    v0 = a
    v1 = shifted(reversed_bits(a_r), 1) ^ c
    v2 = b ^ shifted(reversed_bits(c_r), 1)
    v3 = shifted(reversed_bits(b_r), 1)
    # Bit 0 of a block is its highest: the product stands one place too low.
    v3 = v3 << 1 | shifted(v2, 63)
    v2 = v2 << 1 | shifted(v1, 63)
    v1 = v1 << 1 | shifted(v0, 63)
    v0 = v0 << 1
    # Modulo x**128 + x**7 + x**2 + x + 1.
    v2 ^= v0 ^ shifted(v0, 1) ^ shifted(v0, 2) ^ shifted(v0, 7)
    v1 ^= v0 << 63 ^ v0 << 62 ^ v0 << 57
    v3 ^= v1 ^ shifted(v1, 1) ^ shifted(v1, 2) ^ shifted(v1, 7)
    v2 ^= v1 << 63 ^ v1 << 62 ^ v1 << 57
    words[HASH] = v2
    words[HASH + 1] = v3


@packet_kernel
def absorb(words, buf, start, end):
    """Take the bytes into the hash, the last block filled up with zeros."""
    while end - start >= BLOCK:
        absorb_block(words, u64(buf, start), u64(buf, start + 8))
        start += BLOCK
    if start < end:
        high, low = np.int64(0), np.int64(0)
        for i in range(end - start):
            octet = np.int64(buf[start + i])
            if i < 8:
                high |= octet << (56 - 8 * i)
            else:
                low |= octet << (120 - 8 * i)
        absorb_block(words, high, low)


@packet_kernel
def is_authentic(tables, keys, nonce, nonce_at, head, head_start, head_end, buf, start, end, words):
    """True if the 16 bytes behind `buf[start:end]` are the tag of that ciphertext and its head (7.2)."""
    begin_hash(tables, keys, words)
    absorb(words, head, head_start, head_end)
    absorb(words, buf, start, end)
    absorb_block(words, (head_end - head_start) << 3, (end - start) << 3)
    a, b, c = u32(nonce, nonce_at), u32(nonce, nonce_at + 4), u32(nonce, nonce_at + 8)
    encrypt(tables, keys, a, b, c, 1, words)
    high, low = words[0] << 32 | words[1], words[2] << 32 | words[3]
    return (words[HASH + 1] ^ high) == u64(buf, end) and (words[HASH] ^ low) == u64(buf, end + 8)
