"""The filter's outcome held against the policy: attempts by key, with rates and what they are worth."""

from collections.abc import Collection, Sequence
from datetime import datetime
from math import sqrt
from typing import Any
from zoneinfo import ZoneInfo

from api.filters import Condition
from api.service import Service, statement
from api.times import Range, utc_text
from classifiers.outcomes import HOUR_S, STEPS, Known, Sources, sources
from classifiers.outcomes import KEYS as SUMMED

#: What the summary may be grouped by, and the SQL of the key.
KEYS = {
    "category": "category",
    "group": "`group`",
    "site": "site",
    "clause": "clause",
    "action": "action",
    "mechanism": "mechanism",
    "initiated": "initiated",
    "day": "toString(toDate(at, {zone:String}))",
}
#: 97.5th percentile of the standard normal distribution.
Z_95 = 1.959964


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """Wilson's 95 % interval of a share (Wilson 1927, JASA 22:209); None of nothing."""
    if of == 0:
        return None
    share, square = hits / of, Z_95 * Z_95
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = Z_95 * sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return round(max(middle - reach, 0.0), 6), round(min(middle + reach, 1.0), 6)


def outcomes(row: dict[str, Any]) -> dict[str, int]:
    """Attempts of a row of the summary by outcome, each in one of them, in the order they are shown."""
    return {
        "blocked": row["blocked"] - row["overblocked"],
        "leaked": row["leaked"],
        "permitted": row["permitted"],
        "overblocked": row["overblocked"],
        "inconclusive": row["inconclusive"],
    }


def _sources(
    desk: Service, by: Sequence[str], span: Range, asked: Collection[str], zone: ZoneInfo
) -> Sources:
    """Where the attempts are read from: sums, as far as they know what is asked."""
    steps: Sequence[int] = STEPS if set(asked) <= SUMMED else ()
    if "day" in by:
        steps = steps[-1:]
    hours = span.inside("hour", HOUR_S)
    if not steps or hours["first_hour"] == hours["last_hour"]:
        return Sources([], [(span.first, span.last)])
    known = Known.between(desk.rows, span.first, span.last)
    if "day" in by and any(datetime.fromtimestamp(hour, zone).minute for hour in known.hours):
        steps = ()
    return sources(known, span.first, span.last, steps)


def summary(
    desk: Service,
    by: Sequence[str],
    span: Range,
    where: Condition,
    asked: Collection[str],
    zone: ZoneInfo,
) -> list[dict[str, Any]]:
    """Attempts by the keys, most prohibited ones first.

    `attempts`, `blocked`, `allowed`, `partial` and `inconclusive` count verdicts alone. `prohibited` are
    the attempts that the policy prohibited at that moment, `leaked` those of them that were delivered,
    wholly or in part; `permitted` were delivered and not prohibited, `overblocked` blocked and not
    prohibited. `block_rate` and `leak_rate` are shares of `prohibited`, in which inconclusive ones stay;
    both are None where nothing prohibited was attempted. `background` seem to be a program's own, of
    `loss_unknown` nobody measured what the mirror lost.
    """
    keys = ", ".join(f"{KEYS[name]} AS k{number}" for number, name in enumerate(by))
    names = ", ".join(f"k{number}" for number in range(len(by)))
    outcomes = _sources(desk, by, span, asked, zone).sql(where.sql)
    sql = statement("filtering_summary", keys=keys, names=names, outcomes=outcomes)
    parameters = where.parameters | {"zone": zone.key, "split": "category" in by}
    rows = []
    for row in desk.rows(sql, parameters):
        prohibited, leaked = row["prohibited"], row["leaked"]
        stopped = row["blocked"] - row["overblocked"]
        rows.append(
            {
                **{name: row[f"k{number}"] for number, name in enumerate(by)},
                "attempts": row["attempts"],
                "hosts": row["hosts"],
                "blocked": row["blocked"],
                "allowed": row["allowed"],
                "partial": row["partial"],
                "inconclusive": row["inconclusive"],
                "prohibited": prohibited,
                "leaked": leaked,
                "permitted": row["permitted"],
                "overblocked": row["overblocked"],
                "embedded": row["widgets"],
                "background": row["background"],
                "loss_unknown": row["unmeasured"],
                "block_rate": round(stopped / prohibited, 6) if prohibited else None,
                "block_rate_95": wilson(stopped, prohibited),
                "leak_rate": round(leaked / prohibited, 6) if prohibited else None,
                "leak_rate_95": wilson(leaked, prohibited),
                "first": utc_text(row["earliest"]),
                "last": utc_text(row["latest"]),
            }
        )
    return rows
