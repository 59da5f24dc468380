"""MySQL and MariaDB (MySQL internals, connection phase): the greeting and its answer, how they go on.

That is in TLS, or with a log-in whose end is told.
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import le16, u8
from capture.protocols.signatures import ENOUGH, number_at
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel, unit_kernel

MYSQL = APPLICATION["mysql"]
HEADER = 4
#: Longest version that a greeting may tell; our default.
VERSION_MAX = 64
#: Behind the version's zero: thread number, eight bytes of challenge, a zero.
FILLER = 13
#: A client's answer without its text; it is all there is where TLS follows.
ANSWER = 36
#: In the lower half of the capabilities: the protocol of version 4.1.
PROTOCOL_41 = 0x02
ZEROS_FROM, ZEROS_TO = 13, 32
#: The answer of one that goes on in TLS; CLIENT_SSL, in the second byte of the capabilities.
SSL_REQUEST_SIZE, SSL = 32, 8
OK, MORE_DATA, ERROR = 0, 1, 255
#: ER_ACCESS_DENIED_ERROR, …_NO_PASSWORD_ERROR; who may not use a database was let in.
REFUSALS = (1045, 1698)
#: Packets of a segment that are looked at; our default.
PACKETS_MAX = 4


@unit_kernel
def is_mysql_greeting(table, buf, start, end, size, up, i):
    """Check of a server's stream: `MYSQL` for protocol, version in text, challenge; or 0."""
    total = number_at(buf, start, 3, True) + HEADER
    if total > size and size < ENOUGH:
        return np.int64(0)
    at = start + HEADER + 1
    stop = min(end, at + VERSION_MAX)
    if at >= stop or not 48 <= u8(buf, at) <= 57:
        return np.int64(0)
    while at < stop and 32 <= u8(buf, at) < 127:
        at += 1
    if at >= stop or buf[at] != 0 or at + FILLER >= end:
        return np.int64(0)
    return np.int64(MYSQL if buf[at + FILLER] == 0 else 0)


@unit_kernel
def is_mysql_answer(table, buf, start, end, size, up, i):
    """Check of a client's stream: `MYSQL` for capabilities and the zeros behind them, or 0."""
    if end - start < ANSWER or number_at(buf, start, 3, True) + HEADER > size:
        return np.int64(0)
    if buf[start + HEADER + 1] & PROTOCOL_41 == 0:
        return np.int64(0)
    for at in range(start + ZEROS_FROM, start + ZEROS_TO):
        if buf[at] != 0:
            return np.int64(0)
    return np.int64(MYSQL)


@packet_kernel
def ssl_request_end(buf, at, end):
    """Offset behind the SSLRequest at `at`, 0 if this is none."""
    if end - at < HEADER + SSL_REQUEST_SIZE:
        return np.int64(0)
    if u8(buf, at) != SSL_REQUEST_SIZE or buf[at + 1] != 0 or buf[at + 2] != 0 or buf[at + 3] != 1:
        return np.int64(0)
    # The first byte of the capabilities has PROTOCOL_41 too, in its second.
    if u8(buf, at + 5) & (PROTOCOL_41 | SSL) != PROTOCOL_41 | SSL:
        return np.int64(0)
    for i in range(at + HEADER + 9, at + HEADER + SSL_REQUEST_SIZE):
        if buf[i] != 0:
            return np.int64(0)
    return np.int64(at + HEADER + SSL_REQUEST_SIZE)


@packet_kernel
def watch_mysql(buf, start, end, up, flow):
    """Count how the connection's log-in ends; then there is no more to see."""
    if up:
        return
    at = start
    for _ in range(PACKETS_MAX):
        if end - at < HEADER + 1 or u8(buf, at + 3) < 2:
            # The server's greeting, or its refusal of the host, is number 0.
            return
        kind = u8(buf, at + 4)
        if kind == OK:
            count_login(flow, False)
            flow.watch = 0
            return
        if kind == ERROR:
            if end - at >= HEADER + 3 and le16(buf, at + 5) in REFUSALS:
                count_login(flow, True)
            flow.watch = 0
            return
        if kind != MORE_DATA:
            return
        at += HEADER + number_at(buf, at, 3, True)
