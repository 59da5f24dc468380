"""`spanwatch warm`: after it, nothing is left to compile."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.kernels import CACHE
from spanwatch import warm
from spanwatch.cli import DONE
from tests.pipeline.stores import made_state
from tests.spanwatch.captures import first_frames
from tests.spanwatch.program import environment, run

#: Runs the command and tells at its end how many kernels had to be compiled for it, and which it asked for.
COUNTING = """
import json, sys
from pipeline.compiling import Compilations
from pipeline.kernels import ASKED
with Compilations(lambda _text: None) as compilations:
    from spanwatch.cli import main
    code = main(sys.argv[1:])
print(json.dumps([compilations.count, sorted(ASKED)]), file=sys.stderr)
sys.exit(code)
"""


def counted(cache: Path, *arguments: str) -> tuple[int, set[str]]:
    """What the command compiled and asked for, with the compiled code in that folder."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, *arguments],
        capture_output=True, env=environment(SPANWATCH_CACHE=str(cache)), timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == DONE, done.stderr
    compiled, asked = json.loads(done.stderr.splitlines()[-1])
    return compiled, set(asked)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_nothing_is_left_to_compile(tmp_path: Path) -> None:
    """With what `warm` asks for, and no other compiled code, a replay compiles nothing."""
    done = run("warm", timeout=900)
    assert done.returncode == DONE, done.stderr
    assert b"ready" in run("warm").stdout
    kernels = tmp_path / "cache" / "spanwatch" / "kernels"
    shutil.copytree(CACHE, kernels, ignore=shutil.ignore_patterns("warm-*"))
    compiled, asked = counted(tmp_path / "cache", "warm")
    assert compiled == 0
    warm.drop_old(kernels, asked, math.inf)
    capture = first_frames(tmp_path / "small.pcap", 2_000)
    state = made_state(tmp_path / "state")
    assert counted(tmp_path / "cache", "--state", str(state), "replay", str(capture))[0] == 0


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
