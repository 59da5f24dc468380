"""What servers, printers and routers of a school do every day, and must stay silent."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.lab import servers, traffic
from tests.lab.detectors import exchanges
from tests.lab.detectors.benign import online, together
from tests.lab.detectors.scenario import Expectation, Scenario, Truth
from tests.lab.network import Lab
from tests.lab.plan import VLANS

POLLED, SILENT = 120, 6
"""Hosts that a monitoring server polls, and how many of them are down."""
AVAHI = """[server]
host-name={name}
use-ipv6=no
enable-dbus=no
allow-interfaces=eth0
[publish]
publish-workstation=yes
"""


def farm(lab: Lab, name: str, vlan: str, addresses: list[str]) -> None:
    """A host that stands for many: it has all of these addresses, answers SNMP, and serves TCP 80."""
    lab.host(name, vlan, address=addresses[0])
    batch = lab.path / f"{name}.batch"
    length = VLANS[vlan].network.prefixlen
    batch.write_text("".join(f"addr add {address}/{length} dev eth0\n" for address in addresses[1:]))
    lab.run(name, ["ip", "-batch", str(batch)])
    lab.start(name, exchanges.command("answer-snmp", *addresses))
    page = lab.path / f"{name}-www"
    page.mkdir()
    (page / "index.html").write_text("up")
    lab.start(name, ["busybox", "httpd", "-f", "-p", "80", "-h", str(page)])
    time.sleep(1)


def polled(lab: Lab, host: str, addresses: list[str], ports: list[str], rounds: int, pause: float) -> str:
    """Polls from a host; the answers. Raises RuntimeError where there are none."""
    ask = ["poll", *addresses, "--ports", *ports, "--rounds", str(rounds), "--pause", str(pause)]
    said = lab.run(host, exchanges.command(*ask), timeout=300).stdout.strip()
    if int(said) == 0:
        raise RuntimeError("no host answered the poll")
    return said


def monitoring(lab: Lab) -> Truth:
    """A monitoring server asks 126 hosts by ping, SNMP and TCP, in three rounds; six of them are down."""
    addresses = [f"10.10.30.{n}" for n in range(1, POLLED + SILENT + 1)]
    farm(lab, "farm", "infrastructure", addresses[:POLLED])
    lab.host("monitor", "staff", address="10.30.9.9")
    answers = polled(lab, "monitor", addresses, ["80"], 3, 18)
    return Truth(said=f"{answers} answers")


def recursion(lab: Lab) -> Truth:
    """A resolver of a VLAN asks 90 name servers itself: 70 answer, 12 are dead, 8 refuse."""
    good = [f"203.0.113.{n}" for n in range(100, 170)]
    lame = [f"203.0.113.{n}" for n in range(190, 198)]
    dead = [f"203.0.113.{n}" for n in range(200, 212)]
    lab.serve_on([*good, *lame])
    listening = [f"listen-address={address}" for address in good]
    zones = [f"address=/zone{n}.example/198.51.100.30" for n in range(90)]
    servers.start_dnsmasq(
        lab,
        "internet",
        "zones",
        ["no-resolv", "no-hosts", "bind-interfaces", "log-facility=-", *listening, *zones],
    )
    refusing = [f"listen-address={address}" for address in lame]
    servers.start_dnsmasq(
        lab, "internet", "lame", ["no-resolv", "no-hosts", "bind-interfaces", "log-facility=-", *refusing]
    )
    stubs = "".join(
        f'stub-zone:\n  name: "zone{n}.example"\n  stub-addr: {address}\n'
        for n, address in enumerate([*good, *lame, *dead])
    )
    lab.host("recursor", "staff", address="10.30.0.53")
    text = servers.filled(
        "unbound.conf",
        folder=lab.path,
        name="recursor",
        server="  interface: 10.30.0.53\n",
        zones=stubs,
        upstream=good[0],
    )
    servers.start_unbound(lab, "recursor", "recursor", text)
    lab.host("asker", "staff", address="10.30.4.4")
    lab.wait_for("asker", ["dig", "+time=1", "+tries=1", "@10.30.0.53", "www.zone0.example"])
    names = lab.path / "zones.asked"
    names.write_text("".join(f"{w}.zone{n}.example A\n" for w in ("www", "mail") for n in range(90)))
    said = lab.run(
        "asker", ["dig", "@10.30.0.53", "+time=1", "+tries=1", "-f", str(names)], check=False, timeout=120
    ).stdout
    return Truth(said=f"{said.count('NOERROR')} names resolved, {said.count('SERVFAIL')} not")


def block_lists(lab: Lab) -> Truth:
    """A mail server asks a block list about 150 senders, and for the keys of their mail."""
    lab.host("mail", "staff", address="10.30.0.25")
    asked = lab.path / "senders"
    lines = [f"{n}.{n * 3 % 256}.{n * 7 % 256}.{n * 5 % 256}.zen.block.example A" for n in range(1, 151)]
    lines += [f"_dmarc.sender{n}.example TXT\ns1._domainkey.sender{n}.example TXT" for n in range(40)]
    asked.write_text("\n".join(lines) + "\n")
    lab.run("mail", ["dig", "+time=2", "+tries=2", "-f", str(asked)], check=False, timeout=120)
    return Truth(said="230 questions")


def printers(lab: Lab) -> Truth:
    """A print server polls 20 printers, three of which are off; laptops and printers announce themselves."""
    addresses = [f"10.30.6.{n}" for n in range(1, 21)]
    for number in range(3):
        farm(
            lab,
            f"printers-{number}",
            "staff",
            addresses[number * 6 : number * 6 + 6][: 6 if number < 2 else 5],
        )
    lab.host("print-server", "staff", address="10.30.0.20")
    speakers = [f"speaker-{n}" for n in range(6)]
    for speaker in speakers:
        online(lab, speaker, "staff", "apple")
        settings = lab.path / f"{speaker}.avahi"
        settings.write_text(AVAHI.format(name=speaker))
        daemon = ["avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", str(settings)]
        # Each one's lock file is its own.
        lab.start(
            speaker, ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none /run && exec {' '.join(daemon)}"]
        )
    searching = [
        lab.start(speaker, exchanges.command("search", "--rounds", "6", "--pause", "5"))
        for speaker in speakers
    ]
    answers = polled(lab, "print-server", addresses, ["80", "9100"], 3, 10)
    for process in searching:
        process.wait(60)
    return Truth(said=f"{answers} answers")


def router_asks(lab: Lab) -> Truth:
    """The gateway asks by ARP for 150 machines that went home: the internet still sends them something."""
    targets = [f"10.20.7.{n}" for n in range(1, 151)]
    script = lab.path / "late"
    script.write_text(
        "".join(f"busybox ping -c 1 -W 1 {target} >/dev/null &\n" for target in targets) + "wait\n"
    )
    lab.run("internet", ["sh", str(script)], check=False, timeout=120)
    return Truth(said="150 hosts")


def backup(lab: Lab) -> Truth:
    """At night a server sends 60 MB to a cloud at full speed."""
    lab.host("server", "staff", address="10.30.0.40")
    with open(lab.path / "backup.tar", "wb") as file:
        file.truncate(60_000_000)
    said = traffic.fetch(
        lab,
        "server",
        ["https://s3.amazon.com/upload/backup.tar"],
        "-T",
        str(lab.path / "backup.tar"),
        timeout=120,
    )
    if not said.startswith("20"):
        raise RuntimeError(f"the backup failed: {said}")
    return Truth(said="60 MB")


def clocks(lab: Lab) -> Truth:
    """Ten machines ask a pool of eight time servers, two of which are dead."""
    pool = [f"203.0.113.{n}" for n in range(220, 228)]
    lab.serve_on(pool[:6])
    lab.start("internet", exchanges.command("answer-ntp", *pool[:6]))
    hosts = [f"clock-{n}" for n in range(10)]

    def ask(host: str) -> str:
        online(lab, host, "students")
        return lab.run(host, exchanges.command("ask-ntp", *pool), timeout=60).stdout

    said = together(ask, hosts)
    return Truth(said=f"{sum(map(int, said))} answers")


def automation(lab: Lab) -> Truth:
    """A server runs commands on another 45 times, each over a short SSH connection, by key."""
    keys = lab.path / "ssh"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    (keys / "authorized").write_bytes((keys / "user.pub").read_bytes())
    lab.host("managed", "infrastructure", address="10.10.0.40")
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "HostKey": keys / "host",
        "AuthorizedKeysFile": keys / "authorized",
        "StrictModes": "no",
        "PermitRootLogin": "yes",
        "PidFile": "none",
    }
    given = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    lab.start("managed", ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *given])
    lab.host("controller", "staff", address="10.30.0.41")
    client = ["ssh", "-i", str(keys / "user"), "-F", "none", "-o", "BatchMode=yes"]
    client += [
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "root@10.10.0.40",
        "true",
    ]
    lab.wait_for("controller", client)
    for _ in range(45):
        lab.run("controller", client)
    return Truth(said="45 commands")


SCENARIOS = (
    Scenario(
        "benign_monitoring",
        "a monitoring server polls 126 hosts by ping, SNMP, TCP; six are down",
        monitoring,
        stretch=5,
    ),
    Scenario(
        "benign_monitoring_listed",
        "the same server, on the list of scanners",
        monitoring,
        policy={"approved": {"scanners": ["10.30.9.9/32"]}},
        stretch=5,
    ),
    Scenario(
        "benign_recursion",
        "a resolver of the school's asks 90 name servers, 20 of them lame or dead (unbound)",
        recursion,
        policy={"filter": {"resolvers": ["10.10.0.53", "10.30.0.53"]}},
    ),
    Scenario("benign_block_lists", "a mail server asks a DNS block list 150 times", block_lists),
    Scenario(
        "benign_printers",
        "a print server polls 20 printers, three of them off; mDNS and SSDP (avahi)",
        printers,
        stretch=5,
        needs=["avahi-daemon"],
    ),
    Scenario("benign_router_arp", "the gateway asks for 150 machines that are gone", router_asks),
    Scenario(
        "benign_backup",
        "a server sends a backup of 60 MB at night",
        backup,
        # An elephant is named, not accused.
        beside=[Expectation("elephant_flow", "10.30.0.40")],
        starts="2026-09-16T09:00:00+00:00",
    ),
    Scenario("benign_clocks", "ten machines, eight NTP servers, two of them dead", clocks),
    Scenario(
        "benign_automation",
        "45 short SSH sessions by key",
        automation,
        needs=["ssh", "ssh-keygen", "/usr/sbin/sshd"],
    ),
)
