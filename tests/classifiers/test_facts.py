"""What the policy says, as the detectors' SQL takes it."""

import pytest

from classifiers.facts import FACT_NAMES, NOWHERE, Facts, common_names
from tests.classifiers.conftest import make_policy


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
