"""What a policy holds: organisation, sites, groups, rules, exemptions, and the facts about its filter."""

import difflib
import hashlib
import ipaddress
import json
from datetime import date, datetime, time
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from classifiers.calendar import Calendar
from pipeline.settings import Section

Action = Literal["allow", "limit", "prohibit"]
When = Literal["always", "duty", "off_duty"]
Method = Literal["dns", "reset", "redirect", "inspection", "drop"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Most sites, and most groups, of a policy. Our default, like the two below.
MOST_PLACES = 500
#: Most rules, and most exemptions.
MOST_RULES = 5_000
#: Most names in a list of a rule, a group or an exemption.
MOST_NAMES = 5_000
#: Years that a date of a policy may be in.
YEARS = (1970, 2200)


def _network(value: Any) -> Any:
    if isinstance(value, Network):
        return value
    try:
        if not isinstance(value, str):
            raise ValueError("write it as text")
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{str(value)[:60]!r} is no network: {str(error)[-80:]}") from None


def _vlan(value: int) -> int:
    if not 1 <= value <= 4094:
        raise ValueError(f"{value} is no VLAN id (1 to 4094, IEEE 802.1Q)")
    return value


def mac_of(text: str) -> str:
    """`aa:bb:cc:dd:ee:ff` of an address with colons, dashes, dots or nothing between. Raises ValueError."""
    bare = text.strip().lower()
    for mark, parts, digits in ((":", 6, 2), ("-", 6, 2), (".", 3, 4)):
        split = bare.split(mark)
        if len(split) == parts and all(len(part) == digits for part in split):
            bare = "".join(split)
            break
    if len(bare) != 12 or not set(bare) <= set("0123456789abcdef"):
        raise ValueError(f"{text[:40]!r} is no MAC address; write it as aa:bb:cc:dd:ee:ff")
    return ":".join(bare[i : i + 2] for i in range(0, 12, 2))


def _mac(value: Any) -> Any:
    return mac_of(value) if isinstance(value, str) else value


def _midnight(value: Any) -> Any:
    return datetime.combine(value, time()) if type(value) is date else value


def _year(value: date) -> date:
    if not YEARS[0] <= value.year <= YEARS[1]:
        raise ValueError(f"the year {value.year} is not between {YEARS[0]} and {YEARS[1]}")
    return value


NetworkText = Annotated[Network, BeforeValidator(_network)]
Day = Annotated[date, AfterValidator(_year)]
Moment = Annotated[datetime, BeforeValidator(_midnight), AfterValidator(_year)]
Names = Annotated[tuple[str, ...], Field(max_length=MOST_NAMES)]
Networks = Annotated[tuple[NetworkText, ...], Field(max_length=MOST_NAMES)]
VlanId = Annotated[int, AfterValidator(_vlan)]
MacText = Annotated[str, BeforeValidator(_mac)]


def _switch(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return mac_of(value)
    except ValueError:
        return value.strip().lower()


SwitchText = Annotated[str, BeforeValidator(_switch), Field(min_length=1, max_length=255)]


class Site(Section):
    """A place with its own addresses, clock and calendar."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = ""
    sensors: tuple[str, ...] = ()
    """Names of the sensors that watch this site; empty: any sensor that no site names."""
    subnets: Networks = ()
    """Inside addresses of the site."""
    vlans: tuple[VlanId, ...] = ()
    """VLANs that are only at this site."""
    time_zone: str = "UTC"
    """IANA name, as America/Los_Angeles."""
    calendar: Calendar = Calendar()
    link_mbps: float | None = Field(default=None, gt=0, le=1e6)
    """What its link to the outside can receive, Mb/s; None not said."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            near = difflib.get_close_matches(name[:60], available_timezones(), 1, 0.7)
            mend = f"did you mean {near[0]!r}?" if near else "write one as America/Los_Angeles"
            raise ValueError(f"{name[:60]!r} is no IANA time zone; {mend}") from None
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
    """Sites the places below are meant for; empty: all."""
    tags: Names = ()
    """Tags of `devices`; looked at first, where the client's MAC is known."""
    subnets: Networks = ()
    """Looked at where no tag decided; the longest prefix wins."""
    vlans: tuple[VlanId, ...] = ()
    """Looked at where no subnet matched."""


class Rule(Section):
    """What a group may do with a category or service. A rule for a service outranks its categories'."""

    categories: Names = ()
    services: Names = ()
    groups: Names = ("*",)
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
    groups: Names = ()
    hosts: Networks = ()
    """Addresses or networks; with `groups` too, both must hold."""
    categories: Names = ()
    services: Names = ()
    names: Names = ()
    """Domain names, with everything below them."""
    reason: str = Field(min_length=1)
    authorised_by: str = Field(min_length=1)
    since: Day = Field(alias="from")
    until: Day
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
    """Names of the organisation's own wireless networks."""
    switches: tuple[SwitchText, ...] = ()
    """Switches, bridges and other speakers of LLDP, CDP and spanning tree: MAC of port, chassis or bridge, or
    the name they give themselves."""
    scanners: tuple[NetworkText, ...] = ()
    """Machines that IT scans and monitors from."""


class Sanctioned(Section):
    """Services the organisation provides itself."""

    services: tuple[str, ...] = ()
    vpn: tuple[NetworkText, ...] = ()
    """End points of its own VPN: what is exchanged with them is allowed."""
    vpn_clause: str = ""
    """Clause that recommends it, reference into `clauses`; stands in those rows instead of `sanctioned`."""
    names: Names = ()


class Quota(Section):
    """Bandwidth a host of a group may use before it becomes a finding."""

    groups: tuple[str, ...] = ("*",)
    categories: tuple[str, ...] = ()
    """Empty: all traffic."""
    link_share: float | None = Field(default=None, gt=0, le=1)
    """Part of the site's traffic in a window."""
    bytes_per_day: int | None = Field(default=None, gt=0)
    """Both ways, from midnight to midnight by the site's clock."""
    bytes_per_lesson: int | None = Field(default=None, gt=0)
    """Both ways, in each lesson of the site's calendar."""
    mbps: float | None = Field(default=None, gt=0, le=1e6)
    """Both ways; what is above it is taken from the burst allowance, what is below it fills that again."""
    burst_megabytes: float | None = Field(default=None, gt=0, le=1e9)
    """Burst allowance of `mbps`; None: what a minute at that rate carries."""
    clause: str = ""

    @model_validator(mode="after")
    def _bounds_something(self) -> "Quota":
        bounds = (self.link_share, self.bytes_per_day, self.bytes_per_lesson, self.mbps)
        if all(bound is None for bound in bounds):
            raise ValueError(
                "the quota has no bound: set link_share, bytes_per_day, bytes_per_lesson or mbps"
            )
        if self.burst_megabytes is not None and self.mbps is None:
            raise ValueError("burst_megabytes belongs to mbps, which is not set")
        return self


class Retention(Section):
    """Days that records are meant to be kept; the store's settings do it."""

    raw_days: int = Field(default=90, ge=0)
    summary_days: int = Field(default=3_653, ge=0)


class Consent(Section):
    """What users agreed to, where an agreement is recorded."""

    version: str = ""
    adopted: Day | None = None


class Policy(Section):
    """All of it. `version` names exactly this content."""

    organisation: str = Field(min_length=1)
    regulation: str = ""
    """The text the clauses refer to."""
    valid_from: Moment | None = None
    """When it comes into force; without an offset by the clock of the first site. Without it: when it is
    loaded."""
    clauses: dict[str, str] = Field(default_factory=dict)
    """Reference → what the clause asks."""
    sites: Annotated[tuple[Site, ...], Field(max_length=MOST_PLACES)]
    """At least one."""
    groups: Annotated[tuple[Group, ...], Field(max_length=MOST_PLACES)] = ()
    inventory: tuple[str, ...] = ()
    """CSV files of devices (MAC, tags), relative to the policy's folder; they add to `devices`."""
    devices: dict[str, tuple[MacText, ...]] = Field(default_factory=dict)
    """Tag → MAC addresses of the devices that carry it."""
    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = ()
    exemptions: Annotated[tuple[Exemption, ...], Field(max_length=MOST_RULES)] = ()
    filter: Filter = Filter()
    approved: Approved = Approved()
    sanctioned: Sanctioned = Sanctioned()
    thresholds: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Detector → parameter → value, over the detector's own default."""
    quotas: Annotated[tuple[Quota, ...], Field(max_length=MOST_RULES)] = ()
    retention: Retention = Retention()
    consent: Consent = Consent()

    def content(self) -> dict[str, Any]:
        """Everything that differs from the defaults, JSON-ready, keys as in the file."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def version(self) -> str:
        """First 16 hex digits of the SHA-256 of the content; comments, layout and defaults don't count."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def starts(self) -> int | None:
        """`valid_from` in µs since 1970 UTC; None where the policy doesn't say."""
        if self.valid_from is None:
            return None
        aware = self.valid_from
        if aware.tzinfo is None:
            aware = aware.replace(tzinfo=ZoneInfo(self.sites[0].time_zone))
        return round(aware.timestamp() * 1_000_000)

    def groups_at(self, site: Site) -> list[tuple[int, Group]]:
        """The groups that a site has, each with its place in `groups`."""
        return [(i, g) for i, g in enumerate(self.groups) if not g.sites or site.id in g.sites]
