"""Reading a policy file, and what must hold in it beyond the shape of each value.

`docs/policy.md` explains every key. A policy never blocks anything: it says how what was seen is
to be judged.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blocklists import taxonomy
from classifiers.policy_model import Policy
from classifiers.toml_lines import key_lines, line_of

__all__ = ["STARTER", "Policy", "PolicyError", "load_policy", "problems"]

STARTER = Path(__file__).with_name("starter.toml")


class PolicyError(ValueError):
    """A policy that can't be used: `file`, `line`, what is wrong and how to mend it."""

    def __init__(self, file: Path, line: int, what: str, mend: str) -> None:
        super().__init__(f"{file}:{line}: {what}; {mend}")
        self.file = file
        self.line = line
        self.what = what
        self.mend = mend


class _MisplacedError(ValueError):
    """What a check across sections found, and the path of the key it is about."""

    def __init__(self, path: tuple[str | int, ...], what: str, mend: str) -> None:
        super().__init__(what)
        self.path = path
        self.mend = mend


def _unique(policy: Policy) -> Iterator[_MisplacedError]:
    if not policy.sites:
        yield _MisplacedError(("sites",), "the policy has no site", "add a [[sites]]")
    for section in ("sites", "groups", "exemptions"):
        seen: dict[str, int] = {}
        for index, item in enumerate(getattr(policy, section)):
            if item.id in seen:
                yield _MisplacedError(
                    (section, index, "id"), f"{section}: id {item.id!r} is used twice", "give each its own id"
                )
            seen[item.id] = index


def _references(policy: Policy) -> Iterator[_MisplacedError]:
    groups = {group.id for group in policy.groups}
    sites = {site.id for site in policy.sites}
    for section in ("rules", "exemptions", "quotas"):
        for index, item in enumerate(getattr(policy, section)):
            for name in item.categories:
                if name not in taxonomy.CATEGORIES:
                    known = ", ".join(taxonomy.NAMES)
                    yield _MisplacedError(
                        (section, index, "categories"), f"unknown category {name!r}", f"use one of {known}"
                    )
            for name in item.groups:
                if name not in groups and name != "*":
                    yield _MisplacedError(
                        (section, index, "groups"),
                        f"unknown group {name!r}",
                        f"add a [[groups]] with id = {name!r}",
                    )
            clause = getattr(item, "clause", "")
            if clause and clause not in policy.clauses:
                yield _MisplacedError(
                    (section, index, "clause"),
                    f"clause {clause!r} is not explained",
                    f"add {clause!r} to [clauses]",
                )
    for index, group in enumerate(policy.groups):
        for name in group.sites:
            if name not in sites:
                yield _MisplacedError(
                    ("groups", index, "sites"),
                    f"unknown site {name!r}",
                    f"add a [[sites]] with id = {name!r}",
                )


def _rules_agree(policy: Policy) -> Iterator[_MisplacedError]:
    seen: dict[tuple[str, str, str, str], tuple[str, int]] = {}
    for index, rule in enumerate(policy.rules):
        targets = [("category", name) for name in rule.categories] + [
            ("service", name) for name in rule.services
        ]
        for kind, name in targets:
            for group in rule.groups:
                key = (kind, name, group, rule.when)
                action, other = seen.setdefault(key, (rule.action, index))
                if action != rule.action:
                    yield _MisplacedError(
                        ("rules", index, "action"),
                        f"{kind} {name!r} for group {group!r} ({rule.when}) is {rule.action!r} here"
                        f" and {action!r} in rule {other + 1}",
                        "keep one of them",
                    )


def _places_apart(policy: Policy) -> Iterator[_MisplacedError]:
    for kind in ("subnets", "vlans"):
        taken: dict[tuple[str, Any], str] = {}
        for index, group in enumerate(policy.groups):
            for site in group.sites or [site.id for site in policy.sites]:
                for place in getattr(group, kind):
                    owner = taken.setdefault((site, place), group.id)
                    if owner != group.id:
                        yield _MisplacedError(
                            ("groups", index, kind),
                            f"{place} belongs to group {owner!r} and to group {group.id!r} at site {site!r}",
                            "give it to one of them, or a longer prefix to one",
                        )
    for index, here in enumerate(policy.sites):
        for other in policy.sites[:index]:
            if set(other.sensors) & set(here.sensors) or (not other.sensors and not here.sensors):
                for kind in ("subnets", "vlans"):
                    both = set(getattr(here, kind)) & set(getattr(other, kind))
                    if both:
                        yield _MisplacedError(
                            ("sites", index, kind),
                            f"{min(both, key=str)} belongs to sites {other.id!r} and {here.id!r}",
                            "name the sensors of each site, or give the prefix to one of them",
                        )


def _value_path(error_path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    # pydantic adds the names of union members and constraints below the value they are about.
    return tuple(
        part
        for part in error_path
        if isinstance(part, int) or not part.startswith(("function", "IPv", "ip_"))
    )


_MENDS = {
    "extra_forbidden": "remove or rename it (docs/policy.md lists the keys)",
    "missing": "add it",
    "literal_error": "use one of these",
}


def _text_path(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise PolicyError(
            path, 1, f"cannot read the policy: {error.strerror}", "give a readable file"
        ) from None
    except UnicodeDecodeError as error:
        raise PolicyError(path, 1, f"not UTF-8 text at byte {error.start}", "save it as UTF-8") from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        line = 1
        if "(at line " in what:
            what, _, rest = what.partition(" (at line ")
            line = int(rest.split(",")[0])
        elif "end of document" in what:
            what = what.partition(" (at")[0]
            line = text.count("\n") + 1
        raise PolicyError(path, line, f"not TOML: {what}", "mend the line") from None


def problems(path: Path) -> list[PolicyError]:
    """Everything that is wrong with a policy file, in the order of its lines; empty if it can be used."""
    try:
        text, values = _text_path(path)
    except PolicyError as error:
        return [error]
    lines = key_lines(text)
    found: list[PolicyError] = []
    try:
        policy = Policy.model_validate(values)
    except ValidationError as error:
        for fault in error.errors():
            where = _value_path(fault["loc"])
            if fault["type"] == "missing" and where[:1] == ("exemptions",) and where[-1] == "until":
                what, mend = "exemption without an end", "add until = YYYY-MM-DD"
            else:
                dotted = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
                what = f"{dotted}: {fault['msg'].removeprefix('Value error, ')}"
                mend = _MENDS.get(fault["type"], "set another value")
            found.append(PolicyError(path, line_of(lines, where), what, mend))
    else:
        for check in (_unique, _references, _rules_agree, _places_apart):
            found += [PolicyError(path, line_of(lines, p.path), str(p), p.mend) for p in check(policy)]
    return sorted(found, key=lambda problem: problem.line)


def load_policy(path: Path | None = None) -> Policy:
    """The policy of a file; the starter without one.

    Raises PolicyError, a ValueError whose one line names file, line and mend, for the first problem.
    """
    path = path or STARTER
    for problem in problems(path):
        raise problem
    return Policy.model_validate(_text_path(path)[1])
