"""Damaged frames by the hundred thousand through compiled kernels that check every bound."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from benchmarks.agreement import CAPTURES

ROOT = Path(__file__).parent.parent.parent
FRAMES = 1_000_000
#: MB of memory that a run may take on from its first half to its second; blocks and batches vary in size.
CREEP_MB = 100


def fuzzed(*options: str) -> dict[str, Any]:
    """What the fuzzer told at its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.capture.fuzz", str(FRAMES), *options],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="is about compiled kernels")
@pytest.mark.parametrize("source", ["made", "captured"])
def test_no_frame_leads_out_of_bounds(source: str) -> None:
    """A million damaged frames: nothing raises, every frame is counted, memory stays what it was."""
    if source == "captured" and not (CAPTURES / "pcap").is_dir():
        pytest.skip("no folder of real captures; set REAL_CAPTURES")
    told = fuzzed("--seed", "11", *(["--captures", str(CAPTURES / "pcap")] if source == "captured" else []))
    assert told["packets"] == told["frames"] == FRAMES
    assert told["flow_packets"] <= told["frames"]
    assert told["flow_packets"] + told["wrong"] >= 0.9 * told["frames"]
    assert told["crept_mb"] <= CREEP_MB


@pytest.mark.parametrize("index", [4, -1])
def test_kernels_check_bounds_where_asked_to(index: int) -> None:
    """The check that the test above leans on does raise, behind the end and before the beginning."""
    program = (
        "import numpy as np\n"
        "from pipeline.kernels import entry_kernel\n"
        "@entry_kernel\n"
        "def read(values, i):\n"
        "    return np.int64(values[i])\n"
        "print(read(np.ones(4, np.uint8), 3))\n"
        f"read(np.ones(4, np.uint8), {index})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_DISABLE_JIT": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n"
    assert done.returncode == 1
    assert "IndexError" in done.stderr
