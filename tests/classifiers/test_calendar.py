"""Duty hours across days, holidays and daylight saving changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from classifiers.calendar import Calendar, Duties, clock_change, clock_change_days

WEEKDAYS = {"duty": [{"days": ["mon-fri"], "from": "08:00", "to": "15:00"}]}


def duties(zone="America/Los_Angeles", **calendar):
    return Duties(Calendar.model_validate(calendar or WEEKDAYS), ZoneInfo(zone))


def on_duty(duties, *moments):
    us = [round(moment.timestamp() * 1_000_000) for moment in moments]
    return duties.on_duty(np.array(us, np.int64)).tolist()


def local(zone, *parts):
    return datetime(*parts, tzinfo=ZoneInfo(zone))


def test_the_end_is_not_inside():
    """08:00 begins duty, 15:00 is past it, to the microsecond."""
    zone = "America/Los_Angeles"
    asked = [
        local(zone, 2026, 11, 18, 7, 59, 59, 999_999),
        local(zone, 2026, 11, 18, 8),
        local(zone, 2026, 11, 18, 15),
    ]
    assert on_duty(duties(), *asked) == [False, True, False]


def test_local_time_follows_daylight_saving():
    """08:30 local is on duty the day before and the day after both clock changes, though UTC differs."""
    zone = "America/Los_Angeles"
    days = [(2026, 3, 6), (2026, 3, 9), (2026, 10, 30), (2026, 11, 2)]
    moments = [local(zone, *day, 8, 30) for day in days]
    assert len({moment.astimezone(UTC).hour for moment in moments}) == 2
    assert on_duty(duties(), *moments) == [True] * 4
    assert on_duty(duties(), *(local(zone, *day, 7, 30) for day in days)) == [False] * 4


def test_weekends_and_holidays_are_off_duty():
    """Saturday and a day inside a holiday are off duty at noon."""
    calendar = {**WEEKDAYS, "holidays": [{"from": "2026-11-25", "to": "2026-11-27"}]}
    zone = "America/Los_Angeles"
    days = [(2026, 11, 21), (2026, 11, 24), (2026, 11, 25), (2026, 11, 27), (2026, 11, 30)]
    asked = [local(zone, *day, 12) for day in days]
    assert on_duty(duties(**calendar), *asked) == [False, True, False, False, True]


def test_a_zone_ahead_of_utc_uses_its_own_day():
    """Monday morning in Auckland is on duty though it is still Sunday in UTC."""
    moment = local("Pacific/Auckland", 2026, 11, 23, 9)
    assert moment.astimezone(UTC).weekday() == 6
    assert on_duty(duties("Pacific/Auckland"), moment) == [True]


def test_touching_and_overlapping_spans_are_one():
    """Overlapping spans of duty, and one to 24:00 followed by one from 00:00, leave no hole."""
    calendar = {
        "duty": [
            {"days": ["mon"], "from": "08:00", "to": "12:00"},
            {"days": ["mon"], "from": "10:00", "to": "24:00"},
            {"days": ["tue"], "from": "00:00", "to": "06:00"},
        ]
    }
    asked = [datetime(2026, 11, 23, h, tzinfo=UTC) for h in (7, 11, 23)] + [
        datetime(2026, 11, 24, 0, tzinfo=UTC),
        datetime(2026, 11, 24, 6, tzinfo=UTC),
    ]
    assert on_duty(duties("UTC", **calendar), *asked) == [False, True, True, True, False]


def test_absurd_moments_are_off_duty():
    """Times from far outside the calendar, as a damaged capture carries them, are off duty."""
    asked = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max, -(2**60), 2**60], np.int64)
    assert not duties().on_duty(asked).any()


@pytest.mark.parametrize(
    ("duty", "said"),
    [
        ({"days": ["mon"], "from": "08:00", "to": "08:00"}, "is empty"),
        ({"days": ["mon"], "from": "24:00", "to": "08:00"}, "is empty"),
        ({"days": [], "from": "08:00", "to": "15:00"}, "days"),
        ({"days": ["montag"], "from": "08:00", "to": "15:00"}, "is no day"),
        ({"days": ["fri-mon"], "from": "08:00", "to": "15:00"}, "is no day"),
        ({"days": ["mon"], "from": "8", "to": "15:00"}, "no time of day"),
        ({"days": ["mon"], "from": "08:00", "to": "24:01"}, "past 24:00"),
    ],
)
def test_impossible_duty_is_refused(duty, said):
    """A duty that can't be is refused with the reason."""
    with pytest.raises(ValidationError, match=said):
        Calendar.model_validate({"duty": [duty]})


NIGHT = {"duty": [{"days": ["mon-thu"], "from": "22:00", "to": "06:00"}]}


def test_duty_over_midnight_ends_on_the_next_day():
    """A night shift of Monday ends on Tuesday morning; none begins on Friday or is left on Monday morning."""
    asked = [(23, 21), (23, 23), (24, 5), (24, 6), (27, 5), (27, 23), (28, 5), (30, 5)]
    moments = [datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in asked]
    expected = [False, True, True, False, True, False, False, False]
    assert on_duty(duties("UTC", **NIGHT), *moments) == expected


def test_a_holiday_ends_the_night_before_and_begins_none():
    """A holiday ends the night shift of the day before at midnight, and its own has no morning."""
    calendar = {**NIGHT, "holidays": [{"from": "2026-11-25", "to": "2026-11-25"}]}
    asked = [(24, 23), (25, 5), (25, 23), (26, 5), (26, 23)]
    moments = [datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in asked]
    assert on_duty(duties("UTC", **calendar), *moments) == [True, False, False, False, True]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_the_hours_of_a_clock_change_are_those_of_the_wall(zone):
    """Every minute around both clock changes is on duty exactly when the wall clock is inside the span."""
    spans = [
        {"days": ["mon-sun"], "from": "00:30", "to": "01:45"},
        {"days": ["sun"], "from": "02:10", "to": "02:50"},
    ]
    ready = duties(zone, duty=spans)
    for month, day in ((3, 8), (4, 5), (10, 4), (11, 1)):
        start = datetime(2026, month, day, tzinfo=UTC) - timedelta(hours=14)
        moments = [start + timedelta(minutes=m) for m in range(40 * 60)]
        expected = []
        for moment in moments:
            wall = moment.astimezone(ZoneInfo(zone))
            minute = wall.hour * 60 + wall.minute
            expected.append(30 <= minute < 105 or (wall.weekday() == 6 and 130 <= minute < 170))
        assert on_duty(ready, *moments) == expected


def test_a_moment_is_told_with_its_span_and_holiday():
    """A moment has its local time, the span it is in, and the holiday of its day."""
    calendar = {
        "duty": [*WEEKDAYS["duty"], *NIGHT["duty"]],
        "holidays": [{"from": "2026-11-26", "to": "2026-11-27", "title": "Thanksgiving"}],
    }
    ready = duties("America/Los_Angeles", **calendar)
    noon = ready.at(datetime(2026, 11, 24, 20, tzinfo=UTC))
    assert (noon.local.hour, noon.duty and noon.duty.begin, noon.holiday) == (12, "08:00", None)
    night = ready.at(datetime(2026, 11, 24, 13, tzinfo=UTC))
    assert night.duty is not None
    assert night.duty.begin == "22:00"
    free = ready.at(datetime(2026, 11, 26, 20, tzinfo=UTC))
    assert free.duty is None
    assert str(free.holiday) == "Thanksgiving (2026-11-26 to 2026-11-27)"


def test_days_of_clock_changes_and_what_becomes_of_a_time():
    """The two days of the year are found; 02:30 is skipped on the one, 01:30 repeated on the other."""
    zone = ZoneInfo("America/Los_Angeles")
    assert clock_change_days(zone, date(2026, 1, 1), 365) == [date(2026, 3, 8), date(2026, 11, 1)]
    assert clock_change_days(ZoneInfo("America/Phoenix"), date(2026, 1, 1), 365) == []
    assert [clock_change(zone, date(2026, 3, 8), m) for m in (90, 150, 180)] == ["", "skipped", ""]
    assert [clock_change(zone, date(2026, 11, 1), m) for m in (59, 90, 120)] == ["", "repeated", ""]


@settings(deadline=None)
@given(st.lists(st.integers(0, 4_000_000_000), min_size=1, max_size=20))
def test_agrees_with_the_wall_clock(seconds):
    """Any moment's answer is what the wall clock of the zone says."""
    zone = ZoneInfo("America/Los_Angeles")
    expected = []
    for second in seconds:
        wall = datetime.fromtimestamp(second, zone)
        expected.append(wall.weekday() < 5 and 8 <= wall.hour < 15)
    found = duties().on_duty(np.array(seconds, np.int64) * 1_000_000)
    assert found.tolist() == expected
