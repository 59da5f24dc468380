"""Who had an address, as of the moment that is asked about: devices, names and users (docs/identity.md).

Users are persons: they leave this file as pseudonyms, unless the grant shows them.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from api.filters import mac_number, network_bounds
from api.pseudonyms import Pseudonyms
from api.roles import Grant
from api.service import Service, statement
from api.tables import Table
from api.times import Range, utc_text
from pipeline.records import mac_text

#: Second-lowest bit of the first octet: administered locally, as random MACs are (IEEE 802, 8.2.2).
LOCAL_BIT = 1 << 41
#: Addresses that one question asks for at once.
AT_ONCE = 1_000


class Moment(NamedTuple):
    """An address of a site, at a moment (`first` = `last`) or in a range; µs since 1970."""

    site: str
    address: str
    first: int
    last: int


class Said(NamedTuple):
    """What one source says; empty text and 0 where it says nothing."""

    device: int
    router: int
    vlan: int
    name: str
    user: str
    source: str
    confidence: int
    """Percent."""
    began: int
    ended: int


class Holder(NamedTuple):
    """One device that had the address, surest first, or what is known without a device (`mac` 0)."""

    mac: int
    confidence: int
    sources: tuple[str, ...]
    began: int
    ended: int
    name: str
    name_source: str
    users: tuple[tuple[str, str, int], ...]
    """(user, source, confidence)."""
    owner_group: str
    site: str
    """As the inventory names it."""
    tags: tuple[str, ...]
    router: int
    """MAC of the router that the address is behind; 0 none seen."""


def holders(desk: Service, asked: list[Moment]) -> list[list[Holder]]:
    """For each address the devices that had it then, the surest first; several contradict each other."""
    found: list[list[Holder]] = []
    for start in range(0, len(asked), AT_ONCE):
        found += _holders(desk, asked[start : start + AT_ONCE])
    return found


def _holders(desk: Service, asked: list[Moment]) -> list[list[Holder]]:
    different = list(dict.fromkeys(asked))
    said: list[list[Said]] = [[] for _ in different]
    for row in desk.rows(
        statement("holders"),
        {
            "sites": [moment.site for moment in different],
            "addresses": [network_bounds(moment.address)[0] for moment in different],
            "firsts": [moment.first for moment in different],
            "lasts": [moment.last for moment in different],
        },
    ):
        said[row["n"]].append(Said(*(row[name] for name in Said._fields)))
    wanted = [
        (moment, mac)
        for moment, sources in zip(different, said, strict=True)
        for mac in dict.fromkeys(one.device for one in sources if one.device)
    ]
    facts = device_facts(desk, [(mac, moment.first, moment.last) for moment, mac in wanted])
    known = dict(zip(wanted, facts, strict=True))
    told = {}
    for moment, sources in zip(different, said, strict=True):
        macs = {one.device for one in sources if one.device}
        told[moment] = _told(moment, sources, {mac: known[moment, mac] for mac in macs})
    return [told[moment] for moment in asked]


def device_facts(desk: Service, asked: list[tuple[int, int, int]]) -> list[list[dict[str, Any]]]:
    """Names, users and inventory of devices (MAC, from, to in µs), the surest first."""
    found: list[list[dict[str, Any]]] = [[] for _ in asked]
    if asked:
        macs, firsts, lasts = (list(column) for column in zip(*asked, strict=True))
        for row in desk.rows(statement("device_facts"), {"macs": macs, "firsts": firsts, "lasts": lasts}):
            found[row["n"]].append(row)
    return found


def _told(moment: Moment, said: list[Said], facts: dict[int, list[dict[str, Any]]]) -> list[Holder]:
    devices = list(dict.fromkeys(one.device for one in said if one.device)) or ([0] if said else [])
    router = next((one.router for one in said if one.router), 0)
    found = []
    for mac in devices:
        own = [one for one in said if one.device == mac]
        about = facts.get(mac, [])
        # What is said of the address without a device is said of whoever has it, if that is one device alone.
        names = [(one.confidence, one.ended, one.name, one.source) for one in said
                 if one.name and (one.device == mac or (not one.device and len(devices) == 1))]  # fmt: skip
        names += [
            (row["confidence"], row["ended"], row["name"], row["source"]) for row in about if row["name"]
        ]
        users = [(one.user, one.source, one.confidence) for one in said
                 if one.user and (one.device == mac or (not one.device and len(devices) == 1))]  # fmt: skip
        users += [(row["user"], row["source"], row["confidence"]) for row in about if row["user"]]
        best = max(names, default=(0, 0, "", ""))
        listed = next((row for row in about if row["source"] == "inventory"), None)
        bound = [one for one in own if not one.user and not one.name] or own
        overlap = sum(min(one.ended, moment.last) - max(one.began, moment.first) for one in bound)
        found.append(
            (
                -max(one.confidence for one in bound),
                -overlap,
                Holder(
                    mac,
                    max(one.confidence for one in bound) if mac else 0,
                    tuple(dict.fromkeys(one.source for one in own)),
                    min(one.began for one in bound),
                    max(one.ended for one in bound),
                    best[2],
                    best[3],
                    tuple({user: (user, source, sure) for user, source, sure in reversed(users)}.values())[
                        ::-1
                    ],
                    listed["owner_group"] if listed else "",
                    listed["place"] if listed else "",
                    tuple(listed["tags"]) if listed else (),
                    router,
                ),
            )
        )
    return [holder for *_, holder in sorted(found, key=lambda one: one[:2])]


def person(user: str, pseudonyms: Pseudonyms, grant: Grant, *, case: bool, at: int) -> str:
    """The user, in clear only where the grant shows users and the request names a case; else a pseudonym."""
    return user if grant.users and case else pseudonyms.person(user, at)


def holder_row(desk: Service, holder: Holder, grant: Grant, *, case: bool, at: int) -> dict[str, Any]:
    """A holder as JSON."""
    return {
        "mac": mac_text(holder.mac) if holder.mac else None,
        "randomised": bool(holder.mac & LOCAL_BIT),
        "confidence": holder.confidence if holder.mac else None,
        "sources": list(holder.sources),
        "from": utc_text(holder.began),
        "to": utc_text(holder.ended),
        "name": holder.name or None,
        "name_source": holder.name_source or None,
        "owner_group": holder.owner_group or None,
        "inventory_site": holder.site or None,
        "tags": list(holder.tags),
        "users": [
            {
                "user": person(user, desk.pseudonyms, grant, case=case, at=at),
                "source": source,
                "confidence": confidence,
            }
            for user, source, confidence in holder.users
        ],
        "behind_router": mac_text(holder.router) if holder.router and not holder.mac else None,
    }


def sites_of(desk: Service, address: str, first: int, last: int) -> list[str]:
    """Sites at which an address was bound to anything between two moments (µs): private ranges repeat."""
    bounds = {"address": network_bounds(address)[0], "first": first, "last": last}
    return [row["place"] for row in desk.rows(statement("host_sites"), bounds)]


def named_hosts(desk: Service, hosts: Iterable[tuple[str, str]], span: Range) -> list[list[Holder]]:
    """The devices that had each host's address (site, address) in a range: the surest, then the longest."""
    return holders(desk, [Moment(site, address, span.first, span.last - 1) for site, address in hosts])


def row_devices(
    desk: Service, table: Table, rows: list[tuple[dict[str, Any], int]]
) -> list[tuple[int, str, int | None]]:
    """For rows of a listing (values, time in µs): MAC (0 unknown) and name of the device as of then, and how
    many devices were bound to the address."""
    asked = [_subject(table, values, at) for values, at in rows]
    macs = [_own_mac(table, values) for values, _ in rows]
    found = iter(holders(desk, [moment for moment in asked if moment is not None]))
    own = list(dict.fromkeys((mac, at, at) for mac, (_, at) in zip(macs, rows, strict=True) if mac))
    facts = dict(zip(own, device_facts(desk, own), strict=True))
    told: list[tuple[int, str, int | None]] = []
    for moment, mac, (_, at) in zip(asked, macs, rows, strict=True):
        had = [holder for holder in next(found) if holder.mac] if moment is not None else []
        if had:
            told.append((had[0].mac, had[0].name, len(had)))
        elif mac:
            told.append((mac, next((row["name"] for row in facts[mac, at, at] if row["name"]), ""), None))
        else:
            told.append((0, "", None))
    return told


def _subject(table: Table, values: dict[str, Any], at: int) -> Moment | None:
    address = values.get(table.address)
    if not address or values.get("subject_kind", "host") != "host":
        return None
    try:
        network_bounds(address)
    except ValueError:
        return None
    return Moment(values.get("site") or "", address, at, at)


def _own_mac(table: Table, values: dict[str, Any]) -> int:
    """MAC of a finding's subject that is a device."""
    if values.get("subject_kind") != "device":
        return 0
    try:
        return mac_number(values[table.address])
    except ValueError:
        return 0
