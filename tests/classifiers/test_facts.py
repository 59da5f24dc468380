"""What the policy says, as the detectors' SQL takes it."""

from pathlib import Path

import pytest

import blocklists
from classifiers.facts import FACT_NAMES, NOWHERE, Facts, common_names
from pipeline.records import APPLICATIONS
from tests.classifiers.conftest import make_policy

SERVICES = Path(blocklists.__file__).with_name("data") / "services.tsv"


@pytest.mark.parametrize(
    ("authority", "names"),
    [
        ("", ()),
        ("School Filter CA", ("school filter ca",)),
        ("CN=School Filter CA,O=District,C=US", ("school filter ca",)),
        ("/C=US/O=District/CN=School Filter CA", ("school filter ca",)),
        ("O=CN makers, CN = Filter", ("filter",)),
        ("9f" * 32, ()),
        (":".join(["9F"] * 32), ()),
    ],
)
def test_authority_by_its_common_name(authority, names):
    """A name, or the common name of a subject in either notation; no record holds what a digest matches."""
    assert common_names(authority) == names


def test_facts_carry_networks_as_ranges():
    """Subnets become first and last addresses in IPv6 form."""
    facts = Facts.of(make_policy())
    assert facts.inside_from[0] == "::ffff:10.0.0.0"
    assert facts.inside_to[0] == "::ffff:10.255.255.255"
    assert (facts.quota_groups, facts.quota_shares) == (("students",), (0.25,))
    assert set(facts.parameters()) == FACT_NAMES


def test_addresses_of_nobody_are_sinkholes():
    """What stands for no host or the client itself is a sinkhole without being configured."""
    facts = Facts.of(make_policy(filter={"sinkholes": ["10.10.0.80"], "block_pages": ["10.10.0.81"]}))
    assert set(facts.sinkholes) == {*NOWHERE, "::ffff:10.10.0.80", "::ffff:10.10.0.81"}


def test_side_of_the_tap_is_the_policy_s():
    """Inside of the filter unless the policy says otherwise."""
    assert Facts.of(make_policy()).tap_side == "lan"
    assert Facts.of(make_policy(filter={"tap_side": "wan"})).tap_side == "wan"


def test_quotas_by_their_kind():
    """A quota with several bounds stands in the list of each; bursts are a minute's worth unless it says."""
    quota = {
        "groups": ["students", "staff"],
        "bytes_per_day": 10,
        "bytes_per_lesson": 5,
        "mbps": 8,
        "clause": "S9a",
    }
    policy = make_policy(quotas=[quota, {"mbps": 1, "burst_megabytes": 3}], clauses={"S9a": "No disruption"})
    facts = Facts.of(policy)
    assert facts.quota_groups == ()
    assert (facts.day_quota_groups, facts.day_quota_bytes) == (("students", "staff"), (10.0, 10.0))
    assert (facts.lesson_quota_bytes, facts.lesson_quota_clauses) == ((5.0, 5.0), ("S9a", "S9a"))
    assert facts.rate_quota_groups == ("students", "staff", "*")
    assert facts.rate_quota_bursts == (60.0, 60.0, 3.0)
    assert facts.parameters()["rate_quota_categories"] == [[], [], []]


def test_usual_transfers_are_listed_ones():
    """Services of updates, backups and conferences are services that a list names, applications ours."""
    facts = Facts.of(make_policy())
    listed = {
        line.split("\t")[0] for line in SERVICES.read_text("utf-8").splitlines() if line[:1] not in "# "
    }
    assert set(facts.usual_services) <= listed
    assert set(facts.call_applications) <= set(APPLICATIONS)


def test_declared_links():
    """Sites whose link has a speed, and none else."""
    sites = [{"id": "a", "link_mbps": 250}, {"id": "b"}]
    facts = Facts.of(make_policy(sites=sites, groups=[]))
    assert (facts.link_sites, facts.link_mbps) == (("a",), (250.0,))


def test_switches_are_macs_or_names():
    """What reads as a MAC is one, anything else a name in lower case."""
    facts = Facts.of(make_policy(approved={"switches": ["00-16-3E-00-00-01", "Core-1", "0016.3e00.0002"]}))
    assert facts.switch_macs == (0x0016_3E00_0001, 0x0016_3E00_0002)
    assert facts.switch_names == ("core-1",)
