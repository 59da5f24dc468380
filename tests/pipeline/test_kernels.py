"""Compiled code: one cache a state of the sources."""

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from pipeline import kernels


def test_the_cache_is_in_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder stands below `SPANWATCH_CACHE`, else below the user's cache, else the host's."""
    monkeypatch.setenv("SPANWATCH_CACHE", str(tmp_path))
    assert kernels.cache_folder() == tmp_path / "spanwatch" / "kernels"
    monkeypatch.delenv("SPANWATCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert kernels.cache_folder() == tmp_path / "xdg" / "spanwatch" / "kernels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert kernels.cache_folder() == Path.home() / ".cache" / "spanwatch" / "kernels"
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)
    assert kernels.cache_folder() == Path("/var/cache/spanwatch/kernels")


def test_a_changed_kernel_changes_the_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A change in any file that speaks of kernels gives another digest; other files and places don't."""
    digests = []
    for place, one, other in (("a", 1, 1), ("a", 1, 2), ("b", 1, 2), ("b", 2, 2)):
        room = tmp_path / place / "pipeline"
        room.mkdir(parents=True, exist_ok=True)
        (room / "one.py").write_text(f"@kernel\ndef f(): return {one}\n")
        (room / "other.py").write_text(f"x = {other}\n")
        monkeypatch.setattr(kernels, "__file__", str(room / "kernels.py"))
        digests.append(kernels.source_digest())
    assert digests[0] == digests[1] == digests[2] != digests[3]


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="is about compiled kernels")
def test_inner_kernels_refuse_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel that only kernels may call says so, before and after one did."""
    # A module made of text can't be found again by name, which compiled code that is kept asks for.
    monkeypatch.setattr(kernels, "CACHE", tmp_path)
    leaf = kernels.packet_kernel(made(LEAF, ONE=1))
    with pytest.raises(TypeError, match="entry_kernel"):
        leaf(1)
    assert kernels.entry_kernel(made(CALLER, leaf=leaf))(3) == 8
    with pytest.raises(TypeError, match="entry_kernel"):
        leaf(1)


LEAF, CALLER = "def leaf(x):\n    return x + ONE\n", "def caller(x):\n    return leaf(x) * 2\n"


def made(source: str, **names: object) -> Any:
    """A function of the source, with globals of its own; the cache looks for its module."""
    space = {"__name__": __name__, **names}
    exec(source, space)
    return space["caller" if "def caller" in source else "leaf"]


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="is about compiled kernels")
def test_the_fingerprint_is_of_all_that_is_compiled_in() -> None:
    """It changes with code, options and constants, a callee's too; not with a comment."""
    leaf = kernels.packet_kernel(made(LEAF, ONE=1))
    first = kernels.fingerprint(made(CALLER, leaf=leaf))
    assert first == kernels.fingerprint(made(CALLER + "# more\n", leaf=leaf))
    assert first == kernels.fingerprint(made(CALLER, leaf=kernels.packet_kernel(made(LEAF, ONE=1))))
    for other in (made(LEAF, ONE=2), made(LEAF.replace("+", "-"), ONE=1), made(LEAF, ONE=np.arange(3))):
        assert first != kernels.fingerprint(made(CALLER, leaf=kernels.packet_kernel(other)))
    assert first != kernels.fingerprint(made(CALLER.replace("2", "3"), leaf=leaf))
    assert first != kernels.fingerprint(made(CALLER, leaf=kernels.hot_kernel(made(LEAF, ONE=1))))
    through = CALLER.replace("leaf(", "room.leaf(")
    rooms = [types.ModuleType("room") for _ in range(2)]
    for room, one in zip(rooms, (1, 2), strict=True):
        room.leaf = kernels.packet_kernel(made(LEAF, ONE=one))  # type: ignore[attr-defined]
    assert len({kernels.fingerprint(made(through, room=room)) for room in rooms}) == 2


PROGRAM = """
import numpy as np
from pipeline.bundle import Bundle
from pipeline.kernels import bind_units, inline_kernel, kernel, entry_kernel, unit_kernel

@inline_kernel
def twice(x):
    return 2 * x

@entry_kernel
def total(a):
    s = 0
    for i in range(len(a)):
        s += twice(a[i])
    return s

@kernel
def share(a, b):
    return a / b

class Held(Bundle):
    count: np.ndarray

@unit_kernel
def add(table, buf, at):
    table.count[0] += buf[at]
    return np.int64(buf[at])

@entry_kernel
def twice_added(table, buf):
    return add(table, buf, 1) + add(table, buf, np.int32(1))

held = Held(count=np.zeros(1, np.int64))
bind_units(held)
print(total(np.arange(5)), share(1.0, 0.0), twice_added(held, np.full(4, 3, np.uint8)), held.count[0])
"""


@pytest.mark.parametrize("disabled", ["0", "1"])
def test_kernels_run_compiled_and_not(tmp_path: Path, disabled: str) -> None:
    """The same code gives the same, with the compiler and without; compiled, it is kept on disk."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM if disabled == "0" else PROGRAM.replace("1.0, 0.0", "1.0, 1e-400 or 1e-320"))
    root = Path(kernels.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, str(program)],
        env={
            "PYTHONPATH": str(root),
            "SPANWATCH_CACHE": str(tmp_path / "cache"),
            "NUMBA_DISABLE_JIT": disabled,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["20", "inf", "6", "6"], done.stderr
    assert bool(list(tmp_path.rglob("*.nbi"))) == (disabled == "0")
