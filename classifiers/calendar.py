"""Duty hours of a site: which moments are inside them, right across daylight saving changes."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.settings import Section

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_US = 86_400_000_000


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and len(minute) == 2 and int(minute) < 60):
        raise ValueError(f"{text!r} is no time of day; write it as HH:MM")
    minutes = int(hour) * 60 + int(minute)
    if minutes > 24 * 60:
        raise ValueError(f"{text!r} is past 24:00")
    return minutes


def _days(words: tuple[str, ...]) -> tuple[str, ...]:
    days: list[str] = []
    for word in words:
        first, _, last = word.lower().partition("-")
        last = last or first
        if first not in DAYS or last not in DAYS or DAYS.index(first) > DAYS.index(last):
            raise ValueError(f"{word!r} is no day; write mon … sun or a range as mon-fri")
        days.extend(DAYS[DAYS.index(first) : DAYS.index(last) + 1])
    return tuple(days)


class Duty(Section):
    """One span of the day, on some days of the week."""

    days: tuple[str, ...]
    """`mon` … `sun`, or ranges as `mon-fri`."""
    begin: str = Field(alias="from")
    """Local time HH:MM."""
    end: str = Field(alias="to")
    """Local time HH:MM, up to 24:00, not included."""

    _spread = field_validator("days")(_days)

    @model_validator(mode="after")
    def _ordered(self) -> "Duty":
        if _minutes(self.begin) >= _minutes(self.end):
            raise ValueError(f"duty from {self.begin} to {self.end} is empty; split it at 24:00")
        return self


class Holiday(Section):
    """Days without duty hours."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    title: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "Holiday":
        if self.first > self.last:
            raise ValueError(f"holiday from {self.first} to {self.last} is empty; swap the dates")
        return self


class Calendar(Section):
    """When people of a site are on duty. Without any duty span every moment is off duty."""

    duty: tuple[Duty, ...] = ()
    holidays: tuple[Holiday, ...] = ()


def _instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    """Microseconds since 1970 of a local wall time; a time the clock skips moves past the gap."""
    local = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return round(local.replace(tzinfo=zone).astimezone(UTC).timestamp() * 1_000_000)


class Duties:
    """A site's calendar, ready to be asked for many moments."""

    def __init__(self, calendar: Calendar, zone: ZoneInfo) -> None:
        self.zone = zone
        self._holidays = [(h.first, h.last) for h in calendar.holidays]
        self._spans: list[list[tuple[int, int]]] = [[] for _ in DAYS]
        for duty in calendar.duty:
            for day in duty.days:
                self._spans[DAYS.index(day)].append((_minutes(duty.begin), _minutes(duty.end)))
        self._of_day = lru_cache(maxsize=4_096)(self._compute)

    def _compute(self, day: date) -> tuple[tuple[int, int], ...]:
        if any(first <= day <= last for first, last in self._holidays):
            return ()
        return tuple(
            (_instant(day, begin, self.zone), _instant(day, end, self.zone))
            for begin, end in self._spans[day.weekday()]
        )

    def on_duty(self, us: np.ndarray) -> np.ndarray:
        """bool[n]: whether each moment (int64 µs since 1970 UTC) is inside duty hours.

        Work grows with the distinct days, not with the moments. Moments outside the years 2 to
        9998 are off duty.
        """
        result = np.zeros(len(us), bool)
        if not any(self._spans) or len(us) == 0:
            return result
        epoch = date(1970, 1, 1).toordinal()
        days = np.unique(us // DAY_US)
        days = days[(days + epoch > 366) & (days + epoch < date(9998, 1, 1).toordinal())]
        spans: set[tuple[int, int]] = set()
        for day in days.tolist():
            utc_day = date.fromordinal(day + epoch)
            for shift in (-1, 0, 1):
                spans.update(self._of_day(utc_day + timedelta(days=shift)))
        if not spans:
            return result
        # Spans may overlap: their union, as alternating begins and ends.
        edges: list[int] = []
        for begin, end in sorted(spans):
            if edges and begin <= edges[-1]:
                edges[-1] = max(edges[-1], end)
            else:
                edges += [begin, end]
        return np.searchsorted(np.array(edges, np.int64), us, "right") % 2 == 1
