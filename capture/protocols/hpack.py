"""HPACK (RFC 7541): the few header fields that the first header block of a connection must be asked for.

The dynamic table is empty before the first block, and an entry that this block adds can't be one of the
pseudo-header fields, which come first and once (RFC 9113, 8.3): it need not be kept.
"""

import numpy as np

from pipeline.kernels import packet_kernel
from pipeline.words import copy

# Indices of the static table (appendix A).
AUTHORITY, METHOD_GET, METHOD_POST, STATUS_FIRST, STATUS_LAST, HOST, LOCATION = 1, 2, 3, 8, 14, 38, 46
STATUS = np.array([200, 204, 206, 304, 400, 404, 500])
STATIC_LAST = 61

# Length in bits of each symbol's code, 0 to 255 and end of string (appendix B). The code is canonical:
# codes of one length follow each other in the order of their symbols, so the lengths are all of it.
CODE_LENGTHS = np.array([
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
])  # fmt: skip
LONGEST = 30
END_OF_STRING = 256
#: Symbols in the order of their codes; by length: how many, the first code, its place in `SYMBOLS`.
SYMBOLS = np.lexsort((np.arange(len(CODE_LENGTHS)), CODE_LENGTHS)).astype(np.int16)
COUNTS = np.bincount(CODE_LENGTHS, minlength=LONGEST + 1)
FIRST_CODES = np.zeros(LONGEST + 1, np.int64)
for _length in range(1, LONGEST + 1):
    FIRST_CODES[_length] = (FIRST_CODES[_length - 1] + COUNTS[_length - 1]) * 2
PLACES = np.cumsum(COUNTS) - COUNTS

#: Longest value that is read, the longest name; our default.
VALUE_MAX = 255


@packet_kernel
def prefixed(buf, at, end, bits):
    """(integer, offset behind it) with a prefix of `bits` bits (5.1); (-1, end) if cut off or over 2**21."""
    if at >= end:
        return np.int64(-1), end
    full = (1 << bits) - 1
    value = np.int64(buf[at]) & full
    at += 1
    if value < full:
        return value, at
    for shift in range(0, 21, 7):
        if at >= end:
            return np.int64(-1), end
        octet = np.int64(buf[at])
        at += 1
        value += (octet & 127) << shift
        if octet < 128:
            return value, at
    return np.int64(-1), end


@packet_kernel
def huffman(buf, at, end, out):
    """Decode a string literal (5.2) into `out`; its length, cut at `VALUE_MAX`, or -1 if it is malformed."""
    used = 0
    code = np.int64(0)
    length = 0
    for i in range(at, end):
        octet = np.int64(buf[i])
        for bit in range(7, -1, -1):
            code = code << 1 | (octet >> bit & 1)
            length += 1
            step = code - FIRST_CODES[length]
            if step < COUNTS[length]:
                symbol = np.int64(SYMBOLS[PLACES[length] + step])
                if symbol == END_OF_STRING:
                    return np.int64(-1)
                if used == VALUE_MAX:
                    return np.int64(used)
                out[used] = symbol
                used += 1
                code = np.int64(0)
                length = 0
            elif length == LONGEST:
                return np.int64(-1)
    return np.int64(used)


@packet_kernel
def plain(buf, at, end, out):
    """Copy a string literal that is not coded; returns its length, cut at `VALUE_MAX`."""
    length = min(end - at, VALUE_MAX)
    copy(out, 0, buf, at, length)
    return np.int64(length)


@packet_kernel
def string(buf, at, end, out):
    """(length in `out`, offset behind) of the string literal at `at` (5.2); (-1, end) cut off, malformed."""
    if at >= end:
        return np.int64(-1), end
    coded = buf[at] >= 128
    size, at = prefixed(buf, at, end, 7)
    if size < 0 or size > end - at:
        return np.int64(-1), end
    used = huffman(buf, at, at + size, out) if coded else plain(buf, at, at + size, out)
    return used, at + size
