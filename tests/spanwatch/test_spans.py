"""Ranges of event time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from spanwatch.spans import GAP_US, merged

SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 3)).map(lambda s: (s[0] * GAP_US, sum(s) * GAP_US))
)


def test_near_ranges_become_one() -> None:
    """Ranges that overlap or lie within the gap are one, in any order."""
    assert merged([(GAP_US + 5, GAP_US + 9), (0, 5)]) == [(0, GAP_US + 9)]


def test_distant_ranges_stay_apart() -> None:
    """A capture of another year does not span the years in between."""
    assert merged([(10 * GAP_US, 11 * GAP_US), (0, 5)]) == [(0, 5), (10 * GAP_US, 11 * GAP_US)]


def test_a_range_within_another_does_not_shorten_it() -> None:
    """The end is the latest of all."""
    assert merged([(0, 100), (5, 6)]) == [(0, 100)]


@given(SPANS)
def test_every_moment_is_covered_and_gaps_remain(spans: list[tuple[int, int]]) -> None:
    """Each range lies in one of the merged, which are in order and more than the gap apart."""
    result = merged(spans)
    assert all(any(a <= first and last <= b for a, b in result) for first, last in spans)
    assert all(after[0] - before[1] > GAP_US for before, after in pairwise(result))
    assert {a for a, _ in result} <= {first for first, _ in spans}
