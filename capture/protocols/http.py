"""HTTP/1 heads (RFC 9112): method and host of the request, status and Location of its response.

A connection that goes on to another host (through a proxy, or by connection reuse) gets a row for each: what
was counted leaves under the name so far, the next row has the new one. Requests behind the first are looked
for at the beginning of a segment, where clients put them, and behind a whole head without a body.
"""

import numpy as np

from capture.flows import (
    APPLICATION,
    CLIENT_HEAD_DONE,
    LOCATION_AT,
    LOCATION_MAX,
    NAME_MAX,
    NONE,
    SERVER_HEAD_DONE,
)
from capture.octets import put_name, same
from capture.protocols.lines import (
    begins,
    begins_exactly,
    is_blank,
    is_prefix,
    line_end,
    octets,
    skip_blanks,
    text_end,
    without_blanks,
)
from capture.protocols.outcomes import BEYOND, DONE, MORE, NOT
from capture.protocols.tls import is_record
from capture.protocols.tls_numbers import HANDSHAKE
from capture.protocols.uri import authority, without_port
from capture.protocols.watching import count_login, is_newest, opens_tls, restart
from capture.rows import leave_name
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_CLIENT, HELLO_SERVER, HTTP_METHODS, NAME_SOURCES
from pipeline.words import copy

#: Longest method and the space behind it.
METHOD_ROOM = max(len(method) for method in HTTP_METHODS) + 1
OTHER = len(HTTP_METHODS) - 1
METHODS = np.zeros((OTHER, METHOD_ROOM), np.uint8)
METHOD_LENGTHS = np.zeros(OTHER, np.int64)
for _row, _method in enumerate(HTTP_METHODS[:OTHER]):
    METHODS[_row, : len(_method)] = octets(_method)
    METHODS[_row, len(_method)] = 32
    METHOD_LENGTHS[_row] = len(_method)
#: Shortest method that is taken for one though it is not in the table; our default.
OTHER_MIN = 3

APP_HTTP = APPLICATION["http"]
NAME_FROM_HTTP = NAME_SOURCES.index("http")
GET, HEAD, CONNECT = (HTTP_METHODS.index(word) for word in ("GET", "HEAD", "CONNECT"))
HOST, LOCATION = octets("host"), octets("location")
AUTHORIZATION, PROXY_AUTHORIZATION = octets("authorization"), octets("proxy-authorization")
NTLM, NEGOTIATE = octets("ntlm"), octets("negotiate")
#: Base64 of an NTLM message of type 1, which only asks for a challenge (MS-NLMP, 2.2.1.1).
NTLM_NEGOTIATE = octets("TlRMTVNTUAAB")
HTTP_WORD, HTTP_1, HTTP_1_LOWER = octets("HTTP/"), octets("HTTP/1."), octets("http/1.")
SCHEME = octets("http")
#: Octets of empty lines before a request; our default.
EMPTY_MAX = 4
#: Interim responses before the final one that are skipped; our default.
INTERIM_MAX = 8

#: Bits of `flow.step`: an attempt to log in awaits its response; the server asked for one; the last worked.
ATTEMPT, CHALLENGED, ADMITTED = 1, 2, 4


@packet_kernel
def is_method_octet(octet):
    """True for the octets that methods are made of."""
    return 65 <= octet <= 90 or octet == 45 or octet == 95


@packet_kernel
def known_method(buf, start, end):
    """Code in `HTTP_METHODS` of `buf[start:end]`, a method and a space; 0 none, -1 cut off within one."""
    for code in range(1, OTHER):
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
def method_of(buf, start, end):
    """Code in `HTTP_METHODS` of the request line's method, 0 none, -1 cut off within one of the table."""
    if end <= start or not is_method_octet(buf[start]):
        return 0
    at = start
    stop = min(end, start + METHOD_ROOM)
    while at < stop and is_method_octet(buf[at]):
        at += 1
    if at < end and buf[at] != 32:
        return 0
    code = known_method(buf, start, min(at + 1, end))
    if code != 0 or at == end or at - start < OTHER_MIN:
        return code
    # A target is a path, a star or a URI (RFC 9112, 3.2): enough to tell a request from other text.
    target = at + 1
    if target == end or buf[target] == 47 or buf[target] == 42 or is_prefix(buf, target, end, SCHEME):
        return OTHER
    return 0


@packet_kernel
def target_host(buf, at, end, method):
    """(start, end) of the host in the request target `buf[at:end]`; empty in a path (RFC 9112, 3.2)."""
    stop = at
    while stop < end and buf[stop] != 32:
        stop += 1
    if at < stop and buf[at] == 47:
        # A path, even one that begins with two slashes.
        return at, at
    if method == CONNECT:
        return at, without_port(buf, at, stop)
    return authority(buf, at, stop)


@packet_kernel
def version_at(buf, start, last):
    """Offset of the version that ends the request line `buf[start:last]`, `start` if none does."""
    last = without_blanks(buf, start, last)
    at = last
    while at > start and buf[at - 1] > 32:
        at -= 1
    # "A / HTTP/1.1"
    if at - start < 4 or last - at < 6 or not begins_exactly(buf, at, last, HTTP_WORD):
        return start
    digit = buf[at + len(HTTP_WORD)]
    return at if 48 <= digit <= 57 else start


@packet_kernel
def field_value(buf, at, last, name):
    """Offset of the value if the field line `buf[at:last]` has the lower-case name, else -1.

    Blanks before the colon are forbidden (RFC 9112, 5.1), yet some servers take them.
    """
    if not begins(buf, at, last, name):
        return np.int64(-1)
    at = skip_blanks(buf, at + len(name), last)
    if at == last or buf[at] != 58:
        return np.int64(-1)
    return np.int64(skip_blanks(buf, at + 1, last))


@packet_kernel
def head_end(buf, at, end):
    """Offset behind the blank line that ends the field lines at `at`, -1 if it has not come."""
    while at < end:
        stop = line_end(buf, at, end)
        if stop == end:
            return np.int64(-1)
        if text_end(buf, at, stop) == at:
            return np.int64(stop + 1)
        at = stop + 1
    return np.int64(-1)


@packet_kernel
def find_field(buf, at, end, name):
    """(value start, value end, DONE found | MORE cut off | NOT absent) of the first field with that name."""
    while at < end:
        stop = line_end(buf, at, end)
        if stop == end:
            return at, at, MORE
        last = text_end(buf, at, stop)
        if last == at:
            return at, at, NOT
        value = field_value(buf, at, last, name) if buf[at] | 32 == name[0] else np.int64(-1)
        at = stop + 1
        if value < 0:
            continue
        if value == last and at < end and is_blank(buf[at]):
            # Folded: the value stands in the next line (RFC 9112, 5.2).
            stop = line_end(buf, at, end)
            if stop == end:
                return at, at, MORE
            last = text_end(buf, at, stop)
            value = np.int64(skip_blanks(buf, at, last))
        return value, without_blanks(buf, value, last), DONE
    return at, at, MORE


@packet_kernel
def is_attempt(buf, at, end, name):
    """True if the fields at `at` hold one of that name with credentials, not a mere wish for a challenge."""
    at, behind, state = find_field(buf, at, end, name)
    if state != DONE or behind == at:
        return False
    scheme = len(NTLM) if begins(buf, at, behind, NTLM) else 0
    if begins(buf, at, behind, NEGOTIATE):
        scheme = len(NEGOTIATE)
    return scheme == 0 or not begins_exactly(
        buf, skip_blanks(buf, at + scheme, behind), behind, NTLM_NEGOTIATE
    )


@packet_kernel
def take_host(table, buf, at, end, method, i):
    """Name the flow by the request's host; under another name than before, the row so far leaves first."""
    flow = table.flows[i]
    slot = table.slots[i]
    length = put_name(table.scratch, 0, NAME_MAX, buf, at, end)
    if length > 0 and (
        flow.name_source != NAME_FROM_HTTP
        or length != flow.name_len
        or not same(slot, 0, table.scratch, 0, length)
    ):
        if flow.http_method != 0 and flow.name_len > 0 and flow.name_source == NAME_FROM_HTTP:
            leave_name(table, i)
            flow.http_status = NONE
            flow.location_len = 0
            if flow.http_method != CONNECT:
                flow.http_method = method
        copy(slot, 0, table.scratch, 0, length)
        flow.name_len = length
        flow.name_source = NAME_FROM_HTTP
    if flow.http_method == 0:
        flow.http_method = method


@packet_kernel
def skip_empty_lines(buf, start, end):
    """Offset behind the few empty lines that may stand before a request (RFC 9112, 2.2)."""
    at = start
    while at < end and at < start + EMPTY_MAX and (buf[at] == 13 or buf[at] == 10):
        at += 1
    return at


@unit_kernel
def read_request(table, buf, start, end, final, i):
    """Reader of a client's stream: an HTTP/1 request."""
    at = skip_empty_lines(buf, start, end)
    method = method_of(buf, at, end)
    if method == 0:
        return np.int64(NOT)
    stop = line_end(buf, at, end)
    if method < 0 or stop == end:
        return np.int64(NOT if final else MORE)
    version = version_at(buf, at, text_end(buf, at, stop))
    if version == at:
        return np.int64(NOT)
    flow = table.flows[i]
    flow.application = APP_HTTP
    flow.token_up = table.packet[0].seq
    target = skip_blanks(buf, line_word(buf, at, version), version)
    fields = stop + 1
    host, behind = target_host(buf, target, version, method)
    state = DONE
    if behind <= host:
        # A host in the target stands above the Host field (RFC 9112, 3.2.2).
        host, behind, state = find_field(buf, fields, end, HOST)
        if state == MORE and not final:
            flow.http_method = method if flow.http_method == 0 else flow.http_method
            return np.int64(MORE)
        behind = without_port(buf, host, behind) if state == DONE else host
    take_host(table, buf, host, behind, method, i)
    wanted = flow.http_status == NONE or flow.step & CHALLENGED != 0
    if wanted and (
        is_attempt(buf, fields, end, AUTHORIZATION) or is_attempt(buf, fields, end, PROXY_AUTHORIZATION)
    ):
        flow.step |= ATTEMPT
    at = head_end(buf, fields, end)
    if method == CONNECT:
        if at < 0:
            return np.int64(DONE if final else MORE)
        return np.int64(BEYOND + at)
    if at > 0 and method in (GET, HEAD):
        following = skip_empty_lines(buf, at, end)
        if method_of(buf, following, end) > 0 and head_end(buf, following, end) > 0:
            # Pipelined (RFC 9112, 9.3.2).
            return np.int64(BEYOND + following)
    return np.int64(DONE)


@packet_kernel
def line_word(buf, at, end):
    """End of the word at `at`."""
    while at < end and buf[at] > 32:
        at += 1
    return at


@packet_kernel
def is_response(buf, start, end):
    """True if the bytes begin an HTTP/1 status line."""
    return end - start >= 12 and begins_exactly(buf, start, end, HTTP_1)


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
def take_status(flow, status):
    """Count the attempt to log in that a final status answers (RFC 9110, 11.6 and 11.7)."""
    refused = status == 401 or status == 407
    if flow.step & ATTEMPT:
        if refused:
            count_login(flow, True)
            flow.step &= 0xFF ^ ADMITTED
        elif flow.step & ADMITTED == 0:
            # Clients send the same credentials with each request; they are admitted once.
            count_login(flow, False)
            flow.step |= ADMITTED
        flow.step &= 0xFF ^ ATTEMPT
    if refused:
        flow.step |= CHALLENGED


@packet_kernel
def put_location(flow, slot, buf, start, stop):
    """Note the host of a Location; not where a certificate's names stand in its place."""
    if flow.certificate_len > 0 or flow.issuer_len > 0:
        return
    start, stop = authority(buf, start, stop)
    limit = LOCATION_AT + LOCATION_MAX
    flow.location_len = put_name(slot, LOCATION_AT, limit, buf, start, stop) - LOCATION_AT


@unit_kernel
def read_response(table, buf, start, end, final, i):
    """Reader of a server's stream: an HTTP/1 response, interim ones before it skipped (RFC 9110, 15.2)."""
    if end - start < 12:
        return np.int64(
            MORE if not final and end > start and is_prefix(buf, start, end, HTTP_1_LOWER) else NOT
        )
    if not is_response(buf, start, end):
        return np.int64(NOT)
    flow = table.flows[i]
    flow.application = APP_HTTP
    at = start
    status = status_of(buf, at)
    for _ in range(INTERIM_MAX):
        if status < 100 or status >= 200 or status == 101:
            break
        behind = head_end(buf, at, end)
        if behind < 0 or end - behind < 12:
            return np.int64(DONE if final else MORE)
        if not is_response(buf, behind, end):
            return np.int64(DONE)
        at = behind
        status = status_of(buf, at)
    if status < 200 and status != 101:
        return np.int64(DONE)
    if flow.http_status == NONE or flow.http_method == CONNECT:
        flow.http_status = status
        take_status(flow, status)
    if 300 <= status < 400 or status == 201:
        host, stop, state = find_field(buf, line_end(buf, at, end) + 1, end, LOCATION)
        if state == DONE:
            put_location(flow, table.slots[i], buf, host, stop)
        elif state == MORE and not final:
            return np.int64(MORE)
    if status == 101 or (flow.http_method == CONNECT and 200 <= status < 300):
        behind = head_end(buf, at, end)
        if behind < 0:
            return np.int64(DONE if final else MORE)
        return np.int64(BEYOND + behind)
    return np.int64(DONE)


@unit_kernel
def watch_http(table, buf, start, end, up, i):
    """A segment behind the heads: 1 if a request, or a response that is wanted, begins with it."""
    flow = table.flows[i]
    packet = table.packet[0]
    if flow.http_method == CONNECT and flow.hello & HELLO_CLIENT and flow.hello & HELLO_SERVER:
        flow.watch = 0
        return np.int64(0)
    if up:
        if flow.head != NONE or flow.done & CLIENT_HEAD_DONE == 0 or packet.seq == flow.token_up:
            return np.int64(0)
        if flow.http_method == CONNECT and flow.hello & HELLO_CLIENT == 0 and opens_tls(buf, start, end):
            # The tunnel's first bytes, later than a head lives.
            flow.outer = APP_HTTP
            return np.int64(restart(flow, packet, up))
        if method_of(buf, start, end) == 0 or not is_newest(flow, packet, up):
            return np.int64(0)
        flow.token_up = packet.seq
        return np.int64(restart(flow, packet, up))
    if flow.head_down != NONE or flow.done & SERVER_HEAD_DONE == 0:
        return np.int64(0)
    if buf[start] != HTTP_1[0]:
        if flow.http_method == CONNECT and buf[start] == HANDSHAKE and is_record(buf, start, end):
            flow.outer = APP_HTTP
            return np.int64(restart(flow, packet, up))
        return np.int64(0)
    if not is_response(buf, start, end) or status_of(buf, start) < 200:
        return np.int64(0)
    if flow.http_status == NONE or (flow.http_method == CONNECT and flow.hello & HELLO_CLIENT == 0):
        return np.int64(restart(flow, packet, up))
    take_status(flow, status_of(buf, start))
    return np.int64(0)
