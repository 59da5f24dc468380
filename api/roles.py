"""What each role may see, from `roles.toml`, and the choice of the grants that answer a request."""

import tomllib
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).parent / "roles.toml"


class Grant(BaseModel):
    """What one role may see of one endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: Literal["clear", "pseudonym", "none"] = "none"
    categories: bool = False
    users: bool = False
    needs: tuple[Literal["client", "case"], ...] = ()


class Role(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    summary: str
    grants: dict[str, Grant]


class _Roles(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    never: tuple[str, ...]
    never_by_person: tuple[str, ...]
    delicate: tuple[str, ...]
    category_classes: tuple[str, ...]
    roles: dict[str, Role]


_LOADED = _Roles.model_validate(tomllib.loads(_FILE.read_text("utf-8")))
#: Roles by name.
ROLES = _LOADED.roles
#: Categories whose names are counted and never shown.
NEVER = _LOADED.never
#: Categories never shown together with a person or host.
NEVER_BY_PERSON = _LOADED.never_by_person
#: Categories whose names are withheld from a grant without categories.
DELICATE = _LOADED.delicate
#: Classes of findings that tell of categories of persons.
CATEGORY_CLASSES = _LOADED.category_classes


class Asked(NamedTuple):
    """What a request wants, as far as it matters for who may have it."""

    client: bool = False
    """It is about one host."""
    case: bool = False
    """It names a case."""
    host_filter: bool = False
    """It filters by an address, MAC or device name."""
    category_filter: bool = False
    """It filters or groups by category, action or verdict."""


def withheld(grant: Grant) -> frozenset[str]:
    """Categories whose names and services a row must not show under this grant."""
    names = set(NEVER)
    if grant.hosts != "none":
        names.update(NEVER_BY_PERSON)
    if not grant.categories:
        names.update(DELICATE)
    return frozenset(names)


def _rank(grant: Grant) -> tuple[bool, bool]:
    return grant.hosts == "clear", grant.categories


def grants(roles: tuple[str, ...], endpoint: str) -> list[Grant]:
    """All grants these roles hold on an endpoint, the one that shows most first."""
    held = [ROLES[role].grants[endpoint] for role in roles if endpoint in ROLES[role].grants]
    return sorted(held, key=_rank, reverse=True)


def choose(roles: tuple[str, ...], endpoint: str, asked: Asked) -> list[Grant]:
    """The grants that may answer the request, the one that shows most first; never empty.

    Raises PermissionError that says which roles would do, or what the request must name.
    """
    held = grants(roles, endpoint)
    if not held:
        able = [name for name, role in ROLES.items() if endpoint in role.grants]
        raise PermissionError(f"use a token with one of the roles {', '.join(able)}")
    able_grants: list[Grant] = []
    reasons: list[str] = []
    for grant in held:
        missing = [need for need in grant.needs if not getattr(asked, need)]
        if missing:
            reasons.append(f"name {' and '.join(f'{need}=…' for need in missing)}")
        elif asked.host_filter and grant.hosts != "clear":
            reasons.append("leave out the filter by host: this role sees pseudonyms")
        elif asked.category_filter and not grant.categories:
            reasons.append("leave out categories, actions and verdicts: this role does not see them")
        else:
            able_grants.append(grant)
    if not able_grants:
        raise PermissionError("; or ".join(dict.fromkeys(reasons)))
    return able_grants
