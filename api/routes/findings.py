"""`/v1/findings`: what the detectors state."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import Identity
from api.cells import Redaction, grant_for, plain, selected, visible
from api.listing import answer, with_devices
from api.problems import Problem
from api.roles import CATEGORY_CLASSES, Asked
from api.routes.listings import rows_response
from api.service import Service
from api.signin import Desk, Signed, granted
from api.tables import TABLES, PageQuery, filter_columns, query_model, row_model

router = APIRouter(prefix="/v1", tags=["findings"])

_TABLE = TABLES["findings"]
_ID = re.compile(r"[0-9a-f]{32}")
FindingsQuery = query_model("FindingsQuery", PageQuery, filter_columns(_TABLE))


class CaseQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    case: Annotated[
        str | None, Field(min_length=1, max_length=100, description="reference of the open case")
    ] = None


@router.get("/findings", responses=rows_response("Finding", "findings"))
def findings(
    request: Request,
    desk: Desk,
    identity: Signed,
    query: Annotated[FindingsQuery, Query()],  # type: ignore[valid-type]
) -> Response:
    """Findings whose time touches the range, latest first."""
    return answer(desk, identity, request, "findings", query)


def one_finding(
    desk: Service, identity: Identity, request: Request, id_: str, case: str | None
) -> dict[str, Any]:
    """The finding as this identity may see it, its read logged. Raises Problem."""
    grants = granted(identity, "findings", Asked(client=True, case=bool(case)))
    select = ", ".join(
        f"{selected(name, column)} AS c{n}" for n, (name, column) in enumerate(_TABLE.columns.items())
    )
    raw: dict[str, Any] | None = None
    if _ID.fullmatch(id_):
        at = "toUnixTimestamp64Micro(`from`) AS row_time"
        found = desk.rows(
            f"SELECT {select}, {at} FROM findings FINAL WHERE id = toFixedString({{id:String}}, 32)",
            {"id": id_},
        )
        if found:
            raw = {
                name: plain(column.kind, found[0][f"c{n}"])
                for n, (name, column) in enumerate(_TABLE.columns.items())
            }
    if raw is None or (raw["class"] in CATEGORY_CLASSES and not any(g.categories for g in grants)):
        raise Problem(404, f"no finding {id_[:40]!r} that this token shows", "take an id from /v1/findings")
    desk.log_read(identity, request, 1, subject=raw["subject"], case=case)
    redaction = Redaction(visible(_TABLE.shown, grants), desk.pseudonyms)
    [raw] = with_devices(desk, _TABLE, [(raw, found[0]["row_time"])])
    return redaction.row(raw, [], found[0]["row_time"], grant_for(raw, grants))


@router.get("/findings/{id}", responses={200: {"model": row_model("OneFinding", _TABLE.shown)}})
def finding(
    request: Request,
    desk: Desk,
    identity: Signed,
    id_: Annotated[str, Path(alias="id", description="32 hex digits")],
    query: Annotated[CaseQuery, Query()],
) -> Response:
    """One finding, with the inputs of its formula and the thresholds in force."""
    return JSONResponse(one_finding(desk, identity, request, id_, query.case))
