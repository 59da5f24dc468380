"""Differences between two policies."""

import tomllib

import pytest

from classifiers.policy_diff import changes
from classifiers.policy_model import Policy
from tests.classifiers.policy_text import BASE


def policy(text):
    return Policy.model_validate(tomllib.loads(text))


def told(text):
    return [str(change) for change in changes(policy(BASE), policy(text))]


def test_the_same_policy_differs_in_nothing():
    """Comments and layout are no difference."""
    assert told("# a comment\n" + BASE) == []


def test_a_long_change_is_cut_between_two_words():
    """No address of a long list is cut in two: what is left of it would be another one."""
    many = ", ".join(f'"10.20.30.{number}"' for number in range(100, 150))
    (line,) = told(BASE + f"[sanctioned]\nvpn = [{many}]\n")
    assert line.endswith("/32 …")
    assert all(word.endswith("/32") for word in line.split() if word.startswith("10."))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ('"Test district"', '"Other"', ["~ organisation: Test district → Other"]),
        ('action = "prohibit"\nclause = "A1"', 'action = "limit"\nclause = "A1"',
         ["~ rules[games for students, always].action: prohibit → limit"]),
        ("vlans = [20]", "vlans = [21, 22]", ["~ groups[students].vlans: +21 +22 -20"]),
        ("vlans = [20]\n", "", ["- groups[students].vlans: 20"]),
        ('time_zone = "America/Los_Angeles"', "", ["- sites[north].time_zone: America/Los_Angeles"]),
        ("[clauses]", '[filter]\nmethods = ["dns"]\n[clauses]', ["+ filter.methods: dns"]),
        ('"08:00"', '"07:30"', ["~ sites[north].calendar.duty[1].from: 08:00 → 07:30"]),
    ],
)  # fmt: skip
def test_a_change_is_told_at_its_key(old, new, lines):
    """What was added, taken away or changed is a line each, lists by their elements."""
    assert told(BASE.replace(old, new)) == lines


def test_elements_are_told_apart_by_what_they_are():
    """A group, rule or exemption that is put before others is the only difference."""
    group = '[[groups]]\nid = "guests"\nvlans = [40]\n\n'
    rule = '[[rules]]\ncategories = ["chat"]\naction = "limit"\n\n'
    text = BASE.replace("[[groups]]", group + "[[groups]]", 1).replace("[[rules]]", rule + "[[rules]]", 1)
    assert told(text) == [
        "+ groups[guests]: id guests, vlans 40",
        "+ rules[chat for *, always]: categories chat, action limit",
    ]
    assert [str(c) for c in changes(policy(text), policy(BASE))] == [
        "- groups[guests]: id guests, vlans 40",
        "- rules[chat for *, always]: categories chat, action limit",
    ]


def test_devices_are_numbers():
    """Devices that come and go are counted, their MAC addresses are not told."""
    text = BASE + '[devices]\ncart = ["00:16:3e:00:00:01", "00:16:3e:00:00:02"]\n'
    assert told(text) == ["+ devices.cart: 2 devices"]
    other = BASE + '[devices]\ncart = ["00:16:3e:00:00:02", "00:16:3e:00:00:03"]\n'
    assert [str(c) for c in changes(policy(text), policy(other))] == [
        "- devices.cart: 1 devices",
        "+ devices.cart: 1 devices",
    ]


def test_the_first_version_differs_in_everything():
    """Without a version before, each key is new."""
    found = [str(change) for change in changes(None, policy(BASE))]
    assert "+ organisation: Test district" in found
    assert all(line.startswith("+ ") for line in found)


def test_two_rules_about_the_same_are_two():
    """Rules of the same names, groups and time are numbered."""
    rule = '[[rules]]\ncategories = ["games"]\ngroups = ["students"]\naction = "prohibit"\n'
    assert told(BASE + rule) == [
        "+ rules[games for students, always #2]: categories games, groups students, action prohibit"
    ]
