"""Scanning: who asks many for nothing."""

from typing import Any

import pytest

VICTIM = "10.10.0.{}"
HOST = "10.20.0.66"


def sweep(scribe: Any, hosts: int, client: str = HOST, start: float = 0.0, **values: Any) -> None:
    """`hosts` silent addresses tried on one port that were heard of before."""
    for number in range(hosts):
        scribe.failed(start + number * 0.1, client, VICTIM.format(number), **values)


def known(scribe: Any, hosts: int) -> None:
    """Those addresses have answered somebody half an hour before."""
    for number in range(hosts):
        scribe.flow(-1_800, "10.30.0.1", VICTIM.format(number))


@pytest.mark.parametrize(("pairs", "found"), [(49, 0), (50, 1)])
def test_address_scan_inside_needs_fifty_pairs(scribe, pairs, found):
    """Fifty failed pairs of a host inside are an address scan, forty-nine are not."""
    known(scribe, pairs)
    sweep(scribe, pairs)
    findings = scribe.detect("address_scan")
    assert len(findings) == found
    if found:
        row = findings[0]
        assert (row["subject"], row["class"], row["inputs"]["pairs"]) == (HOST, "scanning", 50)
        assert row["inputs"]["ports"] == 1
        assert row["thresholds"]["inside_pairs"] == 50
        assert "50 pairs" in row["statement"]
        assert "445" in row["statement"]
        assert 1 <= len(row["samples"]) <= 10


@pytest.mark.parametrize(("pairs", "found"), [(24, 0), (25, 1)])
def test_address_scan_from_outside_needs_twenty_five(scribe, pairs, found):
    """From outside the sites half as many are enough."""
    known(scribe, pairs)
    sweep(scribe, pairs, "203.0.113.5")
    assert len(scribe.detect("address_scan")) == found


@pytest.mark.parametrize(("silent", "found"), [(2, 0), (3, 1)])
def test_never_used_addresses_lower_the_threshold(scribe, silent, found):
    """Ten pairs are enough when three of the addresses were never heard of."""
    known(scribe, 10 - silent)
    sweep(scribe, 10)
    findings = scribe.detect("address_scan")
    assert len(findings) == found
    if found:
        assert findings[0]["inputs"]["unused"] == 3


def test_exempt_scanner_is_left_alone(scribe):
    """Machines that IT scans from make no finding."""
    sweep(scribe, 60, "10.10.0.99")
    for port in range(100):
        scribe.failed(port, "10.10.0.99", VICTIM.format(1), port)
    assert scribe.detect("address_scan", "port_scan") == []


def test_outage_is_not_ten_scanners(scribe):
    """Ten hosts failing together are one finding about the site."""
    known(scribe, 60)
    for source in range(12):
        sweep(scribe, 60, f"10.20.1.{source}")
    findings = scribe.detect("address_scan")
    assert [(row["subject_kind"], row["inputs"]["sources"]) for row in findings] == [("site", 12)]
    assert "outage" in findings[0]["statement"]


def test_names_followed_into_a_dead_network_are_no_scan(scribe):
    """Failed connections to names that the client had just resolved are not counted."""
    for number in range(80):
        scribe.failed(number, HOST, f"203.0.113.{number}", 443, server_name="a.example", name_source="dns")
    assert scribe.detect("address_scan") == []


@pytest.mark.parametrize(("application", "found"), [("ethereum", []), ("snmp", ["address_scan", "udp_scan"])])
def test_peers_that_are_gone_are_no_scan(scribe, application, found):
    """A program that looks for its peers asks many hosts in vain; its messages tell it from a scan."""
    for number in range(110):
        scribe.failed(
            number, HOST, f"203.0.113.{number}", 30_303, protocol=17, application=application, flags_up=0
        )
        scribe.failed(
            number, HOST, "198.51.100.1", 30_303 + number, protocol=17, application=application, flags_up=0
        )
    names = [row["detector"] for row in scribe.detect("address_scan", "udp_scan")]
    assert names == found


def test_ping_sweep_counts_half(scribe):
    """Echo requests without an answer weigh one half each."""
    known(scribe, 110)
    for number in range(98):
        scribe.failed(
            number * 0.1, HOST, VICTIM.format(number), 0, protocol=1, client_port=8, application="icmp"
        )
    assert scribe.detect("address_scan") == []
    for number in range(98, 100):
        scribe.failed(10, HOST, VICTIM.format(number), 0, protocol=1, client_port=8, application="icmp")
    assert scribe.detect("address_scan")[0]["inputs"]["pairs"] == 50


@pytest.mark.parametrize(("ports", "found"), [(49, 0), (50, 1)])
def test_port_scan_of_one_host(scribe, ports, found):
    """Fifty refused ports of one host are a port scan, and no address scan."""
    for port in range(ports):
        scribe.failed(port * 0.1, HOST, VICTIM.format(53), 1_000 + port, state="REJ", packets_down=1)
    findings = scribe.detect("address_scan", "port_scan")
    assert [row["detector"] for row in findings] == ["port_scan"] * found
    if found:
        assert "10.10.0.53" in findings[0]["statement"]


def test_many_dead_peers_on_many_ports_are_no_scan(scribe):
    """A peer-to-peer client's dead peers, each on a port of its own, are not a grid."""
    for number in range(120):
        scribe.failed(number, HOST, f"203.0.113.{number}", 20_000 + number)
    assert scribe.detect("address_scan", "port_scan") == []


def test_address_and_port_scans_of_one_host_are_both_named(scribe):
    """A host that first sweeps addresses and then ports is named for each, with its own counts."""
    sweep(scribe, 60)
    for port in range(200):
        scribe.failed(120 + port * 0.1, HOST, VICTIM.format(200), 1_000 + port, state="REJ", packets_down=1)
    found = {row["detector"]: row["inputs"]["pairs"] for row in scribe.detect("address_scan", "port_scan")}
    assert found == {"address_scan": 60, "port_scan": 200}


def test_closing_rows_of_answered_flows_are_no_failures(scribe):
    """A flow's last row may hold no packets; it is no unanswered question."""
    for number in range(120):
        scribe.flow(number, HOST, f"203.0.113.{number}", 5_000, protocol=17, packets_up=0, packets_down=0)
        scribe.flow(number, HOST, "203.0.113.1", 5_000 + number, protocol=17, packets_up=1, packets_down=0)
    assert scribe.detect("address_scan", "udp_scan") == []


def test_grid_is_a_port_scan(scribe):
    """Ten ports at ten hosts are a scan of a grid."""
    for number in range(100):
        scribe.failed(number * 0.1, HOST, VICTIM.format(number // 10), 20 + number % 10)
    assert [row["detector"] for row in scribe.detect("address_scan", "port_scan")] == ["port_scan"]


@pytest.mark.parametrize(("ports", "refused", "found"), [(15, 3, 1), (14, 3, 0), (15, 2, 0), (50, 0, 1)])
def test_udp_scan_needs_refusals_or_many_ports(scribe, ports, refused, found):
    """Fifteen silent UDP ports with three unreachable messages, or fifty silent ones."""
    for port in range(ports):
        scribe.failed(port, HOST, VICTIM.format(80), 100 + port, protocol=17, flags_up=0)
    if refused:
        scribe.flow(
            5, VICTIM.format(80), HOST, 3, protocol=1, client_port=3, packets_up=refused, packets_down=0
        )
    findings = scribe.detect("udp_scan")
    assert [row["subject"] for row in findings] == [HOST] * found


def test_traceroute_is_no_udp_scan(scribe):
    """The ports that traceroute counts through are left out."""
    for port in range(60):
        scribe.failed(port, HOST, "203.0.113.1", 33_434 + port, protocol=17)
    assert scribe.detect("udp_scan") == []


@pytest.mark.parametrize(
    ("flags", "kind"), [(0, "NULL"), (1, "FIN"), (0x29, "XMAS"), (3, "SYN+FIN"), (0x12, ""), (0x1B, "")]
)
def test_stealth_scan_by_flags(scribe, flags, kind):
    """Five targets of segments that begin no connection are a stealth scan; ordinary flags are not."""
    for number in range(5):
        scribe.failed(number, HOST, VICTIM.format(1), 20 + number, flags_up=flags, state="OTH")
    findings = scribe.detect("stealth_scan")
    assert len(findings) == (1 if kind else 0)
    if kind:
        assert kind in findings[0]["statement"]


def test_stealth_scan_needs_five_targets_in_a_minute(scribe):
    """Four targets, or five spread over more than a minute, stay silent."""
    for number in range(5):
        scribe.failed(number * 20, HOST, VICTIM.format(1), 20 + number, flags_up=0)
    assert scribe.detect("stealth_scan") == []


def arp(scribe: Any, targets: int, ip: str = HOST, mac: int = 0x66) -> None:
    for number in range(targets):
        scribe.sighting(number * 0.1, "arp", mac, ip, f"10.20.3.{number}", op="request")


@pytest.mark.parametrize(("targets", "found"), [(29, 0), (30, 1)])
def test_neighbour_sweep_needs_thirty_silent_targets(scribe, targets, found):
    """Thirty neighbours that don't answer within a minute are a sweep; one that answers isn't counted."""
    arp(scribe, targets + 1)
    scribe.sighting(3, "arp", 0x99, "10.20.3.0", HOST, op="reply")
    findings = scribe.detect("arp_scan")
    assert [row["subject"] for row in findings] == [HOST] * found
    if found:
        assert "00:00:00:00:00:66" in findings[0]["statement"].lower()


def test_router_looking_for_neighbours_is_no_sweep(scribe):
    """An approved router asks for whoever somebody outside looks for."""
    arp(scribe, 60, "10.20.0.1")
    assert scribe.detect("arp_scan") == []
