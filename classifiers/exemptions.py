"""Exemptions of a policy, ready to be asked for a whole batch: who, from what, until when."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from blocklists import taxonomy
from blocklists.addresses import PrefixTable
from blocklists.build import Builder, Statement
from blocklists.matcher import LabelSet, Matcher, Source
from blocklists.names import normal_name
from classifiers.policy_model import Exemption, Policy

#: What a clause begins with where an exemption allowed the row; its id follows.
EXEMPTION = "exemption:"


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).astimezone(UTC).timestamp() * 1_000_000)


def name_matcher(names: tuple[str, ...]) -> Matcher:
    """A matcher over a policy's own names. Raises ValueError for what is no name."""
    builder = Builder()
    source = builder.source(Source("policy", "Policy", "", "domains", (), False, "", len(names)))
    said = builder.statement(Statement(0, "", source, False))
    builder.add([normal_name(name) for name in names], [0] * len(names), [said] * len(names))
    return builder.build()


class Exempt:
    """One exemption against the label sets of a matcher."""

    def __init__(self, policy: Policy, sets: tuple[LabelSet, ...], exemption: Exemption) -> None:
        self.exemption = exemption
        self.clause = EXEMPTION + exemption.id
        self._groups = [i for i, group in enumerate(policy.groups) if group.id in exemption.groups]
        self._any_group = not exemption.groups or "*" in exemption.groups
        self._hosts = PrefixTable((network, 0) for network in exemption.hosts)
        mask = taxonomy.mask_of(exemption.categories)
        # The last label set is that of names on no list.
        self._sets = np.array(
            [bool(s.mask & mask) or s.service in exemption.services for s in sets] + [False]
        )
        self._names = name_matcher(exemption.names)
        zones = [ZoneInfo(site.time_zone) for site in policy.sites]
        zones.append(zones[0])
        self._since = np.array([_midnight(exemption.since, zone) for zone in zones])
        self._until = np.array([_midnight(exemption.until + timedelta(days=1), zone) for zone in zones])
        self.first, self.last = int(self._since.min()), int(self._until.max())
        """Before and after these times, µs, it holds nowhere."""

    def rows(
        self,
        us: np.ndarray,
        site: np.ndarray,
        group: np.ndarray,
        clients: pa.FixedSizeBinaryArray,
        sets: np.ndarray,
        names: pa.StringArray,
    ) -> np.ndarray:
        """bool[n]: rows it holds for, at the event time (int64 µs) and by the clock of the row's site."""
        held = (us >= self._since[site]) & (us < self._until[site])
        return held & self.meant(group, clients, sets, names) if held.any() else held

    def meant(
        self, group: np.ndarray, clients: pa.FixedSizeBinaryArray, sets: np.ndarray, names: pa.StringArray
    ) -> np.ndarray:
        """bool[n]: rows it is about, whenever they were."""
        about = self._sets[sets] | (self._names.match(names) >= 0)
        if not self._any_group:
            about &= np.isin(group, self._groups)
        if len(self._hosts):
            about &= self._hosts.match(clients) >= 0
        return about

    def state(self, us: int, site: int) -> str:
        """`active`, `expired` or `pending` at a time (µs) by the clock of a site."""
        if us >= self._until[site]:
            return "expired"
        return "active" if us >= self._since[site] else "pending"
