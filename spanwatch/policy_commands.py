"""Commands about the policy: is it right, what does it say, what did it say before, and why."""

import contextlib
import errno
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spanwatch.invocation import aware, refuse

if TYPE_CHECKING:
    from classifiers.policy_model import Policy
    from classifiers.policy_versions import Versions
    from pipeline.settings import Settings

policy_app = typer.Typer(no_args_is_help=True, help="The policy: who may use what, when, by which clause.")

PolicyFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="- is standard input; else the one in force")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on a terminal, too")]


def _print_json(value: Any, indent: int | None = 2) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


@policy_app.command("check")
def check_policy(context: typer.Context, file: PolicyFile = None) -> None:
    """Whether a policy file can be used; each problem with file, line and mend."""
    from blocklists.lists import ListError, load_matcher
    from classifiers.policy import STARTER, read_policy

    settings = context.obj.settings()
    path = file or settings.policy or STARTER
    services = None
    try:
        services = {labels.service for labels in load_matcher(settings.lists).sets}
    except ListError as error:
        print(f"services are not checked: {error}", file=sys.stderr)
    policy, problems = read_policy(path, services=services)
    refuse([str(p) for p in sorted(problems, key=lambda p: p.warning)] if policy is None else [])
    assert policy is not None
    for problem in problems:
        print(problem)
    counts = {
        "site": policy.sites, "group": policy.groups, "rule": policy.rules, "exemption": policy.exemptions,
    }  # fmt: skip
    told = ", ".join(
        f"{len(things)} {word}{'' if len(things) == 1 else 's'}" for word, things in counts.items()
    )
    print(f"{path}: good; {told}, version {policy.version}")


@policy_app.command("schema")
def print_schema() -> None:
    """The JSON schema of policy files, for editors that check while one writes."""
    from classifiers.policy_schema import policy_schema

    _print_json(policy_schema())


@policy_app.command("example")
def print_example(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="without it: the names")] = None,
) -> None:
    """A policy to begin with, one for each regulation; as a file to copy and change."""
    from classifiers.policy import EXAMPLES, load_policy

    if name is None:
        for known, path in EXAMPLES.items():
            print(f"{known}: {load_policy(path).regulation}")
        return
    if name not in EXAMPLES:
        raise typer.BadParameter(f"no example {name!r}; there are {', '.join(EXAMPLES)}")
    print(EXAMPLES[name].read_text("utf-8"), end="")


@contextlib.contextmanager
def _history(settings: "Settings") -> Iterator[tuple["Versions | None", str]]:
    """The versions that the store knows; None, and why, where it can't be asked."""
    from classifiers.policy_versions import Versions
    from pipeline.store.client import is_made, open_store

    if not is_made(settings):
        yield None, "there is no store yet"
        return
    with contextlib.ExitStack() as stack:
        try:
            versions = Versions(stack.enter_context(open_store(settings)))
            versions.loads()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            held = isinstance(error, OSError) and error.errno == errno.EBUSY
            yield (
                None,
                " ".join(reason.split()) + ("; its API has the versions at /v1/policies" if held else ""),
            )
            return
        yield versions, ""


def _version(versions: "Versions | None", why: str, name: str) -> "Policy":
    """The policy of a version, named by its first digits. Raises BadParameter."""
    if versions is None:
        raise typer.BadParameter(f"no version {name!r} can be looked up: {why}; give a file")
    found = sorted({load.version for load in versions.loads() if load.version.startswith(name)})
    if len(found) != 1:
        what = f"version {name!r} is one of {', '.join(found[:5])}" if found else f"no version {name!r}"
        raise typer.BadParameter(f"{what}; take one from `spanwatch policy list`")
    return versions.policy(found[0])


@policy_app.command("show")
def show_policy(
    context: typer.Context,
    file: PolicyFile = None,
    version: Annotated[str | None, typer.Option(help="one of `policy list`")] = None,
) -> None:
    """The policy as it is understood, defaults filled in, as JSON."""
    from classifiers.policy import load_policy

    settings = context.obj.settings()
    if version is None:
        policy = load_policy(file or settings.policy)
    else:
        with _history(settings) as (versions, why):
            policy = _version(versions, why, version)
    _print_json({"version": policy.version, **policy.model_dump(mode="json", by_alias=True)})


def _time(us: int | None) -> str | None:
    return None if us is None else datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@policy_app.command("list")
def list_versions(context: typer.Context, as_json: AsJson = False) -> None:
    """The versions that were loaded, the latest first: when each was valid, and what it changed."""
    from classifiers.policy_versions import intervals

    with _history(context.obj.settings()) as (versions, why):
        if versions is None:
            raise OSError(f"cannot list the versions: {why}")
        loads = versions.loads()
    spans = {(span.version, span.first): span for span in intervals(loads)}
    rows: list[dict[str, Any]] = []
    for load in loads:
        span = spans.get((load.version, load.valid_from))
        rows.append(
            {
                "version": load.version,
                "valid_from": _time(load.valid_from),
                "valid_until": _time(span.until) if span else _time(load.valid_from),
                "loaded": _time(load.loaded),
                "loaded_by": load.loaded_by,
                "file": load.file,
                "changes": list(load.changes),
            }
        )
    if as_json or not sys.stdout.isatty():
        for row in rows:
            _print_json(row, None)
        return
    for row in rows:
        until = row["valid_until"] or "now"
        print(f"{row['version']}  {row['valid_from']} to {until}, {row['file']}, by {row['loaded_by']}")
        for change in row["changes"]:
            print(f"    {change}")


@policy_app.command("diff")
def diff_policies(
    context: typer.Context,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="a file, - or a version of `policy list`")],
    after: Annotated[
        str | None, typer.Argument(metavar="[AFTER]", help="the same; without it the file in force")
    ] = None,
) -> None:
    """What differs between two policies, a line each: + added, - taken away, ~ changed."""
    from classifiers.policy import load_policy
    from classifiers.policy_diff import changes

    settings = context.obj.settings()

    def is_file(name: str) -> bool:
        return name == "-" or Path(name).exists()

    def named(name: str | None, versions: "Versions | None", why: str) -> "Policy":
        if name is None:
            return load_policy(settings.policy)
        return load_policy(Path(name)) if is_file(name) else _version(versions, why, name)

    if before == after == "-":
        raise typer.BadParameter("standard input (-) was given twice; give it once")
    if all(name is None or is_file(name) for name in (before, after)):
        policies = named(before, None, ""), named(after, None, "")
    else:
        with _history(settings) as (versions, why):
            policies = named(before, versions, why), named(after, versions, why)
    for change in changes(*policies):
        print(change)


@policy_app.command("explain")
def explain_policy(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="host name, or address of a server")],
    host: Annotated[str, typer.Option(help="address or MAC of the client")] = "",
    mac: Annotated[str, typer.Option(help="MAC of the client, beside its address")] = "",
    vlan: Annotated[int, typer.Option(help="VLAN of the client; 0 none")] = 0,
    sensor: Annotated[str, typer.Option(help="name of the sensor that saw it")] = "",
    port: Annotated[int, typer.Option(help="port of a server that is given by its address")] = 443,
    at: Annotated[datetime | None, typer.Option(help="as of this time; without an offset, UTC")] = None,
    as_json: AsJson = False,
) -> None:
    """Why the policy says what it says to a client about a name, step by step."""
    from classifiers.explain import Client
    from classifiers.judge import Judge, in_force
    from spanwatch.reload import read_files

    settings = context.obj.settings()
    files = read_files(settings)
    moment = aware(at)
    with _history(settings) as (versions, why):
        loads = versions.loads() if versions else []
        judge = Judge(in_force(files.policy, files.matcher, loads), versions.policy if versions else None)
        try:
            told = judge.explain(name, at=moment, client=Client(host, vlan, sensor, mac), port=port)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    if not loads:
        told["policy"]["note"] = (
            f"by the file in force, whatever the time: {why or 'no version was noted yet'}"
        )
    if as_json or not sys.stdout.isatty():
        _print_json(told)
    else:
        print("\n".join(explained_lines(told)))


def explained_lines(told: dict[str, Any]) -> Iterator[str]:
    """An explanation in words, a line each."""
    judged, policy = told["judged"], told["policy"]
    client, site, group, time = judged["client"], judged["site"], judged["group"], judged["time"]
    clause = f" ({judged['clause']}: {judged['clause_text']})" if judged["clause"] else ""
    who = client["host"] or client["mac"] or "a client without an address"
    yield f"{told['name']} for {who}: {judged['action']}{clause}"
    yield f"site        {site['id'] or 'none'}: {site['why']}"
    yield f"group       {group['id'] or 'none'}{', minors' if group['minor'] else ''}: {group['why']}"
    if time["local"]:
        hours = f"on duty ({time['duty']})" if time["duty"] else "off duty"
        holiday = f", holiday {time['holiday']}" if time["holiday"] else ""
        yield f"time        {time['local']} {time['zone']}, {hours}{holiday}"
    words = [*told["categories"], *([f"service {told['service']}"] if told["service"] else [])]
    yield f"name        {', '.join(words) or 'on no list'}"
    for one in told["lists"]:
        sign = "exception on " if one["exception"] else ""
        yield f"            {sign}list {one['list']}, line {one['line']}: {one['name']}"
    for rule in judged["rules"]:
        mark = "→" if rule["decided"] else " "
        what = f"{rule['action']} {', '.join(rule['names'])} for {' '.join(rule['groups'])}, {rule['when']}"
        yield f"rule {rule['rule']:<5} {mark} {what}: {rule['why']}"
    for one in judged["exemptions"]:
        mark = "→" if one["decided"] else " "
        when = f"{one['from']} to {one['until']}"
        what = f"{one['id']} is {one['state']} ({when})"
        yield f"exemption  {mark} {what}: {one['reason']}, authorised by {one['authorised_by']}"
    if judged["sanctioned"]:
        yield "sanctioned → the organisation provides it"
    until = f" until {policy['valid_until']}" if policy["valid_until"] else ""
    since = f", valid from {policy['valid_from']}{until}" if policy["valid_from"] else ""
    yield f"policy      version {policy['version']}{since}"
    if "note" in policy:
        yield f"            {policy['note']}"


@policy_app.command("propose")
def propose_approved(
    context: typer.Context,
    first: Annotated[
        datetime | None,
        typer.Option("--from", help="else the first 7 days of each site; without an offset, UTC"),
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", help="with --from; else now")] = None,
    as_json: AsJson = False,
) -> None:
    """What was seen to act as server, router, switch or access point, as a table [approved] to read and copy.

    Nothing is approved by itself.
    """
    from classifiers.policy import load_policy
    from classifiers.proposals import as_toml, proposals
    from pipeline.store.client import is_made, open_store

    if last is not None and first is None:
        raise typer.BadParameter("--to needs --from")
    settings = context.obj.settings()
    policy = load_policy(settings.policy)
    if not is_made(settings):
        raise OSError("cannot propose anything: there is no store yet; run `spanwatch up` first")
    begin, end = aware(first), aware(last)
    with open_store(settings) as store:
        found = proposals(store, policy, begin, (end or datetime.now(UTC)) if begin else None)
    if as_json:
        for one in found:
            _print_json(asdict(one), None)
        return
    print(as_toml(found, policy), end="")
