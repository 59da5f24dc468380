"""Front-coded text: sorted names, each as what it shares with the one before and the bytes that follow.

A name is (common << 4 | tail) in one byte where both are below 16, else 0, common, tail; then its `tail`
bytes. `BLOCK` names make a block, whose first shares nothing; a name has at most 254 bytes.
"""

import numpy as np

from pipeline.kernels import inline_kernel, kernel

#: Names a block holds: fewer cost memory, more cost time per hit.
BLOCK = 8


@inline_kernel
def name_at(front, at):
    """Bytes shared with the name before, bytes that follow, and where those begin."""
    head = np.int64(front[at])
    if head:
        return head >> 4, head & 15, at + 1
    return np.int64(front[at + 1]), np.int64(front[at + 2]), at + 3


@kernel
def front_code(offsets, data, names, front, block_start):
    """Writes the front-coded text of sorted names where `front` has room; returns its length in bytes."""
    write = len(front) > 0
    at = np.int64(0)
    for i in range(names):
        begin = np.int64(offsets[i])
        length = np.int64(offsets[i + 1]) - begin
        common = np.int64(0)
        if i % BLOCK == 0:
            block_start[i // BLOCK] = at
        else:
            before = np.int64(offsets[i - 1])
            limit = min(length, begin - before)
            while common < limit and data[before + common] == data[begin + common]:
                common += 1
        tail = length - common
        short = common < 16 and 0 < tail < 16
        if write:
            if short:
                front[at] = common << 4 | tail
            else:
                front[at] = 0
                front[at + 1] = common
                front[at + 2] = tail
            text = at + (1 if short else 3)
            for k in range(tail):
                front[text + k] = data[begin + common + k]
        at += (1 if short else 3) + tail
    return at
