"""The demo's school day: who is there, and what each does when, with what should be found of it."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.lab import browser, plan, traffic
from tests.lab.network import Lab, mac_for

SECONDS = 270
SEED = 20

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


def visits(act: Callable[..., object], host: str, names: list[str], again: float) -> Callable[[Lab], str]:
    """The names one after the other, `again` seconds apart; what the program reported of each."""

    def run(lab: Lab) -> str:
        said = ""
        for number, name in enumerate(names):
            if number:
                time.sleep(again)
            said += f"{name}: {act(lab, host, name)}"
        return said

    return run


def scene(
    at: float,
    identity: str,
    host: str,
    what: str,
    run: Callable[[Lab], object],
    names: list[str],
    *expect: dict[str, Any],
) -> Act:
    """A scenario that is one act; where prohibited names should be delivered, a leak is expected, too."""
    expected = list(expect)
    if any(entry.get("policy") == "prohibit" or "leaks" in entry for entry in expect):
        expected.append(finding(ROSTER[host][1], "filter_leak", "prohibited names delivered"))
    return Act(at, run, Scenario(identity, what, host, names, expected))


def blocked(mechanism: str, category: str) -> dict[str, Any]:
    """Expects the verdict blocked, by that mechanism."""
    return {"kind": "attempt", "verdict": "blocked", "mechanism": mechanism, "category": category}


def allowed(category: str, action: str) -> dict[str, Any]:
    """Expects the verdict allowed; with the action prohibit that is a leak of the filter."""
    return {"kind": "attempt", "verdict": "allowed", "category": category, "policy": action}


def finding(subject: str, detector: str, what: str) -> dict[str, Any]:
    """Expects a finding about a host by a detector (a file of classifiers/detectors)."""
    return {"kind": "finding", "detector": detector, "subject": subject, "finding": what}


ACTS: dict[str, Callable[..., object]] = {
    "page": partial(traffic.visit, parts=("index.html",)),
    "visit": traffic.visit,
    "plain": traffic.visit_plain,
    "patient": partial(traffic.visit, parts=("index.html",), timeout=14),
}


def filtering() -> list[Act]:
    """What the filter stops, and what it lets through: visits.tsv, DNS over HTTPS, a tunnel."""
    acts = []
    text = Path(__file__).with_name("visits.tsv").read_text()
    for row in csv.reader((line for line in text.splitlines() if line[0] != "#"), delimiter="\t"):
        at, identity, host, act, verdict, mechanism, category, policy, listed, what = row
        names = listed.split(",")
        expect: dict[str, Any] = {"kind": "attempt", "names": names, "verdict": verdict, "category": category}
        expect |= {"policy": policy} if policy != "-" else {"mechanism": mechanism}
        acts.append(scene(float(at), identity, host, what, visits(ACTS[act], host, names, 8), names, expect))
    doh = ["dns.google", "www.tiktok.com", "v16-webapp.tiktok.com", "www.instagram.com"]
    doh += [f"p{number}-sign.tiktokcdn.com" for number in range(10, 42)]
    evader, tunnel = "student-chromebook-3", "us-12.protonvpn.com"
    return [
        *acts,
        scene(
            100,
            "doh",
            evader,
            "Names asked of dns.google over HTTPS instead of the school's resolver, then visited",
            visits(resolve_elsewhere, evader, doh, 1.5),
            doh,
            {
                **finding("10.20.0.23", "circumvention_endpoint", "circumvention by DNS over HTTPS"),
                "category": "doh",
                "leaks": "social_media",
            },
        ),
        scene(
            180,
            "vpn-tunnel",
            "student-laptop-6",
            "OpenVPN over UDP 1194 to a service the filter does not know, social media inside",
            on(traffic.fetch_over_vpn, "student-laptop-6", tunnel, "www.tiktok.com"),
            [tunnel],
            finding("10.20.0.16", "circumvention_protocol", "circumvention by OpenVPN"),
        ),
    ]


def resolve_elsewhere(lab: Lab, host: str, name: str) -> str:
    """A page, or of a content server one picture, by way of DNS over HTTPS."""
    parts = traffic.PAGE_PARTS if name.startswith("www.") else ("photo1.jpg",)
    return traffic.fetch_over_doh(lab, host, name, parts)


def streaming() -> list[Act]:
    """Films, music, an upload."""
    film, series = "rr3---sn-nx57ynsl.googlevideo.com", "ipv4-c001-lax001-ix.1.oca.nflxvideo.net"
    music, store = "audio-ak-spotify.scdn.co", "www.dropbox.com"
    duty = "limit in duty hours, else allow"
    hog, guest, listener = "student-laptop-5", "guest-phone-1", "student-laptop-6"
    return [
        Act(22, on(traffic.visit, hog, "www.youtube.com")),
        scene(
            24,
            "video-hog",
            hog,
            "Plays a film at 2.5 Mb/s for almost the whole time",
            on(traffic.watch, hog, film, SECONDS - 45),
            [film],
            finding("10.20.0.15", "streaming_share", "host above its bandwidth share by streaming"),
            allowed("streaming_video", duty),
        ),
        scene(
            60,
            "video-guest",
            guest,
            "Fetches film segments of 0.9 MB every 4 s",
            on(traffic.watch_segments, guest, series, 22),
            [series],
            allowed("streaming_video", "allow"),
        ),
        scene(
            50,
            "music",
            listener,
            "Fetches a piece of music of 240 kB every 10 s",
            on(traffic.watch_segments, listener, music, 9, "song.ogg", 6),
            [music],
            allowed("streaming_music", duty),
        ),
        scene(
            90,
            "cloud-upload",
            "student-laptop-2",
            "Sends 3 MB to a cloud store the school does not provide",
            on(traffic.upload, "student-laptop-2", store, 3_000_000),
            [store],
            allowed("cloud_storage", "limit"),
        ),
    ]


def browsers() -> list[Act]:
    """Headless Chromium: its hello spans two segments; students' QUIC is dropped by the gateway."""

    def open_page(
        at: float, identity: str, host: str, name: str, what: str, *expect: dict[str, Any], quic: bool = False
    ) -> Act:
        run = on(browser.open_page, host, f"https://{name}/", quic_for=name if quic else "")
        return scene(at, identity, host, what, run, [name], *expect)

    first, second, staff = "student-chromebook-1", "student-chromebook-2", "staff-laptop-3"
    return [
        open_page(35, "browser", first, "www.khanacademy.org", "Chromium opens a page with its parts"),
        open_page(
            80,
            "browser-quic-dropped",
            first,
            "www.youtube.com",
            "Chromium tries QUIC, which the gateway drops from students in silence",
            quic=True,
        ),
        open_page(
            135,
            "browser-leak",
            second,
            "www.snapchat.com",
            "Chromium opens social media that the filter does not know",
            allowed("social_media", "prohibit"),
        ),
        open_page(
            172,
            "browser-block",
            first,
            "www.tiktok.com",
            "Chromium opens a name that the resolver sends to the block page",
            blocked("dns_sinkhole", "social_media"),
        ),
        open_page(
            105,
            "browser-quic",
            staff,
            "www.youtube.com",
            "Chromium opens a page over QUIC",
            allowed("streaming_video", "limit in duty hours, else allow"),
            quic=True,
        ),
        open_page(
            148,
            "browser-quic-social",
            staff,
            "www.instagram.com",
            "Social media over QUIC, staff",
            allowed("social_media", "allow"),
            quic=True,
        ),
    ]


def scanning() -> list[Act]:
    """One student host scans, inside and outside."""
    host, address = "student-laptop-66", "10.20.0.66"

    def scan(at: float, identity: str, what: str, found: str, act: Callable[..., object], *where: str) -> Act:
        return scene(at, identity, host, what, on(act, host, *where), [], finding(address, found, what))

    return [
        scan(
            28,
            "scan-arp",
            "nmap -sn: ARP for 192 neighbours",
            "arp_scan",
            traffic.scan_neighbours,
            "10.20.3.0-191",
        ),
        scan(
            62,
            "scan-addresses",
            "nmap -sS: port 445 of 128 inside addresses",
            "address_scan",
            traffic.scan_addresses,
            "10.10.0.0-127",
        ),
        scan(
            92,
            "scan-ports",
            "nmap -sS: 1000 ports of the resolver",
            "port_scan",
            traffic.scan_ports,
            plan.RESOLVER,
        ),
        scan(
            118,
            "scan-outside",
            "nmap -sS: ports 22 and 3389 of 64 outside addresses",
            "address_scan",
            traffic.scan_addresses,
            "198.51.100.128-191",
            "22,3389",
        ),
        scan(
            145,
            "scan-udp",
            "nmap -sU: 20 UDP ports of the sinkhole",
            "udp_scan",
            traffic.scan_udp,
            plan.SINKHOLE,
        ),
        scan(
            158,
            "scan-xmas",
            "nmap -sX: 100 ports of the sinkhole",
            "stealth_scan",
            traffic.scan_xmas,
            plan.SINKHOLE,
        ),
    ]


def equipment() -> list[Act]:
    """A rogue DHCP server, and a NAT router as an unauthorized access point."""
    rogue, address = ROGUE
    return [
        scene(
            104,
            "rogue-dhcp",
            rogue,
            "A second DHCP server on a student port, itself as gateway",
            serve_leases,
            [],
            finding(address, "rogue_dhcp", "DHCP server that is not on the list"),
        ),
        scene(
            70,
            "nat-router",
            "Archer-C6",
            "A consumer router in the students' VLAN; a phone (TTL 64) and a laptop (TTL 128) behind it",
            use_access_point,
            ["www.wikipedia.org", "www.snapchat.com"],
            finding("10.20.0.88", "address_sharing", "TTL 63 and 127 from one hardware address"),
            finding("10.20.0.88", "mixed_systems", "two families of systems at one address"),
            finding(mac_for("Archer-C6"), "consumer_router", "a consumer router's name in its DHCP request"),
        ),
    ]


def serve_leases(lab: Lab) -> str:
    """The rogue server runs while four hosts ask and a newcomer takes what it offers."""
    server = traffic.start_rogue_dhcp(lab, ROGUE[0])
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


def use_access_point(lab: Lab) -> str:
    """Two systems behind the router go online and read; the phone visits what the filter misses."""
    said = ""
    for number, name in enumerate(("www.wikipedia.org", "www.google.com", "www.nasa.gov", "www.apple.com")):
        for client, system in BEHIND_NAT.items():
            if not number:
                traffic.check_connection(lab, client, system)
            said += traffic.visit(lab, client, name, parts=LIGHT_PAGE)
        time.sleep(15)
    return said + traffic.visit(lab, "hidden-phone", "www.snapchat.com")


def whole_day() -> list[Act]:
    """The whole timetable, the same at every call."""
    return [*lesson(random.Random(SEED)), *filtering(), *streaming(), *browsers(), *scanning(), *equipment()]
