"""Scans of every kind by real scanners: who must be found, and the floods that are no scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        "ndp_scan",
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


def ports_over_ipv6(lab: Lab) -> Truth:
    """nmap -6 against one machine of the same network."""
    _scanner(lab, six=True)
    lab.host("victim", "students", address="10.20.0.20", ipv6=True)
    _give(lab, "victim", f"{VICTIM_6}/64 nodad")
    return _nmap(lab, "-6", "-Pn", "-sS", "-T4", "-p", "1-200", VICTIM_6)


def neighbours_over_ipv6(lab: Lab) -> Truth:
    """nmap -6 -sn: 256 addresses of its own network."""
    _scanner(lab, six=True)
    return _nmap(lab, "-6", "-sn", "-T4", "--max-retries", "0", "2001:db8:20::3:0/120")


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


NDP = [Expectation("ndp_scan", SCANNER_6)]

SCENARIOS = (
    _scan("scan_syn_t2", "nmap -sS -T2, 60 ports", at_victim("-sS", "-T2", "-p", "1-60"), PORTS, "mostly"),
    _scan("scan_syn_t3", "nmap -sS -T3, 200 ports", at_victim("-sS", "-T3", "-p", "1-200"), PORTS),
    _scan("scan_syn_t4", "nmap -sS -T4, 1,000 ports", at_victim("-sS", "-T4", "-p", "1-1000"), PORTS),
    _scan("scan_syn_t5", "nmap -sS -T5, 1,000 ports", at_victim("-sS", "-T5", "-p", "1-1000"), PORTS),
    _scan("scan_connect_t3", "nmap -sT -T3, 200 ports", at_victim("-sT", "-T3", "-p", "1-200"), PORTS),
    _scan("scan_connect_t5", "nmap -sT -T5, 1,000 ports", at_victim("-sT", "-T5", "-p", "1-1000"), PORTS),
    _scan("scan_prohibited", "nmap -sS -T4, 200 ports, ICMP admin-prohibited", at_prohibited, PORTS),
    _scan("scan_grid", "nmap -sS -T4, 10 ports at 12 hosts, then 60 hosts", grid_and_sweep, PORTS),
    _scan(
        "scan_sweep_t2", "nmap -sS -T2, 20 hosts, port 445",
        at_nobody("-Pn", "-sS", "-T2", "--max-retries", "0", "-p", "445", hosts=19), ADDRESSES, "mostly",
    ),
    _scan("scan_sweep_t3", "nmap -sS -T3, 128 hosts, port 445",
          at_nobody("-Pn", "-sS", "-T3", "-p", "445"), ADDRESSES),
    _scan("scan_sweep_t4", "nmap -sS -T4, 128 hosts, port 445",
          at_nobody("-Pn", "-sS", "-T4", "-p", "445"), ADDRESSES),
    _scan("scan_sweep_connect", "nmap -sT -T4, 128 hosts, ports 80 and 443",
          at_nobody("-Pn", "-sT", "-T4", "-p", "80,443"), ADDRESSES),
    _scan("scan_open_syn", "nmap -sS -T4, 60 hosts that answer",
          at_open_hosts("-sS", "-T4", "-p", "80"), ADDRESSES),
    _scan("scan_open_connect", "nmap -sT -T4, 60 hosts that answer",
          at_open_hosts("-sT", "-T4", "-p", "80"), ADDRESSES),
    _scan("scan_ping", "nmap -sn -T4, 128 hosts of another network", at_nobody("-sn", "-T4"), ADDRESSES),
    _scan("scan_ping_echo", "nmap -sn -PE -T3, 128 hosts of another network",
          at_nobody("-sn", "-PE", "-T3"), ADDRESSES),
    _scan("scan_udp_ports", "nmap -sU -T4, 30 ports, closed",
          at_victim("-sU", "-T4", "--top-ports", "30"), [Expectation("udp_scan", SCANNER)]),
    _scan("scan_udp_sweep", "nmap -sU -T4, 128 hosts, port 161",
          at_nobody("-Pn", "-sU", "-T4", "--max-retries", "0", "-p", "161"), ADDRESSES),
    _scan("scan_null_t4", "nmap -sN -T4, 100 ports", at_victim("-sN", "-T4", "-p", "1-100"), STEALTH),
    _scan("scan_fin_t3", "nmap -sF -T3, 100 ports", at_victim("-sF", "-T3", "-p", "1-100"), STEALTH),
    _scan("scan_xmas_t2", "nmap -sX -T2, 20 ports", at_victim("-sX", "-T2", "-p", "1-20"), STEALTH, "mostly"),
    _scan("scan_synfin", "nmap -sS --scanflags SYNFIN -T4, 100 ports",
          at_victim("-sS", "--scanflags", "SYNFIN", "-T4", "-p", "1-100"), STEALTH),
    _scan("scan_ack_t4", "nmap -sA -T4, 200 ports", at_victim("-sA", "-T4", "-p", "1-200"), STEALTH),
    _scan("scan_maimon_t3", "nmap -sM -T3, 200 ports", at_victim("-sM", "-T3", "-p", "1-200"), STEALTH),
    _scan("scan_arp_t2", "nmap -sn -T2, 60 neighbours", at_nobody("-sn", "-T2", targets=NEIGHBOURS, hosts=59),
          [Expectation("arp_scan", SCANNER)], "mostly"),
    _scan("scan_arp_t4", "nmap -sn -T4, 128 neighbours", at_nobody("-sn", "-T4", targets=NEIGHBOURS),
          [Expectation("arp_scan", SCANNER)]),
    _scan("scan_arp_tool", "arp-scan, 256 neighbours", by_arp_scan,
          [Expectation("arp_scan", SCANNER)], needs=["arp-scan"]),
    _scan("scan_masscan", "masscan, 4,096 hosts, port 445", by_masscan, ADDRESSES, needs=["masscan"]),
    _scan("scan_outside_ports", "nmap -sS -T4 from outside, 100 ports", from_outside,
          [Expectation("port_scan", OUTSIDE)]),
    _scan("scan_outside_hosts", "nmap -sS -T4 from outside, 40 hosts, port 22", from_outside_everywhere,
          [Expectation("address_scan", OUTSIDE)]),
    _scan("scan_six_ports", "nmap -6 -sS -T4, 200 ports", ports_over_ipv6,
          [Expectation("port_scan", SCANNER_6)]),
    _scan("scan_six_neighbours", "nmap -6 -sn -T4, 256 neighbours", neighbours_over_ipv6, NDP),
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
