"""Asking the memory for the heads of many records before a walk over them waits for each in turn.

Where a record ends is said at its beginning, so that a walk over bytes that no cache holds waits for one
record after another. Here several walks go side by side, from places that look like a record's beginning, and
ask for what they pass. They decide nothing: one that set out from a wrong place is only slower.
"""

import numpy as np

from capture.sources.container import MAX_FRAME, u32
from pipeline.kernels import entry_kernel, packet_kernel
from pipeline.words import LINE, prefetch

#: Walks side by side: a core waits for about as many lines at once. Our default.
STRANDS = 16


@packet_kernel
def record_size(data, at, end, big, form, first):
    """Bytes of the record that seems to begin at `at`, 0 where none does; `form` as in `ask_ahead`."""
    length_at, beside, near = form
    if end - at < length_at + 4 or abs(u32(data, at, big) - first) > near:
        return np.int64(0)
    length = u32(data, at + length_at, big)
    return length + beside if length_at + 4 <= length + beside and length <= MAX_FRAME else np.int64(0)


@packet_kernel
def find_record(data, begin, end, big, form, first):
    """First place from `begin` on where two records seem to stand one behind the other; -1: none is near."""
    for at in range(begin, min(begin + MAX_FRAME, end)):
        size = record_size(data, at, end, big, form, first)
        if size > 0 and record_size(data, at + size, end, big, form, first) > 0:
            return np.int64(at)
    return np.int64(-1)


@entry_kernel
def ask_ahead(data, begin, end, big, form, places):
    """Ask for the heads of the records in `data[begin:end]`, and of the frames in them.

    `form`: where a record says its length, how many bytes it has beside that, and how far the first words of
    two records (seconds, a type) lie apart at most. `places` has room for one place a walk.
    """
    share = (end - begin) // len(places)
    if share < LINE:
        return
    first = u32(data, begin, big)
    places[0] = begin
    for number in range(1, len(places)):
        places[number] = find_record(data, begin + share * number, end, big, form, first)
    going = True
    while going:
        going = False
        for number in range(len(places)):
            at = places[number]
            if at >= 0:
                size = record_size(data, at, end, big, form, first)
                prefetch(data, at, LINE)
                at += size
                prefetch(data, at, 0)
                going = True
                places[number] = at if size > 0 and at < begin + share * (number + 1) else np.int64(-1)
