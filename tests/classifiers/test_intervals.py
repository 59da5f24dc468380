"""Intervals in columns, against the same by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifiers.intervals import join, until_next

SPANS = st.lists(st.tuples(st.integers(0, 3), st.integers(-50, 50), st.integers(0, 20)), max_size=30)


def by_hand(spans: list[tuple[int, int, int]], gap: int) -> list[tuple[int, int, int]]:
    """The same, one span after the other."""
    found: list[list[int]] = []
    for key, begin, length in sorted(spans):
        if found and found[-1][0] == key and begin <= found[-1][2] + gap:
            found[-1][2] = max(found[-1][2], begin + length)
        else:
            found.append([key, begin, begin + length])
    return [(key, begin, end) for key, begin, end in found]


@given(SPANS, st.integers(0, 5))
def test_spans_that_touch_are_one(spans: list[tuple[int, int, int]], gap: int) -> None:
    """Whatever overlaps or lies within the gap is one interval of its key, in any order of rows."""
    key = np.array([span[0] for span in spans], np.uint64)
    began = np.array([span[1] for span in spans], np.int64)
    ended = began + np.array([span[2] for span in spans], np.int64)
    ones = np.ones(len(spans), np.int64)
    joined = join(key, began, ended, ones * gap, ones)
    found = zip(key[joined.first].tolist(), joined.began.tolist(), joined.ended.tolist(), strict=True)
    assert sorted(found) == by_hand(spans, gap)
    assert joined.said.sum() == len(spans)
    assert all(joined.began[of] <= began[row] for row, of in enumerate(joined.spans.tolist()))


EVENTS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 40), st.integers(0, 15)), max_size=25
)


@given(EVENTS)
def test_what_is_held_ends(events: list[tuple[int, int, int, int]]) -> None:
    """A hold ends after its time, when the resource is held anew, or when its own holder ends it."""
    resource, holder, us, valid = (np.array([event[i] for event in events], np.int64) for i in range(4))
    ends = until_next(resource.astype(np.uint64), holder.astype(np.uint64), us, valid)
    for row, (mine, who, at, lasts) in enumerate(events):
        cuts = [
            when
            for other, by, when, how_long in events
            if other == mine and when > at and (how_long > 0 or by == who)
        ]
        if lasts:
            assert ends[row] == min([at + lasts, *cuts])
