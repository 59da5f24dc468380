"""`spanwatch detect`: the detectors over history, and which there are."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spanwatch.invocation import aware

if TYPE_CHECKING:
    from classifiers.detector import Detector
    from classifiers.rerun import Rerun


class Format(StrEnum):
    """How it is printed."""

    TEXT = "text"
    JSONL = "jsonl"


def detect(
    context: typer.Context,
    first: Annotated[datetime | None, typer.Option("--from", help="start; without an offset, UTC")] = None,
    last: Annotated[datetime | None, typer.Option("--to", help="end; without an offset, UTC")] = None,
    site: Annotated[str | None, typer.Option(help="findings of this site alone")] = None,
    detectors: Annotated[
        list[str] | None, typer.Option("--detector", metavar="NAME", help="this one; may be given again")
    ] = None,
    settings_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="[DETECTOR.]PARAMETER=VALUE", help="another threshold; may be given again"
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="keep what is found; else it is shown alone")
    ] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="the detectors and their parameters, no run")
    ] = False,
    format_: Annotated[
        Format | None, typer.Option("--format", help="else text on a terminal and JSON lines in a pipe")
    ] = None,
) -> None:
    """Run the detectors over history again: what they would find, and what of that is not as stored."""
    from classifiers.detector import DetectorError, load_detectors
    from classifiers.rerun import chosen, parse_override, rerun, thresholds
    from pipeline.store.client import is_made, open_store
    from spanwatch.reload import Reload, read_files

    as_json = format_ is Format.JSONL or (format_ is None and not sys.stdout.isatty())
    try:
        some = chosen(load_detectors(), detectors or [])
        overrides = thresholds(some, dict(parse_override(text) for text in settings_ or []))
    except DetectorError as error:
        raise typer.BadParameter(str(error)) from None
    settings = context.obj.settings()
    files = read_files(settings)
    if listing:
        _print_detectors(some, files.policy.thresholds, overrides, as_json)
        return
    begin, end = aware(first), aware(last)
    if begin is None or end is None:
        raise typer.BadParameter("give the range: --from TIME --to TIME; or --list")
    if begin >= end:
        raise typer.BadParameter(f"--from {begin.isoformat()} is not before --to; swap them")
    if site is not None and site not in {one.id for one in files.policy.sites}:
        known = ", ".join(one.id for one in files.policy.sites)
        raise typer.BadParameter(f"no site {site!r}; the policy has {known}")
    if not is_made(settings):
        raise OSError("cannot run detectors: there is no store yet; run `spanwatch up` or `replay` first")
    with open_store(settings) as store:
        store.migrate()
        judge = Reload(settings, files, store, notes=False).judge
        told = rerun(store, judge, begin, end, some, overrides, site, write)
    for line in _lines(told, as_json):
        print(line)
    print(_summary(told, write), file=sys.stderr)


def _print_detectors(
    detectors: "tuple[Detector, ...]",
    policy: dict[str, dict[str, float]],
    overrides: dict[str, dict[str, float]],
    as_json: bool,
) -> None:
    for one in detectors:
        force = one.thresholds({**policy.get(one.name, {}), **overrides.get(one.name, {})})
        if as_json:
            print(json.dumps(_described(one, force), ensure_ascii=False))
            continue
        clause = f" ({one.clause})" if one.clause else ""
        print(f"{one.name}: {one.title}; {one.kind}, {one.severity}, rests on {one.rests_on}{clause}")
        for p in one.parameters:
            own = "" if force[p.name] == p.default else f", in force {force[p.name]:g}"
            print(f"    {p.name} = {p.default:g}{own}  {p.source}  {p.meaning}")


def _described(one: "Detector", force: dict[str, float]) -> dict[str, Any]:
    return {
        "detector": one.name,
        "title": one.title,
        "class": one.kind,
        "severity": one.severity,
        "clause": one.clause,
        "subject": one.subject,
        "window_s": one.window,
        "step_s": one.step,
        "lookback_s": one.lookback,
        "reads": list(one.reads),
        "rests_on": one.rests_on,
        "parameters": [{**vars(p), "in_force": force[p.name]} for p in one.parameters],
    }


def _lines(told: "list[Rerun]", as_json: bool) -> Iterator[str]:
    from classifiers.rerun import plain

    for detector, changes, same in told:
        rows = [("new", f, None) for f in changes.new]
        rows += [("changed", after, before) for before, after in changes.changed]  # type: ignore[misc]
        rows += [("gone", f, None) for f in changes.withdrawn]
        rows += [("same", f, None) for f in same]
        for change, finding, before in sorted(rows, key=lambda row: (row[1].told.start, row[1].id)):
            if as_json:
                row = plain(detector, change, finding, before)
                yield json.dumps(row, ensure_ascii=False, separators=(",", ":"))
                continue
            why = f" [{finding.withdrawn}]" if finding.withdrawn else ""
            when = f"{finding.told.start:%Y-%m-%d %H:%M:%S}"
            yield f"{change:8} {when} {detector.name}: {finding.told.statement}{why}"


def _summary(told: "list[Rerun]", write: bool) -> str:
    new = sum(len(one.changes.new) for one in told)
    changed = sum(len(one.changes.changed) for one in told)
    gone = sum(len(one.changes.withdrawn) for one in told)
    same = sum(len(one.same) for one in told)
    end = "written" if write else "nothing was written; --write keeps it"
    return f"{new} new, {changed} changed, {gone} gone, {same} as stored: {end}"
