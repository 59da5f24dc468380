"""Plans beside offsets, and the messages of a partition that wait."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.stream.plans import METADATA_BYTES, Held, Item, Plan, read_plan

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
OFFSETS = st.integers(0, 1 << 62)


def item(offset: int, size: int = 1) -> Item:
    return Item(offset, None, "none", [], bytes(size), 0.0)


@given(st.text(), st.dictionaries(st.integers(0, 999), st.tuples(OFFSETS, OFFSETS), min_size=1, max_size=64))
def test_a_plan_is_read_as_it_was_written(token: str, ranges: dict[int, tuple[int, int]]) -> None:
    """Whoever has one of its partitions reads the whole plan; where nothing is planned there is none."""
    text = Plan(token, ranges, {(1, 2)}).text()
    for partition, (begin, end) in ranges.items():
        found = read_plan(text, partition, begin)
        if begin < end:
            assert found is not None
            assert (found.token, found.ranges, found.dead) == (token, ranges, {(1, 2)})
        else:
            assert found is None
        assert read_plan(text, partition, begin + 1) is None


@given(st.text() | JSON.map(json.dumps) | st.builds(lambda v: json.dumps({"token": "t", "ranges": v}), JSON))
def test_other_text_is_no_plan(text: str) -> None:
    """Whatever stands beside an offset, it is a plan or none, never an error."""
    read_plan(text, 0, 0)


def test_odd_numbers_and_depths_are_no_plan() -> None:
    """What JSON can write and no plan holds: infinity, and lists in lists without end."""
    odd: tuple[Any, ...] = ('{"token": "t", "ranges": {"0": [Infinity, 1]}}', "[" * METADATA_BYTES, "NaN", "")
    assert [read_plan(text, 0, 0) for text in odd] == [None] * len(odd)


def test_what_was_set_aside_is_left_out_where_there_is_no_room() -> None:
    """A plan always fits beside an offset; what was set aside is then set aside again."""
    full = Plan("t", {0: (0, 9_999)}, {(0, n) for n in range(2_000)})
    assert len(full.text()) <= METADATA_BYTES
    found = read_plan(full.text(), 0, 0)
    assert found is not None
    assert not found.dead


def test_a_partition_counts_what_it_holds() -> None:
    """Bytes go up and down with what is taken; past its bound it is full."""
    held = Held(0, 5, "")
    for offset in (5, 6, 9):
        held.add(item(offset, 8 << 20))
    assert held.next == 10
    assert held.full(1_000_000)
    assert [one.offset for one in held.take(9)] == [5, 6]
    assert (held.bytes, len(held.items)) == (8 << 20, 1)
    assert not held.full(1_000_000)
