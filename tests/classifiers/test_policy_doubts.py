"""Warnings about what can hardly be meant."""

import tomllib
from datetime import date

import pytest

from classifiers.policy_doubts import Doubts
from classifiers.policy_model import Policy
from tests.classifiers.policy_text import BASE

TODAY = date(2026, 11, 22)


def told(text, today=TODAY):
    doubts = Doubts(Policy.model_validate(tomllib.loads(text)), today).all()
    assert all(doubt.warning for doubt in doubts)
    return [(doubt.path, doubt.what) for doubt in doubts]


def test_a_good_policy_leaves_no_doubt():
    """Nothing is said about a good policy."""
    assert told(BASE) == []


EXEMPTION = """
[[exemptions]]
id = "E1"
groups = ["staff"]
categories = ["games"]
reason = "Research"
authorised_by = "Superintendent"
from = 2026-09-01
until = 2026-11-20
"""
RULE = '[[rules]]\ncategories = ["games"]\ngroups = ["students"]\n'


@pytest.mark.parametrize(
    ("more", "path", "what"),
    [
        ('[[groups]]\nid = "ghosts"\n', ("groups", 2), "no client ever belongs to group 'ghosts'"),
        ('[[groups]]\nid = "far"\nsubnets = ["192.0.2.0/24"]\n', ("groups", 2, "subnets"), "lies outside"),
        (
            '[[groups]]\nid = "tagged"\ntags = ["cart"]\n',
            ("groups", 2, "tags"),
            "no device carries the tag 'cart'",
        ),
        (EXEMPTION, ("exemptions", 0, "until"), "expired on 2026-11-20"),
        (
            EXEMPTION.replace("staff", "students").replace("games", "adult").replace("11-20", "12-20"),
            ("exemptions", 0, "categories"),
            "lets minors (students) have 'adult'",
        ),
        (RULE + 'action = "prohibit"\n', ("rules", 2), "rule 3 never applies: others outrank it"),
        (
            '[[groups]]\nid = "ghosts"\n' + RULE.replace("students", "ghosts") + 'action = "limit"\n',
            ("rules", 2, "groups"),
            "none of its groups has a place",
        ),
        (
            '[devices]\ncart = ["00:16:3e:00:00:01"]\n[approved]\nrouter_macs = ["00:16:3e:00:00:01"]\n',
            ("devices", "cart"),
            "00:16:3e:00:00:01 is a router",
        ),
    ],
)
def test_what_is_doubted(more, path, what):
    """Each kind of doubt is told at its key."""
    assert any(path == where and what in said for where, said in told(BASE + more))


def test_a_rule_that_both_times_outrank_never_applies():
    """A rule for always, outranked by one on duty and one off duty, decides nothing."""
    more = (
        '[[rules]]\ncategories = ["games"]\ngroups = ["students"]\nwhen = "duty"\naction = "limit"\n'
        '[[rules]]\ncategories = ["games"]\ngroups = ["students"]\nwhen = "off_duty"\naction = "allow"\n'
    )
    assert [path for path, _ in told(BASE + more)] == [("rules", 1)]


def test_a_duty_rule_needs_duty_hours():
    """A rule on duty never applies where no site has duty hours."""
    text = BASE.replace('duty = [{ days = ["mon-fri"], from = "08:00", to = "15:00" }]', "")
    more = '[[rules]]\ncategories = ["chat"]\nwhen = "duty"\naction = "limit"\n'
    assert told(text + more) == [(("rules", 2), "rule 3 never applies: no site has duty hours")]


def test_an_exemption_is_expired_when_its_day_is_over_everywhere():
    """On its last day, and the day after in UTC, an exemption is not called expired."""
    for day, expired in ((20, False), (21, False), (22, True)):
        assert bool(told(BASE + EXEMPTION, date(2026, 11, day))) is expired


def test_overlapping_holidays():
    """Holidays that share a day are told, in whatever order they stand; touching ones are not."""
    holidays = "holidays = [{ from = 2026-11-26, to = 2026-11-27 }, { from = 2026-11-23, to = 2026-11-26 }]\n"
    text = BASE.replace("[[groups]]", holidays + "[[groups]]", 1)
    assert [path for path, _ in told(text)] == [("sites", 0, "calendar", "holidays")]
    assert told(text.replace("to = 2026-11-26 }", "to = 2026-11-25 }")) == []


@pytest.mark.parametrize(
    ("hour", "how"), [("02:30", "not at all on 2027-03-14"), ("01:30", "twice on 2027-11-07")]
)
def test_duty_at_a_time_the_clock_skips_or_repeats(hour, how):
    """Duty that begins in the hour of a clock change is told with the day."""
    text = BASE.replace('from = "08:00"', f'from = "{hour}"')
    assert [how in what for _, what in told(text)] == [True]


def test_minors_without_the_core_rules():
    """A site whose minors are not prohibited the core categories, at all times, is told."""
    (doubt,) = told(BASE.replace('["adult", "abuse"]', '["adult"]'))
    assert doubt == (
        ("sites", 0),
        "at site 'north' no rule prohibits group 'students', which is of minors, abuse",
    )
    on_duty = BASE.replace('["adult", "abuse"]', '["adult", "abuse"]\nwhen = "duty"')
    assert "adult and abuse" in told(on_duty)[0][1]
    nobody = BASE.replace("minor = true\n", "").replace('"adult", "abuse"', '"hate"')
    assert "prohibits everybody adult and abuse" in told(nobody)[0][1]
