"""What every page has in common: its range, its site, its templates, and who looks at it."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field

from api import units
from api.access import Identity
from api.problems import Problem
from api.service import Service
from api.times import HOUR_US, SECOND_US, Range, latest_range, now_us, utc_text

#: Lengths of the range that one click gives, hours; `all` is everything there is.
PRESETS = {"15m": 0.25, "1h": 1, "6h": 6, "24h": 24, "7d": 168, "30d": 720, "all": 0}
PRESET_TITLES = {
    "15m": "15 min",
    "1h": "1 hour",
    "6h": "6 h",
    "24h": "24 h",
    "7d": "7 days",
    "30d": "30 days",
    "all": "All",
}
NAVIGATION = (
    ("/", "Overview"),
    ("/findings", "Findings"),
    ("/attempts", "Filtering"),
    ("/devices", "Devices"),
    ("/health", "Coverage"),
    ("/docs", "API"),
)


class Look(BaseModel):
    """Parameters that every page takes; a page that is linked with others ignores them."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    from_: Annotated[str, Field(alias="from", max_length=64)] = ""
    to: Annotated[str, Field(max_length=64)] = ""
    span: Annotated[str, Field(max_length=8)] = ""
    site: Annotated[str, Field(max_length=100)] = ""
    case: Annotated[str, Field(max_length=100)] = ""

    def kept(self) -> dict[str, str]:
        """What links between pages carry on."""
        values = {"from": self.from_, "to": self.to, "span": self.span, "site": self.site, "case": self.case}
        return {name: value for name, value in values.items() if value}


def look_range(desk: Service, look: Look, zone: ZoneInfo) -> tuple[Range, bool]:
    """The range of a page, and whether the store holds any flows. Raises Problem 422 with the mend."""
    held = desk.held()
    if look.span and look.span not in PRESETS:
        raise Problem(422, f"span: {look.span!r} is none of ours", f"choose from {', '.join(PRESETS)}")
    if look.from_ or look.to:
        return desk.range(look.from_ or None, look.to or None, zone), held is not None
    now = now_us()
    if held is None:
        return Range(now - HOUR_US, now), False
    return latest_range(held, int(PRESETS[look.span or "1h"] * HOUR_US), now), True


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            units.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        ),
    )
    environment.filters |= {
        "size": units.size,
        "rate": units.rate,
        "count": units.count,
        "percent": units.percent,
        "duration": units.duration,
    }
    return environment


def page(
    request: Request,
    template: str,
    *,
    identity: Identity | None = None,
    look: Look | None = None,
    zone: ZoneInfo | None = None,
    span: Range | None = None,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """The page of a template, with links that keep range, site and case."""
    kept = look.kept() if look else {}
    shown_zone = zone or ZoneInfo("UTC")

    def link(path: str, **changes: str | None) -> str:
        """The path with what is kept, and the changes; None takes out."""
        merged = {**kept, **changes}
        query = urlencode({name: value for name, value in merged.items() if value})
        return f"{path}?{query}" if query else path

    context = {
        "identity": identity,
        "look": look,
        "path": request.url.path,
        "navigation": NAVIGATION,
        "presets": PRESET_TITLES,
        "link": link,
        "clock": lambda text: units.clock(text, shown_zone),
        "between": lambda first, last: units.span_text(first, last, shown_zone),
        "span_text": units.span_text(utc_text(span.first), utc_text(span.last), shown_zone) if span else "",
        "local_first": _local(span.first, shown_zone) if span else "",
        "local_last": _local(span.last, shown_zone) if span else "",
        "zone": shown_zone.key,
        "note": span.note if span else "",
        **values,
    }
    return HTMLResponse(_environment().get_template(template).render(context), status)


def _local(us: int, zone: ZoneInfo) -> str:
    """Value of a `datetime-local` field."""

    return datetime.fromtimestamp(us // SECOND_US, UTC).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")
