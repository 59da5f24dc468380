"""The pieces of a range, and the sums that tell them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sums import OF_ALL, OF_HOSTS, OF_PLACES, OF_SITES, Level, levels, pieces, traffic
from api.times import MINUTE_US, Range

MINUTES = st.integers(0, 90 * 1_440)


@given(MINUTES, st.integers(1, 40 * 1_440), st.sampled_from([OF_ALL, OF_SITES, OF_HOSTS, OF_PLACES]))
def test_each_minute_is_in_one_piece(first: int, length: int, of: tuple[Level, ...]) -> None:
    """The stretches of all sums together are the range, each of whole steps of its own sums."""
    told = pieces(Range(first * MINUTE_US, (first + length) * MINUTE_US), of)
    stretches = sorted(stretch for _, found in told for stretch in found)
    assert stretches[0][0] == first * 60
    assert stretches[-1][1] == (first + length) * 60
    assert all(a[1] == b[0] for a, b in itertools.pairwise(stretches))
    for level, found in told:
        assert all(begin % level.seconds == end % level.seconds == 0 for begin, end in found)


@given(MINUTES, st.integers(1, 40 * 1_440))
def test_what_a_step_does_not_fit_is_not_used(first: int, length: int) -> None:
    """Steps of ten minutes are told by slots of five minutes, never by hours."""
    told = pieces(Range(first * MINUTE_US, (first + length) * MINUTE_US), OF_SITES, 600)
    assert {level.seconds for level, _ in told} <= {60, 300}


@pytest.mark.parametrize(
    ("asked", "table"), [((), "sites_1h"), (("site", "service"), "sites_1h"), (("client",), "traffic_1h")]
)
def test_the_smallest_sums_that_know_are_asked(asked: tuple[str, ...], table: str) -> None:
    """Sums without hosts, unless hosts are asked about; whole hours of theirs are one statement."""
    sql = traffic(Range(0, 60 * MINUTE_US), levels(asked), ("service",), "1")
    assert f"FROM {table} AS t" in sql
    assert "UNION" not in sql
