"""What looks like a filter and is none: servers that are down, slow, small, odd; lossy lines.

No filter stands on the box in any of them, though most policies declare one: none may be called blocked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tests.lab.certificates import Certificates
from tests.lab.filters import line, resolver
from tests.lab.filters.internet import ADDRESSES
from tests.lab.filters.proxies import PAGES
from tests.lab.filters.scenario import (
    CURL_CELLS,
    SHOPS,
    SITES,
    STOPPED,
    WANTED,
    Cell,
    Scenario,
    Visit,
    nobody,
)
from tests.lab.filters.topology import FilterLab
from tests.lab.network import ROOT

ODD = ("203.0.113.10", "2001:db8:f00::1010")
"""Where the odd sites are: the names that a filter would stop."""
OPERATOR = {
    zone: (
        f"{'203.0.113' if number % 2 else '198.18.0'}.{100 + number}",
        f"3fff:{number % 2}::{100 + number}",
    )
    for number, zone in enumerate(SITES)
}
"""Addresses of several sites that one company runs, in its two networks."""
CDN = {zone: ADDRESSES[site] for zone, site in zip((*SITES, *SHOPS[1:]), (*SITES, *SITES[1:]), strict=False)}
"""Several sites, and shops but one, on a content network that is in many networks."""
LOST_PERCENT = 2
BIG_BYTES = 200  # the shortest client hello is longer, a bare acknowledgement shorter
SOON = ("--max-time", "2")


def serve_odd(lab: FilterLab, kind: str, *options: str, addresses: Sequence[str] = ODD) -> None:
    """Starts the odd sites of that kind in the internet; returns when they listen."""
    certificates = Certificates(lab.path / "public-ca", "Lab Public Root")
    key, expired = certificates.leaf("expired", (STOPPED, WANTED), days=-1)
    _, chain = certificates.leaf("odd", (STOPPED, WANTED))
    program = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.lab.filters.odd_sites"]
    lab.start(
        "internet",
        [*program, *options, kind, str(key), str(chain), str(expired), *addresses],
        "odd-sites.log",
    )
    for address in addresses:
        lab.wait_for("internet", ["bash", "-c", f"exec 3<>/dev/tcp/{address}/80"])


def stop_odd(lab: FilterLab) -> None:
    """The odd sites' addresses fall silent, as of a host without power."""
    for address in ODD:
        size = "128" if ":" in address else "32"
        lab.run("internet", ["ip", "addr", "del", f"{address}/{size}", "dev", "lo"])


def stop_all(lab: FilterLab, where: Mapping[str, Sequence[str]]) -> None:
    """These addresses fall silent."""
    for program, family in (("iptables", 0), ("ip6tables", 1)):
        for address in sorted({given[family] for given in where.values()}):
            lab.run("internet", [program, "-w", "-A", "INPUT", "-d", address, "-j", "DROP"])


def refuse_all(lab: FilterLab, kind: str) -> None:
    """The operator's servers answer every client hello in this odd way."""
    serve_odd(lab, kind, addresses=[address for given in OPERATOR.values() for address in given])


def several(
    key: str,
    title: str,
    servers: Callable[[FilterLab], None] | None = None,
    facts: Mapping[str, Any] = line.DROPS,
    addresses: Mapping[str, Sequence[str]] = OPERATOR,
    midway: Callable[[FilterLab], None] | None = None,
) -> Scenario:
    """An outage of several sites that a filter would stop, under a policy that lets it be the filter."""
    return Scenario(
        f"web_{key}",
        title,
        resolver.forwarding,
        stops=nobody,
        facts=facts,
        zones=line.MANY,
        names=line.NAMES_OF_MANY,
        addresses=addresses,
        servers=servers,
        midway=midway,
    )


def swallow_big_packets(lab: FilterLab) -> None:
    """A path that loses packets as long as a client hello: connections open, and nothing follows."""
    serve_odd(lab, "large")
    for program, address in zip(("iptables", "ip6tables"), ODD, strict=True):
        rule = f"-A INPUT -d {address} -p tcp --dport 443 -m length --length {BIG_BYTES}: -j DROP"
        lab.run("internet", [program, "-w", *rule.split()])


def lose_packets(lab: FilterLab) -> None:
    """A line that loses packets both ways."""
    resolver.forwarding(lab)
    line.forward(lab, f"numgen random mod 100 < {LOST_PERCENT} drop")


def odd(
    kind: str,
    title: str,
    *options: str,
    cells: Sequence[Cell] = CURL_CELLS,
    facts: Mapping[str, Any] = line.RESETS,
    said: Callable[[Visit], Sequence[str]] = lambda visit: (),
    both: bool = False,
    key: str = "",
    timeout_s: float = 9,
) -> Scenario:
    """A scenario with the odd sites of that kind; `both` puts the allowed zone on the same server."""
    zones = (STOPPED, WANTED) if both else (STOPPED,)
    return Scenario(
        f"web_site_{key or kind}",
        title,
        resolver.forwarding,
        stops=nobody,
        facts=facts,
        cells=cells,
        options=said,
        addresses=dict.fromkeys(zones, ODD),
        servers=partial(_servers, kind=kind, options=options),
        names=4,
        timeout_s=timeout_s,
    )


def _servers(lab: FilterLab, kind: str, options: Sequence[str]) -> None:
    serve_odd(lab, kind, *options)


SCENARIOS = (
    odd("tiny", "site: pages of 300 bytes"),
    odd("small", "site: pages of 1.5 kB"),
    odd("middle", "site: pages of 5 kB"),
    odd("empty", "site: 204 without a page"),
    odd("forbidden", "site: its own 403, over TLS and plain", cells=(*CURL_CELLS, *line.HTTP_CELLS)),
    odd(
        "forbidden",
        "site: its own 403, the filter has pages",
        facts=PAGES,
        cells=line.HTTP_CELLS,
        key="forbidden_pages",
    ),
    odd("legal", "site: its own 451, plain HTTP", cells=line.HTTP_CELLS),
    odd("missing", "site: 404", cells=(*CURL_CELLS, *line.HTTP_CELLS)),
    odd("error", "site: 500", cells=(*CURL_CELLS, *line.HTTP_CELLS)),
    odd("slow", "site: first byte after 5 s"),
    odd("slower", "site: first byte after 20 s", timeout_s=24),
    odd("parting", "site: reset after the whole page"),
    odd("half", "site: reset in the middle of the page"),
    odd("hung", "site: takes the request and never answers"),
    odd("slow", "site: slow, and clients give up after 2 s", said=lambda visit: SOON, key="aborted"),
    odd("mute", "site: accepts and never speaks"),
    odd("refusing", "site: every client hello is reset"),
    odd("refusing", "site: some names' client hellos are reset", "--some", key="refusing_some", both=True),
    odd("closing", "site: every client hello is answered with FIN"),
    odd("unknown", "site: alert unrecognized_name for every name"),
    odd("unknown", "site: alert unrecognized_name for some names", "--some", key="unknown_some", both=True),
    odd("broken", "site: alert internal_error"),
    odd("mute", "site: some names are never answered", "--some", key="mute_some", both=True),
    odd("expired", "site: expired certificate, refused by the clients"),
    Scenario(
        "web_host_down",
        "host down: silence to every SYN",
        resolver.forwarding,
        stops=nobody,
        facts=line.RESETS,
        addresses={STOPPED: ODD},
        servers=stop_odd,
        names=4,
    ),
    Scenario(
        "web_port_closed",
        "ports closed: reset to every SYN",
        resolver.forwarding,
        stops=nobody,
        facts=line.RESETS,
        addresses={STOPPED: ODD},
        names=4,
    ),
    Scenario(
        "web_black_hole",
        "path: big packets to a site are lost, as with a wrong MTU",
        resolver.forwarding,
        stops=nobody,
        facts=line.RESETS,
        addresses={STOPPED: ODD},
        servers=swallow_big_packets,
        names=4,
    ),
    Scenario(
        "web_dies",
        "site: works, then host down at half-time",
        resolver.forwarding,
        stops=nobody,
        facts=line.RESETS,
        addresses={STOPPED: ODD},
        servers=partial(_servers, kind="large", options=()),
        midway=stop_odd,
    ),
    Scenario(
        "web_line_loss",
        f"line loses {LOST_PERCENT} % of all packets each way",
        lose_packets,
        stops=nobody,
        facts=line.RESETS,
        cells=(*CURL_CELLS, *line.HTTP_CELLS),
    ),
    several("operator_down", "several sites of one company down", partial(stop_all, where=OPERATOR)),
    several("operator_closed", "several sites of one company: ports closed", facts=line.RESETS),
    several(
        "operator_refusing",
        "several sites of one company: every client hello is reset",
        partial(refuse_all, kind="refusing"),
        facts=line.RESETS,
    ),
    several(
        "operator_unknown",
        "several sites of one company: alert for every name",
        partial(refuse_all, kind="unknown"),
        facts=line.RESETS,
    ),
    several(
        "cdn_down",
        "a content network down, with sites and shops",
        partial(stop_all, where=CDN),
        addresses=CDN,
    ),
    several(
        "sites_down_elsewhere",
        "several companies' sites down, and the filter acts on questions for names",
        partial(stop_all, where=line.OWN),
        facts={"methods": ["dns"]},
        addresses=line.OWN,
    ),
    several(
        "sites_down_some",
        "three companies' sites down, two let through",
        partial(stop_all, where={zone: ADDRESSES[zone] for zone in SITES[:3]}),
        addresses=line.OWN,
    ),
    several(
        "sites_die",
        "several companies' sites work, then all are down at half-time",
        addresses=line.OWN,
        midway=partial(stop_all, where=line.OWN),
    ),
)
