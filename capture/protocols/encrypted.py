"""What looks like nothing: the first bytes of a side are random, and no header says what they are.

The rule and its exemptions Ex1 to Ex5 are measured (Wu and others, "How the Great Firewall of China
Detects and Blocks Fully Encrypted Traffic", USENIX Security 2023). Ex5, that it is TLS or HTTP, is held
wider here: nobody asks before each reader said no. Ours besides: enough bytes for the count to mean
something, no length in front, and both sides look so. The authors saw the rule hit 0.6 % of a campus's
connections; that is why one connection proves nothing.
"""

import numpy as np

from capture.octets import u8
from pipeline.kernels import packet_kernel, unit_kernel

#: Ex1: bits set per byte, times ten, between which bytes look random.
BITS_LOW, BITS_HIGH = 34, 46
#: Printable ASCII; Ex2: so many at the beginning; Ex4: more than so many in a row. Ex3 is half of all.
PRINTABLE_FIRST, PRINTABLE_LAST = 0x20, 0x7E
PRINTABLE_HEAD, PRINTABLE_RUN = 6, 20
#: Bytes below which the count is chance (our default: Ex1's bounds are 3.4 standard deviations off
#: there), and those looked at, a segment's.
SHORTEST, LOOKED_AT = 64, 1_460

#: Ex5: content types of handshake and application data, major version, most of the minor one.
TLS_TYPES, TLS_MAJOR, TLS_MINOR_LAST = (0x16, 0x17), 3, 9

_BITS = np.array([bin(value).count("1") for value in range(256)], np.int64)


@packet_kernel
def states_length(buf, start, end):
    """True if 2 to 4 bytes in front, in either order, are the length of all, or of what follows."""
    n = np.int64(end - start)
    for size in range(2, 5):
        big, little = np.int64(0), np.int64(0)
        for k in range(size):
            big = big << 8 | u8(buf, start + k)
            little |= u8(buf, start + k) << (8 * k)
        if big in (n, n - size) or little in (n, n - size):
            return True
    return False


@packet_kernel
def begins_as_tls(buf, start):
    """True for the first three bytes of a record of TLS (RFC 8446, 5.1), whatever follows."""
    return buf[start] in TLS_TYPES and buf[start + 1] == TLS_MAJOR and buf[start + 2] <= TLS_MINOR_LAST


@unit_kernel
def looks_encrypted(buf, start, end):
    """1 if the first segment's worth of these bytes has neither a form nor text in it, else 0."""
    if end - start < SHORTEST or begins_as_tls(buf, start) or states_length(buf, start, end):
        return np.int64(0)
    end = min(end, start + LOOKED_AT)
    bits, printable, run, longest, head = 0, 0, 0, 0, 0
    for at in range(start, end):
        octet = u8(buf, at)
        bits += _BITS[octet]
        if PRINTABLE_FIRST <= octet <= PRINTABLE_LAST:
            printable += 1
            run += 1
            longest = max(longest, run)
            if run == at - start + 1:
                head = run
        else:
            run = 0
    n = end - start
    random = (
        BITS_LOW * n < 10 * bits < BITS_HIGH * n
        and head < PRINTABLE_HEAD
        and 2 * printable <= n
        and longest <= PRINTABLE_RUN
    )
    return np.int64(1 if random else 0)
