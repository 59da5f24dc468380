"""Bundles: arrays that a kernel reaches by name through one pointer."""

import gc
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from pipeline.bundle import Bundle

POINT = np.dtype([("x", "i8"), ("y", "i4")], align=True)


class Pair(Bundle):
    """Records, a plain array and a table."""

    points: np.recarray
    octets: np.ndarray
    table: np.ndarray


def pair(count: int) -> Pair:
    points = np.zeros(count, POINT).view(np.recarray)
    points["x"] = np.arange(count) * 10
    return Pair(points=points, octets=np.arange(count, dtype=np.uint8), table=np.arange(6).reshape(2, 3))


@numba.njit
def work(bundle, at):  # type: ignore[no-untyped-def]
    point = bundle.points[at]
    point.y = len(bundle.octets)
    bundle.octets[at] += 1
    return point.x + bundle.octets[at] + bundle.table[1, 2] + bundle.table.shape[0]


def test_kernels_read_and_write_the_arrays() -> None:
    """A kernel sees sizes, shapes and values, and what it writes stands in the arrays."""
    made = pair(5)
    assert work(made, 3) == 30 + 4 + 5 + 2
    assert made.points[3].y == 5
    assert made.octets.tolist() == [0, 1, 2, 4, 4]


def test_two_bundles_of_one_type() -> None:
    """Bundles of different sizes share the compiled code, and no data."""
    small, large = pair(2), pair(100)
    assert work(small, 1) == 10 + 2 + 5 + 2
    assert work(large, 99) == 990 + 100 + 5 + 2
    assert small.octets.tolist() == [0, 2]


def test_arrays_live_as_long_as_the_bundle() -> None:
    """The bundle holds its arrays; nothing else has to."""
    made = pair(1_000)
    gc.collect()
    np.zeros(100_000).sum()
    assert [work(made, at) for at in (0, 999)] == [0 + 1 + 7, 9_990 + (999 % 256) + 1 + 7]


def test_all_arrays_in_their_order() -> None:
    """A bundle without an array, with one too many or in another order is refused with what it takes."""
    points, octets, table = pair(1).points, pair(1).octets, pair(1).table
    with pytest.raises(TypeError, match="Pair takes points, octets, table"):
        Pair(points=points, octets=octets)
    with pytest.raises(TypeError, match="in this order"):
        Pair(octets=octets, points=points, table=table)
    with pytest.raises(TypeError, match="in this order"):
        Pair(points=points, octets=octets, table=table, more=table)


def test_plain_python_without_the_compiler() -> None:
    """Uncompiled, a bundle is an object with attributes."""
    program = (
        "import numpy as np; from tests.pipeline.test_bundle import pair, work\n"
        "assert work.__class__.__name__ == 'function'; print(work(pair(5), 3))"
    )
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"NUMBA_DISABLE_JIT": "1"}, cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "41", done.stderr
