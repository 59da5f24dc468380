"""`/v1/policies`, `/v1/exemptions`: what rows were judged by, when, what changed, and who is exempted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.csv_text import csv_chunks
from api.listing import wants_csv
from api.problems import Problem
from api.service import Service, statement
from api.signin import Desk, Signed, granted
from api.times import now_us, utc_text
from blocklists.names import normal_name
from classifiers.policy_diff import changes
from classifiers.policy_model import Exemption, Policy
from classifiers.policy_versions import Load, Versions, intervals
from pipeline.records import mapped_text

router = APIRouter(prefix="/v1", tags=["policies"])

COLUMNS = ("version", "valid_from", "valid_until", "loaded", "loaded_by", "file", "changes")
EXEMPTION_COLUMNS = (
    "id", "state", "reason", "authorised_by", "from", "until", "groups", "hosts", "categories", "services",
    "names", "attempts", "last_attempt", "missed_since_expiry", "last_missed",
)  # fmt: skip
#: Expired exemptions whose use is still looked for, the latest.
MOST_EXPIRED = 200

#: Networks of one address: a host, which may be a person's.
_HOST = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}/32\b|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*/128\b")
_ONE_HOST = "(one host)"

VersionText = Annotated[str, Path(min_length=1, max_length=32, description="version, as in /v1/policies")]


class DiffQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    before: Annotated[
        str | None, Field(min_length=1, max_length=32, description="version; else the one loaded before")
    ] = None


@contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise Problem(404, str(error.args[0]), "take a version from /v1/policies") from None
    except OSError:
        raise Problem(503, "the store did not answer the question", "try again") from None
    except ValueError as error:
        raise Problem(422, str(error), "this release is too old or too new for that version") from None


def without_hosts(line: str) -> str:
    """A text of a policy with networks of one address taken out."""
    return _HOST.sub(_ONE_HOST, line)


def _row(load: Load, until: int | None) -> dict[str, Any]:
    return {
        "version": load.version,
        "valid_from": utc_text(load.valid_from),
        "valid_until": None if until is None else utc_text(until),
        "loaded": utc_text(load.loaded),
        "loaded_by": load.loaded_by,
        "file": load.file,
        "changes": [without_hosts(line) for line in load.changes],
    }


def _rows(loads: list[Load]) -> list[dict[str, Any]]:
    """Loads as rows; one that never was valid ends where it began."""
    spans = {(span.version, span.first): span for span in intervals(loads)}
    rows = []
    for load in loads:
        span = spans.get((load.version, load.valid_from))
        rows.append(_row(load, span.until if span else load.valid_from))
    return rows


def _csv(name: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> Response:
    return StreamingResponse(
        csv_chunks(columns, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


@router.get("/policies", responses={200: {"content": {"text/csv": {}}, "description": "The versions"}})
def policies(request: Request, desk: Desk, identity: Signed) -> Response:
    """The versions of the policy, the latest loaded first, and what is in force now.

    `changes` says what differs from the one loaded before. `in_force.problem` says why a newer file is not in
    force. Addresses of single hosts and MACs are not told.
    """
    granted(identity, "policies")
    with _asked():
        rows = _rows(Versions(desk.store).loads())
    if wants_csv(request):
        return _csv("policies", COLUMNS, rows)
    return JSONResponse({"in_force": desk.classifier.standing(), "versions": rows})


@router.get("/policies/{version}")
def one_policy(desk: Desk, identity: Signed, version: VersionText) -> Response:
    """One version as it was understood, defaults filled in; devices as numbers by tag."""
    granted(identity, "policies")
    with _asked():
        versions = Versions(desk.store)
        policy = versions.policy(version)
        rows = [row for row in _rows(versions.loads()) if row["version"] == version]
    content = policy.model_dump(mode="json", by_alias=True)
    content["devices"] = {tag: len(macs) for tag, macs in policy.devices.items()}
    for exemption in content["exemptions"]:
        exemption["hosts"] = [without_hosts(host) for host in exemption["hosts"]]
    content["approved"]["scanners"] = [without_hosts(host) for host in content["approved"]["scanners"]]
    return JSONResponse({"version": version, "loads": rows, "policy": content})


@router.get("/policies/{version}/diff")
def policy_diff(
    desk: Desk, identity: Signed, version: VersionText, query: Annotated[DiffQuery, Query()]
) -> Response:
    """What differs between two versions, a line each: + added, - taken away, ~ changed."""
    granted(identity, "policies")
    with _asked():
        versions = Versions(desk.store)
        after = versions.policy(version)
        before = query.before or _before(versions.loads(), version)
        lines = changes(versions.policy(before) if before else None, after)
    told = [without_hosts(str(line)) for line in lines]
    return JSONResponse({"before": before, "after": version, "changes": told})


def _before(loads: list[Load], version: str) -> str | None:
    """The version loaded before the last load of this one."""
    at = next(i for i, load in enumerate(loads) if load.version == version)
    return loads[at + 1].version if at + 1 < len(loads) else None


def _ends(exemption: Exemption, policy: Policy) -> tuple[int, int]:
    """Begin and end of an exemption, µs, by the clock of the first site."""
    zone = ZoneInfo(policy.sites[0].time_zone)
    begin = datetime.combine(exemption.since, time(), zone)
    end = datetime.combine(exemption.until + timedelta(days=1), time(), zone)
    return round(begin.timestamp() * 1_000_000), round(end.timestamp() * 1_000_000)


def _missed(desk: Service, exemption: Exemption, end: int) -> dict[str, Any]:
    """Attempts after the end that it would have allowed."""
    return desk.rows(
        statement("exemption_missed"),
        {
            "since": end,
            "groups": [] if "*" in exemption.groups else list(exemption.groups),
            "hosts_from": [mapped_text(net.network_address) for net in exemption.hosts],
            "hosts_to": [mapped_text(net.broadcast_address) for net in exemption.hosts],
            "categories": list(exemption.categories),
            "services": list(exemption.services),
            "names": [normal_name(name) for name in exemption.names],
        },
    )[0]


@router.get(
    "/exemptions", responses={200: {"content": {"text/csv": {}}, "description": "The exemptions in force"}}
)
def exemptions(request: Request, desk: Desk, identity: Signed) -> Response:
    """Exemptions of the policy in force: by whom, for what, until when, and how much they were used.

    `missed_since_expiry` counts attempts that an expired one would have allowed: it is still asked for. Null
    for one that is not expired.
    """
    granted(identity, "exemptions")
    policy: Policy = desk.classifier.policy
    used = {row["id"]: row for row in desk.rows(statement("exemptions_used"))}
    now, rows, looked_for = now_us(), [], 0
    for exemption in sorted(policy.exemptions, key=lambda one: one.until, reverse=True):
        begin, end = _ends(exemption, policy)
        state = "expired" if now >= end else "active" if now >= begin else "pending"
        missed: dict[str, Any] = {"attempts": None, "latest": None}
        if state == "expired" and looked_for < MOST_EXPIRED:
            looked_for += 1
            missed = _missed(desk, exemption, end)
        one = used.get(exemption.id, {"attempts": 0, "latest": None})
        content = exemption.model_dump(mode="json", by_alias=True)
        rows.append(
            {
                **content,
                "hosts": [without_hosts(host) for host in content["hosts"]],
                "state": state,
                "attempts": one["attempts"],
                "last_attempt": utc_text(one["latest"]) if one["attempts"] else None,
                "missed_since_expiry": missed["attempts"],
                "last_missed": utc_text(missed["latest"]) if missed["attempts"] else None,
            }
        )
    rows = [{column: row[column] for column in EXEMPTION_COLUMNS} for row in rows]
    if wants_csv(request):
        return _csv("exemptions", EXEMPTION_COLUMNS, rows)
    at = datetime.fromtimestamp(now / 1e6, UTC)
    return JSONResponse({"at": at.isoformat(), "policy_version": policy.version, "exemptions": rows})
