"""SSH (RFC 4253, RFC 4252): how log-ins end, told by the sizes of encrypted packets.

A heuristic. SERVICE_REQUEST and SERVICE_ACCEPT are of one size (17 octets of payload), and USERAUTH_SUCCESS,
of one octet, is 16 octets shorter with every cipher and MAC in use: padding goes to a multiple of 8 or 16
octets and the rest is the same (RFC 4253, 6). USERAUTH_FAILURE always lists the same methods, so it is of
one size: what the server first answers (to a query for the methods, "none") and answers again is a refusal.
Not seen: a refusal that is the only one of its connection, log-ins behind a banner in the same segment, and
keys exchanged anew before the log-in.
"""

import numpy as np

from capture.octets import u32
from capture.protocols.lines import begins_exactly
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

#: The NEWKEYS packet (RFC 4253, 7.3) in the clear: length 12, padding 10, message 21.
NEW_KEYS = np.array([0, 0, 0, 12, 10, 21], np.uint8)
NEW_KEYS_SIZE = 16
#: Messages with which the client's part of a key exchange begins (RFC 4253, 8; RFC 4419, 3).
KEX_INIT, KEX_GROUP_REQUEST = 30, 34
#: Bits of `flow.step`: keys taken by the client, by the server; the service granted; a request under way.
KEYS_UP, KEYS_DOWN, GRANTED, REQUESTED = 1, 2, 4, 8
#: What one is shorter than the other.
SHORTER = 16
#: Longest segment that can be SERVICE_ACCEPT (32 octets, length, MAC), longest told apart; our defaults.
ACCEPT_MAX, SIZE_MAX = 32 + 4 + 64, 0xFFFF


@packet_kernel
def takes_keys(buf, start, end):
    """True if the segment holds NEWKEYS in the clear."""
    for at in range(start, end - NEW_KEYS_SIZE + 1):
        if begins_exactly(buf, at, end, NEW_KEYS):
            return True
    return False


@packet_kernel
def asks_for_keys(buf, start, end):
    """True if the segment is the client's first message of a key exchange."""
    if end - start < 6 or u32(buf, start) + 4 != end - start:
        return False
    return buf[start + 5] == KEX_INIT or buf[start + 5] == KEX_GROUP_REQUEST


@packet_kernel
def watch_ssh(buf, start, end, up, flow):
    """Follow a connection to the end of its log-in.

    `flow.token_up` is the size of the client's last segment, then of SERVICE_ACCEPT; `flow.token_down`
    that of USERAUTH_FAILURE, 0 unknown.
    """
    keys = KEYS_UP if up else KEYS_DOWN
    size = min(end - start, SIZE_MAX)
    if flow.step & keys == 0:
        if takes_keys(buf, start, end):
            flow.step |= keys
        elif not up and asks_for_keys(buf, start, end):
            # Who opened the connection is the server: it lets itself be logged in to.
            flow.watch = 0
        return
    if flow.step & GRANTED == 0:
        if up:
            flow.token_up = size if size <= ACCEPT_MAX else 0
        elif flow.step & KEYS_UP and flow.token_up == size and size > SHORTER:
            flow.step |= GRANTED
        return
    if up:
        flow.step |= REQUESTED
        return
    if size == flow.token_up - SHORTER:
        count_login(flow, False)
        flow.watch = 0
        return
    if flow.step & REQUESTED == 0:
        # A second answer to one request: the first was a banner (RFC 4252, 5.4).
        flow.token_down = size
        return
    flow.step &= 0xFF ^ REQUESTED
    if flow.token_down == 0:
        flow.token_down = size
    elif flow.token_down == size:
        count_login(flow, True)
