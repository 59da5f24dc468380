"""Resolvers on the filter box: one that filters nothing, those that filter, and the block page they name."""

from __future__ import annotations

from collections.abc import Sequence

from tests.lab.certificates import Certificates
from tests.lab.filters.internet import CONFIGURATION
from tests.lab.filters.scenario import BLOCK_MARK, PLAIN
from tests.lab.filters.topology import FILTER, RESOLVER, RESOLVER6, SINKHOLE, SINKHOLE6, FilterLab
from tests.lab.plan import INTERNET_NAMESERVER
from tests.lab.servers import filled, start_dnsmasq, start_nginx, start_unbound

BLOCK_HOST = "block.school.example"


def forwarding(lab: FilterLab) -> None:
    """unbound that passes every question on: the clients' resolver where the filter is no resolver."""
    unbound(lab)


def unbound(
    lab: FilterLab,
    server: Sequence[str] = (),
    policy: Sequence[str] = (),
    modules: str = "respip iterator",
) -> None:
    """unbound on the resolver's addresses; `server`: lines of that clause, `policy`: an RPZ's records."""
    zones = ""
    if policy:
        path = lab.path / "policy.rpz"
        path.write_text(filled("policy.rpz") + "\n".join(policy) + "\n")
        zones = f'rpz:\n  name: "policy.rpz"\n  zonefile: "{path}"\n'
    text = filled(
        "unbound.conf",
        folder=lab.path,
        name="resolver",
        server="\n".join(
            [
                f"  interface: {RESOLVER}",
                f"  interface: {RESOLVER6}",
                "  access-control: ::/0 allow",
                *(f"  {line}" for line in server),
            ]
        ),
        zones=zones,
        upstream=INTERNET_NAMESERVER,
    ).replace("respip iterator", modules)
    start_unbound(lab, FILTER, "resolver", text)
    answering(lab)


def dnsmasq(lab: FilterLab, lines: Sequence[str]) -> None:
    """dnsmasq on the resolver's addresses with these lines; the rest is passed on."""
    common = ["no-resolv", "no-hosts", "bind-interfaces", "log-facility=-"]
    listen = [f"listen-address={address}" for address in (RESOLVER, RESOLVER6)]
    start_dnsmasq(lab, FILTER, "resolver", [*common, *listen, f"server={INTERNET_NAMESERVER}", *lines])
    answering(lab)


def stop(lab: FilterLab) -> None:
    """Ends the resolver; its port is closed then."""
    ended = [process for process in lab.processes if f"{lab.path}/resolver.conf" in str(process.args)]
    for process in ended:
        lab.stop(process)


def answering(lab: FilterLab) -> None:
    """Waits until the resolver answers on both of its addresses."""
    for address in (RESOLVER, RESOLVER6):
        lab.wait_for(FILTER, ["dig", "+time=1", "+tries=1", f"@{address}", f"up.{PLAIN}"])


def block_page(lab: FilterLab) -> None:
    """nginx at the sinkhole's addresses: the block page for whatever is asked, signed by the filter's CA."""
    key, chain = Certificates(lab.path / "filter-ca", "School Filter").leaf("block", (BLOCK_HOST,))
    text = filled(
        str(CONFIGURATION / "block_page.conf"),
        sinkhole=SINKHOLE,
        sinkholesix=SINKHOLE6,
        host=BLOCK_HOST,
        chain=chain,
        key=key,
        mark=BLOCK_MARK,
    )
    start_nginx(lab, FILTER, "block-page", text)
    lab.wait_for(FILTER, ["curl", "-s", "-o", "/dev/null", f"http://{SINKHOLE}/"])
