"""Names that clients learnt for addresses, from their own DNS answers: they name flows that say no name.

A set-associative table of fixed size: an answer goes to one of `WAYS` places, the oldest of them leaves.
"""

import numpy as np

from capture.octets import mix, u32
from pipeline.kernels import packet_kernel
from pipeline.words import copy

#: What a client was told a name's address is.
ANSWER = np.dtype(
    [
        ("client_hi", "i8"),
        ("client_lo", "i8"),
        ("server_hi", "i8"),
        ("server_lo", "i8"),
        ("from_ts", "i8"),
        ("until", "i8"),
        ("name_len", "i8"),
    ],
    align=True,
)
#: Places in which one answer may be; their tags stand together, so most lookups touch one line of memory.
WAYS = 4
#: Seconds an answer names flows beyond its TTL (records.md).
GRACE_US = 300_000_000
#: Longest TTL believed, s: a week (RFC 8767, 4).
TTL_MAX = 604_800
#: Longest name remembered, as text.
KEPT_NAME = 255


@packet_kernel
def answer_hash(table, client_hi, client_lo, server_hi, server_lo):
    """Keyed hash of (client, address)."""
    seed = table.meter[0].seed
    return mix(mix(mix(mix(seed ^ client_hi) ^ client_lo) ^ server_hi) ^ server_lo)


@packet_kernel
def tag_of(h):
    """The part of a hash that `answer_tags` holds; never 0, which is an empty place."""
    return h >> 33 & 0x7FFFFFFF | 1


@packet_kernel
def is_answer(answer, client_hi, client_lo, server_hi, server_lo):
    """True if the entry is of this client and address."""
    return (
        answer.server_lo == server_lo
        and answer.client_lo == client_lo
        and answer.server_hi == server_hi
        and answer.client_hi == client_hi
    )


@packet_kernel
def find_answer(table, client_hi, client_lo, server_hi, server_lo):
    """Entry of (client, address); one to overwrite, as -1 - entry, if there is none."""
    h = answer_hash(table, client_hi, client_lo, server_hi, server_lo)
    tag = tag_of(h)
    first = h & (len(table.answers) - 1) & ~(WAYS - 1)
    oldest = first
    for i in range(first, first + WAYS):
        if table.answer_tags[i] == tag and is_answer(
            table.answers[i], client_hi, client_lo, server_hi, server_lo
        ):
            return i
        if table.answers[i].from_ts < table.answers[oldest].from_ts:
            oldest = i
    table.answer_tags[oldest] = tag
    return -1 - oldest


@packet_kernel
def remember_addresses(table, message, name):
    """Keep name and time to live of every address that the client was told."""
    if message.name_len == 0 or message.name_len > KEPT_NAME:
        return
    until = message.ts + min(message.min_ttl, TTL_MAX) * 1_000_000 + GRACE_US
    for number in range(message.addresses):
        at = message.addresses_at + 18 * number + 2
        high = u32(table.text, at) << 32 | u32(table.text, at + 4)
        low = u32(table.text, at + 8) << 32 | u32(table.text, at + 12)
        i = find_answer(table, message.client_hi, message.client_lo, high, low)
        if i < 0:
            i = -1 - i
        answer = table.answers[i]
        answer.client_hi = message.client_hi
        answer.client_lo = message.client_lo
        answer.server_hi = high
        answer.server_lo = low
        answer.from_ts = message.ts
        answer.until = until
        answer.name_len = message.name_len
        copy(table.answer_names[i], 0, name, 0, message.name_len)


@packet_kernel
def name_from_answer(table, packet_ts, client_hi, client_lo, server_hi, server_lo, slot):
    """Copy the name under which the client learnt the address into `slot`; returns its length, 0 none."""
    h = answer_hash(table, client_hi, client_lo, server_hi, server_lo)
    tag = tag_of(h)
    first = h & (len(table.answers) - 1) & ~(WAYS - 1)
    for i in range(first, first + WAYS):
        if table.answer_tags[i] != tag:
            continue
        answer = table.answers[i]
        if is_answer(answer, client_hi, client_lo, server_hi, server_lo):
            if packet_ts > answer.until or packet_ts < answer.from_ts:
                return np.int64(0)
            copy(slot, 0, table.answer_names[i], 0, answer.name_len)
            return np.int64(answer.name_len)
    return np.int64(0)
