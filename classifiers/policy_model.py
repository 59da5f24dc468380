"""What a policy holds: organisation, sites, groups, rules, exemptions, and the facts about its filter."""

import hashlib
import ipaddress
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from classifiers.calendar import Calendar
from pipeline.settings import Section

Action = Literal["allow", "limit", "prohibit"]
When = Literal["always", "duty", "off_duty"]
Method = Literal["dns", "reset", "redirect", "inspection", "drop"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _network(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no network: {error}") from None


def _vlan(value: int) -> int:
    if not 1 <= value <= 4094:
        raise ValueError(f"{value} is no VLAN id (1 to 4094, IEEE 802.1Q)")
    return value


def _mac(value: Any) -> Any:
    parts = str(value).lower().replace("-", ":").split(":")
    if len(parts) != 6 or any(len(p) != 2 or not set(p) <= set("0123456789abcdef") for p in parts):
        raise ValueError(f"{value!r} is no MAC address; write it as aa:bb:cc:dd:ee:ff")
    return ":".join(parts)


NetworkText = Annotated[Network, BeforeValidator(_network)]
VlanId = Annotated[int, BeforeValidator(_vlan)]
MacText = Annotated[str, BeforeValidator(_mac)]


class Site(Section):
    """A place with its own addresses, clock and calendar."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = ""
    sensors: tuple[str, ...] = ()
    """Names of the sensors that watch this site; empty: any sensor that no site names."""
    subnets: tuple[NetworkText, ...] = ()
    """Inside addresses of the site."""
    vlans: tuple[VlanId, ...] = ()
    """VLANs that are only at this site."""
    time_zone: str = "UTC"
    """IANA name, as America/Los_Angeles."""
    calendar: Calendar = Calendar()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no IANA time zone; write one as America/Los_Angeles") from None
        return name


class Group(Section):
    """People or devices that one set of rules holds for."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = ""
    minor: bool = False
    """Under 17 (47 CFR 54.520)."""
    device_ownership: Literal["", "school", "personal"] = ""
    """Whose the group's devices are, where that is known."""
    sites: tuple[str, ...] = ()
    """Sites the subnets and VLANs below are meant for; empty: all."""
    subnets: tuple[NetworkText, ...] = ()
    """Looked at first, the longest prefix wins."""
    vlans: tuple[VlanId, ...] = ()
    """Looked at where no subnet matched."""


class Rule(Section):
    """What a group may do with a category or service. A rule for a service outranks its categories'."""

    categories: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("*",)
    """`*` is every group, and clients of none; a rule that names the group outranks it."""
    when: When = "always"
    """`duty` and `off_duty` outrank `always`."""
    action: Action
    clause: str = ""
    """Reference into `clauses`."""

    @model_validator(mode="after")
    def _about_something(self) -> "Rule":
        if not self.categories and not self.services:
            raise ValueError("the rule names no categories and no services")
        return self


class Exemption(Section):
    """Someone may do what a rule forbids, for a reason, until a day."""

    id: str
    groups: tuple[str, ...] = ()
    hosts: tuple[NetworkText, ...] = ()
    """Addresses or networks; with `groups` too, both must hold."""
    categories: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Domain names, with everything below them."""
    reason: str = Field(min_length=1)
    authorised_by: str = Field(min_length=1)
    since: date = Field(alias="from")
    until: date
    """Last day it holds, in the site's time zone."""

    @model_validator(mode="after")
    def _bounded(self) -> "Exemption":
        if self.since > self.until:
            raise ValueError(f"the exemption ends ({self.until}) before it begins ({self.since})")
        if not self.groups and not self.hosts:
            raise ValueError("the exemption names nobody: set groups or hosts")
        if not self.categories and not self.services and not self.names:
            raise ValueError("the exemption exempts from nothing: set categories, services or names")
        return self


class Filter(Section):
    """How the organisation's filter blocks, and how that can be told from a failure."""

    product: str = ""
    methods: tuple[Method, ...] = ()
    """Ways it blocks; empty: not known."""
    sinkholes: tuple[Address, ...] = ()
    """Addresses it answers blocked names with, besides 0.0.0.0 and ::."""
    block_pages: tuple[Address, ...] = ()
    """Addresses that serve its block page."""
    block_hosts: tuple[str, ...] = ()
    """Host names its redirects lead to."""
    block_page_bytes: int = Field(default=0, ge=0)
    """99th percentile of the block page's size, bytes; 0 unknown."""
    ca: str = ""
    """Subject or SHA-256 of the authority it signs inspected connections with."""
    resolvers: tuple[Address, ...] = ()
    """Resolvers clients are meant to use."""
    tap_side: Literal["lan", "wan"] = "lan"
    """Side of the filter the mirror port is on."""


class Approved(Section):
    """Equipment that is meant to be there."""

    dhcp: tuple[Address, ...] = ()
    dhcpv6: tuple[Address, ...] = ()
    routers: tuple[Address, ...] = ()
    """Senders of router advertisements (link-local addresses) and known gateways."""
    router_macs: tuple[MacText, ...] = ()
    """MACs of known routers, which are not taken for address sharing."""
    access_points: tuple[MacText, ...] = ()
    """BSSIDs, and MACs of access points on the wire."""
    ssids: tuple[str, ...] = ()
    scanners: tuple[NetworkText, ...] = ()
    """Machines that IT scans and monitors from."""


class Sanctioned(Section):
    """Services the organisation provides itself."""

    services: tuple[str, ...] = ()
    vpn: tuple[NetworkText, ...] = ()
    """End points of its own VPN."""
    names: tuple[str, ...] = ()


class Quota(Section):
    """Bandwidth a host of a group may use before it becomes a finding."""

    groups: tuple[str, ...] = ("*",)
    categories: tuple[str, ...] = ()
    """Empty: all traffic."""
    link_share: float | None = Field(default=None, gt=0, le=1)
    """Part of the site's traffic in a window."""
    bytes_per_day: int | None = Field(default=None, gt=0)
    clause: str = ""


class Retention(Section):
    """Days that records are meant to be kept; the store's settings do it."""

    raw_days: int = Field(default=90, ge=0)
    summary_days: int = Field(default=3_653, ge=0)


class Consent(Section):
    """What users agreed to, where an agreement is recorded."""

    version: str = ""
    adopted: date | None = None


class Policy(Section):
    """All of it. `version` names exactly this content."""

    organisation: str = Field(min_length=1)
    regulation: str = ""
    """The text the clauses refer to."""
    clauses: dict[str, str] = Field(default_factory=dict)
    """Reference → what the clause asks."""
    sites: tuple[Site, ...]
    """At least one."""
    groups: tuple[Group, ...] = ()
    rules: tuple[Rule, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    filter: Filter = Filter()
    approved: Approved = Approved()
    sanctioned: Sanctioned = Sanctioned()
    thresholds: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Detector → parameter → value, over the detector's own default."""
    quotas: tuple[Quota, ...] = ()
    retention: Retention = Retention()
    consent: Consent = Consent()

    @cached_property
    def version(self) -> str:
        """First 16 hex digits of the SHA-256 of the content; comments and layout don't count."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:16]

    def site(self, site_id: str) -> Site:
        """The site of that id. Raises KeyError."""
        for site in self.sites:
            if site.id == site_id:
                return site
        raise KeyError(site_id)
