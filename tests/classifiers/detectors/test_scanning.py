"""Scanning: who asks many for nothing."""

from typing import Any

import pytest

from tests.classifiers.conftest import make_policy

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


@pytest.mark.parametrize(("protocols", "refused", "found"), [(7, 5, 0), (8, 0, 1), (40, 3, 1)])
def test_protocol_scan_needs_eight_protocols_of_one_host(scribe, protocols, refused, found):
    """Eight IP protocols at one host are a scan; messages that it has none are told, and make none."""
    for number in range(protocols):
        scribe.failed(number, HOST, VICTIM.format(80), 0, protocol=100 + number, state="OTH", flags_up=0)
    if refused:
        told = {"protocol": 1, "client_port": 3, "packets_up": refused, "packets_down": 0}
        scribe.flow(5, VICTIM.format(80), HOST, 2, **told)
    findings = scribe.detect("protocol_scan")
    assert [(row["subject"], row["inputs"]) for row in findings] == [
        (HOST, {"tried": protocols, "refused": refused})
    ] * found
    for row in findings:
        assert f"{protocols} protocols of IP" in row["statement"]
        assert VICTIM.format(80) in row["statement"]


def test_routers_and_tunnels_are_no_protocol_scan(scribe):
    """What routers and end points of tunnels speak to many others, a few protocols to each, is no scan."""
    for peer in range(30):
        for protocol in (2, 41, 47, 50, 51, 89, 103):
            scribe.flow(peer, HOST, VICTIM.format(peer), 0, protocol=protocol, state="OTH")
    assert scribe.detect("protocol_scan") == []


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


def test_router_without_approval_is_told_by_its_addresses(scribe):
    """A MAC with more than eight addresses behind it forwards, and looks for whoever is asked for."""
    arp(scribe, 60)
    for number in range(9):
        scribe.flow(number, f"10.30.0.{number}", "10.20.3.1", client_mac=0x66)
    assert scribe.detect("arp_scan") == []


def test_neighbours_that_are_off_are_no_sweep(scribe):
    """A server that looks for forty computers which were on the day before is left alone."""
    for number in range(40):
        scribe.flow(-80_000, f"10.20.3.{number}", "203.0.113.1", client_mac=0x1000 + number)
    arp(scribe, 40)
    assert scribe.detect("arp_scan") == []


def solicit(scribe: Any, targets: int, every: float = 1.0, ip: str = "fd00::66") -> None:
    for number in range(targets):
        scribe.sighting(number * every, "ndp", 0x66, ip, f"fd00::{number + 0x100:x}", op="solicitation")


@pytest.mark.parametrize(("targets", "found"), [(49, 0), (50, 1)])
def test_neighbour_sweep_over_ipv6_needs_fifty(scribe, targets, found):
    """Fifty solicitations without an answer in five minutes are a sweep; an answered one isn't counted."""
    solicit(scribe, targets + 1)
    scribe.sighting(3, "ndp", 0x99, "fd00::100", op="advertisement")
    findings = scribe.detect("ndp_scan")
    assert [(row["subject"], row["inputs"]["tried"]) for row in findings] == [("fd00::66", 50)] * found


def test_router_looking_for_neighbours_over_ipv6_is_no_sweep(scribe):
    """Whoever advertises itself as a router asks for whoever somebody outside looks for."""
    solicit(scribe, 80, ip="fe80::1")
    scribe.sighting(0, "ra", 0x66, "fe80::1", "fd00::/64")
    assert scribe.detect("ndp_scan") == []


@pytest.mark.parametrize(("answers", "found"), [(2, 0), (3, 1)])
def test_echo_to_all_nodes_with_answers_is_told(scribe, answers, found):
    """Who asks all nodes at once and gets three answers has listed its neighbours."""
    echo = {"protocol": 58, "client_port": 128, "state": "OTH", "client_mac": 0x66, "flags_up": 0}
    scribe.flow(1, "fd00::66", "ff02::1", 129, packets_down=0, **echo)
    for number in range(answers):
        scribe.flow(1.1, "fd00::66", f"fd00::{number + 1}", 129, packets_up=0, **{**echo, "client_mac": 0})
    findings = scribe.detect("ndp_scan")
    assert [row["inputs"]["tried"] for row in findings] == [answers] * found
    if found:
        assert (
            "00:66) asked all IPv6 neighbours at once, by an echo request to ff02::1"
            in findings[0]["statement"]
        )


def test_answers_without_a_question_to_all_are_no_sweep(scribe):
    """Echo replies whose questions the mirror lost are not taken for a question to all."""
    for number in range(40):
        scribe.flow(
            number, "fd00::66", f"fd00::{number + 1}", 129, protocol=58, client_port=128, packets_up=0
        )
    assert scribe.detect("ndp_scan") == []


@pytest.mark.parametrize("flags", [0x10, 0x11])
@pytest.mark.parametrize(("ports", "found"), [(19, 0), (20, 1)])
def test_lone_acknowledgements_to_many_ports_are_a_stealth_scan(scribe, flags, ports, found):
    """Twenty low ports of one host that get an ACK out of nothing are an ACK or Maimon scan."""
    for port in range(ports):
        scribe.failed(port, HOST, VICTIM.format(1), 20 + port, flags_up=flags, flags_down=4, state="RSTRH",
                      packets_down=1)  # fmt: skip
    findings = scribe.detect("stealth_scan")
    assert [row["subject"] for row in findings] == [HOST] * found
    if found:
        assert "20 ports below 1024 of 10.10.0.1" in findings[0]["statement"]


def test_connections_that_outlived_a_pause_are_no_stealth_scan(scribe):
    """ACKs of a hundred old connections to web servers, reset because nobody knows them, stay silent."""
    for number in range(100):
        scribe.failed(number * 0.1, HOST, f"203.0.113.{number}", 443, flags_up=0x10, flags_down=4,
                      state="RSTRH", packets_down=1)  # fmt: skip
        scribe.failed(number * 0.1, HOST, "203.0.113.1", 443, flags_up=0x11, flags_down=4,
                      state="RSTRH", packets_down=1, client_port=40_000 + number)  # fmt: skip
    assert scribe.detect("stealth_scan") == []


def met(scribe: Any, client: str, outcomes: str, start: float = 0.0) -> None:
    """First contacts, a second apart: `x` in vain, `o` answered."""
    for number, outcome in enumerate(outcomes):
        server = f"10.{11 + number // 200}.7.{number % 200}"
        if outcome == "x":
            scribe.failed(start + number, client, server)
        else:
            scribe.flow(start + number, client, server, payload_up=100, payload_down=100)


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [("xxx", 0), ("xxxx", 1), ("xoxoxoxo", 0), ("oooooxxxx", 1), ("xxxoxx", 1), ("xxxox", 0), ("xxoxxo", 0)],
)
def test_random_walk_passes_ninety_nine(scribe, outcomes, found):
    """A factor of four for each failure, a quarter for each success, never below even: past 99 it is told."""
    met(scribe, "203.0.113.5", outcomes)
    findings = scribe.detect("random_walk")
    assert [row["subject"] for row in findings] == ["203.0.113.5"] * found
    if found:
        assert "reached 256 to 1, past 99" in findings[0]["statement"]


@pytest.mark.parametrize(("failures", "found"), [(24, 0), (25, 1)])
def test_random_walk_inside_needs_twenty_five_failures(scribe, failures, found):
    """A host inside needs 25 first contacts in vain besides the odds."""
    met(scribe, HOST, "x" * failures)
    findings = scribe.detect("random_walk")
    assert [row["inputs"]["failures"] for row in findings] == [25] * found


def test_only_first_contacts_count_for_the_walk(scribe):
    """A host that failed, or answered, before is no first contact, and asking it again counts nothing."""
    for number in range(60):
        scribe.flow(-7_200, HOST, f"10.11.7.{number}", payload_up=10, payload_down=10)
        scribe.failed(number, HOST, f"10.11.7.{number}")
        scribe.failed(number * 2, HOST, "10.12.0.1", 1_000 + number)
    assert scribe.detect("random_walk") == []


def test_busy_server_with_some_dead_clients_is_no_walk(scribe):
    """A server that meets forty hosts in vain among two hundred that answer is left alone."""
    met(scribe, HOST, "ooooox" * 40)
    assert scribe.detect("random_walk") == []


def test_walks_of_ten_hosts_together_are_an_outage(scribe):
    """Ten hosts past the alarm at once are one finding about the site."""
    for number in range(10):
        met(scribe, f"10.20.1.{number}", "x" * 30)
    findings = scribe.detect("random_walk")
    assert [(row["subject_kind"], row["inputs"]["sources"]) for row in findings] == [("site", 10)]


def slow(scribe: Any, pairs: int, hours: int, client: str = HOST, answered: int = 0) -> None:
    """Pairs tried in vain, spread over so many hours, and some that answered."""
    for number in range(pairs):
        scribe.failed(3_600 * (number * hours // pairs), client, f"10.11.7.{number}", 22)
    for number in range(answered):
        scribe.flow(3_600 * (number * hours // answered), client, f"10.12.7.{number}", payload_down=10)


@pytest.mark.parametrize(
    ("pairs", "hours", "answered", "found"),
    [(49, 10, 0, 0), (50, 10, 0, 1), (50, 3, 0, 0), (50, 4, 0, 1), (50, 10, 50, 1), (50, 10, 51, 0)],
)
def test_slow_scan_by_the_day(scribe, pairs, hours, answered, found):
    """Fifty pairs in vain a day, in four hours of it, at least half of all that was tried."""
    slow(scribe, pairs, hours, answered=answered)
    findings = scribe.detect("slow_scan", seconds=12 * 3_600)
    assert [row["subject"] for row in findings] == [HOST] * found
    if found:
        assert findings[0]["inputs"]["pairs"] == 50


@pytest.mark.parametrize(("answered", "found"), [(60, 1), (61, 0)])
def test_what_answered_in_a_quiet_hour_counts_too(scribe, answered, found):
    """The share is of all that was tried in a day, also in hours in which nothing failed."""
    for number in range(answered):
        scribe.flow(number, HOST, f"10.12.7.{number}", payload_down=10)
    for number in range(60):
        scribe.failed(3_600 * (2 + number // 12), HOST, f"10.11.7.{number}", 22)
    findings = scribe.detect("slow_scan", seconds=12 * 3_600)
    assert [row["inputs"]["ratio"] for row in findings] == [0.5] * found
    assert [row["inputs"]["hours"] for row in findings] == [5] * found


def test_slow_scan_is_not_summed_over_more_than_a_day(scribe):
    """Fifty pairs in two days stay silent."""
    slow(scribe, 50, 48)
    assert scribe.detect("slow_scan", seconds=49 * 3_600) == []


@pytest.mark.parametrize(("flags", "found"), [(0x06, 1), (0x16, 1), (0x1A, 0)])
def test_open_hosts_left_without_a_word_are_a_scan(scribe, flags, found):
    """Sixty inside hosts that answer, and are reset before a byte, were only asked whether they are there."""
    known(scribe, 60)
    payload = 0 if found else 100
    for number in range(60):
        scribe.flow(number * 0.1, HOST, VICTIM.format(number), 445, state="RSTO", flags_up=flags,
                    payload_up=payload, payload_down=payload)  # fmt: skip
    assert len(scribe.detect("address_scan")) == found


def test_scan_during_an_outage_is_named(scribe):
    """A host with five times the failures of the others is named beside the outage."""
    known(scribe, 60)
    for source in range(12):
        sweep(scribe, 60, f"10.20.1.{source}")
    for number in range(400):
        scribe.failed(number * 0.1, HOST, f"10.11.{number // 200}.{number % 200}")
    found = {row["subject"]: row["inputs"]["pairs"] for row in scribe.detect("address_scan")}
    assert found == {"demo": 60, HOST: 400}


def test_refusals_by_icmp_make_udp_whole(scribe):
    """UDP that nobody answers weighs one half, with a message that it can't be reached one."""
    known(scribe, 60)
    for number in range(50):
        scribe.failed(
            number * 0.1, HOST, VICTIM.format(number), 161, protocol=17, flags_up=0, application="snmp"
        )
    assert scribe.detect("address_scan") == []
    for number in range(50):
        scribe.flow(number * 0.1, VICTIM.format(number), HOST, 3, protocol=1, client_port=3, packets_up=1,
                    packets_down=0)  # fmt: skip
    assert scribe.detect("address_scan")[0]["inputs"]["pairs"] == 50


def test_scan_over_ipv6_is_found(scribe):
    """Addresses of IPv6 count like those of IPv4."""
    for number in range(60):
        scribe.failed(number, "fd00::66", f"fd00:1::{number:x}", 22)
        scribe.failed(number, "fd00::66", "fd00:2::1", 1_000 + number)
    found = {row["detector"]: row["inputs"]["pairs"] for row in scribe.detect("address_scan", "port_scan")}
    assert found == {"address_scan": 60, "port_scan": 60}


def test_a_million_targets_are_counted_in_part(scribe):
    """Past the bound a part of the pairs is counted, far past every threshold all the same."""
    policy = make_policy(thresholds={"address_scan": {"pairs_most": 200}, "port_scan": {"pairs_most": 200}})
    for number in range(1_000):
        scribe.failed(number * 0.01, HOST, f"10.11.{number // 200}.{number % 200}")
        scribe.failed(number * 0.01, "10.20.0.67", VICTIM.format(1), 1_000 + number)
    findings = {row["detector"]: row["inputs"] for row in scribe.detect(*SCANS, policy=policy)}
    assert 100 < findings["address_scan"]["pairs"] < 300
    assert 100 < findings["port_scan"]["pairs"] < 300


SCANS = (
    "address_scan",
    "port_scan",
    "random_walk",
    "slow_scan",
    "stealth_scan",
    "udp_scan",
    "protocol_scan",
    "arp_scan",
    "ndp_scan",
)


def test_lossy_mirror_marks_scans_inconclusive(scribe):
    """A scan seen by a mirror that lost frames is told, and marked."""
    sweep(scribe, 80)
    scribe.health(0, 900, 100)
    assert [row["inconclusive"] for row in scribe.detect("address_scan")] == [True]


def test_flood_from_forged_sources_is_no_scan(scribe):
    """SYNs, answers and resets from thousands of sources to one host name nobody."""
    for number in range(2_000):
        source = f"198.{18 + number // 1_000}.{number // 250 % 4}.{number % 250}"
        scribe.failed(number * 0.01, source, "10.20.0.20", 80)
        # Backscatter: answers to forged SYNs, and our host's resets.
        scribe.flow(
            number * 0.01, "10.20.0.20", source, 80, state="RSTRH", packets_up=1, flags_up=4, flags_down=0x12
        )
    assert scribe.detect(*SCANS) == []


def test_mirror_of_one_direction_makes_no_scan(scribe):
    """Connections whose answers go another way have an ACK of the client, and did not fail."""
    for number in range(200):
        scribe.failed(
            number * 0.1, HOST, f"203.0.113.{number}", 443, flags_up=0x1A, packets_up=9, payload_up=900
        )
    assert scribe.detect(*SCANS) == []


def monitoring(scribe: Any) -> None:
    """Every minute an echo request to a hundred hosts and a look at their port 22; eight are off."""
    for minute in range(15):
        for number in range(100):
            dead = number < 8
            scribe.flow(60 * minute + number / 10, HOST, VICTIM.format(number), 0, protocol=1, client_port=8,
                        packets_down=0 if dead else 1, state="OTH", flags_up=0)  # fmt: skip
            if not dead:
                scribe.flow(60 * minute + number / 10, HOST, VICTIM.format(number), 22, payload_down=40)


def polling(scribe: Any, rounds: int, client: str = HOST) -> None:
    """Every 90 s: ping, SNMP and a connection without a word to 126 hosts inside, of which six are off."""
    for turn in range(rounds):
        for number in range(126):
            seconds, host, dead = 90 * turn + number / 10, VICTIM.format(number), number >= 120
            up = {"packets_down": 0 if dead else 1, "state": "S0" if dead else "SF", "flags_up": 0}
            scribe.flow(
                seconds, client, host, 0, protocol=1, client_port=8, payload_down=0 if dead else 56, **up
            )
            scribe.flow(seconds, client, host, 161, protocol=17, payload_down=0 if dead else 90,
                        application="snmp", **up)  # fmt: skip
            if dead:
                scribe.failed(seconds, client, host, 80)
            else:
                scribe.flow(seconds, client, host, 80, state="SF")


def polls(scribe: Any) -> None:
    """A monitoring server that began today."""
    polling(scribe, 9)


def leases(scribe: Any) -> None:
    """A router that no list names asks for each address before it offers it (RFC 2131, 4.4.1)."""
    for number in range(150):
        address = VICTIM.format(number)
        scribe.failed(
            6 * number, "10.30.0.1", address, 0, protocol=1, client_port=8, application="icmp", flags_up=0
        )
        scribe.sighting(6 * number + 3, "dhcp_offer", 0x30, "10.30.0.1", address, client_mac=f"{number}")


def printers(scribe: Any) -> None:
    """A Windows host looks for twelve printers that are off, on three ports, every five minutes."""
    for turn in range(3):
        for number in range(12):
            for port, protocol in ((9_100, 6), (161, 17), (631, 6)):
                scribe.failed(300 * turn + number, HOST, f"10.20.9.{number}", port, protocol=protocol,
                              flags_up=2 if protocol == 6 else 0)  # fmt: skip


def peers(scribe: Any) -> None:
    """A BitTorrent client with three hundred dead peers, half of them on the port of the program."""
    scribe.flow(0, HOST, "203.0.113.200", 51_413, protocol=17, application="bittorrent", payload_down=300)
    for number in range(300):
        port = 6_881 if number % 2 else 10_000 + number
        scribe.failed(number, HOST, f"198.51.{number // 200}.{number % 200}", port)
        scribe.failed(number, HOST, f"198.51.{number // 200}.{number % 200}", port, protocol=17, flags_up=0,
                      application="bittorrent")  # fmt: skip


def dead_sites(scribe: Any) -> None:
    """A browser whose hundred tabs lead to servers that are gone."""
    for number in range(100):
        for _ in range(3):
            scribe.failed(number, HOST, f"203.0.113.{number}", 443, server_name=f"s{number}.example",
                          name_source="dns")  # fmt: skip


def clocks(scribe: Any) -> None:
    """A host that asks two hundred servers of a pool for the time, of which most are silent."""
    for number in range(200):
        scribe.failed(number, HOST, f"203.0.113.{number}", 123, protocol=17, application="ntp", flags_up=0)


def resolver(scribe: Any) -> None:
    """A resolver whose three hundred name servers outside don't answer, among a thousand that do."""
    for number in range(1_300):
        server = f"198.{18 + number // 1_000}.{number // 250 % 4}.{number % 250}"
        told = {"protocol": 17, "application": "dns", "flags_up": 0}
        if number % 4 == 0:
            scribe.failed(number / 2, HOST, server, 53, **told)
        else:
            scribe.flow(number / 2, HOST, server, 53, payload_up=40, payload_down=90, **told)


def backups(scribe: Any) -> None:
    """A backup server asks for two hundred clients that answered the night before, and are off now."""
    for number in range(200):
        scribe.flow(-80_000 + number, HOST, f"10.20.7.{number}", 9_102, payload_up=900, payload_down=90_000)
        scribe.failed(number, HOST, f"10.20.7.{number}", 9_102)


def power_returns(scribe: Any) -> None:
    """Two hundred hosts start at once and ask for ten servers that are not up yet."""
    for host in range(200):
        for number in range(10):
            scribe.failed(host / 10 + number, f"10.20.5.{host}", VICTIM.format(number), 445)


def many_tabs(scribe: Any) -> None:
    """A browser with two hundred connections to servers without a known name, some opened for nothing."""
    for number in range(200):
        empty = number % 3 == 0
        scribe.flow(number / 10, HOST, f"203.0.113.{number}", payload_up=0 if empty else 900,
                    payload_down=0 if empty else 9_000)  # fmt: skip


@pytest.mark.parametrize(
    "neighbour",
    [
        monitoring,
        polls,
        leases,
        printers,
        peers,
        dead_sites,
        clocks,
        resolver,
        backups,
        power_returns,
        many_tabs,
    ],
)
def test_daily_life_is_no_scan(scribe, neighbour):
    """What programs do by themselves in a school makes no finding of any scan."""
    neighbour(scribe)
    assert [(row["detector"], row["statement"]) for row in scribe.detect(*SCANS)] == []


@pytest.mark.parametrize("rounds", [1, 2])
def test_hosts_that_all_answer_a_sweep_are_found_by_it(scribe, rounds):
    """A sweep of hosts that nearly all answer, made once or again at once, is a scan and no monitoring."""
    known(scribe, 126)
    for turn in range(rounds):
        for number in range(126):
            scribe.flow(60 * turn + number / 10, HOST, VICTIM.format(number), 80, state="SF")
    assert [row["inputs"]["pairs"] for row in scribe.detect("address_scan")] == [126]


def test_monitoring_that_scans_besides_is_found(scribe):
    """Who watches over a hundred hosts on three ports, and sweeps another port, is named for that one."""
    polling(scribe, 4)
    sweep(scribe, 60, start=200, port=3_389)
    assert [(row["subject"], row["inputs"]["pairs"]) for row in scribe.detect("address_scan")] == [(HOST, 60)]


@pytest.mark.parametrize(("client", "found"), [("10.30.0.1", 0), ("10.20.0.1", 0), (HOST, 1)])
def test_servers_of_dhcp_look_before_they_offer(scribe, client, found):
    """Echo requests of a whole day by who gives leases or is an approved router are no slow scan."""
    for number in range(60):
        seconds = 3_600 * (number % 8) + number
        scribe.failed(seconds, client, VICTIM.format(number), 0, protocol=1, client_port=8, flags_up=0)
    scribe.sighting(30, "dhcp_offer", 0x30, "10.30.0.1", VICTIM.format(1))
    assert len(scribe.detect("slow_scan", seconds=9 * 3_600)) == found


def test_another_site_with_the_same_addresses_excuses_nobody(scribe):
    """Leases, sharing and hosts that are in use at another school say nothing of a scan at this one."""
    scribe.sighting(0, "dhcp_offer", 0x66, HOST, VICTIM.format(1), site="annex")
    scribe.flow(0, HOST, "203.0.113.200", 51_413, site="annex", protocol=17, application="bittorrent")
    for number in range(60):
        scribe.flow(-1_800, "10.30.0.1", VICTIM.format(number), site="annex")
        ping = {"protocol": 1, "client_port": 8, "flags_up": 0}
        scribe.failed(number / 10, HOST, VICTIM.format(number), 0, **ping)
        scribe.failed(100 + number / 10, HOST, f"203.0.113.{number}", 8_080)
        scribe.failed(3_600 * (number % 8) + number, "10.20.0.67", VICTIM.format(number), 0, **ping)
    scribe.sighting(0, "dhcp_offer", 0x67, "10.20.0.67", VICTIM.format(1), site="annex")
    found = scribe.detect("address_scan", "random_walk", "slow_scan", seconds=9 * 3_600)
    assert {(row["detector"], row["subject"], row["site"]) for row in found} == {
        ("address_scan", HOST, "demo"), ("random_walk", HOST, "demo"), ("slow_scan", "10.20.0.67", "demo")
    }  # fmt: skip
    assert [row["inputs"]["failures"] for row in found if row["detector"] == "random_walk"] == [120]


def test_exempt_scanner_makes_no_finding_at_all(scribe):
    """The vulnerability scanner of the IT department sweeps, walks, creeps and sends what it likes."""
    exempt = "10.10.0.99"
    sweep(scribe, 90, exempt)
    slow(scribe, 90, 10, exempt)
    arp(scribe, 60, exempt)
    for port in range(200):
        scribe.failed(port, exempt, VICTIM.format(1), port, protocol=17, flags_up=0)
        scribe.failed(port, exempt, VICTIM.format(1), port)
        scribe.failed(port, exempt, VICTIM.format(1), port, flags_up=0)
    assert scribe.detect(*SCANS, seconds=12 * 3_600) == []


def test_clock_that_jumps_is_survived(scribe):
    """Rows of 1970 and of the far future neither raise nor join a scan of today."""
    sweep(scribe, 30)
    sweep(scribe, 30, start=-1_700_000_000)
    sweep(scribe, 30, start=900_000_000)
    scribe.write()
    scribe.detectors(*SCANS).round(0, 2_700_000_000_000_000)
    assert all(row["inputs"]["pairs"] <= 30 for row in scribe.findings() if row["detector"] == "address_scan")
