"""What the first days of a site propose for the lists of approved equipment."""

import tomllib
from datetime import timedelta
from typing import Any

import pytest

from classifiers.proposals import LEARNING, as_toml, learning_spans, proposals
from tests.classifiers.conftest import START

DAY = 86_400
SWITCH, BOARD = 0x0016_3E00_0001, 0x0216_3E00_0099


@pytest.fixture
def lived(scribe: Any) -> Any:
    """A week in which one server hands out leases each day, and another for an hour of the last."""
    for day in range(6):
        for client in ("02:00:00:00:00:01", "02:00:00:00:00:02"):
            scribe.sighting(
                day * DAY,
                "dhcp_ack",
                SWITCH,
                "10.20.0.2",
                "10.20.1.2",
                client_mac=client,
                router="10.20.0.3",
                seen_in=20,
            )
        scribe.sighting(day * DAY, "arp", SWITCH, "10.20.0.3", "10.20.1.2", op="reply", seen_in=20)
        scribe.sighting(day * DAY, "ra", SWITCH, "fe80::3", "2001:db8::/64", lease="1800")
        scribe.sighting(day * DAY, "dhcpv6", SWITCH, "fe80::2", "2001:db8::5", type="reply")
        scribe.sighting(
            day * DAY,
            "lldp",
            SWITCH,
            "::",
            "1",
            capabilities="bridge",
            chassis="00:16:3e:00:00:aa",
            called='core "1"',
        )
        scribe.sighting(day * DAY, "lldp", 0x77, "::", "1", capabilities="bridge,telephone", called="phone")
        scribe.sighting(day * DAY, "beacon", 0x88, "::", "Harbor Staff", security="wpa2-enterprise")
        scribe.sighting(day * DAY, "beacon", 0x99, "::", "Neighbor", security="open")
    scribe.sighting(
        5 * DAY, "dhcp_offer", 0xBAD, "192.168.1.1", "192.168.1.7", client_mac="02:00:00:00:00:01"
    )
    scribe.sighting(5 * DAY, "stp", BOARD, "::", "1", bridge="32768.02:16:3e:00:00:99")
    scribe.sighting(
        9 * DAY, "dhcp_offer", 0xBAD, "192.168.9.1", "192.168.1.7", client_mac="02:00:00:00:00:01"
    )
    scribe.write()
    return scribe


def test_first_week_is_looked_at(lived):
    """The span of a site begins with its first sighting and lasts seven days."""
    assert learning_spans(lived.store) == {"demo": (START, START + LEARNING)}


def test_everything_that_acts_is_proposed_once(lived, policy_of):
    """Servers, routers with MACs, switches, access points of our networks; phones and neighbours not."""
    policy = policy_of(approved={"ssids": ["Harbor Staff"]})
    found = {(one.key, one.value) for one in proposals(lived.store, policy)}
    assert found == {
        ("dhcp", "10.20.0.2"), ("dhcp", "192.168.1.1"), ("dhcpv6", "fe80::2"), ("routers", "fe80::3"),
        ("routers", "10.20.0.3"), ("router_macs", "00:16:3e:00:00:01"), ("switches", "00:16:3e:00:00:aa"),
        ("switches", "02:16:3e:00:00:99"), ("access_points", "00:00:00:00:00:88"),
    }  # fmt: skip


def test_doubtful_ones_say_why(lived, policy_of):
    """Few days, an address outside the sites, a made-up MAC: each is a reason to look twice."""
    doubts = {one.value: one.doubts for one in proposals(lived.store, policy_of())}
    assert doubts["10.20.0.2"] == ()
    assert doubts["192.168.1.1"] == ("seen on 1 of 6 days", "outside the sites' subnets")
    assert doubts["02:16:3e:00:00:99"] == ("seen on 1 of 6 days", "the MAC is locally administered")


def test_text_is_a_table_that_can_be_used(lived, policy_of):
    """What is listed stays, what is proposed is added with its evidence, what is doubtful commented out."""
    policy = policy_of(approved={"dhcp": ["10.20.0.1"]})
    text = as_toml(proposals(lived.store, policy), policy)
    approved = tomllib.loads(text)["approved"]
    assert approved["dhcp"] == ["10.20.0.1", "10.20.0.2"]
    assert approved["switches"] == ["00:16:3e:00:00:aa"]
    assert approved["scanners"] == ["10.10.0.99/32"]
    assert '# "192.168.1.1",  # site demo' in text
    policy_of(approved=approved)


def test_nothing_is_proposed_that_is_approved(lived, policy_of):
    """What the policy lists is not proposed again."""
    policy = policy_of(approved={"dhcp": ["10.20.0.2", "192.168.1.1"]})
    assert not [one for one in proposals(lived.store, policy) if one.key == "dhcp"]


def test_another_span_can_be_asked_for(lived, policy_of):
    """Later days propose what came later."""
    found = proposals(lived.store, policy_of(), START + timedelta(days=8), START + timedelta(days=10))
    assert [(one.value, one.days, one.watched) for one in found] == [("192.168.9.1", 1, 1)]
    assert "one day was watched" in found[0].doubts


def test_empty_store_proposes_nothing(scribe, policy_of):
    """Without sightings the table has what the policy lists."""
    assert proposals(scribe.store, policy_of()) == []
    assert tomllib.loads(as_toml([], policy_of()))["approved"]["dhcp"] == ["10.20.0.1"]
