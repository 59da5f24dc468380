"""Closed intervals in columns: those of one key that overlap or nearly touch are one, and a holder's end
where the next begins. Times are int64 µs, keys uint64 hashes; nothing here knows what they stand for.
"""

from typing import NamedTuple

import numpy as np


class Joined(NamedTuple):
    """Intervals of spans; arrays of one length but `spans`."""

    began: np.ndarray
    ended: np.ndarray
    first: np.ndarray
    """A span of each: where its key's columns are."""
    said: np.ndarray
    """Sum of the spans' weights."""
    spans: np.ndarray
    """Interval of each span."""


def _running_max(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Greatest value so far within its group; groups are numbers that never fall."""
    ranked, rank = np.unique(values, return_inverse=True)
    climbing = np.maximum.accumulate(group * np.int64(len(ranked)) + rank)
    return ranked[climbing - group * np.int64(len(ranked))]


def join(key: np.ndarray, began: np.ndarray, ended: np.ndarray, gap: np.ndarray, said: np.ndarray) -> Joined:
    """The intervals of spans: those of a key are one where at most `gap` µs lie between them."""
    if not len(key):
        nothing = np.zeros(0, np.int64)
        return Joined(nothing, nothing, nothing, nothing, nothing)
    order = np.lexsort((ended, began, key))
    sorted_key, begin, end = key[order], began[order], ended[order]
    new_key = np.concatenate(([True], sorted_key[1:] != sorted_key[:-1]))
    covered = _running_max(np.cumsum(new_key) - 1, end)
    starts = new_key.copy()
    starts[1:] |= begin[1:] > covered[:-1] + gap[order][1:]
    edges = np.flatnonzero(starts)
    spans = np.empty(len(key), np.int64)
    spans[order] = np.cumsum(starts) - 1
    return Joined(
        begin[edges],
        np.maximum.reduceat(end, edges),
        order[edges],
        np.add.reduceat(said[order], edges),
        spans,
    )


def _next(group: np.ndarray, us: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """For each row the first later time in its group of a row that counts; the largest int64 if none."""
    never = np.iinfo(np.int64).max
    after = np.full(len(us), never)
    order = np.lexsort((us, group))
    groups, times = group[order], us[order]
    marks = np.flatnonzero(counts[order])
    if not len(marks):
        return after
    # The first row behind those of the same group and moment; then the first that counts from there on.
    moments = np.concatenate(([True], (groups[1:] != groups[:-1]) | (times[1:] != times[:-1])))
    behind = np.append(np.flatnonzero(moments)[1:], len(us))[np.cumsum(moments) - 1]
    at = np.searchsorted(marks, behind)
    found = marks[np.minimum(at, len(marks) - 1)]
    valid = (at < len(marks)) & (groups[found] == groups)
    after[order] = np.where(valid, times[found], never)
    return after


def until_next(resource: np.ndarray, holder: np.ndarray, us: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """End of each hold (int64 µs): after `valid` µs, or when the resource is held anew or the holder ends it.

    `valid` 0 is an end; its own value is its time.
    """
    held = _next(resource, us, valid > 0)
    ends = _next(resource ^ (holder * np.uint64(0x9E3779B97F4A7C15)), us, valid == 0)
    return np.minimum(us + valid, np.minimum(held, ends))
