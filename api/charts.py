"""Charts as Vega-Lite specifications; colours are names of the style sheet's, so both themes fit."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from api.bandwidth import Timeline
from api.filtering import outcomes
from api.times import utc_text
from api.units import clock, rate, size

#: Outcomes in the order they are stacked, with the style sheet's colour.
OUTCOMES = {
    "blocked": "var(--blocked)",
    "leaked": "var(--leaked)",
    "permitted": "var(--permitted)",
    "overblocked": "var(--overblocked)",
    "inconclusive": "var(--inconclusive)",
}
SERIES_COLOURS = [f"var(--series-{number})" for number in range(1, 9)]
#: Units of a rate by the least peak they are used for.
_RATE_UNITS = ((1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s"), (1.0, "b/s"))


def _wall(text: str, zone: ZoneInfo) -> str:
    """The zone's wall clock, written as if it were UTC: Vega knows only UTC and the browser's zone."""
    return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _later(text: str, seconds: int) -> str:
    return (datetime.fromisoformat(text) + timedelta(seconds=seconds)).isoformat()


def _plain(chart: Any, title: str) -> dict[str, Any]:
    spec = chart.to_dict()
    spec.pop("config", None)
    spec["description"] = title
    return spec


def traffic_chart(found: Timeline, by: str | None, zone: ZoneInfo, unnamed: str) -> dict[str, Any]:
    """Rate over time, stacked by series; steps of which nothing is known are shaded, not drawn as zero."""
    totals: dict[str, float] = {}
    for point in found.points:
        totals[point["time"]] = totals.get(point["time"], 0.0) + (point["bits_per_second"] or 0.0)
    peak = max(totals.values(), default=0.0)
    scale, unit = next((item for item in _RATE_UNITS if peak >= item[0]), _RATE_UNITS[-1])
    names = [name or unnamed for name in found.series] if by else ["all traffic"]
    bars: list[dict[str, Any]] = []
    unknown: list[dict[str, str]] = []
    heights: dict[str, float] = {}
    for point in found.points:
        ends = {
            "t": _wall(point["time"], zone),
            "u": _wall(_later(point["time"], found.step_s), zone),
            "at": clock(point["time"], zone),
        }
        if not point["known"]:
            if unknown and unknown[-1]["u"] in (ends["t"], ends["u"]):
                unknown[-1]["u"] = ends["u"]
            else:
                unknown.append({**ends, "what": "unknown: no sensor reported"})
        elif point["bits_per_second"]:
            low = heights.get(ends["at"], 0.0)
            high = heights[ends["at"]] = low + point["bits_per_second"] / scale
            bars.append(
                {
                    **ends,
                    "series": (point[by] or unnamed) if by else "all traffic",
                    "low": low,
                    "high": high,
                    "shown": rate(point["bits_per_second"]),
                    "moved": size(point["bytes_up"] + point["bytes_down"]),
                }
            )
    first, last = (_wall(utc_text(us), zone) for us in (found.range.first, found.range.last))
    whole_range = alt.ExprRef(f"[toDate('{first}'), toDate('{last}')]")
    format_ = "%H:%M:%S" if found.range.seconds <= 600 else "%H:%M"
    axis = alt.Axis(
        format=format_ if found.range.seconds <= 129_600 else "%-d %b %H:%M", labelOverlap=True, tickCount=10
    )
    rates = (
        alt.Chart(alt.InlineData(values=bars))
        .mark_rect(stroke=None)
        .encode(
            x=alt.X("t:T", title=None, scale=alt.Scale(type="utc", domainRaw=whole_range), axis=axis),
            x2="u:T",
            y=alt.Y("low:Q", title=unit, axis=alt.Axis(tickCount=5)),
            y2="high:Q",
            color=alt.Color(
                "series:N",
                title=None,
                scale=alt.Scale(domain=names, range=SERIES_COLOURS[: len(names)]),
                legend=alt.Legend(orient="bottom", direction="horizontal", columns=4) if by else None,
            ),
            tooltip=[
                alt.Tooltip("series:N", title=by or "series"),
                alt.Tooltip("at:N", title="from"),
                alt.Tooltip("shown:N", title="rate"),
                alt.Tooltip("moved:N", title="moved"),
            ],
        )
    )
    layers = [rates]
    if unknown:
        shade = (
            alt.Chart(alt.InlineData(values=unknown))
            .mark_rect(color="var(--unknown)", opacity=1)
            .encode(
                x=alt.X("t:T", title=None, scale=alt.Scale(type="utc"), axis=axis),
                x2="u:T",
                tooltip=[alt.Tooltip("what:N", title="state"), alt.Tooltip("at:N", title="from")],
            )
        )
        layers.insert(0, shade)
    chart = alt.layer(*layers).properties(width="container", height=260)
    return _plain(chart, f"Traffic over time in {unit}, by {by or 'all'}")


def filtering_chart(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Attempts by category, stacked by outcome; the legend holds the outcomes that occur."""
    counted = [(row["category"] or "(none)", outcomes(row)) for row in rows]
    values = [
        {"category": category, "outcome": outcome, "attempts": found[outcome], "rank": rank}
        for category, found in counted
        for rank, outcome in enumerate(OUTCOMES)
        if found[outcome]
    ]
    shown = [outcome for outcome in OUTCOMES if any(found[outcome] for _, found in counted)]
    order = [category for category, _ in counted]
    chart = (
        alt.Chart(alt.InlineData(values=values))
        .mark_bar(height=alt.RelativeBandSize(0.7))
        .encode(
            y=alt.Y("category:N", title=None, sort=order, axis=alt.Axis(labelLimit=160)),
            x=alt.X(
                "attempts:Q",
                title="attempts",
                stack="zero",
                axis=alt.Axis(tickCount=8, tickMinStep=1, format=",d"),
            ),
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=alt.Scale(domain=shown, range=[OUTCOMES[outcome] for outcome in shown]),
                legend=alt.Legend(orient="bottom", direction="horizontal", columns=3),
            ),
            order=alt.Order("rank:Q"),
            tooltip=["category:N", "outcome:N", alt.Tooltip("attempts:Q", format=",d")],
        )
        .properties(width="container", height=30 * max(len(rows), 2))
    )
    return _plain(chart, "Attempts by category and outcome")
