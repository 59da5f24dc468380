"""Moments and ranges."""

import contextlib
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.times import HOUR_US, MINUTE_US, Range, choose_range, moment, utc_text

NOW = 1_772_470_800_000_000  # 2026-03-02T17:00:00Z


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("now", NOW), ("-90s", NOW - 90_000_000), ("-1h", NOW - HOUR_US), ("-2w", NOW - 336 * HOUR_US),
        ("2026-03-02T17:00:00Z", NOW), ("2026-03-02T09:00:00-08:00", NOW), ("2026-03-02T18:00:00 01:00", NOW),
        ("2026-03-02T17:00:00.000001Z", NOW + 1), (" 2026-03-02T17:00:00Z ", NOW),
    ],
)  # fmt: skip
def test_moments(text: str, us: int) -> None:
    """Relative and absolute times, and a plus sign that a query string made a space."""
    assert moment(text, NOW) == us


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "-1h"), ("2026-03-02T17:00:00", "offset"), ("2026-13-01T00:00:00Z", "RFC 3339"),
        ("0001-01-01T00:00:00+23:59", "1970"), ("9999-12-31T23:59:59Z", "1970"), ("-1y", "-1h"), ("", "-1h"),
    ],
)  # fmt: skip
def test_refusals_say_the_mend(text: str, said: str) -> None:
    """What is no time is refused with a way to write it."""
    with pytest.raises(ValueError, match=said):
        moment(text, NOW)


def test_local_times_need_a_zone() -> None:
    """A page's field is read on the site's clock."""
    assert moment("2026-03-02T09:00", NOW, ZoneInfo("America/Los_Angeles")) == NOW


@given(st.text(max_size=80))
def test_any_text_is_a_time_or_a_reason(text: str) -> None:
    """Nothing but ValueError leaves."""
    with contextlib.suppress(ValueError):
        assert moment(text, NOW) >= 0


def test_default_range_is_the_last_hour() -> None:
    """With fresh records, or none, it ends now."""
    for held in (None, (NOW - HOUR_US, NOW - MINUTE_US)):
        assert choose_range(None, None, held, NOW) == Range(NOW - HOUR_US, NOW)


def test_old_records_move_the_default_range() -> None:
    """With old records it is their last hour, or all of them where they are shorter, and says so."""
    old = NOW - 1_000 * HOUR_US
    long, short = (choose_range(None, None, (old - back, old), NOW) for back in (9 * HOUR_US, MINUTE_US))
    assert long.last > old >= long.last - 1_000_000
    assert long.last - long.first == HOUR_US
    assert short.first == old - MINUTE_US
    assert "newest record" in long.note


def test_new_records_are_shown_from_their_beginning() -> None:
    """A service that started minutes ago has no hour of nothing before them."""
    begun = NOW - 7 * MINUTE_US
    assert choose_range(None, None, (begun, NOW - MINUTE_US), NOW) == Range(begun, NOW)


def test_empty_ranges_are_refused() -> None:
    """From must lie before to."""
    with pytest.raises(ValueError, match="not before"):
        choose_range("-1h", "-2h", None, NOW)


def test_ranges_grow_to_whole_steps() -> None:
    """Alignment never loses a moment."""
    assert Range(1, MINUTE_US + 1).aligned(MINUTE_US)[:2] == (0, 2 * MINUTE_US)


def test_times_are_written_back() -> None:
    """Microseconds appear only where there are any."""
    assert utc_text(NOW) == "2026-03-02T17:00:00Z"
    assert utc_text(NOW + 5) == "2026-03-02T17:00:00.000005Z"
