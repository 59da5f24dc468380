"""Real ways around a filter: their far ends in the lab's internet, their near ends on a pupil's machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lab import traffic
from tests.lab.certificates import Certificates
from tests.lab.network import Lab
from tests.lab.plan import INTERNET_NAMESERVER
from tests.lab.servers import filled, start_dnsmasq, start_school, start_unbound

PUPIL = "10.20.0.66"
NEIGHBOURS = ("10.20.0.71", "10.20.0.72")
#: End point of what no list knows, and of the school's own VPN.
FAR, OWN_VPN = "203.0.113.200", "203.0.113.201"
#: A site that is fetched through tunnels, and where it lives.
HIDDEN, HIDDEN_AT = "www.wikipedia.org", "198.51.100.30"
#: The lab's DoH resolver, by its listed name.
DOH_AT = "dns.google"
TUNNEL_DOMAIN, REPUTATION_DOMAIN = "tunnel-office.net", "file-reputation.net"
NAMES = (
    "www.khanacademy.org", "www.quizlet.com", "www.britannica.com", "www.nasa.gov", "www.zoom.us",
    "canvas.instructure.com", "www.spotify.com", "www.amazon.com", "www.google.com", "www.wikipedia.org",
    "www.microsoft.com", "www.apple.com",
)  # fmt: skip
PARTS = ("index.html", "photo1.jpg", "app.js")


def prepare(lab: Lab) -> None:
    """The school, outside addresses that no list knows, and names for a tunnel and for look-ups."""
    start_school(lab)
    lab.serve_on([FAR, OWN_VPN, *(f"203.0.113.{n}" for n in range(202, 210))])
    path = lab.path / "internet-dns.conf"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("user", "group", "pid"))]
    server = next(p for p in lab.processes if str(path) in str(p.args))
    lab.stop(server)
    more = [f"server=/{TUNNEL_DOMAIN}/{FAR}", f"address=/{REPUTATION_DOMAIN}/127.0.0.4"]
    start_dnsmasq(lab, "internet", "internet-dns", lines + more)
    lab.wait_for("internet", ["dig", "+time=1", "+tries=1", "@" + INTERNET_NAMESERVER, HIDDEN])


def pupil(lab: Lab) -> str:
    """A pupil's laptop with a fixed address; its name in the lab."""
    lab.host("pupil", "students", address=PUPIL)
    return "pupil"


def neighbours(lab: Lab) -> None:
    """Two more laptops that ask the school's resolver and open a few pages."""
    for number, address in enumerate(NEIGHBOURS):
        lab.host(f"neighbour{number}", "students", address=address)
        for name in NAMES[:4]:
            traffic.visit(lab, f"neighbour{number}", name, parts=("index.html",))


def through(lab: Lab, host: str, device: str, parts: Sequence[str] = PARTS) -> str:
    """Pages of the hidden site by way of a tunnel's interface."""
    lab.run(host, ["ip", "route", "add", f"{HIDDEN_AT}/32", "dev", device])
    return traffic.visit(lab, host, HIDDEN, "--resolve", f"{HIDDEN}:443:{HIDDEN_AT}", parts=parts)


def over_proxy(
    lab: Lab, host: str, proxy: str, names: Sequence[str] = NAMES, parts: Sequence[str] = PARTS
) -> str:
    """Pages of several sites by way of a proxy (curl's notation), a connection for each part."""
    said = ""
    for name in names:
        for part in parts:
            said += traffic.visit(lab, host, name, "--proxy", proxy, parts=(part,))
    return said


def fetched(said: str, least: int = 1) -> str:
    """What curl said, if at least that many transfers succeeded. Raises RuntimeError."""
    if sum(line.startswith("200 ") for line in said.splitlines()) < least:
        raise RuntimeError(f"too little came through: {said.strip()[-300:]}")
    return said


def reach(lab: Lab, host: str, command: Sequence[str], log: str, seconds: float = 20) -> None:
    """Waits until a command succeeds on a host. Raises RuntimeError with a program's last words."""
    try:
        lab.wait_for(host, command, seconds)
    except TimeoutError as error:
        words = (lab.path / log).read_text(errors="replace")[-400:]
        raise RuntimeError(f"{error}; {words}") from None


# -- VPNs


@contextlib.contextmanager
def wireguard(lab: Lab, host: str, far: str = FAR) -> Iterator[str]:
    """wireguard-go on both ends; the near interface."""
    devices = {host: f"wgn{lab.hosts[host].namespace[-6:-3]}0", "internet": "wgfar0"}
    keys = {name: lab.run(name, ["wg", "genkey"]).stdout.strip() for name in devices}
    public = {}
    for name, device in devices.items():
        (lab.path / f"{device}.key").write_text(keys[name] + "\n")
        public[name] = subprocess.run(
            ["wg", "pubkey"], input=keys[name], capture_output=True, text=True, check=True
        ).stdout.strip()
        lab.start(name, ["wireguard-go", "-f", device], f"{device}.log")
        lab.wait_for(name, ["ip", "link", "show", device])
    sides = (
        (host, "internet", ["endpoint", f"{far}:51820", "persistent-keepalive", "5"], [], "10.99.0.2"),
        ("internet", host, [], ["listen-port", "51820"], "10.99.0.1"),
    )
    for name, peer, end, port, address in sides:
        device = devices[name]
        allowed = "0.0.0.0/0" if name == host else "10.99.0.2/32"
        lab.wait_for(
            name,
            ["wg", "set", device, *port, "private-key", str(lab.path / f"{device}.key"),
             "peer", public[peer], "allowed-ips", allowed, *end],
        )  # fmt: skip
        lab.run(name, ["ip", "addr", "add", f"{address}/24", "dev", device])
        lab.run(name, ["ip", "link", "set", device, "up"])
    reach(lab, host, ["busybox", "ping", "-c", "1", "-W", "1", "10.99.0.1"], f"{devices[host]}.log")
    yield devices[host]


@contextlib.contextmanager
def openvpn(
    lab: Lab, host: str, transport: str = "udp", far: str = FAR, *, crypt: bool = False
) -> Iterator[str]:
    """OpenVPN over UDP or TCP with certificates, and with `crypt` tls-crypt; the near interface."""
    ca = lab.path / "public-ca"
    common = ["openvpn", "--dev", "tunv", "--dev-type", "tun", "--verb", "3", "--ca", f"{ca}/ca.pem"]
    common += ["--cert", f"{ca}/protonvpn.pem", "--key", f"{ca}/leaf.key", "--data-ciphers", "AES-256-GCM"]
    if crypt:
        secret = lab.path / "ta.key"
        subprocess.run(["openvpn", "--genkey", "tls-crypt", str(secret)], check=True, capture_output=True)
        common += ["--tls-crypt", str(secret)]
    server = ["--proto", f"{transport}{'-server' if transport == 'tcp' else ''}", "--local", far]
    server += ["--port", "1195", "--tls-server", "--dh", "none", "--ifconfig", "10.99.1.1", "10.99.1.2"]
    client = ["--proto", f"{transport}{'-client' if transport == 'tcp' else ''}", "--nobind", "--tls-client"]
    client += ["--remote", far, "1195", "--ifconfig", "10.99.1.2", "10.99.1.1"]
    lab.start("internet", [*common, *server], "openvpn-far.log")
    time.sleep(1)
    lab.start(host, [*common, *client], "openvpn-near.log")
    reach(lab, host, ["busybox", "ping", "-c", "1", "-W", "1", "10.99.1.1"], "openvpn-near.log", 30)
    yield "tunv"


def iodine(lab: Lab, host: str, kind: str, *, direct: bool = False) -> str:
    """iodine with that record type by the school's resolver, or straight to its far end; the interface."""
    secret = ["-P", "lab"]
    lab.start(
        "internet",
        ["iodined", "-f", "-c", *secret, "-l", FAR, "-d", "dnsfar", "10.98.0.1/24", f"t.{TUNNEL_DOMAIN}"],
        "iodined.log",
    )
    time.sleep(1)
    command = ["iodine", "-f", "-r", *secret, "-T", kind, "-d", "dnsnear"]
    command += [FAR if direct else "10.10.0.53", f"t.{TUNNEL_DOMAIN}"]
    lab.start(host, command, "iodine.log")
    reach(lab, host, ["busybox", "ping", "-c", "1", "-W", "2", "10.98.0.1"], "iodine.log", 45)
    return "dnsnear"


# -- resolvers


def dot(lab: Lab, far: str = FAR) -> None:
    """unbound of the internet that answers over TLS (RFC 7858)."""
    key, chain = Certificates(lab.path / "dot-ca", "Lab Public Root").leaf("dot", ("dot.example.net",))
    lines = [f"  interface: {far}@853", "  tls-port: 853", f'  tls-service-key: "{key}"']
    lines += [f'  tls-service-pem: "{chain}"']
    text = filled(
        "unbound.conf",
        folder=lab.path,
        name="dot",
        server="\n".join(lines),
        zones="",
        upstream=INTERNET_NAMESERVER,
    )
    start_unbound(lab, "internet", "dot", text)
    lab.wait_for("internet", ["bash", "-c", f"exec 3<>/dev/tcp/{far}/853"])


def secure_dns(lab: Lab, host: str) -> None:
    """Lets Chromium on that host ask the lab's DoH resolver alone, by its policy file."""
    folder = Path("/etc/netns") / lab.hosts[host].namespace / "chromium" / "policies" / "managed"
    folder.mkdir(parents=True, exist_ok=True)
    # `ip netns exec` lays this folder over the machine's own.
    Path("/etc/chromium").mkdir(exist_ok=True)
    values = {"DnsOverHttpsMode": "secure", "DnsOverHttpsTemplates": f"https://{DOH_AT}/dns-query"}
    (folder / "lab.json").write_text(json.dumps(values))


# -- proxies


def shadowsocks(lab: Lab, host: str, far: str = FAR, method: str = "chacha20-ietf-poly1305") -> str:
    """ss-server outside, ss-local on the host; curl's notation of the near end."""
    words = ["-p", "8388", "-k", "lab-secret", "-m", method]
    # The lab's resolver configuration of the namespace serves the far end.
    lab.resolver("internet", INTERNET_NAMESERVER)
    lab.start("internet", ["ss-server", "-s", far, *words], "ss-server.log")
    lab.start(host, ["ss-local", "-s", far, *words, "-b", "127.0.0.1", "-l", "1080"], "ss-local.log")
    reach(lab, host, ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/1080"], "ss-local.log")
    return "socks5h://127.0.0.1:1080"


def socks(lab: Lab, far: str = FAR) -> str:
    """A SOCKS proxy of the internet (ss-local before an ss-server of its own); curl's notation."""
    words = ["-p", "8389", "-k", "lab-secret", "-m", "aes-256-gcm"]
    lab.resolver("internet", INTERNET_NAMESERVER)
    lab.start("internet", ["ss-server", "-s", "127.0.0.1", *words], "ss-inner.log")
    lab.start("internet", ["ss-local", "-s", "127.0.0.1", *words, "-b", far, "-l", "1080"], "socks.log")
    reach(lab, "internet", ["bash", "-c", f"exec 3<>/dev/tcp/{far}/1080"], "socks.log")
    return f"socks5h://{far}:1080"


def connect_proxy(lab: Lab, far: str = FAR) -> str:
    """squid of the internet that opens connections for whoever asks; curl's notation."""
    folder = lab.path / "squid-far"
    folder.mkdir()
    path = folder / "squid.conf"
    path.write_text(
        f"http_port {far}:3128\npid_filename {folder}/squid.pid\ncoredump_dir {folder}\n"
        f"cache deny all\naccess_log none\ncache_log {folder}/cache.log\n"
        f"dns_nameservers {INTERNET_NAMESERVER}\nshutdown_lifetime 0 seconds\npinger_enable off\n"
        "memory_cache_shared off\nhttp_access allow all\n"
    )
    lab.run("internet", ["chown", "-R", "proxy", str(folder)])
    lab.start("internet", ["squid", "-N", "-n", f"far{os.getpid()}", "-f", str(path)], "squid-far.log")
    reach(lab, "internet", ["bash", "-c", f"exec 3<>/dev/tcp/{far}/3128"], "squid-far.log")
    return f"http://{far}:3128"


def ssh_server(lab: Lab, far: str = FAR, port: int = 22) -> list[str]:
    """sshd of the internet, and the options with which ssh logs in there."""
    key, host_key = lab.path / "ssh-key", lab.path / "ssh-host-key"
    for path in (key, host_key):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, capture_output=True
        )
    shutil.copy(f"{key}.pub", lab.path / "authorized")
    Path("/run/sshd").mkdir(exist_ok=True)
    lab.resolver("internet", INTERNET_NAMESERVER)
    options = {
        "ListenAddress": far, "Port": port, "HostKey": host_key,
        "AuthorizedKeysFile": lab.path / "authorized",
        "PidFile": "none", "UsePAM": "no", "StrictModes": "no", "PermitRootLogin": "yes",
    }  # fmt: skip
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    lab.start("internet", ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *settings], "sshd.log")
    reach(lab, "internet", ["bash", "-c", f"exec 3<>/dev/tcp/{far}/{port}"], "sshd.log")
    return [
        "-i",
        str(key),
        "-p",
        str(port),
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
    ]


def ssh_socks(lab: Lab, host: str, far: str = FAR) -> str:
    """`ssh -D` from the host to a server outside; curl's notation of the near end."""
    options = ssh_server(lab, far)
    lab.start(host, ["ssh", *options, "-N", "-D", "127.0.0.1:1081", f"root@{far}"], "ssh.log")
    reach(lab, host, ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/1081"], "ssh.log")
    return "socks5h://127.0.0.1:1081"


# -- Tor


RELAYS = tuple(f"203.0.113.{n}" for n in range(202, 206))
BRIDGE, BRIDGE_PORT = "203.0.113.206", 9443  # 4443 is the QUIC server's, on every address


class Onion:
    """A Tor network of its own in the internet: authorities that relay and exit, and a bridge with obfs4."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder = lab.path / "tor"
        self.folder.mkdir()
        self.authorities: list[str] = []
        for number, address in enumerate(RELAYS[:3]):
            self.authorities.append(self._authority(number, address))
        lab.resolver("internet", INTERNET_NAMESERVER)
        for number, address in enumerate(RELAYS):
            self._start("internet", f"relay{number}", self._relay(number, address))

    def _tor(self, name: str, *words: str) -> str:
        command = ["tor", "--DataDirectory", str(self._data(name)), "--quiet", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def _data(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True, mode=0o700)
        return path

    def _authority(self, number: int, address: str) -> str:
        data = self._data(f"relay{number}")
        (data / "keys").mkdir(mode=0o700, exist_ok=True)
        subprocess.run(
            ["tor-gencert", "--create-identity-key", "-m", "2", "-a", f"{address}:7000",
             "-i", str(data / "keys/authority_identity_key"), "-s", str(data / "keys/authority_signing_key"),
             "-c", str(data / "keys/authority_certificate"), "--passphrase-fd", "0"],
            input="lab\n", text=True, check=True, capture_output=True,
        )  # fmt: skip
        certificate = (data / "keys/authority_certificate").read_text()
        identity = next(
            line.split()[1] for line in certificate.splitlines() if line.startswith("fingerprint")
        )
        placeholder = "DirAuthority x 127.0.0.1:1 ffffffffffffffffffffffffffffffffffffffff"
        listed = self._tor(
            f"relay{number}", "--list-fingerprint", "--ORPort", f"{address}:9001",
            "--Nickname", f"relay{number}",
            "-f", str(self._file(f"list{number}", [placeholder])),
        )  # fmt: skip
        own = "".join(listed.strip().splitlines()[-1].split()[1:])
        return f"DirAuthority relay{number} orport=9001 no-v2 v3ident={identity} {address}:7000 {own}"

    def _file(self, name: str, lines: Sequence[str]) -> Path:
        path = self.folder / f"{name}.torrc"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _common(self, name: str) -> list[str]:
        return [
            "TestingTorNetwork 1", f"DataDirectory {self._data(name)}", f"Nickname {name}", "RunAsDaemon 0",
            "Log notice stdout", "AssumeReachable 1", "PathsNeededToBuildCircuits 0.25",
            "ShutdownWaitLength 0", "EnforceDistinctSubnets 0", "ClientUseIPv6 0", *self.authorities,
        ]  # fmt: skip

    def _relay(self, number: int, address: str) -> list[str]:
        lines = [
            *self._common(f"relay{number}"),
            f"Address {address}",
            f"ORPort {address}:9001",
            "SocksPort 0",
        ]
        lines += [
            "ExitRelay 1",
            "ExitPolicy accept *:*",
            "ExitPolicyRejectPrivate 0",
            "ContactInfo lab@example",
        ]
        lines += [f"OutboundBindAddress {address}"]
        if number < len(self.authorities):
            lines += [f"DirPort {address}:7000", "AuthoritativeDirectory 1", "V3AuthoritativeDirectory 1"]
            lines += ["TestingDirAuthVoteExit *", "TestingDirAuthVoteGuard *", "TestingDirAuthVoteHSDir *"]
            lines += ["TestingV3AuthInitialVotingInterval 20", "V3AuthVotingInterval 20"]
            lines += ["TestingV3AuthInitialVoteDelay 4", "V3AuthVoteDelay 4"]
            lines += ["TestingV3AuthInitialDistDelay 4", "V3AuthDistDelay 4"]
        return lines

    def _start(self, host: str, name: str, lines: Sequence[str]) -> None:
        self.lab.start(host, ["tor", "-f", str(self._file(name, lines))], f"tor-{name}.log")

    def agreed(self, seconds: float = 90) -> None:
        """Waits until the network has a consensus with all relays in it. Raises RuntimeError."""
        end = time.monotonic() + seconds
        consensus = self.folder / "relay3" / "cached-microdesc-consensus"
        while not consensus.exists() or consensus.read_text(errors="replace").count("\nr ") < len(RELAYS):
            if time.monotonic() > end:
                words = (self.lab.path / "tor-relay3.log").read_text(errors="replace")[-400:]
                raise RuntimeError(f"the Tor network did not agree: {words}")
            time.sleep(0.5)

    def bridge(self) -> str:
        """Starts a bridge with obfs4; its line for a client."""
        lines = [*self._common("bridge"), f"Address {BRIDGE}", f"ORPort {BRIDGE}:9001", "BridgeRelay 1"]
        lines += ["SocksPort 0", "ServerTransportPlugin obfs4 exec /usr/bin/obfs4proxy", "ExitRelay 0"]
        lines += [
            f"ServerTransportListenAddr obfs4 {BRIDGE}:{BRIDGE_PORT}",
            "ExtORPort auto",
            "PublishServerDescriptor 0",
        ]
        self._start("internet", "bridge", lines)
        state = self.folder / "bridge" / "pt_state" / "obfs4_bridgeline.txt"
        self.lab.wait_for("internet", ["test", "-s", str(state)], 30)
        line = next(line for line in state.read_text().splitlines() if line.startswith("Bridge "))
        fingerprint = (self.folder / "bridge" / "fingerprint").read_text().split()[1]
        return (
            line.replace("<IP ADDRESS>", BRIDGE)
            .replace("<PORT>", str(BRIDGE_PORT))
            .replace("<FINGERPRINT>", fingerprint)
        )

    def client(self, host: str, bridge: str = "", seconds: float = 120) -> str:
        """A client on the host, connected; curl's notation of its near end."""
        lines = [*self._common(f"client{host}"), "SocksPort 127.0.0.1:9050"]
        if bridge:
            lines += ["UseBridges 1", bridge, "ClientTransportPlugin obfs4 exec /usr/bin/obfs4proxy"]
        self._start(host, f"client-{host}", lines)
        log = f"tor-client-{host}.log"
        reach(self.lab, host, ["grep", "-q", "Bootstrapped 100", str(self.lab.path / log)], log, seconds)
        return "socks5h://127.0.0.1:9050"


# -- small programs of our own


def program(lab: Lab, host: str, text: str, *words: str, log: str = "program.log") -> subprocess.Popen[bytes]:
    """Starts a few lines of Python on a host."""
    return lab.start(host, [sys.executable, "-c", text, *words], log)
