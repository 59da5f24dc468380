"""A process's state as a file of metrics, for a collector that reads files and for checks of health.

In Prometheus' text format; a host that only captures has neither a web server nor its client library.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from spanwatch.supervision import running

#: Seconds between two writings. The file is written while nothing happens, too: its age says that we live.
WRITE_S = 10.0


def text(prefix: str, status: Mapping[str, Any]) -> str:
    """A line for each number and each yes or no of `status`, under the names that `/metrics` has."""
    return "".join(
        f"{prefix}_{name} {float(value):.17g}\n"
        for name, value in sorted(status.items())
        if isinstance(value, bool | int | float)
    )


def write(path: Path, content: str) -> None:
    """Replace the file as a whole. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(content, "utf-8")
    os.chmod(new, 0o644)
    os.replace(new, path)


@contextlib.contextmanager
def writing(path: Path, prefix: str, status: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Keep the file up to date for the length of the block; a full disk only makes it old."""

    def keep(stop: threading.Event) -> None:
        while True:
            with contextlib.suppress(OSError):
                write(path, text(prefix, status()))
            if stop.wait(WRITE_S):
                return

    with running(f"{prefix} state", keep, threading.Event()):
        yield
