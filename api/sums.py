"""Sums of bytes over a range, from the coarsest tables that tell them exactly.

A range falls into pieces: whole days, whole hours around them, slots of five minutes around those, and
minutes. Each piece is asked of its own sums, grouped by the columns that matter alone: where a table has a
projection by those (pipeline/store/migrations/0035_projections.sql), the store reads that instead.
"""

from collections.abc import Iterable
from typing import NamedTuple

from api.service import statement
from api.times import SECOND_US, Range
from pipeline.records import NAME_SOURCES

SOURCE_SUMS = ", ".join(
    f"sumIf(bytes_up + bytes_down, name_source = '{name}') AS from_{name}" for name in NAME_SOURCES
)
KNOWN_SOURCES = ", ".join(f"sum(by_{name}) AS from_{name}" for name in NAME_SOURCES)
_BY_SOURCE = ", ".join(f"sum(t.by_{name}) AS by_{name}" for name in NAME_SOURCES)
_SPLIT_SOURCE = ", ".join(
    f"sumIf(t.bytes_up + t.bytes_down, name_source = '{name}') AS by_{name}" for name in NAME_SOURCES
)


class Level(NamedTuple):
    """Sums of one table, by its own or by longer steps."""

    table: str
    time: str
    """SQL of the start of a step."""
    seconds: int
    by_source: bool = False
    """Whether a row has a sum for each source of names; otherwise a row is of one source."""


MINUTES = Level("traffic_1m", "minute", 60)
#: Coarsest first.
OF_ALL = (Level("traffic_1h", "hour", 3_600), MINUTES)
OF_SITES = (Level("sites_1h", "hour", 3_600), Level("sites_5m", "slot", 300), MINUTES)
_USAGE = (Level("usage_1h", "toStartOfDay(hour)", 86_400, True), Level("usage_1h", "hour", 3_600, True))
OF_HOSTS = (*_USAGE, Level(MINUTES.table, "toStartOfFiveMinutes(minute)", 300), MINUTES)
#: In an hour a site has fewer hosts than services and groups, in five minutes more.
OF_PLACES = (*_USAGE, *OF_SITES[1:])


def _of_sites(asked: Iterable[str]) -> bool:
    """Whether the sums without hosts know what the filters are about."""
    return not {"client", "action"} & set(asked)


def levels(asked: Iterable[str]) -> tuple[Level, ...]:
    """The sums that can tell what is asked, but for hosts."""
    return OF_SITES if _of_sites(asked) else OF_ALL


def pieces(
    span: Range, of: tuple[Level, ...], step_s: int | None = None
) -> list[tuple[Level, list[tuple[int, int]]]]:
    """The range of whole minutes as stretches (s since 1970, end not included) by the sums that tell them.

    With a step: of sums alone that fit into it.
    """
    left = [(span.first // SECOND_US, span.last // SECOND_US)]
    told = []
    for level in of:
        if step_s is not None and step_s % level.seconds:
            continue
        whole, rest = [], []
        for first, last in left:
            begin, end = -(-first // level.seconds) * level.seconds, last // level.seconds * level.seconds
            if begin >= end:
                rest.append((first, last))
                continue
            whole.append((begin, end))
            rest += [piece for piece in ((first, begin), (end, last)) if piece[0] < piece[1]]
        if whole:
            told.append((level, whole))
        left = rest
    return told


def traffic(
    span: Range,
    of: tuple[Level, ...],
    columns: Iterable[str],
    filters: str,
    *,
    step_s: int | None = None,
    split: bool = False,
) -> str:
    """SQL of the sums by these columns; with a step also by `at`, the time of the sums.

    `split`: with `by_…`, the bytes (up and down) of each source of names.
    """
    parts = []
    at = [] if step_s is None else ["at"]
    for level, stretches in pieces(span, of, step_s):
        times = " OR ".join(
            f"{level.time} >= toDateTime({first}, 'UTC') AND {level.time} < toDateTime({last}, 'UTC')"
            for first, last in stretches
        )
        sources = [_BY_SOURCE if level.by_source else _SPLIT_SOURCE] if split else []
        shown = [*(f"{level.time} AS {name}" for name in at), *columns, *sources]
        part = _sums(shown, level.table, times, filters, [*(level.time for _ in at), *columns])
        parts.append(part)
    return f"({' UNION ALL '.join(parts)}) AS traffic"


def _sums(shown: list[str], table: str, times: str, filters: str, groups: list[str]) -> str:
    return statement(
        "traffic",
        columns="".join(f"{column}, " for column in shown),
        table=table,
        times=times,
        filters=filters,
        groups=f"GROUP BY {', '.join(groups)}" if groups else "",
    )
