"""What the policy says about the network, in the form the detectors' SQL takes it."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from classifiers.policy_model import Policy
from classifiers.signs import signs
from pipeline.records import mapped_text

#: No host of a network, or the client itself: what hosts files and filters answer blocked names with.
NOWHERE = ("::", "::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1")

_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_COMMON_NAME = re.compile(r"(?:^|[,/+])\s*CN\s*=\s*((?:\\.|[^,/+])+)", re.IGNORECASE)


@cache
def usual_transfers() -> dict[str, dict[str, list[str]]]:
    """Services and applications of updates, backups and conferences, from usual_transfers.toml."""
    return tomllib.loads(Path(__file__).with_name("usual_transfers.toml").read_text("utf-8"))


def _numbers(macs: Iterable[str]) -> tuple[int, ...]:
    return tuple(int(mac.replace(":", ""), 16) for mac in macs)


def _ends(networks: list[IPv4Network | IPv6Network]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(mapped_text(network.network_address) for network in networks),
        tuple(mapped_text(network.broadcast_address) for network in networks),
    )


def common_names(authority: str) -> tuple[str, ...]:
    """Lower-case common name of a subject, alone or in a distinguished name (RFC 4514); none of a digest."""
    if not authority or _DIGEST.fullmatch(authority.replace(":", "")):
        return ()
    named = _COMMON_NAME.search(authority)
    return ((named[1] if named else authority).strip().lower(),)


@dataclass(frozen=True)
class Facts:
    """Each field is a query parameter of its name; addresses as IPv6 text (IPv4 mapped).

    Networks come as two lists of equal length, first and last address.
    """

    inside_from: tuple[str, ...] = ()
    """Subnets of all sites."""
    inside_to: tuple[str, ...] = ()
    exempt_from: tuple[str, ...] = ()
    """Machines that IT scans and monitors from."""
    exempt_to: tuple[str, ...] = ()
    vpn_from: tuple[str, ...] = ()
    """End points of the organisation's own VPN."""
    vpn_to: tuple[str, ...] = ()
    approved_dhcp: tuple[str, ...] = ()
    approved_dhcpv6: tuple[str, ...] = ()
    approved_routers: tuple[str, ...] = ()
    router_macs: tuple[int, ...] = ()
    access_point_macs: tuple[int, ...] = ()
    ssids: tuple[str, ...] = ()
    switch_macs: tuple[int, ...] = ()
    switch_names: tuple[str, ...] = ()
    """Lower-case names of approved speakers of LLDP, CDP and spanning tree."""
    router_classes: str = ""
    """Regular expression: vendor classes of consumer routers. The fields below are of data files, too."""
    router_host_names: str = ""
    setup_names: tuple[str, ...] = ()
    setup_makers: tuple[str, ...] = ()
    system_forms: tuple[str, ...] = ()
    systems_by_forms: tuple[str, ...] = ()
    system_dhcp: tuple[str, ...] = ()
    systems_by_dhcp: tuple[str, ...] = ()
    system_dhcp_options: tuple[str, ...] = ()
    systems_by_dhcp_options: tuple[str, ...] = ()
    system_ja4: tuple[str, ...] = ()
    systems_by_ja4: tuple[str, ...] = ()
    system_names: tuple[str, ...] = ()
    systems_by_names: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    sanctioned_services: tuple[str, ...] = ()
    sinkholes: tuple[str, ...] = NOWHERE
    """Addresses that stand for "blocked" in an answer, and servers that deliver only block pages."""
    block_hosts: tuple[str, ...] = ()
    block_issuers: tuple[str, ...] = ()
    """Lower-case common names of the authority that the filter signs inspected connections with."""
    tap_side: str = "lan"
    """Side of the filter that the mirror is on, `lan` or `wan`."""
    methods: tuple[str, ...] = ()
    """How the filter blocks, where the policy says so."""
    block_page_bytes: int = 0
    quota_groups: tuple[str, ...] = ()
    """One entry for each group of each quota with a link share; `*` is every group."""
    quota_categories: tuple[tuple[str, ...], ...] = ()
    """Categories of that quota; empty: all traffic."""
    quota_shares: tuple[float, ...] = ()
    day_quota_groups: tuple[str, ...] = ()
    """As `quota_groups`, of the quotas per day; their categories, bytes and clauses follow."""
    day_quota_categories: tuple[tuple[str, ...], ...] = ()
    day_quota_bytes: tuple[float, ...] = ()
    day_quota_clauses: tuple[str, ...] = ()
    lesson_quota_groups: tuple[str, ...] = ()
    """The same of the quotas per lesson."""
    lesson_quota_categories: tuple[tuple[str, ...], ...] = ()
    lesson_quota_bytes: tuple[float, ...] = ()
    lesson_quota_clauses: tuple[str, ...] = ()
    rate_quota_groups: tuple[str, ...] = ()
    """The same of the quotas with a rate: megabits a second, and burst allowance in megabytes."""
    rate_quota_categories: tuple[tuple[str, ...], ...] = ()
    rate_quota_mbps: tuple[float, ...] = ()
    rate_quota_bursts: tuple[float, ...] = ()
    rate_quota_clauses: tuple[str, ...] = ()
    usual_services: tuple[str, ...] = ()
    """Services of updates, backups and conferences (usual_transfers.toml)."""
    call_applications: tuple[str, ...] = ()
    """Applications of calls."""
    link_sites: tuple[str, ...] = ()
    """Sites whose link's speed the policy declares, and that speed in megabits a second."""
    link_mbps: tuple[float, ...] = ()

    @classmethod
    def of(cls, policy: Policy) -> "Facts":
        """The facts of a policy."""
        inside = _ends([network for site in policy.sites for network in site.subnets])
        exempt = _ends(list(policy.approved.scanners))
        vpn = _ends(list(policy.sanctioned.vpn))
        sinkholes = {mapped_text(a) for a in (*policy.filter.sinkholes, *policy.filter.block_pages)}
        quotas = [(group, quota) for quota in policy.quotas for group in quota.groups]
        shares = [(group, quota, quota.link_share) for group, quota in quotas if quota.link_share is not None]
        days = [
            (group, quota, quota.bytes_per_day) for group, quota in quotas if quota.bytes_per_day is not None
        ]
        lessons = [
            (group, quota, quota.bytes_per_lesson)
            for group, quota in quotas
            if quota.bytes_per_lesson is not None
        ]
        rates = [(group, quota, quota.mbps) for group, quota in quotas if quota.mbps is not None]
        usual = usual_transfers()
        linked = [(site.id, site.link_mbps) for site in policy.sites if site.link_mbps is not None]
        return cls(
            inside_from=inside[0],
            inside_to=inside[1],
            exempt_from=exempt[0],
            exempt_to=exempt[1],
            vpn_from=vpn[0],
            vpn_to=vpn[1],
            approved_dhcp=tuple(mapped_text(a) for a in policy.approved.dhcp),
            approved_routers=tuple(mapped_text(a) for a in policy.approved.routers),
            approved_dhcpv6=tuple(mapped_text(a) for a in policy.approved.dhcpv6),
            router_macs=_numbers(policy.approved.router_macs),
            access_point_macs=_numbers(policy.approved.access_points),
            ssids=policy.approved.ssids,
            switch_macs=_numbers(word for word in policy.approved.switches if _MAC.fullmatch(word)),
            switch_names=tuple(word for word in policy.approved.switches if not _MAC.fullmatch(word)),
            **signs(),
            resolvers=tuple(mapped_text(a) for a in policy.filter.resolvers),
            sanctioned_services=policy.sanctioned.services,
            sinkholes=tuple(sorted(sinkholes | set(NOWHERE))),
            block_hosts=policy.filter.block_hosts,
            block_issuers=common_names(policy.filter.ca),
            tap_side=policy.filter.tap_side,
            methods=policy.filter.methods,
            block_page_bytes=policy.filter.block_page_bytes,
            quota_groups=tuple(group for group, _, _ in shares),
            quota_categories=tuple(quota.categories for _, quota, _ in shares),
            quota_shares=tuple(float(share) for _, _, share in shares),
            day_quota_groups=tuple(group for group, _, _ in days),
            day_quota_categories=tuple(quota.categories for _, quota, _ in days),
            day_quota_bytes=tuple(float(bound) for _, _, bound in days),
            day_quota_clauses=tuple(quota.clause for _, quota, _ in days),
            lesson_quota_groups=tuple(group for group, _, _ in lessons),
            lesson_quota_categories=tuple(quota.categories for _, quota, _ in lessons),
            lesson_quota_bytes=tuple(float(bound) for _, _, bound in lessons),
            lesson_quota_clauses=tuple(quota.clause for _, quota, _ in lessons),
            rate_quota_groups=tuple(group for group, _, _ in rates),
            rate_quota_categories=tuple(quota.categories for _, quota, _ in rates),
            rate_quota_mbps=tuple(mbps for _, _, mbps in rates),
            rate_quota_bursts=tuple(
                # A minute's worth of the rate, in megabytes, where the policy says nothing.
                mbps * 60 / 8 if quota.burst_megabytes is None else quota.burst_megabytes
                for _, quota, mbps in rates
            ),
            rate_quota_clauses=tuple(quota.clause for _, quota, _ in rates),
            usual_services=tuple(
                name for kind in ("update", "backup", "conference") for name in usual[kind]["services"]
            ),
            call_applications=tuple(usual["conference"]["applications"]),
            link_sites=tuple(site for site, _ in linked),
            link_mbps=tuple(mbps for _, mbps in linked),
        )

    def parameters(self) -> dict[str, Any]:
        """Query parameters by name, sequences as lists."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: [list(item) if isinstance(item, tuple) else item for item in v]
            if isinstance(v, tuple)
            else v
            for name, v in values.items()
        }


FACT_NAMES = frozenset(field.name for field in fields(Facts))
