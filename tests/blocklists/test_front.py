"""Front-coded text gives back the names that went in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.front import BLOCK, front_code, name_at

NAMES = st.lists(st.binary(min_size=1, max_size=254), unique=True, min_size=1, max_size=60).map(sorted)


def coded(names):
    """Front-coded text of sorted names, and where each block begins."""
    data = np.frombuffer(b"".join(names), np.uint8)
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int32)
    starts = np.zeros(-(-len(names) // BLOCK), np.uint32)
    front = np.empty(front_code(offsets, data, len(names), np.zeros(0, np.uint8), starts), np.uint8)
    assert front_code(offsets, data, len(names), front, starts) == len(front)
    return front, starts


def decoded(front, starts, count):
    names, at, text = [], 0, b""
    for number in range(count):
        if number % BLOCK == 0:
            assert at == starts[number // BLOCK]
        common, tail, at = (int(n) for n in name_at(front, np.int64(at)))
        if number % BLOCK == 0:
            assert common == 0
        text = text[:common] + front[at : at + tail].tobytes()
        at += tail
        names.append(text)
    assert at == len(front)
    return names


@settings(deadline=None)
@given(NAMES)
def test_names_come_back(names):
    """Any sorted, different names come back, from the beginning of each block on."""
    assert decoded(*coded(names), len(names)) == names


@pytest.mark.parametrize("common", [0, 1, 14, 15, 16, 17, 200])
@pytest.mark.parametrize("tail", [1, 14, 15, 16, 17, 50])
def test_the_bounds_of_the_short_form(common, tail):
    """One byte says how long where both lengths are below 16, three do otherwise."""
    names = [b"a" * common + b"b", b"a" * common + b"c" * tail]
    front, starts = coded(names)
    assert decoded(front, starts, 2) == names
    head = 1 if common < 16 and tail < 16 else 3
    first = 1 if common + 1 < 16 else 3
    assert len(front) == first + common + 1 + head + tail
