"""Words of a byte array: the same compiled and not, and within bounds where those are checked."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import words
from pipeline.kernels import entry_kernel


@entry_kernel
def every(buf, at):
    """All the words at one place."""
    return (
        words.load_8(buf, at),
        words.load_16(buf, at),
        words.load_32(buf, at),
        words.load_64(buf, at),
        words.load_little_16(buf, at),
        words.load_little_32(buf, at),
        words.load_native(buf, at),
    )


@entry_kernel
def moved(out, at, buf, start, length):
    """`copy` as a kernel calls it."""
    words.copy(out, at, buf, start, length)


@settings(deadline=None)
@given(st.binary(min_size=8, max_size=40), st.data())
def test_words_are_those_of_the_bytes(data: bytes, chance: st.DataObject) -> None:
    """Both orders, unsigned to 32 bits; the 64-bit ones have the sign of their first bit."""
    at = chance.draw(st.integers(0, len(data) - 8))
    expected = [int.from_bytes(data[at : at + n], "big", signed=n == 8) for n in (1, 2, 4, 8)]
    expected += [int.from_bytes(data[at : at + n], "little") for n in (2, 4)]
    expected.append(int.from_bytes(data[at : at + 8], sys.byteorder, signed=True))
    assert list(every(np.frombuffer(data, np.uint8).copy(), at)) == expected


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40), st.data())
def test_copies(data: bytes, chance: st.DataObject) -> None:
    """Bytes move as they are, also over themselves; no length or less than none is nothing."""
    start = chance.draw(st.integers(0, len(data)))
    length = chance.draw(st.integers(-3, len(data) - start))
    at = chance.draw(st.integers(0, len(data) - max(length, 0)))
    made = np.frombuffer(data, np.uint8).copy()
    moved(made, at, made, start, length)
    expected = bytearray(data)
    expected[at : at + max(length, 0)] = data[start : start + max(length, 0)]
    assert made.tobytes() == bytes(expected)


PROGRAM = """
import sys
import numpy as np
from pipeline import words
from pipeline.kernels import entry_kernel
@entry_kernel
def read(buf, at):
    return words.load_32(buf, at)
@entry_kernel
def move(out, at, buf, start, length):
    words.copy(out, at, buf, start, length)
buf = np.zeros(8, np.uint8)
calls = [(read, (buf, -1)), (read, (buf, 5)), (move, (buf, 5, buf, 0, 4)), (move, (buf, 0, buf, -1, 1))]
read(buf, 4), move(buf, 4, buf, 0, 4)
refused = 0
for kernel, arguments in calls:
    try:
        kernel(*arguments)
    except IndexError:
        refused += 1
print(refused, len(calls))
"""


@pytest.mark.parametrize("disabled", ["0", "1"])
def test_bounds_are_checked_where_asked_to(tmp_path: Path, disabled: str) -> None:
    """With NUMBA_BOUNDSCHECK=1, and uncompiled always, reading or writing outside raises."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    settings = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_DISABLE_JIT": disabled, "SPANWATCH_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(program)],
        env=os.environ | settings | {"PYTHONPATH": str(Path(words.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["4", "4"], done.stderr
