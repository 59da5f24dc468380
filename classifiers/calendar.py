"""Duty hours of a site: which moments are inside them, by what the clock on its wall shows."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.settings import Section

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
#: Zones change their offset at a whole quarter of an hour UTC.
_SLOT_US = 15 * MINUTE_US
_DAY_MINUTES = 24 * 60
#: Quotas per lesson are summed from minutes, so a lesson has a bound. Our default.
LONGEST_LESSON_MINUTES = 120
#: Moments outside the years 2 to 9998 have no calendar.
_FIRST_US = (date(2, 1, 1).toordinal() - date(1970, 1, 1).toordinal()) * DAY_US
_LAST_US = (date(9998, 1, 1).toordinal() - date(1970, 1, 1).toordinal()) * DAY_US


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (
        hour.isascii()
        and hour.isdigit()
        and minute.isascii()
        and minute.isdigit()
        and len(minute) == 2
        and int(minute) < 60
    ):
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

    days: tuple[str, ...] = Field(min_length=1)
    """`mon` … `sun`, or ranges as `mon-fri`: the days on which the span begins."""
    begin: str = Field(alias="from")
    """Local time HH:MM."""
    end: str = Field(alias="to")
    """Local time HH:MM, up to 24:00, not included. Before `from`: on the next day."""

    _spread = field_validator("days")(_days)

    @model_validator(mode="after")
    def _lasts(self) -> "Duty":
        if _minutes(self.begin) == _minutes(self.end) or _minutes(self.begin) == _DAY_MINUTES:
            raise ValueError(f"duty from {self.begin} to {self.end} is empty")
        return self

    def __str__(self) -> str:
        return f"{' '.join(self.days)} {self.begin} to {self.end}"

    @property
    def edges(self) -> tuple[int, int]:
        """Begin and end, minutes after midnight; the end is smaller where it is on the next day."""
        return _minutes(self.begin), _minutes(self.end)


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

    def __str__(self) -> str:
        days = str(self.first) if self.first == self.last else f"{self.first} to {self.last}"
        return f"{self.title} ({days})" if self.title else days


class Calendar(Section):
    """When people of a site are on duty. Without any duty span every moment is off duty."""

    duty: tuple[Duty, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    lessons: tuple[Duty, ...] = ()
    """Spans that quotas per lesson count in, none of them on holidays."""
    lesson_minutes: int = Field(default=60, ge=10, le=LONGEST_LESSON_MINUTES)
    """Without lessons: spans of so many minutes from midnight on."""

    @field_validator("lessons")
    @classmethod
    def _short(cls, lessons: tuple[Duty, ...]) -> tuple[Duty, ...]:
        for lesson in lessons:
            begin, end = lesson.edges
            if (end - begin) % _DAY_MINUTES > LONGEST_LESSON_MINUTES:
                raise ValueError(f"the lesson {lesson} is longer than {LONGEST_LESSON_MINUTES} minutes")
        return lessons


class Moment(NamedTuple):
    """What a calendar says of a moment."""

    local: datetime
    duty: Duty | None
    """The span it is in; none off duty."""
    holiday: Holiday | None
    """The holiday of its day."""


def local_times(us: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """int64[n]: what a clock of the zone shows at each moment (int64 µs since 1970 UTC), as µs since 1970.

    Work grows with the distinct quarters of an hour, not with the moments. Moments outside the years 2
    to 9998 are shown as UTC.
    """
    slots, place = np.unique(us // _SLOT_US, return_inverse=True)
    offsets = np.zeros(len(slots), np.int64)
    for i, slot in enumerate(slots.tolist()):
        if _FIRST_US <= slot * _SLOT_US < _LAST_US:
            moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=slot * _SLOT_US)
            offset = moment.astimezone(zone).utcoffset()
            offsets[i] = round((offset or timedelta()).total_seconds()) * 1_000_000
    return us + offsets[place.reshape(-1)]


class Duties:
    """A site's calendar, ready to be asked for many moments.

    It goes by the clock on the wall: an hour that the clock shows twice is on duty both times, one that
    it skips not at all. What is left of a span past midnight belongs to the day it began on, and is off
    duty where either day is a holiday.
    """

    def __init__(self, calendar: Calendar, zone: ZoneInfo) -> None:
        self.zone = zone
        self._calendar = calendar
        self._today = np.zeros((7, _DAY_MINUTES), bool)
        self._overnight = np.zeros((7, _DAY_MINUTES), bool)
        for duty in calendar.duty:
            begin, end = duty.edges
            for day in (DAYS.index(word) for word in duty.days):
                self._today[day, begin : end if end > begin else _DAY_MINUTES] = True
                if end < begin:
                    self._overnight[(day + 1) % 7, :end] = True
        # Holidays may overlap: days after 1970 of their union, as alternating begins and ends.
        epoch = date(1970, 1, 1).toordinal()
        edges: list[int] = []
        for first, last in sorted((h.first.toordinal(), h.last.toordinal()) for h in calendar.holidays):
            begin, end = first - epoch, last - epoch + 1
            if edges and begin <= edges[-1]:
                edges[-1] = max(edges[-1], end)
            else:
                edges += [begin, end]
        self._holidays = np.array(edges, np.int64)

    def on_duty(self, us: np.ndarray) -> np.ndarray:
        """bool[n]: whether each moment (int64 µs since 1970 UTC) is inside duty hours.

        Moments outside the years 2 to 9998 are off duty.
        """
        if not self._calendar.duty or len(us) == 0:
            return np.zeros(len(us), bool)
        known = (us >= _FIRST_US) & (us < _LAST_US)
        local = local_times(np.where(known, us, 0), self.zone)
        day = local // DAY_US
        minute = local % DAY_US // MINUTE_US
        weekday = (day + 3) % 7
        free = self._free(day)
        on = self._today[weekday, minute] & ~free
        on |= self._overnight[weekday, minute] & ~free & ~self._free(day - 1)
        return on & known

    def _free(self, day: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._holidays, day, "right") % 2 == 1

    def at(self, moment: datetime) -> Moment:
        """What the calendar says of an aware moment."""
        local = moment.astimezone(self.zone)
        holiday = next((h for h in self._calendar.holidays if h.first <= local.date() <= h.last), None)
        us = round(moment.timestamp() * 1_000_000)
        if not self.on_duty(np.array([us]))[0]:
            return Moment(local, None, holiday)
        minute = local.hour * 60 + local.minute
        today, yesterday = DAYS[local.weekday()], DAYS[(local.weekday() - 1) % 7]
        for duty in self._calendar.duty:
            begin, end = duty.edges
            past = end if end > begin else _DAY_MINUTES
            if (today in duty.days and begin <= minute < past) or (
                yesterday in duty.days and end < begin and minute < end
            ):
                return Moment(local, duty, holiday)
        raise AssertionError("a moment on duty is in one of the spans")


def clock_change_days(zone: ZoneInfo, first: date, days: int) -> list[date]:
    """Days on which the zone's clock skips or repeats a time."""
    found = []
    before = datetime(first.year, first.month, first.day, tzinfo=zone)
    for _ in range(days):
        after = datetime.combine(before.date() + timedelta(days=1), before.time(), zone)
        if after.utcoffset() != before.utcoffset():
            found.append(before.date())
        before = after
    return found


def clock_change(zone: ZoneInfo, day: date, minutes: int) -> str:
    """`skipped` or `repeated`: what the clock does with a local time of day (minutes) on that day; empty
    neither (PEP 495)."""
    naive = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    early, late = naive.replace(tzinfo=zone), naive.replace(tzinfo=zone, fold=1)
    if early.utcoffset() == late.utcoffset():
        return ""
    back = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    return "repeated" if back == naive else "skipped"
