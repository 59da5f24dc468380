"""What can hardly be meant in a policy that can be used: places nobody is at, rules that decide nothing, …"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from blocklists import taxonomy
from classifiers.calendar import clock_change, clock_change_days
from classifiers.decisions import TIMES, Ranking
from classifiers.policy_checks import Fault, did_you_mean
from classifiers.policy_model import Policy, Site

#: Categories of the Children's Internet Protection Act.
CORE = tuple(category.name for category in taxonomy.CATEGORIES.values() if category.group == "core")
#: Days ahead for which duty hours are held against changes of the clock.
_AHEAD = 366
#: Groups, sites and networks that are held against each other; more cost the square.
_COMPARED = 64


class Doubts:
    """What can hardly be meant in a policy that can be used."""

    def __init__(self, policy: Policy, today: date) -> None:
        self._policy = policy
        self._today = today

    def all(self) -> list[Fault]:
        """Every doubt, as a warning."""
        checks = (
            self._placeless,
            self._outside,
            self._tags,
            self._idle_rules,
            self._expired,
            self._calendars,
            self._clocks,
            self._core,
        )
        return [fault._replace(warning=True) for check in checks for fault in check()]

    def _placeless(self) -> Iterator[Fault]:
        for index, group in enumerate(self._policy.groups):
            if not (group.subnets or group.vlans or group.tags):
                what = f"no client ever belongs to group {group.id!r}"
                yield Fault(("groups", index), what, "give it subnets, vlans or tags")

    def _outside(self) -> Iterator[Fault]:
        """Subnets of groups that lie outside all of their sites': prefixes are few, sites fewer."""
        sites = {site.id: site for site in self._policy.sites}
        nets = {
            s.id: sorted((n for n in s.subnets), key=lambda n: n.prefixlen)[:_COMPARED]
            for s in sites.values()
        }
        for index, group in enumerate(self._policy.groups[:_COMPARED]):
            theirs = [nets[name] for name in group.sites or list(sites)[:_COMPARED]]
            if not all(theirs):
                continue
            around = [network for networks in theirs for network in networks]
            for subnet in group.subnets[:_COMPARED]:
                if not any(n.version == subnet.version and subnet.subnet_of(n) for n in around):  # type: ignore[arg-type]
                    what = f"{subnet} of group {group.id!r} lies outside the subnets of its sites"
                    yield Fault(("groups", index, "subnets"), what, "add it to a site, or mend it")

    def _tags(self) -> Iterator[Fault]:
        devices = self._policy.devices
        for index, group in enumerate(self._policy.groups):
            for tag in group.tags:
                if tag not in devices:
                    mend = did_you_mean(tag, list(devices)[:1_000]) or "add them to an inventory or [devices]"
                    yield Fault(("groups", index, "tags"), f"no device carries the tag {tag[:60]!r}", mend)
        routers = set(self._policy.approved.router_macs)
        for tag, macs in devices.items():
            for mac in routers.intersection(macs):
                what = f"{mac} is a router with the tag {tag[:60]!r}: all behind it would carry it"
                yield Fault(("devices", tag), what, "take the tag from the router")

    def _idle_rules(self) -> Iterator[Fault]:
        """Rules that decide nothing, whoever asks and whenever."""
        ranking = Ranking(self._policy)
        used: set[int] = set()
        at_sites = {group.id: self._sites_of(group.sites) for group in self._policy.groups}
        at_sites[""] = list(self._policy.sites)
        for group, sites in at_sites.items():
            timed = [when for when in TIMES if when == "off_duty" or any(s.calendar.duty for s in sites)]
            for when in timed:
                for kind in ("categories", "services"):
                    used.update(ranking.rules(kind, group, when).values())
        named = {group.id for group in self._policy.groups if group.subnets or group.vlans or group.tags}
        for index, rule in enumerate(self._policy.rules):
            if index not in used:
                what = f"rule {index + 1} never applies: others outrank it for all of its groups and times"
                if rule.when == "duty" and not any(site.calendar.duty for site in self._policy.sites):
                    what = f"rule {index + 1} never applies: no site has duty hours"
                yield Fault(("rules", index), what, "remove it, or mend its groups, names or time")
            elif not named.intersection(rule.groups) and "*" not in rule.groups:
                what = f"rule {index + 1} never applies: none of its groups has a place"
                yield Fault(("rules", index, "groups"), what, "give the group subnets, vlans or tags")

    def _sites_of(self, names: tuple[str, ...]) -> list[Site]:
        return [site for site in self._policy.sites if not names or site.id in names]

    def _expired(self) -> Iterator[Fault]:
        for index, exemption in enumerate(self._policy.exemptions):
            # A day that is over everywhere: UTC-12 is the last to see it end.
            if exemption.until < self._today - timedelta(days=1):
                what = f"exemption {exemption.id[:60]!r} expired on {exemption.until}"
                yield Fault(("exemptions", index, "until"), what, "remove it, or have it authorised anew")
            minors = [g.id for g in self._policy.groups if g.minor and g.id in exemption.groups]
            core = [name for name in exemption.categories if name in CORE]
            if minors and core:
                what = f"exemption {exemption.id[:60]!r} lets minors ({minors[0]}) have {core[0]!r}"
                mend = "only adults may be exempted from it (47 USC 254(h)(5)(D))"
                yield Fault(("exemptions", index, "categories"), what, mend)

    def _calendars(self) -> Iterator[Fault]:
        for index, site in enumerate(self._policy.sites):
            before = None
            for holiday in sorted(site.calendar.holidays, key=lambda h: (h.first, h.last)):
                if before is not None and holiday.first <= before.last:
                    what = f"holidays {before} and {holiday} of site {site.id!r} overlap"
                    yield Fault(("sites", index, "calendar", "holidays"), what, "make them one")
                before = max(before, holiday, key=lambda h: h.last) if before else holiday

    def _clocks(self) -> Iterator[Fault]:
        """Duty that begins or ends at a time of day that the clock skips or repeats within a year."""
        days = cache(lambda zone: clock_change_days(zone, self._today, _AHEAD))
        change = cache(clock_change)
        for index, site in enumerate(self._policy.sites):
            zone = ZoneInfo(site.time_zone)
            edges = {edge % 1_440 for duty in site.calendar.duty for edge in duty.edges}
            for day in days(zone) if edges else ():
                for edge in sorted(edges):
                    if became := change(zone, day, edge):
                        time = f"{edge // 60:02}:{edge % 60:02}"
                        what = f"duty begins or ends at {time}, which the clock of {site.time_zone} has"
                        how = "twice" if became == "repeated" else "not at all"
                        mend = "choose another time, if that day matters"
                        where = ("sites", index, "calendar", "duty")
                        yield Fault(where, f"{what} {how} on {day}", mend)

    def _core(self) -> Iterator[Fault]:
        """Sites at which nothing prohibits minors what 47 USC 254(h)(5) is about."""
        ranking = Ranking(self._policy)
        prohibited = cache(lambda group: self._prohibited(ranking, group))
        for index, site in enumerate(self._policy.sites):
            minors = [group.id for _, group in self._policy.groups_at(site) if group.minor]
            for group in minors or [""]:
                missing = [name for name in CORE if name not in prohibited(group)]
                if missing:
                    who = f"group {group!r}, which is of minors," if group else "everybody"
                    what = f"at site {site.id!r} no rule prohibits {who} {' and '.join(missing)}"
                    mend = f"add a rule for {missing} (47 USC 254(h)(5))"
                    yield Fault(("sites", index), what, mend)

    def _prohibited(self, ranking: Ranking, group: str) -> set[str]:
        found = []
        for when in TIMES:
            rules = ranking.rules("categories", group, when)
            found.append({n for n, i in rules.items() if self._policy.rules[i].action == "prohibit"})
        return set.intersection(*found)
