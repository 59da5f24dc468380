"""Which site and group a client belongs to, for a whole batch."""

import numpy as np
import pyarrow as pa

from blocklists.addresses import PrefixTable
from classifiers.policy_model import Policy

#: Index of "no site" and "no group": the last element of every table that is indexed by one.
NOWHERE = -1


class Places:
    """The sites one sensor can see, and the groups at them."""

    def __init__(self, policy: Policy, sensor: str) -> None:
        naming = [i for i, site in enumerate(policy.sites) if sensor in site.sensors]
        free = [i for i, site in enumerate(policy.sites) if not site.sensors]
        self._sites = naming or free or list(range(len(policy.sites)))
        self._site_networks = PrefixTable((net, i) for i in self._sites for net in policy.sites[i].subnets)
        self._site_vlans = self._vlan_table(
            [(vlan, i) for i in self._sites for vlan in policy.sites[i].vlans]
        )
        self._group_networks: dict[int, PrefixTable] = {}
        self._group_vlans: dict[int, np.ndarray] = {}
        for i in self._sites:
            there = [
                (number, group)
                for number, group in enumerate(policy.groups)
                if not group.sites or policy.sites[i].id in group.sites
            ]
            self._group_networks[i] = PrefixTable((net, number) for number, g in there for net in g.subnets)
            self._group_vlans[i] = self._vlan_table(
                [(vlan, number) for number, g in there for vlan in g.vlans]
            )

    @staticmethod
    def _vlan_table(pairs: list[tuple[int, int]]) -> np.ndarray:
        # A VLAN id has 12 bits; records carry 16, so that a damaged one can't read outside.
        table = np.full(65_536, NOWHERE, np.int16)
        for vlan, value in reversed(pairs):
            table[vlan] = value
        return table

    @property
    def only_site(self) -> int:
        """The sensor's one site, else `NOWHERE`."""
        return self._sites[0] if len(self._sites) == 1 else NOWHERE

    def locate(self, clients: pa.FixedSizeBinaryArray, vlans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """int16[n] site and group of each client (16-byte address, VLAN id), `NOWHERE` if none.

        The site is the sensor's if it has one, else by longest prefix, else by VLAN. The group is
        by longest prefix among the site's, else by VLAN.
        """
        if self.only_site != NOWHERE:
            site = np.full(len(clients), self.only_site, np.int16)
        else:
            site = self._site_networks.match(clients).astype(np.int16)
            site = np.where(site == NOWHERE, self._site_vlans[vlans], site)
        group = np.full(len(clients), NOWHERE, np.int16)
        for i in self._sites:
            here = site == i
            if not here.any():
                continue
            found = self._group_networks[i].match(clients).astype(np.int16)
            found = np.where(found == NOWHERE, self._group_vlans[i][vlans], found)
            group[here] = found[here]
        return site, group
