"""PostgreSQL (protocol 3, "Message Formats"): where a connection turns to TLS, and how its log-in ends."""

import numpy as np

from capture.octets import u8, u32
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

REQUEST_SIZE, SSL_REQUEST, GSS_REQUEST = 8, 80_877_103, 80_877_104
AUTHENTICATION, ERROR, NEGOTIATE_VERSION = 82, 69, 118
WILLING, UNWILLING = 83, 78
#: Messages of one segment that are looked at; our default.
MESSAGES_MAX = 8
#: Code field of an error, and the class "invalid authorization specification" (appendix A).
CODE_FIELD, CLASS_28 = 67, 0x3238


@packet_kernel
def ssl_request_end(buf, at, end):
    """Offset behind the SSLRequest at `at`, and a GSSENCRequest before it; 0 if this is none."""
    for _ in range(2):
        if end - at < REQUEST_SIZE or u32(buf, at) != REQUEST_SIZE:
            return np.int64(0)
        code = u32(buf, at + 4)
        at += REQUEST_SIZE
        if code == SSL_REQUEST:
            return np.int64(at)
        if code != GSS_REQUEST:
            return np.int64(0)
    return np.int64(0)


@packet_kernel
def is_refused(buf, at, end):
    """True if the fields of the error at `at` tell that nobody is let in: SQLSTATE 28xxx."""
    while at < end and buf[at] != 0:
        if buf[at] == CODE_FIELD and end - at >= 3:
            return (u8(buf, at + 1) << 8 | u8(buf, at + 2)) == CLASS_28
        while at < end and buf[at] != 0:
            at += 1
        at += 1
    return False


@packet_kernel
def watch_postgresql(buf, start, end, up, flow):
    """Count how the connection's one log-in ends; then there is no more to see."""
    if up:
        return
    at = start
    for _ in range(MESSAGES_MAX):
        if end - at < 5:
            return
        size = u32(buf, at + 1)
        if size < 4:
            return
        if buf[at] == AUTHENTICATION and end - at >= 9:
            if u32(buf, at + 5) == 0:
                count_login(flow, False)
                flow.watch = 0
                return
        elif buf[at] == ERROR:
            if is_refused(buf, at + 5, min(end, at + 1 + size)):
                count_login(flow, True)
            flow.watch = 0
            return
        elif buf[at] != NEGOTIATE_VERSION:
            return
        at += 1 + size
