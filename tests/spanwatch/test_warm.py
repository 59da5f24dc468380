"""`spanwatch warm`: after it, nothing is left to compile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spanwatch import warm
from spanwatch.cli import DONE
from tests.spanwatch.captures import first_frames
from tests.spanwatch.program import environment, run

#: Runs the command and tells on standard error how many kernels had to be compiled for it.
COUNTING = """
import sys
from pipeline.compiling import Compilations
with Compilations(lambda _text: None) as compilations:
    from spanwatch.cli import main
    code = main(sys.argv[1:])
print(compilations.count, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_nothing_is_left_to_compile(tmp_path: Path) -> None:
    """An empty cache is filled once; the next warm is immediate, and a replay compiles nothing."""
    cache = environment(SPANWATCH_CACHE=str(tmp_path / "cache"))
    first = run("warm", env=cache, timeout=900)
    assert first.returncode == DONE, first.stderr
    assert b"compiled" in first.stdout
    again = run("warm", env=cache)
    assert b"ready" in again.stdout
    capture = first_frames(tmp_path / "small.pcap", 2_000)
    state = tmp_path / "state"
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, "--state", str(state), "replay", str(capture)],
        capture_output=True, env=cache, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == DONE, done.stderr
    assert done.stderr.split()[-1] == b"0"
    assert os.listdir(tmp_path / "cache")


def test_compiled_code_of_old_versions_goes(tmp_path: Path) -> None:
    """What nothing asks for any more is removed after a while, both its index and its data."""
    now = 10.0 * warm.KEEP_S
    for name, age in (("a.f-1.py311", 2), ("a.g-2.py311", 2), ("a.h-3.py311", 0.5), ("warm-0", 2)):
        for path in (tmp_path / f"{name}.nbi", tmp_path / f"{name}.1.nbc"):
            path.touch()
            os.utime(path, (now - age * warm.KEEP_S, now - age * warm.KEEP_S))
    warm.drop_old(tmp_path, {"a.f-1.py311"}, now)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["a.f-1.py311.1.nbc", "a.f-1.py311.nbi", "a.h-3.py311.1.nbc", "a.h-3.py311.nbi"]
