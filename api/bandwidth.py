"""Questions about bytes, asked of the smallest table that can tell: the greatest by a key, and over time."""

from typing import Any, NamedTuple

from api.cells import address_plain
from api.filters import Condition
from api.identity import named_hosts
from api.problems import Problem
from api.roles import Grant, withheld
from api.service import Service, statement
from api.sums import KNOWN_SOURCES, OF_ALL, OF_HOSTS, OF_PLACES, SOURCE_SUMS, levels, traffic
from api.tables import TABLES
from api.times import MINUTE_US, SECOND_US, SLOT_S, Range, utc_text
from pipeline.records import NAME_SOURCES, mac_text

#: What bytes may be asked by.
KEYS = ("host", "service", "group", "application", "category", "site")
#: What a timeline may be split by; one host's is asked with `client`.
SERIES_KEYS = KEYS[1:]
#: Keys that tell what kind of matter it was.
CATEGORY_KEYS = frozenset({"category"})
#: Steps a timeline may have, seconds; up to a minute they are answered from the flow rows.
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800)
#: Most steps of one timeline.
MOST_STEPS = 2_000
#: Steps an answer has about, where none is asked for.
USUAL_STEPS = 120
#: Name of what is left of the other series.
OTHERS = "(others)"
#: Columns of the sums by which a key is known.
_COLUMNS: dict[str | None, tuple[str, ...]] = {
    None: (),
    "host": ("site", "client"),
    "service": ("service", "category"),
    "group": ("`group`",),
    "application": ("application",),
    "category": ("category",),
    "site": ("site",),
}
#: What the sums of hosts can tell, and the columns that filters may then be about.
_USAGE = {"host": (OF_HOSTS, {"site", "client"}), "site": (OF_PLACES, {"site"})}
#: A range at most this long is answered from the flow rows where its step is below a minute.
FINE_RANGE_S = 1_800
#: Series of a timeline; the rest is summed as the last.
MOST_SERIES = 8


class Top(NamedTuple):
    """The greatest by a key."""

    range: Range
    rows: list[dict[str, Any]]
    total: dict[str, int]
    """Over all keys."""
    addresses: list[str]
    """Of the rows, where they are hosts; never shown as such to a grant of pseudonyms."""


def _key_sql(by: str, grant: Grant, *, raw: bool) -> str:
    """SQL of a key; services of rows the grant withholds are one nameless service."""
    if by == "service":
        hidden = (
            "hasAny(categories, {withheld:Array(String)})" if raw else "category IN {withheld:Array(String)}"
        )
        return f"if({hidden}, '', toString(service))"
    if by == "category":
        return "toString(categories[1])" if raw else "toString(category)"
    return f"toString(`{by}`)"


def traffic_bound(where: Condition, grant: Grant, **more: Any) -> dict[str, Any]:
    """Query parameters of a question about bandwidth."""
    return where.parameters | {"withheld": sorted(withheld(grant))} | more


def _sources(row: dict[str, Any]) -> dict[str, int]:
    """Bytes by where the name came from that gave the service; `none`: by address, or not at all."""
    return {name: row[f"from_{name}"] for name in NAME_SOURCES if row[f"from_{name}"]}


def traffic_filters(where: Condition, grant: Grant, asked: dict[str, list[str]], *, raw: bool) -> str:
    """SQL of the filters, and of what the grant must not tell apart."""
    sql = where.sql
    if "service" in asked:
        hidden = (
            "hasAny(categories, {withheld:Array(String)})" if raw else "category IN {withheld:Array(String)}"
        )
        sql += f" AND NOT ({hidden})"
    if raw:
        sql = sql.replace("`category`", "categories[1]")
    return sql


def top(
    desk: Service,
    by: str,
    span: Range,
    where: Condition,
    asked: dict[str, list[str]],
    grant: Grant,
    limit: int,
) -> Top:
    """The `limit` greatest by `by` over the whole minutes that hold the range."""
    span = span.aligned(MINUTE_US)
    filters = traffic_filters(where, grant, asked, raw=False)
    if by == "host":
        keys, names, groups = "toString(site) AS k0, toString(client) AS k1", "k0, k1", "site, client"
    else:
        keys, names, groups = f"{_key_sql(by, grant, raw=False)} AS k0", "k0", "k0"
    usage, told = _USAGE.get(by, ((), set()))
    if usage and asked.keys() <= told:
        summed, sources = traffic(span, usage, _COLUMNS[by], filters, split=True), KNOWN_SOURCES
    else:
        of = OF_ALL if by == "host" else levels(asked)
        summed, sources = traffic(span, of, (*_COLUMNS[by], "name_source"), filters), SOURCE_SUMS
    sql = statement("top", keys=keys, names=names, groups=groups, sources=sources, traffic=summed)
    found = desk.rows(sql, traffic_bound(where, grant, limit=limit))
    clear = by == "host" and grant.hosts == "clear"
    hosts = [(row["k0"], address_plain(row["k1"])) for row in found] if clear else []
    known = dict(zip(hosts, named_hosts(desk, hosts, span), strict=True))
    rows, addresses = [], []
    for row in found:
        shown: dict[str, Any] = {}
        if by == "host":
            site, address = row["k0"], address_plain(row["k1"])
            addresses.append(address)
            shown["site"] = site
            shown["host"] = address if clear else desk.pseudonyms.host(site, address, span.last - 1)
            if clear:
                had = [holder for holder in known[site, address] if holder.mac]
                shown["name"] = had[0].name or None if had else None
                shown["device"] = mac_text(had[0].mac) if had else None
                shown["devices"] = len(had) or None
        else:
            shown[by] = row["k0"]
        total = row["total_up"] + row["total_down"]
        shown |= {
            "bytes_up": row["up"],
            "bytes_down": row["down"],
            "bytes": row["up"] + row["down"],
            "packets_up": row["sent"],
            "packets_down": row["received"],
            "flows": row["opened"],
            "share": round((row["up"] + row["down"]) / total, 6) if total else None,
            "name_sources": _sources(row),
        }
        rows.append(shown)
    first = found[0] if found else {"total_up": 0, "total_down": 0, "total_keys": 0}
    sums = {"bytes_up": first["total_up"], "bytes_down": first["total_down"], "keys": first["total_keys"]}
    return Top(span, rows, sums, addresses)


class Timeline(NamedTuple):
    """Bytes over time."""

    range: Range
    step_s: int
    source: str
    """Table that answered."""
    series: list[str]
    """Greatest first."""
    points: list[dict[str, Any]]
    """One for each step: time, known, bytes_up and bytes_down (null where unknown), by series."""


def choose_step(span: Range, asked: int | None) -> int:
    """Seconds of a step. Raises Problem 422 where the one asked for gives too many."""
    if asked is None:
        fine = span.seconds <= FINE_RANGE_S
        return next((s for s in STEPS if span.seconds / s <= USUAL_STEPS and (fine or s >= 60)), STEPS[-1])
    if asked not in STEPS:
        raise Problem(422, f"step: {asked} is none of ours", f"choose from {', '.join(map(str, STEPS))}")
    if asked < 60 and span.seconds > FINE_RANGE_S:
        raise Problem(
            422, f"step: below 60 s a range has at most {FINE_RANGE_S} s", "shorten it, or raise step"
        )
    if span.seconds / asked > MOST_STEPS:
        raise Problem(422, f"step: more than {MOST_STEPS} steps", "shorten the range, or raise step")
    return asked


def timeline(
    desk: Service,
    by: str | None,
    span: Range,
    where: Condition,
    asked: dict[str, list[str]],
    grant: Grant,
    step: int | None,
) -> Timeline:
    """Bytes by step, and by `by` where it is given."""
    step_s = choose_step(span, step)
    raw = step_s < 60
    span = span.aligned(step_s * SECOND_US)
    key = _key_sql(by, grant, raw=raw) if by else "''"
    filters = traffic_filters(where, grant, asked, raw=raw)
    if raw:
        steps = statement("steps_of_flows", key=key, filters=filters)
    else:
        sums = traffic(span, levels(asked), _COLUMNS[by], filters, step_s=step_s)
        steps = statement("steps_of_sums", key=key, traffic=sums)
    bound = traffic_bound(where, grant, step_s=step_s, most=MOST_SERIES)
    if raw:
        bound |= {"first": span.first, "last": span.last}
    found, covered = desk.at_once(
        lambda: desk.rows(statement("timeline", steps=steps), bound),
        lambda: covered_steps(desk, span, step_s, asked.get("site", [])),
    )
    sums_of: dict[str, float] = {}
    values: dict[tuple[int, str], list[float]] = {}
    for row in found:
        name = OTHERS if row["rest"] else row["name"]
        cell = values.setdefault((row["step"], name), [0.0, 0.0])
        cell[0] += row["up"]
        cell[1] += row["down"]
        if not row["rest"]:
            sums_of[name] = sums_of.get(name, 0.0) + row["up"] + row["down"]
    series = sorted(sums_of, key=lambda name: (-sums_of[name], name))
    if any(row["rest"] for row in found):
        series.append(OTHERS)
    busy = {row["step"] for row in found}
    points = []
    for at in range(span.first // SECOND_US, span.last // SECOND_US, step_s):
        known = at in busy or at in covered
        for name in series or [""]:
            up, down = values.get((at, name), (0.0, 0.0))
            point: dict[str, Any] = {
                "time": utc_text(at * SECOND_US),
                "known": known,
                "bytes_up": round(up) if known else None,
                "bytes_down": round(down) if known else None,
                "bits_per_second": round((up + down) * 8 / step_s, 1) if known else None,
            }
            if by:
                point[by] = name
            points.append(point)
    source = "flows" if raw else next(of.table for of in levels(asked) if step_s % of.seconds == 0)
    return Timeline(span, step_s, source, series if by else [], points)


class Now(NamedTuple):
    """Who uses the link now."""

    range: Range
    bits_per_second: float
    """Of all hosts together."""
    rows: list[dict[str, Any]]


def busiest(
    desk: Service,
    until: int,
    minutes: int,
    where: Condition,
    asked: dict[str, list[str]],
    grant: Grant,
    limit: int,
) -> Now:
    """The `limit` hosts that moved most in the newest minutes with records before `until`, and what by.

    A host's `services` are its three greatest, each with where its name came from. Where records are old, the
    range says so.
    """
    newest = desk.rows(statement("newest_minute"), {"until": until // SECOND_US})
    last = (newest[0]["newest"] + 60) * SECOND_US if newest else until // MINUTE_US * MINUTE_US
    span = Range(last - minutes * MINUTE_US, last)
    found = top(desk, "host", span, where, asked, grant, limit)
    columns = ("site", "client", "service", "category", "application", "name_source")
    filters = traffic_filters(where, grant, asked, raw=False)
    sums = traffic(
        span,
        OF_ALL,
        columns,
        f"({filters}) AND client IN (SELECT toIPv6(arrayJoin({{hosts:Array(String)}})))",
    )
    services = statement("services_of_hosts", service=_key_sql("service", grant, raw=False), traffic=sums)
    told = {"hosts": found.addresses}
    by_host: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in desk.rows(services, traffic_bound(where, grant, **told)):
        key = row["host_site"], address_plain(row["address"])
        by_host.setdefault(key, []).append(
            {
                "service": row["service"],
                "application": row["application"],
                "name_source": row["name_source"],
                "bytes": row["bytes"],
            }
        )
    seconds = span.seconds
    rows = [
        {
            **{name: value for name, value in row.items() if not name.startswith(("packets", "flows"))},
            "bits_per_second": round(row["bytes"] * 8 / seconds, 1),
            "services": by_host.get((row["site"], address), []),
        }
        for row, address in zip(found.rows, found.addresses, strict=True)
    ]
    total = found.total["bytes_up"] + found.total["bytes_down"]
    return Now(span, round(total * 8 / seconds, 1), rows)


def covered_steps(desk: Service, span: Range, step_s: int, sites: list[str]) -> set[int]:
    """Starts (s since 1970) of the steps in which a sensor of these sites reported."""
    filters = "has({sites:Array(String)}, toString(site))" if sites else "1"
    found = desk.rows(
        statement("covered" if step_s % SLOT_S else "covered_slots", filters=filters),
        {"first": span.first, "last": span.last, "step_s": step_s, "sites": sites},
    )
    return {row["step"] for row in found}


TRAFFIC = TABLES["traffic"].columns
