"""The filter language: query parameters become typed conditions with bound values, never spliced text."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from api.tables import Column
from api.times import SECOND_US, Range
from classifiers.ranges import END_S

_NUMBER = r"-?\d{1,20}"
_COMPARED = re.compile(rf"(>=|<=|>|<|)({_NUMBER})")
_SPAN = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_MAC = re.compile(r"[0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(?:\1[0-9a-fA-F]{2}){4}")


class Condition(NamedTuple):
    """SQL with `{name:Type}` places, and their values."""

    sql: str
    parameters: dict[str, Any]


def within_hours(time: str, span: Range, until: str = "last") -> str:
    """SQL of the bounds `first` and `until` for the hour of a time, which is first in the key of such tables.

    It shuts out nothing that the bounds of the time let through; beyond 2106 it bounds nothing.
    """
    if span.last >= END_S * SECOND_US:
        return "1"
    return " AND ".join(
        f"toStartOfHour({time}) {sign} toStartOfHour(fromUnixTimestamp64Micro({{{bound}:Int64}}, 'UTC'))"
        for sign, bound in ((">=", "first"), ("<=", until))
    )


def mac_number(text: str) -> int:
    """Integer of a MAC written with `:` or `-`. Raises ValueError."""
    if not _MAC.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no MAC; write aa:bb:cc:dd:ee:ff")
    return int(text.replace(text[2], ""), 16)


def network_bounds(text: str) -> tuple[str, str]:
    """First and last address of an address or prefix, as IPv6 text. Raises ValueError."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text[:60]!r} is no address or prefix; write 10.1.2.3 or 10.1.0.0/16") from None
    ends = network.network_address, network.broadcast_address
    if network.version == 4:
        return f"::ffff:{ends[0]}", f"::ffff:{ends[1]}"
    return str(ends[0]), str(ends[1])


class _Places:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def put(self, value: Any, type_: str) -> str:
        name = f"f{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{type_}}}"


def _address(column: str, value: str, places: _Places) -> str:
    first, last = network_bounds(value)
    low = f"toIPv6({places.put(first, 'String')})"
    if first == last:
        return f"{column} = {low}"
    return f"{column} BETWEEN {low} AND toIPv6({places.put(last, 'String')})"


def _name(column: str, value: str, places: _Places) -> str:
    value = value.lower().rstrip(".")
    if value in ("", "*"):
        raise ValueError("that names no domain; write www.example.org or *.example.org")
    if value.startswith("*."):
        whole, below = places.put(value[2:], "String"), places.put(value[1:], "String")
        return f"({column} = {whole} OR endsWith({column}, {below}))"
    return f"lower({column}) = {places.put(value, 'String')}"


def _number(column: str, value: str, places: _Places) -> str:
    if value == "unknown":
        return f"isNull({column})"
    if span := _SPAN.fullmatch(value):
        low, high = places.put(int(span[1]), "Int128"), places.put(int(span[2]), "Int128")
        return f"{column} BETWEEN {low} AND {high}"
    if compared := _COMPARED.fullmatch(value):
        return f"{column} {compared[1] or '='} {places.put(int(compared[2]), 'Int128')}"
    raise ValueError(f"{value[:40]!r} is no number; write 443, >=1000, 20..25 or unknown")


def _truth(column: str, value: str, places: _Places) -> str:
    if value not in ("true", "false", "unknown"):
        raise ValueError(f"{value[:40]!r} is neither true nor false; write one of them, or unknown")
    return f"isNull({column})" if value == "unknown" else f"{column} = {value}"


_FORMS: dict[str, Callable[[str, str, _Places], str]] = {
    "address": _address,
    "mac": lambda column, value, places: f"{column} = {places.put(mac_number(value), 'UInt64')}",
    "name": _name,
    "number": _number,
    "text": lambda column, value, places: f"{column} = {places.put(value, 'String')}",
    "texts": lambda column, value, places: f"has({column}, {places.put(value, 'String')})",
    "truth": _truth,
}


def condition(asked: Mapping[str, Sequence[str]], columns: dict[str, Column]) -> Condition:
    """One condition of all parameters that were given: values of one are alternatives, `!` excludes.

    Raises ValueError that names the parameter and the mend.
    """
    places = _Places()
    terms: list[str] = []
    for name, values in asked.items():
        column = columns[name]
        wanted: list[str] = []
        for value in values:
            negated = value.startswith("!")
            plain = value[1:] if negated else value
            if column.words and plain not in column.words:
                raise ValueError(
                    f"{name}: no value {plain[:40]!r}; choose from {', '.join(filter(None, column.words))}"
                )
            try:
                term = _FORMS[column.kind](f"`{name}`", plain, places)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if negated:
                terms.append(f"NOT ifNull({term}, 0)")
            else:
                wanted.append(term)
        if wanted:
            terms.append(f"({' OR '.join(wanted)})")
    return Condition(" AND ".join(terms) or "1", places.values)
