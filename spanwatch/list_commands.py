"""Commands about names: `lookup`, and `lists` with what is below it."""

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spanwatch.invocation import FAILED, Invocation, aware, refuse

if TYPE_CHECKING:
    from blocklists.update import Outcome

lists_app = typer.Typer(no_args_is_help=True, help="Blocklists.")


def lookup(
    context: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="host names; - reads them a line each")
    ],
    group: Annotated[str | None, typer.Option(help="group of the policy that asks")] = None,
    at: Annotated[datetime | None, typer.Option(help="as of this time; without an offset, UTC")] = None,
) -> None:
    """What a name is, on which lists it stands, and what the policy says: one JSON object a line.

    A line of standard input that is no name is told on standard error, and the others go on.
    """
    from classifiers.explain import check_name
    from spanwatch.services import open_judge

    judge = open_judge(context.obj.settings())
    moment = aware(at)
    bad = 0
    for name in names:
        for number, line in enumerate(sys.stdin if name == "-" else (name,), 1):
            if asked := line.strip():
                if name == "-":
                    try:
                        check_name(asked)
                    except ValueError as error:
                        print(f"spanwatch: standard input, line {number}: {error}", file=sys.stderr)
                        bad += 1
                        continue
                try:
                    told = judge.explain(asked, group=group, at=moment)
                except ValueError as error:
                    raise typer.BadParameter(str(error)) from None
                print(json.dumps(told, ensure_ascii=False, default=str))
    if bad:
        raise typer.Exit(FAILED)


@lists_app.command("check")
def check_lists(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...]", help="or folders, or - for standard input; else those in force"),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="format of the files; else the one that fits best")
    ] = None,
) -> None:
    """Whether lists can be used; the first lines that are refused, held or unmapped, each with its mend.

    Bad is a list without an entry, or of which more than one line in a thousand is refused.
    """
    from blocklists.lists import check
    from blocklists.reading import NAMES
    from blocklists.sources import ListError, read_sources

    folder = context.obj.settings().lists
    if form is not None and form not in NAMES:
        raise typer.BadParameter(f"no format {form!r}; use one of {', '.join(NAMES)}")
    with _readable(files or []) as paths:
        reports, problems = [], []
        try:
            if folder and not paths:
                read_sources(folder)
            reports = check(*(paths or ([folder] if folder else [])), form=form)
        except ListError as error:
            problems.append(_as_given(str(error), paths, files or []))
        for report in reports:
            told = [_as_given(line, paths, files or []) for line in [str(report.file), *report.messages()]]
            if report.good:
                rest = "".join(
                    f", {report.counts[kind]:,} lines {kind}"
                    for kind in ("refused", "held", "skipped", "unmapped")
                    if report.counts[kind]
                )
                print(f"{told[0]}: good; {report.entries:,} entries as {report.listed.format}{rest}")
                for line in told[1:]:
                    print(line)
            else:
                problems += told[1:]
    refuse(problems)


@contextlib.contextmanager
def _readable(files: list[str]) -> Iterator[list[Path]]:
    """Paths of the files; standard input is kept on disk meanwhile: lists are read more than once."""
    if files.count("-") > 1:
        raise typer.BadParameter("standard input (-) was given twice; give it once")
    with tempfile.NamedTemporaryFile(prefix="spanwatch-list-") as kept:
        if "-" in files:
            shutil.copyfileobj(sys.stdin.buffer, kept, 1 << 20)
            kept.flush()
        yield [Path(kept.name) if file == "-" else Path(file) for file in files]


def _as_given(line: str, paths: list[Path], files: list[str]) -> str:
    """The line with standard input called what it is."""
    for path, file in zip(paths, files, strict=True):
        if file == "-" and line.startswith(str(path)):
            return "standard input" + line.removeprefix(str(path))
    return line


@lists_app.command("show")
def show_lists(context: typer.Context) -> None:
    """The lists in force and what is known of their sources, one JSON object a line.

    A list that was never fetched has no entries yet.
    """
    from blocklists.held import sources_known
    from blocklists.lists import load_matcher, show

    folder = context.obj.settings().lists
    matcher = load_matcher(folder)
    known = {source["name"]: source for source in sources_known(folder)} if folder else {}
    for row in show(matcher):
        source = known.pop(str(row["name"]), {})
        print(json.dumps({**row, **source, "lists_version": matcher.version}, ensure_ascii=False))
    for source in known.values():
        print(json.dumps({**source, "entries": None, "lists_version": matcher.version}, ensure_ascii=False))


def _folder(invocation: Invocation) -> Path:
    folder = invocation.settings().lists
    if folder is None:
        raise typer.BadParameter("no folder of lists is set; set `lists` in the settings, or SPANWATCH_LISTS")
    return folder


#: How the kinds of outcome are told.
WORDS = {"updated": "updated", "unchanged": "unchanged", "held": "HELD", "absent": "not there"}


def _tell(outcome: "Outcome") -> None:
    if outcome.kind == "failed":
        print(f"spanwatch: {outcome.name}: failed: {outcome.line}", file=sys.stderr, flush=True)
    else:
        print(f"{outcome.name}: {WORDS[outcome.kind]}: {outcome.line}", flush=True)


def _compile(folder: Path) -> None:
    from blocklists.lists import current_version, load_matcher
    from spanwatch.progress import waiting_for

    before = current_version(folder)
    with waiting_for("compiling the lists"):
        matcher = load_matcher(folder)
    if current_version(folder) != matcher.version:
        raise OSError(f"cannot write the compiled lists to {folder}; free space there or make it writable")
    if matcher.version == before:
        print(f"in force: version {before}, as before")
    else:
        print(f"in force: version {matcher.version}, {matcher.names:,} names")


@lists_app.command("update")
def update_lists(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="else all")] = None,
    place: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="files brought here, instead of the network"),
    ] = None,
) -> None:
    """Fetch lists, hold what changed too much, compile the rest; a line for each."""
    from blocklists.held import only_update
    from blocklists.update import Update
    from spanwatch.progress import sources_progress

    folder = _folder(context.obj)
    if place is not None and not place.is_dir():
        raise typer.BadParameter(f"{place} is no folder; give one with a file NAME.* for each list")
    with only_update(folder):
        kinds = []
        with sources_progress() as bars:
            update = Update(folder, bars.report)
            chosen = update.chosen(names or [])
            for outcome in update.bring(chosen, place) if place else update.fetch(chosen):
                bars.done(outcome.name)
                _tell(outcome)
                kinds.append(outcome.kind)
        if not kinds:
            print(f"{folder}: no list has an address; nothing to fetch")
        _compile(folder)
    if "failed" in kinds or (kinds and set(kinds) == {"absent"}):
        raise typer.Exit(FAILED)


@lists_app.command("approve")
def approve_list(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Put a held update in force."""
    from blocklists.held import approve, only_update

    folder = _folder(context.obj)
    with only_update(folder):
        version = approve(folder, name)
        print(f"{name}: approved: {version.entries:,} entries, +{version.added:,} −{version.removed:,}")
        _compile(folder)


@lists_app.command("reject")
def reject_list(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Throw a held update away; the version in force stays, and this one is not held again."""
    from blocklists.held import only_update, reject

    folder = _folder(context.obj)
    with only_update(folder):
        version = reject(folder, name)
    print(f"{name}: rejected: {version.entries:,} entries, +{version.added:,} −{version.removed:,}")


@lists_app.command("known")
def known_lists() -> None:
    """Published lists that `use` in a folder's sources.toml may name, one JSON object a line."""
    from blocklists.sources import catalogue

    for listed in catalogue().values():
        keys = {"name", "title", "url", "format", "categories", "ports", "licence"}
        print(json.dumps(listed.model_dump(include=keys), ensure_ascii=False))
