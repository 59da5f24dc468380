"""Compiled code: one cache a state of the sources."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import kernels


def test_the_cache_is_named_after_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder stands below `SPANWATCH_CACHE`, else below the user's cache."""
    monkeypatch.setenv("SPANWATCH_CACHE", str(tmp_path))
    assert kernels.cache_folder() == tmp_path / "spanwatch" / kernels.source_digest()
    monkeypatch.delenv("SPANWATCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert kernels.cache_folder().parent == tmp_path / "xdg" / "spanwatch"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert kernels.cache_folder().parent == Path.home() / ".cache" / "spanwatch"


def test_a_changed_kernel_changes_the_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A change in any file that speaks of kernels gives another folder; other files don't."""
    room = tmp_path / "pipeline"
    room.mkdir()
    (room / "one.py").write_text("@kernel\ndef f(): return 1\n")
    (room / "other.py").write_text("x = 1\n")
    monkeypatch.setattr(kernels, "__file__", str(room / "kernels.py"))
    before = kernels.source_digest()
    (room / "other.py").write_text("x = 2\n")
    assert kernels.source_digest() == before
    (room / "one.py").write_text("@kernel\ndef f(): return 2\n")
    assert kernels.source_digest() != before


def test_another_checkout_has_a_cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same source at another place or of another time is compiled anew, so it is not called ready."""
    digests = set()
    for place, time in (("a", 1), ("b", 1), ("a", 2)):
        room = tmp_path / place / "pipeline"
        room.mkdir(parents=True, exist_ok=True)
        (room / "one.py").write_text("@kernel\ndef f(): return 1\n")
        os.utime(room / "one.py", (time, time))
        monkeypatch.setattr(kernels, "__file__", str(room / "kernels.py"))
        digests.add(kernels.source_digest())
    assert len(digests) == 3


PROGRAM = """
import numpy as np
from pipeline.kernels import inline_kernel, kernel, packet_kernel

@inline_kernel
def twice(x):
    return 2 * x

@packet_kernel
def total(a):
    s = 0
    for i in range(len(a)):
        s += twice(a[i])
    return s

@kernel
def share(a, b):
    return a / b

print(total(np.arange(5)), share(1.0, 0.0))
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
    assert done.stdout.split() == ["20", "inf"], done.stderr
    assert bool(list(tmp_path.rglob("*.nbi"))) == (disabled == "0")
