"""The lab's address plan: VLANs, networks, and the servers whose addresses a policy names."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

RESOLVER = "10.10.0.53"
SINKHOLE = "10.10.0.80"
INTERNET_NAMESERVER = "203.0.113.53"
UPLINK = {
    "gateway": "192.0.2.1",
    "internet": "192.0.2.2",
    "gateway6": "2001:db8::1",
    "internet6": "2001:db8::2",
}
INTERNET_RANGES = (
    *("192.0.2.128/25", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("2001:db8:f00::/48", "3fff::/20"),
)
# Outside servers answer from further away than the gateway: what leaves them at 54 arrives at 53.
INTERNET_TTL = 54


@dataclass(frozen=True)
class Vlan:
    """One VLAN: its number, its networks, and whether the mirror session has it as a source."""

    name: str
    number: int
    network: ipaddress.IPv4Network
    network6: ipaddress.IPv6Network | None
    mirrored: bool

    @property
    def gateway(self) -> str:
        """The gateway's address: the first of the network."""
        return str(self.network[1])

    @property
    def gateway6(self) -> str | None:
        """The gateway's IPv6 address, where the VLAN has one."""
        return str(self.network6[1]) if self.network6 else None


VLANS = {
    vlan.name: vlan
    for vlan in (
        Vlan(
            "students",
            20,
            ipaddress.IPv4Network("10.20.0.0/16"),
            ipaddress.IPv6Network("2001:db8:20::/64"),
            True,
        ),
        Vlan("staff", 30, ipaddress.IPv4Network("10.30.0.0/16"), None, True),
        Vlan("guests", 40, ipaddress.IPv4Network("10.40.0.0/16"), None, True),
        # Not a source of the mirror session: what is routed would be seen a second time.
        Vlan("infrastructure", 10, ipaddress.IPv4Network("10.10.0.0/16"), None, False),
    )
}
