"""Each detector: what it must state, what it must leave alone, and that a second run changes nothing."""

from typing import Any

import pytest

from classifiers.loss import utc
from pipeline.records import address_bytes
from tests.classifiers.conftest import at
from tests.classifiers.test_verdict import RESET

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


def stream(scribe: Any, mbps: float, others: float, minutes: int = 5, **values: Any) -> None:
    for minute in range(minutes):
        scribe.flow(
            minute * 60, "10.20.0.15", "203.0.113.9", bytes_down=int(mbps * 1e6 / 8 * 60), service="youtube",
            categories=["streaming_video"], **{"group": "students", **values},
        )  # fmt: skip
        scribe.flow(minute * 60, "10.20.0.16", "203.0.113.8", bytes_down=int(others * 1e6 / 8 * 60))


@pytest.mark.parametrize(
    ("mbps", "others", "values", "found"),
    [
        (3, 3, {}, 1),
        (3, 10, {}, 0),
        (0.9, 0.1, {}, 0),
        (3, 3, {"group": "staff"}, 0),
        (3, 3, {"categories": ["education"]}, 0),
    ],
)
def test_streaming_share_of_the_link(scribe, mbps, others, values, found):
    """Streaming above the group's share and a megabit a second; other groups and traffic are left alone."""
    values = dict(values)
    categories = values.pop("categories", None)
    if categories:
        for minute in range(5):
            scribe.flow(
                minute * 60, "10.20.0.15", "203.0.113.9", bytes_down=22_500_000, categories=categories
            )
    else:
        stream(scribe, mbps, others, **values)
    findings = scribe.detect("streaming_share")
    assert [row["subject"] for row in findings] == ["10.20.0.15"] * found
    if found:
        assert findings[0]["inputs"]["mbps"] == 3
        assert findings[0]["inputs"]["allowed_percent"] == 25
        assert "youtube" in findings[0]["statement"]


@pytest.mark.parametrize(("megabytes", "lasts", "found"), [(120, 10, 1), (99, 5, 0), (120, 25, 0)])
def test_elephant_flow(scribe, megabytes, lasts, found):
    """More than 100 MB at more than 50 Mb/s."""
    scribe.flow(0, HOST, "203.0.113.1", bytes_down=megabytes * 10**6, lasts=lasts, server_name="cdn.example")
    findings = scribe.detect("elephant_flow")
    assert len(findings) == found
    if found:
        assert "cdn.example" in findings[0]["statement"]


def asked(scribe: Any, attempts: int, names: int, **values: Any) -> None:
    for number in range(attempts):
        scribe.dns(number * 40, HOST, f"n{number % names}.example", "0.0.0.0", **values)


@pytest.mark.parametrize(("attempts", "names", "found"), [(10, 3, 1), (9, 3, 0), (12, 2, 0)])
def test_repeated_prohibited_attempts(scribe, attempts, names, found):
    """Ten attempts at three prohibited names."""
    asked(scribe, attempts, names)
    findings = scribe.detect("prohibited_attempts")
    assert len(findings) == found
    if found:
        assert findings[0]["inputs"] == {
            "attempts": 10, "blocked": 10, "delivered": 0, "undecided": 0, "background": 0, "names": 3
        }  # fmt: skip


def test_a_program_s_own_attempts_are_counted_apart(scribe):
    """Names that programs reach by themselves make no repeated attempts of a host."""
    for number in range(12):
        scribe.dns(number * 20, HOST, f"telemetry.n{number}.example", "0.0.0.0")
    assert scribe.detect("prohibited_attempts") == []
    asked(scribe, 10, 3)
    (row,) = scribe.detect("prohibited_attempts")
    assert (row["inputs"]["attempts"], row["inputs"]["background"]) == (10, 12)


def test_limited_names_are_no_prohibited_attempts(scribe):
    """What policy only limits is not counted."""
    asked(scribe, 15, 5, action="limit")
    assert scribe.detect("prohibited_attempts", "filter_leak") == []


def test_leak_names_what_was_delivered(scribe):
    """A prohibited name that was delivered is a leak; a blocked one is not."""
    scribe.named(0, HOST, "203.0.113.1", "leak.example")
    scribe.dns(60, "10.20.0.67", "held.example", "10.10.0.80")
    (row,) = scribe.detect("filter_leak")
    assert row["subject"] == HOST
    assert "leak.example" in row["statement"]
    assert "52 kB" in row["statement"]


def blocked(scribe: Any, name: str, *, days: float = 1, times: int = 3, **values: Any) -> None:
    """A name that the filter blocked for others, days before."""
    for number in range(times):
        scribe.dns(number * 60 - days * 86_400, "10.20.0.90", name, "10.10.0.80", **values)


def judge_before(scribe: Any, days: float = 1) -> None:
    """Judges what lies days back, as rounds of those days would have."""
    scribe.write()
    start = -days * 86_400
    first, last = (round(at(seconds).timestamp() * 1_000_000) for seconds in (start - 60, start + 3_600))
    scribe.detectors("filter_leak").round(first, last)


CAUSES = {
    "IPv6 is not filtered": lambda s: (
        s.dns(0, HOST, "leak.example", "10.10.0.80"),
        s.dns(0, HOST, "leak.example", "2001:db8::1", qtype=28),
        s.flow(0, HOST, "203.0.113.9", client_mac=7),
        s.named(1, "fd00::66", "2001:db8::1", "leak.example", client_mac=7),
    ),
    "QUIC is not filtered": lambda s: (
        s.named(0, HOST, "203.0.113.1", "leak.example", reset_ttl_delta=9, flags_up=0x1E,
                **{**RESET, "payload_down": 900}),
        s.named(1, HOST, "203.0.113.1", "leak.example", protocol=17, name_source="quic", application="quic"),
    ),
    "asked of another resolver": lambda s: (
        s.dns(0, HOST, "leak.example", "203.0.113.1", server=address_bytes("203.0.113.53")),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "a tunnel or encrypted DNS": lambda s: (
        s.named(0, HOST, "203.0.113.53", "resolver.example", categories=["doh"], action="allow"),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "exempted for others or until lately": lambda s: (
        s.named(0, "10.20.0.91", "203.0.113.1", "leak.example", action="allow", clause="exemption:lesson"),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "blocked on one path only": lambda s: (
        s.dns(0, HOST, "leak.example", "10.10.0.80"), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "blocked until now": lambda s: (
        blocked(s, "leak.example"), judge_before(s), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "the filter's list lags behind": lambda s: (
        blocked(s, "held.example"), judge_before(s), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "the filter classifies the name otherwise": lambda s: (
        blocked(s, "held.example"), s.named(-4 * 86_400, "10.20.0.91", "203.0.113.1", "leak.example"),
        judge_before(s), judge_before(s, 4), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "the filter blocks nothing of the category": lambda s: (
        blocked(s, "held.example", categories=["adult"]), judge_before(s),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", CAUSES)
def test_leak_has_a_cause(scribe, cause):
    """What the records show of why the filter did not hold stands in the finding."""
    CAUSES[cause](scribe)
    rows = {row["subject"]: row for row in scribe.detect("filter_leak")}
    assert f"show: {cause} (1)." in rows[HOST]["statement"]


def test_leak_counts_no_block_twice(scribe):
    """Blocks that were judged again with later rows are not more blocks of their category."""
    for later in (0, 5, 10):
        blocked(scribe, "held.example", days=1 - later / 86_400, times=2)
        judge_before(scribe)
    scribe.named(1, HOST, "203.0.113.1", "leak.example")
    (row,) = scribe.detect("filter_leak")
    assert "show: the filter blocks nothing of the category (1)." in row["statement"]


def usually_blocked(scribe: Any, names: int = 3) -> None:
    for number in range(names):
        blocked(scribe, f"n{number}.example")
    judge_before(scribe)


@pytest.mark.parametrize(("clients", "names", "held", "found"), [
    (3, 3, 0, 1), (2, 3, 0, 0), (3, 2, 0, 0), (3, 3, 2, 1), (3, 3, 3, 0),
])  # fmt: skip
def test_fail_open(scribe, clients, names, held, found):
    """Three names that were always blocked reach three hosts, and at most a fifth of the attempts is held."""
    usually_blocked(scribe)
    for client in range(clients):
        for name in range(names):
            scribe.named(100 * client + name, f"10.20.0.{20 + client}", "203.0.113.1", f"n{name}.example")
    for number in range(held):
        scribe.dns(50 + number, "10.20.0.50", f"n{number}.example", "10.10.0.80")
    findings = scribe.detect("fail_open")
    assert len(findings) == found
    if found:
        (row,) = findings
        assert (row["subject"], row["inputs"]["clients"], row["inputs"]["names"]) == ("demo", 3, 3)
        assert row["inputs"]["blocks"] == 9


def test_fail_open_has_a_start_and_an_end(scribe):
    """From the first delivery to the last, however long it goes on; blocks before and after are outside."""
    usually_blocked(scribe)
    scribe.dns(0, "10.20.0.50", "n0.example", "10.10.0.80")
    for minute in range(4, 24):
        for client in range(3):
            scribe.named(
                60 * minute + client, f"10.20.0.{20 + client}", "203.0.113.1", f"n{minute % 3}.example"
            )
    scribe.dns(1_700, "10.20.0.50", "n0.example", "10.10.0.80")
    (row,) = scribe.detect("fail_open", seconds=1_800)
    assert (utc(row["from"]), utc(row["to"])) == (at(240), at(60 * 23 + 2))


def days_of_blocks(scribe: Any, days: int, blocks: int, packets: int = 100_000) -> None:
    for day in range(1, days + 1):
        for number in range(blocks):
            scribe.dns(number * 60 - 86_400 * day, "10.20.0.90", f"n{number}.example", "10.10.0.80")
        scribe.health(600 - 86_400 * day, packets, 0)
        judge_before(scribe, day)


@pytest.mark.parametrize(
    ("days", "usual", "now", "packets", "found"),
    [
        (2, 20, 6, 60_000, 1),
        (2, 20, 7, 60_000, 0),
        (1, 20, 0, 60_000, 0),
        (2, 19, 0, 60_000, 0),
        (2, 20, 0, 40_000, 0),
    ],
)
def test_block_fall(scribe, days, usual, now, packets, found):
    """Under a third of the blocks of that hour of two days, with half of the traffic; fewer are no news."""
    days_of_blocks(scribe, days, usual)
    for number in range(now):
        scribe.dns(number * 60, "10.20.0.90", f"n{number}.example", "10.10.0.80")
    scribe.health(600, packets, 0)
    scribe.dns(1_190, HOST, "fine.example", "203.0.113.1", categories=[], action="allow")
    findings = [row for row in scribe.detect("block_fall", seconds=1_190) if utc(row["from"]) > at(-3_000)]
    assert len(findings) == found
    if found:
        assert (findings[0]["inputs"]["usual"], findings[0]["inputs"]["days"]) == (20, 2)
        assert findings[0]["inconclusive"]


def test_abuse_names_are_withheld(scribe):
    """Names of the category that is never listed stay out of statements and samples."""
    scribe.named(0, HOST, "203.0.113.1", "unspeakable.example", categories=["abuse"])
    (row,) = scribe.detect("filter_leak")
    assert "withheld" in row["statement"]
    assert "unspeakable" not in str(row)


@pytest.mark.parametrize(("delivered", "tried", "word"), [(1, 0, "reached"), (0, 5, "tried"), (0, 4, None)])
def test_circumvention_endpoint(scribe, delivered, tried, word):
    """One delivered attempt at a VPN, proxy, Tor or DoH name, or five in vain."""
    for number in range(delivered):
        scribe.named(number, HOST, "203.0.113.1", f"vpn{number}.example", categories=["vpn"])
    for number in range(tried):
        scribe.dns(number, HOST, f"vpn{number}.example", "0.0.0.0", categories=["vpn"])
    findings = scribe.detect("circumvention_endpoint")
    assert len(findings) == (1 if word else 0)
    if word:
        assert f" {word} " in findings[0]["statement"]


@pytest.mark.parametrize(
    ("server", "values", "found"),
    [
        ("203.0.113.5", {"application": "wireguard", "protocol": 17}, 1),
        ("203.0.113.5", {"application": "softether"}, 1),
        ("203.0.113.5", {"application": "http", "http_method": "CONNECT", "name_source": "sni"}, 1),
        ("203.0.113.5", {"application": "tls", "port": 853}, 1),
        ("203.0.113.5", {"application": "tls"}, 0),
        ("198.51.100.7", {"application": "openvpn"}, 0),
        ("10.10.0.9", {"application": "ipsec"}, 0),
        ("203.0.113.5", {"application": "tor", "packets_down": 1}, 0),
    ],
)
def test_circumvention_protocol(scribe, server, values, found):
    """Tunnels to outside end points that are not the organisation's own, and were answered."""
    scribe.flow(0, HOST, server, **values)
    assert len(scribe.detect("circumvention_protocol")) == found


def test_second_run_of_everything_changes_nothing(scribe):
    """A round repeated over the same or an overlapping range writes no row."""
    sweep(scribe, 60)
    offers(scribe, "192.168.1.1")
    shared(scribe, [63, 127, 63, 127])
    asked(scribe, 12, 4)
    stream(scribe, 5, 1)
    before = scribe.detect()
    assert {row["detector"] for row in before} >= {
        "address_scan", "rogue_dhcp", "address_sharing", "prohibited_attempts", "streaming_share"
    }  # fmt: skip
    second = scribe.detectors()
    start = 1_772_446_800_000_000
    assert second.round(start, start + 900_000_000) == (0, 0)
    assert second.round(start - 900_000_000, start + 60_000_000) == (0, 0)
    assert scribe.findings() == before
