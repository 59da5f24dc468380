"""Devices by MAC: what they said of themselves, and what they moved."""

from typing import Any

from api.cells import address_plain
from api.coverage import coverage
from api.filters import mac_number, network_bounds
from api.identity import LOCAL_BIT, Moment, holder_row, holders, person, sites_of
from api.problems import Problem
from api.roles import Grant, withheld
from api.service import Service, statement
from api.times import Range, moment, utc_text
from pipeline.records import mac_text

#: Sources of sightings whose names are persons'.
_PERSONS = ("radius", "kerberos")
#: A sensor's ticks are ten seconds apart: it speaks for a moment so far around it, µs.
_TICK_US = 10_000_000
#: Confidence in percent from which a bar is drawn full; lanes that are drawn.
SURE, MOST_LANES = 80, 24


def _device(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "mac": mac_text(row["mac"]),
        "site": row["site"],
        "randomised": bool(row["mac"] & LOCAL_BIT),
        "names": row["names"],
        "addresses": [address_plain(address) for address in row["addresses"]],
        "address_count": row["address_count"],
        "groups": [group for group in row["groups"] if group],
        "ownership": row["ownership"],
        "sources": row["sources"],
        "bytes_up": row["bytes_up"],
        "bytes_down": row["bytes_down"],
        "flows": row["flows"],
        "first": utc_text(row["earliest"]),
        "last": utc_text(row["latest"]),
    }


def devices(
    desk: Service,
    span: Range,
    *,
    mac: int = 0,
    sites: list[str] | None = None,
    clients: list[str] | None = None,
    groups: list[str] | None = None,
    after: tuple[int, str] = (0, ""),
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Devices in order of MAC and site. Raises ValueError for a client that is no single address."""
    addresses = []
    for client in clients or []:
        first, last = network_bounds(client)
        if first != last:
            raise ValueError(f"client: {client!r} is a prefix; give one address")
        addresses.append(first)
    rows = desk.rows(
        statement("devices"),
        {
            "first": span.first,
            "last": span.last,
            "mac": mac,
            "sites": sites or [],
            "clients": addresses,
            "wanted": groups or [],
            "after_mac": after[0],
            "after_site": after[1],
            "limit": limit,
        },
    )
    return [_device(row) for row in rows]


def held_at(
    desk: Service, address: str, sites: list[str], at: int, grant: Grant, *, case: bool
) -> dict[str, Any]:
    """Which devices had an address at a moment (µs), the surest first, and whether anyone was looking.

    Raises ValueError for what is no single address.
    """
    first, last = network_bounds(address)
    if first != last:
        raise ValueError(f"client: {address!r} is a prefix; give one address")
    known = sites or sites_of(desk, address, at, at)
    shown = address_plain(first)
    rows = [
        {"site": site, **holder_row(desk, holder, grant, case=case, at=at)}
        for site, found in zip(
            known, holders(desk, [Moment(site, shown, at, at) for site in known]), strict=True
        )
        for holder in found
    ]
    watched = coverage(desk, Range(at - _TICK_US, at + _TICK_US))["sensors"]
    return {
        "at": utc_text(at),
        "client": shown,
        "covered": any(sensor["state"] == "reported" for sensor in watched),
        "rows": sorted(rows, key=lambda row: -(row["confidence"] or 0)),
    }


def device_findings(found: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of findings about a device and its addresses, those about itself, or made while it had the address."""
    held = [(row["site"], row["ip"], row["from"], row["to"]) for row in found["bindings"] if row["ip"]]
    return [
        row
        for row in rows
        if row["subject"] == found["mac"]
        or any(
            (site, ip) == (row["site"], row["subject"]) and first <= row["from"] <= last
            for site, ip, first, last in held
        )
    ]


def _bindings(desk: Service, bounds: dict[str, int], grant: Grant, *, case: bool) -> list[dict[str, Any]]:
    return [
        {
            "from": utc_text(row["began"]),
            "to": utc_text(row["ended"]),
            "site": row["place"],
            "ip": None if row["address"] == "::" else address_plain(row["address"]),
            "vlan": row["vlan"],
            "name": row["name"] or None,
            "user": person(row["user"], desk.pseudonyms, grant, case=case, at=row["began"])
            if row["user"]
            else None,
            "source": row["source"],
            "confidence": row["confidence"],
        }
        for row in desk.rows(statement("device_bindings"), bounds)
    ]


def lanes(found: dict[str, Any], span: Range) -> list[dict[str, Any]]:
    """A device's bindings and the gaps as bars in percent of the range, a lane for each address or word."""
    bars: dict[str, list[dict[str, Any]]] = {}

    def bar(lane: str, first: str, last: str, kind: str, title: str) -> None:
        begin, end = (
            100 * (moment(text, 0) - span.first) / max(span.last - span.first, 1) for text in (first, last)
        )
        begin, end = max(begin, 0.0), min(end, 100.0)
        shape = {"x": round(begin, 3), "width": round(max(end - begin, 0.3), 3), "kind": kind, "title": title}
        bars.setdefault(lane, []).append(shape)

    for row in found["bindings"]:
        lane = row["ip"] or row["user"] or row["name"] or row["source"]
        title = f"{row['source'].replace('_', ' ')}, {row['confidence']} %"
        bar(lane, row["from"], row["to"], "sure" if row["confidence"] >= SURE else "likely", title)
    for gap in found["gaps"]:
        bar("not watched", gap["from"], gap["to"], "gap", f"sensor {gap['sensor']}")
    return [{"lane": lane, "bars": of} for lane, of in bars.items()][:MOST_LANES]


def _inventory(desk: Service, bounds: dict[str, int]) -> list[dict[str, Any]]:
    rows = desk.rows(statement("device_inventory"), bounds)
    ends = [*(row["since"] for row in rows), None][1:]
    return [
        {
            "from": utc_text(row["since"]) if row["since"] else None,
            "to": None if end is None else utc_text(end),
            "name": row["name"] or None,
            "owner_group": row["owner_group"] or None,
            "site": row["place"] or None,
            "tags": row["tags"],
            "file": row["file"],
        }
        for row, end in zip(rows, ends, strict=True)
        if row["present"] and (end is None or end >= bounds["first"])
    ]


def one_device(
    desk: Service, mac_text_: str, span: Range, grant: Grant, *, case: bool = False
) -> dict[str, Any]:
    """One device through the range: bindings, inventory, ports, services, sightings, and where nobody looked.

    Raises Problem 404 and 422.
    """
    try:
        mac = mac_number(mac_text_)
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        raise Problem(422, what, mend) from None
    bounds = {"first": span.first, "last": span.last, "mac": mac}
    found = devices(desk, span, mac=mac, limit=20) if mac else []
    bound = _bindings(desk, bounds, grant, case=case) if mac else []
    listed = _inventory(desk, bounds) if mac else []
    if not (found or bound or listed):
        raise Problem(
            404,
            f"no device {mac_text_} between {utc_text(span.first)} and {utc_text(span.last)}",
            "widen from and to, or take a MAC from /v1/devices",
        )
    sightings = desk.rows(statement("device_sightings"), bounds)
    services = desk.rows(statement("device_services"), bounds | {"withheld": sorted(withheld(grant))})
    return {
        "from": utc_text(span.first),
        "to": utc_text(span.last),
        "note": span.note,
        "mac": mac_text(mac),
        "randomised": bool(mac & LOCAL_BIT),
        "router": any(row["source"] == "router" for row in bound),
        "places": found,
        "inventory": listed,
        "bindings": bound,
        "more_bindings": len(bound) == 1_000,
        "ports": [
            {
                "from": utc_text(row["earliest"]),
                "to": utc_text(row["latest"]),
                **{
                    name: row[name] or None
                    for name in ("said_by", "nas", "port", "bssid", "ssid", "relay", "circuit", "remote")
                },
            }
            for row in desk.rows(statement("device_ports"), bounds)
        ],
        "gaps": [
            {"sensor": sensor["sensor"], **gap}
            for sensor in coverage(desk, span)["sensors"]
            for gap in sensor.get("gaps", [])
        ],
        "services": [
            {
                "service": row["name"],
                "application": row["kind"],
                "name_source": row["named_by"],
                "bytes_up": row["up"],
                "bytes_down": row["down"],
            }
            for row in services
        ],
        "sightings": [
            {
                "ts": utc_text(row["at"]),
                "site": row["place"],
                "vlan": row["vlan"],
                "source": row["said_by"],
                "ip": None if row["address"] == "::" else address_plain(row["address"]),
                "name": person(row["name"], desk.pseudonyms, grant, case=case, at=row["at"])
                if row["name"] and row["said_by"] in _PERSONS
                else row["name"],
                "value": row["value"],
                "attributes": row["attributes"],
            }
            for row in sightings
        ],
    }
