"""Parts that are extended instead of repeated."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from classifiers.episodes import SUPPRESSION, Key, Part, episodes, finding_id
from tests.classifiers.conftest import at

HOUR = 3_600


def part(start: float, end: float, strength: float = 1.0, subject: str = "h", name: str = "w") -> Part:
    return Part(
        Key("demo", "host", subject), at(start), at(start), at(end), strength, 95, f"{name} {strength}"
    )


def test_parts_within_an_hour_are_one_finding():
    """Parts up to an hour apart join; the strongest gives the words; a longer pause begins anew."""
    rows = episodes([part(0, 60), part(60 + HOUR, 120 + HOUR, 3), part(121 + 2 * HOUR, 10_000)])
    assert [(row.start, row.end, row.statement) for row in rows] == [
        (at(0), at(120 + HOUR), "w 3"),
        (at(121 + 2 * HOUR), at(10_000), "w 1.0"),
    ]


def test_of_equals_the_earliest_gives_the_words():
    """Of parts that are equally strong the first in time is the one that is told."""
    (row,) = episodes([part(600, 900, name="later"), part(0, 60, name="first")])
    assert (row.statement, row.end) == ("first 1.0", at(900))


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8), st.integers(1, 3)), max_size=12)


@given(spans, st.randoms(use_true_random=False))
def test_order_decides_nothing(rows, chance):
    """The same parts in any order, joined at once or by halves, give the same findings and ids."""
    parts = [part(600 * s, 600 * (s + length), power) for s, length, power in rows]
    shuffled = list(parts)
    chance.shuffle(shuffled)
    half = len(shuffled) // 2
    told = episodes(parts)
    assert episodes(shuffled) == told
    assert episodes([*episodes(shuffled[:half]), *episodes(shuffled[half:])]) == told
    assert len({finding_id("thing", row) for row in told}) == len(told)
    assert all(b.start - a.end > SUPPRESSION for a, b in pairwise(told))


def test_an_id_is_of_its_subject_and_hour():
    """Another detector, subject or hour is another id; a few minutes are not."""
    told = part(0, 60)
    same = replace(told, start=at(60))
    assert finding_id("thing", told) == finding_id("thing", same)
    others = {
        finding_id("other", told),
        finding_id("thing", replace(told, start=at(HOUR))),
        finding_id("thing", part(0, 60, subject="other")),
    }
    assert len(others | {finding_id("thing", told)}) == 4
