"""The real servers of the lab: the internet's DNS, web and DoH, the school's filter, its DHCP.

Which names exist and how the filter treats them is `services.tsv`; everything else here is configuration text
for dnsmasq, unbound and nginx, written into the lab's folder at start, certificates included.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab.certificates import Certificates
from tests.lab.network import Lab
from tests.lab.plan import INTERNET_NAMESERVER, RESOLVER, SINKHOLE, VLANS

CONFIGURATION = Path(__file__).with_name("configuration")
PROGRAMS = {
    "dnsmasq": "dnsmasq",
    "unbound": "unbound",
    "nginx": "nginx-light",
    "caddy": "caddy",
    "openssl": "openssl",
    "iptables": "iptables",
    "curl": "curl",
    "dig": "dnsutils",
    "busybox": "busybox",
}
BLOCK_HOST = "block.school.example"
DOH_NAME = "dns.google"
QUIC_SERVICES = ("youtube", "googlevideo", "google", "instagram", "facebook")
QUIC_PORT = 4443  # nginx holds TCP 443, which caddy would want, too; what comes to UDP 443 is sent here
GUEST_DNS_PORT = 5353

# Bytes of each file on every web server; what a page is made of.
FILES = {
    "index.html": 38_000,
    "style.css": 21_000,
    "app.js": 120_000,
    "logo.svg": 4_000,
    "photo1.jpg": 64_000,
    "photo2.jpg": 88_000,
    "photo3.jpg": 47_000,
    "feed.json": 16_000,
    "clip.mp4": 900_000,
    "song.ogg": 240_000,
    "lesson.pdf": 400_000,
    "update.cab": 6_000_000,
}


@dataclass(frozen=True)
class Service:
    """A row of services.tsv: what is reached under `domains` (suffixes), and what the filter does."""

    name: str
    domains: tuple[str, ...]
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]
    category: str
    method: str
    groups: str


def read_services() -> dict[str, Service]:
    """The table services.tsv by service name."""
    text = Path(__file__).with_name("services.tsv").read_text()
    rows = csv.reader((line for line in text.splitlines() if not line.startswith("#")), delimiter="\t")
    return {
        row[0]: Service(
            row[0],
            tuple(row[1].split(",")),
            tuple(row[2].split(",")),
            tuple(filter(None, row[3].split(","))),
            "" if row[4] == "-" else row[4],
            row[5],
            row[6],
        )
        for row in rows
    }


SERVICES = read_services()


def why_not() -> str:
    """Empty where the servers can run, else the reason in one line."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = " ".join(PROGRAMS[name] for name in missing)
        return f"the lab's servers need {', '.join(missing)}: apt-get install {packages}"
    return ""


def start_internet(lab: Lab) -> None:
    """Names, web servers and a DoH resolver in the internet's namespace."""
    lab.serve_on([INTERNET_NAMESERVER, *(ip for s in SERVICES.values() for ip in (*s.ipv4, *s.ipv6))])
    certificates = Certificates(lab.path / "public-ca", "Lab Public Root")
    _internet_names(lab)
    _web(lab, certificates)
    _quic(lab, certificates)
    _doh(lab, certificates)


def _internet_names(lab: Lab) -> None:
    lines = [
        "no-resolv",
        "no-hosts",
        "bind-interfaces",
        f"listen-address={INTERNET_NAMESERVER}",
        "local=/#/",
        "local-ttl=120",
        "log-facility=-",
    ]
    for service in SERVICES.values():
        for domain in service.domains:
            lines += [f"address=/{domain}/{ip}" for ip in (*service.ipv4, *service.ipv6)]
    start_dnsmasq(lab, "internet", "internet-dns", lines)


def _web(lab: Lab, certificates: Certificates) -> None:
    root = lab.path / "www"
    root.mkdir()
    (root / "upload").mkdir()
    for name, size in FILES.items():
        (root / name).write_bytes(_filler(name, size))
    os.chmod(lab.path, 0o755)
    servers = []
    for service in SERVICES.values():
        if service.name == "doh":
            continue
        key, chain = certificates.leaf(service.name, service.domains)
        listen = [f"{ip}" for ip in service.ipv4] + [f"[{ip}]" for ip in service.ipv6]
        servers.append(
            filled(
                "web_site.conf",
                plain="".join(f"listen {ip}:80; " for ip in listen),
                secure="".join(f"listen {ip}:443 ssl http2; " for ip in listen),
                names=" ".join(f".{domain}" for domain in service.domains),
                chain=chain,
                key=key,
                root=root,
            )
        )
    start_nginx(lab, "internet", "web", "\n".join(servers))


def start_caddy(lab: Lab, sites: str) -> None:
    """Serve `sites` (Caddyfile text) over QUIC alone, in the internet."""
    path = lab.path / "Caddyfile"
    path.write_text(filled("quic.caddy") + sites)
    lab.nft("internet", filled("quic.nft", port=QUIC_PORT))
    home = [f"HOME={lab.path}", f"XDG_DATA_HOME={lab.path}"]
    lab.start(
        "internet",
        ["env", *home, "caddy", "run", "--adapter", "caddyfile", "--config", str(path)],
        "caddy.log",
    )


def _quic(lab: Lab, certificates: Certificates) -> None:
    root = lab.path / "www"
    sites = ""
    for name in QUIC_SERVICES:
        key, chain = certificates.leaf(name, SERVICES[name].domains)
        hosts = [f"https://{w}{domain}:{QUIC_PORT}" for domain in SERVICES[name].domains for w in ("", "*.")]
        sites += filled("quic_site.caddy", hosts=", ".join(hosts), chain=chain, key=key, root=root)
    start_caddy(lab, sites)


def _doh(lab: Lab, certificates: Certificates) -> None:
    key, chain = certificates.leaf("doh", (DOH_NAME,))
    address = SERVICES["doh"].ipv4[0]
    text = filled(
        "unbound.conf",
        folder=lab.path,
        name="doh",
        server=f"""
  interface: {address}@443
  https-port: 443
  tls-service-key: "{key}"
  tls-service-pem: "{chain}"
""",
        zones="",
        upstream=INTERNET_NAMESERVER,
    )
    start_unbound(lab, "internet", "doh", text)


def start_filter(lab: Lab) -> None:
    """The school's resolver, its sinkhole with the block page, and the gateway's filter on the line."""
    lab.host("resolver", "infrastructure", address=RESOLVER)
    lab.host("sinkhole", "infrastructure", address=SINKHOLE)
    lab.resolver("resolver", INTERNET_NAMESERVER)
    _resolver(lab)
    _guest_resolver(lab)
    _block_page(lab)
    _line_filter(lab)


def _resolver(lab: Lab) -> None:
    zones = {"students": [f"{BLOCK_HOST} A {SINKHOLE}"], "all": []}
    local = []
    for service in SERVICES.values():
        for domain in service.domains:
            for name in (domain, f"*.{domain}"):
                if service.method == "sinkhole":
                    zones[service.groups].append(f"{name} A {SINKHOLE}")
                elif service.method == "nxdomain":
                    zones[service.groups].append(f"{name} CNAME .")
            if service.method in ("refused", "null"):
                kind = "always_refuse" if service.method == "refused" else "always_null"
                local += [
                    f'  local-zone: "{domain}" {kind}',
                    f'  local-zone-tag: "{domain}" "{service.groups}"',
                ]
    policy_zones = ""
    for tag, lines in zones.items():
        path = lab.path / f"{tag}.rpz"
        path.write_text(filled("policy.rpz") + "\n".join(lines) + "\n")
        policy_zones += f'rpz:\n  name: "{tag}.rpz"\n  zonefile: "{path}"\n  tags: "{tag}"\n'
    text = filled(
        "unbound.conf",
        folder=lab.path,
        name="resolver",
        server="\n".join(
            [
                f"  interface: {RESOLVER}",
                '  define-tag: "students all"',
                f'  access-control-tag: {VLANS["students"].network} "students all"',
                f'  access-control-tag: {VLANS["staff"].network} "all"',
                *local,
            ]
        ),
        zones=policy_zones,
        upstream=INTERNET_NAMESERVER,
    )
    start_unbound(lab, "resolver", "resolver", text)


def _guest_resolver(lab: Lab) -> None:
    """Guests ask the same address and are answered by a filter that sends extended errors."""
    blocked = [d for s in SERVICES.values() if s.method in DNS_METHODS for d in s.domains]
    lab.nft("resolver", filled("guests.nft", guests=VLANS["guests"].network, port=GUEST_DNS_PORT))
    program = [sys.executable, str(Path(__file__).with_name("ede.py"))]
    lab.start("resolver", [*program, RESOLVER, str(GUEST_DNS_PORT), RESOLVER, *blocked], "ede.log")


def _block_page(lab: Lab) -> None:
    key, chain = Certificates(lab.path / "filter-ca", "School Filter").leaf("block", (BLOCK_HOST,))
    root = lab.path / "block"
    root.mkdir()
    (root / "blocked.html").write_text(filled("blocked.html"))
    start_nginx(
        lab,
        "sinkhole",
        "block-page",
        filled("block_page.conf", host=BLOCK_HOST, key=key, chain=chain, root=root),
    )


def _line_filter(lab: Lab) -> None:
    """On the gateway: TCP reset on a forbidden server name, plain HTTP to the block page, no QUIC."""
    inside = ("vlan20", "vlan40")
    for service in SERVICES.values():
        for domain in service.domains if service.method in LINE_TARGETS else ():
            for port in inside:
                match = f"-i {port} -p tcp --dport 443 -m string --algo bm --string {domain}"
                target = LINE_TARGETS[service.method]
                lab.run("gateway", ["iptables", "-A", "FORWARD", *match.split(), "-j", *target])
    redirected = [ip for s in SERVICES.values() if s.method == "redirect" for ip in s.ipv4]
    ports = ", ".join(f'"{port}"' for port in inside)
    lab.nft(
        "gateway", filled("line_filter.nft", ports=ports, servers=", ".join(redirected), sinkhole=SINKHOLE)
    )


def start_dhcp(lab: Lab, reservations: dict[str, str] | None = None) -> None:
    """The gateway as DHCP server of the three client VLANs, and as IPv6 router of the students'.

    `reservations`: address by hardware address; others get one from .1.0 on.
    """
    lines = [
        "port=0",
        "no-resolv",
        "dhcp-authoritative",
        # Else it waits 3 s for an echo before each offer, one client after the other.
        "no-ping",
        "log-dhcp",
        "log-facility=-",
        "enable-ra",
        "bind-interfaces",
        f"dhcp-leasefile={lab.path / 'leases'}",
        "dhcp-lease-max=1000",
    ]
    for name in ("students", "staff", "guests"):
        vlan = VLANS[name]
        lines += [
            f"interface=vlan{vlan.number}",
            f"dhcp-range=set:{name},{vlan.network[256]},{vlan.network[500]},{vlan.network.netmask},1h",
            f"dhcp-option=tag:{name},option:router,{vlan.gateway}",
            f"dhcp-option=tag:{name},option:dns-server,{RESOLVER}",
            f"dhcp-option=tag:{name},option:domain-name,school.example",
        ]
        if vlan.network6:
            lines.append(f"dhcp-range={vlan.network6[0]},ra-only,64,1h")
            lines.append(f"ra-param=vlan{vlan.number},30,600")
    lines += [f"dhcp-host={mac},{address}" for mac, address in (reservations or {}).items()]
    start_dnsmasq(lab, "gateway", "dhcp", lines)


def start_school(lab: Lab, reservations: dict[str, str] | None = None) -> None:
    """All of it: internet, filter and DHCP, each answering when this returns."""
    start_internet(lab)
    start_filter(lab)
    start_dhcp(lab, reservations)
    lab.wait_for("resolver", ["dig", "+time=1", "+tries=1", "@" + RESOLVER, "www.wikipedia.org"])
    lab.wait_for("sinkhole", ["curl", "-s", "-o", "/dev/null", f"http://{SINKHOLE}/"])
    lab.wait_for("internet", ["curl", "-sk", "-o", "/dev/null", "https://198.51.100.30/"])


def _filler(name: str, size: int) -> bytes:
    """`size` bytes of that kind of file; the page names its other parts, so that a browser fetches them."""
    if name == "index.html":
        head = filled("page.html").encode()
        return head + b"<!-- " + b"." * max(0, size - len(head) - 9) + b" -->"
    comment = {"css": b"/*%s*/", "js": b"/*%s*/", "svg": SVG.encode()}.get(name.rsplit(".", 1)[1], b"%s")
    return comment % (os.urandom(size // 2).hex().encode())


def filled(file: str, /, **values: object) -> str:
    """A file of configuration/, each @word@ replaced by its value; raises KeyError for one without."""
    text = (CONFIGURATION / file).read_text()
    return re.sub("@([a-z]+)@", lambda found: str(values[found[1]]), text)


def start_dnsmasq(lab: Lab, host: str, name: str, lines: list[str]) -> None:
    """dnsmasq on a host with these lines as its configuration; its log is `name`.log."""
    path = lab.path / f"{name}.conf"
    path.write_text("\n".join([*lines, "user=root", "group=root", f"pid-file={lab.path / name}.pid"]) + "\n")
    lab.start(host, ["dnsmasq", "--keep-in-foreground", f"--conf-file={path}"], f"{name}.log")


def start_unbound(lab: Lab, host: str, name: str, text: str) -> None:
    """unbound on a host with this configuration; its log is `name`.log."""
    path = lab.path / f"{name}.conf"
    path.write_text(text)
    lab.start(host, ["unbound", "-d", "-p", "-c", str(path)], f"{name}.log")


def start_nginx(lab: Lab, host: str, name: str, servers: str) -> None:
    """nginx on a host with these server blocks; its log is `name`.log."""
    path = lab.path / f"{name}.conf"
    path.write_text(filled("nginx.conf", folder=lab.path, name=name, servers=servers))
    lab.start(host, ["nginx", "-c", str(path), "-p", str(lab.path)], f"{name}.log")


DNS_METHODS = ("sinkhole", "nxdomain", "refused", "null")
LINE_TARGETS = {"reset": ("REJECT", "--reject-with", "tcp-reset"), "silence": ("DROP",)}


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><!--%s--></svg>'
