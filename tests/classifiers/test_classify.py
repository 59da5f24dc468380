"""Batches of records with their meaning."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists import taxonomy
from blocklists.build import Builder, Statement
from blocklists.lists import load_matcher
from blocklists.matcher import Source
from classifiers.classify import ADDED, Classifier
from classifiers.policy import load_policy
from classifiers.policy_model import Policy
from pipeline.records import SCHEMAS
from tests.classifiers.rows import batch

PACIFIC = ZoneInfo("America/Los_Angeles")
STUDENT, STAFF, GUEST = "10.20.1.2", "10.30.1.2", "10.40.1.2"
DUTY = datetime(2026, 11, 18, 10, tzinfo=PACIFIC)
EVENING = datetime(2026, 11, 18, 19, tzinfo=PACIFIC)


def us(moment):
    return round(moment.timestamp() * 1_000_000)


@pytest.fixture(scope="module")
def starter():
    return Classifier(load_policy(), load_matcher())


def flow(name, client=STUDENT, at=DUTY, **more):
    return {
        "client": client,
        "server": "198.51.100.7",
        "server_port": 443,
        "server_name": name,
        "start": us(at),
        **more,
    }


def classified(classifier, records, *rows):
    return classifier.classify(records, batch(records, *rows), "sensor").to_pylist()


def test_added_columns_follow_the_records(starter):
    """Flows and dns keep their columns and gain the same further ones; dns gains its sensor first."""
    flows = starter.classify("flows", batch("flows", flow("www.youtube.com")), "s")
    assert flows.schema.names == [*SCHEMAS["flows"].names, *ADDED.names]
    dns = starter.classify("dns", batch("dns", {"client": STUDENT, "qname": "a.org", "ts": us(DUTY)}), "s")
    assert dns.schema.names == [*SCHEMAS["dns"].names, "sensor", *ADDED.names]
    for name, type_ in zip(ADDED.names, ADDED.types, strict=True):
        assert flows.schema.field(name).type == dns.schema.field(name).type == type_


def test_who_what_and_the_rule(starter):
    """A row has its site, group, categories, service, action, clause and the policy's version."""
    (row,) = classified(starter, "flows", flow("v16.tiktokcdn.com"))
    assert {name: row[name] for name in ADDED.names} == {
        "site": "demo", "group": "students", "device_ownership": "", "categories": ["social_media"],
        "service": "TikTok", "action": "prohibit", "clause": "S3b", "policy_version": starter.policy.version,
        "verdict": "none", "mechanism": "", "confidence": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("client", "name", "at", "action", "clause"),
    [
        (STUDENT, "www.youtube.com", DUTY, "limit", "S9a"),
        (STUDENT, "www.youtube.com", EVENING, "allow", ""),
        (STAFF, "www.instagram.com", DUTY, "limit", "S18b"),
        (STAFF, "www.instagram.com", EVENING, "allow", ""),
        (GUEST, "www.instagram.com", EVENING, "prohibit", "S3b"),
        (GUEST, "www.pornhub.com", EVENING, "prohibit", "S3"),
        (STUDENT, "api.nordvpn.com", EVENING, "prohibit", "S11"),
        (STUDENT, "www.wikipedia.org", DUTY, "allow", ""),
        (STUDENT, "nowhere.example.org", DUTY, "allow", ""),
        ("8.8.8.8", "www.pornhub.com", DUTY, "prohibit", "S3"),
    ],
)
def test_the_starter_policy(starter, client, name, at, action, clause):
    """The starter policy decides by group and by the local hour of the event."""
    flows, dns = (
        classified(starter, "flows", flow(name, client, at))[0],
        classified(starter, "dns", {"client": client, "qname": name, "ts": us(at)})[0],
    )
    assert (flows["action"], flows["clause"]) == (dns["action"], dns["clause"]) == (action, clause)


def test_names_on_no_list_carry_nothing(starter):
    """A name no list knows, and none at all, have no categories and no service."""
    rows = classified(starter, "flows", flow("nowhere.example.org"), flow(""))
    assert [(row["categories"], row["service"]) for row in rows] == [([], "")] * 2


def test_a_flow_without_a_name_is_known_by_its_address(starter):
    """A public resolver's address on 443 is encrypted DNS; a name, even an unlisted one, comes first."""
    rows = classified(
        starter,
        "flows",
        flow("", server="8.8.8.8"),
        flow("", server="8.8.8.8", server_port=53),
        flow("nowhere.example.org", server="8.8.8.8"),
    )
    assert [row["categories"] for row in rows] == [["doh"], [], []]


def test_group_by_vlan_where_no_subnet_matches(starter):
    """A client with an address outside every subnet belongs to its VLAN's group."""
    (row,) = classified(starter, "flows", flow("www.tiktok.com", "169.254.3.4", vlan=20))
    assert (row["group"], row["action"]) == ("students", "prohibit")


def test_daylight_saving_moves_the_duty_hours(starter):
    """08:30 local is duty time on both sides of the change of clocks, within one batch."""
    moments = [datetime(2026, 10, 30, 8, 30, tzinfo=PACIFIC), datetime(2026, 11, 2, 8, 30, tzinfo=PACIFIC)]
    early = [datetime(2026, 10, 30, 7, 30, tzinfo=PACIFIC), datetime(2026, 11, 2, 7, 30, tzinfo=PACIFIC)]
    rows = classified(starter, "flows", *(flow("www.youtube.com", at=at) for at in [*moments, *early]))
    assert [row["action"] for row in rows] == ["limit", "limit", "allow", "allow"]


def test_sightings_and_health_have_their_site(starter):
    """Sightings gain sensor and site, health its site."""
    (sighting,) = classified(starter, "sightings", {"ip": STUDENT, "ts": us(DUTY)})
    assert (sighting["sensor"], sighting["site"]) == ("sensor", "demo")
    (health,) = classified(starter, "health", {"ts": us(DUTY), "sensor": "sensor"})
    assert health["site"] == "demo"


def test_an_empty_batch_stays_empty(starter):
    """A batch without rows gains the columns and no row."""
    for records in SCHEMAS:
        empty = batch(records)
        assert starter.classify(records, empty, "s").num_rows == 0


def test_a_slice_is_classified_like_the_whole(starter):
    """A slice of a batch gives the rows of the whole's slice."""
    whole = batch(
        "flows", *(flow(name) for name in ("a.example.org", "www.tiktok.com", "", "www.roblox.com"))
    )
    expected = starter.classify("flows", whole, "s").slice(1, 2).to_pylist()
    assert starter.classify("flows", whole.slice(1, 2), "s").to_pylist() == expected


def test_an_unknown_kind_is_refused(starter):
    """A kind of record that does not exist is a KeyError."""
    with pytest.raises(KeyError):
        starter.classify("mail", batch("dns"), "s")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=30), st.binary(min_size=16, max_size=16), st.integers(0, 65_535),
            st.integers(-(2**63) + 1, 2**63 - 1),
        ),
        max_size=10,
    )
)  # fmt: skip
def test_any_row_is_classified(starter, rows):
    """Whatever name, address, VLAN and time a row has, it is classified and none is lost."""
    values = [{"server_name": n, "client": c, "server": c, "vlan": v, "start": t} for n, c, v, t in rows]
    out = starter.classify("flows", batch("flows", *values), "s")
    assert out.num_rows == len(rows)
    out.validate(full=True)
    assert out.column("server_name").to_pylist() == [name for name, *_ in rows]


def withholding(*names):
    builder = Builder()
    source = builder.source(Source("made", "Made", "", "domains", ("abuse",), False, "", len(names)))
    said = builder.statement(Statement(taxonomy.mask_of(["abuse"]), "", source, False))
    builder.add(list(names), list(range(1, len(names) + 1)), [said] * len(names))
    return Classifier(load_policy(), builder.build())


def test_withheld_names_leave_in_no_column():
    """A name of a withheld category is replaced wherever it stands, and the row is still counted."""
    classifier = withholding("bad.example.org")
    flows = classifier.classify(
        "flows",
        batch(
            "flows",
            flow("www.bad.example.org", certificate="cdn.example.net", issuer="Made CA"),
            flow("good.example.org", http_location="x.bad.example.org", certificate="good.example.org"),
            flow("", certificate="*.bad.example.org", issuer="*.bad.example.org"),
        ),
        "s",
    )
    dns = classifier.classify(
        "dns",
        batch(
            "dns",
            {"client": STUDENT, "qname": "bad.example.org", "answers": ["a.example.net"], "ts": us(DUTY)},
            {
                "client": STUDENT,
                "qname": "good.example.org",
                "answers": ["cdn.bad.example.org"],
                "ts": us(DUTY),
            },
            {
                "client": STUDENT,
                "qname": "other.example.org",
                "answers": ["cdn.bad.example.org alpn=h2,h3 ech"],
                "ts": us(DUTY),
            },
            {"client": STUDENT, "qname": "fine.example.org", "answers": ["a.example.net"], "ts": us(DUTY)},
        ),
        "s",
    )
    assert "bad.example" not in json.dumps([flows.to_pylist(), dns.to_pylist()], default=str)
    assert flows.column("server_name").to_pylist() == [taxonomy.WITHHELD, "good.example.org", ""]
    assert flows.column("certificate").to_pylist() == [
        taxonomy.WITHHELD,
        "good.example.org",
        taxonomy.WITHHELD,
    ]
    assert flows.column("issuer").to_pylist() == [taxonomy.WITHHELD, "", taxonomy.WITHHELD]
    assert dns.column("qname").to_pylist() == [
        taxonomy.WITHHELD,
        "good.example.org",
        "other.example.org",
        "fine.example.org",
    ]
    assert dns.column("answers").to_pylist()[3] == ["a.example.net"]
    assert [row["action"] for row in flows.to_pylist()] == ["prohibit", "allow", "allow"]
    assert flows.schema.field("server_name") == SCHEMAS["flows"].field("server_name")


def test_an_explanation_of_a_withheld_name_does_not_say_it():
    """Explaining a withheld name gives lines and decisions, not the name."""
    found = withholding("bad.example.org").explain("www.bad.example.org")
    assert "bad.example" not in json.dumps(found)
    assert found["categories"] == ["abuse"]
    assert [one["line"] for one in found["lists"]] == [1]


@pytest.mark.parametrize("name", ["https://www.youtube.com/watch", "a..b", "bad name", ""])
def test_what_is_no_name_is_not_explained(starter, name):
    """A pasted URL is refused instead of being called allowed; the error says what to give."""
    with pytest.raises(ValueError, match=r"give the host name alone"):
        starter.explain(name)


@pytest.mark.parametrize("name", ["com", "192.0.2.1", "2001:db8::1", "_dmarc.example.com"])
def test_suffixes_and_addresses_can_be_asked_for(starter, name):
    """What lists refuse as an entry still has an answer."""
    assert starter.explain(name)["name"] == name


def test_an_explanation_names_list_line_rule_and_clause(starter):
    """An explanation says which list and line, and for each group which rule and clause at that hour."""
    found = starter.explain("V16.TikTok.com.", at=DUTY)
    assert (found["name"], found["matched"], found["service"]) == ("v16.tiktok.com", "tiktok.com", "TikTok")
    assert found["lists"][0]["list"] == "starter-social_media"
    assert found["lists"][0]["line"] > 1
    assert found["lists_version"] == starter.matcher.version
    by_group = {one["group"]: one for one in found["decisions"]}
    assert by_group["students"]["action"] == "prohibit"
    assert by_group["students"]["clause_text"] == starter.policy.clauses["S3b"]
    rule = starter.policy.rules[by_group["students"]["rule"] - 1]
    assert "social_media" in rule.categories
    assert (by_group["staff"]["action"], by_group["staff"]["when"]) == ("limit", "duty")
    assert by_group["infrastructure"]["rule"] is None
    json.dumps(found)


def test_an_explanation_follows_the_hour_and_the_group(starter):
    """The same name is judged by the hour asked about, for the group asked about alone."""
    (evening,) = starter.explain("www.youtube.com", group="students", at=EVENING)["decisions"]
    (duty,) = starter.explain("www.youtube.com", group="students", at=DUTY.astimezone(UTC))["decisions"]
    assert (duty["action"], evening["action"]) == ("limit", "allow")
    assert duty["local_time"] == "2026-11-18T10:00:00-08:00"


def test_an_explanation_agrees_with_the_rows(starter):
    """Explaining a name and classifying a row of it give the same."""
    for name in ("www.tiktok.com", "www.youtube.com", "dns.google", "nowhere.example.org"):
        for at in (DUTY, EVENING):
            (row,) = classified(starter, "flows", flow(name, at=at))
            found = starter.explain(name, group="students", at=at)
            assert (row["categories"], row["service"]) == (found["categories"], found["service"])
            assert (row["action"], row["clause"]) == tuple(
                found["decisions"][0][k] for k in ("action", "clause")
            )


def test_what_can_not_be_explained_is_said(starter):
    """An unknown group and a time without a zone are refused with the mend."""
    with pytest.raises(ValueError, match="use one of students"):
        starter.explain("a.org", group="pupils")
    with pytest.raises(ValueError, match="add one"):
        starter.explain("a.org", at=datetime(2026, 1, 1))


def test_sanctioned_names_are_allowed():
    """A name the organisation provides is allowed whatever its category's rule."""
    policy = Policy.model_validate(
        {
            **json.loads(load_policy().model_dump_json(by_alias=True)),
            "sanctioned": {"names": ["school.roblox.com"]},
        }
    )
    rows = classified(
        Classifier(policy, load_matcher()), "flows", flow("a.school.roblox.com"), flow("www.roblox.com")
    )
    assert [(row["action"], row["clause"]) for row in rows] == [("allow", "sanctioned"), ("prohibit", "S3b")]


def test_null_names_are_unlisted(starter):
    """A batch whose name column has nulls, as an older sensor may send, is classified."""
    flows = batch("flows", flow("www.tiktok.com"))
    nulls = flows.set_column(
        flows.schema.get_field_index("server_name"), "server_name", pa.nulls(1, pa.string())
    )
    (row,) = starter.classify("flows", nulls, "s").to_pylist()
    assert row["categories"] == []


TRUTH = Path(__file__).parents[2] / "spanwatch" / "data" / "demo.truth.json"


@pytest.mark.skipif(not TRUTH.exists(), reason="the bundled capture's truth is not there")
def test_the_starter_fits_the_bundled_capture(starter):
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
                found = starter.explain(name, group=group, at=at)
                assert expected["category"] in found["categories"], name
                (decision,) = found["decisions"]
                if expected.get("policy") in ("allow", "prohibit"):
                    assert decision["action"] == expected["policy"], (name, group)
                if expected["verdict"] == "blocked":
                    assert decision["action"] == "prohibit", (name, group)
                checked += 1
    assert checked > 30
