"""SVCB and HTTPS records (RFC 9460): where a service is, its protocols, whether it has keys for ECH."""

import numpy as np

from capture.octets import put_decimal, put_escaped, u8, u16
from capture.protocols.domain import read_name
from pipeline.kernels import packet_kernel

SVCB, HTTPS = 64, 65
#: Service parameters (RFC 9460, 14.3.2; RFC 9848, 4).
ALPN, PORT, ECH = 1, 3, 5
#: Room for the text behind the target.
PARAMETERS_ROOM = 128

ALPN_WORD = np.frombuffer(b" alpn=", np.uint8)
PORT_WORD = np.frombuffer(b" port=", np.uint8)
ECH_WORD = np.frombuffer(b" ech", np.uint8)


@packet_kernel
def put_octets(out, at, limit, octets):
    """Append a constant text, whole or not at all."""
    if at + len(octets) > limit:
        return at
    for i in range(len(octets)):
        out[at + i] = octets[i]
    return at + len(octets)


@packet_kernel
def put_alpn(out, at, limit, buf, start, end):
    """Append the protocols of `alpn` by commas; commas, backslashes and spaces in them are escaped."""
    first = start
    while start < end:
        length = u8(buf, start)
        if length == 0 or start + 1 + length > end:
            break
        if start > first and at < limit:
            out[at] = 44
            at += 1
        for i in range(start + 1, start + 1 + length):
            octet = u8(buf, i)
            if octet <= 32 or octet >= 127 or octet == 44 or octet == 92:
                at = put_escaped(out, at, limit, octet)
            elif at < limit:
                out[at] = octet
                at += 1
        start += 1 + length
    return at


@packet_kernel
def put_service(out, at, limit, buf, message, end, data, stop):
    """Append one record's text: the target, then ` alpn=h2,h3`, ` port=8443` and ` ech` where it has them.

    The target is `.` where it is the owner itself. Returns the position after it, `at` if it is broken.
    """
    if data + 3 > stop:
        return at
    behind, position = read_name(buf, message, end, data + 2, out, at, limit - PARAMETERS_ROOM)
    if behind < 0 or behind > stop:
        return at
    if position == at:
        out[position] = 46
        position += 1
    while behind + 4 <= stop:
        key = u16(buf, behind)
        start = behind + 4
        behind = start + u16(buf, behind + 2)
        if behind > stop:
            break
        if key == ALPN:
            begun = put_octets(out, position, limit, ALPN_WORD)
            after = put_alpn(out, begun, limit, buf, start, behind)
            if begun > position and after > begun:
                position = after
        elif key == PORT and behind - start == 2:
            begun = put_octets(out, position, limit, PORT_WORD)
            if begun > position:
                position = put_decimal(out, begun, limit, u16(buf, start))
        elif key == ECH:
            position = put_octets(out, position, limit, ECH_WORD)
    return position
