"""The real servers of the lab: the internet's DNS, web and DoH, the school's filter, its DHCP.

Which names exist and how the filter treats them is `services.tsv`; everything else here is configuration text
for dnsmasq, unbound and nginx, written into the lab's folder at start, certificates included.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab.network import INTERNET_NAMESERVER, RESOLVER, SINKHOLE, VLANS, Lab

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
    _dnsmasq(lab, "internet", "internet-dns", lines)


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
            SERVER.format(
                plain="".join(f"listen {ip}:80; " for ip in listen),
                secure="".join(f"listen {ip}:443 ssl http2; " for ip in listen),
                names=" ".join(f".{domain}" for domain in service.domains),
                chain=chain,
                key=key,
                root=root,
            )
        )
    _nginx(lab, "internet", "web", "\n".join(servers))


def _quic(lab: Lab, certificates: Certificates) -> None:
    root = lab.path / "www"
    sites = ""
    for name in QUIC_SERVICES:
        key, chain = certificates.leaf(name, SERVICES[name].domains)
        hosts = [f"https://{w}{domain}:{QUIC_PORT}" for domain in SERVICES[name].domains for w in ("", "*.")]
        sites += QUIC_SITE.format(hosts=", ".join(hosts), chain=chain, key=key, root=root)
    path = lab.path / "Caddyfile"
    path.write_text(QUIC_SERVER + sites)
    lab.nft("internet", QUIC_REDIRECT.format(port=QUIC_PORT))
    home = [f"HOME={lab.path}", f"XDG_DATA_HOME={lab.path}"]
    lab.start(
        "internet",
        ["env", *home, "caddy", "run", "--adapter", "caddyfile", "--config", str(path)],
        "caddy.log",
    )


def _doh(lab: Lab, certificates: Certificates) -> None:
    key, chain = certificates.leaf("doh", (DOH_NAME,))
    address = SERVICES["doh"].ipv4[0]
    text = UNBOUND.format(
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
    _unbound(lab, "internet", "doh", text)


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
        path.write_text(RPZ + "\n".join(lines) + "\n")
        policy_zones += f'rpz:\n  name: "{tag}.rpz"\n  zonefile: "{path}"\n  tags: "{tag}"\n'
    text = UNBOUND.format(
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
    _unbound(lab, "resolver", "resolver", text)


def _guest_resolver(lab: Lab) -> None:
    """Guests ask the same address and are answered by a filter that sends extended errors."""
    blocked = [d for s in SERVICES.values() if s.method in DNS_METHODS for d in s.domains]
    lab.nft("resolver", GUEST_REDIRECT.format(guests=VLANS["guests"].network, port=GUEST_DNS_PORT))
    program = [sys.executable, str(Path(__file__).with_name("ede.py"))]
    lab.start("resolver", [*program, RESOLVER, str(GUEST_DNS_PORT), RESOLVER, *blocked], "ede.log")


def _block_page(lab: Lab) -> None:
    key, chain = Certificates(lab.path / "filter-ca", "School Filter").leaf("block", (BLOCK_HOST,))
    root = lab.path / "block"
    root.mkdir()
    (root / "blocked.html").write_text(BLOCK_PAGE)
    _nginx(
        lab, "sinkhole", "block-page", BLOCK_SERVER.format(host=BLOCK_HOST, key=key, chain=chain, root=root)
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
    lab.nft("gateway", LINE_FILTER.format(ports=ports, servers=", ".join(redirected), sinkhole=SINKHOLE))


def start_dhcp(lab: Lab, reservations: dict[str, str] | None = None) -> None:
    """The gateway as DHCP server of the three client VLANs, and as IPv6 router of the students'.

    `reservations`: address by hardware address; others get one from .1.0 on.
    """
    lines = [
        "port=0",
        "no-resolv",
        "dhcp-authoritative",
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
    _dnsmasq(lab, "gateway", "dhcp", lines)


def start_school(lab: Lab, reservations: dict[str, str] | None = None) -> None:
    """All of it: internet, filter and DHCP, each answering when this returns."""
    start_internet(lab)
    start_filter(lab)
    start_dhcp(lab, reservations)
    lab.wait_for("resolver", ["dig", "+time=1", "+tries=1", "@" + RESOLVER, "www.wikipedia.org"])
    lab.wait_for("sinkhole", ["curl", "-s", "-o", "/dev/null", f"http://{SINKHOLE}/"])
    lab.wait_for("internet", ["curl", "-sk", "-o", "/dev/null", "https://198.51.100.30/"])


class Certificates:
    """A certificate authority made for this run, and the leaves it signs (RSA 2048, one key for all)."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        folder.mkdir()
        self._openssl(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "30",
            "-subj",
            f"/O={name}/CN={name}",
        )
        self._openssl("genrsa", "-out", "leaf.key", "2048")
        self._openssl("pkey", "-in", "leaf.key", "-pubout", "-outform", "der", "-out", "leaf.spki")

    @staticmethod
    def pin(folder: Path) -> str:
        """The leaves' key as a browser's pin: base64 of the SHA-256 of its SubjectPublicKeyInfo."""
        return base64.b64encode(hashlib.sha256((folder / "leaf.spki").read_bytes()).digest()).decode()

    def leaf(self, name: str, domains: tuple[str, ...]) -> tuple[Path, Path]:
        """Key file and chain file for these domains and all names below them."""
        names = ",".join(f"DNS:{domain},DNS:*.{domain}" for domain in domains)
        (self.folder / f"{name}.ext").write_text(
            f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        self._openssl("req", "-new", "-key", "leaf.key", "-subj", f"/CN={domains[0]}", "-out", f"{name}.csr")
        self._openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            f"{name}.ext",
            "-out",
            f"{name}.crt",
        )
        chain = self.folder / f"{name}.pem"
        chain.write_text((self.folder / f"{name}.crt").read_text() + (self.folder / "ca.pem").read_text())
        return self.folder / "leaf.key", chain

    def _openssl(self, *arguments: str) -> None:
        result = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise OSError(f"openssl {arguments[0]} failed: {result.stderr.strip()}")


def _filler(name: str, size: int) -> bytes:
    """`size` bytes of that kind of file; the page names its other parts, so that a browser fetches them."""
    if name == "index.html":
        head = PAGE.encode()
        return head + b"<!-- " + b"." * max(0, size - len(head) - 9) + b" -->"
    comment = {"css": b"/*%s*/", "js": b"/*%s*/", "svg": SVG.encode()}.get(name.rsplit(".", 1)[1], b"%s")
    return comment % (os.urandom(size // 2).hex().encode())


def _dnsmasq(lab: Lab, host: str, name: str, lines: list[str]) -> None:
    path = lab.path / f"{name}.conf"
    path.write_text("\n".join([*lines, "user=root", "group=root", f"pid-file={lab.path / name}.pid"]) + "\n")
    lab.start(host, ["dnsmasq", "--keep-in-foreground", f"--conf-file={path}"], f"{name}.log")


def _unbound(lab: Lab, host: str, name: str, text: str) -> None:
    path = lab.path / f"{name}.conf"
    path.write_text(text)
    lab.start(host, ["unbound", "-d", "-p", "-c", str(path)], f"{name}.log")


def _nginx(lab: Lab, host: str, name: str, servers: str) -> None:
    path = lab.path / f"{name}.conf"
    path.write_text(NGINX.format(folder=lab.path, name=name, servers=servers))
    lab.start(host, ["nginx", "-c", str(path), "-p", str(lab.path)], f"{name}.log")


DNS_METHODS = ("sinkhole", "nxdomain", "refused", "null")
LINE_TARGETS = {"reset": ("REJECT", "--reject-with", "tcp-reset"), "silence": ("DROP",)}

GUEST_REDIRECT = """
table ip guests {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    ip saddr {guests} udp dport 53 redirect to :{port}
  }}
}}
"""

QUIC_REDIRECT = """
table inet quic {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    udp dport 443 redirect to :{port}
  }}
}}
"""

QUIC_SERVER = """{
  auto_https off
  admin off
  servers {
    protocols h3
  }
}
"""

QUIC_SITE = """
{hosts} {{
  tls {chain} {key}
  root * {root}
  file_server
}}
"""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lab page</title>
<link rel="stylesheet" href="/style.css"><link rel="icon" href="/logo.svg">
<script src="/app.js" defer></script></head><body><h1>Lab page</h1>
<img src="/photo1.jpg" alt=""><img src="/photo2.jpg" alt="">
<img src="/photo3.jpg" alt=""></body></html>
"""

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><!--%s--></svg>'

BLOCK_PAGE = """<!doctype html><html lang="en"><head><title>Blocked</title></head><body>
<h1>This page is blocked</h1><p>The school's acceptable-use policy does not allow this site.
If you need it for class, ask your teacher to request a review.</p></body></html>
"""

RPZ = """$TTL 300
@ SOA localhost. root.localhost. 1 3600 600 86400 300
@ NS localhost.
"""

UNBOUND = """server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: "{folder}/{name}.pid"
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  access-control: 0.0.0.0/0 allow
  module-config: "respip iterator"
  ede: yes
{server}
remote-control:
  control-enable: no
{zones}
forward-zone:
  name: "."
  forward-addr: {upstream}
"""

NGINX = """daemon off;
user root;
worker_processes 1;
pid {folder}/{name}.pid;
error_log {folder}/{name}-error.log;
events {{ worker_connections 2048; }}
http {{
  access_log {folder}/{name}-access.log;
  types {{ text/html html; text/css css; application/javascript js; image/svg+xml svg; image/jpeg jpg;
           video/mp4 mp4; video/mp2t ts; application/vnd.apple.mpegurl m3u8; }}
  default_type application/octet-stream;
  client_max_body_size 100m;
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  scgi_temp_path {folder}/{name}-scgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  client_header_timeout 8s;
  keepalive_timeout 65s;
  http2_recv_buffer_size 64k;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_tickets on;
{servers}
}}
"""

SERVER = """server {{
  {plain}{secure}
  server_name {names};
  ssl_certificate {chain};
  ssl_certificate_key {key};
  root {root};
  location = /connecttest.txt {{ return 200 "Microsoft Connect Test"; }}
  location = /generate_204 {{ return 204; }}
  location /upload/ {{ dav_methods PUT; create_full_put_path on; }}
  location / {{
    if ($scheme = http) {{ return 301 https://$host$request_uri; }}
    try_files $uri /index.html;
  }}
}}
"""

BLOCK_SERVER = """server {{
  listen 80 default_server;
  return 302 http://{host}/blocked.html?host=$host;
}}
server {{
  listen 80;
  listen 443 ssl http2 default_server;
  server_name {host};
  ssl_certificate {chain};
  ssl_certificate_key {key};
  root {root};
  error_page 403 /blocked.html;
  location = /blocked.html {{ }}
  location / {{ return 403; }}
}}
"""

LINE_FILTER = """
table ip line_filter {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    iifname {{ {ports} }} ip daddr {{ {servers} }} tcp dport 80 dnat to {sinkhole}
  }}
}}
table inet no_quic {{
  chain forward {{
    type filter hook forward priority filter
    iifname {{ {ports} }} oifname "wan" udp dport 443 drop
  }}
}}
"""
