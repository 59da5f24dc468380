"""LDAP (RFC 4511): where a connection turns to TLS, and how binds end."""

import numpy as np

from capture.protocols.ber import ENUMERATED, INTEGER, SEQUENCE, element
from capture.protocols.lines import begins_exactly, octets
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

# Protocol operations (4.2 to 4.14).
BIND_REQUEST, BIND_RESPONSE, EXTENDED_REQUEST, EXTENDED_RESPONSE = 0x60, 0x61, 0x77, 0x78
REQUEST_NAME, SIMPLE = 0x80, 0x80
START_TLS = octets("1.3.6.1.4.1.1466.20037")
SUCCESS, INVALID_CREDENTIALS = 0, 49
#: Bit of `flow.step`: the bind under way names nobody, so its success is no log-in (RFC 4513, 5.1.1).
ANONYMOUS = 1


@packet_kernel
def operation(buf, at, end):
    """(offset of the protocol operation, offset behind the message) of the message at `at`; (-1, -1) none."""
    if at >= end or buf[at] != SEQUENCE:
        return np.int64(-1), np.int64(-1)
    _, inner, behind = element(buf, at, end)
    if inner >= end or buf[inner] != INTEGER:
        return np.int64(-1), np.int64(-1)
    _, number, after = element(buf, inner, end)
    if after - number > 5 or after >= end or after >= behind:
        return np.int64(-1), np.int64(-1)
    return after, behind


@packet_kernel
def start_tls_end(buf, at, end):
    """Offset behind the StartTLS request at `at` (4.14), 0 if this is none."""
    inner, behind = operation(buf, at, end)
    if inner < 0 or buf[inner] != EXTENDED_REQUEST:
        return np.int64(0)
    _, name, _ = element(buf, inner, end)
    if name >= end or buf[name] != REQUEST_NAME:
        return np.int64(0)
    _, text, after = element(buf, name, end)
    if after - text != len(START_TLS) or not begins_exactly(buf, text, end, START_TLS):
        return np.int64(0)
    return behind


@packet_kernel
def watch_ldap(buf, start, end, up, flow):
    """Count the bind that a segment asks for or answers."""
    inner, _ = operation(buf, start, end)
    if inner < 0:
        return
    _, content, _ = element(buf, inner, end)
    if up and buf[inner] == BIND_REQUEST:
        flow.step &= 0xFF ^ ANONYMOUS
        _, _, at = element(buf, content, end)
        if at < end:
            _, _, at = element(buf, at, end)
            if at + 2 <= end and buf[at] == SIMPLE and buf[at + 1] == 0:
                flow.step |= ANONYMOUS
    elif not up and buf[inner] == BIND_RESPONSE and content + 3 <= end and buf[content] == ENUMERATED:
        if buf[content + 2] == INVALID_CREDENTIALS:
            count_login(flow, True)
        elif buf[content + 2] == SUCCESS and flow.step & ANONYMOUS == 0:
            count_login(flow, False)
