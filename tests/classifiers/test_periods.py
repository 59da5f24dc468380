"""Days and lessons by the clock of the site."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.periods import PERIOD_NAMES, Periods
from tests.classifiers.conftest import make_policy


def periods(zone: str, **calendar: object) -> Periods:
    """Of a policy with one site."""
    return Periods(make_policy(sites=[{"id": "demo", "time_zone": zone, "calendar": calendar}]))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "at", "day", "hours", "cut"),
    [
        ("UTC", "2026-03-02 10:20", "2026-03-02", 24, []),
        ("America/Los_Angeles", "2026-03-02 07:59", "2026-03-01", 24, []),
        ("America/Los_Angeles", "2026-03-08 12:00", "2026-03-08", 23, []),
        ("America/Los_Angeles", "2026-11-01 12:00", "2026-11-01", 25, []),
        # An hour of UTC in which a day of the site begins.
        ("Asia/Kolkata", "2026-03-02 12:00", "2026-03-02", 24, ["2026-03-01 18:00", "2026-03-02 18:00"]),
        # The clock skips midnight itself, and half an hour.
        ("Africa/Cairo", "2026-04-24 12:00", "2026-04-24", 23, []),
        ("Australia/Lord_Howe", "2026-10-04 12:00", "2026-10-04", 23.5, ["2026-10-03 13:00"]),
    ],
)
def test_days_last_from_midnight_to_midnight(
    zone: str, at: str, day: str, hours: float, cut: list[str]
) -> None:
    """A day is the site's, and as long as its clock makes it; hours of UTC that it cuts are told."""
    instant = moment(at)
    found = periods(zone).parameters(instant, instant)
    assert found["day_titles"][0] == day
    assert found["day_sites"][0] == "demo"
    assert found["day_from"][0] <= instant.timestamp() < found["day_to"][0]
    assert found["day_to"][0] - found["day_from"][0] == hours * 3_600
    assert found["cut_hours"] == [int(moment(hour).timestamp()) for hour in cut]


SCHOOL = {"lessons": [{"days": ["mon-fri"], "from": "08:00", "to": "08:45"}],
          "holidays": [{"from": "2026-03-04", "to": "2026-03-04"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("at", "title"),
    [
        ("2026-03-02 16:00", "2026-03-02 08:00"),
        ("2026-03-02 16:44", "2026-03-02 08:00"),
        ("2026-03-02 15:59", None),
        ("2026-03-02 16:45", None),
        # The same clock time is another hour of UTC after the change; a holiday; a Saturday.
        ("2026-03-09 15:00", "2026-03-09 08:00"),
        ("2026-03-04 16:10", None),
        ("2026-03-07 16:10", None),
    ],
)
def test_lessons_go_by_the_clock_on_the_wall(at: str, title: str | None) -> None:
    """A lesson is on its days from bell to bell, never on a holiday."""
    instant = moment(at)
    lessons = periods("America/Los_Angeles", **SCHOOL).lessons(instant, instant + timedelta(seconds=1))
    assert [lesson.title for lesson in lessons] == ([title] if title else [])


@pytest.mark.parametrize(
    ("span", "minutes"), [(("01:00", "01:40"), 100), (("02:00", "02:40"), 40), (("00:30", "01:10"), 100)]
)
def test_an_hour_shown_twice_is_one_lesson(span: tuple[str, str], minutes: int) -> None:
    """A lesson that the clock shows twice has both, one that it skips none."""
    calendar = {"lessons": [{"days": ["sun"], "from": span[0], "to": span[1]}]}
    night = moment("2026-11-01 07:00")
    [lesson] = periods("America/Los_Angeles", **calendar).lessons(night, night + timedelta(hours=6))
    assert (lesson.end - lesson.begin) / 60 == minutes
    skipped = moment("2026-03-08 08:00")
    found = periods("America/Los_Angeles", **calendar).lessons(skipped, skipped + timedelta(hours=6))
    assert len(found) == (0 if span[0] == "02:00" else 1)


def test_a_lesson_past_midnight_is_one() -> None:
    """A night lesson belongs to the day it begins on."""
    calendar = {"lessons": [{"days": ["mon"], "from": "23:30", "to": "00:30"}]}
    instant = moment("2026-03-03 00:10")
    [lesson] = periods("UTC", **calendar).lessons(instant, instant)
    assert (lesson.title, lesson.end - lesson.begin) == ("2026-03-02 23:30", 3_600)


@given(
    zone=st.sampled_from(
        ["UTC", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo"]
    ),
    at=st.datetimes(datetime(2000, 1, 1), datetime(2080, 1, 1)),
    minutes=st.integers(10, 120),
)
def test_spans_follow_each_other(zone: str, at: datetime, minutes: int) -> None:
    """Days, and lessons without a calendar, leave no moment out and have none twice."""
    first = at.replace(tzinfo=UTC)
    made = periods(zone, lesson_minutes=minutes)
    for spans in (
        made.days(first, first + timedelta(hours=30)),
        made.lessons(first, first + timedelta(hours=30)),
    ):
        assert spans[0].begin <= first.timestamp()
        assert spans[-1].end >= (first + timedelta(hours=30)).timestamp()
        for one, other in pairwise(spans):
            assert one.begin < one.end == other.begin
        for span in spans:
            local = datetime.fromtimestamp(span.begin, ZoneInfo(zone))
            assert span.title.startswith(str(local.date()))


@pytest.mark.parametrize("year", [1, 1969, 2250, 9999])
def test_times_beyond_the_policy_s_have_no_periods(year: int) -> None:
    """Rows of any time are asked about without an error; there are no days to count them in."""
    instant = datetime(year, 6, 1, tzinfo=UTC)
    found = periods("America/Los_Angeles").parameters(instant, instant)
    assert found == {name: [] for name in PERIOD_NAMES}
