"""What the watchers of segments behind the heads share: counting log-ins, beginning a head anew."""

import numpy as np

from capture.flows import CLIENT_HEAD_DONE, NONE, SERVER_HEAD_DONE
from capture.protocols.tls import RECORD, is_record
from capture.protocols.tls_numbers import CLIENT_HELLO, HANDSHAKE
from pipeline.kernels import packet_kernel

#: Most that a row counts.
LOGINS_MAX = 65_535


@packet_kernel
def count_login(flow, failed):
    """Count one attempt to log in, refused or not."""
    if flow.logins < LOGINS_MAX:
        flow.logins += 1
        if failed:
            flow.logins_failed += 1


@packet_kernel
def opens_tls(buf, at, end):
    """True if the bytes at `at` begin a ClientHello, as far as they go."""
    if not is_record(buf, at, end) or buf[at] != HANDSHAKE:
        return False
    return end - at <= RECORD or buf[at + RECORD] == CLIENT_HELLO


@packet_kernel
def is_newest(flow, packet, up):
    """True if no byte behind the segment was seen before: it is neither old nor sent again after others."""
    stop = (packet.seq + packet.payload_bytes) & 0xFFFFFFFF
    newest = flow.seq_up if up else flow.seq_down
    return stop == newest or (stop + 1) & 0xFFFFFFFF == newest


@packet_kernel
def restart(flow, packet, up):
    """Begin the head of one direction with this segment; 1, unless that head is being put together."""
    if up:
        if flow.head != NONE:
            return np.int64(0)
        flow.done &= 0xFF ^ CLIENT_HEAD_DONE
        if flow.base_up != NONE:
            flow.base_up = packet.seq
        return np.int64(1)
    if flow.head_down != NONE:
        return np.int64(0)
    flow.done &= 0xFF ^ SERVER_HEAD_DONE
    if flow.base_down != NONE:
        flow.base_down = packet.seq
    return np.int64(1)
