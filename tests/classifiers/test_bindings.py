"""Bindings: who was where, from sightings and flows written by hand into a real store."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from classifiers import bindings as module
from classifiers.bindings import Bindings
from pipeline.records import mac_text
from tests.classifiers.conftest import START, Scribe, at, make_policy

PC, TABLET, SERVER = 0x00005E000001, 0x00005E000002, 0x00005E0000FE
A, B, GATEWAY = "10.20.0.1", "10.20.0.2", "10.20.0.254"


@pytest.fixture
def bound(scribe: Scribe) -> Scribe:
    for table in ("bindings", "bindings_left_out", "hosts_1h"):
        scribe.store.command(f"TRUNCATE TABLE {table}")
    return scribe


def build(scribe: Scribe, first: float = 0, last: float = 30_000, **policy: Any) -> int:
    scribe.write()
    return Bindings(scribe.store, make_policy(**policy)).rebuild(at(first), at(last)).changed


def held(scribe: Scribe, *sources: str) -> list[tuple[Any, ...]]:
    """(address, MAC, name or user, from, to) in seconds after the start."""
    rows = scribe.store.rows(
        "SELECT ip, mac, name, user, toUnixTimestamp64Micro(`from`) AS a, toUnixTimestamp64Micro(`to`) AS b"
        " FROM bindings FINAL WHERE has({sources:Array(String)}, source) ORDER BY a, ip, mac, name, user",
        {"sources": list(sources)},
    )
    start = int(START.timestamp()) * 1_000_000
    return [
        (r["ip"], r["mac"], r["name"] or r["user"], (r["a"] - start) / 1e6, (r["b"] - start) / 1e6)
        for r in rows
    ]


def ack(scribe: Scribe, seconds: float, mac: int, ip: str, lease: int = 3_600, **more: str) -> None:
    told = {"type": "ack", "client_mac": mac_text(mac), "lease": str(lease), **more}
    scribe.sighting(seconds, "dhcp_ack", SERVER, GATEWAY, ip, **told)


def accounted(scribe: Scribe, seconds: float, what: str, user: str, session: str, mac: int = PC) -> None:
    scribe.sighting(seconds, "radius", mac, "::", what, type="accounting", session=session)
    scribe._rows["sightings"][-1]["name"] = user


def named(scribe: Scribe, seconds: float, source: str, mac: int, ip: str, name: str, **more: str) -> None:
    scribe.sighting(seconds, source, mac, ip, more.pop("value", ""), **more)
    scribe._rows["sightings"][-1]["name"] = name


def test_arp_holds_for_ten_minutes(bound: Scribe) -> None:
    """What is heard again while repetitions are left out is one interval; what comes later is another."""
    for seconds in (0, 650, 1_300, 4_000):
        bound.sighting(seconds, "arp", PC, A, B, op="request")
    bound.sighting(20, "arp", PC, "::", A, op="request", type="probe")
    bound.sighting(20, "arp", TABLET, B, A, op="reply", sent_by=mac_text(PC))
    build(bound)
    assert held(bound, "arp") == [(A, PC, "", 0, 1_900), (A, PC, "", 4_000, 4_600)]


def test_neighbours_that_probe_have_no_address(bound: Scribe) -> None:
    """Neighbour discovery binds who solicits or advertises; a redirect speaks of a router."""
    for op, ip in (
        ("solicitation", "fd00::1"),
        ("probe", "::"),
        ("redirect", "fd00::9"),
        ("advertisement", "fd00::2"),
    ):
        bound.sighting(5, "ndp", PC, ip, "", op=op)
    build(bound)
    assert [row[0] for row in held(bound, "ndp")] == ["fd00::1", "fd00::2"]


def test_renewals_extend_a_lease_and_a_release_ends_it(bound: Scribe) -> None:
    """A lease holds for its time from the server's last word on, or until it is given back."""
    ack(bound, 0, PC, A)
    ack(bound, 1_800, PC, A)
    ack(bound, 0, TABLET, B)
    bound.sighting(2_400, "dhcp_request", TABLET, B, type="release")
    bound.sighting(900, "dhcp_request", PC, B, type="release")
    bound.sighting(100, "dhcp_ack", SERVER, GATEWAY, "10.20.0.7", type="ack", client_mac=mac_text(PC))
    build(bound)
    assert held(bound, "dhcp") == [(A, PC, "", 0, 5_400), (B, TABLET, "", 0, 2_400)]


def test_an_address_given_to_another_is_no_longer_the_first_ones(bound: Scribe) -> None:
    """The lease of the next holder ends that of the one before, as a declined address ends at once."""
    ack(bound, 0, PC, A)
    ack(bound, 600, TABLET, A)
    ack(bound, 1_000, PC, B)
    bound.sighting(1_001, "dhcp_request", PC, B, type="decline")
    build(bound)
    assert held(bound, "dhcp") == [
        (A, PC, "", 0, 600),
        (A, TABLET, "", 600, 4_200),
        (B, PC, "", 1_000, 1_001),
    ]


def test_dhcpv6_leases(bound: Scribe) -> None:
    """A reply hands an address to the MAC that relay or DUID tell; lifetime 0 and a release end it."""
    bound.sighting(
        0, "dhcpv6", SERVER, "fe80::1", "fd00::a", type="reply", duid_mac=mac_text(PC), lease="7200"
    )
    bound.sighting(
        9, "dhcpv6", SERVER, "fe80::1", "fd00::b", type="reply", client_mac=mac_text(TABLET), lease="7200"
    )
    bound.sighting(50, "dhcpv6", PC, "fe80::2", "", type="release", requested="fd00::a")
    bound.sighting(
        60, "dhcpv6", SERVER, "fe80::1", "fd00::b", type="reply", client_mac=mac_text(TABLET), lease="0"
    )
    build(bound)
    assert held(bound, "dhcpv6") == [("fd00::a", PC, "", 0, 50), ("fd00::b", TABLET, "", 9, 60)]


ROWS = (
    lambda s: ack(s, 0, PC, A, 20_000),
    lambda s: s.sighting(5_000, "dhcp_request", PC, A, type="release"),
    lambda s: ack(s, 9_000, PC, A, 3_600),
    lambda s: s.sighting(7_000, "arp", PC, A, B, op="request"),
)


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_rows_may_come_in_any_order(bound: Scribe, order: tuple[int, ...]) -> None:
    """Late rows, each judged by a round of its own, give the same intervals as all of them at once."""
    times = (0, 5_000, 9_000, 7_000)
    for number in order:
        ROWS[number](bound)
        build(bound, times[number], times[number] + 1)
    assert held(bound, "dhcp") == [(A, PC, "", 0, 5_000), (A, PC, "", 9_000, 12_600)]
    assert held(bound, "arp") == [(A, PC, "", 7_000, 7_600)]


def test_a_round_over_the_same_writes_nothing(bound: Scribe) -> None:
    """A round that is repeated, over all or a part, changes nothing."""
    for row in ROWS:
        row(bound)
    bound.flow(30, A, "1.1.1.1", client_mac=PC)
    accounted(bound, 40, "start", "pupil", "s1")
    assert build(bound) == 5
    for first, last in ((0, 30_000), (0, 0), (4_999, 5_001), (9_000, 9_000), (40, 40)):
        assert build(bound, first, last) == 0


def test_sessions_of_radius(bound: Scribe) -> None:
    """A session binds its user to the device from start to stop; the stop of another does not end it."""
    accounted(bound, 0, "start", "School\\Pupil", "s1")
    accounted(bound, 700, "interim", "School\\Pupil", "s1")
    accounted(bound, 800, "start", "School\\Pupil", "s2")
    accounted(bound, 801, "stop", "School\\Pupil", "s1")
    accounted(bound, 2_000, "stop", "School\\Pupil", "s2")
    accounted(bound, 3_000, "start", "teacher@school.example", "s3", TABLET)
    build(bound)
    assert held(bound, "radius") == [
        ("::", PC, "school\\pupil", 0, 800),
        ("::", PC, "school\\pupil", 800, 2_000),
        ("::", TABLET, "teacher@school.example", 3_000, 3_000 + 28_800),
    ]


def test_not_every_radius_name_is_a_persons(bound: Scribe) -> None:
    """MAC authentication and outer identities name nobody, a machine's name is the device's."""
    for number, name in enumerate(
        ("00-00-5e-00-00-01", "anonymous@school.example", "host/pc1.school.example")
    ):
        accounted(bound, number, "start", name, f"s{number}", PC + 10 * number)
    build(bound)
    assert held(bound, "radius") == [("::", PC + 20, "pc1.school.example", 2, 28_802)]


def test_kerberos_holds_for_eight_hours(bound: Scribe) -> None:
    """A ticket that was given binds its user to the address; asking or failing binds nobody."""
    realm = {"value": "SCHOOL.EXAMPLE"}
    named(bound, 0, "kerberos", PC, A, "Pupil", type="as_reply", **realm)
    named(bound, 1, "kerberos", PC, A, "intruder", type="error", **realm)
    named(bound, 2, "kerberos", PC, A, "asker", type="as_request", **realm)
    named(bound, 3, "kerberos", PC, A, "LAB7$", type="as_reply", **realm)
    named(bound, 4, "kerberos", PC, A, "HTTP/www.school.example", type="as_reply", **realm)
    build(bound)
    assert held(bound, "kerberos") == [
        (A, PC, "pupil@school.example", 0, 28_800),
        (A, PC, "lab7", 3, 28_803),
    ]


def test_shared_machines_have_several_users(bound: Scribe) -> None:
    """Two users of one address at one time are two bindings."""
    for seconds, user in ((0, "one"), (600, "two")):
        named(bound, seconds, "kerberos", PC, A, user, type="tgs_reply", value="X")
    build(bound)
    assert [(row[2], row[3]) for row in held(bound, "kerberos")] == [("one@x", 0), ("two@x", 600)]


def test_names(bound: Scribe) -> None:
    """A client's own name is its MAC's; multicast DNS and NetBIOS name the address, too."""
    named(bound, 0, "dhcp_request", PC, "::", "cart-7", type="discover")
    ack(bound, 1, TABLET, B, client_name="cart-8")
    named(bound, 2, "mdns", PC, A, "cart-7.local")
    named(bound, 3, "nbns", PC, A, "cart-7")
    build(bound)
    assert held(bound, "dhcp_name") == [("::", PC, "cart-7", 0, 86_400), ("::", TABLET, "cart-8", 1, 86_401)]
    assert held(bound, "mdns") == [(A, PC, "cart-7.local", 2, 4_502)]
    assert held(bound, "nbns") == [(A, PC, "cart-7", 3, 4_503)]


def test_flows_bind_inside_hosts_to_their_macs(bound: Scribe) -> None:
    """Frames of flows hold in whole ten minutes; hosts outside, and those without a MAC, have none."""
    bound.flow(10, A, "1.1.1.1", client_mac=PC)
    bound.flow(130, A, "1.1.1.1", client_mac=PC)
    bound.flow(10, "203.0.113.5", A, client_mac=SERVER)
    bound.flow(10, B, "1.1.1.1", client_mac=0)
    build(bound)
    assert held(bound, "flows") == [(A, PC, "", 10, 600)]


def test_a_mac_before_many_addresses_is_a_routers(bound: Scribe) -> None:
    """Nine addresses within an hour: a router, and nobody is bound behind it; eight are a device's."""
    for number in range(9):
        bound.flow(10 + number, f"10.20.9.{number + 1}", "1.1.1.1", client_mac=SERVER)
        named(bound, 20 + number, "kerberos", SERVER, f"10.20.9.{number + 1}", f"u{number}", type="as_reply")
    for number in range(8):
        bound.sighting(30 + number, "arp", PC, f"10.20.8.{number + 1}", B, op="request")
    build(bound)
    assert held(bound, "flows") == []
    assert len(held(bound, "arp")) == 8
    assert [(row[1], row[3], row[4]) for row in held(bound, "router")] == [(SERVER, -1_200, 2_400)]
    # The users are there, at their addresses: the MAC of the frame is not theirs.
    assert {row[1] for row in held(bound, "kerberos")} == {0}
    assert len(held(bound, "kerberos")) == 9


def test_routers_of_the_policy(bound: Scribe) -> None:
    """A router that the policy approves is one with its first address."""
    bound.sighting(0, "arp", SERVER, GATEWAY, B, op="request")
    build(bound, approved={"router_macs": [mac_text(SERVER)]})
    assert held(bound, "arp") == []
    assert [row[1] for row in held(bound, "router")] == [SERVER]


def test_a_server_of_several_sites_speaks_of_each(bound: Scribe) -> None:
    """A lease belongs to the site of its address, not to that of the server."""
    ack(bound, 0, PC, "10.99.0.5")
    sites = [{"id": "demo", "subnets": ["10.0.0.0/8"]}, {"id": "annex", "subnets": ["10.99.0.0/16"]}]
    build(bound, sites=sites)
    assert bound.store.rows("SELECT site, ip FROM bindings FINAL") == [{"site": "annex", "ip": "10.99.0.5"}]


def test_a_flood_is_bounded_and_counted(bound: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up MACs for one address, and made-up everything, stop at a bound; what is often said stays."""
    monkeypatch.setitem(module.worth()["bounds"], "new_of_site", 60)
    for number in range(100):
        bound.sighting(1 + number / 100, "arp", 0x020000000000 + number, A, B, op="request")
    for seconds in (0, 1, 2):
        bound.sighting(seconds, "arp", PC, A, str(seconds), op="request")
    for number in range(200):
        bound.sighting(
            10 + number / 100, "arp", 0x020000010000 + number, f"10.21.0.{number + 1}", B, op="request"
        )
    build(bound)
    told = held(bound, "arp")
    assert len(told) == 60
    assert sum(row[0] == A for row in told) == 8
    assert (A, PC, "", 0, 602) in told
    left = bound.store.rows("SELECT reason, left_out FROM bindings_left_out FINAL ORDER BY reason")
    assert left == [{"reason": "address", "left_out": 93}, {"reason": "site", "left_out": 148}]
    assert build(bound) == 0
    # The next round of that hour has no room left either.
    bound.sighting(20, "arp", TABLET, B, A, op="request")
    assert build(bound, 20, 20) == 0


def test_hostile_names(bound: Scribe) -> None:
    """Names of any length and content are cut to 255 characters and kept; a device has 16 at most."""
    long = "x" * 65_536
    for name in (long, "<script>alert(1)</script>", "a\x00b\x1b[31m", "😀" * 100):
        named(bound, 0, "dhcp_request", PC, "::", name, type="request")
    for number in range(40):
        named(bound, 1, "mdns", TABLET, B, f"n{number}")
    build(bound)
    names = [row[2] for row in held(bound, "dhcp_name")]
    assert len(names) == 4
    assert max(map(len, names)) == 255
    assert len(held(bound, "mdns")) == 16


def test_clock_jumps(bound: Scribe) -> None:
    """Times of 1970 and of the far future are kept where they are, and join nothing else."""
    day = 86_400
    for seconds in (-20_000 * day, 0, 20_000 * day):
        bound.sighting(seconds, "arp", PC, A, B, op="request")
        ack(bound, seconds + 1, PC, A)
    bound.write()
    binder = Bindings(bound.store, make_policy())
    span = timedelta(days=20_001)
    assert binder.rebuild(START - span, START + span).changed == 6
    assert [row[4] - row[3] for row in held(bound, "arp")] == [600] * 3
    assert [row[4] - row[3] for row in held(bound, "dhcp")] == [3_600] * 3
    assert binder.rebuild(START - span, START + span).changed == 0
