"""Equipment that nobody approved."""

from typing import Any

import pytest


def offers(scribe: Any, ip: str, mac: int = 0xBAD, number: int = 4) -> None:
    for client in range(number):
        scribe.sighting(
            client, "dhcp_offer", mac, ip, f"192.168.1.{client}", client_mac=f"02:00:00:00:00:{client:02x}",
            router=ip, dns="192.168.1.1",
        )  # fmt: skip
    scribe.sighting(9, "dhcp_ack", mac, ip, "192.168.1.2", client_mac="02:00:00:00:00:02")


def test_unlisted_dhcp_server_is_stated_with_its_counts(scribe):
    """A server that is not approved is named with offers, clients, addresses, router and DNS."""
    offers(scribe, "192.168.1.1")
    (row,) = scribe.detect("rogue_dhcp")
    assert (row["subject"], row["severity"]) == ("192.168.1.1", "high")
    assert row["inputs"] | {} == {"offers": 4, "acks": 1, "clients": 4, "others": 0}
    for fact in ("not on the list", "192.168.1.3", "router 192.168.1.1"):
        assert fact in row["statement"]


def test_refusal_hands_nothing_out(scribe):
    """A server that only refuses leases is no second server."""
    scribe.sighting(0, "dhcp_ack", 0xA, "192.168.1.1", type="nak", client_mac="02:00:00:00:00:02")
    assert scribe.detect("rogue_dhcp") == []


def test_approved_dhcp_server_is_left_alone(scribe):
    """The server on the list makes no finding."""
    offers(scribe, "10.20.0.1")
    assert scribe.detect("rogue_dhcp") == []


def test_without_a_list_only_two_servers_are_news(scribe, policy_of):
    """With no approved servers one server says nothing; a second one makes both findings."""
    policy = policy_of(approved={"dhcp": []})
    offers(scribe, "10.20.0.1", 0xA)
    assert scribe.detect("rogue_dhcp", policy=policy) == []
    offers(scribe, "192.168.1.1", 0xB)
    rows = scribe.detect("rogue_dhcp", policy=policy)
    assert "192.168.1.1" in {row["subject"] for row in rows}
    assert "no list says" in rows[-1]["statement"]


def shared(scribe: Any, ttls: list[int], client: str = "10.20.0.88", mac: int = 0x88, **values: Any) -> None:
    for number, ttl in enumerate(ttls):
        scribe.flow(
            number, client, f"203.0.113.{number}", client_mac=mac, ttl_up_min=ttl, ttl_up_max=ttl, **values
        )


@pytest.mark.parametrize(
    ("ttls", "found"), [([63, 127, 63], 1), ([63, 127], 0), ([64, 128, 64], 0), ([37, 45, 50], 0)]
)
def test_address_sharing_by_ttl(scribe, ttls, found):
    """Three flows with a TTL one below what systems send, from a MAC that is no router."""
    shared(scribe, ttls)
    findings = scribe.detect("address_sharing")
    assert [row["subject"] for row in findings] == ["10.20.0.88"] * found
    if found:
        assert "127 and 63" in findings[0]["statement"]


@pytest.mark.parametrize(("addresses", "found"), [(8, 8), (9, 0)])
def test_mac_before_many_addresses_is_a_router(scribe, addresses, found):
    """A MAC before more than eight addresses is a router, and what is behind it is not judged."""
    for number in range(addresses):
        shared(scribe, [63, 63, 63], f"10.20.5.{number}")
    assert len(scribe.detect("address_sharing")) == found


def test_approved_router_and_routed_copies_are_left_alone(scribe):
    """An approved gateway's MAC, and flows also seen before the router, are no address sharing."""
    scribe.sighting(0, "arp", 0x1, "10.20.0.1", "10.20.0.5", op="reply")
    shared(scribe, [63, 63, 63], "10.20.0.5", 0x1)
    for number in range(5):
        scribe.flow(number, "10.20.0.6", "203.0.113.1", client_mac=6, ttl_up_min=63, ttl_up_max=64)
    assert scribe.detect("address_sharing") == []


@pytest.mark.parametrize(("ttls", "found"), [([63, 63, 127, 127], 1), ([63, 63, 127], 0), ([64] * 6, 0)])
def test_mixed_systems_by_initial_ttl(scribe, ttls, found):
    """Two families of initial TTL, twice each, are several systems behind one address."""
    for number, ttl in enumerate(ttls):
        shared(scribe, [ttl], syn_signature=f"4:{ttl}:0:1460:{number % 2}")
    assert len(scribe.detect("mixed_systems")) == found
