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
from numba.core import event
from spanwatch.warm import _Compiling
listener = _Compiling(lambda _text: None)
with event.install_listener("numba:compile", listener):
    from spanwatch.cli import main
    code = main(sys.argv[1:])
print(listener.count, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
def test_nothing_is_left_to_compile(tmp_path: Path) -> None:
    """An empty cache is filled once; the next warm is immediate, and a replay compiles nothing."""
    cache = environment(SPANWATCH_CACHE=str(tmp_path / "cache"))
    first = run("warm", env=cache, timeout=290)
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


def test_compiled_code_of_old_versions_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the caches of other versions only the latest stays, since a program may still run from it."""
    for age, name in enumerate(("current", "latest", "older", "oldest")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    monkeypatch.setattr(warm, "CACHE", tmp_path / "current")
    warm.drop_old_caches()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "latest"]
