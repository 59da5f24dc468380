"""The authority of a URI (RFC 3986, 3.2): the host that it names, nothing else of it."""

import numpy as np

from pipeline.kernels import packet_kernel


@packet_kernel
def without_port(buf, at, end):
    """End of the host in `host[:port]`; brackets of an IPv6 literal stay."""
    if at < end and buf[at] == 91:
        while at < end and buf[at] != 93:
            at += 1
        return min(at + 1, end)
    while at < end and buf[at] != 58:
        at += 1
    return at


@packet_kernel
def is_scheme(octet):
    """True for the octets of a URI's scheme (RFC 3986, 3.1)."""
    letter = 97 <= (octet | 32) <= 122
    return letter or 48 <= octet <= 57 or octet in (43, 45, 46)


@packet_kernel
def authority(buf, at, end):
    """(start, end) of the host of a URI, without user and port (RFC 3986, 3.2); empty in a path alone."""
    i = at
    while i < end and is_scheme(np.int64(buf[i])):
        i += 1
    if i < end and i > at and buf[i] == 58:
        i += 1
    elif i > at:
        return at, at
    if end - i < 2 or buf[i] != 47 or buf[i + 1] != 47:
        return at, at
    at = i + 2
    stop = at
    while stop < end and buf[stop] != 47 and buf[stop] != 63 and buf[stop] != 35 and buf[stop] > 32:
        if buf[stop] == 64:
            at = stop + 1
        stop += 1
    return at, without_port(buf, at, stop)


@packet_kernel
def host_of(buf, at, end):
    """(start, end) of the host of a URI as `authority`, an IPv6 address without its brackets."""
    first, stop = authority(buf, at, end)
    if first < stop and buf[first] == 91:
        first += 1
        if stop > first and buf[stop - 1] == 93:
            stop -= 1
    return first, stop
