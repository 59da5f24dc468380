"""NetFlow 5 and 9 (RFC 3954, 5.1) and IPFIX (RFC 7011, 3.1), from routers to their collectors."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u16, u32
from pipeline.kernels import packet_kernel, unit_kernel

NETFLOW = APPLICATION["netflow"]
#: Header and record of version 5, and the most records in a datagram.
HEADER_5, RECORD_5, RECORDS_5_MAX = 24, 48, 30
HEADER_9, HEADER_10 = 20, 16
#: Exporters' clocks say 2000 or later; our default.
TIME_MIN = 946_684_800


@packet_kernel
def is_set(buf, at, end, template_last):
    """True if a set's header fits: templates, option templates, or records of a template (256 and up)."""
    kind, length = u16(buf, at), u16(buf, at + 2)
    return (kind <= template_last or kind >= 256) and 4 <= length <= end - at


@unit_kernel
def is_netflow(table, buf, start, end, size, up, i):
    """Check of a datagram: `NETFLOW`, or 0."""
    if end - start < HEADER_5:
        return np.int64(0)
    version, count = u16(buf, start), u16(buf, start + 2)
    fits = False
    if version == 5:
        fits = 0 < count <= RECORDS_5_MAX and size == HEADER_5 + count * RECORD_5
    elif version == 9:
        fits = count > 0 and u32(buf, start + 8) >= TIME_MIN and is_set(buf, start + HEADER_9, end, 1)
    elif version == 10:
        fits = count == size and u32(buf, start + 4) >= TIME_MIN and is_set(buf, start + HEADER_10, end, 3)
    return np.int64(NETFLOW if fits else 0)
