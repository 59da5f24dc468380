"""Linked kernels: called without the compiler, kept by content, made anew where they are no good."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import image, kernels
from pipeline.bundle import Bundle

PROGRAM = """
import sys
from typing import NamedTuple
import numpy as np
from pipeline.bundle import Bundle
from pipeline.image import Image
from pipeline.kernels import bind_units, entry_kernel, unit_kernel

class Held(Bundle):
    count: np.ndarray

class Inner(NamedTuple):
    back: bool
    forth: bool
    number: int

class Parts(NamedTuple):
    one: np.ndarray
    two: np.ndarray
    number: int

class Outer(NamedTuple):
    inner: Inner
    last: bool
    more: np.ndarray

@unit_kernel
def add(table, buf, at):
    table.count[0] += buf[at]
    return np.int64(buf[at]) * FACTOR

@entry_kernel
def added(table, parts, first, twice):
    total = np.int64(0)
    for at in range(first, parts.number):
        total += add(table, parts.one, at) + parts.two[at, 1]
    return total * 2 if twice else total

@entry_kernel
def is_even(number):
    return number % 2 == 0

@entry_kernel
def divided(number, by):
    return number // by, number % by, by

@entry_kernel
def nested(outer, by):
    inner = outer.inner
    sign = -1 if inner.back and not inner.forth and outer.last else 1
    return sign * (inner.number + outer.more[0] + by)

@entry_kernel
def whole(number):
    return number + 1

@entry_kernel
def nothing(buf):
    buf[0] = 9

FACTOR = int(sys.argv[1])
IMAGE = Image("test", (added, is_even, divided, nested, whole, nothing))
loaded = IMAGE.load()
held = Held(count=np.zeros(1, np.int64))
bind_units(held)
parts = Parts(np.arange(6, dtype=np.uint8), np.ones((6, 2), np.int64), 6)
buf = np.zeros(3, np.uint8)
nothing(buf)
print(added(held, parts, 2, False), added(held, parts, 0, True), held.count[0], is_even(4), is_even(-3))
for at in range(1, 500):
    # The memory of one array is often that of the next.
    assert added(held, parts._replace(two=np.full((6, 2), at)), 5, False) == FACTOR * 5 + at
assert added(held, parts._replace(number=np.int64(3)), 0, False) == FACTOR * 3 + 3
thirty = np.full(1, 30)
signs = []
for also in (False, True, False):
    signs.append(int(nested(Outer(Inner(True, also, 4), True, thirty), 200 + also)))
print(signs, whole(5))
try:
    print(whole(1 << 70))
except Exception:
    print("too large")
print(divided(17, 5), nothing(buf[::2]), buf.tolist(), is_even(np.int32(7)), loaded, "numba" in sys.modules)
if not loaded:
    IMAGE.link()
"""
SAID = ["18 42 29 True False", "[-234, 235, -234] 6"]
LAST = "(3, 2, 5) None [9, 0, 0] False"


def run(folder: Path, factor: int = 1, **environment: str) -> list[str]:
    """What the program says with its cache in `folder`: last whether it was linked, and had to load Numba."""
    (folder / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(folder / "program.py"), str(factor)],
        env={"PYTHONPATH": str(Path(kernels.__file__).parent.parent), "SPANWATCH_CACHE": str(folder)}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def images(folder: Path) -> list[Path]:
    """The images in the cache."""
    return sorted(folder.rglob("*.image"))


def test_a_linked_program_runs_as_the_compiled_one(tmp_path: Path) -> None:
    """All kinds of arguments and results are the same, uncompiled, compiled and linked.

    A call with a type that was not linked goes through the compiler.
    """
    assert run(tmp_path, NUMBA_DISABLE_JIT="1") == [*SAID, str((1 << 70) + 1), f"{LAST} False False"]
    assert images(tmp_path) == []
    assert run(tmp_path) == [*SAID, "too large", f"{LAST} False True"]
    assert len(images(tmp_path)) == 1
    assert run(tmp_path) == [*SAID, "too large", f"{LAST} True True"]


def test_an_image_that_is_no_good_is_made_anew(tmp_path: Path) -> None:
    """Cut off, damaged anywhere, or of another format: the program compiles, and the next one is linked."""
    run(tmp_path)
    [path] = images(tmp_path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    for bad in (
        b"",
        whole[:20],
        whole[:-1],
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        b"another format" + whole[14:],
    ):
        path.write_bytes(bad)
        assert run(tmp_path)[-1].split()[-2] == "False"
        assert path.read_bytes()[:14] == whole[:14]
    assert run(tmp_path)[-1].split()[-2] == "True"


def test_an_image_is_of_what_it_was_made_from(tmp_path: Path) -> None:
    """A constant of a unit below an entry, or a setting of the compiler, asks for another image."""
    run(tmp_path)
    assert run(tmp_path, factor=2)[0].split()[0] == "32"
    assert len(images(tmp_path)) == 2
    run(tmp_path, NUMBA_OPT="1")
    assert len(images(tmp_path)) == 3
    run(tmp_path, NUMBA_BOUNDSCHECK="1")
    assert len(images(tmp_path)) == 3


class Pair(Bundle):
    """Two arrays."""

    one: np.ndarray
    two: np.ndarray


def test_types_tell_what_the_compiler_tells_apart() -> None:
    """Arrays differ by items, dimensions, order, alignment and whether they can be written; so do numbers."""
    square = np.zeros((3, 3))
    readonly = np.zeros(3)
    readonly.flags.writeable = False
    points = np.zeros(3, [("x", "i8"), ("y", "i4")])
    several = [
        square, square.T, square[::2], np.zeros(3), readonly, np.zeros(3, np.float32), points, 1, True,
        Pair(one=square, two=points), Pair(one=points, two=square), np.zeros(25, np.uint8)[1:].view("f8"),
    ]  # fmt: skip
    kinds = [(image.words_of((value,)) or ("", []))[0] for value in several]
    assert len(set(kinds)) == len(several)
    assert image.words_of((points.view(np.recarray),))[0] == kinds[6]  # type: ignore[index]
    assert image.words_of((1.5,)) is None
    assert image.words_of((1 << 63,)) is None


def test_an_image_that_can_not_be_written_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the image can't take its place, what was written of it is removed."""
    made = image.Image("test", ())
    monkeypatch.setattr(image, "CACHE", tmp_path)
    made.path.mkdir()
    with pytest.raises(OSError, match="directory"):
        made.save([], b"code")
    assert list(tmp_path.iterdir()) == [made.path]


@pytest.mark.skipif(kernels.DISABLED, reason="is about compiled kernels")
def test_the_sensor_starts_without_the_compiler(tmp_path: Path) -> None:
    """Once its kernels are linked, a sensor takes a capture without Numba, nor pandas where that is there."""
    program = (
        "import sys\n"
        "from capture.sensor import IMAGE, Sensor, warm_kernels\n"
        "from capture.sources.pcap import open_capture\n"
        "from pipeline.settings import SensorSettings\n"
        "warm_kernels()\n"
        "before = {'numba', 'pandas'} & set(sys.modules)\n"
        "sensor = Sensor(SensorSettings(flows=1_024, heads=16), 'x')\n"
        "with open_capture('spanwatch/data/demo.pcap.zst') as capture:\n"
        "    rows = sum(batch.num_rows for frames in capture for _, batch in sensor.feed(frames))\n"
        "rows += sum(batch.num_rows for _, batch in sensor.finish())\n"
        "print(rows > 100, before, {'numba', 'pandas'} & set(sys.modules))\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(kernels.__file__).parent.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "set()", "set()"]


def test_code_for_a_named_processor_is_found_on_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code for x86-64-v3 has one place wherever it was compiled, code for this processor another."""
    import llvmlite.binding as llvm

    made = image.Image("named", ())
    here = made.path
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: "elsewhere")
    assert made.path != here
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v3")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    elsewhere = made.path
    monkeypatch.undo()
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v3")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    assert made.path == elsewhere != here
