"""The pages: what the interface answers, as people read it. Every number comes from the same questions."""

import json
from collections import Counter
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import Field

from api.access import Identity
from api.bandwidth import SERIES_KEYS, Timeline, timeline, top
from api.cells import address_plain
from api.charts import filtering_chart, traffic_chart
from api.coverage import coverage
from api.devices import devices, lanes, one_device
from api.filtering import outcomes, summary
from api.filters import network_bounds
from api.identity import holder_row, named_hosts, sites_of
from api.listing import JSON_ROWS, asked_of, conditions, page
from api.problems import Problem
from api.roles import Asked, Grant, choose
from api.routes.devices import findings_of
from api.routes.filtering import AttemptsQuery
from api.routes.findings import FindingsQuery, one_finding
from api.service import Service
from api.session import signing_in
from api.signin import Desk, Signed, granted, signed_in
from api.tables import TABLES
from api.times import Range, utc_text
from api.units import count, percent, rate, size
from api.view import Look, look_range
from api.view import page as show

router = APIRouter(include_in_schema=False)

UNNAMED = "not named"
#: Rows of the lists on the overview, and of the list pages.
FEW, MANY = 10, 100
#: Gravest first.
SEVERITIES = tuple(reversed(TABLES["findings"].columns["severity"].words))
_PROGRAMS = ("/v1/", "/metrics", "/openapi.json", "/healthz", "/readyz", "/static/")


class OverviewLook(Look):
    by: Annotated[str, Field(max_length=20)] = "service"


class ListLook(Look):
    cursor: Annotated[str, Field(max_length=1_000)] = ""
    severity: Annotated[str, Field(max_length=20)] = ""
    verdict: Annotated[str, Field(max_length=20)] = ""
    categories: Annotated[str, Field(max_length=100)] = ""


class Gravest(NamedTuple):
    """Findings of a range, the gravest first, those of one severity latest first."""

    rows: list[dict[str, Any]]
    more: bool
    """Whether there are more than were read."""


def wants_page(request: Request) -> bool:
    """Whether a person looks: a page's path, asked for by a browser."""
    return not request.url.path.startswith(_PROGRAMS) and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, problem: Problem) -> Response:
    """The problem as a page; without a token, the form to sign in."""
    if problem.status == 401:
        return show(request, "sign_in.html", status=401, failed="")
    identity = signed_in(request, request.app.state.service)
    return show(request, "problem.html", identity=identity, status=problem.status, problem=problem.body(""))


def _json(value: Any) -> Markup:
    """JSON that may stand inside a script element."""
    text = json.dumps(value, ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _grant(identity: Identity, endpoint: str, asked: Asked | None = None) -> Grant | None:
    try:
        return choose(identity.roles, endpoint, asked or Asked())[0]
    except PermissionError:
        return None


def _numbers(found: Timeline, most: int = 400) -> list[dict[str, Any]]:
    """Points that hold something, for the table below a chart."""
    return [point for point in found.points if point["bits_per_second"]][:most]


def _overview_tiles(
    hosts: Any,
    outcome: list[dict[str, Any]] | None,
    findings: Gravest | None,
    health: dict[str, Any],
) -> list[dict[str, str]]:
    tiles = []
    if hosts is not None:
        moved = hosts.total["bytes_up"] + hosts.total["bytes_down"]
        tiles.append(
            {
                "title": "Traffic",
                "value": size(moved),
                "note": f"{rate(moved * 8 / max(hosts.range.seconds, 1))} on average",
            }
        )
        tiles.append(
            {"title": "Hosts", "value": count(hosts.total["keys"]), "note": "that opened connections"}
        )
    if outcome is not None:
        prohibited = sum(row["prohibited"] for row in outcome)
        blocked = sum(outcomes(row)["blocked"] for row in outcome)
        leaked = sum(row["leaked"] for row in outcome)
        said = f"{count(blocked)} of {count(prohibited)} prohibited attempts blocked, {count(leaked)} leaked"
        tiles.append(
            {
                "title": "Blocked",
                "value": percent(blocked / prohibited) if prohibited else "–",
                "note": said if prohibited else "nothing prohibited was attempted",
            }
        )
    if findings is not None:
        by_severity = Counter(row["severity"] for row in findings.rows)
        parts = [f"{by_severity[word]} {word}" for word in SEVERITIES if by_severity[word]]
        shown = count(len(findings.rows)) + (" or more" if findings.more else "")
        tiles.append({"title": "Findings", "value": shown, "note": ", ".join(parts) or "none in this range"})
    named = health["visibility"]["named_share"]
    tiles.append({"title": "Had a name", "value": percent(named), "note": "share of the bytes"})
    covered = [sensor["covered"] for sensor in health["sensors"] if sensor["covered"] is not None]
    worst = min(covered, default=None)
    lost = [sensor["loss"] for sensor in health["sensors"] if sensor.get("loss") is not None]
    tiles.append(
        {
            "title": "Range covered",
            "value": percent(worst),
            "note": f"mirror loss {percent(max(lost, default=None), 2)}",
        }
    )
    return tiles


@router.get("/")
def overview(
    request: Request, desk: Desk, look: Annotated[OverviewLook, Query()], token: Annotated[str, Query()] = ""
) -> Response:
    """Traffic, talkers, filtering, findings and coverage of the range."""
    if token:
        return signing_in(request, desk, token)
    identity = signed_in(request, desk)
    if identity is None:
        return error_page(request, Problem(401, "no token", "sign in"))
    zone = desk.zone(look.site)
    span, any_flows = look_range(desk, look, zone)
    shown: dict[str, Any] = {
        "identity": identity,
        "look": look,
        "zone": zone,
        "span": span,
        "organisation": desk.classifier.policy.organisation,
        "empty": not any_flows,
        "unnamed": UNNAMED,
    }
    if not any_flows:
        return show(request, "overview.html", **shown)
    sites = {"site": [look.site]} if look.site else {}
    by = look.by if look.by in SERIES_KEYS else "service"
    grant = _grant(identity, "bandwidth", Asked(category_filter=by == "category"))
    shown |= {"traffic": None, "no_traffic": "Your roles do not show traffic.", "hosts": None, "by": by}
    filtering = _grant(identity, "filtering", Asked(category_filter=True)) is not None
    where = conditions(sites, TABLES["attempts"].columns)
    traffic, outcome, whole, findings, health = desk.at_once(
        lambda: _overview_traffic(desk, identity, grant, span, sites, by, zone) if grant is not None else {},
        lambda: summary(desk, ["category"], span, where, sites, zone) if filtering else None,
        # By category an attempt may count more than once.
        lambda: summary(desk, ["site"], span, where, sites, zone) if filtering else None,
        lambda: _gravest(desk, identity, request, span, sites) if _grant(identity, "findings") else None,
        lambda: coverage(desk, span),
    )
    shown |= traffic
    if outcome:
        shown["filtering_spec"] = _json(filtering_chart(outcome[:12]))
    gravest = findings.rows[:FEW] if findings is not None else None
    rows = (len(shown["hosts"].rows) if shown["hosts"] else 0) + len(gravest or [])
    if rows:
        desk.log_read(identity, request, rows, case=look.case)
    shown |= {
        "outcome": outcome,
        "outcomes": outcomes,
        "findings": gravest,
        "health": health,
        "tiles": _overview_tiles(shown["hosts"], whole, findings, health),
    }
    return show(request, "overview.html", **shown)


def _gravest(
    desk: Service, identity: Identity, request: Request, span: Range, sites: dict[str, list[str]]
) -> Gravest:
    pages = [
        page(
            desk,
            identity,
            request,
            "findings",
            FindingsQuery(limit=JSON_ROWS, severity=[severity], **_range_of(span), **sites),
            logged=False,
        )
        for severity in SEVERITIES
    ]
    return Gravest([row for found in pages for row in found["rows"]], any(found["next"] for found in pages))


def _overview_traffic(
    desk: Service,
    identity: Identity,
    grant: Grant,
    span: Range,
    sites: dict[str, list[str]],
    by: str,
    zone: Any,
) -> dict[str, Any]:
    where = conditions(sites, TABLES["traffic"].columns)
    host_grant = choose(identity.roles, "bandwidth", Asked())[0]
    found, hosts, services = desk.at_once(
        lambda: timeline(desk, by, span, where, sites, grant, None),
        lambda: top(desk, "host", span, where, sites, host_grant, FEW),
        lambda: top(desk, "service", span, where, sites, host_grant, FEW),
    )
    categories = any(g.categories for g in choose(identity.roles, "bandwidth", Asked()))
    steps = {point["time"]: point["known"] for point in found.points}
    return {
        "traffic": found,
        "traffic_spec": _json(traffic_chart(found, by, zone, UNNAMED)),
        "numbers": _numbers(found),
        "unknown_steps": sum(1 for known in steps.values() if not known),
        "all_steps": len(steps),
        "keys": [key for key in SERIES_KEYS if key != "category" or categories],
        "hosts": hosts,
        "clear_hosts": host_grant.hosts == "clear",
        "services": services,
    }


def _range_of(span: Range) -> dict[str, str]:
    return {"from": utc_text(span.first), "to": utc_text(span.last)}


@router.get("/findings")
def findings_page(
    request: Request, desk: Desk, identity: Signed, look: Annotated[ListLook, Query()]
) -> Response:
    """Findings of the range."""
    zone = desk.zone(look.site)
    span, _ = look_range(desk, look, zone)
    wanted = {"severity": look.severity, "site": look.site}
    query = FindingsQuery(
        limit=MANY,
        cursor=look.cursor or None,
        case=look.case or None,
        **_range_of(span),
        **{name: [value] for name, value in wanted.items() if value},
    )
    found = page(desk, identity, request, "findings", query)
    return show(
        request, "findings.html", identity=identity, look=look, zone=zone, span=span,
        rows=found["rows"], next=found["next"], severity=look.severity,
    )  # fmt: skip


@router.get("/findings/{id}")
def finding_page(request: Request, desk: Desk, identity: Signed, look: Annotated[Look, Query()]) -> Response:
    """One finding."""
    row = one_finding(desk, identity, request, request.path_params["id"], look.case or None)
    clauses = desk.classifier.policy.clauses
    named = [reference.strip() for reference in row["clause"].replace(";", ",").split(",")]
    subject_link = ""
    if not row["subject"].startswith(("h-", "d-")):
        if row["subject_kind"] == "host":
            subject_link = f"/hosts/{row['subject']}"
        elif row["subject_kind"] == "device":
            subject_link = f"/devices/{row['subject']}"
    return show(
        request, "finding.html", identity=identity, look=look, zone=desk.zone(row["site"]), row=row,
        names=list(dict.fromkeys([*row["inputs"], *row["thresholds"]])),
        clause_text="; ".join(clauses[name] for name in named if name in clauses), subject_link=subject_link,
    )  # fmt: skip


@router.get("/attempts")
def attempts_page(
    request: Request, desk: Desk, identity: Signed, look: Annotated[ListLook, Query()]
) -> Response:
    """Attempts of the range, by category and one by one."""
    zone = desk.zone(look.site)
    span, _ = look_range(desk, look, zone)
    wanted = {"verdict": look.verdict, "categories": look.categories, "site": look.site}
    query = AttemptsQuery(
        limit=MANY,
        cursor=look.cursor or None,
        **_range_of(span),
        **{name: [value] for name, value in wanted.items() if value},
    )
    found = page(desk, identity, request, "attempts", query)
    outcome = None
    if not look.cursor and _grant(identity, "filtering", Asked(category_filter=True)):
        sites = {"site": [look.site]} if look.site else {}
        outcome = summary(
            desk, ["category"], span, conditions(sites, TABLES["attempts"].columns), sites, zone
        )
    return show(
        request, "attempts.html", identity=identity, look=look, zone=zone, span=span, outcome=outcome,
        rows=found["rows"], next=found["next"], verdict=look.verdict, categories=look.categories,
        outcomes=outcomes,
    )  # fmt: skip


@router.get("/devices")
def devices_page(request: Request, desk: Desk, identity: Signed, look: Annotated[Look, Query()]) -> Response:
    """Devices of the range."""
    granted(identity, "devices", Asked(case=bool(look.case)))
    zone = desk.zone(look.site)
    span, _ = look_range(desk, look, zone)
    rows = devices(desk, span, sites=[look.site] if look.site else [], limit=5 * MANY + 1)
    desk.log_read(identity, request, len(rows), case=look.case)
    return show(
        request, "devices.html", identity=identity, look=look, zone=zone, span=span,
        rows=rows[: 5 * MANY], more=len(rows) > 5 * MANY,
    )  # fmt: skip


@router.get("/devices/{mac}")
def device_page(request: Request, desk: Desk, identity: Signed, look: Annotated[Look, Query()]) -> Response:
    """One device."""
    grants = granted(identity, "devices", Asked(client=True, case=bool(look.case)))
    zone = desk.zone(look.site)
    span, _ = look_range(desk, look, zone)
    found = one_device(desk, request.path_params["mac"], span, grants[0], case=bool(look.case))
    findings = findings_of(desk, identity, request, found, look.case or None)
    desk.log_read(identity, request, 1, subject=found["mac"], case=look.case)
    return show(
        request, "device.html", identity=identity, look=look, zone=zone, span=span, device=found,
        services=found["services"], unnamed=UNNAMED, findings=findings, lanes=lanes(found, span),
    )  # fmt: skip


@router.get("/hosts/{address}")
def host_page(request: Request, desk: Desk, identity: Signed, look: Annotated[Look, Query()]) -> Response:
    """One host: traffic by service, devices behind it, findings about it."""
    try:
        first, last = network_bounds(request.path_params["address"])
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        raise Problem(422, what, mend) from None
    if first != last:
        raise Problem(422, "a host is one address, not a prefix", "leave out the prefix length")
    address = address_plain(first)
    columns = TABLES["traffic"].columns
    asked = {"client": [address]} | ({"site": [look.site]} if look.site else {})
    want = asked_of(asked, columns, look.case or None)
    grant = granted(identity, "bandwidth", want)[0]
    zone = desk.zone(look.site)
    span, _ = look_range(desk, look, zone)
    desk.log_read(identity, request, 1, subject=address, case=look.case)
    where = conditions(asked, columns)
    total = top(desk, "host", span, where, asked, grant, 1)
    found = None
    if _grant(identity, "findings", want):
        query = FindingsQuery(limit=FEW, case=look.case or None, subject=[address], **_range_of(span))
        found = page(desk, identity, request, "findings", query)["rows"]
    known = devices(desk, span, clients=[address], limit=FEW) if _grant(identity, "devices", want) else []
    sites = [look.site] if look.site else sites_of(desk, address, span.first, span.last - 1)
    held = [
        holder_row(desk, holder, grant, case=bool(look.case), at=span.last - 1)
        for found_there in named_hosts(desk, [(site, address) for site in sites], span)
        for holder in found_there
    ]
    return show(
        request, "host.html", identity=identity, look=look, zone=zone, span=span, address=address,
        name=next((row["name"] for row in held if row["name"]), ""), held=held, total=total.total,
        devices=known, findings=found, unnamed=UNNAMED,
        services=top(desk, "service", span, where, asked, grant, 2 * FEW).rows,
        applications=top(desk, "application", span, where, asked, grant, FEW).rows,
        traffic_spec=_json(traffic_chart(
            timeline(desk, "service", span, where, asked, grant, None), "service", zone, UNNAMED
        )),
    )  # fmt: skip


@router.get("/health")
def health_page(request: Request, desk: Desk, identity: Signed, look: Annotated[Look, Query()]) -> Response:
    """Coverage of the range."""
    granted(identity, "health")
    zone = desk.zone(look.site)
    span, _ = look_range(desk, look, zone)
    return show(
        request,
        "health.html",
        identity=identity,
        look=look,
        zone=zone,
        span=span,
        health=coverage(desk, span),
    )


@router.get("/docs")
def docs_page(request: Request, desk: Desk, identity: Signed) -> Response:
    """The interface, as its schema describes it."""
    origin = str(request.base_url).rstrip("/")
    return show(
        request, "docs.html", identity=identity, look=Look(), schema=request.app.openapi(), origin=origin
    )
