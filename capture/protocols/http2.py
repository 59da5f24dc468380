"""HTTP/2 in the clear (RFC 9113), gRPC too: authority and method of the first request, and its response.

Later requests of a connection refer to header fields that earlier ones laid down (RFC 7541, 2.3.2): they are
not read.
"""

import numpy as np

from capture.flows import APPLICATION, NONE
from capture.octets import u8, u16, u24, u32
from capture.protocols.hpack import (
    AUTHORITY,
    HOST,
    LOCATION,
    METHOD_GET,
    METHOD_POST,
    STATIC_LAST,
    STATUS,
    STATUS_FIRST,
    STATUS_LAST,
    VALUE_MAX,
    prefixed,
    string,
)
from capture.protocols.http import known_method, put_location, take_host, take_status
from capture.protocols.lines import begins_exactly, octets
from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.uri import without_port
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HTTP_METHODS

APP_HTTP = APPLICATION["http"]
GET, POST, OTHER = HTTP_METHODS.index("GET"), HTTP_METHODS.index("POST"), len(HTTP_METHODS) - 1
#: What a client begins with (RFC 9113, 3.4).
PREFACE = octets("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
HEADERS, SETTINGS = 1, 4
PADDED, PRIORITY = 8, 32
SWITCHING = 101
#: Octets that tell a server's first frame: two headers.
FIRST_MIN = 18
#: Frames before the first HEADERS that are passed over; our default.
FRAMES_MAX = 64
#: Highest setting of a server's first frame, and most settings in it, that it is believed with; our default.
SETTING_MAX, SETTINGS_MAX = 0x10, 32
#: Where a field's name and its value are written in the table's scratch.
NAME_AT, VALUE_AT = 8_192, 8_704

NAMES = {
    AUTHORITY: octets(":authority"),
    METHOD_GET: octets(":method"),
    STATUS_FIRST: octets(":status"),
    HOST: octets("host"),
    LOCATION: octets("location"),
}
N_AUTHORITY, N_METHOD, N_STATUS, N_HOST, N_LOCATION = NAMES.values()


@packet_kernel
def is_first_frame(buf, start, end):
    """True if the bytes are a server's first frame: SETTINGS that make sense (RFC 9113, 6.5)."""
    if end - start < 9 or u32(buf, start + 5) != 0 or u16(buf, start + 3) != SETTINGS << 8:
        return False
    size = u24(buf, start)
    if size % 6 != 0 or size > 6 * SETTINGS_MAX:
        return False
    for at in range(start + 9, min(start + 9 + size, end) - 5, 6):
        if u16(buf, at) == 0 or (u16(buf, at) > SETTING_MAX and u16(buf, at) & 0x0F0F != 0x0A0A):
            return False
    # Empty settings are nine octets that many protocols could begin with.
    return size > 0 or (end - start >= FIRST_MIN and u8(buf, start + 12) in (HEADERS, SETTINGS, 8))


@packet_kernel
def index_of(buf, length):
    """Index in the static table of the field's name `buf[:length]`, among those asked for; 0 another."""
    if length == len(N_AUTHORITY) and begins_exactly(buf, 0, length, N_AUTHORITY):
        return np.int64(AUTHORITY)
    if length == len(N_METHOD) and begins_exactly(buf, 0, length, N_METHOD):
        return np.int64(METHOD_GET)
    if length == len(N_STATUS) and begins_exactly(buf, 0, length, N_STATUS):
        return np.int64(STATUS_FIRST)
    if length == len(N_HOST) and begins_exactly(buf, 0, length, N_HOST):
        return np.int64(HOST)
    if length == len(N_LOCATION) and begins_exactly(buf, 0, length, N_LOCATION):
        return np.int64(LOCATION)
    return np.int64(0)


@packet_kernel
def read_block(table, buf, at, end, i):
    """Read the fields of a first header block, as far as they are there (RFC 7541, 6)."""
    flow = table.flows[i]
    name = table.scratch[NAME_AT : NAME_AT + VALUE_MAX + 1]
    value = table.scratch[VALUE_AT : VALUE_AT + VALUE_MAX + 1]
    method = 0
    host = np.int64(0)
    while at < end:
        octet = u8(buf, at)
        length = np.int64(0)
        if octet >= 128:
            index, at = prefixed(buf, at, end, 7)
            if index <= 0:
                break
            if index in (METHOD_GET, METHOD_POST):
                method = GET if index == METHOD_GET else POST
            elif STATUS_FIRST <= index <= STATUS_LAST:
                take_final(flow, STATUS[index - STATUS_FIRST])
            continue
        if octet & 0xE0 == 0x20:
            # The size of the dynamic table.
            _, at = prefixed(buf, at, end, 5)
            continue
        index, at = prefixed(buf, at, end, 6 if octet & 0x40 else 4)
        if index < 0:
            break
        if index == 0:
            length, at = string(buf, at, end, name)
            if length < 0:
                break
            index = index_of(name, length)
        length, at = string(buf, at, end, value)
        if length < 0:
            break
        if index > STATIC_LAST:
            continue
        if index in (METHOD_GET, METHOD_POST):
            value[length] = 32
            method = max(known_method(value, 0, length + 1), 0)
            method = OTHER if method == 0 else method
        elif index == AUTHORITY or (index == HOST and host == 0):
            # Laid aside: the name of the flow is made of it once the method is known.
            for k in range(length):
                table.name[k] = value[k]
            host = length
        elif STATUS_FIRST <= index <= STATUS_LAST and length == 3:
            take_final(flow, (u8(value, 0) - 48) * 100 + (u8(value, 1) - 48) * 10 + u8(value, 2) - 48)
        elif index == LOCATION:
            put_location(flow, table.slots[i], value, 0, length)
    if method > 0:
        first = np.int64(0)
        for k in range(host):
            if table.name[k] == 64:
                first = np.int64(k + 1)
        take_host(table, table.name, first, without_port(table.name, first, host), method, i)


@packet_kernel
def take_final(flow, status):
    """Note the status of the first final response, which stands above the upgrade to HTTP/2."""
    if 200 <= status <= 599 and (flow.http_status == NONE or flow.http_status == SWITCHING):
        flow.http_status = status
        take_status(flow, status)


@unit_kernel
def read_http2(table, buf, start, end, final, i):
    """Reader of either direction: HTTP/2."""
    here = end - start
    if here < 1:
        return np.int64(NOT)
    at = start
    if buf[start] == PREFACE[0]:
        size = min(here, len(PREFACE))
        for k in range(size):
            if buf[start + k] != PREFACE[k]:
                return np.int64(NOT)
        if here < len(PREFACE):
            return np.int64(NOT if final else MORE)
        at += len(PREFACE)
    elif not is_first_frame(buf, start, end):
        cut = here < FIRST_MIN and buf[start] == 0 and table.flows[i].application == APP_HTTP
        return np.int64(MORE if cut and not final else NOT)
    table.flows[i].application = APP_HTTP
    for _ in range(FRAMES_MAX):
        if end - at < 9:
            return np.int64(DONE if final else MORE)
        size, kind, flags = u24(buf, at), u8(buf, at + 3), u8(buf, at + 4)
        inner = at + 9
        behind = inner + size
        if kind != HEADERS:
            at = behind
            continue
        if behind > end and not final:
            return np.int64(MORE)
        stop = min(behind, end)
        if flags & PADDED and inner < stop:
            stop = max(min(stop, behind - u8(buf, inner)), inner + 1)
            inner += 1
        if flags & PRIORITY:
            inner += 5
        read_block(table, buf, inner, stop, i)
        return np.int64(DONE)
    return np.int64(DONE)
