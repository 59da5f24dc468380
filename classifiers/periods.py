"""Days and lessons of each site, by the clock on its wall, in the form the detectors' SQL takes them.

A day lasts from midnight to midnight of the site's time zone: 23 or 25 hours where the clock changes. A
lesson that begins or ends in an hour which the clock shows twice has both of them, one in an hour which it
skips has none.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from classifiers.calendar import DAYS
from classifiers.policy_model import YEARS, Policy, Site

_DAY = timedelta(days=1)
#: Zones whose offset is no whole number of hours cut an hour of the hourly sums in two.
_HOUR_S = 3_600


class Span(NamedTuple):
    """A part of a site's time; seconds since 1970 UTC, the end not included."""

    site: str
    begin: int
    end: int
    title: str
    """Its local day, and for lessons the time it begins."""


def _seconds(day: date, minutes: int, zone: ZoneInfo, fold: int = 0) -> int:
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    return int(local.replace(tzinfo=zone, fold=fold).timestamp())


class Periods:
    """Days and lessons of a policy's sites."""

    def __init__(self, policy: Policy) -> None:
        self._sites = [(site, ZoneInfo(site.time_zone)) for site in policy.sites]

    def parameters(self, first: datetime, last: datetime) -> dict[str, Any]:
        """Query parameters by name: what touches the range between two aware moments."""
        days, lessons = self.days(first, last), self.lessons(first, last)
        edges = {edge - edge % _HOUR_S for day in days for edge in (day.begin, day.end) if edge % _HOUR_S}
        return {
            **{f"day_{name}": [day[i] for day in days] for i, name in enumerate(_FIELDS)},
            **{f"lesson_{name}": [lesson[i] for lesson in lessons] for i, name in enumerate(_FIELDS)},
            "cut_hours": sorted(edges),
        }

    def days(self, first: datetime, last: datetime) -> list[Span]:
        """Local days that touch the range; none before or after the years that a policy may name."""
        return [
            Span(site.id, begin, end, str(day))
            for site, zone in self._sites
            for day, begin, end in _local_days(zone, first, last)
        ]

    def lessons(self, first: datetime, last: datetime) -> list[Span]:
        """Lessons that touch the range."""
        return [
            span
            for site, zone in self._sites
            for day, begin, end in _local_days(zone, first - _DAY, last)
            for span in _lessons(site, zone, day, begin, end)
            if span.begin < last.timestamp() and span.end > first.timestamp()
        ]


_FIELDS = ("sites", "from", "to", "titles")
PERIOD_NAMES = frozenset(f"{kind}_{name}" for kind in ("day", "lesson") for name in _FIELDS) | {"cut_hours"}


def _local_days(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[tuple[date, int, int]]:
    """Local days that touch the range, and when they begin and end."""
    low = datetime(YEARS[0], 1, 2, tzinfo=UTC)
    high = datetime(YEARS[1], 12, 30, tzinfo=UTC)
    if last < low or first > high:
        return
    begin, end = max(first, low).astimezone(zone).date(), min(last, high).astimezone(zone).date()
    dates = [begin + timedelta(days=n) for n in range((end - begin).days + 2)]
    for (day, midnight), (_, next_) in pairwise([(day, _seconds(day, 0, zone)) for day in dates]):
        yield day, midnight, next_


def _lessons(site: Site, zone: ZoneInfo, day: date, begin: int, end: int) -> Iterator[Span]:
    calendar = site.calendar
    if not calendar.lessons:
        length = calendar.lesson_minutes * 60
        for start in range(begin, end, length):
            yield _span(site, zone, day, start, min(start + length, end))
        return
    if any(holiday.first <= day <= holiday.last for holiday in calendar.holidays):
        return
    for lesson in calendar.lessons:
        if DAYS[day.weekday()] in lesson.days:
            starts, ends = lesson.edges
            ends += 24 * 60 if ends < starts else 0
            start, stop = _seconds(day, starts, zone), _seconds(day, ends, zone, 1)
            if start < stop:
                yield _span(site, zone, day, start, stop)


def _span(site: Site, zone: ZoneInfo, day: date, start: int, stop: int) -> Span:
    return Span(site.id, start, stop, f"{day} {datetime.fromtimestamp(start, zone):%H:%M}")
