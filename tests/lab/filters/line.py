"""Filters on the line: resets, silence and dropped QUIC by server name, and blocks by address."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from tests.lab.filters import resolver
from tests.lab.filters.internet import ADDRESSES
from tests.lab.filters.scenario import CURL_CELLS, SHOPS, SITES, STOPPED, Cell, Scenario, nobody
from tests.lab.filters.topology import FILTER, FilterLab
from tests.lab.network import ROOT

SERVER_TTL = 52
"""What packets of the servers arrive with at the clients: 54, less the gateway and the filter box."""
RESET = ("REJECT", "--reject-with", "tcp-reset")
DROP = ("DROP",)
OWN = {zone: ADDRESSES[zone] for zone in SITES}
"""All names of the stopped zones at addresses of their own."""
HTTP_CELLS = (Cell("curl", "4", "http"), Cell("curl", "6", "http"))
BROWSER = (Cell("chromium", "4", "tls13"), Cell("chromium", "6", "tls13"))
QUIC = (Cell("chromium", "4", "quic"), Cell("chromium", "6", "quic"))
RESETS = {"methods": ["reset"]}
DROPS = {"methods": ["drop"]}
MANY = (*SITES, *SHOPS)
"""Zones of the scenarios in which the filter has several companies' sites to stop."""
NAMES_OF_MANY = 2


def by_name(
    lab: FilterLab, target: Sequence[str], words: Sequence[str] = SITES, families: str = "46"
) -> None:
    """Acts on packets to TCP 443 and 80 that hold one of `words`: a client hello, or a request's head."""
    resolver.forwarding(lab)
    for family, program in (("4", "iptables"), ("6", "ip6tables")):
        for port in ("443", "80") if family in families else ():
            for word in words:
                match = f"-i lan -p tcp --dport {port} -m string --algo bm --string {word}"
                lab.run(FILTER, [program, "-w", "-A", "FORWARD", *match.split(), "-j", *target])


def with_servers_ttl(lab: FilterLab) -> None:
    """Resets by name that carry the server's own TTL."""
    by_name(lab, RESET)
    for program, module in (("iptables", "TTL --ttl-set"), ("ip6tables", "HL --hl-set")):
        rule = f"-t mangle -A POSTROUTING -o lan -p tcp --tcp-flags RST RST -j {module} {SERVER_TTL}"
        lab.run(FILTER, [program, "-w", *rule.split()])


def by_address(lab: FilterLab, verdict: str) -> None:
    """An nftables verdict on everything to the stopped zones' addresses."""
    resolver.forwarding(lab)
    rules = []
    for ipv4, ipv6 in OWN.values():
        rules += [f"ip daddr {ipv4} {verdict}", f"ip6 daddr {ipv6} {verdict}"]
    forward(lab, *rules)


def forward(lab: FilterLab, *rules: str) -> None:
    """Rules on what the filter box forwards."""
    chain = ["type filter hook forward priority filter", *rules]
    lab.nft(FILTER, "\n".join(["table inet line {", "chain forward {", *chain, "}", "}", ""]))


def without_quic(lab: FilterLab) -> None:
    """Drops every QUIC packet."""
    forward(lab, "udp dport 443 drop")


def inject(lab: FilterLab, *options: str) -> None:
    """The reset injector beside the path."""
    resolver.forwarding(lab)
    program = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.lab.filters.reset_injector"]
    lab.start(FILTER, [*program, *options, "lan", STOPPED], "reset-injector.log")
    log = lab.path / "reset-injector.log"
    end = time.monotonic() + 10
    while "ready" not in log.read_text():
        if time.monotonic() > end:
            raise TimeoutError(f"the reset injector doesn't start: {log.read_text()[-300:]}")
        time.sleep(0.05)


def reset_without_quic(lab: FilterLab) -> None:
    """What many gateways do: no QUIC, so that browsers come over TCP, where names are reset."""
    by_name(lab, RESET)
    without_quic(lab)


def quic_drop(lab: FilterLab) -> None:
    """Drops QUIC and nothing else."""
    resolver.forwarding(lab)
    without_quic(lab)


def fail_open(lab: FilterLab) -> None:
    """The filter's rules are gone."""
    for program in ("iptables", "ip6tables"):
        lab.run(FILTER, [program, "-w", "-F", "FORWARD"])


SCENARIOS = (
    Scenario("web_none", "no filter", resolver.forwarding, stops=nobody, cells=(*CURL_CELLS, *HTTP_CELLS)),
    Scenario(
        "web_none_declared",
        "a declared reset filter that stops nothing, pages of 600 bytes",
        resolver.forwarding,
        stops=nobody,
        facts=RESETS,
        path="/small",
    ),
    Scenario(
        "web_none_browser",
        "no filter, Chromium over QUIC",
        resolver.forwarding,
        stops=nobody,
        cells=QUIC,
        names=2,
    ),
    Scenario("web_reset", "gateway: reset by name", lambda lab: by_name(lab, RESET), facts=RESETS),
    Scenario(
        "web_reset_http",
        "gateway: reset by the Host of plain HTTP",
        lambda lab: by_name(lab, RESET),
        facts=RESETS,
        cells=HTTP_CELLS,
    ),
    Scenario(
        "web_reset_ttl",
        "gateway: reset by name with the server's TTL",
        with_servers_ttl,
        facts=RESETS,
    ),
    Scenario(
        "web_reset_browser",
        "gateway: reset by name, Chromium",
        lambda lab: by_name(lab, RESET),
        facts=RESETS,
        cells=BROWSER,
        names=2,
    ),
    Scenario("web_inject", "injector beside the path: TTL 64", inject, facts=RESETS),
    Scenario(
        "web_inject_far",
        "injector beside the path: TTL 41, three of each, 3 ms late",
        lambda lab: inject(lab, "--ttl", "41", "--copies", "3", "--delay-ms", "3"),
        facts=RESETS,
    ),
    Scenario(
        "web_inject_ttl",
        "injector beside the path: the server's TTL",
        lambda lab: inject(lab, "--ttl", "copy"),
        facts=RESETS,
    ),
    Scenario(
        "web_inject_late",
        "injector that loses the race by 150 ms",
        lambda lab: inject(lab, "--delay-ms", "150"),
        facts=RESETS,
    ),
    Scenario(
        "web_silence",
        "gateway: client hellos by name dropped",
        lambda lab: by_name(lab, DROP),
        facts=DROPS,
        zones=MANY,
        names=NAMES_OF_MANY,
    ),
    Scenario(
        "web_silence_one",
        "gateway: client hellos of one site dropped",
        lambda lab: by_name(lab, DROP),
        facts=DROPS,
        names=4,
    ),
    Scenario(
        "web_address_drop",
        "gateway: addresses dropped",
        lambda lab: by_address(lab, "drop"),
        facts=DROPS,
        addresses=OWN,
        zones=MANY,
        names=NAMES_OF_MANY,
    ),
    Scenario(
        "web_address_drop_one",
        "gateway: the addresses of one site dropped",
        lambda lab: by_address(lab, "drop"),
        facts=DROPS,
        addresses=OWN,
        names=4,
    ),
    Scenario(
        "web_address_reset",
        "gateway: addresses answered with resets",
        lambda lab: by_address(lab, "meta l4proto tcp reject with tcp reset"),
        facts=RESETS,
        addresses=OWN,
        zones=MANY,
        names=NAMES_OF_MANY,
    ),
    Scenario(
        "web_quic_drop",
        "QUIC dropped, programs that speak nothing else",
        quic_drop,
        stops=lambda visit: visit.cell.protocol == "quic",
        cells=(*QUIC, *CURL_CELLS),
        names=2,
    ),
    Scenario(
        "web_quic_fallback",
        "QUIC dropped, browsers go on over TCP",
        quic_drop,
        stops=nobody,
        cells=QUIC,
        options=lambda visit: ("--fall-back-to-tcp",),
        names=2,
        timeout_s=12,
    ),
    Scenario(
        "web_quic_reset",
        "QUIC dropped, reset by name over TCP",
        reset_without_quic,
        facts=RESETS,
        cells=QUIC,
        options=lambda visit: ("--fall-back-to-tcp",),
        names=2,
        timeout_s=12,
    ),
    Scenario(
        "web_ipv6_leak",
        "reset by name over IPv4 only, both stacks",
        lambda lab: by_name(lab, RESET, families="4"),
        stops=lambda visit: visit.zone == STOPPED and visit.cell.stack == "4",
        facts=RESETS,
        cells=(*CURL_CELLS, Cell("curl", "46", "tls13")),
        names=4,
    ),
    Scenario(
        "web_overbroad",
        "gateway: reset of both zones, the allowed one, too",
        lambda lab: by_name(lab, RESET, words=(".example",)),
        stops=lambda visit: True,
        facts=RESETS,
    ),
    Scenario(
        "web_fail_open",
        "gateway: reset by name, gone at half-time",
        lambda lab: by_name(lab, RESET),
        facts=RESETS,
        midway=fail_open,
        stops_midway=nobody,
    ),
)
