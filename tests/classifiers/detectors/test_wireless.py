"""Equipment that nobody approved: wireless networks, as a card in monitor mode hears them."""

from typing import Any

import pytest

from classifiers.policy_model import Policy

OURS, TWIN = 0x0016_3E10_0000, 0x02AA_BB00_0001


@pytest.fixture
def wireless(policy_of) -> Policy:
    """A policy with a network of ours and one access point."""
    return policy_of(approved={"ssids": ["Harbor Staff"], "access_points": ["00:16:3e:10:00:00"]})


def beacon(
    scribe: Any, bssid: int, ssid: str = "Harbor Staff", security: str = "wpa2-enterprise", **more: Any
) -> None:
    scribe.sighting(0, "beacon", bssid, "::", ssid, **{"channel": "6", "security": security, **more})


def test_our_network_from_an_unknown_access_point(scribe, wireless):
    """One beacon with our network's name from a BSSID on no list is a finding."""
    beacon(scribe, OURS)
    beacon(scribe, TWIN, manufacturer="Wireless Works", model="W1")
    (row,) = scribe.detect("evil_twin", policy=wireless)
    assert row["subject"] == "02:aa:bb:00:00:01"
    for fact in ('"Harbor Staff"', "channel 6", "wpa2-enterprise", "Wireless Works W1"):
        assert fact in row["statement"]


@pytest.mark.parametrize("ssid", ["harbor staff", "Harbor Staff "])
def test_name_that_looks_like_ours(scribe, wireless, ssid):
    """Other capitals and spaces around look the same to a person."""
    beacon(scribe, TWIN, ssid)
    assert len(scribe.detect("evil_twin", policy=wireless)) == 1


@pytest.mark.parametrize("ssid", ["Neighbor", "", "Harbor Staff 2", "<script>alert(1)</script>"])
def test_foreign_network_alone_is_a_neighbour(scribe, wireless, ssid):
    """Networks of other names, hidden and hostile ones too, make no finding by themselves."""
    beacon(scribe, TWIN, ssid, "open")
    assert scribe.detect("evil_twin", "weak_wireless", "access_point_on_wire", policy=wireless) == []


def test_without_a_list_the_odd_maker_is_told(scribe, policy_of):
    """With our name but no list, an access point of another maker than most is named."""
    policy = policy_of(approved={"ssids": ["Harbor Staff"]})
    for number in range(3):
        beacon(scribe, OURS + number)
    assert scribe.detect("evil_twin", policy=policy) == []
    beacon(scribe, TWIN)
    (row,) = scribe.detect("evil_twin", policy=policy)
    assert (row["subject"], row["confidence"]) == ("02:aa:bb:00:00:01", 60)


@pytest.mark.parametrize("security", ["open", "wep", "wpa-psk", "wpa2-psk", "owe"])
def test_weaker_security_under_our_name(scribe, wireless, security):
    """Less than what approved access points announce is told with both."""
    beacon(scribe, OURS)
    beacon(scribe, TWIN, security=security)
    (row,) = scribe.detect("weak_wireless", policy=wireless)
    assert f"as {security} in" in row["statement"]
    assert "otherwise announce wpa2-enterprise" in row["statement"]


def test_forged_bssid_with_weaker_security(scribe, wireless):
    """An approved access point's own BSSID, announced open as well, is told."""
    beacon(scribe, OURS)
    beacon(scribe, OURS, security="open")
    assert [row["subject"] for row in scribe.detect("weak_wireless", policy=wireless)] == [
        "00:16:3e:10:00:00"
    ]


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("wpa2-psk", "wpa3-sae"),
        ("wpa2-psk,wpa3-sae", "wpa2-psk"),
        ("open", "owe"),
        ("open", "open"),
        ("wpa2-enterprise", "other"),
    ],
)
def test_bands_with_different_generations_are_alike(scribe, wireless, usual, other):
    """WPA2 on one band and WPA3 on another, and a network that is open everywhere, are left alone."""
    beacon(scribe, OURS, security=usual)
    beacon(scribe, OURS + 1, security=other)
    assert scribe.detect("weak_wireless", policy=wireless) == []


@pytest.mark.parametrize(("distance", "found"), [(0, 1), (1, 1), (16, 1), (17, 0), (-16, 1), (-17, 0)])
def test_access_point_on_the_wire(scribe, wireless, distance, found):
    """A BSSID within 16 of a MAC that speaks on the wire is stated with VLAN and distance."""
    beacon(scribe, 0x0016_3E77_0020, "Dorm Party", "wpa2-psk")
    scribe.sighting(60, "arp", 0x0016_3E77_0020 + distance, "10.20.0.9", "10.20.0.1", seen_in=20)
    rows = scribe.detect("access_point_on_wire", policy=wireless)
    assert [row["subject"] for row in rows] == ["00:16:3e:77:00:20"] * found
    if found:
        assert f"whose MAC is {abs(distance)} away" in rows[0]["statement"]
        assert "VLAN 20" in rows[0]["statement"]


def test_local_bit_of_a_second_network_is_looked_through(scribe, wireless):
    """A radio's further networks have its MAC with the bit of local administration set."""
    beacon(scribe, 0x0216_3E77_0020, "")
    scribe.sighting(60, "dhcp_request", 0x0016_3E77_0021, "::", "udhcp 1.30")
    (row,) = scribe.detect("access_point_on_wire", policy=wireless)
    assert '"(hidden)"' in row["statement"]


def test_printers_neighbours_and_our_own_access_points_are_left_alone(scribe, wireless):
    """Wi-Fi Direct, a neighbour's open network with addresses of its own, radios of our access points."""
    beacon(scribe, 0x0016_3E77_0020, "DIRECT-4F-Printer")
    scribe.sighting(60, "arp", 0x0016_3E77_0021, "10.20.0.9", "10.20.0.1")
    beacon(scribe, 0x0016_3E88_0020, "Cafe", "open")
    scribe.sighting(60, "arp", 0x0016_3E88_0021, "192.168.7.1", "192.168.7.5")
    beacon(scribe, OURS + 3, "Harbor Guests", "open")
    scribe.sighting(60, "arp", OURS, "10.20.0.7", "10.20.0.1")
    assert scribe.detect("access_point_on_wire", policy=wireless) == []
