"""What people and machines do on the lab's network: each function is one act of a real program on one host.

A function runs to its act's end and raises only if the program could not be run at all: a visit that the
filter stops is a visit, too. `record_demo` plays them together; detector tests play them one at a time.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from tests.lab.network import Lab
from tests.lab.plan import INTERNET_NAMESERVER, RESOLVER, VLANS
from tests.lab.servers import DOH_NAME

PROGRAMS = {
    "chromium": "chromium",
    "ffmpeg": "ffmpeg",
    "nmap": "nmap",
    "openvpn": "openvpn",
    "tcpdump": "tcpdump",
    "zstd": "zstd",
}
PAGE_PARTS = ("index.html", "style.css", "app.js", "photo1.jpg", "photo2.jpg", "photo3.jpg", "feed.json")

# What an operating system says of itself: DHCP vendor class (option 60) and its TCP/IP defaults.
SYSTEMS = {
    "windows": ("MSFT 5.0", {"net.ipv4.ip_default_ttl": 128, "net.ipv4.tcp_timestamps": 0}),
    "chromeos": ("dhcpcd-6.8.2:Linux-5.15.0:x86_64:GenuineIntel", {"net.ipv4.ip_default_ttl": 64}),
    "android": ("android-dhcp-13", {"net.ipv4.ip_default_ttl": 64}),
    "apple": ("", {"net.ipv4.ip_default_ttl": 64, "net.ipv4.tcp_window_scaling": 1}),
    "linux": ("", {"net.ipv4.ip_default_ttl": 64}),
}

EDNS_SYSTEMS = ("android", "apple")

LEASE_SCRIPT = """#!/bin/sh
case "$1" in
bound|renew)
  ip -4 addr flush dev "$interface"
  ip addr add "$ip/$mask" dev "$interface"
  [ -n "$router" ] && ip route replace default via "${router%% *}"
  for server in $dns; do echo "nameserver $server"; done > /etc/resolv.conf
  [ -n "$EDNS" ] && echo "options edns0" >> /etc/resolv.conf
  ;;
esac
"""


def why_not() -> str:
    """Empty where all of these programs are there, else the reason in one line."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = " ".join(PROGRAMS[name] for name in missing)
        return f"the lab's clients need {', '.join(missing)}: apt-get install {packages}"
    return ""


def set_system(lab: Lab, host: str, system: str) -> None:
    """Gives a host the TCP/IP defaults of an operating system of SYSTEMS."""
    values = SYSTEMS[system][1]
    lab.run(host, ["sysctl", "-q", *(f"{key}={value}" for key, value in values.items())])


def lease(lab: Lab, host: str, system: str = "linux", *, keep: bool = True) -> str | None:
    """Asks for an address by DHCP with the host's name; takes it unless `keep` is false. The address."""
    script = lab.path / "lease"
    if not script.exists():
        # Made under another name: hosts may ask at the same time.
        own = lab.path / f"lease-{host}"
        own.write_text(LEASE_SCRIPT)
        own.chmod(0o755)
        own.replace(script)
    vendor = SYSTEMS[system][0]
    lab.run(
        host,
        [
            "env",
            f"EDNS={'yes' if system in EDNS_SYSTEMS else ''}",
            "busybox",
            "udhcpc",
            "-i",
            lab.hosts[host].interface,
            "-f",
            "-q",
            "-n",
            "-t",
            "4",
            "-T",
            "2",
            "-x",
            f"hostname:{host}",
            "-V",
            vendor,
            "-s",
            str(script) if keep else "/bin/true",
        ],
        check=False,
    )
    return lab.address(host)


def look_up(lab: Lab, host: str, name: str, kind: str = "A") -> str:
    """One question to the host's resolver; what `dig` printed (answers, or the status in full)."""
    return lab.run(host, ["dig", "+time=2", "+tries=2", name, kind], check=False).stdout


def fetch(lab: Lab, host: str, urls: Sequence[str], *options: str, timeout: float = 60) -> str:
    """Fetches URLs one after the other over as few connections as the server allows.

    One line for each transfer: HTTP status, bytes, server address, curl's error text.
    """
    command = [
        "curl",
        "-sk",
        "--connect-timeout",
        "6",
        "--max-time",
        str(timeout),
        "-w",
        "%{http_code} %{size_download} %{remote_ip} %{errormsg}\n",
        *options,
    ]
    for url in urls:
        command += ["-o", "/dev/null", url]
    return lab.run(host, command, check=False, timeout=timeout * max(1, len(urls)) + 30).stdout


def visit(
    lab: Lab, host: str, name: str, *options: str, parts: Sequence[str] = PAGE_PARTS, timeout: float = 60
) -> str:
    """A page with its parts from https://name/, as a browser that keeps its connection does."""
    return fetch(lab, host, [f"https://{name}/{part}" for part in parts], *options, timeout=timeout)


def visit_plain(lab: Lab, host: str, name: str) -> str:
    """A page over plain HTTP, following where the server (or the filter) sends it."""
    return fetch(lab, host, [f"http://{name}/"], "-L")


def download(lab: Lab, host: str, name: str, part: str, rate: str = "2M") -> str:
    """One file from https://name/ at no more than `rate` bytes a second (curl's notation)."""
    return fetch(lab, host, [f"https://{name}/{part}"], "--limit-rate", rate, timeout=120)


def upload(lab: Lab, host: str, name: str, size: int) -> str:
    """Sends a file of `size` bytes to https://name/upload/."""
    with tempfile.NamedTemporaryFile(dir=lab.path) as source:
        source.truncate(size)
        return fetch(
            lab, host, [f"https://{name}/upload/homework.zip"], "-T", source.name, "--limit-rate", "2M"
        )


def check_connection(lab: Lab, host: str, system: str) -> str:
    """The operating system's own test whether it is online, over plain HTTP."""
    url = {
        "windows": "http://www.msftconnecttest.com/connecttest.txt",
        "apple": "http://captive.apple.com/generate_204",
    }.get(system, "http://connectivitycheck.gstatic.com/generate_204")
    return fetch(lab, host, [url])


def make_video(lab: Lab, seconds: int, kilobits: int = 2500, segment: int = 4) -> None:
    """Encodes a film (test picture with noise) as HLS into the web servers' /video/ folder."""
    folder = lab.path / "www" / "video"
    folder.mkdir()
    rate = f"{kilobits}k"
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=480x270:rate=15,noise=alls=60:allf=t",
            "-t",
            str(seconds),
            "-c:v",
            "mpeg2video",
            "-b:v",
            rate,
            "-minrate",
            rate,
            "-maxrate",
            rate,
            "-bufsize",
            rate,
            "-g",
            str(15 * segment),
            "-f",
            "hls",
            "-hls_time",
            str(segment),
            "-hls_playlist_type",
            "vod",
            str(folder / "index.m3u8"),
        ],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def watch(lab: Lab, host: str, name: str, seconds: int) -> None:
    """Plays https://name/video/index.m3u8 with ffmpeg at the film's own speed."""
    lab.run(
        host,
        [
            "ffmpeg",
            "-v",
            "error",
            "-re",
            "-i",
            f"https://{name}/video/index.m3u8",
            "-t",
            str(seconds),
            "-c",
            "copy",
            "-f",
            "null",
            "-",
        ],
        check=False,
        timeout=seconds + 60,
    )


def watch_segments(
    lab: Lab, host: str, name: str, count: int, part: str = "clip.mp4", per_minute: int = 15
) -> str:
    """Fetches a segment again and again over one connection at a player's pace."""
    return fetch(
        lab,
        host,
        [f"https://{name}/{part}?range={number}" for number in range(count)],
        "--rate",
        f"{per_minute}/m",
        timeout=count * 60 / per_minute + 30,
    )


def fetch_over_vpn(lab: Lab, host: str, server: str, name: str, parts: Sequence[str] = PAGE_PARTS) -> str:
    """Opens an OpenVPN tunnel (UDP 1194, TLS) to `server` and fetches https://name/ through it."""
    ca = lab.path / "public-ca"
    address = lab.run("internet", ["dig", "+short", f"@{INTERNET_NAMESERVER}", server]).stdout.split()[0]
    hidden = lab.run("internet", ["dig", "+short", f"@{INTERNET_NAMESERVER}", name]).stdout.split()[0]
    common = ["openvpn", "--dev", "tun", "--verb", "1", "--ca", f"{ca}/ca.pem", "--key", f"{ca}/leaf.key"]
    common += ["--cert", f"{ca}/protonvpn.pem", "--data-ciphers", "AES-256-GCM"]
    ends = lab.start(
        "internet",
        [
            *common,
            "--proto",
            "udp",
            "--local",
            address,
            "--port",
            "1194",
            "--tls-server",
            "--dh",
            "none",
            "--ifconfig",
            "10.99.0.1",
            "10.99.0.2",
        ],
    )
    client = lab.start(
        host,
        [
            *common,
            "--proto",
            "udp",
            "--nobind",
            "--remote",
            server,
            "1194",
            "--tls-client",
            "--ifconfig",
            "10.99.0.2",
            "10.99.0.1",
            "--route",
            hidden,
            "255.255.255.255",
        ],
    )
    try:
        lab.wait_for(host, ["busybox", "ping", "-c", "1", "-W", "1", "10.99.0.1"], 20)
        return visit(lab, host, name, "--resolve", f"{name}:443:{hidden}", parts=parts)
    finally:
        lab.stop(client)
        lab.stop(ends)


def fetch_over_doh(lab: Lab, host: str, name: str, parts: Sequence[str] = ("index.html",)) -> str:
    """Fetches from a name that the host asks of a DoH resolver instead of the school's."""
    return visit(lab, host, name, "--doh-url", f"https://{DOH_NAME}/dns-query", "--doh-insecure", parts=parts)


def scan_addresses(lab: Lab, host: str, targets: str, ports: str = "445") -> None:
    """nmap: SYN to one or a few ports of many addresses, routed, so that no ARP gives them away."""
    _nmap(lab, host, "-sS", "-Pn", "-T4", "--max-retries", "0", "-p", ports, targets)


def scan_ports(lab: Lab, host: str, target: str, ports: str = "1-1000") -> None:
    """nmap: SYN to many ports of one address."""
    _nmap(lab, host, "-sS", "-Pn", "-T4", "--max-retries", "1", "-p", ports, target)


def scan_xmas(lab: Lab, host: str, target: str, ports: str = "1-100") -> None:
    """nmap: FIN+PSH+URG to many ports of one address."""
    _nmap(lab, host, "-sX", "-Pn", "-T4", "--max-retries", "0", "-p", ports, target)


def scan_udp(lab: Lab, host: str, target: str, count: int = 20) -> None:
    """nmap: the commonest UDP ports of one address."""
    _nmap(lab, host, "-sU", "-Pn", "-T4", "--max-retries", "0", "--top-ports", str(count), target)


def scan_neighbours(lab: Lab, host: str, targets: str) -> None:
    """nmap: ARP requests for many addresses of the host's own network."""
    _nmap(lab, host, "-sn", "--max-retries", "0", targets)


def _nmap(lab: Lab, host: str, *arguments: str) -> None:
    lab.run(host, ["nmap", "-n", "--host-timeout", "60s", *arguments], check=False, timeout=120)


def start_rogue_dhcp(lab: Lab, host: str) -> subprocess.Popen[bytes]:
    """A second DHCP server on a client's port: itself as gateway and name server; stop it with `lab.stop`."""
    own = lab.address(host)
    path = lab.path / f"{host}-dhcp.conf"
    path.write_text(
        "\n".join(
            [
                "port=0",
                "no-ping",
                "dhcp-authoritative",
                "interface=eth0",
                "bind-interfaces",
                "log-dhcp",
                "log-facility=-",
                "user=root",
                f"pid-file={path}.pid",
                f"dhcp-leasefile={path}.leases",
                f"dhcp-range=10.20.9.10,10.20.9.200,{VLANS['students'].network.netmask},12h",
                f"dhcp-option=option:router,{own}",
                f"dhcp-option=option:dns-server,{own}",
            ]
        )
        + "\n"
    )
    return lab.start(host, ["dnsmasq", "--keep-in-foreground", f"--conf-file={path}"], f"{host}-dhcp.log")


def plug_in_nat_router(lab: Lab, host: str, clients: dict[str, str]) -> None:
    """A consumer router in the students' VLAN, with `clients` (name: system of SYSTEMS) behind its NAT."""
    lab.run(host, ["sysctl", "-q", "net.ipv4.ip_forward=1"])
    for number, (client, system) in enumerate(clients.items()):
        lab.namespace(client)
        lab.wire(host, f"lan{number}", client, "eth0")
        network = f"192.168.{number}"
        lab.run(host, ["ip", "addr", "add", f"{network}.1/24", "dev", f"lan{number}"])
        lab.run(client, ["ip", "addr", "add", f"{network}.20/24", "dev", "eth0"])
        lab.run(client, ["ip", "route", "add", "default", "via", f"{network}.1"])
        lab.resolver(client, RESOLVER)
        set_system(lab, client, system)
    lab.nft(
        host,
        """
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "eth0" masquerade
  }
}
""",
    )
