"""Filters that are proxies: squid (explicit, transparent, TLS inspection) and haproxy (alerts)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial

from tests.lab.certificates import Certificates
from tests.lab.filters import line, resolver
from tests.lab.filters.internet import CONFIGURATION
from tests.lab.filters.scenario import BLOCK_MARK, CURL_CELLS, SITES, Cell, Scenario, Visit
from tests.lab.filters.topology import FILTER, RESOLVER, RESOLVER6, SINKHOLE, SINKHOLE6, FilterLab
from tests.lab.servers import filled

EXPLICIT, HTTP, TLS = 3128, 3129, 3130  # ports of squid
ALERT, REFUSAL = 3131, 3132  # of haproxy
MARK = 100
BLOCK_PAGE = "ERR_STOPPED"
AUTHORITY = "School Filter"
BLOCK_PAGE_BYTES = 1_500
HEAD_BYTES = 320  # of them, before the page itself
PAGES = {"methods": ["inspection"], "block_page_bytes": BLOCK_PAGE_BYTES, "ca": AUTHORITY}
REDIRECT = {
    "methods": ["redirect"],
    "block_pages": [SINKHOLE, SINKHOLE6],
    "block_hosts": [resolver.BLOCK_HOST],
    "block_page_bytes": BLOCK_PAGE_BYTES,
}
SQUID, HAPROXY = ("squid", "/usr/lib/squid/security_file_certgen"), ("haproxy",)

# What squid does: rules of squid.conf.
REFUSE = ("http_access deny stopped", "http_access allow all", f"deny_info 403:{BLOCK_PAGE} stopped")
SEND_AWAY = (
    "http_access deny stopped",
    "http_access allow all",
    f"deny_info 302:http://{resolver.BLOCK_HOST}/?from=%H stopped",
)
SPLICE = ("ssl_bump peek first", "ssl_bump splice all")
TERMINATE = (
    "http_access allow all",
    "ssl_bump peek first",
    "ssl_bump terminate stopped_name",
    "ssl_bump splice all",
)
INSPECT = ("ssl_bump peek first", "ssl_bump bump all", *REFUSE)


def squid(lab: FilterLab, *policy: str, ports: Sequence[tuple[int, int]] = ()) -> None:
    """squid with that policy; `ports`: pairs of a port of the world and of squid's own in its place."""
    zone = [f"{resolver.BLOCK_HOST}. A {SINKHOLE}", f"{resolver.BLOCK_HOST}. AAAA {SINKHOLE6}"]
    resolver.unbound(lab, [f'local-data: "{record}"' for record in zone])
    certificates = Certificates(lab.path / "filter-ca", AUTHORITY)
    roots = lab.path / "public-ca" / "ca.pem"
    shutil.copy(roots, lab.path / "roots.pem")
    # Devices of the school trust its filter.
    with open(roots, "a") as trusted:
        trusted.write((certificates.folder / "ca.pem").read_text())
    folder = lab.path / "squid"
    (folder / "errors").mkdir(parents=True)
    page = filled(str(CONFIGURATION / "blocked_page.html"), mark=BLOCK_MARK)
    (folder / "errors" / BLOCK_PAGE).write_text(page.ljust(BLOCK_PAGE_BYTES - HEAD_BYTES))
    certgen = ["/usr/lib/squid/security_file_certgen", "-c", "-s", str(folder / "certificates"), "-M", "4MB"]
    lab.run(FILTER, certgen)
    path = folder / "squid.conf"
    path.write_text(
        filled(
            str(CONFIGURATION / "squid.conf"),
            folder=folder,
            nameserver=RESOLVER,
            chain=certificates.folder / "ca.pem",
            key=certificates.folder / "ca.key",
            roots=lab.path / "roots.pem",
            zones=" ".join(f".{zone}" for zone in SITES),
            bump="",
            policy="\n".join(policy),
        )
    )
    lab.run(FILTER, ["chown", "-R", "proxy", str(folder)])
    lab.start(FILTER, ["squid", "-N", "-f", str(path)], "squid.log")
    # The other ports close for good when a connection comes that was not redirected.
    lab.wait_for(FILTER, ["bash", "-c", f"exec 3<>/dev/tcp/{RESOLVER}/{EXPLICIT}"])
    take(lab, ports)


def take(lab: FilterLab, ports: Sequence[tuple[int, int]]) -> None:
    """Sends what clients send to a port of the world to a port of the filter box instead."""
    rules = [
        f"iifname lan fib daddr type != local tcp dport {outside} redirect to :{own}"
        for outside, own in ports
    ]
    chain = ["type nat hook prerouting priority dstnat", *rules]
    if rules:
        lab.nft(FILTER, "\n".join(["table inet proxy {", "chain prerouting {", *chain, "}", "}", ""]))


def take_with_destination(lab: FilterLab, outside: int, own: int) -> None:
    """The same by TPROXY: the proxy's sockets have the servers' addresses, which it can so connect to."""
    rule = f"iifname lan tcp dport {outside}"
    chain = ["type filter hook prerouting priority mangle"]
    for family, name in (("ipv4", "ip"), ("ipv6", "ip6")):
        chain.append(f"{rule} meta nfproto {family} tproxy {name} to :{own} meta mark set {MARK} accept")
    lab.nft(FILTER, "\n".join(["table inet proxy {", "chain prerouting {", *chain, "}", "}", ""]))
    for family in ("-4", "-6"):
        for route in (
            f"rule add fwmark {MARK} lookup {MARK}",
            f"route add local default dev lo table {MARK}",
        ):
            lab.run(FILTER, ["ip", family, *route.split()])


def sent_away(lab: FilterLab, ports: Sequence[tuple[int, int]]) -> None:
    """squid redirects to the block host, which has its page at the sinkhole's address."""
    squid(lab, *SEND_AWAY, ports=ports)
    resolver.block_page(lab)


def refuse_with_alert(lab: FilterLab) -> None:
    """haproxy reads names of client hellos: an alert for those it knows, a way through for the others."""
    resolver.forwarding(lab)
    key, chain = Certificates(lab.path / "filter-ca", AUTHORITY).leaf("filter", ("proxy.school.example",))
    both = lab.path / "haproxy.pem"
    both.write_text(chain.read_text() + key.read_text())
    path = lab.path / "haproxy.cfg"
    zones = " ".join(f".{zone}" for zone in SITES)
    given = {"port": ALERT, "refusal": REFUSAL, "zones": zones, "certificate": both}
    path.write_text(filled(str(CONFIGURATION / "haproxy.cfg"), **given))
    lab.start(FILTER, ["haproxy", "-db", "-f", str(path)], "haproxy.log")
    lab.wait_for(FILTER, ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{REFUSAL}"])
    take_with_destination(lab, 443, ALERT)


def through_proxy(visit: Visit) -> Sequence[str]:
    """curl's option for the explicit proxy."""
    address = RESOLVER if "4" in visit.cell.stack else f"[{RESOLVER6}]"
    return ("--proxy", f"http://{address}:{EXPLICIT}")


def browser_through_proxy(visit: Visit) -> Sequence[str]:
    """Chromium's."""
    return (f"--proxy-server={through_proxy(visit)[1]}",)


BROWSER_CELLS = (Cell("chromium", "4", "tls13"), Cell("chromium", "4", "http"))
SCENARIOS = (
    Scenario(
        "web_squid_page",
        "squid, explicit: block page (403) over plain HTTP",
        lambda lab: squid(lab, *REFUSE),
        facts=PAGES,
        cells=line.HTTP_CELLS,
        options=through_proxy,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_connect",
        "squid, explicit: CONNECT refused (403)",
        lambda lab: squid(lab, *REFUSE),
        facts=PAGES,
        options=through_proxy,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_browser",
        "squid, explicit: Chromium, CONNECT refused and block page",
        lambda lab: squid(lab, *REFUSE),
        facts=PAGES,
        cells=BROWSER_CELLS,
        options=browser_through_proxy,
        names=2,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_redirect",
        "squid, explicit: redirect to the block host",
        partial(sent_away, ports=()),
        facts=REDIRECT,
        cells=line.HTTP_CELLS,
        options=through_proxy,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_transparent",
        "squid, transparent: block page (403) over plain HTTP",
        lambda lab: squid(lab, *REFUSE, ports=[(80, HTTP)]),
        facts=PAGES,
        cells=line.HTTP_CELLS,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_transparent_redirect",
        "squid, transparent: redirect to the block host",
        partial(sent_away, ports=[(80, HTTP)]),
        facts=REDIRECT,
        cells=line.HTTP_CELLS,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_terminate",
        "squid, transparent: connection ended by server name",
        lambda lab: squid(lab, *TERMINATE, ports=[(443, TLS)]),
        facts=line.RESETS,
        zones=line.MANY,
        names=line.NAMES_OF_MANY,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_inspect",
        "squid, transparent: TLS inspection with block page",
        lambda lab: squid(lab, *INSPECT, ports=[(443, TLS)]),
        facts=PAGES,
        cells=CURL_CELLS,
        zones=line.MANY,
        names=line.NAMES_OF_MANY,
        needs=SQUID,
    ),
    Scenario(
        "web_squid_inspect_small",
        "squid, transparent: TLS inspection, pages of 600 bytes",
        lambda lab: squid(lab, *INSPECT, ports=[(443, TLS)]),
        facts=PAGES,
        cells=CURL_CELLS,
        path="/small",
        names=4,
        needs=SQUID,
    ),
    Scenario(
        "web_alert",
        "haproxy, transparent: alert unrecognized_name",
        refuse_with_alert,
        facts=line.RESETS,
        zones=line.MANY,
        names=line.NAMES_OF_MANY,
        needs=HAPROXY,
    ),
)
