"""Equipment that nobody approved: an address that several systems share."""

from typing import Any

import pytest

from tests.classifiers.detectors.test_equipment import shared

HOST = "10.20.0.88"
LINUX, LINUX_PLAIN, APPLE, WINDOWS = (
    "mss,sok,ts,nop,ws", "mss,nop,nop,sok,nop,ws", "mss,nop,ws,nop,nop,ts,sok,eol+1",
    "mss,nop,ws,nop,nop,sok",
)  # fmt: skip


def connect(
    scribe: Any, *opened: tuple[int, str], client: str = HOST, mac: int = 0x88, every: float = 10
) -> None:
    """Connections with these TTLs and orders of options, one after the other."""
    for number, (ttl, layout) in enumerate(opened):
        start = 64 if ttl <= 64 else 128 if ttl <= 128 else 255
        scribe.flow(
            number * every, client, f"203.0.113.{number}", client_mac=mac, ttl_up_min=ttl, ttl_up_max=ttl,
            syn_signature=f"4:{start}:0:1460:64240,7:{layout}:df,id+:0",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("ttls", "found"), [([63, 127, 63], 1), ([63, 127], 0), ([64, 128, 64], 0), ([37, 45, 50], 0)]
)
def test_address_sharing_by_ttl(scribe, ttls, found):
    """Three flows with a TTL one below what systems send, from a MAC that is no router."""
    shared(scribe, ttls)
    findings = scribe.detect("address_sharing")
    assert [row["subject"] for row in findings] == [HOST] * found
    if found:
        assert "63 and 127" in findings[0]["statement"]


def test_systems_behind_the_hop_are_told(scribe):
    """The order of a SYN's options says which systems are behind."""
    connect(scribe, (127, WINDOWS), (127, WINDOWS), (63, APPLE), (64, LINUX))
    (row,) = scribe.detect("address_sharing")
    assert "by the form of their connections Apple and Windows" in row["statement"]


@pytest.mark.parametrize(
    "opened",
    [
        [(63, APPLE)] * 3 + [(128, WINDOWS)] * 9,
        [(127, WINDOWS)] * 3 + [(64, LINUX)] * 9,
        [(63, LINUX_PLAIN)] * 3 + [(64, LINUX)] * 9,
        [(63, LINUX)] * 8 + [(64, LINUX)] * 2,
    ],
)
def test_hotspot_beside_a_host_s_own_connections(scribe, opened):
    """A phone behind a laptop, Windows or an unknown system behind Linux, a router that hardly speaks."""
    connect(scribe, *opened)
    assert len(scribe.detect("address_sharing")) == 1


@pytest.mark.parametrize("own", [(64, LINUX), (128, WINDOWS), (64, APPLE)])
def test_containers_of_a_host_are_left_alone(scribe, own):
    """Android on ChromeOS, WSL and Docker: Linux one hop behind a system that speaks for itself."""
    connect(scribe, *[own, (63, LINUX), own, own, (63, LINUX)] * 4)
    assert scribe.detect("address_sharing", "mixed_systems") == []


@pytest.mark.parametrize(("addresses", "found"), [(8, 8), (9, 0)])
def test_mac_before_many_addresses_is_a_router(scribe, addresses, found):
    """A MAC before more than eight addresses is a router, and what is behind it is not judged."""
    for number in range(addresses):
        shared(scribe, [63, 63, 63], client=f"10.20.5.{number}")
    assert len(scribe.detect("address_sharing")) == found


def test_approved_router_and_routed_copies_are_left_alone(scribe):
    """An approved gateway's MAC, and flows also seen before the router, are no address sharing."""
    scribe.sighting(0, "arp", 0x1, "10.20.0.1", "10.20.0.5", op="reply")
    shared(scribe, [63, 63, 63], client="10.20.0.5", mac=0x1)
    for number in range(5):
        scribe.flow(number, "10.20.0.6", "203.0.113.1", client_mac=6, ttl_up_min=63, ttl_up_max=64)
    assert scribe.detect("address_sharing") == []


@pytest.mark.parametrize(
    ("opened", "found"),
    [
        ([(64, LINUX), (128, WINDOWS), (64, LINUX), (128, WINDOWS)], 1),
        ([(64, LINUX), (128, WINDOWS), (64, LINUX)], 0),
        ([(63, LINUX), (127, LINUX_PLAIN), (63, LINUX), (127, LINUX_PLAIN)], 1),
        ([(64, APPLE), (64, LINUX), (64, APPLE), (64, LINUX)], 1),
        ([(64, LINUX)] * 40, 0),
    ],
)
def test_systems_in_turn_by_p0f_s_score(scribe, opened, found):
    """More than two great changes among the last connections; a known and an unknown form score 6."""
    connect(scribe, *opened)
    rows = scribe.detect("mixed_systems")
    assert [row["subject"] for row in rows] == [HOST] * found


def test_score_and_systems_are_told(scribe):
    """The finding has the number of great changes, of connections, and the families."""
    connect(scribe, *[(64, APPLE), (128, WINDOWS)] * 3)
    (row,) = scribe.detect("mixed_systems")
    assert (row["inputs"]["jumps"], row["inputs"]["connections"]) == (5, 6)
    assert "spoke as Apple and Windows in turn" in row["statement"]


def test_options_of_some_connections_only_are_no_other_system(scribe):
    """A phone that asks for MPTCP or TCP Fast Open now and then is one system."""
    connect(
        scribe,
        *[
            (64, APPLE),
            (64, "mss,nop,ws,nop,nop,ts,?,sok,eol+3"),
            (64, APPLE),
            (64, "mss,nop,ws,nop,nop,ts,sok,?,eol+2"),
        ]
        * 5,
    )
    assert scribe.detect("mixed_systems") == []


def test_only_the_last_connections_are_scored(scribe):
    """Three changes that lie more than 32 connections back count no more."""
    connect(scribe, *[(64, LINUX), (128, WINDOWS)] * 2, *[(128, WINDOWS)] * 40, every=0.5)
    rows = scribe.detect("mixed_systems", seconds=59)
    assert rows == []


@pytest.mark.parametrize(
    "opened",
    [
        [(128, WINDOWS)] * 10 + [(64, LINUX)] * 10,
        [(64, LINUX)] * 5 + [(128, WINDOWS)] * 5 + [(64, LINUX)] * 5,
        [(64, LINUX), (255, "mss"), (64, LINUX), (44, "mss"), (64, ""), (64, LINUX)] * 3,
    ],
)
def test_dual_boot_and_scanners_are_left_alone(scribe, opened):
    """A restart changes once, back again twice; tools that make their own SYNs are no systems."""
    connect(scribe, *opened)
    assert scribe.detect("mixed_systems") == []


def test_virtual_machine_with_its_own_address_is_left_alone(scribe):
    """A bridged guest has an address of its own, whatever MAC the frames carry."""
    connect(scribe, *[(64, APPLE)] * 6)
    connect(scribe, *[(128, WINDOWS)] * 6, client="10.20.0.89")
    assert scribe.detect("mixed_systems", "address_sharing") == []


def test_small_changes_add_up(scribe):
    """Five middling changes are enough: another TTL and MSS of a form that nobody knows."""
    for number in range(6):
        ttl = 63 if number % 2 else 254
        scribe.flow(
            number, HOST, "203.0.113.1", client_mac=0x88, ttl_up_min=ttl, ttl_up_max=ttl,
            syn_signature=f"4:{ttl + 1}:0:{1400 + number}:8192,2:mss,sok,nop:df:0",
        )  # fmt: skip
    (row,) = scribe.detect("mixed_systems")
    assert (row["inputs"]["middling"], row["inputs"]["jumps"]) == (5, 0)


def test_names_tell_a_phone_behind_windows_from_its_containers(scribe):
    """A test name of Android, asked in turn with Windows' own connections, is no container's."""
    connect(scribe, *[(128, WINDOWS), (63, LINUX)] * 3)
    scribe.dns(5, HOST, "www.msftconnecttest.com")
    assert scribe.detect("mixed_systems") == []
    scribe.dns(15, HOST, "connectivitycheck.gstatic.com")
    (row,) = scribe.detect("mixed_systems")
    assert "by TCP, names" in row["statement"]


def test_tls_of_another_system_in_turn(scribe):
    """Windows' own TLS between connections of a Mac is told by TLS and TCP."""
    for number in range(4):
        scribe.flow(
            number * 20, HOST, "203.0.113.1", client_mac=0x88, ttl_up_min=64, ttl_up_max=64,
            ja4="t12d190700_d83cc789557e_1" if number % 2 else "t13d2014h2_a09f3c656075_1",
            syn_signature=f"4:64:0:1460:65535,6:{APPLE}:df,id+:0",
        )  # fmt: skip
    (row,) = scribe.detect("mixed_systems")
    assert "by TCP, TLS" in row["statement"]


def test_dhcp_that_changes_is_left_alone(scribe):
    """Starting from the network, then Windows: two DHCP requests say nothing without connections in turn."""
    scribe.sighting(0, "dhcp_request", 0x88, "::", "PXEClient:Arch:00007")
    scribe.sighting(30, "dhcp_request", 0x88, "::", "udhcp 1.30")
    scribe.sighting(60, "dhcp_request", 0x88, "::", "MSFT 5.0")
    connect(scribe, *[(128, WINDOWS)] * 9)
    assert scribe.detect("mixed_systems", "address_sharing") == []
