"""What must hold in a policy beyond the shape of each value.

Each check looks at a policy whose values are right one by one, and costs time in proportion to its size.
"""

import difflib
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any, NamedTuple

from blocklists import taxonomy
from blocklists.names import normal_name
from classifiers.policy_model import Policy

#: Most pairs of a rule's names and groups, over all rules: past them it was made by a machine. Our default.
MOST_PAIRS = 1_000_000
#: Longest text that is compared with known names.
_COMPARED = 60


class Fault(NamedTuple):
    """What a check found, and the path of the key it is about."""

    path: tuple[str | int, ...]
    what: str
    mend: str
    warning: bool = False
    """The policy can be used all the same."""


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The mend that names the nearest known one; empty where none is near."""
    folded = {word.casefold(): word for word in known}
    near = difflib.get_close_matches(name[:_COMPARED].casefold(), folded, 1, 0.6)
    return f"did you mean {folded[near[0]]!r}?" if near else ""


def _unique(policy: Policy) -> Iterator[Fault]:
    if not policy.sites:
        yield Fault(("sites",), "the policy has no site", "add a [[sites]]")
    for section in ("sites", "groups", "exemptions"):
        seen = set()
        for index, item in enumerate(getattr(policy, section)):
            if item.id in seen:
                what = f"{section}: id {item.id[:60]!r} is used twice"
                yield Fault((section, index, "id"), what, "give each its own id")
            seen.add(item.id)


def _references(policy: Policy) -> Iterator[Fault]:
    groups = tuple(sorted({group.id for group in policy.groups}))
    sites = tuple(sorted({site.id for site in policy.sites}))
    near = cache(did_you_mean)

    def unknown(
        path: tuple[str | int, ...], kind: str, name: str, known: tuple[str, ...], else_: str
    ) -> Fault:
        mend = near(name, known) or else_
        return Fault(path, f"unknown {kind} {name[:60]!r}", mend)

    for section in ("rules", "exemptions", "quotas"):
        for index, item in enumerate(getattr(policy, section)):
            for name in item.categories:
                if name not in taxonomy.CATEGORIES:
                    known = f"use one of {', '.join(taxonomy.NAMES)}"
                    yield unknown((section, index, "categories"), "category", name, taxonomy.NAMES, known)
            for name in item.groups:
                if name not in groups and name != "*":
                    add = f"add a [[groups]] with id = {name[:60]!r}"
                    yield unknown((section, index, "groups"), "group", name, groups, add)
            clause = getattr(item, "clause", "")
            if clause and clause not in policy.clauses:
                mend = near(clause, tuple(policy.clauses)) or f"add {clause[:60]!r} to [clauses]"
                yield Fault((section, index, "clause"), f"clause {clause[:60]!r} is not explained", mend)
    clause = policy.sanctioned.vpn_clause
    if clause and clause not in policy.clauses:
        mend = near(clause, tuple(policy.clauses)) or f"add {clause[:60]!r} to [clauses]"
        yield Fault(("sanctioned", "vpn_clause"), f"clause {clause[:60]!r} is not explained", mend)
    for index, group in enumerate(policy.groups):
        for name in group.sites:
            if name not in sites:
                add = f"add a [[sites]] with id = {name[:60]!r}"
                yield unknown(("groups", index, "sites"), "site", name, sites, add)


def unknown_services(policy: Policy, services: Collection[str]) -> Iterator[Fault]:
    """Services that no list in force names."""
    sections: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = [
        (("sanctioned", "services"), policy.sanctioned.services)
    ]
    for section in ("rules", "exemptions"):
        for index, item in enumerate(getattr(policy, section)):
            sections.append(((section, index, "services"), item.services))
    known = set(services)
    for path, names in sections:
        for name in names:
            if name not in known:
                mend = did_you_mean(name, known) or "take its name from `spanwatch lookup NAME`"
                yield Fault(path, f"unknown service {name[:60]!r}: no list names it", mend)


def _names(policy: Policy) -> Iterator[Fault]:
    """Names of exemptions and of the organisation's own that no host can have."""
    sections: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = [
        (("exemptions", i, "names"), exemption.names) for i, exemption in enumerate(policy.exemptions)
    ]
    for path, names in [*sections, (("sanctioned", "names"), policy.sanctioned.names)]:
        for name in names:
            try:
                normal_name(name)
            except ValueError as error:
                yield Fault(
                    path, f"{name[:60]!r} is no name of a host: {error}", "write one as www.example.org"
                )


def _thresholds(policy: Policy) -> Iterator[Fault]:
    if not policy.thresholds:
        return
    from classifiers.detector import load_detectors
    from classifiers.verdict import method

    known = {d.name: [p.name for p in d.parameters] for d in load_detectors()}
    known["verdict"] = list(method()["bounds"])
    for name, values in policy.thresholds.items():
        if name not in known:
            mend = did_you_mean(name, known) or f"use one of {', '.join(sorted(known))}"
            yield Fault(("thresholds", name), f"unknown detector {name[:60]!r}", mend)
            continue
        for parameter in values:
            if parameter not in known[name]:
                mend = did_you_mean(parameter, known[name]) or f"use one of {', '.join(known[name])}"
                what = f"detector {name!r} has no parameter {parameter[:60]!r}"
                yield Fault(("thresholds", name, parameter), what, mend)


def _rules_agree(policy: Policy) -> Iterator[Fault]:
    pairs = sum((len(rule.categories) + len(rule.services)) * len(rule.groups) for rule in policy.rules)
    if pairs > MOST_PAIRS:
        yield Fault(("rules",), f"rules for {pairs:,} pairs of names and groups", 'use groups = ["*"]')
        return
    seen: dict[tuple[str, str, str, str], tuple[str, int]] = {}
    for index, rule in enumerate(policy.rules):
        targets = [("category", name) for name in rule.categories] + [
            ("service", name) for name in rule.services
        ]
        for kind, name in targets:
            for group in rule.groups:
                action, other = seen.setdefault((kind, name, group, rule.when), (rule.action, index))
                if action != rule.action:
                    yield Fault(
                        ("rules", index, "action"),
                        f"{kind} {name[:60]!r} for group {group!r} ({rule.when}) is {rule.action!r} here"
                        f" and {action!r} in rule {other + 1}",
                        "keep one of them",
                    )


def _sites_in_common(here: tuple[str, ...], there: tuple[str, ...], all_sites: list[str]) -> str:
    """A site that two groups' `sites` share, empty meaning all of them; empty none."""
    first, second = set(here) or set(all_sites), set(there) or set(all_sites)
    return min(first & second, default="")


def _places_apart(policy: Policy) -> Iterator[Fault]:
    ids = [site.id for site in policy.sites]
    for kind in ("tags", "subnets", "vlans"):
        taken: dict[Any, list[int]] = {}
        for index, group in enumerate(policy.groups):
            for place in dict.fromkeys(getattr(group, kind)):
                owners = taken.setdefault(place, [])
                for owner in owners:
                    other = policy.groups[owner]
                    if site := _sites_in_common(group.sites, other.sites, ids):
                        yield Fault(
                            ("groups", index, kind),
                            f"{place} belongs to group {other.id!r} and to group {group.id!r}"
                            f" at site {site!r}",
                            "give it to one of them" + (", or a longer prefix to one" * (kind == "subnets")),
                        )
                        break
                else:
                    owners.append(index)
    for kind in ("subnets", "vlans"):
        held: dict[Any, list[int]] = {}
        for index, here in enumerate(policy.sites):
            for place in dict.fromkeys(getattr(here, kind)):
                owners = held.setdefault(place, [])
                for owner in owners:
                    there = policy.sites[owner]
                    if set(there.sensors) & set(here.sensors) or not (there.sensors or here.sensors):
                        yield Fault(
                            ("sites", index, kind),
                            f"{place} belongs to sites {there.id!r} and {here.id!r}",
                            "name the sensors of each site, or give the prefix to one of them",
                        )
                        break
                else:
                    owners.append(index)


CHECKS: tuple[Callable[[Policy], Iterator[Fault]], ...] = (
    _unique,
    _references,
    _names,
    _thresholds,
    _rules_agree,
    _places_apart,
)
"""What makes a policy unusable."""
