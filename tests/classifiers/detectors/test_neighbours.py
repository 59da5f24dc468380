"""Equipment that nobody approved: who claims whose address, and floods of made-up ones."""

from typing import Any

import pytest

GATEWAY, THIEF, VIRTUAL, SECOND = 0x0016_3E00_0001, 0x0016_3E00_0BAD, 0x0000_5E00_0114, 0x0016_3E00_0002


@pytest.fixture
def listed(policy_of):
    """A policy that knows the gateway's MAC."""
    return policy_of(approved={"router_macs": ["00:16:3e:00:00:01"]})


def arp(
    scribe: Any, seconds: float, mac: int, ip: str = "10.20.0.1", asks: str = "10.20.0.5", **more: Any
) -> None:
    scribe.sighting(seconds, "arp", mac, ip, asks, op="reply", **more)


def test_one_claim_of_the_gateway_s_address_is_enough(scribe, listed):
    """Where the list has the gateway's MAC, one ARP reply by another names it."""
    arp(scribe, 0, GATEWAY, seen_in=20)
    arp(scribe, 5, THIEF, seen_in=20)
    (row,) = scribe.detect("gateway_takeover", policy=listed)
    assert row["subject"] == "00:16:3e:00:0b:ad"
    for fact in ("VLAN 20", "10.20.0.1", "00:16:3e:00:00:01 says so as well"):
        assert fact in row["statement"]


def test_neighbour_advertisement_for_the_router_s_address(scribe, policy_of):
    """The same by neighbour discovery; a solicitation claims nothing."""
    policy = policy_of(approved={"routers": ["fe80::1"], "router_macs": ["00:16:3e:00:00:01"]})
    scribe.sighting(0, "ndp", GATEWAY, "fe80::1", op="advertisement")
    scribe.sighting(1, "ndp", SECOND, "fe80::1", op="solicitation")
    assert scribe.detect("gateway_takeover", policy=policy) == []
    scribe.sighting(2, "ndp", THIEF, "fe80::1", op="announcement")
    assert len(scribe.detect("gateway_takeover", policy=policy)) == 1


@pytest.mark.parametrize(("speakers", "found"), [([1, 2, 1, 2], 1), ([1, 2, 1], 0), ([1, 1, 2, 2], 0)])
def test_without_the_gateway_s_mac_both_must_speak_in_turn(scribe, speakers, found):
    """A router that takes over for another speaks after it, an impostor in between."""
    macs = {1: GATEWAY, 2: THIEF}
    for number, speaker in enumerate(speakers):
        arp(scribe, number, macs[speaker], asks=f"10.20.0.{number + 5}")
    rows = scribe.detect("gateway_takeover")
    assert [row["subject"] for row in rows] == ["00:16:3e:00:0b:ad"] * found


def test_shared_addresses_of_routers_are_left_alone(scribe, policy_of):
    """Two routers with one virtual address and MAC, each with its own besides, are no takeover."""
    policy = policy_of(approved={"routers": ["10.20.0.1", "10.20.0.2", "10.20.0.3"]})
    for number in range(4):
        arp(scribe, number * 3, VIRTUAL, asks=f"10.20.1.{number}")
        arp(scribe, number * 3 + 1, GATEWAY, "10.20.0.2", f"10.20.1.{number}")
        arp(scribe, number * 3 + 2, SECOND, "10.20.0.3", f"10.20.1.{number}")
    assert scribe.detect("gateway_takeover", "duplicate_address", policy=policy) == []


@pytest.mark.parametrize(("speakers", "found"), [("ABAB", 1), ("ABA", 0), ("AABB", 0)])
def test_address_of_two_devices(scribe, speakers, found):
    """Three changes between two MACs are a conflict; a lease that went on to another device is one change."""
    for number, speaker in enumerate(speakers):
        arp(scribe, number * 60, ord(speaker), "10.20.0.77", f"10.20.1.{number}")
    rows = scribe.detect("duplicate_address")
    assert [row["subject"] for row in rows] == ["10.20.0.77"] * found


def test_proxy_for_sleeping_devices_is_left_alone(scribe):
    """A sleep proxy answers for one device after the other, and many wake at once."""
    for number in range(9):
        for turn, mac in enumerate((0x100 + number, 0x99, 0x100 + number, 0x99)):
            arp(scribe, number * 4 + turn, mac, f"10.20.0.{number + 10}", f"10.20.1.{number}")
    assert scribe.detect("duplicate_address") == []


def discover(scribe: Any, number: int, seconds: float = 0, answered: bool = True) -> None:
    mac = 0x0200_0000_0000 + number
    scribe.sighting(seconds, "dhcp_request", mac, "0.0.0.0", type="discover", seen_in=20)
    if answered:
        told = ":".join(f"{mac:012x}"[i : i + 2] for i in range(0, 12, 2))
        scribe.sighting(seconds + 0.1, "dhcp_offer", 1, "10.20.0.1", "10.20.5.1", client_mac=told, seen_in=20)


@pytest.mark.parametrize(("number", "found"), [(100, 1), (99, 0)])
def test_leases_used_up(scribe, number, found):
    """A hundred MACs that are offered an address and say nothing else are one finding about the site."""
    for client in range(number):
        discover(scribe, client)
    rows = scribe.detect("dhcp_starvation")
    assert [(row["subject_kind"], row["subject"]) for row in rows] == [("site", "demo")] * found


def test_return_of_power_is_no_starvation(scribe):
    """Everybody asks at once, and then speaks; or nobody answers, and everybody keeps asking."""
    for client in range(150):
        discover(scribe, client)
        arp(scribe, 2, 0x0200_0000_0000 + client, f"10.20.6.{client}", "10.20.0.1")
        discover(scribe, 1_000 + client, answered=False)
    assert scribe.detect("dhcp_starvation") == []


@pytest.mark.parametrize(("number", "found"), [(1_000, 1), (999, 0)])
def test_flood_of_made_up_macs(scribe, number, found):
    """A thousand MACs of one packet each in a minute are one finding about the site."""
    for sender in range(number):
        scribe.failed(
            sender / 1_000,
            f"10.21.{sender // 250}.{sender % 250}",
            "203.0.113.1",
            client_mac=0x0200_0000_0000 + sender,
        )
    rows = scribe.detect("mac_flood", seconds=60)
    assert [row["subject_kind"] for row in rows] == ["site"] * found


def test_many_devices_are_no_flood(scribe):
    """A thousand devices with answered connections, or with several each, are left alone."""
    for sender in range(1_000):
        scribe.flow(sender / 1_000, "10.20.0.5", "203.0.113.1", client_mac=0x0016_0000_0000 + sender)
        for turn in (0, 1):
            scribe.failed(turn, "10.20.0.5", "203.0.113.1", client_mac=0x0216_0000_0000 + sender)
    assert scribe.detect("mac_flood", seconds=60) == []
