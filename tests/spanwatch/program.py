"""The command as a user runs it: a process, its exit code and what it printed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "spanwatch"]
ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """Ours without anything that would change the settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SPANWATCH_") or name == "SPANWATCH_CACHE"
    }
    return kept | {"PYTHONPATH": str(ROOT)} | more


def run(*arguments: str | Path, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """The finished process."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=options.pop("env", environment()),
        timeout=options.pop("timeout", 240),
        check=False,
        **options,
    )


def one_line(done: subprocess.CompletedProcess[bytes]) -> str:
    """The only line on standard error, which says how to mend it. Fails where there are more or less."""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, done.stderr.decode()
    assert lines[0].startswith("spanwatch: ")
    assert "unexpected" not in lines[0]
    return lines[0]
