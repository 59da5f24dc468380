"""Certificates (X.509, RFC 5280) in DER (X.690): whom a server's is for, and who issued it.

Nothing is verified. What lies behind the bytes that are there is left out; a text that is cut off is none.
"""

import numpy as np

from capture.flows import CERTIFICATE_AT, CERTIFICATE_MAX, ISSUER_AT
from capture.octets import put_escaped, put_text, u8, u16, u24, u32
from capture.protocols.ber import INTEGER, OCTETS, SEQUENCE, element
from pipeline.kernels import packet_kernel, unit_kernel

# Tags (X.690, 8.1.2).
OBJECT_IDENTIFIER, SET = 0x06, 0x31
UNIVERSAL_STRING, BMP_STRING = 0x1C, 0x1E
#: [0] and [3] of a TBSCertificate (RFC 5280, 4.1), [2] of a GeneralName (4.2.1.6).
VERSION, EXTENSIONS, DNS_NAME = 0xA0, 0xA3, 0x82
#: Object identifiers of three octets, as numbers: id-at-commonName, id-ce-subjectAltName.
COMMON_NAME, SUBJECT_ALT_NAME = 0x55_04_03, 0x55_1D_11


@packet_kernel
def is_oid(buf, start, stop, number):
    """True if the content is that object identifier of three octets."""
    return stop - start == 3 and u16(buf, start) << 8 | u8(buf, start + 2) == number


@packet_kernel
def common_name(buf, at, end):
    """(tag, start, stop) of the last common name of a Name, the most specific one; tag -1 for none."""
    found, found_start, found_stop = -1, end, end
    while at < end:
        tag, inner, behind = element(buf, at, end)
        if tag != SET:
            break
        at = behind
        part_end = min(behind, end)
        while inner < part_end:
            tag, oid, part = element(buf, inner, part_end)
            if tag != SEQUENCE:
                break
            inner = part
            tag, start, stop = element(buf, oid, min(part, end))
            if tag == OBJECT_IDENTIFIER and stop < end and is_oid(buf, start, stop, COMMON_NAME):
                tag, start, stop = element(buf, stop, min(part, end))
                if tag >= 0 and start < stop <= end:
                    found, found_start, found_stop = tag, start, stop
    return found, found_start, found_stop


@packet_kernel
def put_code_point(out, at, limit, code):
    """Append one character as UTF-8 (RFC 3629, 3), a control character or what is none escaped."""
    if code < 0x80:
        if code < 32 or code == 127:
            return put_escaped(out, at, limit, code)
        if at < limit:
            out[at] = code
            return at + 1
        return at
    if code < 0xA0 or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return put_escaped(out, at, limit, code & 255)
    length = 2 if code < 0x800 else (3 if code < 0x10000 else 4)
    if at + length > limit:
        return at
    for k in range(length - 1, 0, -1):
        out[at + k] = 0x80 | code & 0x3F
        code >>= 6
    # The marks of two, three and four octets.
    out[at] = (0xF00 >> length & 0xF0) | code
    return at + length


@packet_kernel
def put_string(out, at, limit, buf, start, stop, tag):
    """Append a DirectoryString (RFC 5280, 4.1.2.4) as UTF-8; returns the position after it."""
    if tag != BMP_STRING and tag != UNIVERSAL_STRING:
        return put_text(out, at, limit, buf, start, stop)
    size = 2 if tag == BMP_STRING else 4
    while stop - start >= size:
        code = u16(buf, start) if size == 2 else u32(buf, start)
        after = put_code_point(out, at, limit, code)
        if after == at:
            return at
        at = after
        start += size
    return at


@packet_kernel
def lower(out, at, end):
    """Make the ASCII letters of `out[at:end]` small."""
    for k in range(at, end):
        octet = np.int64(out[k])
        if 65 <= octet <= 90:
            out[k] = octet + 32


@packet_kernel
def first_dns_name(buf, at, end):
    """(start, stop) of the first dNSName among the extensions, equal where there is none."""
    tag, at, behind = element(buf, at, end)
    end = min(behind, end)
    if tag != SEQUENCE:
        return end, end
    while at < end:
        tag, inner, behind = element(buf, at, end)
        if tag != SEQUENCE:
            break
        at = behind
        part_end = min(behind, end)
        tag, start, stop = element(buf, inner, part_end)
        if tag != OBJECT_IDENTIFIER or stop >= part_end or not is_oid(buf, start, stop, SUBJECT_ALT_NAME):
            continue
        # The value stands behind the critical mark, if there is one.
        tag, inner, stop = element(buf, stop, part_end)
        if tag != OCTETS:
            tag, inner, stop = element(buf, min(stop, part_end), part_end)
        tag, inner, stop = element(buf, inner, part_end)
        part_end = min(stop, part_end)
        while inner < part_end:
            tag, start, stop = element(buf, inner, part_end)
            if tag < 0:
                break
            if tag == DNS_NAME and start < stop <= part_end:
                return start, stop
            inner = stop
    return end, end


@unit_kernel
def read_certificate(table, buf, at, end, i):
    """Note subject and issuer of the certificate `buf[at:end]` in flow `i`: 1, or 0 where it is none.

    The subject is its common name, else its first DNS name; lower case, as it is most often a host's.
    """
    flow = table.flows[i]
    slot = table.slots[i]
    if flow.location_len > 0:
        # Its text stands where theirs would.
        return np.int64(0)
    tag, at, behind = element(buf, at, end)
    end = min(behind, end)
    if tag != SEQUENCE:
        return np.int64(0)
    tag, at, behind = element(buf, at, end)
    end = min(behind, end)
    if tag != SEQUENCE:
        return np.int64(0)
    tag, _, behind = element(buf, at, end)
    if tag == VERSION:
        at = min(behind, end)
        tag, _, behind = element(buf, at, end)
    if tag != INTEGER:
        return np.int64(0)
    # Serial number and signature algorithm stand before the issuer, the validity before the subject.
    _, _, behind = element(buf, min(behind, end), end)
    tag, start, stop = element(buf, min(behind, end), end)
    if tag != SEQUENCE:
        return np.int64(0)
    kind, first, last = common_name(buf, start, min(stop, end))
    flow.issuer_len = 0
    if kind >= 0:
        limit = ISSUER_AT + CERTIFICATE_MAX
        flow.issuer_len = put_string(slot, ISSUER_AT, limit, buf, first, last, kind) - ISSUER_AT
    _, _, behind = element(buf, min(stop, end), end)
    tag, start, stop = element(buf, min(behind, end), end)
    if tag != SEQUENCE:
        return np.int64(1)
    kind, first, last = common_name(buf, start, min(stop, end))
    if kind < 0:
        at = min(stop, end)
        while at < end:
            tag, start, behind = element(buf, at, end)
            if tag < 0:
                break
            if tag == EXTENSIONS:
                first, last = first_dns_name(buf, start, min(behind, end))
                break
            at = behind
    limit = CERTIFICATE_AT + CERTIFICATE_MAX
    behind = put_string(slot, CERTIFICATE_AT, limit, buf, first, last, kind)
    lower(slot, CERTIFICATE_AT, behind)
    flow.certificate_len = behind - CERTIFICATE_AT
    return np.int64(1)


@unit_kernel
def read_certificate_message(table, buf, at, end, final, i):
    """Read the server's own certificate of a Certificate message's body (RFC 5246, 7.4.2); 0: not all there.

    With `final` it is read as far as it is there.
    """
    # The length of all of them, then that of the first.
    if end - at < 6:
        return np.int64(final)
    behind = at + 6 + u24(buf, at + 3)
    if behind > end and not final:
        return np.int64(0)
    read_certificate(table, buf, at + 6, min(behind, end), i)
    return np.int64(1)
