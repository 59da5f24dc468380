"""Why the policy says what it says of a name: which lists, which client, which hour, which rule."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from blocklists import taxonomy
from blocklists.history import Since
from blocklists.matcher import Explanation
from blocklists.names import AddressError, WholeSuffixError, normal_name
from classifiers.classify import Classifier
from classifiers.decisions import SANCTIONED, TIMES, Decisions
from classifiers.exemptions import EXEMPTION
from classifiers.places import NOWHERE
from classifiers.policy_model import YEARS, Rule, mac_of
from pipeline.records import address_bytes

#: Rules that are told one by one.
MOST_RULES_TOLD = 100
_UNKNOWN = bytes(16)


class Client(NamedTuple):
    """Who asked, as far as it is known."""

    host: str = ""
    """Address or MAC."""
    vlan: int = 0
    sensor: str = ""
    mac: str = ""

    def packed(self) -> tuple[bytes, int]:
        """16-byte address and MAC, zero where unknown. Raises ValueError for what is neither."""
        address, mac = self.host, self.mac
        with contextlib.suppress(ValueError):
            mac, address = mac_of(address), ""
        if not 0 <= self.vlan <= 4_094:
            raise ValueError(f"{self.vlan} is no VLAN id; give 0 (none) to 4094")
        try:
            packed = address_bytes(address) if address else _UNKNOWN
        except ValueError:
            raise ValueError(
                f"{address[:60]!r} is no address of a host; give one as 10.20.1.2, or a MAC"
            ) from None
        return packed, int(mac_of(mac).replace(":", ""), 16) if mac else 0


def check_name(name: str) -> None:
    """Raises ValueError, with the mend, for what is neither a name nor an address."""
    try:
        # A suffix or an address is no name to a list, but can be asked for.
        try:
            normal_name(name)
        except AddressError:
            ip_address(name)
    except WholeSuffixError:
        pass
    except ValueError as error:
        raise ValueError(f"{error}; give the host name alone, as www.example.org") from None


def check_time(at: datetime) -> None:
    """Raises ValueError, with the mend, for a time without a zone and one that no policy is about."""
    if at.tzinfo is None:
        raise ValueError("the time has no zone; add one, as 2026-01-31T10:00:00-08:00")
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise ValueError(f"the year {at.year} is not between {YEARS[0]} and {YEARS[1]}; give another time")


def _since(since: Since) -> dict[str, Any] | None:
    """The version of the lists from which on, as JSON; None where nobody knows."""
    if not since.at:
        return None
    return {**since._asdict(), "at": datetime.fromtimestamp(since.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


class Asked:
    """A name at a moment, asked of a classifier."""

    def __init__(self, classifier: Classifier, name: str, at: datetime, port: int = 443) -> None:
        """`at` as `check_time` wants it. `port` is the server's, where the name is an address.

        Raises ValueError for what is no name.
        """
        check_name(name)
        self._classifier = classifier
        self._policy = classifier.policy
        self.at = at
        self._us = np.array([round(at.timestamp() * 1_000_000)])
        self.found: Explanation = classifier.matcher.lookup(name)
        self._server = _UNKNOWN
        self._names = pa.array([self.found.name])
        self._set = classifier.matcher.set_ids(self._names)
        try:
            self._server = address_bytes(name)
        except ValueError:
            pass
        else:
            servers = pa.array([self._server], pa.binary(16))
            self._set = classifier.matcher.address_set_ids(servers, np.array([port]))
            labels = classifier.matcher.sets[self._set[0]] if self._set[0] >= 0 else None
            self.found = self.found._replace(
                categories=taxonomy.names_of(labels.mask) if labels else [],
                service=labels.service if labels else "",
            )

    def about(self) -> dict[str, Any]:
        """What the name is, on which lists and lines, by which versions."""
        found = self.found
        withheld = bool(taxonomy.mask_of([*found.categories, *found.taken]) & taxonomy.WITHHELD_MASK)
        return {
            "name": taxonomy.WITHHELD if withheld else found.name,
            "matched": taxonomy.WITHHELD if withheld else found.matched,
            "categories": found.categories,
            "taken": found.taken,
            "service": found.service,
            "ports": found.ports,
            "lists": [
                {
                    "list": origin.source.name, "title": origin.source.title, "file": origin.source.file,
                    "member": origin.member, "line": origin.line,
                    "name": taxonomy.WITHHELD if withheld else origin.name, "exact": origin.exact,
                    "exception": origin.exception, "allow": origin.source.allow,
                    "gives": [] if origin.exception else origin.categories,
                    "takes": [c for c in origin.categories if c in found.taken] if origin.exception else [],
                    "sha256": origin.source.sha256, "since": _since(origin.since),
                }
                for origin in found.origins
            ],
            "lists_version": self._classifier.matcher.version,
            "policy_version": self._policy.version,
            "at": self.at.isoformat(),
        }  # fmt: skip

    def decisions(self, group: str | None = None) -> Iterator[dict[str, Any]]:
        """One decision for each site and group (all and, as "", none; or the one asked for).

        Raises ValueError for an unknown group.
        """
        groups = [*(g.id for g in self._policy.groups), ""]
        if group is not None and group not in groups:
            known = ", ".join(g for g in groups if g)
            raise ValueError(f"no group {group!r} in the policy; use one of {known}")
        for number, site in enumerate(self._policy.sites):
            for place, wanted in enumerate(groups):
                only_at = self._policy.groups[place].sites if wanted else ()
                if group in (None, wanted) and not (only_at and site.id not in only_at):
                    yield self._decision(number, place if wanted else NOWHERE, _UNKNOWN)

    def judged(self, client: Client) -> dict[str, Any]:
        """What the policy says to this client, and each step on the way there. Raises ValueError."""
        packed, mac = client.packed()
        site, group = self._classifier.places(client.sensor).explain(packed, client.vlan, mac)
        decision = self._decision(site.place, group.place, packed)
        told_site: dict[str, Any] = {"id": "", "title": ""}
        time: dict[str, Any] = {
            "local": None,
            "zone": None,
            "when": decision["when"],
            "duty": None,
            "holiday": None,
        }
        if site.place != NOWHERE:
            there = self._policy.sites[site.place]
            told_site = {"id": there.id, "title": there.title}
            moment = self._classifier.duties[site.place].at(self.at)
            time |= {
                "local": moment.local.isoformat(),
                "zone": there.time_zone,
                "duty": str(moment.duty) if moment.duty else None,
                "holiday": str(moment.holiday) if moment.holiday else None,
            }
        told_group: dict[str, Any] = {"id": "", "title": "", "minor": False}
        if group.place != NOWHERE:
            who = self._policy.groups[group.place]
            told_group = {"id": who.id, "title": who.title, "minor": who.minor}
        return {
            "client": client._asdict(),
            "site": {**told_site, "why": site.why},
            "group": {**told_group, "why": group.why},
            "time": time,
            "sanctioned": decision["sanctioned"],
            "rules": list(self._rules(group.place, decision["when"], decision["rule"])),
            "exemptions": list(self._exemptions(site.place, group.place, packed, decision["clause"])),
            "action": decision["action"],
            "clause": decision["clause"],
            "clause_text": decision["clause_text"],
        }

    def _arrays(self, site: int, group: int, client: bytes) -> tuple[Any, ...]:
        return (
            np.array([site], np.int16), np.array([group], np.int16), pa.array([client], pa.binary(16)),
            self._set, self._names,
        )  # fmt: skip

    def _decision(self, site: int, group: int, client: bytes) -> dict[str, Any]:
        classifier = self._classifier
        servers = pa.array([self._server], pa.binary(16)) if self._server != _UNKNOWN else None
        here, who, hosts, sets, names = self._arrays(site, group, client)
        decided = int(classifier.decide(self._us, here, who, hosts, sets, names, servers)[0])
        known = classifier.decisions.known
        rule = known[decided].rule if decided < len(known) else -1
        clause = classifier.clauses[decided]
        local = self.at.astimezone(classifier.duties[site].zone).isoformat() if site != NOWHERE else None
        return {
            "site": self._policy.sites[site].id if site != NOWHERE else "",
            "group": self._policy.groups[group].id if group != NOWHERE else "",
            "local_time": local,
            "when": TIMES[int(classifier.on_duty(self._us, here)[0])],
            "action": classifier.actions[decided],
            "clause": clause,
            "clause_text": self._clause_text(clause),
            "rule": rule + 1 if rule >= 0 else None,
            "sanctioned": decided in (Decisions.SANCTIONED, Decisions.VPN),
        }

    def _clause_text(self, clause: str) -> str:
        if clause.startswith(EXEMPTION):
            by_id = {exemption.id: exemption for exemption in self._policy.exemptions}
            return by_id[clause.removeprefix(EXEMPTION)].reason
        if clause == SANCTIONED:
            return "Provided by the organisation"
        return self._policy.clauses.get(clause, "")

    def _rules(self, group: int, when: str, decided: int | None) -> Iterator[dict[str, Any]]:
        """Rules that name the service or a category of the name, and what became of each."""
        group_id = self._policy.groups[group].id if group != NOWHERE else ""
        ranking = self._classifier.decisions.ranking
        winners = {
            **{("category", n): r for n, r in ranking.rules("categories", group_id, when).items()},
            **{("service", n): r for n, r in ranking.rules("services", group_id, when).items()},
        }
        told = 0
        for number, rule in enumerate(self._policy.rules):
            named = [("category", name) for name in self.found.categories if name in rule.categories]
            if self.found.service in rule.services:
                named.append(("service", self.found.service))
            if not named or told == MOST_RULES_TOLD:
                continue
            told += 1
            why = self._why(rule, group_id, when) or self._why_outranked(number, named, winners, decided)
            yield {
                "rule": number + 1,
                "names": [f"{kind} {name}" for kind, name in named],
                "groups": list(rule.groups),
                "when": rule.when,
                "action": rule.action,
                "clause": rule.clause,
                "decided": decided == number + 1,
                "why": why,
            }

    @staticmethod
    def _why(rule: Rule, group: str, when: str) -> str:
        """Why a rule is not about this client or moment; empty if it is."""
        if "*" not in rule.groups and group not in rule.groups:
            return f"it is for {', '.join(rule.groups[:5])}"
        if rule.when not in ("always", when):
            return f"it is for {rule.when.replace('_', ' ')}"
        return ""

    def _why_outranked(
        self,
        number: int,
        named: list[tuple[str, str]],
        winners: dict[tuple[str, str], int],
        decided: int | None,
    ) -> str:
        if decided == number + 1:
            return "it decided"
        won = [target for target in named if winners.get(target) == number]
        if not won:
            other = winners[named[0]]
            rules = self._policy.rules
            if "*" in rules[number].groups and "*" not in rules[other].groups:
                reason = "names the group"
            elif rules[number].when == "always" != rules[other].when:
                reason = "names the time"
            else:
                reason = "stands before it"
            return f"rule {other + 1} outranks it: it {reason}"
        if decided is None:
            return "an exemption, or what the organisation provides, outranks it"
        if self.found.service in self._policy.rules[decided - 1].services:
            return f"rule {decided} outranks it: it is for the service"
        if self._policy.rules[decided - 1].action == self._policy.rules[number].action:
            return f"rule {decided} says the same about a category that comes first"
        return f"rule {decided} is stricter"

    def _exemptions(self, site: int, group: int, client: bytes, clause: str) -> Iterator[dict[str, Any]]:
        """Exemptions that are about this client and name, whether they hold at the moment or not."""
        _, who, hosts, sets, names = self._arrays(site, group, client)
        for exempt in self._classifier.exempt:
            if not exempt.meant(who, hosts, sets, names)[0]:
                continue
            exemption = exempt.exemption
            yield {
                "id": exemption.id,
                "state": exempt.state(int(self._us[0]), site),
                "decided": clause == exempt.clause,
                "reason": exemption.reason,
                "authorised_by": exemption.authorised_by,
                "from": exemption.since.isoformat(),
                "until": exemption.until.isoformat(),
            }
