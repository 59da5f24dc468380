"""Equipment that nobody approved: servers, routers and switches on the wire."""

from typing import Any

import pytest

ROGUE, OTHER = 0x0016_3E00_0BAD, 0x0016_3E00_00AA


def offers(scribe: Any, ip: str, mac: int = 0xBAD, number: int = 4, **more: Any) -> None:
    for client in range(number):
        scribe.sighting(
            client, "dhcp_offer", mac, ip, f"192.168.1.{client}", client_mac=f"02:00:00:00:00:{client:02x}",
            **{"router": ip, "dns": "192.168.1.1", **more},
        )  # fmt: skip
    scribe.sighting(
        9,
        "dhcp_ack",
        mac,
        ip,
        "192.168.1.2",
        client_mac="02:00:00:00:00:02",
        **{"router": ip, "dns": "192.168.1.1", **more},
    )


def shared(scribe: Any, ttls: list[int], client: str = "10.20.0.88", mac: int = 0x88) -> None:
    """Flows with these TTLs that have no SYN: of UDP, or seen from the middle on."""
    for number, ttl in enumerate(ttls):
        scribe.flow(
            number, client, f"203.0.113.{number}", client_mac=mac, ttl_up_min=ttl, ttl_up_max=ttl, protocol=17
        )


def test_unlisted_dhcp_server_is_stated_with_its_counts(scribe):
    """A server that is not approved is named with offers, clients, addresses, router and DNS."""
    offers(scribe, "192.168.1.1")
    (row,) = scribe.detect("rogue_dhcp")
    assert (row["subject"], row["severity"]) == ("192.168.1.1", "high")
    assert row["inputs"] | {} == {"offers": 4, "acks": 1, "clients": 4, "others": 0}
    for fact in ("not on the list", "192.168.1.3", "router 192.168.1.1"):
        assert fact in row["statement"]


def test_one_offer_is_enough(scribe):
    """A single packet of a server on no list is a finding."""
    scribe.sighting(0, "dhcp_offer", ROGUE, "192.168.1.1", "192.168.1.7", client_mac="02:00:00:00:00:02")
    assert len(scribe.detect("rogue_dhcp")) == 1


def test_refusal_hands_nothing_out(scribe):
    """A server that only refuses leases is no second server."""
    scribe.sighting(0, "dhcp_ack", 0xA, "192.168.1.1", type="nak", client_mac="02:00:00:00:00:02")
    assert scribe.detect("rogue_dhcp") == []


def test_approved_dhcp_server_is_left_alone(scribe):
    """The server on the list makes no finding, whichever relay hands its answer on."""
    offers(scribe, "10.20.0.1")
    offers(scribe, "10.20.0.1", 0xE1, relay="10.30.0.1")
    assert scribe.detect("rogue_dhcp") == []


def test_without_a_list_only_a_second_server_with_other_settings_is_news(scribe, policy_of):
    """With no approved servers one says nothing, nor two that share the work; a third that differs does."""
    policy = policy_of(approved={"dhcp": []})
    offers(scribe, "10.20.0.1", 0xA, router="10.20.0.254")
    offers(scribe, "10.20.0.2", 0xC, router="10.20.0.254")
    assert scribe.detect("rogue_dhcp", policy=policy) == []
    offers(scribe, "192.168.1.1", 0xB)
    rows = scribe.detect("rogue_dhcp", policy=policy)
    assert "192.168.1.1" in {row["subject"] for row in rows}
    assert all("no list says" in row["statement"] for row in rows)


def test_without_a_list_servers_of_other_vlans_say_nothing(scribe, policy_of):
    """Each VLAN has its own server: the settings of two are not compared."""
    offers(scribe, "10.20.0.1", 0xA, seen_in=20)
    offers(scribe, "10.30.0.1", 0xB, seen_in=30)
    assert scribe.detect("rogue_dhcp", policy=policy_of(approved={"dhcp": []})) == []


def test_port_of_the_switch_is_told_where_the_relay_says_it(scribe):
    """DHCP option 82 of the device's own request says where it is plugged in."""
    offers(scribe, "192.168.1.1", ROGUE, seen_in=20)
    scribe.sighting(
        5, "dhcp_request", ROGUE, "0.0.0.0", circuit="\\000\\004\\000\\020\\001\\007",
        remote="closet-2", seen_in=20,
    )  # fmt: skip
    (row,) = scribe.detect("rogue_dhcp")
    assert "VLAN 20, port 1/7 of closet-2 by DHCP option 82)" in row["statement"]


def advertise(scribe: Any, ip: str, mac: int, kind: str = "advertise", **more: Any) -> None:
    scribe.sighting(0, "dhcpv6", mac, ip, "fd00::5", type=kind, client_mac="02:00:00:00:00:02", **more)


def test_dhcpv6_server_that_is_not_approved(scribe):
    """One answer of a DHCPv6 server on no list is a finding."""
    advertise(scribe, "fe80::bad", ROGUE, dns="fd00::bad")
    (row,) = scribe.detect("rogue_dhcpv6")
    assert (row["subject"], row["inputs"]["clients"]) == ("fe80::bad", 1)
    assert "DNS fd00::bad" in row["statement"]


@pytest.mark.parametrize("kind", ["solicit", "request", "renew", "information-request"])
def test_dhcpv6_clients_are_no_servers(scribe, kind):
    """What clients send makes no finding."""
    advertise(scribe, "fe80::5", ROGUE, kind)
    assert scribe.detect("rogue_dhcpv6") == []


def test_approved_dhcpv6_server_and_relaying_router_are_left_alone(scribe, policy_of):
    """Servers on the list, and approved routers that hand on what a server says, are left alone."""
    policy = policy_of(approved={"dhcpv6": ["fe80::1"], "router_macs": ["00:16:3e:00:00:aa"]})
    advertise(scribe, "fe80::1", 1)
    advertise(scribe, "fe80::2", OTHER)
    assert scribe.detect("rogue_dhcpv6", policy=policy) == []


def test_dhcpv6_without_a_list(scribe, policy_of):
    """Without any list one server says nothing, two do."""
    policy = policy_of(approved={"routers": []})
    advertise(scribe, "fe80::1", 1)
    assert scribe.detect("rogue_dhcpv6", policy=policy) == []
    advertise(scribe, "fe80::2", 2)
    assert len(scribe.detect("rogue_dhcpv6", policy=policy)) == 2


def route(
    scribe: Any, ip: str = "fe80::bad", mac: int = ROGUE, value: str = "2001:db8:bad::/64", **more: Any
) -> None:
    scribe.sighting(0, "ra", mac, ip, value, **{"lease": "1800", **more})


def test_router_advertisement_of_an_unknown_router(scribe):
    """One advertisement is enough; prefix, resolver and preference are told."""
    route(scribe, flags="managed,high", dns="2001:db8:bad::53")
    (row,) = scribe.detect("rogue_router")
    assert (row["subject"], row["inputs"]["lifetime"]) == ("fe80::bad", 1800)
    for fact in ("2001:db8:bad::/64", "2001:db8:bad::53", "preference high", "1,800 s"):
        assert fact in row["statement"]


def test_resolver_without_a_route_is_a_finding(scribe):
    """A router that is none (lifetime 0) but tells whom to ask for names is stated."""
    route(scribe, lease="0", value="", dns="fe80::bad")
    assert len(scribe.detect("rogue_router")) == 1


@pytest.mark.parametrize(
    "more", [{"value": "fd12:3456::/64"}, {"value": ""}, {"value": "fd12::/64", "prefix": "fdab:1::/64"}]
)
def test_stub_router_is_left_alone(scribe, more):
    """A border router of home automation offers no way out: lifetime 0, at most a prefix of its own."""
    route(scribe, lease="0", **more)
    assert scribe.detect("rogue_router") == []


def test_approved_routers_are_left_alone(scribe, policy_of):
    """By address or by MAC, also two that share a network."""
    policy = policy_of(approved={"routers": ["fe80::1"], "router_macs": ["00:16:3e:00:00:aa"]})
    route(scribe, "fe80::1", 1)
    route(scribe, "fe80::2", OTHER)
    assert scribe.detect("rogue_router", policy=policy) == []


def test_routers_without_a_list(scribe, policy_of):
    """Without a list one router of a VLAN says nothing, a second does."""
    policy = policy_of(approved={"routers": []})
    route(scribe, "fe80::1", 1)
    assert scribe.detect("rogue_router", policy=policy) == []
    route(scribe, "fe80::2", 2)
    assert len(scribe.detect("rogue_router", policy=policy)) == 2


def test_resolver_in_the_name_of_an_approved_server(scribe):
    """An approved server that hands out a resolver the policy doesn't know, or somebody in its name."""
    offers(scribe, "10.20.0.1", ROGUE, dns="10.10.0.53,198.51.100.66")
    (row,) = scribe.detect("rogue_dns")
    assert row["subject"] == "10.20.0.1"
    assert "to ask 198.51.100.66 for names" in row["statement"]


@pytest.mark.parametrize("dns", ["10.10.0.53", "10.20.0.1", "10.10.0.53,10.20.0.1"])
def test_own_resolvers_and_the_router_itself_are_left_alone(scribe, dns):
    """The policy's resolvers, and a router that asks for its clients."""
    offers(scribe, "10.20.0.1", dns=dns)
    assert scribe.detect("rogue_dns") == []


def test_resolvers_without_a_list_say_nothing(scribe, policy_of):
    """Where the policy names no resolver there is nothing to compare."""
    offers(scribe, "10.20.0.1", dns="9.9.9.9")
    assert scribe.detect("rogue_dns", policy=policy_of(filter={"resolvers": []})) == []


def speak(
    scribe: Any, source: str = "lldp", mac: int = ROGUE, ip: str = "::", port: str = "eth0", **more: Any
) -> None:
    scribe.sighting(0, source, mac, ip, port, **more)


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("lldp", {"capabilities": "bridge,router", "called": "sw-9"}),
        ("lldp", {"capabilities": "access_point"}),
        ("lldp", {"capabilities": "station", "called": "laptop", "description": "Debian GNU/Linux 12"}),
        ("cdp", {"capabilities": "switch,igmp", "called": "Switch"}),
        ("stp", {"bridge": "32768.00:16:3e:00:0b:ad", "port": "128.1"}),
    ],
)
def test_unknown_speaker_is_stated(scribe, policy_of, source, more):
    """A speaker of LLDP, CDP or spanning tree on no list is named by the MAC of chassis or bridge."""
    speak(scribe, source, **more)
    (row,) = scribe.detect("unknown_switch", policy=policy_of(approved={"switches": ["00:16:3e:00:00:aa"]}))
    assert row["subject"] == "00:16:3e:00:0b:ad"
    assert source.upper() in row["statement"]
    assert "on no list of switches" in row["statement"]


def test_without_a_list_speakers_are_told_to_be_unlisted(scribe):
    """As long as no switch is approved the statement says that no list tells."""
    speak(scribe, "stp", bridge="32768.00:16:3e:00:0b:ad")
    (row,) = scribe.detect("unknown_switch")
    assert "no list says" in row["statement"]


@pytest.mark.parametrize(
    ("source", "more"),
    [
        (
            "lldp",
            {"capabilities": "bridge,telephone", "manufacturer": "Phones Inc", "called": "SEP001122334455"},
        ),
        ("cdp", {"capabilities": "host,telephone", "called": "SEP001122334455"}),
        ("lldp", {}),
        ("lldp", {"capabilities": "station", "called": "Hall", "description": "LaserJet M404, firmware 2"}),
        ("lldp", {"capabilities": "bridge", "type": "shutdown"}),
        ("stp", {"type": "tcn"}),
    ],
)
def test_phones_printers_and_network_cards_are_no_switches(scribe, source, more):
    """Phones bridge the computer behind them; cards and printers speak LLDP and forward nothing."""
    speak(scribe, source, **more)
    assert scribe.detect("unknown_switch") == []


@pytest.mark.parametrize("approved", ["00:16:3e:00:0b:ad", "00-16-3E-00-00-AA", "SW-9"])
def test_switch_is_approved_by_port_chassis_or_name(scribe, policy_of, approved):
    """Each port has its own MAC: the chassis or the name is enough."""
    speak(scribe, capabilities="bridge", called="sw-9", chassis="00:16:3e:00:00:aa")
    assert scribe.detect("unknown_switch", policy=policy_of(approved={"switches": [approved]})) == []


def ssdp(scribe: Any, value: str, kind: str = "alive", ip: str = "10.20.0.66", mac: int = ROGUE) -> None:
    scribe.sighting(0, "ssdp", mac, ip, value, type=kind, server="Linux/5 UPnP/1.0 MiniUPnPd/2")


@pytest.mark.parametrize("kind", ["alive", "response", "update"])
def test_gateway_by_upnp(scribe, kind):
    """A device that says it is an internet gateway is stated at its first word."""
    ssdp(scribe, "urn:schemas-upnp-org:device:InternetGatewayDevice:1", kind)
    (row,) = scribe.detect("upnp_gateway")
    assert row["subject"] == "10.20.0.66"
    assert "as InternetGatewayDevice" in row["statement"]
    assert "MiniUPnPd" in row["statement"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("urn:schemas-upnp-org:device:InternetGatewayDevice:1", "search"),
        ("urn:schemas-upnp-org:device:InternetGatewayDevice:1", "byebye"),
        ("urn:schemas-upnp-org:device:MediaRenderer:1", "alive"),
        ("urn:dial-multiscreen-org:service:dial:1", "response"),
    ],
)
def test_searchers_and_screens_are_no_gateways(scribe, value, kind):
    """Who looks for a gateway, and a television, are left alone."""
    ssdp(scribe, value, kind)
    assert scribe.detect("upnp_gateway") == []


def test_approved_router_may_announce_itself(scribe):
    """The gateway on the list is left alone."""
    ssdp(scribe, "upnp:rootdevice InternetGatewayDevice", ip="10.20.0.1")
    assert scribe.detect("upnp_gateway") == []


@pytest.mark.parametrize(
    ("vendor_class", "name"),
    [
        ("dslforum.org", ""),
        ("Technicolor_DGA4131FWB/dslforum.org", ""),
        ("udhcp 1.36.1", "OpenWrt"),
        ("", "Archer_C6"),
        ("", "TL-WR841N"),
        ("", "RT-AX58U"),
        ("", "DIR-615"),
        ("", "Linksys01234"),
        ("", "GL-MT300N-V2"),
        ("", "NETGEAR"),
    ],
)
def test_consumer_router_by_dhcp(scribe, vendor_class, name):
    """The vendor class or host name that a router's firmware sends is told, one request is enough."""
    scribe.sighting(0, "dhcp_request", ROGUE, "::", vendor_class, called=name, type="discover")
    (row,) = scribe.detect("consumer_router")
    assert row["subject"] == "00:16:3e:00:0b:ad"
    assert (name or vendor_class) in row["statement"]


@pytest.mark.parametrize(
    ("vendor_class", "name"),
    [
        ("MSFT 5.0", "DESKTOP-4F2K1"),
        ("android-dhcp-14", "Galaxy-S23"),
        ("udhcp 1.30", "ESP_0A1B2C"),
        ("Grandstream GXP1405 dslforum.org", ""),
        ("dhcpcd-9.4.1:Linux-6.1", "dirk-laptop"),
        ("", "Eero-Saarinens-iPad"),
        ("", "tent-12"),
        ("", "orbit-lab"),
        ("", "TL-SG116E"),
    ],
)
def test_other_devices_are_no_consumer_routers(scribe, vendor_class, name):
    """Computers, phones, switches and boards are left alone, and so are names that only begin alike."""
    scribe.sighting(0, "dhcp_request", ROGUE, "::", vendor_class, called=name, type="discover")
    assert scribe.detect("consumer_router") == []


def test_setup_name_asked_for(scribe):
    """A question for a router's set-up name is told with the maker, at lower confidence."""
    scribe.dns(0, "10.20.0.5", "tplinkwifi.net")
    (row,) = scribe.detect("consumer_router")
    assert (row["subject"], row["confidence"]) == ("10.20.0.5", 50)
    assert "routers of TP-Link" in row["statement"]


def test_resolver_that_asks_for_others_is_left_alone(scribe):
    """What the resolver asks was asked by somebody else; other names say nothing."""
    scribe.dns(0, "10.10.0.53", "tplinkwifi.net")
    scribe.dns(0, "10.20.0.5", "www.tplinkwifi.net.example")
    assert scribe.detect("consumer_router") == []


def test_names_of_devices_are_escaped_and_bounded(scribe):
    """Control characters, markup and length of what a device says don't get into a statement as they are."""
    speak(scribe, capabilities="bridge", called="a\x07\u202e" + "<b>" * 100, description="x" * 4000)
    (row,) = scribe.detect("unknown_switch")
    assert "\x07" not in row["statement"]
    assert "\u202e" not in row["statement"]
    assert len(row["statement"]) < 600
