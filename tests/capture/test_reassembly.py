"""Runs of bytes put together by offset."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.reassembly import HEAD, RUNS, add_run, take_head
from tests.capture.packets import T0, small_sensor

pytestmark = pytest.mark.uncompiled

Piece = tuple[int, int]


class Place:
    """A small stream head with guards around its data."""

    def __init__(self, size: int, runs: int = RUNS) -> None:
        self.guarded = np.full(size + 32, 250, np.uint8)
        self.data = self.guarded[16 : 16 + size]
        self.runs = np.full((runs, 2), -7, np.int32)
        self.head = np.zeros(1, HEAD).view(np.recarray)[0]

    def add(self, offset: int, data: bytes) -> int:
        buf = np.frombuffer(data or b"\0", np.uint8)
        return int(add_run(self.data, self.runs, self.head, offset, buf, 0, len(data)))

    def check(self) -> None:
        """Runs are sorted, apart, within the data; the guards stand."""
        runs = self.runs[: self.head.runs].tolist()
        assert all(low < high for low, high in runs)
        assert all(a[1] < b[0] for a, b in pairwise(runs))
        assert not runs or (runs[0][0] >= 0 and runs[-1][1] <= len(self.data))
        assert (self.guarded[:16] == 250).all()
        assert (self.guarded[-16:] == 250).all()


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(-40, 120), st.integers(0, 60)), max_size=14))
def test_against_a_list_of_bytes(pieces: list[Piece]) -> None:
    """With room for all runs, what is contiguous is what a list of first-come bytes would hold."""
    place = Place(100, runs=20)
    model: dict[int, int] = {}
    for number, (offset, size) in enumerate(pieces):
        data = bytes((number * 31 + i) & 127 for i in range(size))
        have = place.add(offset, data)
        for i in range(size):
            if 0 <= offset + i < 100:
                model.setdefault(offset + i, data[i])
        expected = next(i for i in range(101) if i not in model)
        assert have == expected
        assert bytes(place.data[:have]) == bytes(model[i] for i in range(have))
        place.check()


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(-(2**31), 2**31 - 1) | st.integers(-5, 105), st.integers(0, 90)), max_size=40
    ),
    st.integers(1, 4),
)
def test_hostile_offsets(pieces: list[Piece], runs: int) -> None:
    """Any offset that two sequence numbers can be apart, and too few runs, write nothing outside."""
    place = Place(100, runs)
    for offset, size in pieces:
        assert 0 <= place.add(offset, b"x" * size) <= 100
        place.check()


@pytest.mark.parametrize("count", range(2, 31))
def test_segments_in_any_order(count: int) -> None:
    """Up to thirty segments are put together in whatever order they come."""
    stream = random.Random(count).randbytes(count * 10)
    for seed in range(20):
        order = list(range(count))
        random.Random(seed).shuffle(order)
        place = Place(len(stream))
        have = 0
        for number in order:
            have = place.add(number * 10, stream[number * 10 : number * 10 + 10])
        assert have == len(stream)
        assert bytes(place.data) == stream


def test_a_run_too_many_is_dropped_and_may_come_again() -> None:
    """Without room for one more run a segment is left out; sent again when there is room, it is taken."""
    place = Place(100, runs=2)
    place.add(10, b"a" * 5)
    place.add(30, b"b" * 5)
    place.add(50, b"c" * 5)
    assert place.head.runs == 2
    assert place.add(0, b"z" * 30) == 35
    assert place.add(50, b"c" * 5) == 35
    assert place.add(35, b"d" * 15) == 55
    assert bytes(place.data[:55]) == b"z" * 10 + b"a" * 5 + b"z" * 15 + b"b" * 5 + b"d" * 15 + b"c" * 5


def test_the_last_heads_are_the_clients() -> None:
    """Servers' streams that wait never take the places which hellos need."""
    table = small_sensor(heads=16).table
    taken = [take_head(table, i, 0, T0, 0) for i in range(20)]
    assert taken == [True] * 12 + [False] * 8
    assert [take_head(table, i, 1, T0, 0) for i in range(6)] == [True] * 4 + [False] * 2
    assert table.meter[0].heads_refused == 10
