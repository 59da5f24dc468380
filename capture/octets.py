"""Readers of numbers, big-endian but for `le…`, and text writers. Callers check bounds before each read."""

import numpy as np

from pipeline.kernels import hot_kernel, packet_kernel
from pipeline.words import load_8, load_16, load_32, load_64, load_little_16, load_little_32, load_native

#: One, two, four and eight bytes in network order, as int64; the last the int64 of the same bits.
u8, u16, u32, u64 = load_8, load_16, load_32, load_64
#: Two and four bytes, least significant first, as int64.
le16, le32 = load_little_16, load_little_32


@hot_kernel
def u24(buf, at):
    """Three bytes, network order, as int64."""
    return u16(buf, at) << 8 | u8(buf, at + 2)


@hot_kernel
def u48(buf, at):
    """Six bytes, network order, as int64: a MAC."""
    return u16(buf, at) << 32 | u32(buf, at + 2)


@packet_kernel
def put_escaped(out, at, limit, octet):
    """Write one byte as `\\DDD` (RFC 4343, 2.1); returns the new position, `at` if it does not fit."""
    if at + 4 > limit:
        return at
    out[at] = 92
    out[at + 1] = 48 + octet // 100
    out[at + 2] = 48 + octet // 10 % 10
    out[at + 3] = 48 + octet % 10
    return at + 4


@packet_kernel
def put_name(out, at, limit, buf, start, end):
    """Append `buf[start:end]` as a name: lower case, other than printable ASCII escaped, no trailing dot.

    Returns the position after it; what does not fit below `limit` is left off.
    """
    if end > start and buf[end - 1] == 46:
        end -= 1
    for i in range(start, end):
        octet = np.int64(buf[i])
        if octet <= 32 or octet >= 127:
            after = put_escaped(out, at, limit, octet)
            if after == at:
                return at
            at = after
            continue
        if at >= limit:
            return at
        if 65 <= octet <= 90:
            octet += 32
        out[at] = octet
        at += 1
    return at


@packet_kernel
def utf8_length(buf, at, end):
    """Length of the valid UTF-8 sequence at `at` (RFC 3629), 0 if there is none."""
    first = np.int64(buf[at])
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    length = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if at + length > end:
        return 0
    second = np.int64(buf[at + 1])
    low, high = 0x80, 0xBF
    if first == 0xE0:
        low = 0xA0
    elif first == 0xED:
        high = 0x9F
    elif first == 0xF0:
        low = 0x90
    elif first == 0xF4:
        high = 0x8F
    if second < low or second > high:
        return 0
    for i in range(2, length):
        if np.int64(buf[at + i]) & 0xC0 != 0x80:
            return 0
    return length


@packet_kernel
def put_text(out, at, limit, buf, start, end):
    """Append `buf[start:end]` as UTF-8; control characters, C1 included, and invalid bytes are escaped.

    Returns the position after it; what does not fit below `limit` is left off.
    """
    i = start
    while i < end:
        octet = np.int64(buf[i])
        length = utf8_length(buf, i, end)
        control = octet < 32 or octet == 127 or (octet == 0xC2 and length == 2 and buf[i + 1] < 0xA0)
        if length == 0 or control:
            after = put_escaped(out, at, limit, octet)
            if after == at:
                return at
            at = after
            i += 1
            continue
        if at + length > limit:
            return at
        for k in range(length):
            out[at + k] = buf[i + k]
        at += length
        i += length
    return at


@packet_kernel
def put_decimal(out, at, limit, number):
    """Append a non-negative number in decimal digits."""
    digits = 1
    power = 10
    while number >= power:
        digits += 1
        power *= 10
    if at + digits > limit:
        return at
    for i in range(digits):
        out[at + digits - 1 - i] = 48 + number % 10
        number //= 10
    return at + digits


@packet_kernel
def put_ipv4(out, at, limit, buf, start):
    """Append four bytes as a dotted quad."""
    for i in range(4):
        if i > 0 and at < limit:
            out[at] = 46
            at += 1
        at = put_decimal(out, at, limit, np.int64(buf[start + i]))
    return at


@packet_kernel
def hex_digit(nibble):
    """ASCII of one hexadecimal digit, lower case."""
    return nibble + (48 if nibble < 10 else 87)


@packet_kernel
def put_mac(out, at, limit, mac):
    """Append an int64 MAC as `aa:bb:cc:dd:ee:ff`."""
    if at + 17 > limit:
        return at
    for i in range(6):
        octet = mac >> (40 - 8 * i) & 255
        out[at] = hex_digit(octet >> 4)
        out[at + 1] = hex_digit(octet & 15)
        at += 2
        if i < 5:
            out[at] = 58
            at += 1
    return at


@packet_kernel
def same(a, a_at, b, b_at, length):
    """True if the two runs of `length` bytes are equal."""
    i = 0
    while i + 8 <= length:
        if load_native(a, a_at + i) != load_native(b, b_at + i):
            return False
        i += 8
    while i < length:
        if load_8(a, a_at + i) != load_8(b, b_at + i):
            return False
        i += 1
    return True


@hot_kernel
def mix(x):
    """Finalizer of SplitMix64 (Steele et al. 2014) on int64 bits."""
    x = (x ^ (x >> 30 & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ (x >> 27 & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ (x >> 31 & 0x1FFFFFFFF)


@packet_kernel
def mix_octets(seed, buf, start, end):
    """Keyed hash of a run of bytes as int64; not for adversaries who know the seed."""
    h = seed
    i = start
    while i + 8 <= end:
        h = mix(h ^ load_native(buf, i))
        i += 8
    tail = end - i
    while i < end:
        tail = tail << 8 | load_8(buf, i)
        i += 1
    return mix(h ^ tail)


@packet_kernel
def put_ipv6(out, at, limit, buf, start):
    """Append 16 bytes as IPv6 text (RFC 5952); mapped IPv4 as a dotted quad."""
    mapped = buf[start + 10] == 255 and buf[start + 11] == 255
    for i in range(10):
        if buf[start + i] != 0:
            mapped = False
    if mapped:
        return put_ipv4(out, at, limit, buf, start + 12)
    if at + 39 > limit:
        return at
    best, best_length = -1, 1
    run = 0
    for group in range(8):
        run = run + 1 if u16(buf, start + 2 * group) == 0 else 0
        if run > best_length:
            best, best_length = group - run + 1, run
    group = 0
    while group < 8:
        if group == best:
            out[at] = 58
            out[at + 1] = 58
            at += 2
            group += best_length
            continue
        if (group > 0 and group != best + best_length) or (group > 0 and best < 0):
            out[at] = 58
            at += 1
        value = u16(buf, start + 2 * group)
        shift = 12
        while shift > 0 and value >> shift == 0:
            shift -= 4
        while shift >= 0:
            out[at] = hex_digit(value >> shift & 15)
            at += 1
            shift -= 4
        group += 1
    return at
