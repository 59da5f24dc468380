"""LDAP (RFC 4511): where a connection turns to TLS, and how binds end."""

import numpy as np

from capture.octets import u8
from capture.protocols.lines import begins_exactly, octets
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

SEQUENCE, INTEGER, ENUMERATED = 0x30, 0x02, 0x0A
# Protocol operations (4.2 to 4.14).
BIND_REQUEST, BIND_RESPONSE, EXTENDED_REQUEST, EXTENDED_RESPONSE = 0x60, 0x61, 0x77, 0x78
REQUEST_NAME, SIMPLE = 0x80, 0x80
START_TLS = octets("1.3.6.1.4.1.1466.20037")
#: Octets that a length may take; more make no message that a network carries. Our default.
LENGTH_OCTETS = 4
SUCCESS, INVALID_CREDENTIALS = 0, 49
#: Bit of `flow.step`: the bind under way names nobody, so its success is no log-in (RFC 4513, 5.1.1).
ANONYMOUS = 1


@packet_kernel
def element(buf, at, end):
    """(offset of the content, offset behind it) of the BER element at `at` (X.690, 8.1); (-1, -1): cut off.

    The content may reach behind `end`. Identifiers are of one octet, lengths definite.
    """
    if end - at < 2:
        return np.int64(-1), np.int64(-1)
    size = u8(buf, at + 1)
    if size < 128:
        return np.int64(at + 2), np.int64(at + 2 + size)
    count = size & 127
    if count == 0 or count > LENGTH_OCTETS or end - at < 2 + count:
        return np.int64(-1), np.int64(-1)
    size = np.int64(0)
    for i in range(count):
        size = size << 8 | u8(buf, at + 2 + i)
    return np.int64(at + 2 + count), np.int64(at + 2 + count + size)


@packet_kernel
def operation(buf, at, end):
    """(offset of the protocol operation, offset behind the message) of the message at `at`; (-1, -1) none."""
    if at >= end or buf[at] != SEQUENCE:
        return np.int64(-1), np.int64(-1)
    inner, behind = element(buf, at, end)
    if inner < 0 or inner >= end or buf[inner] != INTEGER:
        return np.int64(-1), np.int64(-1)
    ident, after = element(buf, inner, end)
    if ident < 0 or after - ident > 5 or after >= end or after >= behind:
        return np.int64(-1), np.int64(-1)
    return after, behind


@packet_kernel
def start_tls_end(buf, at, end):
    """Offset behind the StartTLS request at `at` (4.14), 0 if this is none."""
    inner, behind = operation(buf, at, end)
    if inner < 0 or buf[inner] != EXTENDED_REQUEST:
        return np.int64(0)
    name, _ = element(buf, inner, end)
    if name < 0 or name >= end or buf[name] != REQUEST_NAME:
        return np.int64(0)
    text, after = element(buf, name, end)
    if text < 0 or after - text != len(START_TLS) or not begins_exactly(buf, text, end, START_TLS):
        return np.int64(0)
    return behind


@packet_kernel
def watch_ldap(buf, start, end, up, flow):
    """Count the bind that a segment asks for or answers."""
    inner, _ = operation(buf, start, end)
    if inner < 0:
        return
    content, _ = element(buf, inner, end)
    if content < 0:
        return
    if up and buf[inner] == BIND_REQUEST:
        flow.step &= 0xFF ^ ANONYMOUS
        _, at = element(buf, content, end)
        if 0 < at < end:
            _, at = element(buf, at, end)
            if at > 0 and at + 2 <= end and buf[at] == SIMPLE and buf[at + 1] == 0:
                flow.step |= ANONYMOUS
    elif not up and buf[inner] == BIND_RESPONSE and content + 3 <= end and buf[content] == ENUMERATED:
        if buf[content + 2] == INVALID_CREDENTIALS:
            count_login(flow, True)
        elif buf[content + 2] == SUCCESS and flow.step & ANONYMOUS == 0:
            count_login(flow, False)
