"""The range and the links of a page."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from api.problems import Problem
from api.view import Look, look_range
from tests.api.conftest import Running

ZONE = ZoneInfo("America/Los_Angeles")
LAST = int(datetime(2026, 3, 2, 17, 10, 1, tzinfo=UTC).timestamp() * 1e6)


def look(**values: str) -> Look:
    return Look.model_validate(values)


def test_presets_end_where_the_records_end(school: Running) -> None:
    """With old records `15m` is their last quarter of an hour, `all` is everything, and a note says so."""
    desk = school.app.state.service
    quarter, filled = look_range(desk, look(span="15m"), ZONE)
    assert (quarter.last, quarter.seconds, filled) == (LAST, 900, True)
    assert "newest record" in quarter.note
    whole, _ = look_range(desk, look(span="all"), ZONE)
    assert whole.first == int(datetime(2026, 3, 1, 17, 0, tzinfo=UTC).timestamp() * 1e6)


def test_fields_are_read_on_the_site_s_clock(school: Running) -> None:
    """A time without offset from the form is local."""
    span, _ = look_range(
        school.app.state.service, look(**{"from": "2026-03-02T09:00", "to": "2026-03-02T09:05"}), ZONE
    )
    assert span.last == LAST - 301 * 1_000_000


def test_nonsense_is_refused(school: Running) -> None:
    """A preset that is none, and a range that ends before it begins."""
    for values in ({"span": "9y"}, {"from": "-1h", "to": "-2h"}):
        with pytest.raises(Problem):
            look_range(school.app.state.service, look(**values), ZONE)


def test_an_empty_store_is_told(empty: Running) -> None:
    """The range is the last hour, and that there is nothing is known."""
    span, filled = look_range(empty.app.state.service, look(), ZONE)
    assert (filled, span.seconds) == (False, 3_600)
