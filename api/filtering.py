"""The filter's outcome: attempts by category, group or site, with rates and what they are worth."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from api.filters import Condition
from api.service import Service, statement
from api.times import Range, utc_text

#: What the summary may be grouped by, and the SQL of the key.
KEYS = {
    "category": "category",
    "group": "toString(`group`)",
    "site": "toString(site)",
    "clause": "toString(clause)",
    "action": "toString(action)",
    "mechanism": "toString(mechanism)",
    "day": "toString(toDate(window_start, {zone:String}))",
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


def summary(
    desk: Service, by: Sequence[str], span: Range, where: Condition, zone: str
) -> list[dict[str, Any]]:
    """Attempts by the keys, most first; inconclusive ones stay in every denominator.

    `block_rate` is blocked, `leak_rate` allowed and partial, each of all attempts of the row.
    """
    keys = ", ".join(f"{KEYS[name]} AS k{number}" for number, name in enumerate(by))
    names = ", ".join(f"k{number}" for number in range(len(by)))
    sql = statement("filtering_summary", keys=keys, names=names, filters=where.sql)
    parameters = where.parameters | {"first": span.first, "last": span.last, "zone": zone}
    rows = []
    for row in desk.rows(sql, parameters):
        total, leaked = row["attempts"], row["allowed"] + row["partial"]
        rows.append(
            {
                **{name: row[f"k{number}"] for number, name in enumerate(by)},
                "attempts": total,
                "hosts": row["hosts"],
                "blocked": row["blocked"],
                "allowed": row["allowed"],
                "partial": row["partial"],
                "inconclusive": row["inconclusive"],
                "embedded": row["widgets"],
                "block_rate": round(row["blocked"] / total, 6),
                "block_rate_95": wilson(row["blocked"], total),
                "leak_rate": round(leaked / total, 6),
                "leak_rate_95": wilson(leaked, total),
                "first": utc_text(row["earliest"]),
                "last": utc_text(row["latest"]),
            }
        )
    return rows
