"""Progress of long work: a bar on a terminal, nothing in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

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


class Bars(Protocol):
    """Bars of several downloads."""

    def report(self, name: str, done: int, total: int | None) -> None:
        """`done` bytes of `total` are here. May be called from any thread."""

    def done(self, name: str) -> None:
        """Takes the bar away."""


class _NoBars:
    def report(self, name: str, done: int, total: int | None) -> None:
        pass

    def done(self, name: str) -> None:
        pass


class _DrawnBars:
    def __init__(self, drawn: Progress) -> None:
        self._drawn = drawn
        self._tasks: dict[str, TaskID] = {}

    def report(self, name: str, done: int, total: int | None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._drawn.add_task(name, total=total)
        self._drawn.update(self._tasks[name], completed=done, total=total)

    def done(self, name: str) -> None:
        if name in self._tasks:
            self._drawn.remove_task(self._tasks.pop(name))


@contextmanager
def sources_progress() -> Iterator[Bars]:
    """A bar for each download under way; lines printed meanwhile stand above them."""
    if not sys.stderr.isatty():
        yield _NoBars()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    # Standard output that goes elsewhere must get there.
    through = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=through) as drawn:
        yield _DrawnBars(drawn)


@contextmanager
def waiting_for(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner with a line that can be changed, for work whose length isn't known."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    with Console(stderr=True).status(what) as status:
        yield status.update
