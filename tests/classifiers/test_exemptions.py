"""Exemptions: for whom, from what, until when."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from blocklists.lists import load_matcher
from classifiers.classify import Classifier
from classifiers.exemptions import name_matcher
from classifiers.policy import load_policy
from classifiers.policy_model import Policy
from tests.classifiers.rows import batch

PACIFIC = ZoneInfo("America/Los_Angeles")
IN_TIME = datetime(2026, 10, 14, 10, tzinfo=PACIFIC)
BASE = {
    "id": "E1", "groups": ["students"], "categories": ["games"], "reason": "Game design class",
    "authorised_by": "Principal", "from": "2026-09-01", "until": "2026-12-18",
}  # fmt: skip


def classifier(**changes):
    exemption = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
    values = {**json.loads(load_policy().model_dump_json(by_alias=True)), "exemptions": [exemption]}
    return Classifier(Policy.model_validate(values), load_matcher())


def judged(of, name="www.roblox.com", client="10.20.1.2", at=IN_TIME):
    row = {"client": client, "qname": name, "ts": round(at.timestamp() * 1_000_000)}
    (found,) = of.classify("dns", batch("dns", row), "s").to_pylist()
    return found["action"], found["clause"]


def test_an_exempt_group_is_allowed():
    """A row an exemption holds for is allowed, with the exemption as its clause."""
    assert judged(classifier()) == ("allow", "exemption:E1")
    assert judged(classifier(), "www.tiktok.com") == ("prohibit", "S3b")


@pytest.mark.parametrize(
    ("at", "action"),
    [
        (datetime(2026, 8, 31, 23, 59, 59, tzinfo=PACIFIC), "prohibit"),
        (datetime(2026, 9, 1, tzinfo=PACIFIC), "allow"),
        (datetime(2026, 12, 18, 23, 59, 59, tzinfo=PACIFIC), "allow"),
        (datetime(2026, 12, 19, tzinfo=PACIFIC), "prohibit"),
    ],
)
def test_it_holds_from_its_first_day_through_its_last(at, action):
    """Both days count whole, by the clock of the site, at the time of the event."""
    assert judged(classifier(), at=at)[0] == action


def test_hosts_and_groups_must_both_hold():
    """With hosts and groups an exemption is for those hosts of those groups; with hosts alone for any."""
    both = classifier(hosts=["10.20.1.0/24", "10.30.0.0/16"], categories=["adult"])
    assert judged(both, "pornhub.com")[0] == "allow"
    assert judged(both, "pornhub.com", "10.20.2.2")[0] == "prohibit"
    assert judged(both, "pornhub.com", "10.30.1.1")[0] == "prohibit"
    hosts = classifier(groups=None, hosts=["10.20.1.0/24", "10.30.0.0/16"], categories=["adult"])
    assert judged(hosts, "pornhub.com", "10.30.1.1")[0] == "allow"


def test_services_and_names():
    """An exemption may be from a service, or for a name and all below it."""
    service = classifier(categories=[], services=["Roblox"])
    assert judged(service)[0] == "allow"
    assert judged(service, "store.steampowered.com")[0] == "prohibit"
    name = classifier(categories=[], names=["create.roblox.com"])
    assert judged(name, "a.create.roblox.com")[0] == "allow"
    assert judged(name)[0] == "prohibit"


def test_what_is_allowed_anyway_needs_no_exemption():
    """A row no rule forbids keeps its own answer, so that unused exemptions stay visible."""
    assert judged(classifier(categories=["webmail"]), "mail.google.com") == ("allow", "")


def test_everybody_may_be_exempt():
    """The group `*` exempts clients of every group and of none."""
    assert judged(classifier(groups=["*"], categories=["adult"]), "pornhub.com", "8.8.8.8")[0] == "allow"


def test_a_broken_name_is_refused():
    """What is no name can't be exempt."""
    with pytest.raises(ValueError, match="no domain name"):
        name_matcher(("not a name",))
