"""Ways around the filter."""

import random

import pytest

from pipeline.records import address_bytes

HOST, OTHER = "10.20.0.66", "10.20.0.67"
OUTSIDE = "203.0.113.5"


def only(findings):
    """The one finding there is."""
    assert len(findings) == 1, [f["statement"] for f in findings]
    return findings[0]


def listed(chdb):
    """Two lists of a version, from before the made records on."""
    chdb.command("TRUNCATE TABLE lists")
    for name, category in (("starter-vpn", "vpn"), ("ut1-vpn", "vpn"), ("starter-tor", "tor")):
        chdb.command(
            "INSERT INTO lists (since, version, list, categories) VALUES"
            f" ('2026-03-01 00:00:00', 'abc123', '{name}', ['{category}'])"
        )


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


def test_an_end_point_s_lists(scribe, chdb):
    """The finding says which lists of which version name such end points, or that the store knows none."""
    scribe.named(1, HOST, "203.0.113.1", "vpn.example", categories=["vpn"])
    scribe.flow(1, OTHER, "203.0.113.2", categories=["tor"], action="prohibit")
    chdb.command("TRUNCATE TABLE lists")
    named, addressed = sorted(
        scribe.detect("circumvention_endpoint", "circumvention_address"), key=lambda f: f["subject"]
    )
    assert "listed in no list of the store" in named["statement"]
    listed(chdb)
    chdb.command("TRUNCATE TABLE findings")
    named, addressed = sorted(
        scribe.detect("circumvention_endpoint", "circumvention_address"), key=lambda f: f["subject"]
    )
    assert "listed in starter-vpn, ut1-vpn (version abc123)" in named["statement"]
    assert "listed in starter-tor (version abc123)" in addressed["statement"]
    assert "203.0.113.2" in addressed["statement"]


def test_addresses_that_are_left_alone(scribe, policy_of):
    """Unanswered, allowed, sanctioned, other lists, a name that says more than the address, plain DNS."""
    for values in (
        {"packets_down": 2},
        {"action": "allow"},
        {"categories": ["malware"]},
        {"server_name": "www.example", "name_source": "sni"},
        {"application": "dns"},
        {"service": "Own VPN"},
    ):
        scribe.flow(0, HOST, OUTSIDE, **{"categories": ["vpn"], "action": "prohibit", **values})
    scribe.flow(0, HOST, "198.51.100.7", categories=["vpn"], action="prohibit")
    policy = policy_of(sanctioned={"vpn": ["198.51.100.7/32"], "services": ["Own VPN"]})
    assert not scribe.detect("circumvention_address", policy=policy)


def test_circumvention_protocol(scribe):
    """Tunnels to outside end points that are not the organisation's own, and were answered."""
    tunnels = (
        {"application": "wireguard", "protocol": 17},
        {"application": "softether"},
        {"application": "http", "http_method": "CONNECT", "name_source": "sni"},
        {"application": "http", "http_method": "SSTP_DUPLEX_POST"},
        {"application": "tls", "port": 853},
        {"application": "quic", "protocol": 17, "port": 8853, "alpn": "doq"},
    )
    others = (
        (OUTSIDE, {"application": "tls"}),
        ("198.51.100.7", {"application": "openvpn"}),
        ("10.10.0.9", {"application": "ipsec"}),
        (OUTSIDE, {"application": "ipsec", "service": "Wi-Fi calling"}),
        (OUTSIDE, {"application": "tor", "packets_down": 1}),
    )
    for number, values in enumerate(tunnels):
        scribe.flow(0, f"10.20.1.{number}", OUTSIDE, **values)
    for server, values in others:
        scribe.flow(0, HOST, server, **values)
    findings = scribe.detect("circumvention_protocol")
    assert {f["subject"] for f in findings} == {f"10.20.1.{number}" for number in range(len(tunnels))}
    assert all("By protocol." in f["statement"] for f in findings)


def ask_outside(scribe, host, count=10, names=3, **values):
    for number in range(count):
        scribe.dns(
            number,
            host,
            f"site{number % names}.example",
            OUTSIDE,
            **{"server": address_bytes("8.8.8.8"), **values},
        )


def test_outside_resolver(scribe):
    """Ten questions about three names that another resolver answered; one or one name less is a test."""
    ask_outside(scribe, HOST)
    ask_outside(scribe, OTHER, count=9)
    ask_outside(scribe, "10.20.0.68", names=2)
    finding = only(scribe.detect("outside_resolver"))
    assert finding["subject"] == HOST
    assert "8.8.8.8" in finding["statement"]


def test_resolvers_that_are_left_alone(scribe):
    """The school's resolver, silence, authoritative servers, multicast, reverse names: no way around."""
    for values in (
        {"server": address_bytes("10.10.0.53")},
        {"answered": False},
        {"ra": False},
        {"transport": "mdns"},
        {"qtype": 12},
    ):
        ask_outside(scribe, HOST, **values)
    assert not scribe.detect("outside_resolver")


def test_resolvers_ask_for_others(scribe, policy_of):
    """Resolvers and scanners may ask outside; without a list of resolvers nobody is told."""
    ask_outside(scribe, "10.10.0.53")
    ask_outside(scribe, "10.10.0.54")
    scribe.dns(3, OTHER, "site.example", OUTSIDE, server=address_bytes("10.10.0.54"))
    ask_outside(scribe, "10.10.0.99")
    assert not scribe.detect("outside_resolver")
    ask_outside(scribe, HOST)
    assert not scribe.detect("outside_resolver", policy=policy_of(filter={"resolvers": []}))


def test_a_site_that_asks_elsewhere(scribe):
    """Where a third of the askers, five or more, ask another resolver, that is one finding about the site."""
    for number in range(6):
        ask_outside(scribe, f"10.20.0.{100 + number}")
        scribe.dns(1, f"10.20.0.{120 + number}", "site.example", OUTSIDE)
    finding = only(scribe.detect("outside_resolver"))
    assert (finding["subject_kind"], finding["subject"]) == ("site", "demo")
    assert finding["inputs"] == {"clients": 6, "share_percent": 50}


def tunnel(scribe, host, names=100, qtype=10, label=40, domain="t.example.com", seed=1, **values):
    """Questions as a tunnel asks them: random labels, one after the other."""
    rng = random.Random(seed)
    for number in range(names):
        text = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz012345") for _ in range(label))
        scribe.dns(
            number * 2.5,
            host,
            f"{text}.{domain}",
            **{"qtype": qtype, "min_ttl": 0, "answers": [], "categories": [], **values},
        )


def test_dns_tunnel(scribe):
    """A hundred long names, or names of odd types, below one domain in five minutes."""
    tunnels = (
        {},
        {"qtype": 65399, "label": 8},
        {"qtype": 16, "label": 8},
        {"qtype": 5, "label": 60},
        {"qtype": 1, "label": 50, "addresses": [address_bytes("203.0.113.9")]},
        {"qtype": 1, "label": 60, "domain": f"{'a' * 43}.example5.com", "rcode": 3},
        {"label": 30, "domain": "\\200\\201\\377x/y?#.t.example6.co.uk"},
    )
    for number, values in enumerate(tunnels):
        tunnel(scribe, f"10.20.1.{number}", **{"domain": f"t.example{number}.com", **values})
    findings = scribe.detect("dns_tunnel")
    assert [f["subject"] for f in findings] == [f"10.20.1.{number}" for number in range(len(tunnels))]
    for number, finding in enumerate(findings):
        assert f"below example{number}.co" in finding["statement"]
        assert finding["inputs"]["names"] == 100


def test_names_that_are_left_alone(scribe):
    """Fewer names, content networks, look-ups of reputation, mail servers, reverse zones, multicast."""
    ordinary = (
        {"names": 99},
        # A content network: short labels.
        {"qtype": 1, "label": 24, "addresses": [address_bytes("203.0.113.9")]},
        # Reputation: hashes that are unknown, or answered from 127.0.0.0/8, or asked of a known service.
        {"qtype": 1, "label": 64, "rcode": 3},
        {"qtype": 1, "label": 64, "addresses": [address_bytes("127.0.0.4")]},
        {"qtype": 16, "label": 60, "service": "Reputation look-ups"},
        # Names of block lists of mail servers, and reverse names.
        {"qtype": 16, "label": 3, "domain": "1.2.3.zen.blocklist.example"},
        {"qtype": 12, "label": 60, "domain": "8.b.d.0.1.0.0.2.ip6.arpa"},
        {"qtype": 16, "label": 50, "transport": "mdns"},
    )
    for number, values in enumerate(ordinary):
        tunnel(scribe, HOST, **{"domain": f"t.example{number}.com", **values})
    assert not scribe.detect("dns_tunnel")


def test_many_domains_are_no_tunnel(scribe):
    """Text records of a hundred domains are what a mail server asks for."""
    for number in range(120):
        scribe.dns(number, HOST, f"_dmarc.selector1.example{number}.com", qtype=16, min_ttl=60)
    assert not scribe.detect("dns_tunnel")


def test_a_resolver_is_not_its_client(scribe):
    """Where the resolver's own questions are mirrored, too, the client is named alone; else the resolver."""
    tunnel(scribe, "10.10.0.53", server=address_bytes("203.0.113.53"), ra=False)
    assert "who asked it was not seen" in only(scribe.detect("dns_tunnel"))["statement"]
    tunnel(scribe, HOST)
    scribe.store.command("TRUNCATE TABLE findings")
    assert only(scribe.detect("dns_tunnel"))["subject"] == HOST


def test_a_flood_is_one_finding(scribe):
    """Tunnels below one domain from ten hosts, or forged addresses, are one finding about the domain."""
    for number in range(10):
        tunnel(scribe, f"10.20.1.{number}", seed=number)
    finding = only(scribe.detect("dns_tunnel"))
    assert (finding["subject_kind"], finding["subject"]) == ("name", "example.com")


def test_hostile_names(scribe):
    """Names of control characters and of a kilobyte are told escaped and bounded."""
    tunnel(scribe, HOST, label=60, domain="\\000\\033[2j<b>" + ".\\007" * 60 + ".evil.example.com")
    finding = only(scribe.detect("dns_tunnel"))
    assert finding["statement"].isprintable()
    assert all(len(sample) <= 1_000 for sample in finding["samples"])


def test_fully_encrypted(scribe):
    """Three connections with one end point that look like nothing, or one that carried much."""
    hosts = {
        "10.20.1.1": (3, 1_000),
        "10.20.1.2": (2, 1_000),
        "10.20.1.3": (1, 600_000),
        "10.20.1.4": (1, 400_000),
    }
    random_ones = {"application": "encrypted", "payload_up": 9, "payload_down": 9}
    for host, (flows, size) in hosts.items():
        for number in range(flows):
            scribe.flow(number, host, OUTSIDE, 8388, bytes_down=size, **random_ones)
    findings = scribe.detect("fully_encrypted")
    assert [f["subject"] for f in findings] == ["10.20.1.1", "10.20.1.3"]


def test_swarms_are_left_alone(scribe):
    """Encrypted BitTorrent has many peers; inside, sanctioned and named end points are no way around."""
    random_ones = {"application": "encrypted", "payload_up": 9, "payload_down": 9, "bytes_down": 600_000}
    for number in range(25):
        scribe.flow(number, HOST, f"203.0.113.{number}", 50_000, **random_ones)
    scribe.flow(1, OTHER, "10.10.0.9", 9_000, **random_ones)
    scribe.flow(1, OTHER, "198.51.100.7", 9_000, **random_ones)
    scribe.flow(1, OTHER, "203.0.113.9", 9_000, service="Some game", **random_ones)
    assert not scribe.detect("fully_encrypted")


def test_ssh_carrier(scribe):
    """SSH with much data both ways carries connections; copies, clones and shells are left alone."""
    carried = ((60_000, 2_000_000), (2_000_000, 60_000))
    # A file copied, git, a shell, an editor's echo.
    others = ((9_000, 80_000_000), (80_000_000, 200_000), (19_000, 1_200_000), (1_800_000, 2_000_000))
    for number, (up, down) in enumerate(carried + others):
        for server in (OUTSIDE, "10.10.0.9", "198.51.100.7"):
            scribe.flow(
                0, f"10.20.1.{number}", server, 22, application="ssh", payload_up=up, payload_down=down
            )
    assert [f["subject"] for f in scribe.detect("ssh_carrier")] == ["10.20.1.0", "10.20.1.1"]


def browse(scribe, host, names, asks=True, start=0.0, site="demo", **values):
    """Connections to names, three each, each asked for before, or not."""
    for number in range(names):
        at = start + number * 20
        if asks:
            scribe.dns(at, host, f"www.site{number}.example", "203.0.113.7", categories=[], site=site)
        for more in range(3):
            scribe.flow(
                at + 1 + more,
                host,
                "203.0.113.7",
                application="tls",
                server_name=f"www.site{number}.example",
                name_source="sni",
                site=site,
                **values,
            )


def test_the_same_address_at_two_sites_is_two_hosts(scribe):
    """What the host of that address asked for at another school says nothing here."""
    browse(scribe, HOST, 12, asks=False)
    browse(scribe, HOST, 12, site="north")
    for neighbour in (OTHER, "10.20.0.68"):
        browse(scribe, neighbour, 12)
        browse(scribe, neighbour, 12, site="north")
    finding = only(scribe.detect("unresolved_names"))
    assert (finding["site"], finding["subject"]) == ("demo", HOST)


def test_unresolved_names(scribe):
    """A host that reaches twelve names without asking for one, where its neighbours were seen to ask."""
    browse(scribe, HOST, 12, asks=False)
    for neighbour in (OTHER, "10.20.0.68"):
        browse(scribe, neighbour, 12)
    finding = only(scribe.detect("unresolved_names"))
    assert finding["subject"] == HOST
    assert finding["inputs"]["unasked_percent"] == 100
    assert "a client of encrypted DNS" in finding["statement"]


def test_a_name_asked_for_afterwards_was_not_asked_for(scribe):
    """What a host asks for an hour later, judged in the same round, does not make up for it."""
    browse(scribe, HOST, 12, asks=False)
    for neighbour in (OTHER, "10.20.0.68"):
        browse(scribe, neighbour, 12)
    for number in range(12):
        scribe.dns(5_400, HOST, f"www.site{number}.example", categories=[])
    scribe.named(5_430, HOST, "203.0.113.9", "www.site0.example")
    assert only(scribe.detect("unresolved_names", seconds=5_800))["subject"] == HOST


def test_unresolved_names_with_a_known_resolver(scribe):
    """Where it was connected with a resolver of the list, that is said."""
    browse(scribe, HOST, 12, asks=False)
    scribe.named(5, HOST, "203.0.113.8", "doh.example", categories=["doh"])
    for neighbour in (OTHER, "10.20.0.68"):
        browse(scribe, neighbour, 12)
    assert "encrypted resolvers: doh.example" in only(scribe.detect("unresolved_names"))["statement"]


@pytest.mark.parametrize(
    ("names", "asking", "quiet"),
    [
        # Nine names are 27 connections.
        (9, 2, 0),
        # Nobody, or one of many, is seen to ask: the mirror lacks the DNS.
        (12, 1, 0),
        (12, 2, 3),
    ],
)
def test_a_mirror_without_dns_accuses_nobody(scribe, names, asking, quiet):
    """Few connections, or neighbours whose questions are not seen either, make no finding."""
    browse(scribe, HOST, names, asks=False)
    for number in range(asking):
        browse(scribe, f"10.20.2.{number}", 12)
    for number in range(quiet):
        browse(scribe, f"10.20.3.{number}", 5, asks=False)
    assert not scribe.detect("unresolved_names")


def test_ipv6_asks_over_ipv4(scribe):
    """The addresses of one interface are one host; behind a router an IPv6 address says nothing."""
    for neighbour in (OTHER, "10.20.0.68"):
        browse(scribe, neighbour, 12)
    for number in range(12):
        scribe.dns(number * 20, HOST, f"www.site{number}.example", categories=[])
    scribe.flow(0, HOST, "10.10.0.53", 53, client_mac=0xA1, application="dns")
    browse(scribe, "fd00::66", 12, asks=False, client_mac=0xA1)
    for number in range(20):
        browse(scribe, f"fd00::1:{number:x}", 12, asks=False, client_mac=0xB0)
    assert not scribe.detect("unresolved_names")


MADE_UP = ("www.bq3xkzr7tm.com", "www.hs6ndkwq2vplr.com", "www.xk4rzt3bnq.net")


def shaken(scribe, names, host=HOST, **values):
    """A TLS connection under each name, none asked for, without ALPN as Tor's."""
    for number, name in enumerate(names):
        port = values.get("port", 9001)
        scribe.flow(
            number, host, f"203.0.113.{10 + number}", port, application="tls", server_name=name,
            name_source="sni", client_port=40_000 + number, alpn=values.get("alpn", ""),
        )  # fmt: skip


def test_made_up_names(scribe):
    """Made-up names that nobody asked for, as Tor's clients send them: two long ones, or short ones too."""
    browse(scribe, OTHER, 12)
    shaken(scribe, MADE_UP[:2])
    shaken(scribe, MADE_UP[2:], "10.20.0.68")
    short = ("www.xj4gqwch.com", "www.miwxp3zw75c.com", "www.k6lfq.com", "www.n5zpgl7.com")
    shaken(scribe, short, "10.20.0.69", port=443)
    two, four = sorted(scribe.detect("made_up_names"), key=lambda f: f["subject"])
    assert (two["subject"], two["inputs"]["names"], two["inputs"]["bits"]) == (HOST, 2, 26.7)
    assert (four["subject"], four["inputs"]["names"], four["inputs"]["peers"]) == ("10.20.0.69", 4, 4)
    assert "www.k6lfq.com, www.miwxp3zw75c.com" in four["statement"]


WORDS = ("www.google.com", "www.w3schools.com", "www.office365.com", "www.mp3tag.com")


@pytest.mark.parametrize(
    ("names", "more"),
    [
        # One name says much, two short ones say little.
        (("www.xsi6v4qzjq6rdm.com",), {}),
        (("www.k5lfp.com", "www.xngqwch.com"), {}),
        (WORDS, {}),
        (("www.hgtv.com", "www.nytimes.com", "www.ikea.com", "www.xkcd.com", "www.7zip.com"), {}),
        # A browser of encrypted DNS goes to ordinary names as well, and offers protocols.
        ((*MADE_UP[:2], *WORDS[:2]), {}),
        (MADE_UP, {"alpn": "h2"}),
        # Tor's are in no other form.
        (("www.xsi6v4qzjq6rd.org", "xsi6v4qzjq6rd.com", "www.c.xsi6v4qzjq6.com", "www.x8si9v4qzj.com"), {}),
    ],
)  # fmt: skip
def test_names_that_are_not_tor_s(scribe, names, more):
    """Few names, words, names among as many words, other forms, and a client with ALPN are left alone."""
    browse(scribe, OTHER, 12)
    shaken(scribe, names, **more)
    assert not scribe.detect("made_up_names")


@pytest.mark.parametrize(
    ("asked", "neighbours", "again"), [(True, 12, False), (False, 2, False), (False, 12, True)]
)
def test_made_up_names_that_exist(scribe, asked, neighbours, again):
    """Names that anybody asked for or that are used again, and a site with hardly any DNS: silent."""
    browse(scribe, OTHER, neighbours)
    shaken(scribe, MADE_UP)
    if asked:
        for name in MADE_UP:
            scribe.dns(1, OTHER, name, OUTSIDE, categories=[])
    if again:
        shaken(scribe, MADE_UP, "10.20.0.68")
    assert not scribe.detect("made_up_names")


def carried(scribe, host, minutes=12, up=50_000, down=900_000, **values):
    """A flow's rows of a minute each, in the second quarter of an hour, after an hour's other addresses."""
    for number in range(minutes):
        scribe.flow(
            900 + 60 * number,
            host,
            OUTSIDE,
            bytes_up=up,
            bytes_down=down,
            **{"application": "tls", "server_name": "cdn.unlisted.example", "name_source": "sni", **values},
        )


def visited(scribe, host, addresses=12, start=-900):
    for number in range(addresses):
        scribe.flow(start + 20 * number, host, f"198.51.100.{100 + number}", bytes_down=40_000)


def test_single_address(scribe):
    """One address carries all of a host's traffic for a quarter of an hour, and many did before."""
    visited(scribe, HOST)
    carried(scribe, HOST)
    finding = only(scribe.detect("single_address", seconds=1_800))
    assert finding["subject"] == HOST
    assert finding["inputs"]["before"] == 12
    assert finding["inputs"]["share_percent"] == 100


def test_addresses_that_carry_much(scribe):
    """Downloads, backups, calls, updates, devices with one server, hosts with other traffic: silent."""
    cases = (
        # A download, a backup, a call, an update; less than eight minutes.
        ({"up": 9_000}, 12, 0),
        ({"up": 900_000, "down": 50_000}, 12, 0),
        ({"application": "rtp", "protocol": 17}, 12, 0),
        ({"service": "Xbox", "categories": ["games"]}, 12, 0),
        ({"minutes": 7}, 12, 0),
        # A camera with one server; a laptop that goes on with others.
        ({}, 3, 0),
        ({}, 12, 5),
    )
    for number, (values, before, meanwhile) in enumerate(cases):
        host = f"10.20.1.{number}"
        visited(scribe, host, before)
        visited(scribe, host, meanwhile, start=960)
        carried(scribe, host, **values)
    assert not scribe.detect("single_address", seconds=1_800)


def test_proxy_configuration(scribe):
    """A host that answers the search for a proxy, by a name or by DHCP, unless the school's own says so."""
    for transport, name in (("llmnr", "wpad"), ("nbns", "wpad"), ("udp", "wpad.school.example")):
        scribe.dns(
            1, OTHER, name, "10.20.0.66", server=address_bytes(HOST), transport=transport, categories=[]
        )
        scribe.dns(1, OTHER, name, "10.10.0.9", server=address_bytes("10.10.0.53"), categories=[])
    scribe.dns(1, OTHER, "wpadded.example", "10.20.0.66", server=address_bytes(HOST), transport="llmnr")
    scribe.dns(1, OTHER, "wpad", transport="llmnr", server=address_bytes("224.0.0.252"), answered=False)
    scribe.sighting(1, "dhcp_ack", 0xAA, "10.20.0.1", "10.20.0.9", proxy="proxy.school.example")
    finding = only(scribe.detect("proxy_configuration"))
    assert finding["subject"] == HOST
    assert "llmnr and nbns and udp" in finding["statement"]
    assert finding["inputs"]["answers"] == 3


def test_proxy_by_dhcp(scribe):
    """A DHCP server that is not approved tells where proxy settings are."""
    scribe.sighting(
        1, "dhcp_ack", 0xAA, HOST, "10.20.0.9", proxy="10.20.0.66", client_mac="00:11:22:33:44:55"
    )
    scribe.sighting(2, "dhcp_ack", 0xAA, "10.20.0.77", "10.20.0.9")
    finding = only(scribe.detect("proxy_configuration"))
    assert (finding["subject"], finding["inputs"]["clients"]) == (HOST, 1)
