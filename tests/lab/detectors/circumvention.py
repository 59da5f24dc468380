"""Ways around the filter, with the programs that people use for it, and what looks like one and is none."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from tests.lab import browser, traffic
from tests.lab.detectors import tunnels
from tests.lab.detectors.scenario import Expectation, Scenario, Truth
from tests.lab.detectors.tunnels import (
    FAR,
    NAMES,
    OWN_VPN,
    PUPIL,
    REPUTATION_DOMAIN,
    fetched,
    over_proxy,
    pupil,
    through,
)
from tests.lab.network import Lab
from tests.lab.plan import INTERNET_NAMESERVER, RESOLVER


def wireguard(lab: Lab) -> Truth:
    """wireguard-go to an address that no list knows."""
    with tunnels.wireguard(lab, pupil(lab)) as device:
        return Truth(said=fetched(through(lab, "pupil", device)))


def openvpn(transport: str, crypt: bool) -> Callable[[Lab], Truth]:
    """OpenVPN over that transport."""

    def play(lab: Lab) -> Truth:
        with tunnels.openvpn(lab, pupil(lab), transport, crypt=crypt) as device:
            return Truth(said=fetched(through(lab, "pupil", device)))

    return play


IKE = """
import os, socket, struct, sys, time
side, far = sys.argv[1:]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def ike(initiator, responder, flags, exchange, body):
    return initiator + responder + struct.pack("!BBBBII", 33, 0x20, exchange, flags, 0, 28 + len(body)) + body
if side == "far":
    sock.bind((far, 4500))
    while True:
        data, who = sock.recvfrom(4096)
        if data[:4] == bytes(4):
            sock.sendto(bytes(4) + ike(data[4:12], b"responde", 0x20, data[22], os.urandom(300)), who)
        else:
            sock.sendto(data[:4] + data[4:8] + os.urandom(len(data) - 8), who)
initiator = os.urandom(8)
sock.settimeout(5)
for exchange in (34, 35):
    sock.sendto(bytes(4) + ike(initiator, bytes(8), 0x08, exchange, os.urandom(400)), (far, 4500))
    sock.recvfrom(4096)
for number in range(1, 200):
    sock.sendto(struct.pack("!II", 0xC0FFEE01, number) + os.urandom(1000), (far, 4500))
    sock.recvfrom(4096)
"""


def ipsec(lab: Lab) -> Truth:
    """IKEv2 and ESP in UDP, as the wire shows them (this kernel has no IPsec): a program of our own."""
    host = pupil(lab)
    tunnels.program(lab, "internet", IKE, "far", FAR)
    time.sleep(0.5)
    lab.run(host, [sys.executable, "-c", IKE, "near", FAR], timeout=60)
    return Truth(said="two exchanges, 199 packets of ESP")


def tor(lab: Lab) -> Truth:
    """tor, straight to the relays."""
    neighbours_of(lab)
    near = lab.onion.client(pupil(lab))  # type: ignore[attr-defined]
    return Truth(said=fetched(over_proxy(lab, "pupil", near, NAMES[:3], ("index.html",))))


def neighbours_of(lab: Lab) -> None:
    """The neighbours' pages, by which the mirror shows that it sees the site's DNS."""
    tunnels.neighbours(lab)


def obfs4(lab: Lab) -> Truth:
    """tor through a bridge with obfs4."""
    near = lab.onion.client(pupil(lab), lab.bridge)  # type: ignore[attr-defined]
    return Truth(said=fetched(over_proxy(lab, "pupil", near, NAMES[:8])))


def onion(lab: Lab) -> None:
    """The school, and a Tor network that has agreed on itself."""
    tunnels.prepare(lab)
    made = tunnels.Onion(lab)
    made.agreed()
    lab.onion, lab.bridge = made, made.bridge()  # type: ignore[attr-defined]


def shadowsocks(lab: Lab) -> Truth:
    """ss-local and ss-server."""
    return Truth(said=fetched(over_proxy(lab, pupil(lab), tunnels.shadowsocks(lab, "pupil"), NAMES[:6]), 10))


def socks(lab: Lab) -> Truth:
    """curl by way of a SOCKS proxy outside."""
    return Truth(said=fetched(over_proxy(lab, pupil(lab), tunnels.socks(lab), NAMES[:3]), 5))


def connect(lab: Lab) -> Truth:
    """curl by way of a proxy outside, with CONNECT."""
    return Truth(said=fetched(over_proxy(lab, pupil(lab), tunnels.connect_proxy(lab), NAMES[:3]), 5))


def ssh_d(lab: Lab) -> Truth:
    """ssh -D to a server outside, and a pupil's surfing in it."""
    near = tunnels.ssh_socks(lab, pupil(lab))
    return Truth(said=fetched(over_proxy(lab, "pupil", near), 20))


def iodine(kind: str, direct: bool) -> Callable[[Lab], Truth]:
    """A DNS tunnel by records of that type."""

    def play(lab: Lab) -> Truth:
        device = tunnels.iodine(lab, pupil(lab), kind, direct=direct)
        return Truth(said=fetched(through(lab, "pupil", device, ("index.html", "photo1.jpg"))))

    return play


def dot(lab: Lab) -> Truth:
    """kdig +tls."""
    host = pupil(lab)
    said = ""
    for name in NAMES:
        said += lab.run(host, ["kdig", "+tls", f"@{FAR}", name], check=False).stdout
    if said.count("NOERROR") < len(NAMES) // 2:
        raise RuntimeError(f"kdig was not answered: {said[-300:]}")
    return Truth(said=f"{said.count('NOERROR')} answers")


def dot_server(lab: Lab) -> None:
    """The school, and unbound outside that answers over TLS."""
    tunnels.prepare(lab)
    tunnels.dot(lab)


def doh(lab: Lab) -> Truth:
    """curl --doh-url for a dozen sites."""
    neighbours_of(lab)
    host = pupil(lab)
    said = "".join(
        traffic.fetch_over_doh(lab, host, name, (part,)) for name in NAMES for part in tunnels.PARTS
    )
    return Truth(said=fetched(said, 30))


def chromium(lab: Lab) -> Truth:
    """Chromium with secure DNS, a page that takes pictures from a dozen sites, three times."""
    neighbours_of(lab)
    host = pupil(lab)
    tunnels.secure_dns(lab, host)
    for turn in range(3):
        pictures = "".join(f"<img src='https://{name}/photo1.jpg?{turn}'>" for name in NAMES)
        browser.open_page(lab, host, f"data:text/html,{pictures}", seconds=25)
    return Truth(said="36 pictures")


def other_resolver(lab: Lab) -> Truth:
    """dig at a resolver of one's own choice."""
    host = pupil(lab)
    said = "".join(
        lab.run(host, ["dig", f"@{INTERNET_NAMESERVER}", name], check=False).stdout for name in NAMES
    )
    if said.count("ANSWER SECTION") < 10:
        raise RuntimeError(f"dig was not answered: {said[-300:]}")
    return Truth(said=f"{said.count('ANSWER SECTION')} answers")


def relay(lab: Lab) -> Truth:
    """curl to the first hop of iCloud Private Relay."""
    said = traffic.visit(lab, pupil(lab), "mask.icloud.com", parts=("index.html", "app.js"))
    return Truth(said=fetched(said))


def vpn_address(lab: Lab) -> Truth:
    """TLS without a name to an address on a list."""
    ca = lab.path / "public-ca"
    server = ["openssl", "s_server", "-accept", f"{FAR}:443", "-www", "-quiet"]
    lab.start("internet", [*server, "-cert", str(ca / "protonvpn.pem"), "-key", str(ca / "leaf.key")])
    time.sleep(1)
    said = traffic.fetch(lab, pupil(lab), [f"https://{FAR}/"])
    return Truth(said=fetched(said))


LLMNR = """
import socket, struct, sys, time
side, own = sys.argv[1:]
group = ("224.0.0.252", 5355)
name = b"\\x04wpad\\0" + struct.pack("!HH", 1, 1)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if side == "answers":
    sock.bind(("0.0.0.0", 5355))
    both = socket.inet_aton(group[0]) + socket.inet_aton(own)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, both)
    while True:
        data, who = sock.recvfrom(2048)
        record = b"\\xc0\\x0c" + struct.pack("!HHIH", 1, 1, 30, 4) + socket.inet_aton(own)
        sock.sendto(data[:2] + struct.pack("!HHHHH", 0x8000, 1, 1, 0, 0) + data[12:] + record, who)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
sock.settimeout(3)
for number in range(3):
    sock.sendto(struct.pack("!HHHHHH", 100 + number, 0, 1, 0, 0, 0) + name, group)
    print(sock.recvfrom(2048))
    time.sleep(0.3)
"""


def wpad(lab: Lab) -> Truth:
    """A host answers whoever looks for a proxy by LLMNR: a program of our own."""
    host = pupil(lab)
    lab.host("victim", "students", address="10.20.0.80")
    tunnels.program(lab, host, LLMNR, "answers", PUPIL)
    time.sleep(0.5)
    said = lab.run("victim", [sys.executable, "-c", LLMNR, "asks", "10.20.0.80"], check=False)
    if said.returncode:
        raise RuntimeError(said.stderr[-300:])
    return Truth(said="three answers")


def everything_in_one(lab: Lab) -> Truth:
    """A morning of many sites, then all of it through Shadowsocks; judged as 40 times as long."""
    host = pupil(lab)
    near = tunnels.shadowsocks(lab, host)
    for name in NAMES:
        traffic.visit(lab, host, name, parts=("style.css",))
    # The pauses are long once the times are stretched.
    time.sleep(10)
    end = time.monotonic() + 35
    said = ""
    while time.monotonic() < end:
        said += over_proxy(lab, host, near, random.sample(NAMES, 1), ("photo1.jpg", "app.js", "index.html"))
    return Truth(said=fetched(said, 20))


# -- what must stay silent


def own_vpn(lab: Lab) -> Truth:
    """WireGuard and OpenVPN to the school's own end point."""
    host = pupil(lab)
    with tunnels.wireguard(lab, host, OWN_VPN):
        pass
    with tunnels.openvpn(lab, host, "udp", OWN_VPN, crypt=True) as device:
        return Truth(said=fetched(through(lab, host, device)))


def dig_all(lab: Lab, host: str, names: list[str], kind: str = "A") -> str:
    """Many questions to the school's resolver, from a file."""
    path = lab.path / f"{host}-{kind}.txt"
    path.write_text("".join(f"{name} {kind}\n" for name in names))
    return lab.run(host, ["dig", "+time=1", "+tries=1", f"@{RESOLVER}", "-f", str(path)], check=False).stdout


def reputation(lab: Lab) -> Truth:
    """Anti-virus asks for hashes: unknown ones, known ones (127.0.0.4), and text of a known service."""
    host = pupil(lab)
    rng = random.Random(1)
    hashes = [rng.randbytes(n).hex() for n in (20, 31) for _ in range(80)]
    said = dig_all(lab, host, [f"{text}.{REPUTATION_DOMAIN}" for text in hashes])
    said += dig_all(lab, host, [f"{text}.hash.unknown-vendor.com" for text in hashes])
    said += dig_all(lab, host, [f"{text}.x.sophosxl.net" for text in hashes], "TXT")
    return Truth(said=f"{said.count('status:')} answers")


def content_network(lab: Lab) -> Truth:
    """A player that takes its pieces from two hundred names of one content network."""
    host = pupil(lab)
    rng = random.Random(2)
    names = [f"r{n}---sn-{rng.randbytes(5).hex()}.googlevideo.com" for n in range(200)]
    said = dig_all(lab, host, names)
    said += traffic.visit(lab, host, names[0], parts=("clip.mp4",))
    return Truth(said=f"{said.count('ANSWER SECTION')} answers")


def mail_server(lab: Lab) -> Truth:
    """A mail server asks lists of senders and the records of its partners' domains."""
    lab.host("mail", "infrastructure", address="10.10.0.25")
    lab.host("relay", "staff", address="10.30.0.25")
    senders = [f"{n % 250}.113.0.203.zen.blocklist.net" for n in range(240)]
    said = dig_all(lab, "relay", senders) + dig_all(lab, "relay", senders, "TXT")
    said += dig_all(lab, "relay", [f"_dmarc.partner{n}.com" for n in range(150)], "TXT")
    said += dig_all(lab, "relay", [f"{n}.2.20.10.in-addr.arpa" for n in range(200)], "PTR")
    return Truth(said=f"{said.count('status:')} answers")


def prefetch(lab: Lab) -> Truth:
    """Chromium asks ahead for the names of a page's links."""
    tunnels.neighbours(lab)
    host = pupil(lab)
    links = "".join(
        f"<link rel=dns-prefetch href=//{name}><a href=https://{name}/>{name}</a>" for name in NAMES
    )
    pictures = "".join(f"<img src=https://{name}/photo1.jpg>" for name in NAMES)
    browser.open_page(lab, host, f"data:text/html,{links}{pictures}", seconds=25)
    return Truth(said="twelve sites")


def clone(lab: Lab) -> Truth:
    """git clone over SSH from a server outside, then a push of a little."""
    host = pupil(lab)
    options = tunnels.ssh_server(lab)
    folder = lab.path / "project"
    folder.mkdir()
    (folder / "data.bin").write_bytes(random.Random(3).randbytes(6_000_000))
    git = ["git", "-C", str(folder), "-c", "user.name=lab", "-c", "user.email=lab@example"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        lab.run("internet", [*git, *words])
    command = ["env", f"GIT_SSH_COMMAND=ssh {' '.join(options)}", "git", "clone", "-q"]
    done = lab.run(
        host, [*command, f"ssh://root@{FAR}{folder}", str(lab.path / "copy")], check=False, timeout=90
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-300:])
    return Truth(said="6 MB")


def one_server(what: str) -> Callable[[Lab], Truth]:
    """All of a host's bytes with one address for a while, for a good reason; judged as 20 times as long."""

    def play(lab: Lab) -> Truth:
        host = pupil(lab)
        for name in NAMES:
            traffic.visit(lab, host, name, parts=("style.css",))
        time.sleep(8)
        if what == "backup":
            said = "".join(traffic.upload(lab, host, "www.quizlet.com", 4_000_000) for _ in range(20))
        elif what == "update":
            said = "".join(
                traffic.download(lab, host, "www.windowsupdate.com", "update.cab", "400k") for _ in range(2)
            )
        else:
            said = traffic.download(lab, host, "www.quizlet.com", "update.cab?big", "300k")
            said += traffic.download(lab, host, "www.quizlet.com", "update.cab?bigger", "300k")
        return Truth(said=said)

    return play


LEAK = Expectation("filter_leak", PUPIL)


def around(key: str, title: str, play: Callable[[Lab], Truth], *expects: str, **more: object) -> Scenario:
    """A scenario whose pupil must be found by these detectors."""
    return Scenario(
        f"around_{key}", title, play, [Expectation(name, PUPIL) for name in expects], [LEAK],
        **{"prepare": tunnels.prepare, **more},  # type: ignore[arg-type]
    )  # fmt: skip


def benign(key: str, title: str, play: Callable[[Lab], Truth], **more: object) -> Scenario:
    """A scenario that must stay silent."""
    return Scenario(f"benign_{key}", title, play, **{"prepare": tunnels.prepare, **more})  # type: ignore[arg-type]


PROTOCOL, NOTHING, TUNNEL = "circumvention_protocol", "fully_encrypted", "dns_tunnel"
UNASKED, LISTED = "unresolved_names", "circumvention_endpoint"
WG, IODINE, SS, TOR = (
    ["wireguard-go", "wg"],
    ["iodine", "iodined"],
    ["ss-local", "ss-server"],
    ["tor", "tor-gencert"],
)
THERE = {"vpn": [f"{FAR}/32"]}
OWN = {"sanctioned": {"vpn": [f"{OWN_VPN}/32"]}}
SCENARIOS = (
    around("wireguard", "wireguard-go, its pages", wireguard, PROTOCOL, needs=WG),
    around("openvpn_udp", "openvpn over UDP, port 1195", openvpn("udp", False), PROTOCOL, needs=["openvpn"]),
    around("openvpn_tcp", "openvpn over TCP, port 1195", openvpn("tcp", False), PROTOCOL, needs=["openvpn"]),
    around("openvpn_crypt", "openvpn over UDP, tls-crypt", openvpn("udp", True), PROTOCOL, needs=["openvpn"]),
    around("ipsec", "IKEv2 and ESP in UDP (own program)", ipsec, PROTOCOL),
    around("socks", "curl, SOCKS proxy outside (ss-local)", socks, PROTOCOL, needs=SS),
    around("connect", "curl, CONNECT to a proxy outside (squid)", connect, PROTOCOL, needs=["squid"]),
    around("dot", "kdig +tls, resolver outside (unbound)", dot, PROTOCOL, prepare=dot_server, needs=["kdig"]),
    around("tor", "tor, a network of four relays", tor, "made_up_names", prepare=onion, needs=TOR),
    around("obfs4", "tor through a bridge, obfs4proxy", obfs4, NOTHING, prepare=onion, needs=TOR),
    around("shadowsocks", "ss-local, ss-server", shadowsocks, NOTHING, needs=SS),
    around("ssh", "ssh -D, a dozen sites through it", ssh_d, "ssh_carrier", needs=["ssh"]),
    around("iodine_null", "iodine -T NULL, by the resolver", iodine("NULL", False), TUNNEL, needs=IODINE),
    around("iodine_txt", "iodine -T TXT, by the resolver", iodine("TXT", False), TUNNEL, needs=IODINE),
    around("iodine_cname", "iodine -T CNAME, by the resolver", iodine("CNAME", False), TUNNEL, needs=IODINE),
    around("iodine_direct", "iodine -T PRIVATE, straight", iodine("PRIVATE", True), TUNNEL, needs=IODINE),
    around("doh", "curl --doh-url, 36 parts of twelve sites", doh, UNASKED, LISTED),
    around("doh_chromium", "Chromium, secure DNS", chromium, UNASKED, LISTED, needs=["chromium"]),
    around("resolver", "dig @ an outside resolver, twelve names", other_resolver, "outside_resolver"),
    around("private_relay", "curl to mask.icloud.com", relay, LISTED),
    around("address", "a listed address", vpn_address, "circumvention_address", lists=THERE),
    around("wpad", "wpad answered by LLMNR (own program)", wpad, "proxy_configuration"),
    around(
        "one_address", "many sites, then all through ss-local; 40 times as long", everything_in_one,
        "single_address", NOTHING, stretch=40, needs=SS,
    ),
    benign("own_vpn", "wireguard-go, openvpn", own_vpn, policy=OWN, needs=[*WG, "openvpn"]),
    benign("reputation", "dig, 480 look-ups of hashes", reputation),
    benign("content_network", "dig, 200 names of one content network", content_network),
    benign("mail_server", "dig, block lists, DMARC and reverse names of a mail server", mail_server),
    benign("prefetch", "Chromium, DNS prefetch and twelve sites", prefetch, needs=["chromium"]),
    benign("git_ssh", "git clone over SSH, 6 MB", clone, needs=["git", "ssh"]),
    benign("one_backup", "curl, 80 MB up to one address; 20 times as long", one_server("backup"), stretch=20),
    benign("one_update", "curl, an update of 12 MB; 20 times as long", one_server("update"), stretch=20),
    benign("one_file", "curl, 12 MB from one address; 20 times as long", one_server("file"), stretch=20),
)  # fmt: skip
