"""Commands about the policy: `policy check`, `policy show`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from spanwatch.invocation import refuse

policy_app = typer.Typer(no_args_is_help=True, help="The policy: who may use what, when, by which clause.")

PolicyFile = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="else the one in force")]


@policy_app.command("check")
def check_policy(context: typer.Context, file: PolicyFile = None) -> None:
    """Whether a policy file can be used; each problem with file, line and mend."""
    from classifiers.policy import STARTER, load_policy, problems

    path = file or context.obj.settings().policy or STARTER
    refuse([str(problem) for problem in problems(path)])
    policy = load_policy(path)
    print(
        f"{path}: good; {len(policy.sites)} sites, {len(policy.groups)} groups, {len(policy.rules)} rules, "
        f"{len(policy.exemptions)} exemptions, version {policy.version}"
    )


@policy_app.command("show")
def show_policy(context: typer.Context, file: PolicyFile = None) -> None:
    """The policy as it is understood, defaults filled in, as JSON."""
    from classifiers.policy import load_policy

    policy = load_policy(file or context.obj.settings().policy)
    print(
        json.dumps(
            {"version": policy.version, **policy.model_dump(mode="json")}, ensure_ascii=False, indent=2
        )
    )
