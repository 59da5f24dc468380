"""Commands about what must survive the machine: `backup` and `restore`."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

if TYPE_CHECKING:
    from spanwatch.backup import Told


@contextlib.contextmanager
def _whole(file: str) -> Iterator[BinaryIO]:
    """A file that has its name only once all of it is on disk; `-` is standard output."""
    if file == "-":
        yield sys.stdout.buffer
        return
    path = Path(file)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as part:
        try:
            yield cast(BinaryIO, part)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).rename(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _line(told: "Told") -> str:
    rows = "the store is a server: back it up with its own BACKUP"
    if told.rows is not None:
        rows = f"{sum(told.rows.values()):,} rows in {len(told.rows)} tables"
    return f"{told.files:,} files, {told.bytes / 1e6:,.1f} MB; {rows}"


def backup(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="a tar file; - is standard output")],
) -> None:
    """Save the store, tokens, access log, waiting records, settings, policy and lists in one file.

    Worker and pages must be stopped; a sensor of its own goes on, and its log keeps what it captures.
    """
    from pipeline.settings import settings_file
    from spanwatch.backup import write_backup

    with _whole(file) as target:
        told = write_backup(context.obj.settings(), target, settings_file(context.obj.config))
    print(f"saved {_line(told)}", file=sys.stderr)


def restore(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="as `backup` made it; - is standard input")],
) -> None:
    """Put a backup into a state folder that holds none of it yet. A damaged one changes nothing."""
    from spanwatch.backup import restore_backup

    if file == "-":
        told, placed = restore_backup(context.obj.settings(), sys.stdin.buffer)
    else:
        with open(file, "rb") as source:
            told, placed = restore_backup(context.obj.settings(), source)
    print(f"restored {_line(told)}")
    if placed.exists():
        print(
            f"settings, policy and lists as they were are in {placed}; nothing of them is in force by itself"
        )
