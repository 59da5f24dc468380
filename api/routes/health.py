"""`/v1/health`: coverage, drops and gaps."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from api.coverage import coverage
from api.csv_text import csv_chunks
from api.listing import wants_csv
from api.signin import Desk, Signed, granted
from api.tables import RangeQuery

router = APIRouter(prefix="/v1", tags=["health"])


@router.get(
    "/health", responses={200: {"content": {"text/csv": {}}, "description": "Sensors and their gaps"}}
)
def health(request: Request, desk: Desk, identity: Signed, query: Annotated[RangeQuery, Query()]) -> Response:
    """What each sensor saw and dropped, and where nothing is known. Null is unknown, never zero."""
    granted(identity, "health")
    found = coverage(desk, desk.range(query.from_, query.to))
    if not wants_csv(request):
        return JSONResponse(found)
    sensors = found["sensors"]
    columns = list(dict.fromkeys(key for sensor in sensors for key in sensor)) or ["sensor"]
    rows = [
        {**sensor, "gaps": [f"{gap['from']}/{gap['to']}" for gap in sensor["gaps"]]} for sensor in sensors
    ]
    return StreamingResponse(
        csv_chunks(columns, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="health.csv"'},
    )
