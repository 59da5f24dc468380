"""Batches of records with their meaning."""

import json
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists import taxonomy
from blocklists.build import Builder, Statement
from blocklists.lists import load_matcher
from blocklists.matcher import Source
from classifiers.classify import Classifier
from classifiers.policy import load_policy
from classifiers.policy_model import Policy
from pipeline.records import SCHEMAS, TEXTS
from tests.classifiers.rows import DUTY, EVENING, GUEST, PACIFIC, STAFF, STUDENT, batch, classified, flow, us

WORDS = pa.dictionary(pa.int16(), pa.string())
#: Columns that flows and dns gain.
ADDED = pa.schema(
    [
        ("site", WORDS), ("group", WORDS), ("device_ownership", WORDS), ("categories", TEXTS),
        ("service", WORDS), ("action", WORDS), ("clause", WORDS), ("policy_version", WORDS),
        ("verdict", WORDS), ("mechanism", WORDS), ("confidence", pa.uint8()),
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def starter():
    return Classifier(load_policy(), load_matcher())


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


def test_health_has_the_versions_in_force(starter):
    """Health rows get the versions of lists and policy, which a sensor doesn't know."""
    (row,) = classified(starter, "health", {"ts": us(DUTY), "sensor": "sensor"})
    assert (row["policy"], row["lists"]) == (starter.policy.version, starter.matcher.version)


def changed(**more):
    """The starter with other top-level keys."""
    return Policy.model_validate(load_policy().content() | more)


def test_what_is_exchanged_with_the_own_vpn_is_sanctioned():
    """A flow to an end point of the organisation's VPN is allowed, whatever its name's category."""
    classifier = Classifier(changed(sanctioned={"vpn": ["198.51.100.0/28"]}), load_matcher())
    name = "api.nordvpn.com"
    rows = classified(classifier, "flows", flow(name), flow(name, server="203.0.113.1"))
    assert [(row["action"], row["clause"]) for row in rows] == [("allow", "sanctioned"), ("prohibit", "S11")]
    (dns,) = classified(classifier, "dns", {"client": STUDENT, "qname": name, "ts": us(DUTY)})
    assert dns["action"] == "prohibit"


TAGGED = [*load_policy().content()["groups"], {"id": "carts", "minor": True, "tags": ["cart"]}]
MAC = 0x00163E000001


def test_a_device_tag_outranks_the_address():
    """The group is that of the device's tag, wherever the device is; DNS rows have the MAC of its flows."""
    classifier = Classifier(changed(groups=TAGGED, devices={"cart": ["00:16:3e:00:00:01"]}), load_matcher())
    question = {"client": STAFF, "qname": "a.org", "ts": us(DUTY)}
    (before,) = classified(classifier, "dns", question)
    flows = classified(classifier, "flows", flow("a.org", STAFF, client_mac=MAC), flow("a.org", STUDENT))
    (after,) = classified(classifier, "dns", question)
    assert [row["group"] for row in (before, *flows, after)] == ["staff", "carts", "students", "carts"]
