"""RTP and RTCP (RFC 3550): two packets of one source that follow each other, and reports whose lengths fit.

Zoom's own layers around them have no published form; what is tested here is the outer one as measured by
Michel et al., "Enabling Passive Measurement of Zoom Performance in Production Networks" (IMC 2022).
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u16
from capture.protocols.candidates import note, noted
from pipeline.kernels import packet_kernel, unit_kernel

RTP, ZOOM = APPLICATION["rtp"], APPLICATION["zoom"]
HEADER = 12
#: Sender report to extended report and its kin (IANA, RTCP control packet types).
REPORT_FIRST, REPORT_LAST = 200, 207
#: Payload types that share their byte with reports (RFC 5761, 4).
RESERVED_FIRST, RESERVED_LAST = 64, 95
#: Packets that may have been lost between two; our default.
GAP_MAX = 16


@packet_kernel
def is_header(buf, start, end):
    """True if a version 2 header fits, with its list of sources and its extension."""
    n = end - start
    if n < HEADER or u8(buf, start) >> 6 != 2:
        return False
    kind = u8(buf, start + 1) & 0x7F
    if RESERVED_FIRST <= kind <= RESERVED_LAST:
        return False
    length = HEADER + 4 * (u8(buf, start) & 15)
    if buf[start] & 0x10:
        if n < length + 4:
            return False
        length += 4 + 4 * u16(buf, start + length + 2)
    return length <= n


@unit_kernel
def is_rtp(table, buf, start, end, size, up, i):
    """Check of a datagram: `RTP` for the second of two packets in sequence from one source, or 0.

    The token is half of the source's number over the sequence number.
    """
    if not is_header(buf, start, end):
        return np.int64(0)
    flow = table.flows[i]
    source, sequence = u16(buf, start + 10) ^ u16(buf, start + 8), u16(buf, start + 2)
    before = noted(flow, RTP, up)
    note(flow, RTP, up, source << 16 | sequence)
    step = (sequence - before) & 0xFFFF
    return np.int64(RTP if before != 0 and before >> 16 == source and 0 < step <= GAP_MAX else 0)


@unit_kernel
def is_rtcp(table, buf, start, end, size, up, i):
    """Check of a datagram: `RTP` if reports follow each other to its end, or 0.

    Encrypted ones (RFC 3711, 3.4) show the first report alone: two of them from one source are needed.
    """
    n = end - start
    if n < 8 or n != size or not REPORT_FIRST <= u8(buf, start + 1) <= REPORT_LAST:
        return np.int64(0)
    at = start
    while at + 4 <= end and u8(buf, at) >> 6 == 2 and REPORT_FIRST <= u8(buf, at + 1) <= REPORT_LAST:
        at += 4 + 4 * u16(buf, at + 2)
    if at == end:
        return np.int64(RTP)
    flow = table.flows[i]
    token = u16(buf, start + 4) << 16 | u16(buf, start + 6)
    before = noted(flow, RTP, up)
    note(flow, RTP, up, token)
    return np.int64(RTP if before != 0 and before == token else 0)


@unit_kernel
def is_zoom(table, buf, start, end, size, up, i):
    """Check of a datagram of Zoom's port: `ZOOM`, or 0."""
    n = end - start
    if n >= 9 and buf[start] == 5 and u8(buf, start + 7) in (0, 4):
        # The relay's layer around a medium: audio, video, screen, reports.
        return np.int64(ZOOM if u8(buf, start + 8) in (13, 15, 16, 30, 33, 34, 35) else 0)
    opening = n >= 8 and u8(buf, start) in (1, 2, 3) and buf[start + 1] == 0
    return np.int64(ZOOM if opening and u8(buf, start + 2) in (1, 2, 3) else 0)
