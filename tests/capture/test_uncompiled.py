"""The kernels as plain Python: what compiled code would do silently (bounds, overflow) raises here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_room_passes_uncompiled() -> None:
    """Every test of this room passes with the compiler off, those of single kernels included."""
    room = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not service",
         f"--ignore={room / 'sources'}", f"--ignore={__file__}", str(room)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=room.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
