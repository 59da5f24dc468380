"""HTTP/1 heads (RFC 9112): the first request's method and host, the first response's status and Location."""

import numpy as np

from capture.flows import APPLICATION, LOCATION_AT, LOCATION_MAX, NAME_MAX
from capture.octets import put_name
from capture.protocols.outcomes import DONE, MORE, NOT
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HTTP_METHODS, NAME_SOURCES

#: Longest method and the space behind it.
METHOD_ROOM = max(len(method) for method in HTTP_METHODS) + 1
METHODS = np.zeros((len(HTTP_METHODS), METHOD_ROOM), np.uint8)
METHOD_LENGTHS = np.zeros(len(HTTP_METHODS), np.int64)
for _row, _method in enumerate(HTTP_METHODS):
    METHODS[_row, : len(_method)] = np.frombuffer(_method.encode(), np.uint8)
    METHODS[_row, len(_method)] = 32
    METHOD_LENGTHS[_row] = len(_method)

APP_HTTP = APPLICATION["http"]
NAME_FROM_HTTP = NAME_SOURCES.index("http")
CONNECT = HTTP_METHODS.index("CONNECT")
HOST = np.frombuffer(b"host:", np.uint8)
LOCATION = np.frombuffer(b"location:", np.uint8)
HTTP_1 = np.frombuffer(b"HTTP/1.", np.uint8)


@packet_kernel
def method_of(buf, start, end):
    """Code in `HTTP_METHODS` of the request line's method, 0 none, -1 cut off within one."""
    for code in range(1, len(METHOD_LENGTHS)):
        size = METHOD_LENGTHS[code] + 1
        here = min(size, end - start)
        equal = True
        for i in range(here):
            if buf[start + i] != METHODS[code, i]:
                equal = False
                break
        if equal and here > 0:
            return code if here == size else -1
    return 0


@packet_kernel
def line_end(buf, at, end):
    """Offset of the line feed at or behind `at`, `end` if there is none."""
    while at < end and buf[at] != 10:
        at += 1
    return at


@packet_kernel
def begins(buf, at, end, lower):
    """True if `buf[at:end]` begins with the lower-case text, in any case."""
    if end - at < len(lower):
        return False
    for i in range(len(lower)):
        octet = buf[at + i]
        if 65 <= octet <= 90:
            octet += 32
        if octet != lower[i]:
            return False
    return True


@packet_kernel
def find_header(buf, at, end, lower):
    """Walk header lines from `at`: (value start, value end, DONE found | MORE cut off | NOT absent)."""
    while at < end:
        stop = line_end(buf, at, end)
        if stop == end:
            return at, at, MORE
        last = stop
        if last > at and buf[last - 1] == 13:
            last -= 1
        if last == at:
            return at, at, NOT
        if begins(buf, at, last, lower):
            at += len(lower)
            while at < last and (buf[at] == 32 or buf[at] == 9):
                at += 1
            while last > at and (buf[last - 1] == 32 or buf[last - 1] == 9):
                last -= 1
            return at, last, DONE
        at = stop + 1
    return at, at, MORE


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
def target_host(buf, at, end, method):
    """(start, end) of the host in the request target between two spaces; empty in a path (RFC 9112, 3.2)."""
    stop = at
    while stop < end and buf[stop] != 32:
        stop += 1
    if method == CONNECT:
        return at, without_port(buf, at, stop)
    if at < stop and buf[at] == 47:
        # A path, even one that begins with two slashes.
        return at, at
    return authority(buf, at, stop)


@packet_kernel
def request(buf, start, end, final, slot, flow):
    """Read the first request's method and host into `flow`: NOT, DONE or MORE as `client_hello`."""
    method = method_of(buf, start, end)
    if method == 0:
        return NOT
    if method < 0:
        return NOT if final else MORE
    stop = line_end(buf, start, end)
    if stop == end:
        return NOT if final else MORE
    # "GET / HTTP/1.1": the version tells a request from text that begins like one.
    version = stop
    while version > start and buf[version - 1] != 32:
        version -= 1
    if version - start < 6 or stop - version < 8 or not begins_exactly(buf, version, HTTP_1):
        return NOT
    flow.http_method = method
    at, behind = target_host(buf, start + METHOD_LENGTHS[method] + 1, version - 1, method)
    if behind > at:
        # It stands above the Host header (RFC 9112, 3.2.2).
        flow.name_len = put_name(slot, 0, NAME_MAX, buf, at, behind)
        return DONE
    at, behind, state = find_header(buf, stop + 1, end, HOST)
    if state == DONE:
        flow.name_len = put_name(slot, 0, NAME_MAX, buf, at, without_port(buf, at, behind))
        return DONE
    if state == MORE and not final:
        return MORE
    return DONE


@packet_kernel
def begins_exactly(buf, at, text):
    """True if the bytes at `at` are `text`; the caller knows that they are there."""
    for i in range(len(text)):
        if buf[at + i] != text[i]:
            return False
    return True


@packet_kernel
def is_response(buf, start, end):
    """True if the bytes begin an HTTP/1 status line."""
    return end - start >= 12 and begins_exactly(buf, start, HTTP_1)


@packet_kernel
def status_of(buf, start):
    """Status code of the status line at `start`, -1 if it is no number."""
    status = 0
    for i in range(9, 12):
        digit = np.int64(buf[start + i]) - 48
        if digit < 0 or digit > 9:
            return -1
        status = status * 10 + digit
    return status


@packet_kernel
def location_host(buf, start, end):
    """(start, end) of the host in the response's Location header; empty if there is none."""
    at, behind, state = find_header(buf, line_end(buf, start, end) + 1, end, LOCATION)
    if state != DONE:
        return start, start
    return authority(buf, at, behind)


@packet_kernel
def response(buf, start, end, slot, flow):
    """Read status and Location host of the response at `start` into `flow`."""
    flow.http_status = status_of(buf, start)
    at, stop = location_host(buf, start, end)
    flow.location_len = put_name(slot, LOCATION_AT, LOCATION_AT + LOCATION_MAX, buf, at, stop) - LOCATION_AT


@unit_kernel
def read_request(table, buf, start, end, final, i):
    """Reader of a client's stream: an HTTP/1 request."""
    if method_of(buf, start, end) == 0:
        return np.int64(NOT)
    flow = table.flows[i]
    length, source = flow.name_len, flow.name_source
    flow.name_len = 0
    outcome = request(buf, start, end, final, table.slots[i], flow)
    if outcome == DONE:
        flow.application = APP_HTTP
    if flow.name_len > 0:
        flow.name_source = NAME_FROM_HTTP
    else:
        flow.name_len = length
        flow.name_source = source
    return np.int64(outcome)


@unit_kernel
def read_response(table, buf, start, end, final, i):
    """Reader of a server's stream: an HTTP/1 response."""
    if not is_response(buf, start, end):
        return np.int64(NOT)
    flow = table.flows[i]
    flow.application = APP_HTTP
    response(buf, start, end, table.slots[i], flow)
    return np.int64(DONE)
