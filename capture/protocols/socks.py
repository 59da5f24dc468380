"""SOCKS 4, 4a and 5 (RFC 1928, RFC 1929): the target that a client asks its proxy for, what stands behind.

The target names the flow, by its address where it has no name; a name that the tunnelled protocol tells wins.
"""

import numpy as np

from capture.flows import APPLICATION, CLIENT_HEAD_DONE, NAME_MAX, SERVER_HEAD_DONE
from capture.octets import put_ipv4, put_ipv6, put_name, u8, u16, u32
from capture.protocols.outcomes import BEYOND, DONE, MORE, NOT
from capture.protocols.tls import is_record
from capture.protocols.tls_numbers import HANDSHAKE
from capture.protocols.watching import opens_tls, restart
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import HELLO_CLIENT, HELLO_SERVER, NAME_SOURCES

SOCKS = APPLICATION["socks"]
NAME_FROM_HTTP = NAME_SOURCES.index("http")
CONNECT, BIND, UDP_ASSOCIATE, TOR_RESOLVE, TOR_RESOLVE_PTR = 1, 2, 3, 0xF0, 0xF1
COMMANDS = (CONNECT, BIND, UDP_ASSOCIATE, TOR_RESOLVE, TOR_RESOLVE_PTR)
IPV4, NAMED, IPV6 = 1, 3, 4
#: Methods of authentication that are assigned, but for private ones (IANA, SOCKS Methods).
METHOD_MAX, PRIVATE_FIRST, NO_METHOD = 9, 0x80, 0xFF
#: Most methods that a greeting offers, and the longest user name of version 4; our defaults.
METHODS_MAX, USER_MAX = 10, 255
#: Most messages before the request: several rounds of a log-in; our default.
ROUNDS_MAX = 4
#: Shortest request of version 5; the answer that grants one of version 4.
REQUEST_MIN, GRANTED_4 = 7, 90
#: Highest answer that is assigned (RFC 1928, 6).
ANSWER_MAX = 8
#: Bits of `flow.step`: the head begins with the request, with the answer to it.
ASKED, ANSWERED = 1, 2


@packet_kernel
def name_by_address(table, buf, at, size, i):
    """Name the flow by the address at `at`, of 4 or 16 octets, unless it is unspecified."""
    flow = table.flows[i]
    slot = table.slots[i]
    zero = True
    for k in range(size):
        if buf[at + k] != 0:
            zero = False
    if zero:
        return
    if size == 4:
        flow.name_len = put_ipv4(slot, 0, NAME_MAX, buf, at)
    else:
        # In brackets, as a Host field has it.
        slot[0] = 91
        stop = put_ipv6(slot, 1, NAME_MAX, buf, at)
        slot[stop] = 93
        flow.name_len = stop + 1
    flow.name_source = NAME_FROM_HTTP


@packet_kernel
def name_by_text(table, buf, at, end, i):
    """Name the flow by the host at `buf[at:end]`."""
    flow = table.flows[i]
    length = put_name(table.slots[i], 0, NAME_MAX, buf, at, end)
    if length > 0:
        flow.name_len = length
        flow.name_source = NAME_FROM_HTTP


@packet_kernel
def address_size(buf, at, end):
    """Octets of type, address and port at `at`; 0 if they are cut off, -1 for no known type (RFC 1928, 5)."""
    if end <= at:
        return 0
    kind = buf[at]
    size = 0
    if kind == IPV4:
        size = 7
    elif kind == IPV6:
        size = 19
    elif kind == NAMED:
        if end - at < 2:
            return 0
        size = 4 + u8(buf, at + 1)
    else:
        return -1
    return size if end - at >= size else 0


@packet_kernel
def is_greeting(buf, start, end):
    """Octets of the greeting of version 5 (RFC 1928, 3), 0 if there is none, -1 if it is cut off."""
    if buf[start] != 5:
        return 0
    if end - start < 2:
        return -1
    count = u8(buf, start + 1)
    if count == 0 or count > METHODS_MAX:
        return 0
    for at in range(start + 2, min(start + 2 + count, end)):
        method = buf[at]
        if method > METHOD_MAX and (method < PRIVATE_FIRST or method == NO_METHOD):
            return 0
    return 2 + count if end - start >= 2 + count else -1


@packet_kernel
def read_socks_5(table, buf, start, end, final, i):
    """Outcome of a client's stream of version 5."""
    flow = table.flows[i]
    size = 0
    if flow.step & ASKED == 0:
        size = is_greeting(buf, start, end)
        if size == 0:
            return NOT
        if size < 0:
            return NOT if final else MORE
    at = start + size
    for _ in range(ROUNDS_MAX):
        if at >= end:
            # What a greeting is, its answer tells.
            flow.application = SOCKS
            return DONE if final else MORE
        if buf[at] != 1:
            break
        # User name and password (RFC 1929, 2).
        if end - at < 2 or end - at < 3 + u8(buf, at + 1):
            return NOT if final else MORE
        at += 2 + u8(buf, at + 1)
        if end - at < 1 + u8(buf, at):
            return NOT if final else MORE
        at += 1 + u8(buf, at)
    if buf[at] != 5:
        return NOT
    if end - at < 4:
        return NOT if final else MORE
    if buf[at + 1] not in COMMANDS or buf[at + 2] != 0:
        return NOT
    size = address_size(buf, at + 3, end)
    if size < 0:
        return NOT
    flow.application = SOCKS
    if size == 0:
        return DONE if final else MORE
    if buf[at + 3] == NAMED:
        name_by_text(table, buf, at + 5, at + 1 + size, i)
    else:
        name_by_address(table, buf, at + 4, size - 3, i)
    if buf[at + 1] != CONNECT:
        return DONE
    return BEYOND + at + 3 + size


@packet_kernel
def text_stop(buf, at, end):
    """Offset of the zero that ends the text at `at`; -1 for no text, `end` if it is cut off."""
    limit = min(end, at + USER_MAX + 1)
    while at < limit:
        if buf[at] == 0:
            return at
        if buf[at] < 32 or buf[at] == 127:
            return -1
        at += 1
    return end if at == end else -1


@packet_kernel
def read_socks_4(table, buf, start, end, final, i):
    """Outcome of a client's stream of version 4, or 4a where the address is 0.0.0.x."""
    if end - start < 9:
        if end - start >= 2 and buf[start + 1] != CONNECT and buf[start + 1] != BIND:
            return NOT
        return NOT if final else MORE
    if (buf[start + 1] != CONNECT and buf[start + 1] != BIND) or u16(buf, start + 2) == 0:
        return NOT
    by_name = u32(buf, start + 4) < 256 and buf[start + 7] != 0
    stop = text_stop(buf, start + 8, end)
    if stop < 0:
        return NOT
    at = start + 4
    if by_name and stop < end:
        at = stop + 1
        stop = text_stop(buf, at, end)
        if stop < 0 or (stop == at and at < end):
            return NOT
    if stop == end:
        return NOT if final else MORE
    table.flows[i].application = SOCKS
    if by_name:
        name_by_text(table, buf, at, stop, i)
    else:
        name_by_address(table, buf, at, 4, i)
    return BEYOND + stop + 1 if buf[start + 1] == CONNECT else DONE


@unit_kernel
def read_socks(table, buf, start, end, final, i):
    """Reader of a client's stream: SOCKS."""
    if end <= start:
        return np.int64(NOT)
    if buf[start] == 5:
        return np.int64(read_socks_5(table, buf, start, end, final, i))
    if buf[start] == 4:
        return np.int64(read_socks_4(table, buf, start, end, final, i))
    return np.int64(NOT)


@unit_kernel
def read_socks_answer(table, buf, start, end, final, i):
    """Reader of a proxy's stream: where the tunnel begins; only where the client spoke SOCKS."""
    if end <= start or (buf[start] != 5 and buf[start] != 0):
        return np.int64(NOT)
    short = np.int64(DONE if final else MORE)
    if buf[start] == 0:
        if table.flows[i].application != SOCKS:
            return np.int64(NOT)
        if end - start < 8:
            return short
        return np.int64(BEYOND + start + 8 if buf[start + 1] == GRANTED_4 else DONE)
    if end - start < 2:
        return np.int64(MORE if not final and table.flows[i].application == SOCKS else NOT)
    if buf[start + 1] > METHOD_MAX and buf[start + 1] < PRIVATE_FIRST:
        return np.int64(NOT)
    if table.flows[i].application != SOCKS and (end - start > 2 and buf[start + 2] not in (1, 5)):
        return np.int64(NOT)
    at = start
    if table.flows[i].step & ANSWERED == 0:
        at += 2
    for _ in range(ROUNDS_MAX):
        if end - at < 2 or buf[at] != 1:
            break
        # How the log-in went (RFC 1929, 2).
        at += 2
    if end - at < 4:
        return np.int64(NOT) if table.flows[i].application != SOCKS else short
    if buf[at] != 5 or buf[at + 2] != 0:
        return np.int64(NOT)
    size = address_size(buf, at + 3, end)
    if size < 0:
        return np.int64(NOT)
    table.flows[i].application = SOCKS
    if size == 0:
        return short
    return np.int64(BEYOND + at + 3 + size if buf[at + 1] == 0 else DONE)


@packet_kernel
def is_request(buf, start, end):
    """True if a segment begins with a request of version 5 (RFC 1928, 4)."""
    if end - start < REQUEST_MIN or buf[start] != 5 or buf[start + 2] != 0:
        return False
    return buf[start + 1] in COMMANDS and address_size(buf, start + 3, end) > 0


@packet_kernel
def is_answer(buf, start, end):
    """True if a segment begins with an answer of version 5 (RFC 1928, 6)."""
    if end - start < REQUEST_MIN or buf[start] != 5 or buf[start + 2] != 0:
        return False
    return buf[start + 1] <= ANSWER_MAX and address_size(buf, start + 3, end) > 0


@packet_kernel
def watch_socks(table, buf, start, end, up, i):
    """A segment later than a head lives: 1 if the request, its answer or a tunnelled hello begins with it."""
    flow = table.flows[i]
    packet = table.packet[0]
    if flow.hello & HELLO_CLIENT and flow.hello & HELLO_SERVER:
        flow.watch = 0
        return np.int64(0)
    if flow.done & (CLIENT_HEAD_DONE if up else SERVER_HEAD_DONE) == 0:
        return np.int64(0)
    if flow.outer == 0 and flow.step & (ASKED if up else ANSWERED) == 0:
        if not (is_request(buf, start, end) if up else is_answer(buf, start, end)):
            return np.int64(0)
        flow.step |= ASKED if up else ANSWERED
        return restart(flow, packet, up)
    if up:
        if flow.hello & HELLO_CLIENT or not opens_tls(buf, start, end):
            return np.int64(0)
    elif flow.hello & HELLO_SERVER or buf[start] != HANDSHAKE or not is_record(buf, start, end):
        return np.int64(0)
    flow.outer = SOCKS
    return restart(flow, packet, up)
