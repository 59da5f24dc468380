"""The hash table of listed names: slots that say where in the front-coded text a suffix would stand.

A slot is (entry + 1, fingerprint); 0 is free. The entry's text decides, so no match rests on a hash.
"""

import numpy as np

from blocklists.front import BLOCK, name_at
from blocklists.names import MAX_NAME
from pipeline.kernels import inline_kernel, kernel

#: Part of the hash table's slots in use: more cost time, fewer cost memory.
LOAD = 0.7
#: Names the kernel works on at a time.
GROUP = 64


@inline_kernel
def _mix(h):
    """Final mix of a 32-bit hash: two rounds of xor-shift and multiply (constants of "lowbias32",
    C. Wellons, hash-prospector); products stay below 2^63."""
    h = ((h ^ (h >> 16)) * 0x21F0AAAD) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 0x735A2D97) & 0xFFFFFFFF
    return h ^ (h >> 15)


@inline_kernel
def _is_entry(front, block_start, entry, text_at, common_of, data, floor, begin, end):
    """Whether the reversed name of `entry` is data[begin:end] read backwards.

    `floor` is where the whole name begins; a `begin` one below it asks for the name with `EXACT` before it.
    The entries of the block up to this one are walked through, and compared from the last backwards: each
    says the bytes that the ones behind it share. `text_at` and `common_of` have room for a block.
    """
    at = np.int64(block_start[entry // BLOCK])
    last = entry % BLOCK
    tail = np.int64(0)
    for e in range(last + 1):
        common, tail, at = name_at(front, at)
        common_of[e] = common
        text_at[e] = at
        at += tail
    left = end - begin
    if common_of[last] + tail != left:
        return False
    for e in range(last, -1, -1):
        common = common_of[e]
        text = text_at[e] - common
        for k in range(common, left):
            place = end - 1 - k
            if front[text + k] != (data[place] if place >= floor else 61):
                return False
        left = min(left, common)
        if left == 0:
            return True
    return False


@kernel
def find_suffixes(front, block_start, slots, fingerprint_bits, exact, offsets, data, first, out):
    """out[i] = entry id of the longest listed suffix of name i, or -1.

    Works on `GROUP` names at a time: hashes of all their suffixes, then the table, then the text of
    those a fingerprint points to. Before each step one sum over the places it will read brings them
    into the cache, all at once instead of one wait after another; the sum is returned so that the
    compiler keeps it. With `exact`, each name is also looked for as one that is listed for itself alone.
    """
    size = np.int64(len(slots))
    fingerprint_mask = (np.int64(1) << fingerprint_bits) - 1
    most = GROUP * 128
    position = np.empty(most, np.int64)
    fingerprint = np.empty(most, np.int64)
    begin_of = np.empty(most, np.int64)
    name_of = np.empty(most, np.int64)
    text_at = np.empty(BLOCK, np.int64)
    common_of = np.empty(BLOCK, np.int64)
    touched = np.int64(0)
    end_of_text = np.int64(len(front) - 1)
    for group in range(0, len(out), GROUP):
        last = min(group + GROUP, len(out))
        suffixes = 0
        for i in range(group, last):
            out[i] = -1
            begin = np.int64(offsets[first + i])
            end = np.int64(offsets[first + i + 1])
            h = np.int64(0x811C9DC5)
            floor = max(begin, end - MAX_NAME)
            k = end - 1
            dots = 0
            while k >= floor:
                c = np.int64(data[k])
                if c == 46:
                    # The suffix right of this dot; one label alone is never listed.
                    if dots > 0 and data[k + 1] != 46:
                        mixed = _mix(h)
                        position[suffixes] = (mixed * size) >> 32
                        fingerprint[suffixes] = mixed & fingerprint_mask
                        begin_of[suffixes] = k + 1
                        name_of[suffixes] = i
                        suffixes += 1
                    dots += 1
                h = ((h ^ c) * 16777619) & 0xFFFFFFFF
                k -= 1
            if dots > 0 and k < begin and data[begin] != 46:
                mixed = _mix(h)
                position[suffixes] = (mixed * size) >> 32
                fingerprint[suffixes] = mixed & fingerprint_mask
                begin_of[suffixes] = begin
                name_of[suffixes] = i
                suffixes += 1
                if exact:
                    mixed = _mix(((h ^ 61) * 16777619) & 0xFFFFFFFF)
                    position[suffixes] = (mixed * size) >> 32
                    fingerprint[suffixes] = mixed & fingerprint_mask
                    begin_of[suffixes] = begin - 1
                    name_of[suffixes] = i
                    suffixes += 1
        for n in range(suffixes):
            touched += np.int64(slots[position[n]])
        # Keep the suffixes with a slot of their fingerprint; `position` becomes that slot's place.
        kept = 0
        for n in range(suffixes):
            place = position[n]
            wanted = fingerprint[n]
            slot = np.int64(slots[place])
            while slot != 0 and slot & fingerprint_mask != wanted:
                place += 1
                if place == size:
                    place = 0
                slot = np.int64(slots[place])
            if slot != 0:
                position[kept] = place
                fingerprint[kept] = wanted
                begin_of[kept] = begin_of[n]
                name_of[kept] = name_of[n]
                kept += 1
        for n in range(kept):
            entry = (np.int64(slots[position[n]]) >> fingerprint_bits) - 1
            at = np.int64(block_start[entry // BLOCK])
            touched += np.int64(front[at]) + np.int64(front[min(at + 64, end_of_text)])
            touched += np.int64(front[min(at + 128, end_of_text)])
        for n in range(kept):
            place = position[n]
            i = name_of[n]
            floor = np.int64(offsets[first + i])
            end = np.int64(offsets[first + i + 1])
            slot = np.int64(slots[place])
            while slot != 0:
                if slot & fingerprint_mask == fingerprint[n]:
                    entry = (slot >> fingerprint_bits) - 1
                    if _is_entry(
                        front, block_start, entry, text_at, common_of, data, floor, begin_of[n], end
                    ):
                        # Suffixes of a name come the shortest first: the last one found is the longest.
                        out[i] = entry
                        break
                place += 1
                if place == size:
                    place = 0
                slot = np.int64(slots[place])
    return touched


@kernel
def fill_slots(slots, names, fingerprint_bits, offsets, data):
    """Enters names (reversed, sorted) into an empty hash table; a slot is (entry + 1, fingerprint)."""
    size = np.int64(len(slots))
    fingerprint_mask = (np.int64(1) << fingerprint_bits) - 1
    for i in range(names):
        h = np.int64(0x811C9DC5)
        for k in range(offsets[i], offsets[i + 1]):
            h = ((h ^ np.int64(data[k])) * 16777619) & 0xFFFFFFFF
        mixed = _mix(h)
        position = (mixed * size) >> 32
        value = ((np.int64(i) + 1) << fingerprint_bits) | (mixed & fingerprint_mask)
        while slots[position] != 0:
            position += 1
            if position == size:
                position = 0
        slots[position] = value
