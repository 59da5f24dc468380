"""Which rule decides."""

import pytest

from blocklists.matcher import LabelSet
from blocklists.taxonomy import mask_of
from classifiers.decisions import Decisions
from classifiers.policy_model import Policy

SETS = (
    LabelSet(mask_of(["games"]), ""),
    LabelSet(mask_of(["chat"]), ""),
    LabelSet(mask_of(["chat", "games"]), ""),
    LabelSet(mask_of(["games"]), "Chess"),
    LabelSet(0, "Chess"),
    LabelSet(mask_of(["shopping"]), ""),
)
GAMES, CHAT, BOTH, CHESS, ONLY_CHESS, SHOPPING = range(6)
STUDENTS, STAFF, NOBODY = 0, 1, -1
OFF, DUTY = 0, 1


def rule(action, clause, **facts):
    return {"action": action, "clause": clause, **facts}


def decided(rules, label_set, group=STUDENTS, duty=DUTY, **more):
    policy = Policy.model_validate(
        {
            "organisation": "Test",
            "sites": [{"id": "a"}],
            "groups": [{"id": "students"}, {"id": "staff"}],
            "rules": rules,
            **more,
        }
    )
    decisions = Decisions(policy, SETS)
    known = decisions.known[decisions.table[label_set, group, duty]]
    return known.action, known.clause


def test_without_a_rule_all_is_allowed():
    """A category no rule is about, and a name on no list, are allowed without a clause."""
    rules = [rule("prohibit", "A", categories=["games"])]
    assert decided(rules, SHOPPING) == ("allow", "")
    assert decided(rules, -1) == ("allow", "")


def test_the_strictest_category_decides():
    """Of a name's categories the one with the strictest rule decides."""
    rules = [rule("limit", "A", categories=["chat"]), rule("prohibit", "B", categories=["games"])]
    assert decided(rules, CHAT) == ("limit", "A")
    assert decided(rules, BOTH) == ("prohibit", "B")


def test_a_group_outranks_everybody():
    """A rule that names the group outranks one for all, even a stricter one for a time."""
    rules = [
        rule("prohibit", "A", categories=["games"], when="duty"),
        rule("allow", "B", categories=["games"], groups=["staff"]),
    ]
    assert decided(rules, GAMES, STUDENTS) == ("prohibit", "A")
    assert decided(rules, GAMES, STAFF) == ("allow", "B")
    assert decided(rules, GAMES, NOBODY) == ("prohibit", "A")


@pytest.mark.parametrize(("duty", "expected"), [(DUTY, ("limit", "B")), (OFF, ("prohibit", "A"))])
def test_a_time_outranks_always(duty, expected):
    """A rule for duty hours outranks one for always, in duty hours."""
    rules = [
        rule("prohibit", "A", categories=["games"], groups=["students"]),
        rule("limit", "B", categories=["games"], groups=["students"], when="duty"),
    ]
    assert decided(rules, GAMES, duty=duty) == expected


def test_a_service_outranks_its_categories():
    """A rule for a service decides for it, and for nothing else of the category."""
    rules = [rule("prohibit", "A", categories=["games"]), rule("allow", "B", services=["Chess"])]
    assert decided(rules, CHESS) == ("allow", "B")
    assert decided(rules, ONLY_CHESS) == ("allow", "B")
    assert decided(rules, GAMES) == ("prohibit", "A")


def test_a_sanctioned_service_is_allowed_unless_a_rule_names_it():
    """What the organisation provides is allowed; a rule for that very service still decides."""
    rules = [rule("prohibit", "A", categories=["games"])]
    sanctioned = {"sanctioned": {"services": ["Chess"]}}
    assert decided(rules, CHESS, **sanctioned) == ("allow", "sanctioned")
    assert decided([*rules, rule("limit", "B", services=["Chess"])], CHESS, **sanctioned) == ("limit", "B")
