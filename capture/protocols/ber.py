"""ASN.1's basic encoding (X.690), and which protocol in it a message is of.

LDAP (RFC 4511), SNMP (RFC 3417) and Kerberos (RFC 4120) are told apart by what stands behind the outer
header: a message number and an operation, a version and a community, or a sequence that says version 5.
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u32
from capture.protocols.signatures import ENOUGH
from capture.transport import UDP
from pipeline.kernels import packet_kernel, unit_kernel

LDAP, SNMP, KERBEROS = (APPLICATION[word] for word in ("ldap", "snmp", "kerberos"))
#: Identifiers (X.690, 8.1.2).
INTEGER, OCTETS, ENUMERATED, SEQUENCE = 0x02, 0x04, 0x0A, 0x30
#: LDAP's operations (RFC 4511, 4.2 to 4.14): those that are constructed, then unbind, delete, abandon.
OPERATION_FIRST, OPERATION_LAST, OPERATIONS_PLAIN = 0x60, 0x79, (0x42, 0x4A, 0x50)
#: Data units of SNMP (RFC 3416, 3; RFC 1157, 4.1).
UNIT_FIRST, UNIT_LAST = 0xA0, 0xA8
#: Where lengths need not fit what there is: LDAP, the global catalogue, SNMP and its traps, Kerberos.
PORTS, KERBEROS_PORT = (389, 3268, 161, 162), 88
#: Octets that a length may take; more make nothing that a network carries. Our default.
LENGTH_OCTETS = 4


@packet_kernel
def element(buf, at, end):
    """(identifier, start, stop) of the content of the element at `at` (8.1); (-1, end, end): there is none.

    The content may reach behind `end`. Identifiers are of one octet, lengths definite.
    """
    if end - at < 2:
        return -1, end, end
    length = u8(buf, at + 1)
    start = at + 2
    if length >= 0x80:
        octets = length & 0x7F
        if octets == 0 or octets > LENGTH_OCTETS or end - start < octets:
            return -1, end, end
        length = np.int64(0)
        for i in range(octets):
            length = length << 8 | u8(buf, start + i)
        start += octets
    return u8(buf, at), start, start + length


@unit_kernel
def is_directory_or_management(table, buf, start, end, size, up, i):
    """Check: `LDAP` or `SNMP` for a sequence that begins with a number, or 0."""
    flow = table.flows[i]
    datagram = flow.protocol == UDP
    own_port = flow.server_port in PORTS or flow.client_port in PORTS
    outer, at, stop = element(buf, start, end)
    if outer < 0 or at + 3 > end or buf[at] != INTEGER:
        return np.int64(0)
    total = stop - start
    if total > size and not own_port and (datagram or size < ENOUGH):
        return np.int64(0)
    digits = u8(buf, at + 1)
    if digits < 1 or digits > 4 or at + 2 + digits + 2 > end:
        return np.int64(0)
    number, at = u8(buf, at + 1 + digits), at + 2 + digits
    tag, _, behind = element(buf, at, end)
    if tag < 0 or (behind > stop and not own_port):
        return np.int64(0)
    if digits == 1 and tag == OCTETS and number <= 2 and datagram:
        return np.int64(SNMP if behind < end and UNIT_FIRST <= u8(buf, behind) <= UNIT_LAST else 0)
    if digits == 1 and tag == SEQUENCE and number == 3 and datagram:
        return np.int64(SNMP)
    operation = OPERATION_FIRST <= tag <= OPERATION_LAST or tag in OPERATIONS_PLAIN
    # Behind the operation come controls, or nothing.
    return np.int64(LDAP if operation else 0)


@unit_kernel
def is_kerberos(table, buf, start, end, size, up, i):
    """Check: `KERBEROS` for a message of version 5, behind its length in a stream (RFC 4120, 7.2.2)."""
    flow = table.flows[i]
    own_port = flow.server_port == KERBEROS_PORT or flow.client_port == KERBEROS_PORT
    at = start
    if flow.protocol != UDP:
        if end - start < 8 or (u32(buf, start) + 4 > size and size < ENOUGH and not own_port):
            return np.int64(0)
        at += 4
    tag, inner, _ = element(buf, at, end)
    if inner >= end or buf[inner] != SEQUENCE:
        return np.int64(0)
    _, field, _ = element(buf, inner, end)
    if field + 5 > end or u8(buf, field) not in (0xA0, 0xA1):
        return np.int64(0)
    # Requests of tickets, answers, requests to services, errors; [0] or [1] INTEGER 5.
    kind = 0x6A <= tag <= 0x6F or 0x74 <= tag <= 0x76 or tag == 0x7E
    return np.int64(KERBEROS if kind and u32(buf, field + 1) == 0x03020105 else 0)
