"""What people's machines do at a school every day, and must stay silent."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.lab import browser, servers, traffic
from tests.lab.detectors import exchanges
from tests.lab.detectors.scenario import Scenario, Truth
from tests.lab.network import Lab

T = TypeVar("T")

ALLOWED = (
    "google",
    "wikipedia",
    "khan",
    "quizlet",
    "britannica",
    "nasa",
    "microsoft",
    "apple",
    "zoom",
    "canvas",
)
"""Services that everybody may use."""
PLUGGING = threading.Lock()
"""Hosts are plugged in one after the other: the switch's ports are numbered."""
PUSH_PORT, RTP_PORT = 5223, 40_000
MACHINES = (
    ("students", "windows"),
    ("students", "chromeos"),
    ("staff", "windows"),
    ("staff", "apple"),
    ("guests", "android"),
    ("guests", "linux"),
)
"""VLAN and system of machines that read pages."""


def together(act: Callable[[T], object], hosts: Iterable[T]) -> list[str]:
    """An act of several hosts at once; what each said."""
    names = list(hosts)
    with ThreadPoolExecutor(len(names)) as threads:
        return [str(said or "").strip() for said in threads.map(act, names)]


def online(lab: Lab, host: str, vlan: str, system: str = "linux", *, ipv6: bool = False) -> str:
    """A new host with an address of the school's DHCP; raises RuntimeError where it gets none."""
    with PLUGGING:
        lab.host(host, vlan, ipv6=ipv6)
    traffic.set_system(lab, host, system)
    address = traffic.lease(lab, host, system)
    if address is None:
        raise RuntimeError(f"{host} got no address")
    return address


def everything_came(said: Sequence[str], least: float = 0.9) -> None:
    """Raises RuntimeError where fewer of curl's transfers than that were answered with 200 or 204."""
    lines = [line for text in said for line in text.splitlines()]
    good = sum(line.startswith(("200", "204", "206")) for line in lines)
    if not lines or good < least * len(lines):
        raise RuntimeError(f"only {good} of {len(lines)} transfers came: {lines[-1:]}")


def pages(lab: Lab) -> Truth:
    """Machines of each system get addresses, check the connection and read pages, with pauses."""

    def read(machine: tuple[str, str]) -> str:
        vlan, system = machine
        host = f"{vlan}-{system}"
        online(lab, host, vlan, system, ipv6=system == "chromeos")
        said = traffic.check_connection(lab, host, system)
        for name in random.Random(host).sample(ALLOWED, 6):
            time.sleep(0.8)
            page = f"www.{servers.SERVICES[name].domains[0]}"
            said += traffic.visit(lab, host, page, parts=["index.html", "style.css", "photo1.jpg"])
        return said

    said = together(read, MACHINES)
    everything_came(said)
    return Truth(said=f"{sum(text.count('200 ') for text in said)} transfers")


def _hundred_pages() -> list[str]:
    """Start pages of as many names."""
    domains = [domain for name in ALLOWED for domain in servers.SERVICES[name].domains]
    names = [f"{'www' if n < len(domains) else f's{n}'}.{domains[n % len(domains)]}" for n in range(100)]
    return [f"https://{name}/" for name in names]


def hundred_tabs(lab: Lab) -> Truth:
    """A browser restores its session: 100 pages at once, of as many names."""
    online(lab, "tabs", "staff", "windows")
    urls = _hundred_pages()
    said = traffic.fetch(lab, "tabs", urls, "--parallel", "--parallel-immediate", "--parallel-max", "100")
    everything_came([said])
    return Truth(said=f"{said.count('200')} pages")


def hundred_tabs_of_chromium(lab: Lab) -> Truth:
    """Chromium opens 100 tabs at its start, each a page with its parts."""
    online(lab, "browser", "staff", "chromeos")
    shown = browser.open_tabs(lab, "browser", _hundred_pages(), seconds=25)
    if shown < 90:
        raise RuntimeError(f"only {shown} of 100 tabs show their page")
    return Truth(said=f"{shown} tabs")


def chromium(lab: Lab) -> Truth:
    """Chromium opens pages, QUIC tried for one of them."""
    online(lab, "browser", "staff", "chromeos")
    for name in ("www.khanacademy.org", "www.wikipedia.org"):
        browser.open_page(lab, "browser", f"https://{name}/", seconds=12)
    browser.open_page(lab, "browser", "https://www.google.com/", quic_for="www.google.com", seconds=12)
    return Truth(said="three pages")


def updates(lab: Lab) -> Truth:
    """Three laptops fetch the same updates in parts, as fast as 2 MB/s each."""

    def update(host: str) -> str:
        online(lab, host, "students", "windows")
        urls = [f"https://download.windowsupdate.com/update.cab?part={n}" for n in range(3)]
        return traffic.fetch(lab, host, urls, "--limit-rate", "2M")

    said = together(update, ("update-1", "update-2", "update-3"))
    everything_came(said)
    return Truth(said="54 MB")


def calls(lab: Lab) -> Truth:
    """Video calls as Teams makes them: STUN to many candidates, a relay, then media both ways.

    Candidates are peers' own addresses, which mostly don't answer.
    """
    relays = [f"198.51.100.{n}" for n in range(150, 156)]
    lab.serve_on(relays)
    listen = [word for relay in relays for word in ("-L", relay)]
    lab.start(
        "internet",
        [
            "turnserver",
            "-n",
            "--no-auth",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--log-file",
            "stdout",
            *listen,
        ],
    )
    lab.start("internet", exchanges.command("echo", *relays, "--ports", str(RTP_PORT)))
    peers = [f"192.168.{n % 5}.{n * 7}" for n in range(1, 13)] + [f"203.0.113.{n}" for n in range(150, 162)]

    def call(number: int) -> str:
        host, relay = f"caller-{number}", relays[number]
        online(lab, host, "staff", "windows")
        traffic.visit(lab, host, "www.zoom.us", parts=["index.html"])
        for server in relays:
            lab.run(host, ["timeout", "3", "turnutils_stunclient", server], check=False)
        for peer in peers:
            lab.run(host, ["timeout", "0.6", "turnutils_stunclient", peer], check=False)
        relayed = ["turnutils_uclient", "-y", "-c", "-n", "400", "-z", "25", "-l", "180", "-m", "2", relay]
        lab.run(host, ["timeout", "25", *relayed], check=False)
        lab.run(host, media(f"{relay}:{RTP_PORT}", 15), check=False, timeout=60)
        return host

    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(call, range(2)))
    return Truth(said=f"calls of {', '.join(said)}")


def media(target: str, seconds: int) -> list[str]:
    """ffmpeg sending a picture and sound as MPEG-TS over RTP."""
    return [
        *("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=12"),
        *("-f", "lavfi", "-i", "sine", "-t", str(seconds), "-c:v", "mpeg2video", "-b:v", "600k"),
        *("-c:a", "mp2", "-f", "rtp_mpegts", f"rtp://{target}"),
    ]


def power_returns(lab: Lab) -> Truth:
    """After a power cut 40 machines start at once, before DHCP server, resolver and file server do."""
    hosts = [f"desk-{n:02d}" for n in range(40)]
    for host in hosts:
        lab.host(host, "students")
    lab.host("fileserver", "infrastructure", address="10.10.0.21")
    script = lab.path / "boot"
    lease_script = lab.path / "lease"
    lease_script.write_text(traffic.LEASE_SCRIPT)
    lease_script.chmod(0o755)
    script.write_text(
        f"""#!/bin/sh
# The machine's own start: an address, its server, the clock of its session, the first page.
busybox udhcpc -i eth0 -f -q -n -t 25 -T 1 -x hostname:$1 -V "MSFT 5.0" -s {lease_script} >/dev/null 2>&1
busybox arping -q -c 2 -w 2 -I eth0 10.20.0.1
for n in 1 2 3 4 5; do
  curl -s -m 2 -o /dev/null http://10.10.0.21:8080/logon && break
  sleep 1
done
for name in dc.school.example wpad.school.example www.msftconnecttest.com time.windowsupdate.com; do
  dig +time=1 +tries=2 $name >/dev/null
done
curl -s -m 5 -o /dev/null -w '%{{http_code}}' http://www.msftconnecttest.com/connecttest.txt
"""
    )
    script.chmod(0o755)
    asleep = [
        p
        for p in lab.processes
        if any(word in " ".join(map(str, p.args)) for word in ("dhcp.conf", "resolver.conf"))
    ]
    for process in asleep:
        lab.run("gateway", ["kill", "-STOP", str(process.pid)])

    def wake() -> None:
        time.sleep(5)
        for process in asleep:
            lab.run("gateway", ["kill", "-CONT", str(process.pid)])
        time.sleep(4)
        lab.start("fileserver", ["busybox", "httpd", "-f", "-p", "8080", "-h", str(lab.path / "www")])

    with ThreadPoolExecutor(41) as threads:
        threads.submit(wake)
        said = list(
            threads.map(
                lambda host: lab.run(host, [str(script), host], check=False, timeout=90).stdout, hosts
            )
        )
    up = sum(code == "200" for code in said)
    if up < 30:
        raise RuntimeError(f"only {up} of 40 machines came up")
    return Truth(said=f"{up} machines")


def roaming_phones(lab: Lab) -> Truth:
    """Phones that come to the network three times, each time with a new random MAC and IPv6 address."""
    phones = [f"phone-{n:02d}" for n in range(8)]
    for phone in phones:
        lab.host(phone, "students", ipv6=True)
        lab.run(phone, ["sysctl", "-q", "net.ipv6.conf.eth0.use_tempaddr=2"])

    def roam(phone: str) -> str:
        chance, said = random.Random(phone), ""
        for _ in range(3):
            mac = bytes([chance.randrange(256) & 0xFC | 2, *chance.randbytes(5)]).hex(":")
            for line in ("down", f"address {mac}", "up"):
                lab.run(phone, ["ip", "link", "set", "eth0", *line.split()])
            system = "apple" if chance.random() < 0.5 else "android"
            traffic.lease(lab, phone, system)
            time.sleep(3)  # the router's advertisement
            said += traffic.check_connection(lab, phone, system)
            said += traffic.visit(lab, phone, "www.wikipedia.org", parts=["index.html"])
            said += traffic.visit(lab, phone, "www.apple.com", "-6", parts=["index.html"])
        return said

    said = together(roam, phones)
    everything_came(said, 0.6)
    return Truth(said=f"{sum(text.count('200') + text.count('204') for text in said)} transfers")


def waking(lab: Lab) -> Truth:
    """A laptop wakes: 40 connections of before are dead, and each is reset at its first byte."""
    push = [f"198.51.100.{n}" for n in range(160, 170)]
    lab.serve_on(push)
    online(lab, "sleeper", "students", "apple")
    server = lab.start("internet", exchanges.command("hold", *push, "--ports", str(PUSH_PORT)))
    lab.wait_for("internet", ["bash", "-c", f"exec 3<>/dev/tcp/{push[-1]}/{PUSH_PORT}"])
    go = lab.path / "awake"
    staying = lab.start(
        "sleeper",
        exchanges.command("stay", *push, "--ports", str(PUSH_PORT), "--rounds", "4", "--go", str(go)),
        "sleeper.log",
    )
    time.sleep(3)
    lab.run("internet", ["sysctl", "-q", "net.ipv4.tcp_orphan_retries=1"])
    lab.nft(
        "gateway",
        """
table ip sleep {
  chain forward {
    type filter hook forward priority -5
    ip daddr 198.51.100.160/28 drop
    ip saddr 198.51.100.160/28 drop
  }
}
""",
    )
    lab.stop(server)
    time.sleep(6)
    lab.nft("gateway", "delete table ip sleep")
    lab.start("internet", exchanges.command("hold", *push, "--ports", str(PUSH_PORT)))
    time.sleep(1)
    go.touch()
    if staying.wait(30):
        raise RuntimeError((lab.path / "sleeper.log").read_text()[-300:])
    said = (lab.path / "sleeper.log").read_text()
    everything_came([traffic.visit(lab, "sleeper", "www.apple.com")])
    return Truth(said=f"{said.strip()} of 40 connections were reset")


def learn_names(lab: Lab) -> None:
    """The school, and a laptop that looks its names up before the recording begins."""
    servers.start_school(lab)
    online(lab, "rememberer", "students", "windows")


def remembered_names(lab: Lab) -> Truth:
    """A browser goes on with names it looked up before the recording: 48 connections, no question."""
    names = [servers.SERVICES[name].domains[0] for name in ALLOWED[:8]]
    for _ in range(6):
        for name, service in zip(names, ALLOWED, strict=False):
            known = ["--resolve", f"www.{name}:443:{servers.SERVICES[service].ipv4[0]}"]
            everything_came(
                [traffic.visit(lab, "rememberer", f"www.{name}", *known, parts=["index.html", "photo1.jpg"])]
            )
    return Truth(said="48 connections")


def many_names(lab: Lab) -> Truth:
    """A page of 150 content servers of one domain, and typing errors."""
    online(lab, "names", "students", "windows")
    asked = lab.path / "asked"
    wrong = [
        f"{word}.exmaple-{n}.com" for n, word in enumerate(("www", "mail", "wpad", "intranet", "printer") * 4)
    ]
    right = [f"{w}{n}.googleusercontent.com" for n in range(75) for w in ("lh", "t")]
    asked.write_text("".join(f"{name} A\n{name} AAAA\n" for name in (*right, *wrong)))
    lab.run("names", ["dig", "+time=2", "+tries=2", "-f", str(asked)], check=False)
    return Truth(said=f"{len(right)} names of one domain, {len(wrong)} that don't exist")


def school_vpn(lab: Lab) -> Truth:
    """Staff use the school's own VPN."""
    online(lab, "staff-laptop", "staff", "windows")
    said = traffic.fetch_over_vpn(lab, "staff-laptop", "www.instructure.com", "www.nasa.gov")
    everything_came([said])
    return Truth(said="a page over OpenVPN")


def mistypes(lab: Lab) -> Truth:
    """Four people mistype a password twice each before it is right: a page that asks for one, HTTP Basic."""
    web = lab.path / "private"
    web.mkdir()
    (web / "index.html").write_text("marks")
    digest = lab.run("internet", ["openssl", "passwd", "-apr1", "right"]).stdout.strip()
    (lab.path / "passwords").write_text(f"teacher:{digest}\n")
    lab.host("marks", "infrastructure", address="10.10.0.30")
    servers.start_nginx(
        lab,
        "marks",
        "marks",
        f"server {{ listen 10.10.0.30:80; root {web}; "
        f'auth_basic "marks"; auth_basic_user_file {lab.path}/passwords; }}',
    )

    def enter(host: str) -> str:
        online(lab, host, "staff", "windows")
        said = ""
        for password in ("rihgt", "Right", "right"):
            # A browser asks without a password first, and is told to give one.
            said += traffic.fetch(lab, host, ["http://10.10.0.30/"], "--anyauth", "-u", f"teacher:{password}")
            time.sleep(1)
        # After that every page of the morning: a 401 first, then the page, each time.
        for _ in range(25):
            said += traffic.fetch(lab, host, ["http://10.10.0.30/"], "--anyauth", "-u", "teacher:right")
        return said

    said = together(enter, [f"teacher-{n}" for n in range(4)])
    if sum(text.count("200 ") for text in said) != 4 * 26:
        raise RuntimeError(f"the pages did not come: {said[0][-200:]}")
    return Truth(said="8 wrong passwords of four people, 100 pages that ask first")


OWN_VPN = {"sanctioned": {"vpn": ["198.51.100.44/32"]}}

SCENARIOS = (
    Scenario("benign_pages", "machines of five systems: DHCP, connection check, pages", pages),
    Scenario("benign_tabs", "a browser restores 100 tabs at once (curl)", hundred_tabs),
    Scenario(
        "benign_tabs_chromium",
        "Chromium opens 100 tabs at once",
        hundred_tabs_of_chromium,
        needs=["chromium"],
    ),
    Scenario("benign_chromium", "Chromium opens pages, one over QUIC", chromium, needs=["chromium"]),
    Scenario("benign_updates", "three laptops fetch 18 MB of updates each", updates),
    Scenario(
        "benign_calls",
        "video calls: STUN to 30 candidates, most of them silent, TURN, RTP (coturn, ffmpeg)",
        calls,
        needs=["turnserver", "turnutils_uclient", "turnutils_stunclient", "ffmpeg"],
    ),
    Scenario("benign_power", "power returns: 40 machines start before their servers do", power_returns),
    Scenario("benign_roaming", "phones roam: random MACs, new IPv6 addresses", roaming_phones),
    Scenario("benign_waking", "a laptop wakes to 40 dead connections", waking),
    Scenario(
        "benign_remembered",
        "48 connections to names looked up earlier",
        remembered_names,
        prepare=learn_names,
    ),
    Scenario("benign_names", "150 names of one domain, 20 typing errors (dig)", many_names),
    Scenario("benign_vpn", "the school's own VPN (OpenVPN)", school_vpn, policy=OWN_VPN, needs=["openvpn"]),
    Scenario("benign_mistypes", "mistyped passwords, and pages that answer 401 before each login", mistypes),
)
