"""Protocols in ASN.1's basic encoding (X.690, 8.1): LDAP (RFC 4511), SNMP (RFC 3417), Kerberos (RFC 4120).

Told apart by what stands behind the outer header: a message number and an operation, a version and a
community, or a sequence that says protocol version 5.
"""

import numpy as np

from capture.octets import u8, u32
from capture.protocols.signatures import CODE, ENOUGH
from capture.transport import UDP
from pipeline.kernels import packet_kernel, unit_kernel

LDAP, SNMP, KERBEROS = (CODE[word] for word in ("ldap", "snmp", "kerberos"))
INTEGER, OCTETS, SEQUENCE = 0x02, 0x04, 0x30
#: LDAP's operations (RFC 4511, 4.2 to 4.14): those that are constructed, then unbind, delete, abandon.
OPERATION_FIRST, OPERATION_LAST, OPERATIONS_PLAIN = 0x60, 0x79, (0x42, 0x4A, 0x50)
#: Data units of SNMP (RFC 3416, 3; RFC 1157, 4.1).
UNIT_FIRST, UNIT_LAST = 0xA0, 0xA8
#: Where lengths need not fit what there is: LDAP, the global catalogue, SNMP and its traps, Kerberos.
PORTS, KERBEROS_PORT = (389, 3268, 161, 162), 88
#: Length bytes read at most: messages of 16 MiB.
LENGTH_BYTES_MAX = 4


@packet_kernel
def contents(buf, at, end):
    """(where the contents of the element at `at` begin, their length); (-1, 0) if its header does not fit."""
    if at + 2 > end:
        return -1, np.int64(0)
    length = u8(buf, at + 1)
    if length < 0x80:
        return at + 2, length
    count = length & 0x7F
    if count == 0 or count > LENGTH_BYTES_MAX or at + 2 + count > end:
        return -1, np.int64(0)
    length = np.int64(0)
    for n in range(count):
        length = length << 8 | u8(buf, at + 2 + n)
    return at + 2 + count, length


@unit_kernel
def is_directory_or_management(table, buf, start, end, size, up, i):
    """Check: `LDAP` or `SNMP` for a sequence that begins with a number, or 0."""
    flow = table.flows[i]
    datagram = flow.protocol == UDP
    own_port = flow.server_port in PORTS or flow.client_port in PORTS
    at, length = contents(buf, start, end)
    if at < 0 or at + 3 > end or buf[at] != INTEGER:
        return np.int64(0)
    total = at - start + length
    if total > size and not own_port and (datagram or size < ENOUGH):
        return np.int64(0)
    digits = u8(buf, at + 1)
    if digits < 1 or digits > 4 or at + 2 + digits + 2 > end:
        return np.int64(0)
    number, at = u8(buf, at + 1 + digits), at + 2 + digits
    tag = u8(buf, at)
    inner, inner_length = contents(buf, at, end)
    if inner < 0 or (inner - start + inner_length > total and not own_port):
        return np.int64(0)
    if digits == 1 and tag == OCTETS and number <= 2 and datagram:
        unit = inner + inner_length
        return np.int64(SNMP if unit < end and UNIT_FIRST <= u8(buf, unit) <= UNIT_LAST else 0)
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
    tag = u8(buf, at)
    inner, _ = contents(buf, at, end)
    if inner < 0 or inner >= end or buf[inner] != SEQUENCE:
        return np.int64(0)
    field, _ = contents(buf, inner, end)
    if field < 0 or field + 5 > end or u8(buf, field) not in (0xA0, 0xA1):
        return np.int64(0)
    # Requests of tickets, answers, requests to services, errors; [0] or [1] INTEGER 5.
    kind = 0x6A <= tag <= 0x6F or 0x74 <= tag <= 0x76 or tag == 0x7E
    return np.int64(KERBEROS if kind and u32(buf, field + 1) == 0x03020105 else 0)
