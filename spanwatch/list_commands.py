"""Commands about names: `lookup`, and `lists` with what is below it."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from spanwatch.invocation import refuse

lists_app = typer.Typer(no_args_is_help=True, help="Blocklists.")


def lookup(
    context: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="host names; - reads them a line each")
    ],
    group: Annotated[str | None, typer.Option(help="group of the policy that asks")] = None,
    at: Annotated[datetime | None, typer.Option(help="as of this time; without an offset, UTC")] = None,
) -> None:
    """What a name is, on which lists it stands, and what the policy says: one JSON object a line."""
    from spanwatch.services import open_classifier

    classifier = open_classifier(context.obj.settings())
    moment = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
    for name in names:
        for asked in (line.strip() for line in sys.stdin) if name == "-" else (name,):
            if asked:
                try:
                    told = classifier.explain(asked, group=group, at=moment)
                except ValueError as error:
                    raise typer.BadParameter(str(error)) from None
                print(json.dumps(told, ensure_ascii=False, default=str))


@lists_app.command("check")
def check_lists(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="or folders; else those in force")
    ] = None,
) -> None:
    """Whether lists can be used; each refused line with file, line and mend."""
    from blocklists.lists import check

    folder = context.obj.settings().lists
    reports = check(*(files or ([folder] if folder else [])))
    for report in reports:
        if report.good:
            held = f", {report.counts['skipped']:,} lines skipped" if report.counts["skipped"] else ""
            print(f"{report.file}: good; {report.entries:,} entries as {report.listed.format}{held}")
    refuse([line for report in reports if not report.good for line in report.messages()])


@lists_app.command("show")
def show_lists(context: typer.Context) -> None:
    """The lists in force, one JSON object a line."""
    from blocklists.lists import load_matcher, show

    for source in show(load_matcher(context.obj.settings().lists)):
        print(json.dumps(source, ensure_ascii=False))


@lists_app.command("known")
def known_lists() -> None:
    """Published lists that `use` in a folder's sources.toml may name, one JSON object a line."""
    from blocklists.sources import catalogue

    for listed in catalogue().values():
        keys = {"name", "title", "url", "format", "categories", "ports", "licence"}
        print(json.dumps(listed.model_dump(include=keys), ensure_ascii=False))
