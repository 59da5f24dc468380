"""How the command was called: the options before the subcommand, the settings they lead to, refusals."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import typer

from pipeline.settings import Settings, load_settings

#: Exit codes: done; the work failed; wrong usage, or a settings, policy or list file that can't be used.
DONE, FAILED, USAGE = 0, 1, 2


class Invocation(NamedTuple):
    """The options that stand before the subcommand."""

    config: Path | None
    state: Path | None

    def settings(self, **overrides: dict[str, Any]) -> Settings:
        """Settings with what the command line says on top; options that were not given change nothing.

        Raises SettingsError.
        """
        given: dict[str, Any] = {
            section: {key: value for key, value in values.items() if value is not None}
            for section, values in overrides.items()
        }
        if self.state is not None:
            given["state"] = self.state
        return load_settings(self.config, **given)

    def command(self, state: Path, *arguments: str) -> list[str]:
        """Arguments that start this program again: same settings file, this state folder."""
        config = ["--config", str(self.config)] if self.config else []
        return [sys.executable, "-m", "spanwatch", *config, "--state", str(state), *arguments]


def capture_files(names: list[str]) -> list[str]:
    """The names, each of a file that is there, or `-` (once). Raises BadParameter before any work is done."""
    if names.count("-") > 1:
        raise typer.BadParameter("standard input (-) was given twice; give it once")
    for name in names:
        if name != "-" and os.path.isdir(name):
            raise typer.BadParameter(f"{name} is a folder; give the capture files in it")
        if name != "-" and not os.path.exists(name):
            raise typer.BadParameter(f"there is no file {name}; check the name")
    return names


def aware(moment: datetime | None) -> datetime | None:
    """A time of the command line; without an offset it is UTC."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def refuse(problems: list[str]) -> None:
    """The first problem as the error, if any; where there are more, all of them on standard output too.

    Raises Exit (wrong configuration).
    """
    if not problems:
        return
    more = ""
    if len(problems) > 1:
        print("\n".join(problems))
        more = f" (and {len(problems) - 1} more)"
    print(f"spanwatch: {problems[0]}{more}", file=sys.stderr)
    raise typer.Exit(USAGE)
