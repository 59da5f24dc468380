"""SHA-256 (FIPS 180-4) for kernels: all it works on is passed in.

`work` is int64[WORK], 32 bits in each: the message schedule, and the state from `STATE` on. `sha256` hashes
a run of bytes in one call. HMAC needs the steps: `begin_sha256`, `absorb_blocks` for whole blocks (the state
between may be laid aside and put back, eight words), `end_sha256`.
"""

import numpy as np

from capture.octets import u32
from pipeline.kernels import packet_kernel

#: Bytes of a block and of a digest (FIPS 180-4, figure 1).
BLOCK, DIGEST = 64, 32
#: Words of the schedule before the state, and of the whole work array.
STATE, WORK = 64, 72

MASK = 0xFFFFFFFF


def _roots(count: int, root: int) -> np.ndarray:
    """First 32 bits of the fractional parts of the square or cube roots of the first primes."""
    primes = [n for n in range(2, 312) if all(n % p for p in range(2, n))][:count]
    words = []
    for prime in primes:
        # The integer root of prime * 2**(32 root), found bit by bit.
        shifted, low = prime << 32 * root, 0
        for bit in range(40, -1, -1):
            if (low | 1 << bit) ** root <= shifted:
                low |= 1 << bit
        words.append(low & MASK)
    return np.array(words, np.int64)


INITIAL, ROUND = _roots(8, 2), _roots(64, 3)


@packet_kernel
def twice(x):
    """A 32-bit word beside itself: the low half of `twice(x) >> n` is `x` rotated to the right (3.2)."""
    return x << 32 | x


@packet_kernel
def begin_sha256(work):
    """Set the initial state (5.3.3)."""
    for i in range(8):
        work[STATE + i] = INITIAL[i]


@packet_kernel
def compress(work):
    """Take the block whose words stand in `work[0:16]` into the state (6.2.2)."""
    for t in range(16, 64):
        x, y = work[t - 15], work[t - 2]
        xx, yy = twice(x), twice(y)
        small_0 = (xx >> 7 ^ xx >> 18 ^ x >> 3) & MASK
        small_1 = (yy >> 17 ^ yy >> 19 ^ y >> 10) & MASK
        work[t] = (work[t - 16] + small_0 + work[t - 7] + small_1) & MASK
    a, b, c, d = work[STATE], work[STATE + 1], work[STATE + 2], work[STATE + 3]
    e, f, g, h = work[STATE + 4], work[STATE + 5], work[STATE + 6], work[STATE + 7]
    for t in range(64):
        aa, ee = twice(a), twice(e)
        choice = g ^ (e & (f ^ g))
        majority = (a & b) | (c & (a | b))
        x = h + ((ee >> 6 ^ ee >> 11 ^ ee >> 25) & MASK) + choice + ROUND[t] + work[t]
        y = ((aa >> 2 ^ aa >> 13 ^ aa >> 22) & MASK) + majority
        h = g
        g = f
        f = e
        e = (d + x) & MASK
        d = c
        c = b
        b = a
        a = (x + y) & MASK
    work[STATE] = (work[STATE] + a) & MASK
    work[STATE + 1] = (work[STATE + 1] + b) & MASK
    work[STATE + 2] = (work[STATE + 2] + c) & MASK
    work[STATE + 3] = (work[STATE + 3] + d) & MASK
    work[STATE + 4] = (work[STATE + 4] + e) & MASK
    work[STATE + 5] = (work[STATE + 5] + f) & MASK
    work[STATE + 6] = (work[STATE + 6] + g) & MASK
    work[STATE + 7] = (work[STATE + 7] + h) & MASK


@packet_kernel
def absorb_blocks(work, buf, start, end):
    """Take the whole blocks of `buf[start:end]` into the state; returns where the rest begins."""
    while end - start >= BLOCK:
        for t in range(16):
            work[t] = u32(buf, start + 4 * t)
        compress(work)
        start += BLOCK
    return start


@packet_kernel
def end_sha256(work, buf, start, end, total, out, out_at):
    """Take the last bytes, pad (5.1.1) and write the digest, 32 bytes.

    `total` counts all bytes of the message, also those absorbed before `buf[start:end]`.
    """
    start = absorb_blocks(work, buf, start, end)
    for t in range(16):
        work[t] = 0
    rest = end - start
    for i in range(rest):
        work[i >> 2] |= np.int64(buf[start + i]) << (24 - 8 * (i & 3))
    work[rest >> 2] |= 0x80 << (24 - 8 * (rest & 3))
    if rest > BLOCK - 9:
        compress(work)
        for t in range(16):
            work[t] = 0
    work[14] = total >> 29 & MASK
    work[15] = total << 3 & MASK
    compress(work)
    for i in range(DIGEST):
        out[out_at + i] = work[STATE + (i >> 2)] >> (24 - 8 * (i & 3)) & 255


@packet_kernel
def sha256(buf, start, end, work, out, out_at):
    """Write the digest of `buf[start:end]`, 32 bytes, to `out` at `out_at`."""
    begin_sha256(work)
    end_sha256(work, buf, start, end, end - start, out, out_at)
