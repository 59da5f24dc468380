"""The ready policies judge as their regulations say."""

import tomllib
from datetime import date, datetime

import numpy as np
import pytest

from blocklists import taxonomy
from blocklists.build import Builder, Statement
from blocklists.matcher import Source
from classifiers.calendar import Duties
from classifiers.classify import Classifier
from classifiers.policy import EXAMPLES, STARTER, load_policy, read_policy
from tests.classifiers.rows import DUTY, EVENING, PACIFIC, classified, flow

HOSTS = {
    "under17": "10.20.1.2",
    "student": "10.21.1.2",
    "staff": "10.30.1.2",
    "guest": "10.40.1.2",
    "server": "10.10.0.5",
}
#: Thanksgiving week, a Tuesday, at the hour of `DUTY`.
HOLIDAY = datetime(2026, 11, 24, 10, tzinfo=PACIFIC)
#: Services of their own, beside one name for each category.
SERVICES = {
    "drive": ("cloud_storage", "Google Drive"),
    "box": ("cloud_storage", "Box"),
    "mail": ("webmail", "Gmail"),
}
S, L = "stanislaus", "los-angeles"


def _lists():
    """A name for each category, `CATEGORY.example.org`, and for each service."""
    builder = Builder()
    said = {name: ((name,), "") for name in taxonomy.NAMES}
    said |= {name: ((category,), service) for name, (category, service) in SERVICES.items()}
    source = builder.source(Source("made", "Made", "", "domains", (), False, "", len(said)))
    for name, (categories, service) in said.items():
        number = builder.statement(Statement(taxonomy.mask_of(categories), service, source, False))
        builder.add([f"{name.replace('_', '-')}.example.org"], [1], [number])
    return builder.build()


@pytest.fixture(scope="module")
def classifiers():
    lists = _lists()
    return {name: Classifier(load_policy(path), lists) for name, path in EXAMPLES.items()}


@pytest.mark.parametrize("path", [STARTER, *EXAMPLES.values()], ids=lambda path: path.stem)
def test_they_are_good_and_leave_no_doubt(path):
    """What ships passes its own check without a warning, and uses services that lists name."""
    reading = read_policy(path, today=date(2026, 11, 22))
    assert reading.policy is not None
    assert reading.problems == []


MATTER = ("adult", "abuse", "hate", "violence")
OFFENSIVE = ("weapons", "drugs", "gambling", "self_harm")
PERSONAL = ("social_media", "games", "shopping", "streaming_video")
MALICE = ("malware", "phishing", "cryptomining")
SPEECH = ("political", "religious", "shopping")
BYPASS = ("vpn", "proxy", "tor", "doh")
ALL = ("under17", "student", "staff", "guest", "server")
PUPILS = ("under17", "student", "guest")
#: Example, who, name, when → action, clause.
CASES = [
    # Obscene, hateful, threatening: everybody, always.
    *[(S, who, name, at, "prohibit", "S3") for who in ALL for name in MATTER
      for at in (DUTY, EVENING)],
    *[(L, who, name, at, "prohibit", "L K12b") for who in ALL for name in MATTER
      for at in (DUTY, EVENING)],
    # Only Stanislaus promises to block offensive sites and social media.
    *[(S, who, name, DUTY, "prohibit", "S3b") for who in ALL for name in OFFENSIVE],
    *[(L, who, name, DUTY, "allow", "") for who in ALL for name in OFFENSIVE],
    *[(S, who, name, at, "prohibit", "S3b") for who in PUPILS for name in ("social_media", "chat", "dating")
      for at in (DUTY, EVENING)],
    *[(L, who, "social_media", at, "allow", "") for who in ALL for at in (DUTY, EVENING)],
    # Only Stanislaus allows personal use, outside duty time: evenings and holidays.
    *[(S, "staff", name, DUTY, "limit", "S18b") for name in PERSONAL],
    *[(S, "staff", name, at, "allow", "S18b") for name in PERSONAL
      for at in (EVENING, HOLIDAY)],
    *[(L, "staff", name, at, "allow", "") for name in ("games", "streaming_video") for at in (DUTY, EVENING)],
    (S, "under17", "games", DUTY, "limit", "S18a"), (S, "student", "games", EVENING, "allow", ""),
    (L, "under17", "games", DUTY, "allow", ""),
    # Streaming that disrupts.
    *[(S, who, "streaming_video", at, "limit", "S9a") for who in PUPILS for at in (DUTY, EVENING)],
    *[(L, who, "streaming_music", DUTY, "limit", "L K17") for who in PUPILS],
    *[(L, who, "streaming_music", at, "allow", "") for who in PUPILS for at in (EVENING, HOLIDAY)],
    # Copyright, malware, bypassing: everybody.
    *[(S, who, name, DUTY, "prohibit", "S8") for who in ALL for name in ("p2p", "file_sharing")],
    *[(L, who, name, DUTY, "prohibit", "L K9-12") for who in ALL for name in ("p2p", "file_sharing")],
    *[(S, who, name, DUTY, "prohibit", "S9") for who in ALL for name in MALICE],
    *[(L, who, name, DUTY, "prohibit", "L K15") for who in ALL for name in MALICE],
    *[(S, who, name, EVENING, "prohibit", "S11") for who in ALL for name in BYPASS],
    *[(L, who, name, EVENING, "prohibit", "L K5") for who in ALL for name in BYPASS],
    (S, "under17", "remote_access", DUTY, "limit", "S11"), (S, "staff", "remote_access", DUTY, "allow", ""),
    # Cloud services and fees: Stanislaus alone.
    (S, "staff", "drive", DUTY, "allow", "S9f"), (S, "staff", "box", DUTY, "limit", "S9f"),
    (S, "under17", "cloud_storage", DUTY, "limit", "S9f"), (S, "student", "mail", DUTY, "allow", "S9f"),
    (S, "under17", "generative_ai", DUTY, "limit", "S9f"),
    (S, "guest", "paid_services", DUTY, "limit", "S9h"),
    (L, "staff", "box", DUTY, "allow", ""), (L, "guest", "paid_services", DUTY, "allow", ""),
    # A visit is not use; religious use is named by Los Angeles alone.
    (S, "under17", "political", DUTY, "allow", "S7a"), (S, "under17", "shopping", DUTY, "allow", "S7a"),
    (S, "under17", "religious", DUTY, "allow", ""),
    *[(L, who, name, DUTY, "allow", "L K1-4") for who in ALL for name in SPEECH],
    # Never judged: help, and what is on no list.
    *[(one, "under17", name, DUTY, "allow", "") for one in (S, L)
      for name in ("health", "sexual_education", "crisis_support", "nothing")],
]  # fmt: skip


def test_each_case_is_judged_as_its_regulation_says(classifiers):
    """Every case of the table: action and clause of that regulation, for that group, at that hour."""
    for example in (S, L):
        cases = [case for case in CASES if case[0] == example]
        rows = classified(
            classifiers[example],
            "flows",
            *(
                flow(f"{name.replace('_', '-')}.example.org", HOSTS[who], at)
                for _, who, name, at, *_ in cases
            ),
        )
        found = [(*case[:4], row["action"], row["clause"]) for case, row in zip(cases, rows, strict=True)]
        assert found == cases


def test_the_own_vpn_is_recommended_by_stanislaus(classifiers):
    """An end point of the organisation's VPN is allowed with the clause that recommends it."""
    vpn = flow("vpn.example.org", HOSTS["staff"], server="203.0.113.17")
    (s_row,) = classified(classifiers[S], "flows", vpn)
    (l_row,) = classified(classifiers[L], "flows", vpn)
    assert (s_row["action"], s_row["clause"]) == ("allow", "S17")
    assert (l_row["action"], l_row["clause"]) == ("prohibit", "L K5")


#: Clauses of the regulations that say what a network shows, with those that the policy itself answers.
SEEN = {
    S: {"S3", "S3b", "S7a", "S8", "S9", "S9a", "S9d", "S9f", "S9h", "S11", "S17", "S18a", "S18b", "S18c"},
    L: {"L K12b", "L K1-4", "L K9-12", "L K15", "L K17", "L K5"},
}


@pytest.mark.parametrize("name", [S, L])
def test_every_clause_a_network_shows_is_used(name):
    """Each such clause is explained, and a rule, quota or fact refers to it; detectors find equipment."""
    policy = load_policy(EXAMPLES[name])
    used = {item.clause for item in (*policy.rules, *policy.quotas)} | {policy.sanctioned.vpn_clause}
    assert SEEN[name] <= set(policy.clauses)
    assert SEEN[name] - used <= {"S9d"}
    assert policy.approved.dhcp


def test_only_los_angeles_records_consent():
    """Consent has a version in the one and none in the other; only the other says how it blocks."""
    assert load_policy(EXAMPLES[L]).consent.version
    assert not load_policy(EXAMPLES[S]).consent.version
    assert load_policy(EXAMPLES[S]).filter.methods
    assert not load_policy(EXAMPLES[L]).filter.methods


@pytest.mark.parametrize("name", [S, L])
def test_holidays_are_days_off(name):
    """Every holiday of the calendar is off duty, the school days around it are not."""
    site = load_policy(EXAMPLES[name]).sites[0]
    duties = Duties(site.calendar, PACIFIC)
    for holiday in site.calendar.holidays:
        noon = datetime(holiday.first.year, holiday.first.month, holiday.first.day, 12, tzinfo=PACIFIC)
        assert not duties.on_duty(np.array([round(noon.timestamp() * 1e6)]))[0]
    assert len(site.calendar.holidays) > 5


def test_they_are_toml_that_people_can_copy():
    """Each begins with how to use it, and names no real address outside private and documentation ranges."""
    for path in EXAMPLES.values():
        text = path.read_text("utf-8")
        assert text.startswith("# A policy after ")
        assert "spanwatch policy check" in text
        assert tomllib.loads(text)["sites"]
