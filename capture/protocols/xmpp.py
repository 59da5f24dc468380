"""XMPP (RFC 6120): where a stream turns to TLS."""

import numpy as np

from capture.protocols.lines import begins_exactly, octets
from pipeline.kernels import packet_kernel

START_TLS, CLOSING = octets("<starttls"), octets("</starttls>")
TAG_START, TAG_END, SLASH = 60, 62, 47


@packet_kernel
def start_tls_end(buf, at, end):
    """Offset behind the `starttls` element at `at` (5.4.2.1), 0 if this is none or it is cut off."""
    if not begins_exactly(buf, at, end, START_TLS):
        return np.int64(0)
    while at < end and buf[at] != TAG_END:
        at += 1
    if at == end:
        return np.int64(0)
    closed = buf[at - 1] == SLASH
    at += 1
    if closed:
        return np.int64(at)
    return np.int64(at + len(CLOSING) if begins_exactly(buf, at, end, CLOSING) else 0)


@packet_kernel
def find_start_tls(buf, at, end):
    """Offset behind the first `starttls` element of the stream, 0 if it holds none."""
    while at < end:
        if buf[at] == TAG_START:
            behind = start_tls_end(buf, at, end)
            if behind > 0:
                return behind
        at += 1
    return np.int64(0)
