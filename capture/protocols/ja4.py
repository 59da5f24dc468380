"""JA4, the fingerprint of a TLS client (FoxIO, technical details of JA4): what it offers, order left out.

`t13d1516h2_8daaf6152771_e5627efa2ab1`: how it came, version, name or not, numbers of cipher suites and of
extensions, first protocol; a hash of the sorted suites; a hash of the sorted extensions and the signature
algorithms. GREASE counts nowhere.
"""

import numpy as np

from capture.flows import JA4_AT, JA4_MAX
from capture.octets import hex_digit, mix, u8, u16
from capture.protocols.tls_numbers import (
    ALPN,
    OVER_DATAGRAMS,
    SERVER_NAME,
    SIGNATURE_ALGORITHMS,
    SUPPORTED_VERSIONS,
    is_grease,
)
from capture.sha256 import sha256
from pipeline.kernels import packet_kernel, unit_kernel

#: Most suites, extensions or algorithms of a hello that is fingerprinted; with more, it has no JA4. Hundreds
#: are assigned; our default.
VALUES_MAX = 1_024
#: Room for the text that is hashed: two lists of four digits and a separator each.
TEXT_ROOM = 2 * VALUES_MAX * 5
#: Hashes remembered by what they are of: clients of one kind say the same. A power of two, our default.
REMEMBERED = 512

#: Gaps of Shell's sort (Ciura 2001).
GAPS = np.array([701, 301, 132, 57, 23, 10, 4, 1])

_VERSIONS = {
    0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
    0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3",
}  # fmt: skip
VERSIONS = np.array(list(_VERSIONS))
VERSION_WORDS = np.array([list(word.encode()) for word in _VERSIONS.values()], np.uint8)

ZERO, COMMA, UNDERSCORE = ord("0"), ord(","), ord("_")
#: With a server name, without one.
DOMAIN, ADDRESS = ord("d"), ord("i")


@packet_kernel
def sort_values(values, count):
    """Sort `values[:count]` in place."""
    for gap in GAPS:
        for i in range(gap, count):
            value = values[i]
            k = i
            while k >= gap and values[k - gap] > value:
                values[k] = values[k - gap]
                k -= gap
            values[k] = value


@packet_kernel
def values_key(values, listed, count, seed):
    """Keyed hash of `values[:count]`, each of 16 bits, whatever the order of the first `listed`; never 0."""
    h = np.int64(0)
    for i in range(listed):
        h += mix(seed ^ values[i])
    h = mix(h ^ seed ^ count << 32 ^ listed)
    word = np.int64(0)
    for i in range(listed, count):
        word = word << 16 | values[i]
        if i & 3 == 3:
            h = mix(h ^ word)
            word = np.int64(0)
    return mix(h ^ word) | 1


@packet_kernel
def put_values(out, at, values, first, behind):
    """Write values as four hexadecimal digits each, commas between; returns the position after them."""
    for i in range(first, behind):
        if i > first:
            out[at] = COMMA
            at += 1
        for shift in (12, 8, 4, 0):
            out[at] = hex_digit(values[i] >> shift & 15)
            at += 1
    return at


@packet_kernel
def put_hash(table, out, at, listed, count):
    """Write the first 12 digits of the SHA-256 of `table.ja4_values[:count]` as text.

    The first `listed` are one list, which is sorted, the others, if any, a second one behind an underscore.
    Nothing in the first gives zeros. Returns the position after it.
    """
    values, text = table.ja4_values, table.ja4_text
    if listed == 0:
        for k in range(12):
            out[at + k] = ZERO
        return at + 12
    key = values_key(values, listed, count, table.meter[0].seed)
    place = key >> 1 & (len(table.ja4_known) - 1)
    known = table.ja4_known[place]
    if known[0] != key:
        sort_values(values, listed)
        length = put_values(text, 0, values, 0, listed)
        if count > listed:
            text[length] = UNDERSCORE
            length = put_values(text, length + 1, values, listed, count)
        sha256(text, 0, length, table.sha_work, text, 0)
        known[0] = key
        known[1] = u16(text, 0) << 32 | u16(text, 2) << 16 | u16(text, 4)
    for k in range(12):
        out[at + k] = hex_digit(known[1] >> (44 - 4 * k) & 15)
    return at + 12


@packet_kernel
def is_alphanumeric(octet):
    """True for ASCII digits and letters."""
    return 48 <= octet <= 57 or 65 <= octet <= 90 or 97 <= octet <= 122


@packet_kernel
def put_protocol(out, at, buf, start, end):
    """Write first and last character of an ALPN value, of its hexadecimal form where one is no letter."""
    if end <= start:
        out[at] = ZERO
        out[at + 1] = ZERO
        return at + 2
    first, last = u8(buf, start), u8(buf, end - 1)
    if is_alphanumeric(first) and is_alphanumeric(last):
        out[at] = first
        out[at + 1] = last
    else:
        out[at] = hex_digit(first >> 4)
        out[at + 1] = hex_digit(last & 15)
    return at + 2


@packet_kernel
def put_count(out, at, count):
    """Write a number in two digits; 99 stands for more."""
    count = min(count, 99)
    out[at] = ZERO + count // 10
    out[at + 1] = ZERO + count % 10
    return at + 2


@packet_kernel
def put_version(out, at, wire):
    """Write the two characters of a version, zeros for an unknown one."""
    out[at] = ZERO
    out[at + 1] = ZERO
    for k in range(len(VERSIONS)):
        if VERSIONS[k] == wire:
            out[at] = VERSION_WORDS[k, 0]
            out[at + 1] = VERSION_WORDS[k, 1]
    return at + 2


@packet_kernel
def highest_version(buf, at, end, transport):
    """Highest of the supported versions in `buf[at:end]` (RFC 8446, 4.2.1), 0 if there is none."""
    best = 0
    stop = min(end, at + 1 + u8(buf, at)) if at < end else end
    for k in range(at + 1, stop - 1, 2):
        offered = u16(buf, k)
        if is_grease(offered):
            continue
        # Those of DTLS count down.
        if best == 0 or (offered < best if transport == OVER_DATAGRAMS else offered > best):
            best = offered
    return best


@packet_kernel
def first_protocol(buf, at, end):
    """(start, end) of the first ALPN value (RFC 7301, 3.1) that is not GREASE; equal if there is none."""
    at += 2
    while at < end:
        size = u8(buf, at)
        at += 1
        if at + size > end:
            break
        if not (size == 2 and is_grease(u16(buf, at))):
            return at, at + size
        at += size
    return end, end


@unit_kernel
def fingerprint_client(table, buf, suites, suites_end, at, end, version, transport, i):
    """Write the JA4 of a hello: its suites, its extensions `buf[at:end]`, its version field; 1 if written."""
    values = table.ja4_values
    flow = table.flows[i]
    flow.ja4_len = 0
    slot = table.slots[i]
    suite_count = 0
    for k in range(suites, suites_end - 1, 2):
        value = u16(buf, k)
        if not is_grease(value):
            if suite_count == VALUES_MAX:
                return np.int64(0)
            values[suite_count] = value
            suite_count += 1
    # The second part; where it stands is known before the first is.
    put_hash(table, slot, JA4_AT + 11, suite_count, suite_count)

    count = 0
    listed = 0
    named = False
    algorithms, algorithms_end = end, end
    protocol, protocol_end = end, end
    while end - at >= 4:
        kind = u16(buf, at)
        at += 4
        behind = min(at + u16(buf, at - 2), end)
        if not is_grease(kind):
            count += 1
            if kind == SERVER_NAME:
                named = True
            elif kind == ALPN:
                if protocol == protocol_end:
                    protocol, protocol_end = first_protocol(buf, at, behind)
            else:
                if listed == VALUES_MAX:
                    return np.int64(0)
                values[listed] = kind
                listed += 1
            if kind == SIGNATURE_ALGORITHMS and behind - at >= 2:
                algorithms, algorithms_end = at + 2, min(at + 2 + u16(buf, at), behind)
            elif kind == SUPPORTED_VERSIONS:
                offered = highest_version(buf, at, behind, transport)
                if offered != 0:
                    version = offered
        at = behind
    both = listed
    for k in range(algorithms, algorithms_end - 1, 2):
        value = u16(buf, k)
        if not is_grease(value):
            if both == listed + VALUES_MAX:
                return np.int64(0)
            values[both] = value
            both += 1
    put_hash(table, slot, JA4_AT + 24, listed, both)

    slot[JA4_AT] = transport
    put_version(slot, JA4_AT + 1, version)
    slot[JA4_AT + 3] = DOMAIN if named else ADDRESS
    put_count(slot, JA4_AT + 4, suite_count)
    put_count(slot, JA4_AT + 6, count)
    put_protocol(slot, JA4_AT + 8, buf, protocol, protocol_end)
    slot[JA4_AT + 10] = UNDERSCORE
    slot[JA4_AT + 23] = UNDERSCORE
    flow.ja4_len = JA4_MAX
    return np.int64(1)
