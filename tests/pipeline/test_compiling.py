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


ALONE = """
from pipeline.kernels import entry_kernel, kernel

@entry_kernel
def added(one, other):
    return one + other

@kernel
def twice(number):
    return 2 * number

print(added(3, 4), twice(4))
"""


def run_alone(folder: Path, cache: Path) -> str:
    """What the kernels told on standard error, with their cache at `cache`."""
    (folder / "alone.py").write_text(ALONE)
    done = subprocess.run(
        [sys.executable, str(folder / "alone.py")],
        env={"PYTHONPATH": str(Path(kernels.__file__).parent.parent), "SPANWATCH_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("7 8\n", 0), done.stderr
    return done.stderr


def test_a_cache_that_can_not_be_written_is_told_once(tmp_path: Path) -> None:
    """Kernels run, and one line says that they are not kept."""
    (tmp_path / "file").write_text("")
    told = run_alone(tmp_path, tmp_path / "file").splitlines()
    assert len(told) == 1
    assert "not kept" in told[0]


def test_what_was_cut_off_is_compiled_anew(tmp_path: Path) -> None:
    """Files of the cache that are empty or end early, as after a power failure, are replaced."""
    run_alone(tmp_path, tmp_path)
    for suffix in ("nbi", "nbc"):
        for keep in (0, 40):
            paths = sorted(tmp_path.rglob(f"*.{suffix}"))
            assert len(paths) == 2
            for path in paths:
                path.write_bytes(path.read_bytes()[:keep])
            assert run_alone(tmp_path, tmp_path) == ""
            assert all(path.stat().st_size > keep for path in tmp_path.rglob(f"*.{suffix}"))


def test_parameters_of_units_are_typed_by_name() -> None:
    """`buf` is bytes, `table` the table, all else an integer."""

    def reader(table, buf, start):  # type: ignore[no-untyped-def]
        return start

    unit = kernels.Unit(reader)
    kind = compiling.types.int8
    assert compiling.unit_types(unit, kind) == (kind, compiling.OCTETS, compiling.types.int64)
