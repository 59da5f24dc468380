"""The rate that a link stays below for most of the time, as links are billed: by samples of five minutes."""

from typing import Any, NamedTuple

from api.bandwidth import traffic_bound, traffic_filters
from api.filters import Condition
from api.problems import Problem
from api.roles import Grant
from api.service import Service, statement
from api.times import SECOND_US, SLOT_S, Range

#: Longest range; a month of samples is what links are billed by.
MOST_DAYS = 400


class Percentiles(NamedTuple):
    """Rates of each site."""

    range: Range
    """Whole slots of it, shrunk: part of a slot is no sample."""
    source: str
    """`link_5m`: from and to outside; `traffic_1m`: by clients, where filters ask about some."""
    rows: list[dict[str, Any]]


def percentiles(
    desk: Service,
    percent: float,
    span: Range,
    where: Condition,
    asked: dict[str, list[str]],
    grant: Grant,
) -> Percentiles:
    """Percentile, mean and greatest of the rates received and sent, bit/s, by site.

    Raises Problem 422 where the range holds no whole slot, or too many.
    """
    slots = span.inside("slot", SLOT_S)
    whole = Range(slots["first_slot"] * SECOND_US, slots["last_slot"] * SECOND_US, span.note)
    if whole.first >= whole.last:
        raise Problem(422, "the range holds no whole five minutes", "lengthen it, to a day or a month")
    if whole.seconds > MOST_DAYS * 86_400:
        raise Problem(422, f"the range is longer than {MOST_DAYS} days", "shorten it")
    link = not asked.keys() - {"site"}
    sums = statement(
        "slots_of_link" if link else "slots_of_clients",
        filters=traffic_filters(where, grant, asked, raw=False),
    )
    told = {"part": percent / 100, "sites": asked.get("site", []), "first": whole.first, "last": whole.last}
    found = desk.rows(statement("percentile", sums=sums), traffic_bound(where, grant, **told))
    rows = [
        {name: round(value, 1) if isinstance(value, float) else value for name, value in row.items()}
        for row in found
    ]
    return Percentiles(whole, "link_5m" if link else "traffic_1m", rows)
