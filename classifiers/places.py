"""Which site and group a client belongs to, for a whole batch."""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from blocklists.addresses import PrefixTable
from classifiers.policy_model import Network, Policy

#: Index of "no site" and "no group": the last element of every table that is indexed by one.
NOWHERE = -1


class Devices:
    """The tags of a policy's devices."""

    def __init__(self, policy: Policy) -> None:
        of_mac: dict[int, list[str]] = {}
        for tag, carriers in policy.devices.items():
            for mac in carriers:
                of_mac.setdefault(int(mac.replace(":", ""), 16), []).append(tag)
        kinds: dict[tuple[str, ...], int] = {}
        numbers = [kinds.setdefault(tuple(tags), len(kinds)) for tags in of_mac.values()]
        macs = np.array(list(of_mac), np.uint64)
        order = np.argsort(macs)
        self._macs = macs[order]
        self._kinds = np.array([*numbers, NOWHERE], np.int32)
        self._kinds[:-1] = self._kinds[:-1][order]
        self.tags = [*kinds, ()]
        """Every distinct set of tags, that of unknown devices last; `kinds` points into it."""

    def __len__(self) -> int:
        return len(self._macs)

    def kinds(self, macs: np.ndarray) -> np.ndarray:
        """int32[n]: index into `tags` of each MAC (uint64, 0 unknown), -1 for devices without tags."""
        if not len(self):
            return np.full(len(macs), NOWHERE, np.int32)
        at = np.searchsorted(self._macs, macs)
        known = self._macs[np.minimum(at, len(self) - 1)] == macs
        return self._kinds[np.where(known, at, -1)]


class Because(NamedTuple):
    """A site or group, and what decided."""

    place: int
    """`NOWHERE` for none."""
    why: str


class Places:
    """The sites one sensor can see, and the groups at them."""

    def __init__(self, policy: Policy, sensor: str, devices: Devices) -> None:
        naming = [i for i, site in enumerate(policy.sites) if sensor in site.sensors]
        free = [i for i, site in enumerate(policy.sites) if not site.sensors]
        self._policy = policy
        self._sensor = sensor
        self._named = bool(naming)
        self._devices = devices
        self._sites = naming or free or list(range(len(policy.sites)))
        self._site_networks = PrefixTable((net, i) for i in self._sites for net in policy.sites[i].subnets)
        self._site_vlans = self._vlan_table(
            [(vlan, i) for i in self._sites for vlan in policy.sites[i].vlans]
        )
        self._group_networks: dict[int, PrefixTable] = {}
        self._group_vlans: dict[int, np.ndarray] = {}
        self._group_kinds: dict[int, np.ndarray] = {}
        for i in self._sites:
            there = policy.groups_at(policy.sites[i])
            self._group_networks[i] = PrefixTable((net, number) for number, g in there for net in g.subnets)
            self._group_vlans[i] = self._vlan_table(
                [(vlan, number) for number, g in there for vlan in g.vlans]
            )
            of_tag = {tag: number for number, g in reversed(there) for tag in g.tags}
            self._group_kinds[i] = np.array(
                [
                    min((of_tag[tag] for tag in tags if tag in of_tag), default=NOWHERE)
                    for tags in devices.tags
                ],
                np.int16,
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

    def locate(
        self, clients: pa.FixedSizeBinaryArray, vlans: np.ndarray, macs: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """int16[n] site and group of each client (16-byte address, VLAN id, MAC or 0), `NOWHERE` if none.

        The site is the sensor's if it has one, else by longest prefix, else by VLAN. The group is
        by device tag, else by longest prefix among the site's, else by VLAN.
        """
        if self.only_site != NOWHERE:
            site = np.full(len(clients), self.only_site, np.int16)
        else:
            site = self._site_networks.match(clients).astype(np.int16)
            site = np.where(site == NOWHERE, self._site_vlans[vlans], site)
        kinds = self._devices.kinds(macs) if macs is not None and len(self._devices) else None
        group = np.full(len(clients), NOWHERE, np.int16)
        for i in self._sites:
            here = site == i
            if not here.any():
                continue
            found = self._group_networks[i].match(clients).astype(np.int16)
            found = np.where(found == NOWHERE, self._group_vlans[i][vlans], found)
            if kinds is not None:
                tagged = self._group_kinds[i][kinds]
                found = np.where(tagged == NOWHERE, found, tagged)
            group[here] = found[here]
        return site, group

    def explain(self, client: bytes, vlan: int, mac: int) -> tuple[Because, Because]:
        """Site and group of one client (16-byte address), and why."""
        sites, groups = self.locate(
            pa.array([client], pa.binary(16)), np.array([vlan]), np.array([mac], np.uint64)
        )
        return self._why_site(int(sites[0]), client, vlan), self._why_group(
            int(sites[0]), int(groups[0]), client, vlan, mac
        )

    def _why_site(self, site: int, client: bytes, vlan: int) -> Because:
        if self.only_site != NOWHERE:
            if self._named:
                return Because(site, f"the only site that names sensor {self._sensor}")
            if len(self._policy.sites) > 1:
                return Because(site, "the only site that names no sensors")
            return Because(site, "the policy's only site")
        if site == NOWHERE:
            return Because(site, "no site has this address or VLAN")
        if prefix := _longest(client, self._policy.sites[site].subnets):
            return Because(site, f"prefix {prefix}")
        return Because(site, f"VLAN {vlan}")

    def _why_group(self, site: int, group: int, client: bytes, vlan: int, mac: int) -> Because:
        if site == NOWHERE:
            return Because(group, "no site, so no group")
        if group == NOWHERE:
            return Because(group, "no group at the site has this tag, address or VLAN")
        chosen = self._policy.groups[group]
        kind = int(self._devices.kinds(np.array([mac], np.uint64))[0])
        if self._group_kinds[site][kind] == group:
            return Because(
                group, f"device tag {next(t for t in self._devices.tags[kind] if t in chosen.tags)}"
            )
        if prefix := _longest(client, chosen.subnets):
            return Because(group, f"prefix {prefix}")
        return Because(group, f"VLAN {vlan}")


def _longest(client: bytes, networks: Iterable[Network]) -> str:
    address = ipaddress.IPv6Address(client)
    plain = address.ipv4_mapped or address
    around = [net for net in networks if net.version == plain.version and plain in net]
    return str(max(around, key=lambda net: net.prefixlen)) if around else ""
