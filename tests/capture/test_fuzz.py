"""Damaged frames by the hundred thousand through compiled kernels that check every bound."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="is about compiled kernels")
def test_no_frame_leads_out_of_bounds(tmp_path: Path) -> None:
    """300,000 damaged frames: nothing raises, every frame is counted, each packet once."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.capture.fuzz", "300000", "11"],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "SPANWATCH_CACHE": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    told = json.loads(done.stdout)
    assert told["packets"] == told["frames"] == 300_000
    assert told["flow_packets"] <= told["frames"]
    assert told["flow_packets"] + told["wrong"] >= 0.9 * told["frames"]


def test_kernels_check_bounds_where_asked_to() -> None:
    """The check that the test above leans on does raise."""
    program = (
        "import numpy as np\n"
        "from pipeline.kernels import OPTIONS\n"
        "import numba\n"
        "read = numba.njit(**(OPTIONS | {'cache': False}), _nrt=False)(lambda a, i: a[i])\n"
        "read(np.zeros(4, np.uint8), 4)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_DISABLE_JIT": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "IndexError" in done.stderr
