"""`/v1/bandwidth/…`: the greatest by a key, and bytes over time."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from api.access import Identity
from api.bandwidth import CATEGORY_KEYS, TRAFFIC, busiest, timeline, top
from api.csv_text import csv_chunks
from api.filters import Condition
from api.listing import asked_of, conditions, filters_of, wants_csv
from api.percentile import percentiles
from api.problems import Problem
from api.roles import Grant
from api.service import Service
from api.signin import Desk, Signed, granted
from api.tables import RangeQuery, query_model
from api.times import Range, now_us, utc_text

router = APIRouter(prefix="/v1/bandwidth", tags=["bandwidth"])

_Traffic = query_model("TrafficQuery", RangeQuery, TRAFFIC)


class TopQuery(_Traffic):  # type: ignore[valid-type, misc]
    by: Annotated[
        Literal["host", "service", "group", "application", "category", "site"], Field(description="the key")
    ] = "host"
    limit: Annotated[int, Field(ge=1, le=1_000)] = 10


class TimelineQuery(_Traffic):  # type: ignore[valid-type, misc]
    by: Annotated[
        Literal["service", "group", "application", "category", "site"] | None,
        Field(description="split by; the greatest few, and the others as one"),
    ] = None
    step: Annotated[int | None, Field(description="seconds of a step; chosen to fit where left out")] = None


class NowQuery(_Traffic):  # type: ignore[valid-type, misc]
    minutes: Annotated[int, Field(ge=1, le=60, description="the newest minutes with records before `to`")] = 5
    limit: Annotated[int, Field(ge=1, le=1_000)] = 10


class PercentileQuery(_Traffic):  # type: ignore[valid-type, misc]
    percentile: Annotated[float, Field(gt=0, lt=100, description="of samples of five minutes")] = 95


def asked_traffic(
    desk: Service, identity: Identity, query: Any, by: str | None
) -> tuple[Range, Condition, dict[str, list[str]], Grant]:
    """Range, condition, filters and grant of a question about bandwidth. Raises Problem."""
    asked = filters_of(query, TRAFFIC)
    want = asked_of(asked, TRAFFIC, query.case)
    grants = granted(
        identity, "bandwidth", want._replace(category_filter=want.category_filter or by in CATEGORY_KEYS)
    )
    return desk.range(query.from_, query.to), conditions(asked, TRAFFIC), asked, grants[0]


def _log(
    desk: Service, identity: Identity, request: Request, query: Any, asked: dict[str, list[str]], rows: int
) -> None:
    if query.by == "host" or "client" in asked:
        desk.log_read(identity, request, rows, subject=",".join(asked.get("client", [])), case=query.case)


def _csv(name: str, rows: list[dict[str, Any]], columns: list[str]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(csv_chunks(columns, rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/top", responses={200: {"content": {"text/csv": {}}, "description": "Rows, greatest first"}})
def bandwidth_top(
    request: Request, desk: Desk, identity: Signed, query: Annotated[TopQuery, Query()]
) -> Response:
    """Who or what moved most bytes in the range, over whole minutes.

    An empty key is traffic that could not be named; it stays in every share. `name_sources` are a row's bytes
    by where the name came from: `sni`, `quic`, `http`, `dns` (that client's own answer), `none`.
    """
    span, where, asked, grant = asked_traffic(desk, identity, query, query.by)
    found = top(desk, query.by, span, where, asked, grant, query.limit)
    _log(desk, identity, request, query, asked, len(found.rows))
    if wants_csv(request):
        lead = ["site", "host", "name", "device", "devices"] if query.by == "host" else [query.by]
        numbers = ["bytes_up", "bytes_down", "bytes", "packets_up", "packets_down", "flows", "share"]
        numbers.append("name_sources")
        return _csv("top", found.rows, lead + numbers)
    return JSONResponse(
        {
            "from": utc_text(found.range.first),
            "to": utc_text(found.range.last),
            "note": span.note,
            "by": query.by,
            "total": found.total,
            "rows": found.rows,
        }
    )


@router.get("/timeline", responses={200: {"content": {"text/csv": {}}, "description": "Bytes by step"}})
def bandwidth_timeline(
    request: Request, desk: Desk, identity: Signed, query: Annotated[TimelineQuery, Query()]
) -> Response:
    """Bytes over time. Steps in which no sensor reported are null, not zero."""
    span, where, asked, grant = asked_traffic(desk, identity, query, query.by)
    found = timeline(desk, query.by, span, where, asked, grant, query.step)
    _log(desk, identity, request, query, asked, len(found.points))
    if wants_csv(request):
        lead = ["time"] + ([query.by] if query.by else [])
        return _csv("timeline", found.points, [*lead, "known", "bytes_up", "bytes_down", "bits_per_second"])
    return JSONResponse(
        {
            "from": utc_text(found.range.first),
            "to": utc_text(found.range.last),
            "note": span.note,
            "step_s": found.step_s,
            "source": found.source,
            "series": found.series,
            "points": found.points,
        }
    )


@router.get("/now", responses={200: {"content": {"text/csv": {}}, "description": "Hosts, greatest first"}})
def bandwidth_now(
    request: Request, desk: Desk, identity: Signed, query: Annotated[NowQuery, Query()]
) -> Response:
    """Who uses the bandwidth now, and by which services: the newest minutes with records."""
    if query.from_:
        raise Problem(
            422, "from: the newest minutes begin by themselves", "give minutes and to, or ask for top"
        )
    span, where, asked, grant = asked_traffic(desk, identity, query, "host")
    found = busiest(
        desk, span.last if query.to else now_us(), query.minutes, where, asked, grant, query.limit
    )
    desk.log_read(
        identity, request, len(found.rows), subject=",".join(asked.get("client", [])), case=query.case
    )
    if wants_csv(request):
        lead = ["site", "host", "name", "bits_per_second", "share", "bytes_up", "bytes_down"]
        shown = [
            row | {"services": [f"{s['service']} ({s['name_source']}) {s['bytes']}" for s in row["services"]]}
            for row in found.rows
        ]
        return _csv("now", shown, [*lead, "services"])
    return JSONResponse(
        {
            "from": utc_text(found.range.first),
            "to": utc_text(found.range.last),
            "bits_per_second": found.bits_per_second,
            "rows": found.rows,
        }
    )


@router.get("/percentile", responses={200: {"content": {"text/csv": {}}, "description": "Rates by site"}})
def bandwidth_percentile(
    request: Request, desk: Desk, identity: Signed, query: Annotated[PercentileQuery, Query()]
) -> Response:
    """The rate that a site's link stays below for a part of the time, bit/s, by samples of five minutes.

    From and to addresses outside; with other filters than `site`, what those clients moved, inside too.
    """
    span, where, asked, grant = asked_traffic(desk, identity, query, None)
    found = percentiles(desk, query.percentile, span, where, asked, grant)
    if "client" in asked:
        desk.log_read(identity, request, len(found.rows), subject=",".join(asked["client"]), case=query.case)
    if wants_csv(request):
        rates = [
            f"{way}_{kind}" for way in ("received", "sent") for kind in ("percentile", "mean", "greatest")
        ]
        return _csv("percentile", found.rows, ["site", "samples", *rates])
    return JSONResponse(
        {
            "from": utc_text(found.range.first),
            "to": utc_text(found.range.last),
            "note": span.note,
            "percentile": query.percentile,
            "source": found.source,
            "rows": found.rows,
        }
    )
