"""Why the policy says what it says."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from blocklists import taxonomy
from blocklists.build import Builder, Statement
from blocklists.lists import load_matcher
from blocklists.matcher import Source
from classifiers.explain import MOST_RULES_TOLD, Client
from classifiers.judge import Judge, in_force
from classifiers.policy import load_policy
from classifiers.policy_model import Policy
from tests.classifiers.rows import DUTY, EVENING, STAFF, STUDENT, classified, flow

starter_lists = cache(load_matcher)


@pytest.fixture(scope="module")
def judge():
    return Judge(in_force(load_policy(), starter_lists()))


def withholding(name):
    builder = Builder()
    source = builder.source(Source("made", "Made", "", "domains", ("abuse",), False, "", 1))
    said = builder.statement(Statement(taxonomy.mask_of(["abuse"]), "", source, False))
    builder.add([name], [1], [said])
    return builder.build()


def test_an_explanation_of_a_withheld_name_does_not_say_it():
    """Explaining a withheld name gives lines and decisions, not the name."""
    found = Judge(in_force(load_policy(), withholding("bad.example.org"))).explain("www.bad.example.org")
    assert "bad.example" not in json.dumps(found)
    assert found["categories"] == ["abuse"]
    assert [one["line"] for one in found["lists"]] == [1]


@pytest.mark.parametrize("name", ["https://www.youtube.com/watch", "a..b", "bad name", ""])
def test_what_is_no_name_is_not_explained(judge, name):
    """A pasted URL is refused instead of being called allowed; the error says what to give."""
    with pytest.raises(ValueError, match=r"give the host name alone"):
        judge.explain(name)


@pytest.mark.parametrize("name", ["com", "192.0.2.1", "2001:db8::1", "_dmarc.example.com"])
def test_suffixes_and_addresses_can_be_asked_for(judge, name):
    """What lists refuse as an entry still has an answer."""
    assert judge.explain(name)["name"] == name


def test_an_explanation_names_list_line_rule_and_clause(judge):
    """An explanation says which list and line, and for each group which rule and clause at that hour."""
    found = judge.explain("V16.TikTok.com.", at=DUTY)
    assert (found["name"], found["matched"], found["service"]) == ("v16.tiktok.com", "tiktok.com", "TikTok")
    assert found["lists"][0]["list"] == "starter-social_media"
    assert found["lists"][0]["line"] > 1
    assert found["lists_version"] == judge.matcher.version
    by_group = {one["group"]: one for one in found["decisions"]}
    assert by_group["students"]["action"] == "prohibit"
    assert by_group["students"]["clause_text"] == judge.policy.clauses["S3b"]
    rule = judge.policy.rules[by_group["students"]["rule"] - 1]
    assert "social_media" in rule.categories
    assert (by_group["staff"]["action"], by_group["staff"]["when"]) == ("limit", "duty")
    assert by_group["infrastructure"]["rule"] is None
    json.dumps(found)


def test_an_explanation_follows_the_hour_and_the_group(judge):
    """The same name is judged by the hour asked about, for the group asked about alone."""
    (evening,) = judge.explain("www.youtube.com", group="students", at=EVENING)["decisions"]
    (duty,) = judge.explain("www.youtube.com", group="students", at=DUTY.astimezone(UTC))["decisions"]
    assert (duty["action"], evening["action"]) == ("limit", "allow")
    assert duty["local_time"] == "2026-11-18T10:00:00-08:00"


def test_an_explanation_agrees_with_the_rows(judge):
    """Explaining a name and classifying a row of it give the same."""
    for name in ("www.tiktok.com", "www.youtube.com", "dns.google", "nowhere.example.org"):
        for at in (DUTY, EVENING):
            (row,) = classified(judge, "flows", flow(name, at=at))
            found = judge.explain(name, group="students", at=at)
            assert (row["categories"], row["service"]) == (found["categories"], found["service"])
            assert (row["action"], row["clause"]) == tuple(
                found["decisions"][0][k] for k in ("action", "clause")
            )


def test_what_can_not_be_explained_is_said(judge):
    """An unknown group and a time without a zone are refused with the mend."""
    with pytest.raises(ValueError, match="use one of students"):
        judge.explain("a.org", group="pupils")
    with pytest.raises(ValueError, match="add one"):
        judge.explain("a.org", at=datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "name", ["www.tiktok.com", "www.youtube.com", "nowhere.example.org", "api.nordvpn.com"]
)
@pytest.mark.parametrize("at", [DUTY, EVENING], ids=["duty", "evening"])
@pytest.mark.parametrize("host", [STUDENT, STAFF, "8.8.8.8", "169.254.1.1"])
def test_a_client_is_judged_as_its_rows_are(judge, name, at, host):
    """What is explained for a client is what its row says, and exactly the rule that decided is marked."""
    (row,) = classified(judge, "flows", flow(name, host, at))
    judged = judge.explain(name, at=at, client=Client(host))["judged"]
    assert (judged["site"]["id"], judged["group"]["id"]) == (row["site"], row["group"])
    assert (judged["action"], judged["clause"]) == (row["action"], row["clause"])
    decided = [rule for rule in judged["rules"] if rule["decided"]]
    assert len(decided) == bool(row["clause"])
    assert all(rule["why"] for rule in judged["rules"])


def test_every_step_is_told(judge):
    """Site and group with their reasons, the local hour with its span, and why other rules didn't decide."""
    judged = judge.explain("www.youtube.com", at=DUTY, client=Client(STUDENT, vlan=20, sensor="x"))["judged"]
    assert judged["site"] == {"id": "demo", "title": "Demonstration school", "why": "the policy's only site"}
    assert (judged["group"]["id"], judged["group"]["why"]) == ("students", "prefix 10.20.0.0/16")
    assert judged["time"] == {
        "local": "2026-11-18T10:00:00-08:00", "zone": "America/Los_Angeles", "when": "duty",
        "duty": "mon tue wed thu fri 08:00 to 15:00", "holiday": None,
    }  # fmt: skip
    told = {
        rule["action"]: (rule["decided"], rule["why"])
        for rule in judged["rules"]
        if "students" in rule["groups"]
    }
    assert told == {"limit": (True, "it decided")}
    assert "it is for staff" in [rule["why"] for rule in judged["rules"]]
    json.dumps(judged)


def policy(**more):
    """Everything about places, times and ranks in one."""
    return Policy.model_validate(
        {
            "organisation": "Test",
            "sites": [
                {"id": "north", "subnets": ["10.0.0.0/9"], "vlans": [7]},
                {"id": "south", "subnets": ["10.128.0.0/9"], "sensors": []},
            ],
            "groups": [
                {"id": "students", "subnets": ["10.20.0.0/16"], "vlans": [20]},
                {"id": "carts", "tags": ["cart"]},
            ],
            "devices": {"cart": ["00:16:3e:00:00:01"]},
            **more,
        }
    )


def judged(policy, name="www.youtube.com", at=DUTY, **client):
    judge = Judge(in_force(policy, starter_lists()))
    return judge.explain(name, at=at, client=Client(**client))["judged"]


@pytest.mark.parametrize(
    ("client", "site", "site_why", "group", "group_why"),
    [
        ({"host": "10.20.0.1"}, "north", "prefix 10.0.0.0/9", "students", "prefix 10.20.0.0/16"),
        ({"host": "10.1.0.1", "vlan": 20}, "north", "prefix 10.0.0.0/9", "students", "VLAN 20"),
        ({"host": "192.0.2.1", "vlan": 7}, "north", "VLAN 7", "", "no group at the site"),
        ({"host": "192.0.2.1"}, "", "no site has this address", "", "no site, so no group"),
        ({"host": "10.20.0.1", "mac": "00163e000001"}, "north", "prefix", "carts", "device tag cart"),
        ({"host": "00:16:3E:00:00:01", "vlan": 7}, "north", "VLAN 7", "carts", "device tag cart"),
        ({"host": "2001:db8::1"}, "", "no site", "", "no site"),
    ],
)
def test_why_a_client_is_where_it_is(client, site, site_why, group, group_why):
    """Prefix, VLAN and device tag are named as what decided; nowhere is said to be nowhere."""
    told = judged(policy(), **client)
    assert (told["site"]["id"], told["group"]["id"]) == (site, group)
    assert told["site"]["why"].startswith(site_why)
    assert told["group"]["why"].startswith(group_why)


@pytest.mark.parametrize(
    ("rules", "whys"),
    [
        (
            [("prohibit", {}), ("limit", {"groups": ["students"]})],
            ["rule 2 outranks it: it names the group", "it decided"],
        ),
        (
            [("prohibit", {}), ("limit", {"when": "off_duty"})],
            ["rule 2 outranks it: it names the time", "it decided"],
        ),
        ([("prohibit", {}), ("prohibit", {})], ["it decided", "rule 1 outranks it: it stands before it"]),
        (
            [("prohibit", {}), ("allow", {"services": ["YouTube"], "categories": []})],
            ["rule 2 outranks it: it is for the service", "it decided"],
        ),
        ([("prohibit", {"when": "duty"})], ["it is for duty"]),
    ],
)
def test_why_a_rule_did_not_decide(rules, whys):
    """Each rule that names the name's category or service says what outranked it."""
    made = [{"categories": ["streaming_video"], "action": action, **more} for action, more in rules]
    told = judged(policy(rules=made), host="10.20.0.1")
    assert [rule["why"] for rule in told["rules"]] == whys


EXEMPTION = {
    "groups": ["students"], "categories": ["streaming_video"], "reason": "Film class",
    "authorised_by": "Principal", "from": "2026-11-01", "until": "2026-11-18",
}  # fmt: skip


@pytest.mark.parametrize(
    ("day", "state", "action"),
    [(10, "pending", "prohibit"), (18, "active", "allow"), (19, "expired", "prohibit")],
)
def test_an_exemption_is_told_whether_it_holds_or_not(day, state, action):
    """An exemption that is about the client and name is told with its state, so an expired one is seen."""
    made = policy(
        rules=[{"categories": ["streaming_video"], "action": "prohibit", "clause": ""}],
        exemptions=[{"id": "E1", **EXEMPTION, **({"from": "2026-11-11"} if day == 10 else {})}],
    )
    told = judged(made, at=datetime(2026, 11, day, 20, tzinfo=UTC), host="10.20.0.1")
    assert [(one["id"], one["state"], one["decided"]) for one in told["exemptions"]] == [
        ("E1", state, action == "allow")
    ]
    assert told["action"] == action
    assert judged(made, at=DUTY, host="10.1.0.1")["exemptions"] == []


def test_a_server_is_judged_by_its_address(judge):
    """An address instead of a name is looked up as the server of a flow without one, at its port."""
    found = judge.explain("8.8.8.8", at=DUTY, client=Client(STUDENT))
    assert found["categories"] == ["doh"]
    assert found["judged"]["action"] == "prohibit"
    assert judge.explain("8.8.8.8", at=DUTY, client=Client(STUDENT), port=53)["judged"]["action"] == "allow"


def test_many_rules_are_told_in_part():
    """Of rules without end the first are told."""
    made = [{"categories": ["streaming_video"], "groups": ["carts"], "action": "limit"}] * 1_000
    assert len(judged(policy(rules=made), host="10.20.0.1")["rules"]) == MOST_RULES_TOLD


@pytest.mark.parametrize(
    ("client", "said"),
    [({"host": "pc-17"}, "no address"), ({"host": "10.1.0.1", "vlan": 4_095}, "no VLAN id")],
)
def test_a_client_that_can_not_be(client, said):
    """What is no address and no VLAN is refused with the mend."""
    with pytest.raises(ValueError, match=said):
        judged(policy(), **client)


def test_times_no_policy_is_about(judge):
    """The year 1 is refused, not computed with."""
    with pytest.raises(ValueError, match="year 1 "):
        judge.explain("a.org", at=datetime(1, 1, 1, tzinfo=UTC))


TRUTH = Path(__file__).parents[2] / "spanwatch" / "data" / "demo.truth.json"


@pytest.mark.skipif(not TRUTH.exists(), reason="the bundled capture's truth is not there")
def test_the_starter_fits_the_bundled_capture(judge):
    """Each name tried in the bundled capture has the category it stands for, and the action written down."""
    checked = 0
    truth = json.loads(TRUTH.read_text("utf-8"))
    for scenario in truth["scenarios"]:
        at = datetime.fromtimestamp(scenario["start"] / 1e6, UTC)
        group = truth["network"]["vlans"][str(scenario["vlan"])]["group"]
        for expected in scenario["expect"]:
            if expected["kind"] != "attempt":
                continue
            for name in expected.get("names", scenario["names"]):
                found = judge.explain(name, group=group, at=at)
                assert expected["category"] in found["categories"], name
                (decision,) = found["decisions"]
                if expected.get("policy") in ("allow", "prohibit"):
                    assert decision["action"] == expected["policy"], (name, group)
                if expected["verdict"] == "blocked":
                    assert decision["action"] == "prohibit", (name, group)
                checked += 1
    assert checked > 30
