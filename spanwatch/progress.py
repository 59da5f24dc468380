"""Progress of long work: a bar on a terminal, nothing in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

Report = Callable[[int, int | None], None]


@contextmanager
def file_progress(what: str) -> Iterator[Report]:
    """A function that takes (bytes read, bytes in all or None) and draws how far it is."""
    if not sys.stderr.isatty():
        yield lambda _read, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda read, total: bars.update(task, completed=read, total=total)


@contextmanager
def waiting_for(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner with a line that can be changed, for work whose length isn't known."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    with Console(stderr=True).status(what) as status:
        yield status.update
