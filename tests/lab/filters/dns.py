"""Filters that answer questions for names: every kind of block, their failures, and ways around them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from tests.lab import ede
from tests.lab.filters import line, resolver
from tests.lab.filters.internet import ADDRESSES, NAMESERVERS
from tests.lab.filters.resolver import BLOCK_HOST
from tests.lab.filters.scenario import (
    CURL_CELLS,
    PLAIN,
    SITES,
    STOPPED,
    WANTED,
    Cell,
    Scenario,
    Visit,
    nobody,
)
from tests.lab.filters.topology import CLIENTS, FILTER, RESOLVER, RESOLVER6, SINKHOLE, SINKHOLE6, FilterLab

DIG_CELLS = tuple(Cell("dig", stack, "dns") for stack in ("4", "6"))
CELLS = (*CURL_CELLS, *DIG_CELLS)
DUAL_CELLS = tuple(Cell("curl", "46", protocol) for protocol in ("tls12", "tls13"))
DNS: dict[str, Any] = {"methods": ["dns"], "resolvers": [RESOLVER, RESOLVER6]}
SINKHOLED: dict[str, Any] = {
    **DNS,
    "sinkholes": [SINKHOLE, SINKHOLE6],
    "block_pages": [SINKHOLE, SINKHOLE6],
    "block_hosts": [BLOCK_HOST],
}
GOING_AROUND = ("pupil43", "pupil44", "pupil63", "pupil64")
"""Clients with a resolver of their own choice, in the scenarios about that."""
LET_THROUGH = 0
"""Number of the names that a passthru record excepts."""

Start = Callable[[FilterLab], None]


def any_listed(visit: Visit) -> bool:
    """A filter that stops every listed name, the allowed ones, too."""
    return visit.zone in (STOPPED, WANTED)


def but_excepted(visit: Visit) -> bool:
    """The STOPPED names that no exception lets through."""
    return visit.zone == STOPPED and _number(visit) != LET_THROUGH


def _number(visit: Visit) -> int:
    return int(visit.name.split(".", 1)[0].rsplit("-", 1)[1])


def _policy(*records: str, zones: Sequence[str] = (STOPPED,)) -> Start:
    lines = [f"*.{zone} {record}" for zone in zones for record in records]
    return lambda lab: resolver.unbound(lab, policy=lines)


def _local(kind: str, zones: Sequence[str] = (STOPPED,)) -> Start:
    return lambda lab: resolver.unbound(lab, [f'local-zone: "{zone}" {kind}' for zone in zones])


def _dnsmasq(*lines: str) -> Start:
    return lambda lab: resolver.dnsmasq(lab, lines)


def _with_page(start: Start) -> Start:
    def both(lab: FilterLab) -> None:
        resolver.block_page(lab)
        start(lab)

    return both


def _own_resolver(start: Start) -> Start:
    """The filter as it is, and clients that ask the internet's name server instead."""

    def both(lab: FilterLab) -> None:
        start(lab)
        for client in CLIENTS:
            if client.name in GOING_AROUND:
                lab.resolver(client.name, NAMESERVERS[0] if client.ipv4 else NAMESERVERS[1])

    return both


def _answering_itself(*options: str) -> Start:
    """The lab's own resolver on both addresses, and clients that speak EDNS, as phones do."""

    def start(lab: FilterLab) -> None:
        program = [sys.executable, ede.__file__, *options]
        for address in (RESOLVER, RESOLVER6):
            lab.start(FILTER, [*program, address, "53", NAMESERVERS[0], STOPPED], "ede.log")
        resolver.answering(lab)
        for client in CLIENTS:
            lab.resolver(client.name, client.resolver, edns=True)

    return start


def _passing_some(lab: FilterLab) -> None:
    excepted = [f"{cell.label}-{LET_THROUGH}.{STOPPED} CNAME rpz-passthru." for cell in CELLS]
    resolver.unbound(lab, policy=[*excepted, f"*.{STOPPED} CNAME ."])


def _bogus(lab: FilterLab) -> None:
    """A validating resolver with a trust anchor for STOPPED, whose servers sign nothing: SERVFAIL."""
    anchor = f'trust-anchor: "{STOPPED}. DS 4711 13 2 {"5A" * 32}"'
    resolver.unbound(lab, [anchor], modules="respip validator iterator")


def _silenced(lab: FilterLab) -> None:
    """The resolver's host drops what comes in: questions stay unanswered."""
    rules = "type filter hook input priority 0\n udp dport 53 drop\n tcp dport 53 drop"
    lab.nft(FILTER, f"table inet dead {{\n chain input {{\n {rules}\n }}\n}}\n")


def _cut_off(lab: FilterLab) -> None:
    """The resolver lives, but no question of its own leaves: SERVFAIL in the end."""
    rules = f"type filter hook output priority 0\n ip daddr {NAMESERVERS[0]} drop"
    lab.nft(FILTER, f"table inet cut {{\n chain output {{\n {rules}\n }}\n}}\n")


def _silent_upstream(lab: FilterLab) -> None:
    """The name servers of the stopped zones are dead, all others live: questions for them stay unanswered."""
    for zone in SITES:
        rule = f"-A INPUT -p udp --dport 53 -m string --algo bm --string {zone.split('.')[0]} -j DROP"
        lab.run("internet", ["iptables", "-w", *rule.split()])


def _fails_open(lab: FilterLab) -> None:
    """A resolver that filters nothing takes over, as when a licence ends."""
    resolver.stop(lab)
    resolver.forwarding(lab)


def _hard_coded(visit: Visit) -> Sequence[str]:
    """An application that brings the address along and asks nobody."""
    if visit.zone == PLAIN or _number(visit) % 2 == 0:
        return ()
    return ("--resolve", f"{visit.name}:443:{ADDRESSES[visit.zone][visit.cell.stack == '6']}")


SCENARIOS = (
    Scenario("dns_none", "no filter", resolver.forwarding, stops=nobody, cells=(*CELLS, *DUAL_CELLS)),
    Scenario(
        "dns_dnsmasq_nxdomain", "dnsmasq: NXDOMAIN", _dnsmasq(f"address=/{STOPPED}/"), facts=DNS, cells=CELLS
    ),
    Scenario(
        "dns_dnsmasq_null",
        "dnsmasq: 0.0.0.0 and ::",
        _dnsmasq(f"address=/{STOPPED}/#"),
        facts=DNS,
        cells=(*CELLS, *DUAL_CELLS),
    ),
    Scenario(
        "dns_dnsmasq_sinkhole",
        "dnsmasq: address of the block page",
        _with_page(_dnsmasq(f"address=/{STOPPED}/{SINKHOLE}", f"address=/{STOPPED}/{SINKHOLE6}")),
        facts=SINKHOLED,
        cells=(*CELLS, *DUAL_CELLS, Cell("curl", "4", "http"), Cell("curl", "6", "http")),
    ),
    Scenario(
        "dns_sinkhole_closed",
        "dnsmasq: a sinkhole where nobody listens",
        _dnsmasq(f"address=/{STOPPED}/{SINKHOLE}", f"address=/{STOPPED}/{SINKHOLE6}"),
        facts=SINKHOLED,
        cells=CELLS,
    ),
    Scenario(
        "dns_rpz_nxdomain", "unbound, policy zone: NXDOMAIN", _policy("CNAME ."), facts=DNS, cells=CELLS
    ),
    Scenario(
        "dns_rpz_nodata",
        "unbound, policy zone: no data",
        _policy("CNAME *.", zones=SITES),
        facts=DNS,
        cells=CELLS,
        zones=line.MANY,
        names=line.NAMES_OF_MANY,
    ),
    Scenario(
        "dns_rpz_drop",
        "unbound, policy zone: no answer, for the third day",
        _policy("CNAME rpz-drop.", zones=SITES),
        facts=DNS,
        cells=CELLS,
        zones=line.MANY,
        names=line.NAMES_OF_MANY,
        days=3,
    ),
    Scenario(
        "dns_rpz_drop_first",
        "unbound, policy zone: no answer, on the first day",
        _policy("CNAME rpz-drop.", zones=SITES),
        facts=DNS,
        names=4,
    ),
    Scenario(
        "dns_rpz_sinkhole",
        "unbound, policy zone: address of the block page",
        _with_page(_policy(f"A {SINKHOLE}", f"AAAA {SINKHOLE6}")),
        facts=SINKHOLED,
        cells=CELLS,
    ),
    Scenario(
        "dns_rpz_passthru",
        "unbound, policy zone: NXDOMAIN, some names excepted",
        _passing_some,
        stops=but_excepted,
        facts=DNS,
        cells=CELLS,
    ),
    Scenario("dns_refused", "unbound: REFUSED", _local("always_refuse"), facts=DNS, cells=CELLS),
    Scenario("dns_ede", "NXDOMAIN with extended error 15", _answering_itself(), facts=DNS, cells=CELLS),
    Scenario(
        "dns_injected",
        "NXDOMAIN without recursion on offer",
        _answering_itself("--injected"),
        facts=DNS,
        cells=CELLS,
    ),
    Scenario(
        "dns_broad_sinkhole",
        "over-broad: allowed names get the block page, too",
        _with_page(_policy(f"A {SINKHOLE}", f"AAAA {SINKHOLE6}", zones=(STOPPED, WANTED))),
        stops=any_listed,
        facts=SINKHOLED,
        cells=CELLS,
    ),
    Scenario(
        "dns_broad_refused",
        "over-broad: allowed names are refused, too",
        _local("always_refuse", (STOPPED, WANTED)),
        stops=any_listed,
        facts=DNS,
        cells=CELLS,
    ),
    Scenario(
        "dns_other_resolver",
        "policy zone NXDOMAIN; half of the clients ask another resolver",
        _own_resolver(_policy("CNAME .")),
        facts=DNS,
    ),
    Scenario(
        "dns_hard_coded",
        "policy zone sinkhole; half of the names reached by address",
        _with_page(_policy(f"A {SINKHOLE}", f"AAAA {SINKHOLE6}")),
        facts=SINKHOLED,
        options=_hard_coded,
    ),
    Scenario(
        "dns_ipv6_leak",
        "dnsmasq: 0.0.0.0 for IPv4 alone",
        _dnsmasq(f"address=/{STOPPED}/0.0.0.0"),
        facts=DNS,
        cells=(*CELLS, *DUAL_CELLS),
    ),
    Scenario(
        "dns_fails_open",
        "policy zone sinkhole; half-way nothing is filtered any more",
        _with_page(_policy(f"A {SINKHOLE}", f"AAAA {SINKHOLE6}")),
        facts=SINKHOLED,
        cells=CELLS,
        midway=_fails_open,
    ),
    Scenario(
        "dns_outage_dead",
        "no filter; the resolver ends half-way",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        midway=resolver.stop,
    ),
    Scenario(
        "dns_outage_silent",
        "no filter; the resolver falls silent half-way",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        midway=_silenced,
    ),
    Scenario(
        "dns_outage_upstream",
        "no filter; the resolver's own line is cut half-way (SERVFAIL)",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        midway=_cut_off,
    ),
    Scenario(
        "dns_outage_authority",
        "no filter; the name servers of several sites are dead",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        zones=line.MANY,
        servers=_silent_upstream,
        names=line.NAMES_OF_MANY,
    ),
    Scenario(
        "dns_outage_authority_passed_on",
        "no filter; the name servers of several sites are dead, dnsmasq passes questions on",
        _dnsmasq(),
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        zones=line.MANY,
        servers=_silent_upstream,
        names=line.NAMES_OF_MANY,
    ),
    Scenario(
        "dns_outage_bogus",
        "no filter; broken DNSSEC (SERVFAIL)",
        _bogus,
        stops=nobody,
        facts=DNS,
        cells=CELLS,
    ),
    Scenario(
        "dns_outage_no_name",
        "no filter; the names do not exist",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        addresses={STOPPED: ()},
    ),
    Scenario(
        "dns_outage_no_name_cached",
        "no filter; the names do not exist, and dnsmasq answers from its cache",
        _dnsmasq(),
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        addresses={STOPPED: ()},
    ),
    Scenario(
        "dns_outage_one_family",
        "no filter; the site has no IPv6",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=(*CELLS, *DUAL_CELLS),
        addresses={STOPPED: ADDRESSES[STOPPED][:1]},
    ),
    Scenario(
        "dns_outage_no_names",
        "no filter; the names of several sites do not exist",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=CELLS,
        zones=line.MANY,
        addresses=dict.fromkeys(SITES, ()),
        names=line.NAMES_OF_MANY,
    ),
    Scenario(
        "dns_outage_families",
        "no filter; several sites have no IPv6",
        resolver.forwarding,
        stops=nobody,
        facts=DNS,
        cells=(*CELLS, *DUAL_CELLS),
        zones=line.MANY,
        addresses={zone: ADDRESSES[zone][:1] for zone in SITES},
        names=line.NAMES_OF_MANY,
    ),
)
