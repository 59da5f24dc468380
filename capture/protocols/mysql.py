"""MySQL and MariaDB (MySQL internals, connection phase): the server's greeting and the client's answer."""

import numpy as np

from capture.octets import u8
from capture.protocols.signatures import CODE, ENOUGH, number_at
from pipeline.kernels import unit_kernel

MYSQL = CODE["mysql"]
HEADER = 4
VERSION_MAX = 64
#: Behind the version's zero: thread number, eight bytes of challenge, a zero.
FILLER = 13
#: A client's answer without its text; it is all there is where TLS follows.
ANSWER = 36
#: In the lower half of the capabilities: the protocol of version 4.1.
PROTOCOL_41 = 0x02
ZEROS_FROM, ZEROS_TO = 13, 32


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
