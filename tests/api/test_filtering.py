"""The filter's outcome in numbers."""

import pytest

from api.filtering import wilson
from tests.api.conftest import Running


def test_wilson() -> None:
    """Known values: 5 of 10, and the ends, which never reach certainty; nothing of nothing."""
    assert wilson(5, 10) == pytest.approx((0.236593, 0.763407), abs=1e-6)
    assert wilson(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-6)
    assert wilson(10, 10) == pytest.approx((0.722467, 1.0), abs=1e-6)
    assert wilson(0, 0) is None


def test_inconclusive_stays_in_the_denominator(school: Running) -> None:
    """Three attempts, one of each: a third blocked, a third leaked."""
    rows = {row["category"]: row for row in school.get("/v1/filtering/summary", "auditor").json()["rows"]}
    social = rows["social_media"]
    assert (social["attempts"], social["hosts"], social["inconclusive"]) == (3, 2, 1)
    assert (social["block_rate"], social["leak_rate"]) == (0.333333, 0.333333)


def test_abuse_is_counted_and_not_named(school: Running) -> None:
    """The category has its count; the name is nowhere."""
    got = school.get("/v1/filtering/summary", "auditor")
    assert {"abuse"} <= {row["category"] for row in got.json()["rows"]}
    assert "never.example" not in got.text


def test_days_are_the_site_s(school: Running) -> None:
    """Grouped by the day of the site's time zone, which is told."""
    got = school.get("/v1/filtering/summary", "auditor", params={"by": ["day", "group"]}).json()
    assert got["time_zone"]
    assert {(row["day"], row["group"]) for row in got["rows"]} == {
        ("2026-03-02", "students"),
        ("2026-03-02", "staff"),
    }
