"""ClientHello and ServerHello (RFC 8446, 4.1; RFC 6347, 4.2.1), however they came: over TCP, QUIC or UDP."""

import numpy as np

from capture.flows import ALPN_AT, ALPN_MAX, NAME_MAX
from capture.octets import put_name, put_text, u8, u16
from capture.protocols.ja4 import fingerprint_client, first_protocol
from capture.protocols.tls_numbers import (
    ALPN,
    ENCRYPTED_CLIENT_HELLO,
    ENCRYPTED_SERVER_NAME,
    OVER_DATAGRAMS,
    OVER_QUIC,
    SERVER_NAME,
    SSL2,
    SUPPORTED_VERSIONS,
    TLS_1_3,
    version_code,
)
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_CLIENT, HELLO_SERVER, NAME_SOURCES

NAME_FROM_SNI, NAME_FROM_QUIC = NAME_SOURCES.index("sni"), NAME_SOURCES.index("quic")
#: Version and random, which every hello begins with.
FIXED = 34


@unit_kernel
def client_hello_body(table, buf, at, end, i, transport):
    """Read a ClientHello's body `buf[at:end]`, cut off or whole, into flow `i`; 1, or 0 where it is none.

    `transport` is what it came over: `OVER_TCP`, `OVER_QUIC` or `OVER_DATAGRAMS`. A whole one has a JA4.
    """
    flow = table.flows[i]
    version = u16(buf, at) if end - at >= 2 else 0
    if end - at >= 2 and version_code(version) == 0:
        return np.int64(0)
    flow.hello |= HELLO_CLIENT
    flow.alpn_len = 0
    flow.ja4_len = 0
    flow.ech = 0
    if flow.hello & HELLO_SERVER == 0:
        flow.tls_version = version_code(version)
    at += FIXED
    if end - at < 1:
        return np.int64(1)
    at += 1 + u8(buf, at)
    if transport == OVER_DATAGRAMS:
        # The cookie (RFC 6347, 4.2.1).
        if end - at < 1:
            return np.int64(1)
        at += 1 + u8(buf, at)
    if end - at < 2:
        return np.int64(1)
    suites = at + 2
    suites_end = suites + u16(buf, at)
    at = suites_end
    if end - at < 1:
        return np.int64(1)
    at += 1 + u8(buf, at)
    if at == end:
        # Extensions came with RFC 3546.
        fingerprint_client(table, buf, suites, suites_end, end, end, version, transport, i)
    if end - at < 2:
        return np.int64(1)
    extensions = at + 2
    stop = extensions + u16(buf, at)
    read_extensions(table, buf, extensions, min(stop, end), i, transport)
    if stop <= end:
        fingerprint_client(table, buf, suites, suites_end, extensions, stop, version, transport, i)
    return np.int64(1)


@packet_kernel
def read_extensions(table, buf, at, end, i, transport):
    """Read a ClientHello's extensions: name, first protocol, highest version, encrypted hello."""
    flow = table.flows[i]
    slot = table.slots[i]
    named = False
    while end - at >= 4:
        kind = u16(buf, at)
        at += 4
        behind = min(at + u16(buf, at - 2), end)
        if kind == SERVER_NAME:
            if not named:
                named = True
                length = put_server_name(slot, buf, at, behind)
                if length > 0:
                    flow.name_len = length
                    flow.name_source = NAME_FROM_QUIC if transport == OVER_QUIC else NAME_FROM_SNI
        elif kind == ALPN:
            first, last = first_protocol(buf, at, behind)
            if flow.alpn_len == 0:
                flow.alpn_len = put_text(slot, ALPN_AT, ALPN_AT + ALPN_MAX, buf, first, last) - ALPN_AT
        elif kind == SUPPORTED_VERSIONS:
            best = best_offered(buf, at, behind)
            if best != 0 and flow.hello & HELLO_SERVER == 0:
                flow.tls_version = best
        elif kind in (ENCRYPTED_CLIENT_HELLO, ENCRYPTED_SERVER_NAME):
            flow.ech = 1
        at = behind


@packet_kernel
def best_offered(buf, at, end):
    """Code of the highest version known to us in supported_versions (RFC 8446, 4.2.1), 0 if there is none."""
    best = 0
    for k in range(at + 1, end - 1, 2):
        code = version_code(u16(buf, k))
        if code != SSL2:
            best = max(best, code)
    return best


@packet_kernel
def put_server_name(slot, buf, at, end):
    """Write the first host name of a server_name extension (RFC 6066, 3); returns its length, 0 for none."""
    at += 2
    while end - at >= 3:
        kind = buf[at]
        length = u16(buf, at + 1)
        at += 3
        if kind == 0:
            # A name that is cut off is another name.
            return put_name(slot, 0, NAME_MAX, buf, at, at + length) if at + length <= end else 0
        at += length
    return 0


@packet_kernel
def server_hello_body(table, buf, at, end, i):
    """Read a ServerHello's body, a HelloRetryRequest's too (RFC 8446, 4.1.3, 4.1.4); True for TLS 1.3."""
    flow = table.flows[i]
    if end - at < 2:
        return False
    version = version_code(u16(buf, at))
    if version == 0:
        return False
    flow.hello |= HELLO_SERVER
    at += FIXED
    if end - at >= 1:
        # Session id, cipher suite, compression.
        at += 1 + u8(buf, at) + 3
    if end - at >= 2:
        stop = min(at + 2 + u16(buf, at), end)
        at += 2
        while stop - at >= 4:
            kind = u16(buf, at)
            length = u16(buf, at + 2)
            if kind == SUPPORTED_VERSIONS and length == 2 and stop - at >= 6:
                chosen = version_code(u16(buf, at + 4))
                if chosen != 0:
                    version = chosen
            at += 4 + length
    flow.tls_version = version
    return version == TLS_1_3
