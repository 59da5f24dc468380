"""`/v1/filtering/…`: what the filter did with what was asked for."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from api.csv_text import csv_chunks
from api.filtering import summary
from api.listing import answer, asked_of, conditions, filters_of, wants_csv
from api.routes.listings import rows_response
from api.signin import Desk, Signed, granted
from api.tables import TABLES, PageQuery, RangeQuery, filter_columns, query_model
from api.times import utc_text

router = APIRouter(prefix="/v1/filtering", tags=["filtering"])

_COLUMNS = filter_columns(TABLES["attempts"])
AttemptsQuery = query_model("AttemptsQuery", PageQuery, _COLUMNS)
#: Names and services are left out: an aggregate must not confirm what a row would withhold.
_SUMMARY_COLUMNS = {name: column for name, column in _COLUMNS.items() if not column.tells_name}
_SummaryFilters = query_model("SummaryFilters", RangeQuery, _SUMMARY_COLUMNS)


class SummaryQuery(_SummaryFilters):  # type: ignore[valid-type, misc]
    by: Annotated[
        list[Literal["category", "group", "site", "clause", "action", "mechanism", "initiated", "day"]],
        Field(max_length=4, description="keys; days are those of the site's time zone"),
    ] = Field(default=["category"])


@router.get(
    "/summary", responses={200: {"content": {"text/csv": {}}, "description": "Attempts and rates by key"}}
)
def filtering_summary(
    request: Request, desk: Desk, identity: Signed, query: Annotated[SummaryQuery, Query()]
) -> Response:
    """Attempts by verdict and policy; block and leak rates of the prohibited ones, with 95 % intervals."""
    asked = filters_of(query, _SUMMARY_COLUMNS)
    granted(
        identity, "filtering", asked_of(asked, _SUMMARY_COLUMNS, query.case)._replace(category_filter=True)
    )
    span = desk.range(query.from_, query.to)
    zone = desk.zone(asked["site"][0] if len(asked.get("site", [])) == 1 else None)
    by = list(dict.fromkeys(query.by)) or ["category"]
    rows = summary(desk, by, span, conditions(asked, _SUMMARY_COLUMNS), asked, zone)
    if "client" in asked:
        desk.log_read(identity, request, len(rows), subject=",".join(asked["client"]), case=query.case)
    if wants_csv(request):
        columns = [
            *by, "attempts", "hosts", "blocked", "allowed", "partial", "inconclusive", "prohibited", "leaked",
            "permitted", "overblocked", "embedded", "background", "loss_unknown", "block_rate",
            "block_rate_95", "leak_rate", "leak_rate_95", "first", "last",
        ]  # fmt: skip
        headers = {"Content-Disposition": 'attachment; filename="filtering.csv"'}
        return StreamingResponse(
            csv_chunks(columns, rows), media_type="text/csv; charset=utf-8", headers=headers
        )
    return JSONResponse(
        {
            "from": utc_text(span.first),
            "to": utc_text(span.last),
            "note": span.note,
            "time_zone": zone.key,
            "by": by,
            "rows": rows,
        }
    )


@router.get("/attempts", responses=rows_response("Attempt", "attempts"))
def filtering_attempts(
    request: Request,
    desk: Desk,
    identity: Signed,
    query: Annotated[AttemptsQuery, Query()],  # type: ignore[valid-type]
) -> Response:
    """Attempts to reach a name, judged over DNS, TCP and QUIC together."""
    return answer(desk, identity, request, "attempts", query)
