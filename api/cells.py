"""Values of the store as JSON values, and rows with what the grant withholds taken out."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from api.pseudonyms import Pseudonyms
from api.roles import CATEGORY_CLASSES, NEVER_BY_PERSON, Grant, withheld
from api.tables import Column
from api.times import utc_text
from pipeline.records import mac_text


def address_plain(text: str) -> str:
    """IPv4-mapped addresses as dotted quads, the rest in the shortest form."""
    address = ipaddress.IPv6Address(text)
    return str(address.ipv4_mapped or address)


_SQL: dict[str, str] = {
    "time": "toUnixTimestamp64Micro(toDateTime64({}, 6, 'UTC'))",
    "address": "toString({})",
    "addresses": "arrayMap(a -> toString(a), {})",
    "text": "toString({})",
    "name": "toString({})",
    "texts": "arrayMap(t -> toString(t), {})",
    "names": "arrayMap(t -> toString(t), {})",
}
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "time": utc_text,
    "address": address_plain,
    "addresses": lambda values: [address_plain(value) for value in values],
    "mac": lambda value: mac_text(value) if value else None,
    "truth": bool,
    "texts": list,
    "names": list,
    "map": dict,
}


def selected(name: str, column: Column) -> str:
    """SQL that gives the column in the form `plain` takes."""
    return _SQL.get(column.kind, "{}").format(f"`{name}`")


def plain(kind: str, value: Any) -> Any:
    """JSON value of a stored one; None stays None."""
    form = _PLAIN.get(kind)
    return value if value is None or form is None else form(value)


def visible(columns: Mapping[str, Column], grants: list[Grant]) -> dict[str, Column]:
    """The columns that at least one of the grants shows."""
    return {
        name: column
        for name, column in columns.items()
        if (not column.category or any(g.categories for g in grants))
        and (not column.host or any(g.hosts != "none" for g in grants))
    }


def grant_for(row: Mapping[str, Any], grants: list[Grant]) -> Grant:
    """The grant that shows most of this row: findings about categories need one with categories."""
    if row.get("class") in CATEGORY_CLASSES:
        return next(grant for grant in grants if grant.categories)
    return grants[0]


class Redaction:
    """Takes out of rows what the grant of each row does not show."""

    def __init__(self, columns: Mapping[str, Column], pseudonyms: Pseudonyms) -> None:
        self._columns = columns
        self._pseudonyms = pseudonyms

    def row(self, raw: dict[str, Any], categories: list[str], at: int, grant: Grant) -> dict[str, Any]:
        """The row as it is shown. `raw` holds JSON values, `categories` the row's, `at` its time in µs."""
        hidden = bool(withheld(grant).intersection(categories))
        site = raw.get("site") or ""
        shown: dict[str, Any] = {}
        for name, column in self._columns.items():
            value = raw[name]
            if column.category and not grant.categories:
                continue
            if column.host and grant.hosts == "none":
                continue
            if hidden and column.tells_name:
                value = None
            elif column.host and grant.hosts == "pseudonym":
                value = self._pseudonym(column, value, site, at)
            elif name == "categories" and grant.hosts != "none":
                value = [category for category in value if category not in NEVER_BY_PERSON]
            shown[name] = value
        if hidden:
            shown["withheld"] = True
        return shown

    def _pseudonym(self, column: Column, value: Any, site: str, at: int) -> Any:
        if value is None:
            return None
        if column.kind == "address":
            return self._pseudonyms.host(site, value, at)
        if column.kind == "mac":
            return self._pseudonyms.device(value, at)
        if column.kind == "text":
            return self._pseudonyms.scrub(value, site, at)
        return None
