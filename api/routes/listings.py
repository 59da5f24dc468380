"""`/v1/flows`, `/v1/dns`, `/v1/access-log`: records as they are, newest first."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.listing import answer
from api.signin import Desk, Signed
from api.tables import TABLES, PageQuery, filter_columns, page_model, query_model, row_model

router = APIRouter(prefix="/v1")


def _query(name: str, table: str) -> Any:
    return query_model(name, PageQuery, filter_columns(TABLES[table]))


def rows_response(name: str, table: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a listing: a page as JSON, rows as CSV."""
    page = page_model(f"{name}Page", row_model(f"{name}Row", TABLES[table].shown))
    return {200: {"model": page, "description": "Rows, newest first", "content": {"text/csv": {}}}}


FlowsQuery = _query("FlowsQuery", "flows")
DnsQuery = _query("DnsQuery", "dns")
AccessLogQuery = _query("AccessLogQuery", "access_log")


@router.get("/flows", tags=["records"], responses=rows_response("Flow", "flows"))
def flows(
    request: Request,
    desk: Desk,
    identity: Signed,
    query: Annotated[FlowsQuery, Query()],  # type: ignore[valid-type]
) -> Response:
    """Flow rows that began in the range: one when a flow ends, and one every 60 s while it lives."""
    return answer(desk, identity, request, "flows", query)


@router.get("/dns", tags=["records"], responses=rows_response("Question", "dns"))
def dns(
    request: Request,
    desk: Desk,
    identity: Signed,
    query: Annotated[DnsQuery, Query()],  # type: ignore[valid-type]
) -> Response:
    """DNS questions and what was answered."""
    return answer(desk, identity, request, "dns", query)


@router.get("/access-log", tags=["service"], responses=rows_response("Read", "access_log"))
def access_log(
    request: Request,
    desk: Desk,
    identity: Signed,
    query: Annotated[AccessLogQuery, Query()],  # type: ignore[valid-type]
) -> Response:
    """Reads that showed a person or a host: who, when, what, and how many rows."""
    return answer(desk, identity, request, "access_log", query, logged=False)
