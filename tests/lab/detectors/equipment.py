"""Equipment that nobody approved, and what looks like it: servers, routers, switches, hotspots, radios."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from functools import partial

from tests.lab import servers, traffic
from tests.lab.detectors import frames
from tests.lab.detectors.scenario import Expectation, Scenario, Truth, nothing
from tests.lab.network import Lab, mac_for
from tests.lab.plan import VLANS

STUDENTS = VLANS["students"]
GATEWAY = STUDENTS.gateway
SITES = ("www.wikipedia.org", "www.nasa.gov", "www.khanacademy.org")
PAGE = ("index.html", "style.css")
SSID = b"Harbor Staff"
OUR_BSSIDS = ("3c:28:6d:10:00:00", "3c:28:6d:10:00:10")
LINE = "9.9.9.9"  # miniupnpd refuses addresses that are kept for examples
WIRELESS = {"approved": {"ssids": [SSID.decode()], "access_points": list(OUR_BSSIDS)}}


def link_local(host: str) -> str:
    """The address that a host gives itself (RFC 4291, appendix A)."""
    mac = frames.octets(mac_for(host))
    parts = bytes([mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]]).hex()
    return "fe80::" + ":".join(parts[i : i + 4].lstrip("0") or "0" for i in range(0, 16, 4))


def _visits(lab: Lab, *hosts: str, rounds: int = 2) -> str:
    """Pages by each host in turn, as people at one desk open them."""
    said = [
        traffic.visit(lab, host, name, parts=PAGE) for _ in range(rounds) for name in SITES for host in hosts
    ]
    if not any(line.startswith("200") for text in said for line in text.splitlines()):
        raise RuntimeError(f"no page came: {said[-1][-200:]}")
    return f"{len(said)} visits"


def _leased(lab: Lab, host: str, system: str = "linux") -> None:
    if not traffic.lease(lab, host, system):
        raise RuntimeError(f"{host} got no address")


# -- servers and routers


def second_dhcp(lab: Lab) -> Truth:
    """A second dnsmasq answers a laptop's request for an address."""
    lab.host("rogue", "students", address="10.20.0.66")
    lab.host("laptop", "students")
    server = traffic.start_rogue_dhcp(lab, "rogue")
    time.sleep(1)
    traffic.lease(lab, "laptop", keep=False)
    lab.stop(server)
    said = (lab.path / "rogue-dhcp.log").read_text()
    if "DHCPOFFER" not in said:
        raise RuntimeError(f"no offer was made: {said[-200:]}")
    return Truth(said=said[-200:])


def second_dhcpv6(lab: Lab) -> Truth:
    """dnsmasq hands out IPv6 addresses on a student's port."""
    lab.host("rogue", "students", address="10.20.0.66", ipv6=True)
    lab.host("laptop", "students", ipv6=True)
    lab.run("rogue", ["ip", "addr", "add", "2001:db8:20::66/64", "dev", "eth0", "nodad"])
    path = lab.path / "rogue6.conf"
    path.write_text(
        "port=0\ninterface=eth0\nbind-interfaces\nuser=root\nlog-dhcp\nlog-facility=-\n"
        f"pid-file={path}.pid\ndhcp-leasefile={path}.leases\n"
        "dhcp-range=2001:db8:20::1000,2001:db8:20::1fff,64,1h\n"
        "dhcp-option=option6:dns-server,[2001:db8:20::66]\n"
    )
    server = lab.start("rogue", ["dnsmasq", "--keep-in-foreground", f"--conf-file={path}"], "rogue6.log")
    time.sleep(3)
    command = ["timeout", "12", "dhclient", "-6", "-1", "-d", "-sf", "/bin/true"]
    command += ["-lf", str(lab.path / "leases6"), "-pf", str(lab.path / "pid6"), "eth0"]
    lab.run("laptop", command, check=False)
    lab.stop(server)
    said = (lab.path / "rogue6.log").read_text()
    if "DHCPADVERTISE" not in said and "DHCPREPLY" not in said:
        raise RuntimeError(f"no answer was made: {said[-300:]}")
    return Truth(said=said[-200:])


def second_router(lab: Lab) -> Truth:
    """radvd announces a prefix and itself as resolver."""
    lab.host("rogue", "students", address="10.20.0.66", ipv6=True)
    lab.host("laptop", "students", ipv6=True)
    lab.run("rogue", ["sysctl", "-q", "net.ipv6.conf.all.forwarding=1"])
    path = lab.path / "radvd.conf"
    path.write_text(
        "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;"
        " AdvDefaultPreference high; prefix 2001:db8:bad::/64 { }; RDNSS 2001:db8:bad::53 { }; };\n"
    )
    time.sleep(2)
    server = lab.start(
        "rogue", ["radvd", "-n", "-C", str(path), "-p", str(lab.path / "radvd.pid")], "radvd.log"
    )
    time.sleep(7)
    if server.poll() is not None:
        raise RuntimeError(f"radvd ended: {(lab.path / 'radvd.log').read_text()[-300:]}")
    lab.stop(server)
    return Truth(said="radvd for 7 s")


def gateway_by_upnp(lab: Lab) -> Truth:
    """What a home router tells everybody by SSDP."""
    lab.host("rogue", "students", address="10.20.0.66")
    kind = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
    notify = (
        "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800\r\n"
        "LOCATION: http://10.20.0.66:5000/rootDesc.xml\r\nSERVER: Linux UPnP/1.1 MiniUPnPd/2.3\r\n"
        f"NT: {kind}\r\n"
        f"USN: uuid:73796e74-6178-6572-726f-720000000001::{kind}\r\nNTS: ssdp:alive\r\n\r\n"
    )
    mac = mac_for("rogue")
    frame = frames.udp(
        mac, "10.20.0.66", "239.255.255.250", (1900, 1900), notify.encode(), "01:00:5e:7f:ff:fa"
    )
    frames.send(lab, "rogue", [frame])
    return Truth(said="one NOTIFY")


def gateway_by_miniupnpd(lab: Lab) -> Truth:
    """A computer that shares its line, with the UPnP server of most home routers."""
    lab.host("rogue", "students", address="10.20.0.66")
    for line in ("link add line type bridge", f"addr add {LINE}/24 dev line", "link set line up"):
        lab.run("rogue", ["ip", *line.split()])
    config = lab.path / "miniupnpd.conf"
    config.write_text(
        f"ext_ifname=line\next_ip={LINE}\nlistening_ip=eth0\nport=5000\nenable_upnp=yes\n"
        f"notify_interval=60\nuuid=73796e74-6178-6572-726f-720000000002\nlease_file={lab.path}/leases.upnp\n"
    )
    daemon = lab.start(
        "rogue", ["miniupnpd", "-d", "-f", str(config), "-P", f"{config}.pid"], "miniupnpd.log"
    )
    time.sleep(8)
    said = (lab.path / "miniupnpd.log").read_text(errors="replace").strip()
    if daemon.poll() is not None:
        raise RuntimeError(f"miniupnpd ended: {said[-300:]}")
    return Truth(said="8 s of announcements")


def speaker(lab: Lab) -> Truth:
    """lldpd on a laptop, told to speak at once."""
    lab.host("rogue", "students", address="10.20.0.66")
    # lldpcli gives up being root before it opens the socket.
    os.chmod(lab.path, 0o755)
    socket = str(lab.path / "lldpd.sock")
    server = lab.start(
        "rogue", ["lldpd", "-d", "-u", socket, "-I", "eth0", "-S", "Debian GNU/Linux"], "lldpd.log"
    )
    time.sleep(3)
    lab.wait_for("rogue", ["lldpcli", "-u", socket, "update"])
    time.sleep(2)
    lab.stop(server)
    return Truth(said="lldpd for 5 s")


def bridge(lab: Lab) -> Truth:
    """A computer that bridges two ports and speaks spanning tree, as Linux does with `stp_state 1`."""
    lab.host("rogue", "students")
    for command in (
        f"link add br0 address {mac_for('rogue')} type bridge stp_state 1 forward_delay 200 hello_time 100",
        "link set br0 up",
        "link set eth0 master br0",
    ):
        lab.run("rogue", ["ip", *command.split()])
    time.sleep(6)
    return Truth(said="a bridge with spanning tree for 6 s")


def cisco_switch(lab: Lab) -> Truth:
    """One CDP frame of a small switch."""
    lab.host("rogue", "students", address="10.20.0.66")
    frames.send(
        lab, "rogue", [frames.cdp(mac_for("rogue"), "FastEthernet0/1", "Switch", "cisco WS-C2960", 0x28)]
    )
    return Truth(said="one CDP frame")


def consumer_router(lab: Lab) -> Truth:
    """A travel router asks for its address with the name that its firmware has."""
    lab.host("GL-MT300N", "students")
    _leased(lab, "GL-MT300N")
    return Truth(said="one lease")


def setup_page(lab: Lab) -> Truth:
    """Somebody looks for the set-up page of a router."""
    lab.host("laptop", "students", address="10.20.0.11")
    return Truth(said=traffic.look_up(lab, "laptop", "tplinkwifi.net"))


# -- one address, several systems


def nat_router(lab: Lab, clients: dict[str, str]) -> Truth:
    """A consumer router with its clients behind translation."""
    lab.host("den-router", "students", address="10.20.0.66")
    traffic.plug_in_nat_router(lab, "den-router", clients)
    return Truth(said=_visits(lab, *clients))


def shared_link(lab: Lab, own: str, guest: str, tests: str = "") -> Truth:
    """A laptop uses its connection and shares it with another device, which tests it as a `tests` does."""
    lab.host("laptop", "students", address="10.20.0.66")
    traffic.set_system(lab, "laptop", own)
    traffic.plug_in_nat_router(lab, "laptop", {"guest": guest})
    if tests:
        traffic.visit(lab, "laptop", SITES[0], parts=PAGE)
        traffic.check_connection(lab, "guest", tests)
    return Truth(said=_visits(lab, "laptop", "guest"))


def bridged_guest(lab: Lab) -> Truth:
    """A virtual machine with another system, bridged: its own MAC and address at the same port."""
    lab.host("workstation", "students", address="10.20.0.66")
    lab.namespace("guest")
    lab.wire("workstation", "vm0", "guest", "eth0")
    for command in (
        f"link add br0 address {mac_for('workstation')} type bridge",
        "link set vm0 master br0",
        "addr flush dev eth0",
        "link set eth0 master br0",
        "link set br0 up",
        f"addr add 10.20.0.66/{STUDENTS.network.prefixlen} dev br0",
        f"route add default via {GATEWAY}",
    ):
        lab.run("workstation", ["ip", *command.split()])
    lab.run("guest", ["ip", "addr", "add", f"10.20.0.67/{STUDENTS.network.prefixlen}", "dev", "eth0"])
    lab.run("guest", ["ip", "route", "add", "default", "via", GATEWAY])
    lab.resolver("guest", servers.RESOLVER)
    traffic.set_system(lab, "guest", "windows")
    time.sleep(1)
    return Truth(said=_visits(lab, "workstation", "guest"))


def restarted(lab: Lab) -> Truth:
    """A laptop with two systems: Windows, a restart, Linux; each asks for an address of its own kind."""
    lab.host("laptop", "students")
    for system in ("windows", "chromeos"):
        traffic.set_system(lab, "laptop", system)
        _leased(lab, "laptop", system)
        said = _visits(lab, "laptop", rounds=1)
    return Truth(said=said)


# -- addresses of others


def arp_spoofing(lab: Lab) -> Truth:
    """A laptop tells another that it is the gateway, while the other opens pages."""
    lab.host("victim", "students", address="10.20.0.11")
    lab.host("rogue", "students", address="10.20.0.66")
    traffic.visit(lab, "victim", SITES[0], parts=PAGE)
    claim = frames.arp(mac_for("rogue"), GATEWAY, "10.20.0.11", target=mac_for("victim"))
    frames.send(lab, "rogue", [claim] * 5, 1)
    lab.run("victim", ["ip", "neigh", "flush", "all"])
    traffic.visit(lab, "victim", SITES[1], parts=PAGE)
    return Truth(said="five ARP replies")


def same_address(lab: Lab) -> Truth:
    """Two computers with one fixed address, both at work."""
    for name in ("first", "second"):
        lab.host(name, "students", address="10.20.0.77")
    sent = [
        frames.arp(mac_for(name), "10.20.0.77", f"10.20.0.{target}", asks=True)
        for target in range(1, 6)
        for name in ("first", "second")
    ]
    for number, frame in enumerate(sent):
        frames.send(lab, "second" if number % 2 else "first", [frame])
    return Truth(said=f"{len(sent)} ARP requests")


def starvation(lab: Lab) -> Truth:
    """DHCP requests of 150 made-up MACs."""
    lab.host("rogue", "students", address="10.20.0.66")
    made_up = random.Random(1)
    macs = [f"{made_up.randrange(256) & 0xFC | 2:02x}:" + made_up.randbytes(5).hex(":") for _ in range(150)]
    frames.send(lab, "rogue", [frames.discover(mac) for mac in macs], 0.02)
    time.sleep(2)
    return Truth(said="150 requests")


def mac_flood(lab: Lab) -> Truth:
    """1,500 frames with made-up MACs and addresses, as macof sends them."""
    lab.host("rogue", "students", address="10.20.0.66")
    made_up = random.Random(2)
    sent = []
    for _ in range(1_500):
        mac = f"{made_up.randrange(256) & 0xFC:02x}:" + made_up.randbytes(5).hex(":")
        source, target = (".".join(str(made_up.randrange(1, 223)) for _ in range(4)) for _ in range(2))
        other = f"00:{made_up.randbytes(5).hex(':')}"
        sent.append(
            frames.udp(mac, source, target, (made_up.randrange(1024, 65_535), 53_211), bytes(12), other)
        )
    frames.send(lab, "rogue", sent, 0.002)
    return Truth(said="1,500 frames")


def gateways_in_a_pair(lab: Lab) -> Truth:
    """Two routers with an address of their own each and a shared one with VRRP's MAC."""
    virtual = "00:00:5e:00:01:14"
    for name, address in (("router-a", "10.20.0.2"), ("router-b", "10.20.0.3")):
        lab.host(name, "students", address=address)
    for number in range(4):
        frames.send(
            lab,
            "router-a",
            [
                frames.vrrp(virtual, "10.20.0.2", "10.20.0.254"),
                frames.arp(virtual, "10.20.0.254", f"10.20.1.{number}"),
                frames.arp(mac_for("router-a"), "10.20.0.2", f"10.20.1.{number}", asks=True),
            ],
        )
        frames.send(
            lab, "router-b", [frames.arp(mac_for("router-b"), "10.20.0.3", f"10.20.1.{number}", asks=True)]
        )
    return Truth(said="four advertisements")


def sleep_proxy(lab: Lab) -> Truth:
    """A television answers for three computers that sleep, and each wakes once."""
    lab.host("television", "students", address="10.20.0.50")
    macs = [f"3c:22:fb:00:00:{number:02x}" for number in range(3)]
    for number, mac in enumerate(macs):
        address = f"10.20.0.{60 + number}"
        steps = [
            frames.arp(mac, address, GATEWAY, asks=True),
            frames.arp(mac_for("television"), address, "10.20.0.11"),
            frames.arp(mac_for("television"), address, "10.20.0.12"),
            frames.arp(mac, address, address, asks=True),
            frames.arp(mac, address, "10.20.0.12"),
        ]
        frames.send(lab, "television", steps, 0.05)
    return Truth(said="three computers")


def shared_work(lab: Lab) -> Truth:
    """Two approved DHCP servers on one network answer the same requests."""
    for name, address in (("dhcp-a", "10.20.0.4"), ("dhcp-b", "10.20.0.5")):
        lab.host(name, "students", address=address)
        lines = [
            "port=0", "no-ping", "interface=eth0", "bind-interfaces",
            f"dhcp-leasefile={lab.path / name}.leases",
            f"dhcp-range=10.20.{address[-1]}.10,10.20.{address[-1]}.99,{STUDENTS.network.netmask},1h",
            f"dhcp-option=option:router,{GATEWAY}", f"dhcp-option=option:dns-server,{servers.RESOLVER}",
        ]  # fmt: skip
        servers.start_dnsmasq(lab, name, name, lines)
    lab.host("laptop", "students")
    time.sleep(1)
    _leased(lab, "laptop")
    return Truth(said="one lease")


def telephones(lab: Lab) -> Truth:
    """Telephones that speak LLDP-MED and CDP, with a computer behind one of them."""
    lab.host("desk", "students", address="10.20.0.66")
    sent = []
    for number in range(3):
        mac = f"00:04:f2:00:00:{number:02x}"
        capabilities = frames.BRIDGE | frames.TELEPHONE
        sent.append(
            frames.lldp(mac, "1", f"SEP0004f20000{number:02x}", "phone 5.9", capabilities, "VVX 411", 40)
        )
        sent.append(frames.cdp(mac, "Port 1", f"SEP0004F20000{number:02X}", "phone 5.9", 0x490))
    frames.send(lab, "desk", sent)
    return Truth(said=traffic.visit(lab, "desk", SITES[0], parts=PAGE))


def printers(lab: Lab) -> Truth:
    """Printers that speak LLDP and SSDP, one with Wi-Fi Direct."""
    lab.host("printer", "students", address="10.20.0.66")
    mac = mac_for("printer")
    description = "LaserJet M404dn, 2409081_000012"
    kind = "urn:schemas-upnp-org:device:Printer:1"
    alive = "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ssdp:alive\r\n"
    alive += f"NT: {kind}\r\nUSN: uuid:1::{kind}\r\n\r\n"
    group = ("239.255.255.250", (1900, 1900), alive.encode(), "01:00:5e:7f:ff:fa")
    frames.send(
        lab,
        "printer",
        [
            frames.lldp(mac, "1", "library", description, frames.STATION),
            frames.udp(mac, "10.20.0.66", *group),
            frames.arp(mac, "10.20.0.66", GATEWAY, asks=True),
        ],
    )
    near = mac[:-2] + f"{int(mac[-2:], 16) ^ 1:02x}"
    frames.record(
        lab.path / "more" / "air.pcap", [frames.beacon(near, b"DIRECT-4F-LaserJet", 6, "wpa2-psk")] * 5
    )
    return Truth(said="a printer")


# -- the air


def air(lab: Lab, heard: Sequence[tuple[str, bytes, int, str]] = ()) -> Truth:
    """What a card in monitor mode hears for some seconds: our network, neighbours, and what is asked for."""
    usual = [
        (bssid, SSID, channel, "wpa2-enterprise") for bssid, channel in zip(OUR_BSSIDS, (1, 11), strict=True)
    ]
    others = [
        ("02:11:22:33:44:55", b"Cafe <script>alert(1)</script>", 6, "open"),
        ("02:11:22:33:44:56", b"", 6, "open"),
    ]
    sent = [frames.beacon(*one) for one in (*usual, *others, *heard)]
    frames.record(lab.path / "more" / "air.pcap", sent * 5)
    lab.host("laptop", "students", address="10.20.0.11")
    traffic.visit(lab, "laptop", SITES[0], parts=PAGE)
    return Truth(said=f"{len(sent)} networks")


def access_point_on_wire(lab: Lab) -> Truth:
    """An access point in a room: its wired side asks for an address, its radio has the MAC beside it."""
    lab.host("dorm-ap", "students")
    _leased(lab, "dorm-ap")
    mac = mac_for("dorm-ap")
    bssid = mac[:-2] + f"{int(mac[-2:], 16) ^ 1:02x}"
    frames.record(lab.path / "more" / "air.pcap", [frames.beacon(bssid, b"Dorm 12", 6, "wpa2-psk")] * 5)
    return Truth(said=bssid, subjects={"bssid": bssid})


ROGUE = mac_for("rogue")
PAIR = {
    "approved": {
        "routers": [
            "10.10.0.1",
            "10.20.0.1",
            "10.20.0.2",
            "10.20.0.3",
            "10.20.0.254",
            "10.30.0.1",
            "10.40.0.1",
        ]
    }
}
SHARED_DHCP = {"approved": {"dhcp": ["10.20.0.1", "10.20.0.4", "10.20.0.5"]}}
SHARING = (Expectation("address_sharing", "10.20.0.66"),)
MIXED = (Expectation("mixed_systems", "10.20.0.66"),)

SCENARIOS = (
    Scenario(
        "equipment_dhcp", "a second dnsmasq, DHCP", second_dhcp, [Expectation("rogue_dhcp", "10.20.0.66")],
        goal="always",
    ),
    Scenario(
        "equipment_dhcpv6", "a second dnsmasq, DHCPv6 (dhclient -6)", second_dhcpv6,
        [Expectation("rogue_dhcpv6", link_local("rogue"))], goal="always", needs=["dhclient"],
    ),
    Scenario(
        "equipment_ra", "radvd, prefix and RDNSS", second_router,
        [Expectation("rogue_router", link_local("rogue"))], goal="always", needs=["radvd"],
    ),
    Scenario(
        "equipment_lldpd", "lldpd on a laptop", speaker, [Expectation("unknown_switch", ROGUE)],
        goal="always", prepare=nothing, needs=["lldpd"],
    ),
    Scenario(
        "equipment_stp", "a Linux bridge with spanning tree", bridge, [Expectation("unknown_switch", ROGUE)],
        goal="always", prepare=nothing,
    ),
    Scenario(
        "equipment_cdp", "one CDP frame of a switch", cisco_switch, [Expectation("unknown_switch", ROGUE)],
        goal="always", prepare=nothing,
    ),
    Scenario(
        "equipment_upnp", "one SSDP NOTIFY of an InternetGatewayDevice", gateway_by_upnp,
        [Expectation("upnp_gateway", "10.20.0.66")], goal="always", prepare=nothing,
    ),
    Scenario(
        "equipment_upnp_daemon", "miniupnpd on a computer that shares its line", gateway_by_miniupnpd,
        [Expectation("upnp_gateway", "10.20.0.66")], goal="always", prepare=nothing, needs=["miniupnpd"],
    ),
    Scenario(
        "equipment_router_name", "a travel router's DHCP (udhcpc)", consumer_router,
        [Expectation("consumer_router", mac_for("GL-MT300N"))], goal="always",
    ),
    Scenario(
        "equipment_setup_page", "a question for tplinkwifi.net (dig)", setup_page,
        [Expectation("consumer_router", "10.20.0.11")], goal="always",
    ),
    Scenario(
        "equipment_nat_mixed", "NAT router, Windows and a Mac behind",
        partial(nat_router, clients={"pc": "windows", "mac": "apple"}),
        SHARING, MIXED,
    ),
    Scenario(
        "equipment_nat_alike", "NAT router, three Android tablets behind",
        partial(nat_router, clients={"one": "android", "two": "android", "three": "android"}), SHARING, MIXED,
    ),
    Scenario(
        "equipment_hotspot", "Windows laptop shares its link with a phone",
        partial(shared_link, own="windows", guest="apple", tests="apple"), MIXED, SHARING,
    ),
    Scenario(
        "equipment_hotspot_linux", "Linux laptop shares its link with Windows",
        partial(shared_link, own="chromeos", guest="windows"), SHARING, MIXED,
    ),
    Scenario(
        "equipment_arp_spoofing", "ARP replies in the gateway's name", arp_spoofing,
        [Expectation("gateway_takeover", ROGUE)], goal="always",
    ),
    Scenario(
        "equipment_same_address", "two computers with one address", same_address,
        [Expectation("duplicate_address", "10.20.0.77")], prepare=nothing,
    ),
    Scenario(
        "equipment_starvation", "DHCP requests of 150 made-up MACs", starvation,
        [Expectation("dhcp_starvation", "{site}")],
    ),
    Scenario(
        "equipment_mac_flood", "1,500 frames with made-up MACs", mac_flood,
        [Expectation("mac_flood", "{site}")],
        prepare=nothing,
    ),
    Scenario(
        "equipment_evil_twin", "our SSID from an unknown BSSID",
        partial(air, heard=(("02:aa:bb:00:00:01", SSID, 6, "wpa2-enterprise"),)),
        [Expectation("evil_twin", "02:aa:bb:00:00:01")], goal="always", policy=WIRELESS,
    ),
    Scenario(
        "equipment_open_twin", "our SSID, open, with an approved BSSID forged",
        partial(air, heard=((OUR_BSSIDS[0], SSID, 6, "open"),)),
        [Expectation("weak_wireless", OUR_BSSIDS[0])], goal="always", policy=WIRELESS,
    ),
    Scenario(
        "equipment_ap_on_wire", "an access point on our wire", access_point_on_wire,
        [Expectation("access_point_on_wire", "{bssid}")], goal="always", policy=WIRELESS,
    ),
    Scenario("benign_air", "our access points, neighbours, hostile and hidden SSIDs", air, policy=WIRELESS),
    Scenario("benign_dhcp_pair", "two approved DHCP servers on one network", shared_work, policy=SHARED_DHCP),
    Scenario(
        "benign_vrrp", "two routers that share an address and a MAC", gateways_in_a_pair, policy=PAIR,
        prepare=nothing,
    ),
    Scenario("benign_sleep_proxy", "a sleep proxy answers ARP for others", sleep_proxy, prepare=nothing),
    Scenario("benign_phones", "IP telephones, LLDP-MED and CDP, a computer behind one", telephones),
    Scenario("benign_printer", "a printer: LLDP, SSDP, Wi-Fi Direct", printers, prepare=nothing),
    Scenario(
        "benign_containers", "containers of a Linux laptop",
        partial(shared_link, own="chromeos", guest="android"),
    ),
    Scenario("benign_bridged_guest", "a bridged virtual machine with another system", bridged_guest),
    Scenario("benign_dual_boot", "a restart from Windows into Linux", restarted),
)  # fmt: skip
