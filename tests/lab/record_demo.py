"""Records the bundled capture: some minutes of a school day in the lab, seen at the mirror port.

`python -m tests.lab.record_demo -o spanwatch/data/demo.pcap.zst` as root. Beside the capture it writes
`demo.truth.json`: what was done, by whom, from when to when, and what should be found out about it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import network, servers, shrink, traffic
from tests.lab.network import Lab, mac_for

SECONDS = 270
SEED = 20
TRUTH_VERSION = 1

# host: (VLAN, reserved address, system, IPv6 on)
ROSTER = {
    "student-laptop-1": ("students", "10.20.0.11", "windows", False),
    "student-laptop-2": ("students", "10.20.0.12", "windows", False),
    "student-laptop-3": ("students", "10.20.0.13", "windows", True),
    "student-laptop-4": ("students", "10.20.0.14", "windows", False),
    "student-laptop-5": ("students", "10.20.0.15", "windows", False),
    "student-laptop-6": ("students", "10.20.0.16", "linux", False),
    "student-chromebook-1": ("students", "10.20.0.21", "chromeos", True),
    "student-chromebook-2": ("students", "10.20.0.22", "chromeos", True),
    "student-chromebook-3": ("students", "10.20.0.23", "chromeos", False),
    "student-tablet-1": ("students", "10.20.0.31", "apple", True),
    "student-tablet-2": ("students", "10.20.0.32", "apple", False),
    "student-laptop-66": ("students", "10.20.0.66", "linux", False),
    "staff-laptop-1": ("staff", "10.30.0.11", "windows", False),
    "staff-laptop-2": ("staff", "10.30.0.12", "apple", False),
    "staff-laptop-3": ("staff", "10.30.0.13", "windows", False),
    "guest-phone-1": ("guests", "10.40.0.11", "android", False),
    "guest-phone-2": ("guests", "10.40.0.12", "apple", False),
    "Archer-C6": ("students", "10.20.0.88", "linux", False),
}
ROGUE = ("kitchen-router", "10.20.0.77")
BEHIND_NAT = {"hidden-phone": "android", "hidden-laptop": "windows"}

LESSON_NAMES = (
    "www.wikipedia.org",
    "en.wikipedia.org",
    "classroom.google.com",
    "docs.google.com",
    "www.google.com",
    "www.khanacademy.org",
    "cdn.kastatic.org",
    "quizlet.com",
    "www.britannica.com",
    "www.nasa.gov",
    "school.instructure.com",
    "www.office.com",
    "fonts.gstatic.com",
)
LIGHT_PAGE = ("index.html", "style.css", "photo3.jpg", "feed.json")
LESSON_HOSTS = tuple(name for name in ROSTER if name not in ("student-laptop-66", "Archer-C6"))


@dataclass
class Scenario:
    """What one host did: times in UTC microseconds; `expect` says what should come out, in plain terms."""

    id: str
    what: str
    host: str
    names: list[str]
    expect: list[dict[str, Any]]
    vlan: int = 0
    address: str = ""
    mac: str = ""
    start: int = 0
    end: int = 0
    result: str = ""


@dataclass
class Act:
    """One entry of the timetable: begins `at` seconds into the recording, in a thread of its own."""

    at: float
    run: Callable[[Lab], object]
    scenario: Scenario | None = None


@dataclass
class Recording:
    """The acts' outcome, filled in as they end."""

    scenarios: list[Scenario] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def lesson(chance: random.Random) -> list[Act]:
    """The background: every host goes online, opens lesson pages now and then, and gets updates."""
    acts = []
    for number, host in enumerate(LESSON_HOSTS):
        acts.append(Act(12 + number * 0.7, on(traffic.check_connection, host, ROSTER[host][2])))
        at = 15 + chance.uniform(0, 25)
        while at < SECONDS - 25:
            name = chance.choice(LESSON_NAMES)
            parts = traffic.PAGE_PARTS if chance.random() < 0.2 else LIGHT_PAGE
            options = ["--http1.1"] if chance.random() < 0.25 else []
            if chance.random() < 0.1:
                options += ["--tls-max", "1.2"]
            acts.append(Act(at, on(traffic.visit, host, name, *options, parts=parts)))
            at += chance.uniform(18, 55)
    for begin, host in ((40, "staff-laptop-1"), (70, "student-laptop-2")):
        acts.append(Act(begin, on(traffic.download, host, "download.windowsupdate.com", "update.cab")))
    meeting = [f"https://us04web.zoom.us/feed.json?{number}" for number in range(40)]
    acts.append(Act(60, on(traffic.fetch, "staff-laptop-2", meeting, "--rate", "30/m", timeout=100)))
    return acts


def on(act: Callable[..., object], *arguments: object, **options: object) -> Callable[[Lab], object]:
    """`act` with everything but the lab, which comes first, filled in."""
    return lambda lab: act(lab, *arguments, **options)


def visits(
    identity: str,
    host: str,
    names: list[str],
    at: float,
    expect: dict[str, Any],
    what: str,
    act: Callable[[Lab, str, str], object] = traffic.visit,
    again: float = 8,
) -> Act:
    """A scenario of one host that visits names one after the other, `again` seconds apart."""

    def run(lab: Lab) -> str:
        said = []
        for number, name in enumerate(names):
            if number:
                time.sleep(again)
            said.append(f"{name}: {act(lab, host, name)}")
        return "".join(str(line) for line in said)

    return Act(at, run, Scenario(identity, what, host, names, [{"names": names, **expect}]))


def blocked(mechanism: str, category: str) -> dict[str, Any]:
    """Expects the verdict blocked, by that mechanism."""
    return {"kind": "attempt", "verdict": "blocked", "mechanism": mechanism, "category": category}


def allowed(category: str, action: str) -> dict[str, Any]:
    """Expects the verdict allowed; with the action prohibit that is a leak of the filter."""
    return {"kind": "attempt", "verdict": "allowed", "category": category, "policy": action}


def finding(subject: str, what: str) -> dict[str, Any]:
    """Expects a finding about a host."""
    return {"kind": "finding", "finding": what, "subject": subject}


def filtering() -> list[Act]:
    """What the filter stops, and what it lets through."""
    social = ["www.tiktok.com", "www.instagram.com", "www.facebook.com"]
    plain = lambda lab, host, name: traffic.visit_plain(lab, host, name)  # noqa: E731
    one = lambda lab, host, name: traffic.visit(lab, host, name, parts=("index.html",))  # noqa: E731
    return [
        visits(
            "social-sinkhole-1",
            "student-laptop-1",
            social,
            30,
            blocked("dns sinkhole", "social_media"),
            "Social media; the resolver answers with the block page's address",
            one,
        ),
        visits(
            "social-sinkhole-2",
            "student-tablet-1",
            ["www.tiktok.com", "www.tiktokv.com"],
            75,
            blocked("dns sinkhole", "social_media"),
            "The same from a dual-stack tablet",
            one,
        ),
        visits(
            "social-sinkhole-3",
            "guest-phone-2",
            ["www.instagram.com", "i.instagram.com"],
            95,
            blocked("dns sinkhole", "social_media"),
            "Social media from the guests' VLAN",
            one,
        ),
        visits(
            "social-nxdomain",
            "student-laptop-4",
            ["x.com", "twitter.com"],
            55,
            blocked("nxdomain", "social_media"),
            "Social media; the resolver says the name is not there",
            one,
        ),
        visits(
            "social-redirect",
            "student-laptop-6",
            ["www.reddit.com", "old.reddit.com"],
            110,
            blocked("http redirect", "social_media"),
            "Plain HTTP that the gateway sends to the block host",
            plain,
        ),
        visits(
            "adult-sinkhole",
            "student-laptop-2",
            ["www.pornhub.com"],
            120,
            blocked("dns sinkhole", "adult"),
            "An adult name; the resolver answers with the block page's address",
            one,
        ),
        visits(
            "adult-null",
            "guest-phone-1",
            ["www.xvideos.com"],
            130,
            blocked("null address", "adult"),
            "An adult name; the resolver answers 0.0.0.0",
            one,
        ),
        visits(
            "gambling-refused",
            "student-laptop-4",
            ["www.bet365.com"],
            140,
            blocked("refused", "gambling"),
            "A gambling name; the resolver refuses",
            one,
        ),
        visits(
            "games-reset",
            "student-tablet-2",
            ["www.roblox.com", "www.roblox.com", "apis.roblox.com"],
            65,
            blocked("reset after hello", "games"),
            "A game; the gateway resets after the ClientHello",
            one,
        ),
        visits(
            "games-reset-2",
            "student-laptop-3",
            ["www.roblox.com", "www.roblox.com"],
            150,
            blocked("reset after hello", "games"),
            "The same from another host",
            one,
        ),
        visits(
            "chat-reset",
            "student-laptop-1",
            ["discord.com", "gateway.discord.com"],
            160,
            blocked("reset after hello", "chat"),
            "A chat service; reset after the ClientHello",
            one,
        ),
        visits(
            "vpn-nxdomain",
            "student-laptop-6",
            ["nordvpn.com", "api.nordvpn.com"],
            45,
            blocked("nxdomain", "vpn"),
            "A VPN service; the resolver says the name is not there",
            one,
        ),
        visits(
            "vpn-allowed",
            "student-laptop-6",
            ["account.protonvpn.com"],
            170,
            allowed("vpn", "prohibit"),
            "A VPN service that the filter does not know",
        ),
        visits(
            "social-leak",
            "student-laptop-3",
            ["www.snapchat.com", "app.snapchat.com", "cf-st.sc-cdn.net"],
            85,
            allowed("social_media", "prohibit"),
            "Social media that the filter does not know: more than 100 kB delivered",
        ),
        visits(
            "social-leak-2",
            "student-chromebook-2",
            ["web.snapchat.com"],
            125,
            allowed("social_media", "prohibit"),
            "The same from a dual-stack host",
        ),
        visits(
            "staff-social",
            "staff-laptop-2",
            ["www.instagram.com", "www.facebook.com", "www.tiktok.com"],
            50,
            allowed("social_media", "allow"),
            "Staff may use social media; they are not filtered for it",
        ),
        visits(
            "shopping",
            "guest-phone-2",
            ["www.amazon.com"],
            60,
            allowed("shopping", "allow"),
            "A shop, from the guests' VLAN",
            one,
        ),
        visits(
            "steam",
            "student-laptop-4",
            ["store.steampowered.com"],
            175,
            allowed("games", "policy"),
            "A game shop that the filter does not know",
        ),
        visits(
            "doh",
            "student-chromebook-3",
            [
                "dns.google",
                "www.tiktok.com",
                "v16-webapp.tiktok.com",
                "www.instagram.com",
                *[f"p{n}-sign.tiktokcdn.com" for n in range(10, 40)],
            ],
            100,
            {
                "kind": "finding",
                "finding": "circumvention by DNS over HTTPS; what it resolves is delivered",
                "category": "doh",
                "subject": "10.20.0.23",
                "leaks": "social_media",
            },
            "Names asked of dns.google over HTTPS instead of the school's resolver, then visited",
            lambda lab, host, name: traffic.fetch_over_doh(
                lab, host, name, traffic.PAGE_PARTS if name.startswith("www.") else ("photo1.jpg",)
            ),
            1.5,
        ),
    ]


def streaming() -> list[Act]:
    """Films, music, an upload."""
    film = "rr3---sn-nx57ynsl.googlevideo.com"
    return [
        Act(22, lambda lab: traffic.visit(lab, "student-laptop-5", "www.youtube.com"), None),
        Act(
            24,
            lambda lab: traffic.watch(lab, "student-laptop-5", film, SECONDS - 45),
            Scenario(
                "video-hog",
                "Plays a film at 2.5 Mb/s for almost the whole time",
                "student-laptop-5",
                ["www.youtube.com", film],
                [
                    finding("10.20.0.15", "host above its bandwidth share by streaming"),
                    allowed("streaming_video", "policy"),
                ],
            ),
        ),
        Act(
            60,
            lambda lab: traffic.watch_segments(
                lab, "guest-phone-1", "ipv4-c001-lax001-ix.1.oca.nflxvideo.net", 22
            ),
            Scenario(
                "video-guest",
                "Fetches film segments of 0.9 MB every 4 s",
                "guest-phone-1",
                ["ipv4-c001-lax001-ix.1.oca.nflxvideo.net"],
                [allowed("streaming_video", "policy")],
            ),
        ),
        Act(
            50,
            lambda lab: traffic.watch_segments(
                lab, "student-laptop-6", "audio-ak-spotify.scdn.co", 9, "song.ogg", 6
            ),
            Scenario(
                "music",
                "Fetches a piece of music of 240 kB every 10 s",
                "student-laptop-6",
                ["audio-ak-spotify.scdn.co"],
                [allowed("streaming_music", "policy")],
            ),
        ),
        Act(
            90,
            lambda lab: traffic.upload(lab, "student-laptop-2", "www.dropbox.com", 3_000_000),
            Scenario(
                "cloud-upload",
                "Sends 3 MB to a cloud store that the school does not provide",
                "student-laptop-2",
                ["www.dropbox.com"],
                [allowed("cloud_storage", "policy")],
            ),
        ),
    ]


def browsers() -> list[Act]:
    """Headless Chromium: its hello spans two segments; QUIC is dropped by the gateway."""
    return [
        Act(
            35,
            lambda lab: traffic.browse(lab, "student-chromebook-1", "https://www.khanacademy.org/"),
            Scenario(
                "browser",
                "Chromium opens a page with its parts",
                "student-chromebook-1",
                ["www.khanacademy.org"],
                [],
            ),
        ),
        Act(
            80,
            lambda lab: traffic.browse(
                lab, "student-chromebook-1", "https://www.youtube.com/", quic_for="www.youtube.com"
            ),
            Scenario(
                "browser-quic",
                "Chromium tries QUIC, which the gateway drops in silence",
                "student-chromebook-1",
                ["www.youtube.com"],
                [],
            ),
        ),
        Act(
            135,
            lambda lab: traffic.browse(lab, "student-chromebook-2", "https://www.snapchat.com/"),
            Scenario(
                "browser-leak",
                "Chromium opens social media that the filter does not know",
                "student-chromebook-2",
                ["www.snapchat.com"],
                [allowed("social_media", "prohibit")],
            ),
        ),
        Act(
            165,
            lambda lab: traffic.browse(lab, "student-chromebook-1", "https://www.tiktok.com/"),
            Scenario(
                "browser-block",
                "Chromium opens a name that the resolver sends to the block page",
                "student-chromebook-1",
                ["www.tiktok.com"],
                [blocked("dns sinkhole", "social_media")],
            ),
        ),
    ]


def scanning() -> list[Act]:
    """One student host scans, inside and outside."""
    host, address = "student-laptop-66", "10.20.0.66"

    def act(at: float, identity: str, what: str, found: str, run: Callable[[Lab], object]) -> Act:
        return Act(at, run, Scenario(identity, what, host, [], [finding(address, found)]))

    return [
        act(
            28,
            "scan-arp",
            "nmap -sn: ARP for 192 neighbours",
            "neighbour sweep",
            lambda lab: traffic.scan_neighbours(lab, host, "10.20.3.0-191"),
        ),
        act(
            62,
            "scan-addresses",
            "nmap -sS: port 445 of 128 inside addresses",
            "address scan",
            lambda lab: traffic.scan_addresses(lab, host, "10.10.0.0-127"),
        ),
        act(
            92,
            "scan-ports",
            "nmap -sS: 1000 ports of the resolver",
            "port scan",
            lambda lab: traffic.scan_ports(lab, host, network.RESOLVER),
        ),
        act(
            118,
            "scan-outside",
            "nmap -sS: ports 22 and 3389 of 64 outside addresses",
            "address scan",
            lambda lab: traffic.scan_addresses(lab, host, "198.51.100.128-191", "22,3389"),
        ),
        act(
            145,
            "scan-udp",
            "nmap -sU: 20 UDP ports of the sinkhole",
            "UDP scan",
            lambda lab: traffic.scan_udp(lab, host, network.SINKHOLE),
        ),
        act(
            158,
            "scan-xmas",
            "nmap -sX: 100 ports of the sinkhole",
            "stealth scan",
            lambda lab: traffic.scan_xmas(lab, host, network.SINKHOLE),
        ),
    ]


def equipment() -> list[Act]:
    """A rogue DHCP server, and a NAT router as an unauthorized access point."""
    rogue, address = ROGUE

    def rogue_dhcp(lab: Lab) -> str:
        server = traffic.start_rogue_dhcp(lab, rogue)
        time.sleep(1)
        for number in range(1, 5):
            asking = f"student-laptop-{number}"
            traffic.lease(lab, asking, ROSTER[asking][2], keep=False)
            time.sleep(4)
        lab.host("student-tablet-3", "students")
        victim = traffic.lease(lab, "student-tablet-3", "apple")
        traffic.visit(
            lab, "student-tablet-3", "www.wikipedia.org", "--connect-timeout", "3", parts=["index.html"]
        )
        lab.stop(server)
        return f"student-tablet-3 took {victim}"

    def access_point(lab: Lab) -> str:
        said = ""
        for number, name in enumerate(
            ("www.wikipedia.org", "www.google.com", "www.nasa.gov", "www.apple.com")
        ):
            for client, system in BEHIND_NAT.items():
                if not number:
                    traffic.check_connection(lab, client, system)
                said += traffic.visit(lab, client, name, parts=LIGHT_PAGE)
            time.sleep(15)
        said += traffic.visit(lab, "hidden-phone", "www.snapchat.com")
        return said

    return [
        Act(
            104,
            rogue_dhcp,
            Scenario(
                "rogue-dhcp",
                "A second DHCP server on a student port answers requests, itself as gateway",
                rogue,
                [],
                [finding(address, "DHCP server that is not on the list")],
            ),
        ),
        Act(
            70,
            access_point,
            Scenario(
                "nat-router",
                "A consumer router in the students' VLAN; a phone (TTL 64) and a laptop (TTL 128) behind it",
                "Archer-C6",
                ["www.wikipedia.org", "www.snapchat.com"],
                [finding("10.20.0.88", "address sharing: TTL 63 and 127 from one hardware address")],
            ),
        ),
    ]


def go_online(lab: Lab) -> None:
    """Every host of the roster asks for its address; raises TimeoutError when one gets none."""
    for name, (_, address, system, _) in ROSTER.items():
        got = traffic.lease(lab, name, system)
        if got != address:
            raise TimeoutError(f"{name} got {got or 'no address'} by DHCP, {address} was kept for it")


def play(lab: Lab, acts: list[Act], log: Callable[[str], None]) -> Recording:
    """Runs the timetable, each act in its thread, and waits for the last to end."""
    recording = Recording()
    begin = time.monotonic()

    def perform(act: Act) -> None:
        scenario = act.scenario
        start = time.time_ns() // 1000
        try:
            said = act.run(lab)
        except Exception as error:
            recording.failures.append(f"{scenario.id if scenario else 'lesson'}: {error!r}"[:300])
            said = ""
        if scenario:
            host = lab.hosts[scenario.host]
            scenario.start, scenario.end = start, time.time_ns() // 1000
            scenario.vlan, scenario.mac = (host.vlan.number if host.vlan else 0), host.mac
            scenario.address = lab.address(scenario.host) or ""
            scenario.result = said.strip() if isinstance(said, str) else ""
            recording.scenarios.append(scenario)
            log(f"{time.monotonic() - begin:5.0f} s  {scenario.id}")

    threads = []
    for act in sorted(acts, key=lambda act: act.at):
        time.sleep(max(0.0, begin + act.at - time.monotonic()))
        thread = threading.Thread(target=perform, args=(act,))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    time.sleep(max(0.0, begin + SECONDS - time.monotonic()))
    return recording


def record(raw: Path, log: Callable[[str], None]) -> tuple[Recording, dict[str, Any]]:
    """Builds the school, plays the day and writes what the mirror port showed to `raw` (pcap)."""
    with Lab() as lab:
        log("building the network and its servers")
        reservations = {mac_for(name): entry[1] for name, entry in ROSTER.items()}
        servers.start_school(lab, reservations)
        traffic.make_video(lab, SECONDS)
        for name, (vlan, _, system, ipv6) in ROSTER.items():
            lab.host(name, vlan, ipv6=ipv6)
            traffic.set_system(lab, name, system)
        lab.host(ROGUE[0], "students", address=ROGUE[1])
        traffic.plug_in_nat_router(lab, "Archer-C6", BEHIND_NAT)
        tap = lab.start(
            "sensor",
            ["tcpdump", "-Z", "root", "-i", lab.mirror, "-B", "65536", "-s", "0", "-w", str(raw)],
            "tap.log",
        )
        time.sleep(1)
        log("hosts go online")
        go_online(lab)
        log(f"recording {SECONDS} s")
        acts = lesson(random.Random(SEED)) + filtering() + streaming() + browsers() + scanning() + equipment()
        recording = play(lab, acts, log)
        lab.stop(tap)
        tap_says = (lab.path / "tap.log").read_text()
        hosts = {
            name: {
                "vlan": host.vlan.number,
                "group": host.vlan.name,
                "mac": host.mac,
                "address": lab.address(name),
                "address6": lab.address(name, 6),
            }
            for name, host in lab.hosts.items()
            if host.vlan
        }
    if "0 packets dropped by kernel" not in tap_says:
        recording.failures.append(f"tcpdump: {tap_says.strip()[-200:]}")
    return recording, hosts


def main() -> int:
    """Records, shrinks, compresses, writes the truth; 1 when an act failed or the network can't be had."""
    parser = argparse.ArgumentParser(description="Record the bundled capture in the lab (root needed).")
    parser.add_argument("-o", "--output", type=Path, default=Path("spanwatch/data/demo.pcap.zst"))
    parser.add_argument("--keep-raw", type=Path, help="also keep the full recording, as a pcap")
    arguments = parser.parse_args()
    if reason := network.why_not() or servers.why_not():
        print(reason, file=sys.stderr)
        return 1
    log: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        raw = arguments.keep_raw or Path(folder) / "raw.pcap"
        recording, hosts = record(raw, log)
        small = Path(folder) / "demo.pcap"
        with open(raw, "rb") as source, open(small, "wb") as target:
            counts = shrink.shrink(source, target)
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["zstd", "-q", "-f", "-19", str(small), "-o", str(arguments.output)], check=True)
    truth = {
        "version": TRUTH_VERSION,
        "capture": arguments.output.name,
        "recorded_by": "python -m tests.lab.record_demo",
        "counts": asdict(counts),
        "network": {
            "vlans": {
                str(v.number): {
                    "group": v.name,
                    "network": str(v.network),
                    "mirrored": v.mirrored,
                    "gateway": v.gateway,
                }
                for v in network.VLANS.values()
            },
            "resolver": network.RESOLVER,
            "sinkhole": network.SINKHOLE,
            "block_host": servers.BLOCK_HOST,
            "dhcp_servers": ["10.20.0.1", "10.30.0.1", "10.40.0.1"],
            "gateway_mac": mac_for("gateway"),
        },
        "hosts": hosts,
        "scenarios": [asdict(s) for s in sorted(recording.scenarios, key=lambda s: s.start)],
    }
    beside = arguments.output.with_name(arguments.output.name.split(".")[0] + ".truth.json")
    beside.write_text(json.dumps(truth, indent=1) + "\n")
    log(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB, {counts}")
    for failure in recording.failures:
        log(f"failed: {failure}")
    return 1 if recording.failures else 0


if __name__ == "__main__":
    sys.exit(main())
