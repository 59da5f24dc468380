"""Grants: what a request may have."""

import pytest

from api.roles import DELICATE, NEVER, NEVER_BY_PERSON, ROLES, Asked, choose, withheld

PERSONAL = {"flows", "dns", "attempts", "findings", "devices"}


def test_administrators_see_no_records() -> None:
    """The role that makes tokens has no grant on anything recorded."""
    assert not (PERSONAL | {"bandwidth", "filtering"}) & set(ROLES["administrator"].grants)


@pytest.mark.parametrize("role", [r for r in ROLES if r != "investigator"])
def test_nobody_sees_person_and_category_together(role: str) -> None:
    """Outside a case no grant shows clear hosts with categories."""
    for grant in ROLES[role].grants.values():
        assert not (grant.hosts == "clear" and grant.categories)


def test_investigators_need_host_and_case() -> None:
    """Every grant of theirs on records needs both."""
    for endpoint, grant in ROLES["investigator"].grants.items():
        if grant.hosts != "none":
            assert set(grant.needs) == {"client", "case"}, endpoint


def test_two_roles_do_not_add_up() -> None:
    """Engineer and auditor together: a category filter is answered with pseudonyms, not with both."""
    best = choose(("engineer", "auditor"), "bandwidth", Asked(category_filter=True))[0]
    assert (best.hosts, best.categories) == ("pseudonym", True)


def test_the_case_opens_the_record() -> None:
    """With one host and a case the investigator's grant comes first."""
    asked = Asked(client=True, case=True, host_filter=True, category_filter=True)
    assert choose(("engineer", "investigator"), "flows", asked)[0].categories


@pytest.mark.parametrize(
    ("roles", "endpoint", "asked", "said"),
    [
        (("helpdesk",), "flows", Asked(), "engineer"),
        (("investigator",), "flows", Asked(client=True), "case="),
        (("auditor",), "attempts", Asked(host_filter=True), "pseudonyms"),
        (("engineer",), "flows", Asked(category_filter=True), "categories"),
        ((), "health", Asked(), "roles"),
    ],
)
def test_refusals_name_the_way(roles: tuple[str, ...], endpoint: str, asked: Asked, said: str) -> None:
    """A refusal says which role would do or what to name or leave out."""
    with pytest.raises(PermissionError, match=said):
        choose(roles, endpoint, asked)


def test_names_of_abuse_are_withheld_from_every_grant() -> None:
    """No grant of any role shows them; what is delicate is hidden where categories are."""
    for role in ROLES.values():
        for grant in role.grants.values():
            hidden = withheld(grant)
            assert set(NEVER) <= hidden
            assert grant.categories or set(DELICATE) <= hidden
            assert grant.hosts == "none" or set(NEVER_BY_PERSON) <= hidden
