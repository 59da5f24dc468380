"""Stream heads: the first bytes of a TCP stream put together by offset, in any order, bounded.

A head is 16 KiB and lives 3 s (detection.md, our default). Where segments overlap, the bytes that
came first stay.
"""

import numpy as np

from pipeline.kernels import packet_kernel
from pipeline.words import copy

HEAD_BYTES = 16_384
HEAD_US = 3_000_000
#: Bytes of one head that are shown to the readers as they come, those shown before counted again; then only
#: when it has doubled, so that 16 KiB of one byte a segment cost no more than 64 whole heads. Our default.
SHOWN = 64 * HEAD_BYTES
#: Runs of bytes kept apart while holes are open; a segment that would need one more is dropped.
RUNS = 16

HEAD = np.dtype(
    [
        ("flow", "i4"),
        ("runs", "i4"),
        ("started", "i8"),
        ("origin", "i8"),  # sequence number of offset 0
        ("have", "i8"),  # contiguous bytes from offset 0
        ("shown", "i8"),  # sum of `have` over the times that the readers were shown it
        ("next_read", "i8"),  # bytes that must be there before they are shown it again
        ("up", "i8"),  # 1: the client's bytes
    ],
    align=True,
)


@packet_kernel
def take_head(table, i, up, ts, base):
    """Give flow `i` a stream head for one direction whose offset 0 is `base`; False if none is free."""
    meter = table.meter[0]
    # The names come from clients: the last quarter is theirs.
    if meter.heads_free <= (0 if up else len(table.heads) >> 2):
        meter.heads_refused += 1
        return False
    meter.heads_free -= 1
    h = np.int64(table.free_heads[meter.heads_free])
    if h >= meter.heads_high:
        meter.heads_high = h + 1
    if up:
        table.flows[i].head = h
    else:
        table.flows[i].head_down = h
    head = table.heads[h]
    head.flow = i
    head.runs = 0
    head.started = ts
    head.origin = base
    head.have = 0
    head.shown = 0
    head.next_read = 0
    head.up = up
    used = len(table.heads) - meter.heads_free
    if used > meter.heads_peak:
        meter.heads_peak = used
    return True


@packet_kernel
def add_run(data, runs, holder, offset, buf, start, end):
    """Put `buf[start:end]` at `offset` of `data`, whose `holder.runs` runs of bytes stand in `runs`.

    What lies before offset 0 or beyond the end of `data` is left out. Returns the contiguous bytes from 0.
    """
    stop = min(offset + end - start, len(data))
    if offset < 0:
        start -= offset
        offset = 0
    if offset < stop:
        # Write only where no run has bytes yet.
        at = offset
        for k in range(holder.runs):
            low, high = np.int64(runs[k, 0]), np.int64(runs[k, 1])
            if high <= at:
                continue
            if low >= stop:
                break
            if low > at:
                copy(data, at, buf, start + at - offset, low - at)
            at = max(at, high)
        if at < stop:
            copy(data, at, buf, start + at - offset, stop - at)
        merge_run(holder, runs, offset, stop)
    if holder.runs > 0 and runs[0, 0] == 0:
        return np.int64(runs[0, 1])
    return np.int64(0)


@packet_kernel
def merge_run(holder, runs, low, high):
    """Insert [low, high) into the sorted runs, joining those it touches; drops it if there is no room."""
    first = 0
    while first < holder.runs and runs[first, 1] < low:
        first += 1
    last = first
    while last < holder.runs and runs[last, 0] <= high:
        low = min(low, np.int64(runs[last, 0]))
        high = max(high, np.int64(runs[last, 1]))
        last += 1
    joined = last - first
    if joined == 0:
        if holder.runs == len(runs):
            return
        for k in range(holder.runs, first, -1):
            runs[k, 0] = runs[k - 1, 0]
            runs[k, 1] = runs[k - 1, 1]
        holder.runs += 1
    elif joined > 1:
        for k in range(last, holder.runs):
            runs[k - joined + 1, 0] = runs[k, 0]
            runs[k - joined + 1, 1] = runs[k, 1]
        holder.runs -= joined - 1
    runs[first, 0] = low
    runs[first, 1] = high
