"""`/v1/devices`: what is on the network."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from api.access import Identity
from api.csv_text import csv_chunks
from api.devices import device_findings, devices, held_at, one_device
from api.filters import mac_number
from api.listing import JSON_ROWS, one_host, page, wants_csv
from api.paging import Place, question, seal, unseal
from api.problems import Problem
from api.roles import Asked, Grant
from api.routes.findings import FindingsQuery
from api.service import Service
from api.signin import Desk, Signed, granted
from api.tables import MOST_VALUES, PageQuery, RangeQuery
from api.times import Range, moment, now_us, utc_text

router = APIRouter(prefix="/v1", tags=["devices"])
_Words = Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=50)]

COLUMNS = (
    "mac", "site", "randomised", "names", "addresses", "address_count", "groups", "ownership", "sources",
    "bytes_up", "bytes_down", "flows", "first", "last",
)  # fmt: skip


class DevicesQuery(PageQuery):
    site: _Words = Field(default=[])
    group: _Words = Field(default=[])
    client: Annotated[_Words, Field(description="addresses the device used")] = Field(default=[])
    at: Annotated[
        str | None,
        Field(
            description="who had the address of `client` at this moment: RFC 3339 with offset, or -2h",
            max_length=64,
        ),
    ] = None


@router.get("/devices", responses={200: {"content": {"text/csv": {}}, "description": "Devices by MAC"}})
def list_devices(
    request: Request, desk: Desk, identity: Signed, query: Annotated[DevicesQuery, Query()]
) -> Response:
    """Devices seen in the range. Null bytes: the device was heard, but no flow of it was measured."""
    asked = {"site": query.site, "group": query.group, "client": query.client}
    grants = granted(
        identity,
        "devices",
        Asked(client=one_host(query.client), case=bool(query.case), host_filter=bool(query.client)),
    )
    if query.at is not None:
        return _held(request, desk, identity, query, grants[0])
    what = question("devices", asked)
    csv = wants_csv(request)
    limit = query.limit if csv else min(query.limit, JSON_ROWS)
    after, span = (0, ""), None
    if query.cursor:
        try:
            place = unseal(query.cursor, desk.cursor_key)
        except ValueError as error:
            raise Problem(422, str(error), "start again without cursor") from None
        if place.question != what:
            raise Problem(
                422, "cursor: it belongs to another question", "repeat the same filters, or leave it out"
            )
        mac, _, site = place.tie.partition(" ")
        after, span = (int(mac), site), Range(place.first, place.last)
    span = span or desk.range(query.from_, query.to)
    try:
        found = devices(
            desk,
            span,
            sites=query.site,
            clients=query.client,
            groups=query.group,
            after=after,
            limit=limit + 1,
        )
    except ValueError as error:
        what_, _, mend = str(error).partition("; ")
        raise Problem(422, what_, mend) from None
    more, found = len(found) > limit, found[:limit]
    desk.log_read(identity, request, len(found), subject=",".join(query.client), case=query.case)
    if csv:
        headers = {"Content-Disposition": 'attachment; filename="devices.csv"'}
        if more:
            headers["X-More"] = "true"
        return StreamingResponse(
            csv_chunks(COLUMNS, found), media_type="text/csv; charset=utf-8", headers=headers
        )
    cursor = None
    if more:
        tie = f"{mac_number(found[-1]['mac'])} {found[-1]['site']}"
        cursor = seal(Place(what, span.first, span.last, 0, tie, 0), desk.cursor_key)
    return JSONResponse(
        {
            "from": utc_text(span.first),
            "to": utc_text(span.last),
            "note": span.note,
            "next": cursor,
            "rows": found,
        }
    )


def _held(request: Request, desk: Service, identity: Identity, query: DevicesQuery, grant: Grant) -> Response:
    """Who had an address at a moment, its read logged."""
    if not one_host(query.client):
        raise Problem(422, "at: it needs the one address that is asked about", "add client=10.1.2.3")
    try:
        at = moment(query.at or "", now_us())
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        raise Problem(422, f"at: {what}", mend) from None
    found = held_at(desk, query.client[0], query.site, at, grant, case=bool(query.case))
    desk.log_read(identity, request, len(found["rows"]), subject=found["client"], case=query.case)
    return JSONResponse(found)


@router.get("/devices/{mac}")
def device(
    request: Request,
    desk: Desk,
    identity: Signed,
    mac: Annotated[str, Path(description="aa:bb:cc:dd:ee:ff")],
    query: Annotated[RangeQuery, Query()],
) -> Response:
    """One device through time: addresses, names, users, ports, services, findings, gaps."""
    grants = granted(identity, "devices", Asked(client=True, case=bool(query.case)))
    found = one_device(desk, mac, desk.range(query.from_, query.to), grants[0], case=bool(query.case))
    found["findings"] = findings_of(desk, identity, request, found, query.case)
    desk.log_read(identity, request, 1, subject=found["mac"], case=query.case)
    return JSONResponse(found)


def findings_of(
    desk: Service, identity: Identity, request: Request, found: dict[str, Any], case: str | None
) -> list[dict[str, Any]] | None:
    """Findings about a device; None where the roles show none."""
    addresses = {row["ip"] for row in found["bindings"] if row["ip"]}
    subjects = [found["mac"], *sorted(addresses)][:MOST_VALUES]
    query = FindingsQuery(
        limit=JSON_ROWS, case=case, subject=subjects, **{"from": found["from"], "to": found["to"]}
    )
    try:
        rows = page(desk, identity, request, "findings", query, logged=False)["rows"]
    except Problem as problem:
        if problem.status == 403:
            return None
        raise
    return device_findings(found, rows)
