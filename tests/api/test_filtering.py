"""The filter's outcome in numbers."""

from typing import Any

import pytest

from api.filtering import KEYS, outcomes, wilson
from classifiers.outcomes import Known, Outcomes
from tests.api.conftest import Running


def test_wilson() -> None:
    """Known values: 5 of 10, and the ends, which never reach certainty; nothing of nothing."""
    assert wilson(5, 10) == pytest.approx((0.236593, 0.763407), abs=1e-6)
    assert wilson(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-6)
    assert wilson(10, 10) == pytest.approx((0.722467, 1.0), abs=1e-6)
    assert wilson(0, 0) is None


def by_category(school: Running) -> dict[str, dict[str, Any]]:
    return {row["category"]: row for row in school.get("/v1/filtering/summary", "auditor").json()["rows"]}


def test_rates_are_of_what_the_policy_prohibits(school: Running) -> None:
    """Of three prohibited attempts, one of each verdict, a third is blocked and a third leaked; what staff
    may reach is counted beside them, and inconclusive stays in the denominator."""
    social = by_category(school)["social_media"]
    assert (social["attempts"], social["hosts"], social["inconclusive"]) == (5, 2, 1)
    assert (social["blocked"], social["allowed"], social["partial"]) == (2, 1, 1)
    assert (social["prohibited"], social["leaked"]) == (3, 1)
    assert (social["permitted"], social["overblocked"]) == (1, 1)
    assert (social["block_rate"], social["leak_rate"]) == (0.333333, 0.333333)
    assert social["block_rate_95"] == pytest.approx(wilson(1, 3))
    assert social["leak_rate_95"] == pytest.approx(wilson(1, 3))


@pytest.mark.parametrize(("category", "permitted"), [("chat", 1), ("streaming_video", 1)])
def test_nothing_prohibited_has_no_rate(school: Running, category: str, permitted: int) -> None:
    """What is allowed or limited and delivered is permitted: no leak, and no rate of nothing."""
    row = by_category(school)[category]
    assert (row["prohibited"], row["leaked"], row["permitted"]) == (0, 0, permitted)
    assert [row[name] for name in ("block_rate", "block_rate_95", "leak_rate", "leak_rate_95")] == [None] * 4


def test_every_attempt_has_one_outcome(school: Running) -> None:
    """The outcomes of a row add up to its attempts, whatever it is grouped by."""
    for by in ("category", "group", "action"):
        rows = school.get("/v1/filtering/summary", "auditor", params={"by": by}).json()["rows"]
        assert rows
        assert all(sum(outcomes(row).values()) == row["attempts"] for row in rows)


def test_programs_and_unmeasured_loss_are_counted(school: Running) -> None:
    """What seems to be a program's own, and what was judged without a measured loss, has its count."""
    got = school.get("/v1/filtering/summary", "auditor", params={"by": "initiated"}).json()["rows"]
    assert {row["initiated"]: (row["attempts"], row["background"], row["loss_unknown"]) for row in got} == {
        "user": (7, 0, 0), "background": (1, 1, 1)
    }  # fmt: skip


def test_loss_that_nobody_measured_is_null(school: Running) -> None:
    """An attempt's loss is null where it is not known, zero where there was none."""
    rows = school.get("/v1/filtering/attempts", "auditor").json()["rows"]
    assert {row["initiated"]: row["loss"] for row in rows} == {"user": 0.0, "background": None}


def test_an_attempt_counts_once_unless_split_by_category(school: Running) -> None:
    """Two attempts have two categories each: both are counted in each, and once at the site."""
    (site,) = school.get("/v1/filtering/summary", "auditor", params={"by": "site"}).json()["rows"]
    assert site["attempts"] == 8
    assert sum(row["attempts"] for row in by_category(school).values()) == 10


def test_abuse_is_counted_and_not_named(school: Running) -> None:
    """The category has its count; the name is nowhere."""
    got = school.get("/v1/filtering/summary", "auditor")
    assert {"abuse"} <= {row["category"] for row in got.json()["rows"]}
    assert "never.example" not in got.text


def test_a_range_may_end_behind_the_last_hour_there_is(school: Running) -> None:
    """A range up to 2199 holds what it holds up to today."""
    asked = {"from": "2026-01-01T00:00:00Z", "by": "site"}
    (near, far) = (
        school.get("/v1/filtering/summary", "auditor", params=asked | {"to": to}).json()["rows"]
        for to in ("2027-01-01T00:00:00Z", "2199-12-31T00:00:00Z")
    )
    assert near == far
    assert near[0]["attempts"] == 8


def test_days_are_the_site_s(school: Running) -> None:
    """Grouped by the day of the site's time zone, which is told."""
    got = school.get("/v1/filtering/summary", "auditor", params={"by": ["day", "group"]}).json()
    assert got["time_zone"]
    assert {(row["day"], row["group"]) for row in got["rows"]} == {
        ("2026-03-02", "students"),
        ("2026-03-02", "staff"),
    }


def test_sums_answer_as_attempts_do(school: Running) -> None:
    """Whatever it is grouped and filtered by, and wherever the range ends, once hours and days are summed."""

    def every() -> list[Any]:
        return [
            school.get("/v1/filtering/summary", "auditor", params=wanted | {"from": first, "to": to}).json()
            for first, to in (
                ("2026-03-01T00:00:00Z", "2026-03-04T00:00:00Z"),
                ("2026-03-02T17:00:00Z", "2026-03-02T18:00:00Z"),
                ("2026-03-02T17:00:30Z", "2026-03-02T18:00:00Z"),
            )
            for wanted in (
                *({"by": name} for name in KEYS),
                {"by": "site", "verdict": "blocked"},
                {"by": "category", "categories": "!chat", "action": "prohibit"},
                {"by": "group", "embedded": "false", "confidence": ">=90"},
            )
        ]

    before = every()
    first, last = 1_772_323_200_000_000, 1_772_582_400_000_000
    assert Outcomes(school.store).settle_until(1 << 53) >= 2
    assert Known.between(school.store.rows, first, last).made
    assert every() == before
    assert any(answer["rows"] for answer in before)
