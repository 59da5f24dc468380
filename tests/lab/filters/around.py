"""Ways around a filter that only answers questions for names: clients that ask elsewhere, encrypted."""

from __future__ import annotations

from collections.abc import Sequence

from tests.lab.certificates import Certificates
from tests.lab.filters import resolver
from tests.lab.filters.scenario import PLAIN, STOPPED, Scenario, Visit
from tests.lab.filters.topology import FilterLab
from tests.lab.plan import INTERNET_NAMESERVER
from tests.lab.servers import filled, start_unbound

DOH = ("203.0.113.8", "2001:db8:f00::8")
DOH_NAME = f"doh.{PLAIN}"


def serve_doh(lab: FilterLab) -> None:
    """unbound as a DoH resolver of the internet (RFC 8484)."""
    key, chain = Certificates(lab.path / "public-ca", "Lab Public Root").leaf("doh", (DOH_NAME,))
    lines = [f"  interface: {address}@443" for address in DOH]
    lines += ["  https-port: 443", f'  tls-service-key: "{key}"', f'  tls-service-pem: "{chain}"']
    lines += ["  access-control: ::/0 allow"]
    text = filled(
        "unbound.conf",
        folder=lab.path,
        name="doh",
        server="\n".join(lines),
        zones="",
        upstream=INTERNET_NAMESERVER,
    )
    start_unbound(lab, "internet", "doh", text)
    for address in DOH:
        lab.wait_for("internet", ["bash", "-c", f"exec 3<>/dev/tcp/{address}/443"])


def over_doh(visit: Visit) -> Sequence[str]:
    """curl's option to ask the DoH resolver instead of the one it was given."""
    return ("--doh-url", f"https://{DOH_NAME}/dns-query")


def without_names(lab: FilterLab) -> None:
    """unbound on the filter box that knows no stopped name."""
    resolver.unbound(lab, policy=[f"*.{STOPPED} CNAME ."])


SCENARIOS = (
    Scenario(
        "web_doh",
        "policy zone: NXDOMAIN; clients ask over DoH",
        without_names,
        facts={"methods": ["dns"]},
        options=over_doh,
        addresses={DOH_NAME: DOH},
        servers=serve_doh,
    ),
)
