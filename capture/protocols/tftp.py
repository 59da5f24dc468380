"""TFTP (RFC 1350, RFC 2347): requests by their form, transfers by a block and its acknowledgement."""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u16, u32
from capture.protocols.candidates import note, noted
from pipeline.kernels import packet_kernel, unit_kernel

TFTP = APPLICATION["tftp"]
DATA, ACKNOWLEDGEMENT, ERROR, OPTIONS = 3, 4, 5, 6
#: Size of a full block of data with its header, where no option says otherwise.
FULL = 516
#: Highest error code (RFC 2347); longest file name or mode, our default.
ERROR_CODE_MAX, NAME_MAX = 8, 255
#: The first letters of `netascii`, `octet` and `mail`, in small ones.
MODES = (0x6E657461, 0x6F637465, 0x6D61696C)


@packet_kernel
def text_end(buf, at, end):
    """Position of the zero byte that ends printable text, -1 if there is none."""
    for k in range(at, min(end, at + NAME_MAX)):
        octet = u8(buf, k)
        if octet == 0:
            return k
        if octet < 32 or octet == 127:
            return -1
    return -1


@unit_kernel
def is_tftp_request(table, buf, start, end, size, up, i):
    """Check of a datagram: `TFTP` for a file's name and one of the modes, or 0."""
    name = text_end(buf, start + 2, end)
    if name <= start + 2 or name + 5 >= end:
        return np.int64(0)
    mode = text_end(buf, name + 1, end)
    known = (u32(buf, name + 1) | 0x20202020) in MODES
    return np.int64(TFTP if mode > name + 4 and known else 0)


@unit_kernel
def is_tftp(table, buf, start, end, size, up, i):
    """Check of a datagram: `TFTP` for one that answers or follows another, an error, or options; or 0."""
    if end - start < 4:
        return np.int64(0)
    flow = table.flows[i]
    kind, number = u16(buf, start), u16(buf, start + 2)
    if kind == DATA or (kind == ACKNOWLEDGEMENT and size == 4):
        theirs, ours = noted(flow, TFTP, 0 if up else 1), noted(flow, TFTP, up)
        note(flow, TFTP, up, kind << 16 | number)
        if kind == ACKNOWLEDGEMENT:
            return np.int64(TFTP if theirs == (DATA << 16 | number) else 0)
        before = (number - 1) & 0xFFFF
        follows = ours == (DATA << 16 | before) and size == FULL
        return np.int64(TFTP if follows or theirs == (ACKNOWLEDGEMENT << 16 | before) else 0)
    if kind == ERROR and number <= ERROR_CODE_MAX:
        return np.int64(TFTP if end - start > 5 and text_end(buf, start + 4, end) == end - 1 else 0)
    if kind == OPTIONS:
        # blksize, timeout, tsize, windowsize, each with its number.
        option = text_end(buf, start + 2, end)
        known = (u8(buf, start + 2) | 0x20) in (98, 116, 119)
        if option > start + 5 and known and text_end(buf, option + 1, end) > option + 1:
            return np.int64(TFTP)
    return np.int64(0)
