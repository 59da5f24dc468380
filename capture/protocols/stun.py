"""STUN (RFC 8489, RFC 5389) by its magic cookie, and its first form (RFC 3489) by attributes that fit."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u16, u32
from capture.protocols.candidates import note, noted
from pipeline.kernels import packet_kernel, unit_kernel

STUN = APPLICATION["stun"]
HEADER = 20
MAGIC_COOKIE = 0x2112A442
#: Binding and shared secret: request, answer, error (RFC 3489, 11.1); TURN's own of that time (MS-TURN).
CLASSIC_TYPES = (0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112, 0x0003, 0x0103, 0x0113, 0x0004, 0x0115)
PORTS = (3478, 3479, 19302)


@packet_kernel
def attributes_fit(buf, at, end):
    """True if attributes, at least one, fill the bytes to their end."""
    if at >= end:
        return False
    while at + 4 <= end:
        at += 4 + (u16(buf, at + 2) + 3 & ~3)
    return at == end


@unit_kernel
def is_stun(table, buf, start, end, size, up, i):
    """Check of a datagram: `STUN`, or 0."""
    if end - start < HEADER:
        return np.int64(0)
    length = u16(buf, start + 2)
    if u32(buf, start + 4) == MAGIC_COOKIE:
        # Some pad, or add their own bytes behind.
        return np.int64(
            STUN if length + HEADER == size or (length % 4 == 0 and length + HEADER < size) else 0
        )
    if u16(buf, start) not in CLASSIC_TYPES or length + HEADER != size:
        return np.int64(0)
    if attributes_fit(buf, start + HEADER, end):
        return np.int64(STUN)
    flow = table.flows[i]
    if flow.server_port in PORTS or flow.client_port in PORTS:
        return np.int64(STUN)
    # A request of a header alone: its answer has the same number.
    token = u32(buf, start + 16) | 1
    answers = noted(flow, STUN, 0 if up else 1) == token
    note(flow, STUN, up, token)
    return np.int64(STUN if answers else 0)
