"""The guided search for some seconds of each target, and what it found and reached before."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TARGETS = ("frames", "streams", "datagrams", "statements", "files")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def uncompiled(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A module run with the compiler off."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_corpus_stays_inside() -> None:
    """The inputs of earlier searches go well; they run where kernels are plain Python."""
    done = uncompiled("pytest", "-q", "-p", "no:cacheprovider", "-m", "slow", "tests/capture/test_guarded.py")
    assert done.returncode == 0, done.stdout[-8_000:]


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_search_finds_nothing(target: str, tmp_path: Path) -> None:
    """A few seconds of search reach code beyond the seeds and raise nowhere."""
    done = uncompiled("tests.capture.guided", target, "10", str(tmp_path))
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "FOUND" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
    assert "NEW " in done.stderr
