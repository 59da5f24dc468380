"""`/v1/lists`: which lists were in force when, and how their sources are."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.csv_text import csv_chunks
from api.listing import wants_csv
from api.problems import Problem
from api.service import Service, statement
from api.signin import Desk, Signed, granted
from api.times import moment, now_us, utc_text
from blocklists.held import sources_known
from blocklists.sources import ListError

router = APIRouter(prefix="/v1", tags=["lists"])

COLUMNS = ("name", "title", "categories", "allow", "url", "licence", "sha256", "entries", "added", "removed")


class ListsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    at: Annotated[str | None, Field(max_length=64, description="RFC 3339 time; now where left out")] = None
    versions: Annotated[int, Field(ge=0, le=10_000, description="versions to tell, the newest first")] = 10


def _sources(desk: Service) -> list[dict[str, Any]] | None:
    folder = desk.settings.lists
    if folder is None:
        return []
    try:
        return sources_known(folder)
    except ListError:
        return None


@router.get("/lists", responses={200: {"content": {"text/csv": {}}, "description": "The lists in force"}})
def lists(request: Request, desk: Desk, identity: Signed, query: Annotated[ListsQuery, Query()]) -> Response:
    """The lists in force at a moment, the versions there were, and what is known of each source now.

    `until` is null for what is in force still; `version` is null before the first lists were noted;
    `sources` is null where this service can't read the folder of lists.
    """
    granted(identity, "lists")
    try:
        at = moment(query.at, now_us()) if query.at else now_us()
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        raise Problem(422, f"at: {what}", mend) from None
    found = desk.rows(statement("lists_at"), {"at": at})
    rows = [{column: row[column] for column in COLUMNS} for row in found]
    if wants_csv(request):
        return StreamingResponse(
            csv_chunks(COLUMNS, rows),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="lists.csv"'},
        )
    chosen = found[0] if found else {"version": None, "since": None, "until": None}
    return JSONResponse(
        {
            "at": utc_text(at),
            "version": chosen["version"],
            "since": chosen["since"],
            "until": chosen["until"],
            "lists": rows,
            "versions": desk.rows(statement("lists_versions"), {"limit": query.versions}),
            "sources": _sources(desk),
        }
    )
