"""NTP (RFC 5905, 7.3) in every version and mode; control (RFC 9327) and private modes on its port alone."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u32
from pipeline.kernels import unit_kernel

NTP = APPLICATION["ntp"]
PORT = 123
HEADER = 48
#: Authentication behind the header: none, a crypto-NAK, key number with MD5 or SHA-1 (RFC 5905, 7.5).
SIZES = (HEADER, HEADER + 4, HEADER + 20, HEADER + 24)
CLIENT, SERVER, CONTROL, PRIVATE = 3, 4, 6, 7
#: Highest stratum and poll exponent (RFC 5905, 7.2).
STRATUM_MAX, POLL_MAX = 16, 17
#: Precision of a clock: a power of two of seconds, 2**-32 to 2**-1, or 0 for unset.
PRECISION_MIN = 0xE0
#: Transmit times from 2002 on; some clients send a random number or zero instead.
ERA = 0xC2


@unit_kernel
def is_ntp(table, buf, start, end, size, up, i):
    """Check of a datagram: `NTP`, or 0."""
    n = end - start
    if n < 8:
        return np.int64(0)
    flow = table.flows[i]
    own_port = flow.server_port == PORT or flow.client_port == PORT
    version, mode = u8(buf, start) >> 3 & 7, u8(buf, start) & 7
    if version < 1 or version > 4 or mode == 0:
        return np.int64(0)
    if mode in (CONTROL, PRIVATE):
        return np.int64(NTP if own_port else 0)
    if n < HEADER:
        return np.int64(0)
    stratum, poll, precision = u8(buf, start + 1), u8(buf, start + 2), u8(buf, start + 3)
    sane = stratum <= STRATUM_MAX and (precision == 0 or precision >= PRECISION_MIN)
    if own_port:
        return np.int64(NTP if sane or mode == CLIENT else 0)
    timed = u8(buf, start + 40) >= ERA and u32(buf, start + 4) < 0x100000
    usual = version >= 3 and mode in (CLIENT, SERVER) and size in SIZES
    return np.int64(NTP if usual and sane and timed and poll <= POLL_MAX else 0)
