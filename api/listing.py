"""Listings: rows newest first, a page at a time, as JSON or CSV, as far as the grant shows them."""

import ipaddress
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from api.access import Identity
from api.cells import Redaction, grant_for, plain, selected, visible
from api.csv_text import csv_chunks
from api.filters import Condition, condition, within_hours
from api.identity import row_devices
from api.paging import Place, question, seal, unseal
from api.problems import Problem
from api.roles import CATEGORY_CLASSES, Asked, Grant, withheld
from api.service import Service, statement
from api.signin import granted
from api.tables import TABLES, Column, PageQuery, RangeQuery, Table, filter_columns
from api.times import HOUR_US, Range, utc_text
from pipeline.records import mac_text

#: Most rows of one page as JSON; a CSV may have as many as the query model allows.
JSON_ROWS = 1_000
#: Rows a CSV takes from the store at a time.
CSV_STEP = 5_000
#: Before the whole range this much of its end is asked. Our defaults.
LAST_US = (HOUR_US, 24 * HOUR_US)


def wants_csv(request: Request) -> bool:
    """Whether `Accept` asks for CSV before JSON."""
    accept = request.headers.get("accept", "").lower()
    csv_at, json_at = accept.find("text/csv"), accept.find("application/json")
    return csv_at >= 0 and (json_at < 0 or csv_at < json_at)


def filters_of(query: RangeQuery, columns: dict[str, Column]) -> dict[str, list[str]]:
    """The filter parameters that were given."""
    given = ((name, getattr(query, name, [])) for name in columns)
    return {name: list(values) for name, values in given if values}


def one_host(values: list[str]) -> bool:
    """Whether the values name exactly one address."""
    try:
        return len(values) == 1 and bool(ipaddress.ip_address(values[0]))
    except ValueError:
        return False


def asked_of(asked: dict[str, list[str]], columns: dict[str, Column], case: str | None) -> Asked:
    """What the filters want, as far as it matters for who may have it."""
    subject = asked.get("client") or asked.get("subject") or []
    return Asked(
        client=one_host(subject),
        case=bool(case),
        host_filter=any(columns[name].host for name in asked),
        category_filter=any(columns[name].category for name in asked),
    )


def conditions(asked: dict[str, list[str]], columns: dict[str, Column]) -> Condition:
    """The filters as SQL. Raises Problem 422 with the mend."""
    try:
        return condition(asked, columns)
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        raise Problem(422, what, mend or "write it as docs/api.md shows") from None


class Row(NamedTuple):
    """One row as it came from the store, before anything is taken out."""

    time: int
    """µs since 1970."""
    tie: str
    categories: list[str]
    values: dict[str, Any]
    """JSON values."""


class Listing(NamedTuple):
    """One listing as it was asked: where, for whom, from which place on."""

    endpoint: str
    table: Table
    columns: dict[str, Column]
    grants: list[Grant]
    where: Condition
    range: Range
    place: Place | None

    def _sql(self, select: str, tail: str) -> str:
        time, until = f"`{self.table.time}`", f"`{self.table.until or self.table.time}`"
        return statement(
            "listing",
            select=select,
            source=self.table.source,
            time=time,
            until=until,
            until_compare=">" if self.table.until else ">=",
            hours=self._hours(),
            filters=self.where.sql,
            place=self._beyond(),
            tail=tail,
        )

    def _hours(self) -> str:
        if self.table.until:
            return "1"
        until = "place_time" if self.place is not None else "last"
        return within_hours(f"`{self.table.time}`", self.range, until)

    def _tie(self) -> str:
        if len(self.table.tie) == 1:
            return f"toString(`{self.table.tie[0]}`)"
        return f"cityHash64({', '.join(f'toString(`{name}`)' for name in self.table.tie)})"

    def _beyond(self) -> str:
        if self.place is None:
            return "1"
        type_ = "String" if len(self.table.tie) == 1 else "UInt64"
        return (
            f"(`{self.table.time}` < fromUnixTimestamp64Micro({{place_time:Int64}}, 'UTC')"
            f" OR (`{self.table.time}` = fromUnixTimestamp64Micro({{place_time:Int64}}, 'UTC')"
            f" AND {self._tie()} <= {{place_tie:{type_}}}))"
        )

    def _parameters(self, **more: Any) -> dict[str, Any]:
        values = self.where.parameters | {"first": self.range.first, "last": self.range.last} | more
        if self.place is not None:
            values["place_time"] = self.place.time
            values["place_tie"] = self.place.tie if len(self.table.tie) == 1 else int(self.place.tie)
            values["skip"] = self.place.skip
        else:
            values["skip"] = 0
        return values

    def held(self, desk: Service, most: int) -> int:
        """Rows from the place on, at most `most`."""
        sql = self._sql("1", "LIMIT {most:UInt32} OFFSET {skip:UInt32}")
        return desk.rows(f"SELECT count() AS n FROM ({sql})", self._parameters(most=most))[0]["n"]

    def fetch(self, desk: Service, limit: int) -> list[Row]:
        """The next rows."""
        columns = dict(self.columns)
        has_categories = "categories" in self.table.columns
        if has_categories:
            columns["categories"] = self.table.columns["categories"]
        names = list(columns)
        select = [f"{selected(name, columns[name])} AS c{number}" for number, name in enumerate(names)]
        select += [f"toUnixTimestamp64Micro(`{self.table.time}`) AS row_time", f"{self._tie()} AS row_tie"]
        sql = self._sql(
            ", ".join(select),
            f"ORDER BY `{self.table.time}` DESC, {self._tie()} DESC"
            " LIMIT {limit:UInt32} OFFSET {skip:UInt32}",
        )
        found = []
        for row in self._newest(desk, sql, limit):
            values = {name: plain(columns[name].kind, row[f"c{number}"]) for number, name in enumerate(names)}
            categories = values["categories"] if has_categories else []
            found.append(Row(row["row_time"], str(row["row_tie"]), categories, values))
        return found

    def _newest(self, desk: Service, sql: str, limit: int) -> list[dict[str, Any]]:
        """Rows of the statement, newest first: of the last hour, or day, if those hold as many as are wanted.

        Where a table's key begins with the hour, the rest of the range is then not read, nor sorted.
        What spans a time is asked for at once: the range's begin bounds its end.
        """
        end = self.range.last if self.place is None else min(self.place.time, self.range.last)
        for length in () if self.table.until else LAST_US:
            if end - length > self.range.first:
                rows = desk.rows(sql, self._parameters(limit=limit, first=end - length))
                if len(rows) == limit:
                    return rows
        return desk.rows(sql, self._parameters(limit=limit))

    def after(self, rows: list[Row], asked: str) -> Place:
        """The place behind these rows, which must not be none."""
        time, tie = rows[-1].time, rows[-1].tie
        skip = sum(1 for row in rows if (row.time, row.tie) == (time, tie))
        if self.place and (self.place.time, self.place.tie) == (time, tie):
            skip += self.place.skip
        return Place(asked, self.range.first, self.range.last, time, tie, skip)


def _shown(listing: Listing, desk: Service, rows: list[Row]) -> Iterator[dict[str, Any]]:
    redaction = Redaction(visible(listing.table.shown, listing.grants), desk.pseudonyms)
    devices = with_devices(desk, listing.table, [(row.values, row.time) for row in rows])
    for row, values in zip(rows, devices, strict=True):
        yield redaction.row(values, row.categories, row.time, grant_for(values, listing.grants))


def with_devices(desk: Service, table: Table, rows: list[tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
    """The rows (values, time in µs) with what is known of the device behind their address as of then."""
    if not table.address:
        return [values for values, _ in rows]
    return [
        values | {"device": mac_text(mac) if mac else None, "device_name": name or None, "devices": devices}
        for (values, _), (mac, name, devices) in zip(rows, row_devices(desk, table, rows), strict=True)
    ]


def prepare(
    desk: Service, identity: Identity, endpoint: str, query: PageQuery, table_name: str | None = None
) -> tuple[Listing, str]:
    """The listing a request asks for, and the digest of its question. Raises Problem."""
    table = TABLES[table_name or endpoint]
    columns = filter_columns(table)
    asked = filters_of(query, columns)
    what = question(endpoint, asked)
    grants = granted(identity, endpoint, asked_of(asked, columns, query.case))
    where = conditions(asked, columns)
    where = _without_withheld(where, asked, table, grants)
    place = None
    if query.cursor:
        try:
            place = unseal(query.cursor, desk.cursor_key)
        except ValueError as error:
            raise Problem(422, str(error), "start again without cursor") from None
        if place.question != what:
            raise Problem(
                422, "cursor: it belongs to another question", "repeat the same filters, or leave it out"
            )
        span = Range(place.first, place.last)
    else:
        span = desk.range(query.from_, query.to)
    shown = visible(table.columns, grants)
    return Listing(endpoint, table, shown, grants, where, span, place), what


def _without_withheld(
    where: Condition, asked: dict[str, list[str]], table: Table, grants: list[Grant]
) -> Condition:
    """No filter may confirm a name that would not be shown; no finding comes without a grant for it."""
    sql, parameters = where
    if "categories" in table.columns and any(table.columns[name].tells_name for name in asked):
        sql += " AND NOT hasAny(categories, {withheld:Array(String)})"
        parameters = parameters | {"withheld": sorted(withheld(grants[0]))}
    if "class" in table.columns and not any(grant.categories for grant in grants):
        sql += " AND class NOT IN {category_classes:Array(String)}"
        parameters = parameters | {"category_classes": list(CATEGORY_CLASSES)}
    return Condition(sql, parameters)


def page(
    desk: Service,
    identity: Identity,
    request: Request,
    endpoint: str,
    query: PageQuery,
    *,
    logged: bool = True,
) -> dict[str, Any]:
    """One page of rows as JSON values, its read logged before it is returned. Raises Problem."""
    listing, what = prepare(desk, identity, endpoint, query)
    limit = min(query.limit, JSON_ROWS)
    found = listing.fetch(desk, limit + 1)
    more, found = len(found) > limit, found[:limit]
    if logged:
        desk.log_read(identity, request, len(found), subject=_subject(query), case=query.case)
    return {
        "from": utc_text(listing.range.first),
        "to": utc_text(listing.range.last),
        "note": listing.range.note,
        "next": seal(listing.after(found, what), desk.cursor_key) if more else None,
        "rows": list(_shown(listing, desk, found)),
    }


def answer(
    desk: Service,
    identity: Identity,
    request: Request,
    endpoint: str,
    query: PageQuery,
    *,
    logged: bool = True,
) -> Response:
    """The page of rows a request asks for, as JSON or CSV. Raises Problem."""
    if not wants_csv(request):
        return JSONResponse(page(desk, identity, request, endpoint, query, logged=logged))
    listing, what = prepare(desk, identity, endpoint, query)
    held = listing.held(desk, query.limit + 1)
    count = min(held, query.limit)
    if logged:
        desk.log_read(identity, request, count, subject=_subject(query), case=query.case)
    return _csv(desk, listing, what, count, more=held > count)


def _subject(query: PageQuery) -> str:
    return ",".join([*getattr(query, "client", []), *getattr(query, "subject", [])])


def _csv(desk: Service, listing: Listing, what: str, count: int, *, more: bool) -> Response:
    headers = {"X-Rows": str(count), "Content-Disposition": f'attachment; filename="{listing.endpoint}.csv"'}
    if more:
        headers["X-More"] = "true"

    def rows() -> Iterator[dict[str, Any]]:
        here, left = listing, count
        while left > 0:
            found = here.fetch(desk, min(CSV_STEP, left))
            yield from _shown(here, desk, found)
            left -= len(found)
            if not found:
                return
            here = here._replace(place=here.after(found, what))

    names = [*visible(listing.table.shown, listing.grants)]
    if any(column.tells_name for column in listing.columns.values()):
        names.append("withheld")
    chunks = csv_chunks(names, islice(rows(), count))
    return StreamingResponse(chunks, media_type="text/csv; charset=utf-8", headers=headers)
