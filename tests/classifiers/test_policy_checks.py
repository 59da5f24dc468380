"""Checks across the sections of a policy."""

import tomllib

import pytest

from classifiers.policy_checks import CHECKS, did_you_mean, unknown_services
from classifiers.policy_model import Policy
from tests.classifiers.policy_text import BASE


def found(text):
    policy = Policy.model_validate(tomllib.loads(text))
    return [fault for check in CHECKS for fault in check(policy)]


def test_a_good_policy_has_no_fault():
    """Nothing is said about a good policy."""
    assert found(BASE) == []


@pytest.mark.parametrize(
    ("name", "mend"),
    [("Gamez", "did you mean 'games'?"), ("quux", ""), ("g" * 10_000, ""), ("", "")],
)
def test_the_nearest_known_name_is_the_mend(name, mend):
    """A name that is nearly right gets the one that was meant, whatever its case; others get none."""
    assert did_you_mean(name, ["games", "chat"]) == mend


@pytest.mark.parametrize(
    ("old", "new", "what", "mend"),
    [
        ('"students"]\naction', '"studnets"]\naction', "unknown group 'studnets'", "'students'"),
        ('clause = "A1"', 'clause = "a1"', "clause 'a1'", "'A1'"),
        ("minor = true", 'minor = true\nsites = ["nroth"]', "unknown site 'nroth'", "'north'"),
        ('"games"]', '"gamse"]', "unknown category 'gamse'", "'games'"),
    ],
)
def test_unknown_names_are_told_with_the_nearest(old, new, what, mend):
    """A group, clause, site or category with a slip of the pen is told with the right one."""
    (fault,) = found(BASE.replace(old, new, 1))
    assert what in fault.what
    assert mend in fault.mend


def test_thresholds_are_of_detectors_that_exist():
    """An unknown detector and an unknown parameter are told with the nearest."""
    text = (
        BASE + "[thresholds.port_scam]\nports = 5\n[thresholds.port_scan]\nprots = 1\n[thresholds.verdict]\n"
    )
    first, second = found(text)
    assert first.path == ("thresholds", "port_scam")
    assert "port_scan" in first.mend
    assert second.path == ("thresholds", "port_scan", "prots")
    assert "ports" in second.mend


def test_services_are_held_against_the_lists():
    """A service that no list in force names is a fault; those that one names are not."""
    text = (
        BASE
        + '[[rules]]\nservices = ["YouTube", "Youtub"]\naction = "allow"\n[sanctioned]\nservices = ["Zoon"]\n'
    )
    policy = Policy.model_validate(tomllib.loads(text))
    rule, sanctioned = sorted(
        unknown_services(policy, ["YouTube", "Zoom"]), key=lambda fault: str(fault.path)
    )
    assert (rule.path, rule.mend) == (("rules", 2, "services"), "did you mean 'YouTube'?")
    assert (sanctioned.path, sanctioned.mend) == (("sanctioned", "services"), "did you mean 'Zoom'?")


def test_rules_of_a_machine_are_refused():
    """Rules that spell out more pairs than people write are refused before they cost time."""
    rule = {
        "services": [f"s{n}" for n in range(1_500)],
        "groups": [f"g{n}" for n in range(700)],
        "action": "allow",
    }
    values = tomllib.loads(BASE) | {"rules": [rule]}
    policy = Policy.model_validate(values)
    assert any("1,050,000 pairs" in fault.what for check in CHECKS for fault in check(policy))


def test_a_tag_belongs_to_one_group_of_a_site():
    """The same tag in two groups is a fault where they share a site, and none where they don't."""
    tags = BASE.replace('id = "staff"', 'id = "staff"\ntags = ["cart"]').replace(
        "minor = true", 'minor = true\ntags = ["cart"]'
    )
    (fault,) = found(tags)
    assert "'students' and to group 'staff' at site 'north'" in fault.what
    apart = tags + '[[sites]]\nid = "south"\nsubnets = ["172.16.0.0/12"]\n'
    apart = apart.replace('id = "staff"', 'id = "staff"\nsites = ["south"]').replace(
        "minor = true", 'minor = true\nsites = ["north"]'
    )
    assert found(apart) == []


def test_ids_are_used_once():
    """Two sites, groups or exemptions of one id are a fault."""
    assert any("used twice" in fault.what for fault in found(BASE.replace('id = "staff"', 'id = "students"')))
