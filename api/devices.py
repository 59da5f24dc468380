"""Devices by MAC: what they said of themselves, and what they moved."""

from typing import Any

from api.cells import address_plain
from api.filters import mac_number, network_bounds
from api.problems import Problem
from api.roles import Grant, withheld
from api.service import Service, statement
from api.times import Range, utc_text
from pipeline.records import mac_text

#: Second-lowest bit of the first octet: administered locally, as random MACs are (IEEE 802, 8.2.2).
LOCAL_BIT = 1 << 41


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


def one_device(desk: Service, mac_text_: str, span: Range, grant: Grant) -> dict[str, Any]:
    """One device with its sightings and services. Raises Problem 404 and 422."""
    try:
        mac = mac_number(mac_text_)
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        raise Problem(422, what, mend) from None
    bounds = {"first": span.first, "last": span.last, "mac": mac}
    found = devices(desk, span, mac=mac, limit=20) if mac else []
    if not found:
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
        "places": found,
        "services": [
            {
                "service": row["name"],
                "application": row["kind"],
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
                "name": row["name"],
                "value": row["value"],
                "attributes": row["attributes"],
            }
            for row in sightings
        ],
    }
