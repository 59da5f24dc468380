"""Kernels meet the compiler when they are first called, not before."""

import subprocess
import sys
from pathlib import Path

from pipeline import compiling, kernels

PROGRAM = """
import sys
import numpy as np
from pipeline.bundle import Bundle
from pipeline.kernels import bind_units, entry_kernel, unit_kernel

class Held(Bundle):
    count: np.ndarray

@unit_kernel
def add(table, at):
    table.count[0] += at
    return at

@entry_kernel
def added(table, at):
    return add(table, at)

class Other(Bundle):
    counts: np.ndarray

held = Held(count=np.zeros(1, np.int64))
bind_units(held)
print("numba" in sys.modules)
from pipeline.compiling import Compilations
said = []
with Compilations(said.append) as compilations:
    print(added(held, 3), compilations.count > 0, "added" in said[-1] + said[0])
bind_units(Other(counts=np.zeros(1, np.int64)))
try:
    added(held, 3)
except TypeError as error:
    print(error)
"""


def test_the_compiler_comes_with_the_first_call(tmp_path: Path) -> None:
    """Kernels and bundles are made without Numba; units are bound to one type of table."""
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env={"PYTHONPATH": str(Path(kernels.__file__).parent.parent), "SPANWATCH_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == ["False", "3 True True"], done.stderr
    assert "one process has one" in lines[2]


def test_parameters_of_units_are_typed_by_name() -> None:
    """`buf` is bytes, `table` the table, all else an integer."""

    def reader(table, buf, start):  # type: ignore[no-untyped-def]
        return start

    unit = kernels.Unit(reader)
    kind = compiling.types.int8
    assert compiling.unit_types(unit, kind) == (kind, compiling.OCTETS, compiling.types.int64)
