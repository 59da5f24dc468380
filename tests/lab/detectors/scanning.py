"""Scans of every kind by real scanners: who must be found, and the floods that are no scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.detectors.scenario import Expectation, Goal, Scenario, Truth, nothing
from tests.lab.network import Lab, mac_for

SCANNER = "10.20.0.66"
SCANNER_6 = "2001:db8:20::66"
VICTIM, VICTIM_6 = "10.10.0.20", "2001:db8:20::20"
OUTSIDE = "203.0.113.66"
EMPTY = "10.10.3.0-{}"
"""Addresses of another network that nobody has; the gateway is asked for them, and no ARP is seen."""
NEIGHBOURS = "10.20.3.0-{}"
"""The same in the scanner's own network."""
LISTENER = Path(__file__).with_name("listener.py")

PORTS = [Expectation("port_scan", SCANNER)]
ADDRESSES = [Expectation("address_scan", SCANNER)]
STEALTH = [Expectation("stealth_scan", SCANNER)]
#: Rules that see the same scan by other signs.
BESIDE = [
    Expectation(name, subject)
    for subject in (SCANNER, SCANNER_6, OUTSIDE)
    for name in (
        "address_scan", "port_scan", "random_walk", "slow_scan", "stealth_scan", "udp_scan", "arp_scan",
        "ndp_scan", "protocol_scan",
    )
]  # fmt: skip


def _nmap(lab: Lab, *options: str, host: str = "scanner", seconds: float = 150) -> Truth:
    done = lab.run(host, ["nmap", "-n", *options], check=False, timeout=seconds)
    if done.returncode or "Nmap done" not in done.stdout:
        raise RuntimeError(f"nmap {' '.join(options)}: {(done.stderr or done.stdout).strip()[-300:]}")
    return Truth(said=done.stdout.strip().splitlines()[-1])


def _scanner(lab: Lab, *, six: bool = False) -> None:
    lab.host("scanner", "students", address=SCANNER, ipv6=six)
    if six:
        _give(lab, "scanner", f"{SCANNER_6}/64 nodad")


def _victim(lab: Lab, addresses: int = 1) -> None:
    """A machine with an open port 80 and no other, at that many addresses in a row."""
    lab.host("victim", "infrastructure", address=VICTIM)
    for number in range(1, addresses):
        _give(lab, "victim", f"10.10.0.{20 + number}/16")
    lab.start("victim", ["python3", str(LISTENER), "80"])
    lab.wait_for("victim", ["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 80))"])


def _give(lab: Lab, host: str, address: str) -> None:
    family = "-6" if ":" in address else "-4"
    lab.run(host, ["ip", family, "address", "add", *address.split(), "dev", lab.hosts[host].interface])


def at_victim(*options: str) -> Callable[[Lab], Truth]:
    """nmap with these options against one machine."""

    def play(lab: Lab) -> Truth:
        _scanner(lab)
        _victim(lab)
        return _nmap(lab, "-Pn", *options, VICTIM)

    return play


def at_nobody(*options: str, hosts: int = 127, targets: str = EMPTY) -> Callable[[Lab], Truth]:
    """nmap with these options against addresses that nobody has."""

    def play(lab: Lab) -> Truth:
        _scanner(lab)
        return _nmap(lab, *options, targets.format(hosts))

    return play


def at_open_hosts(*options: str) -> Callable[[Lab], Truth]:
    """nmap with these options against sixty addresses that all answer."""

    def play(lab: Lab) -> Truth:
        _scanner(lab)
        _victim(lab, 60)
        return _nmap(lab, "-Pn", *options, "10.10.0.20-79")

    return play


def at_prohibited(lab: Lab) -> Truth:
    """nmap against a machine whose firewall says that it is not allowed."""
    _scanner(lab)
    _victim(lab)
    rule = "tcp dport != 80 reject with icmp type admin-prohibited"
    lab.nft("victim", f"table ip f {{\nchain i {{\ntype filter hook input priority 0\n{rule}\n}}\n}}\n")
    return _nmap(lab, "-Pn", "-sS", "-T4", "-p", "1-200", VICTIM)


def grid_and_sweep(lab: Lab) -> Truth:
    """nmap: ten ports at twelve addresses, then one port at sixty more."""
    _scanner(lab)
    _victim(lab)
    _nmap(lab, "-Pn", "-sS", "-T4", "--max-retries", "1", "-p", "20-29", "10.10.0.15-26")
    return _nmap(lab, "-Pn", "-sS", "-T4", "--max-retries", "0", "-p", "3389", EMPTY.format(59))


def from_outside(lab: Lab) -> Truth:
    """A host of the internet looks for ports of a machine inside, from a port of its own choice."""
    _victim_inside(lab)
    return _nmap(lab, *FROM_OUTSIDE, "-p", "1-100", "10.20.0.20", host="internet")


def from_outside_everywhere(lab: Lab) -> Truth:
    """A host of the internet looks for one port at forty addresses inside."""
    _victim_inside(lab, 40)
    return _nmap(lab, *FROM_OUTSIDE, "-p", "22", "10.20.0.20-59", host="internet")


FROM_OUTSIDE = ("-Pn", "-sS", "-T4", "--send-ip", "-e", "wan", "-S", OUTSIDE)


def _victim_inside(lab: Lab, addresses: int = 1) -> None:
    lab.serve_on([OUTSIDE])
    lab.host("victim", "students", address="10.20.0.20")
    for number in range(1, addresses):
        _give(lab, "victim", f"10.20.0.{20 + number}/16")


def everybody_over_ipv6(lab: Lab) -> Truth:
    """nmap's scripts that ask all nodes at once, with four neighbours to answer."""
    _scanner(lab, six=True)
    for number in range(4):
        lab.host(f"neighbour{number}", "students", address=f"10.20.0.{30 + number}", ipv6=True)
        _give(lab, f"neighbour{number}", f"2001:db8:20::3{number}/64 nodad")
    return _nmap(lab, "-6", "-sn", "-e", "eth0", "--script",
                 "targets-ipv6-multicast-echo,targets-ipv6-multicast-invalid-dst")  # fmt: skip


def by_masscan(lab: Lab) -> Truth:
    """masscan: 4,096 addresses, a thousand a second."""
    _scanner(lab)
    command = ["masscan", "10.10.16.0/20", "-p", "445", "--rate", "1000", "-e", "eth0", "--wait", "2",
               "--adapter-ip", SCANNER, "--router-mac", mac_for("gateway").replace(":", "-")]  # fmt: skip
    done = lab.run("scanner", command, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError(f"masscan: {done.stderr.strip()[-300:]}")
    return Truth(said="4,096 addresses")


def by_arp_scan(lab: Lab) -> Truth:
    """arp-scan: 256 addresses of its own network."""
    _scanner(lab)
    done = lab.run("scanner", ["arp-scan", "-I", "eth0", "-r", "1", "10.20.3.0/24"], check=False)
    if "256 hosts scanned" not in done.stdout:
        raise RuntimeError(f"arp-scan: {(done.stderr or done.stdout).strip()[-300:]}")
    return Truth(said=done.stdout.strip().splitlines()[-1])


def flood(*options: str) -> Callable[[Lab], Truth]:
    """hping3 with these options: 4,000 packets from sources of its invention to one machine."""

    def play(lab: Lab) -> Truth:
        lab.host("victim", "students", address="10.20.0.20")
        lab.host("flooder", "staff", address="10.30.0.66")
        command = ["hping3", *options, "-q", "-c", "4000", "-i", "u1000", "10.20.0.20"]
        done = lab.run("flooder", command, check=False, timeout=60)
        if "4000 packets transmitted" not in done.stdout + done.stderr:
            raise RuntimeError(f"hping3: {(done.stderr or done.stdout).strip()[-300:]}")
        return Truth(said="4,000 packets")

    return play


def _scan(
    key: str,
    title: str,
    play: Callable[[Lab], Truth],
    expects: Sequence[Expectation] = (),
    goal: Goal = "always",
    needs: Sequence[str] = ("nmap",),
    stretch: float = 1.0,
) -> Scenario:
    return Scenario(
        key, title, play, expects, beside=BESIDE if expects else (), goal=goal, prepare=nothing, needs=needs,
        stretch=stretch,
    )  # fmt: skip


PACES = (2, 3, 4, 5)
"""nmap's -T: polite (a probe every 0.4 s), normal, aggressive, insane."""


@dataclass(frozen=True)
class Technique:
    """One kind of scan by nmap, played at each pace."""

    key: str
    option: str
    what: str
    counts: tuple[int, int, int, int]
    """How many ports or hosts at each of PACES: at the first one, a probe takes 0.4 s."""
    play: Callable[[str, str, int], Callable[[Lab], Truth]]
    """By option, pace and count."""
    expects: Sequence[Expectation]

    def at(self, pace: int, count: int) -> Scenario:
        """The scenario at one pace."""
        title = f"nmap {self.option} -T{pace}, {count:,} {self.what}"
        play = self.play(self.option, f"-T{pace}", count)
        return _scan(
            f"scan_{self.key}_t{pace}", title, play, self.expects, "always" if pace > 2 else "mostly"
        )


def ports_of_victim(option: str, pace: str, count: int) -> Callable[[Lab], Truth]:
    """The first ports of one machine, of which one is open."""
    return at_victim(option, pace, "-p", f"1-{count}")


def services_of_victim(option: str, pace: str, count: int) -> Callable[[Lab], Truth]:
    """The ports that nmap finds open most often; the machine has none of them."""
    return at_victim(option, pace, "--top-ports", str(count))


def _tries(pace: str) -> tuple[str, ...]:
    """At T2 nothing is tried again: ten more tries of each silent probe would take minutes."""
    return ("--max-retries", "0") if pace == "-T2" else ()


def port_of_hosts(option: str, pace: str, count: int) -> Callable[[Lab], Truth]:
    """One port of addresses that nobody has."""
    return at_nobody("-Pn", option, pace, *_tries(pace), "-p", "445", hosts=count - 1)


def hosts_beyond(option: str, pace: str, count: int) -> Callable[[Lab], Truth]:
    """Hosts of another network that nobody has."""
    return at_nobody(option, pace, *_tries(pace), hosts=count - 1)


def neighbours(option: str, pace: str, count: int) -> Callable[[Lab], Truth]:
    """Neighbours that are not there."""
    return at_nobody(option, pace, hosts=count - 1, targets=NEIGHBOURS)


def ports_over_ipv6(option: str, pace: str, count: int) -> Callable[[Lab], Truth]:
    """The first ports of one machine of the same network, over IPv6."""

    def play(lab: Lab) -> Truth:
        _scanner(lab, six=True)
        lab.host("victim", "students", address="10.20.0.20", ipv6=True)
        _give(lab, "victim", f"{VICTIM_6}/64 nodad")
        return _nmap(lab, *option.split(), "-Pn", pace, "-p", f"1-{count}", VICTIM_6)

    return play


def neighbours_over_ipv6(option: str, pace: str, count: int) -> Callable[[Lab], Truth]:
    """So many addresses of the scanner's own IPv6 network, a power of two."""

    def play(lab: Lab) -> Truth:
        _scanner(lab, six=True)
        network = f"2001:db8:20::3:0/{129 - count.bit_length()}"
        return _nmap(lab, *option.split(), pace, "--max-retries", "0", network)

    return play


NDP = [Expectation("ndp_scan", SCANNER_6)]
NEIGHBOURS_ASKED = [Expectation("arp_scan", SCANNER)]
MANY, HUNDRED = (60, 200, 1000, 1000), (20, 100, 100, 100)
TECHNIQUES = (
    Technique("syn", "-sS", "ports", MANY, ports_of_victim, PORTS),
    Technique("connect", "-sT", "ports", MANY, ports_of_victim, PORTS),
    Technique("udp", "-sU", "ports, closed", (30, 30, 30, 30), services_of_victim,
              [Expectation("udp_scan", SCANNER)]),
    Technique("null", "-sN", "ports", HUNDRED, ports_of_victim, STEALTH),
    Technique("fin", "-sF", "ports", HUNDRED, ports_of_victim, STEALTH),
    Technique("xmas", "-sX", "ports", HUNDRED, ports_of_victim, STEALTH),
    Technique("sweep", "-sS", "hosts, port 445", (20, 128, 128, 128), port_of_hosts, ADDRESSES),
    Technique("ping", "-sn", "hosts of another network", (20, 128, 128, 128), hosts_beyond, ADDRESSES),
    Technique("arp", "-sn", "neighbours", (60, 128, 128, 128), neighbours, NEIGHBOURS_ASKED),
    Technique("six_ports", "-6 -sS", "ports", (60, 200, 200, 200), ports_over_ipv6,
              [Expectation("port_scan", SCANNER_6)]),
    Technique("six_hosts", "-6 -sn", "neighbours", (64, 256, 256, 256), neighbours_over_ipv6, NDP),
)  # fmt: skip
AT_EACH_PACE = tuple(
    technique.at(pace, count)
    for technique in TECHNIQUES
    for pace, count in zip(PACES, technique.counts, strict=True)
)

SCENARIOS = (
    *AT_EACH_PACE,
    _scan("scan_prohibited", "nmap -sS -T4, 200 ports, ICMP admin-prohibited", at_prohibited, PORTS),
    _scan("scan_grid", "nmap -sS -T4, 10 ports at 12 hosts, then 60 hosts", grid_and_sweep, PORTS),
    _scan("scan_sweep_connect", "nmap -sT -T4, 128 hosts, ports 80 and 443",
          at_nobody("-Pn", "-sT", "-T4", "-p", "80,443"), ADDRESSES),
    _scan("scan_open_syn", "nmap -sS -T4, 60 hosts that answer",
          at_open_hosts("-sS", "-T4", "-p", "80"), ADDRESSES),
    _scan("scan_open_connect", "nmap -sT -T4, 60 hosts that answer",
          at_open_hosts("-sT", "-T4", "-p", "80"), ADDRESSES),
    _scan("scan_ping_echo", "nmap -sn -PE -T3, 128 hosts of another network",
          at_nobody("-sn", "-PE", "-T3"), ADDRESSES),
    _scan("scan_udp_sweep", "nmap -sU -T4, 128 hosts, port 161",
          at_nobody("-Pn", "-sU", "-T4", "--max-retries", "0", "-p", "161"), ADDRESSES),
    _scan("scan_synfin", "nmap -sS --scanflags SYNFIN -T4, 100 ports",
          at_victim("-sS", "--scanflags", "SYNFIN", "-T4", "-p", "1-100"), STEALTH),
    _scan("scan_ack_t4", "nmap -sA -T4, 200 ports", at_victim("-sA", "-T4", "-p", "1-200"), STEALTH),
    _scan("scan_maimon_t3", "nmap -sM -T3, 200 ports", at_victim("-sM", "-T3", "-p", "1-200"), STEALTH),
    _scan("scan_protocols", "nmap -sO -T4, 40 protocols",
          at_victim("-sO", "-T4", "--max-retries", "1", "-p", "0-39"),
          [Expectation("protocol_scan", SCANNER)]),
    _scan("scan_arp_tool", "arp-scan, 256 neighbours", by_arp_scan,
          NEIGHBOURS_ASKED, needs=["arp-scan"]),
    _scan("scan_masscan", "masscan, 4,096 hosts, port 445", by_masscan, ADDRESSES, needs=["masscan"]),
    _scan("scan_outside_ports", "nmap -sS -T4 from outside, 100 ports", from_outside,
          [Expectation("port_scan", OUTSIDE)]),
    _scan("scan_outside_hosts", "nmap -sS -T4 from outside, 40 hosts, port 22", from_outside_everywhere,
          [Expectation("address_scan", OUTSIDE)]),
    _scan("scan_six_everybody", "nmap -6, scripts that ask all nodes", everybody_over_ipv6,
          [Expectation("ndp_scan", "*")]),
    _scan("scan_slow", "nmap -sS -T2, 60 hosts, as if over a day",
          at_nobody("-Pn", "-sS", "-T2", "--max-retries", "0", "-p", "22", hosts=59),
          [Expectation("slow_scan", SCANNER)], "slow", stretch=600),
    _scan("scan_flood_syn", "hping3 -S --rand-source: a flood is no scan",
          flood("-S", "-p", "80", "--rand-source"), needs=["hping3"]),
    _scan("scan_flood_answers", "hping3 -SA --rand-source: answers to forged SYNs are no scan",
          flood("-S", "-A", "-s", "80", "-k", "-p", "40000", "--rand-source"), needs=["hping3"]),
)  # fmt: skip
