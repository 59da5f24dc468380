"""SSL 2.0: its ClientHello, which later versions could use too (RFC 5246, E.2), and the server's answer."""

import numpy as np

from capture.octets import u8, u16
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.tls_numbers import SSL2, TLS, version_code
from capture.protocols.x509 import read_certificate
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_CERTIFICATE, HELLO_CLIENT, HELLO_SERVER

#: Message types, and the bytes of their fixed parts behind the two of the record's header.
CLIENT_HELLO, CLIENT_FIXED, SERVER_HELLO, SERVER_FIXED = 1, 9, 4, 11
#: The one type of certificate there was.
X509 = 1


@packet_kernel
def fits(buf, start, end, kind, fixed):
    """True if the record's length is the sum of its parts; `end - start` bytes are there, all of `fixed`."""
    if end - start < 2 + fixed or u8(buf, start) & 0x80 == 0 or buf[start + 2] != kind:
        return False
    at = start + 2 + fixed - 6
    parts = u16(buf, at) + u16(buf, at + 2) + u16(buf, at + 4)
    return u16(buf, start) & 0x7FFF == fixed + parts


@unit_kernel
def read_ssl2(table, buf, start, end, final, i):
    """Reader of a stream: a hello of SSL 2.0."""
    flow = table.flows[i]
    if end - start < 7 or u8(buf, start) & 0x80 == 0:
        return np.int64(NOT)
    kind = buf[start + 2]
    if kind == CLIENT_HELLO and version_code(u16(buf, start + 3)) != 0:
        if end - start < 2 + CLIENT_FIXED and not final:
            return np.int64(MORE)
        if not fits(buf, start, end, CLIENT_HELLO, CLIENT_FIXED):
            return np.int64(NOT)
        version = version_code(u16(buf, start + 3))
        specs, session, challenge = u16(buf, start + 5), u16(buf, start + 7), u16(buf, start + 9)
        if specs == 0 or specs % 3 != 0 or session not in (0, 16):
            return np.int64(NOT)
        if challenge < 16 or challenge > 32:
            return np.int64(NOT)
        flow.application = TLS
        flow.hello |= HELLO_CLIENT
        flow.tls_version = version
        return np.int64(DONE)
    if kind == SERVER_HELLO and version_code(u16(buf, start + 5)) == SSL2:
        if end - start < 2 + SERVER_FIXED and not final:
            return np.int64(MORE)
        if not fits(buf, start, end, SERVER_HELLO, SERVER_FIXED):
            return np.int64(NOT)
        at = start + 2 + SERVER_FIXED
        behind = at + u16(buf, start + 7)
        if behind > end and not final:
            return np.int64(MORE)
        flow.application = TLS
        flow.hello |= HELLO_SERVER
        flow.tls_version = SSL2
        if buf[start + 4] == X509 and behind > at:
            flow.hello |= HELLO_CERTIFICATE
            read_certificate(table, buf, at, min(behind, end), i)
        return np.int64(DONE)
    return np.int64(NOT)
