"""Bytes by key and over time: totals that agree, and unknown that is not zero."""

import pytest

from api.bandwidth import STEPS, choose_step
from api.problems import Problem
from api.times import Range
from tests.api.conftest import Running

MORNING = {"from": "2026-03-02T17:00:00Z", "to": "2026-03-02T17:10:00Z"}
UP, DOWN = 25_000, 741_000


@pytest.mark.parametrize("by", ["host", "service", "group", "application", "site"])
def test_each_key_adds_up_to_the_same(school: Running, by: str) -> None:
    """Whatever the key, rows sum to the total, shares to one, and the total is that of the flows."""
    got = school.get("/v1/bandwidth/top", "engineer", params={**MORNING, "by": by}).json()
    assert (got["total"]["bytes_up"], got["total"]["bytes_down"]) == (UP, DOWN)
    assert sum(row["bytes"] for row in got["rows"]) == UP + DOWN
    assert sum(row["share"] for row in got["rows"]) == pytest.approx(1, abs=1e-4)
    assert [row["bytes"] for row in got["rows"]] == sorted((r["bytes"] for r in got["rows"]), reverse=True)


def test_a_limit_leaves_the_total(school: Running) -> None:
    """Totals are over all keys, also those not returned."""
    got = school.get("/v1/bandwidth/top", "engineer", params={**MORNING, "limit": 1}).json()
    assert len(got["rows"]) == 1
    assert got["total"] == {"bytes_up": UP, "bytes_down": DOWN, "keys": 3}


def test_delicate_services_are_nameless_without_categories(school: Running) -> None:
    """An engineer and a help desk see their bytes, not which service it was; nor does a filter tell."""
    for role in ("engineer", "helpdesk"):
        got = school.get("/v1/bandwidth/top", role, params={**MORNING, "by": "service"}).json()
        assert {row["service"] for row in got["rows"]} == {"examplevideo", "exampleschool", ""}
        asked = {**MORNING, "by": "host", "service": "exampleadult"}
        assert school.get("/v1/bandwidth/top", role, params=asked).json()["rows"] == []
        assert school.get("/v1/bandwidth/top", role, params={"by": "category"}).status_code == 403


def test_hosts_are_pseudonyms_for_auditors(school: Running) -> None:
    """By category with bytes, by host without an address or a name."""
    got = school.get("/v1/bandwidth/top", "auditor", params=MORNING).json()
    assert all(row["host"].startswith("h-") and "name" not in row for row in got["rows"])
    got = school.get("/v1/bandwidth/top", "auditor", params={**MORNING, "by": "category"}).json()
    assert {row["category"] for row in got["rows"]} == {
        "streaming_video",
        "adult",
        "abuse",
        "crisis_support",
        "",
    }


def test_fine_steps_keep_every_byte(school: Running) -> None:
    """Rows spread over their own seconds still sum to what they held."""
    got = school.get(
        "/v1/bandwidth/timeline", "engineer", params={**MORNING, "step": 5, "by": "service"}
    ).json()
    assert got["source"] == "flows"
    assert sum(point["bytes_down"] or 0 for point in got["points"]) == pytest.approx(DOWN, abs=60)


def test_minutes_come_from_the_rollup(school: Running) -> None:
    """Steps of a minute and more are answered from the small table, exactly."""
    got = school.get("/v1/bandwidth/timeline", "engineer", params={**MORNING, "step": 60}).json()
    assert got["source"] == "traffic_1m"
    assert sum(point["bytes_down"] for point in got["points"]) == DOWN
    assert len(got["points"]) == 10


def test_unknown_steps_are_null(school: Running) -> None:
    """Before the sensor reported nothing is known: null, and not known."""
    early = {"from": "2026-03-02T16:50:00Z", "to": "2026-03-02T17:10:00Z", "step": 60}
    points = school.get("/v1/bandwidth/timeline", "engineer", params=early).json()["points"]
    assert [point["known"] for point in points] == [False] * 10 + [True] * 10
    assert points[0]["bytes_down"] is None
    assert points[0]["bits_per_second"] is None


def test_covered_steps_without_traffic_are_zero(school: Running) -> None:
    """Where a sensor reported and nothing of the kind moved, zero is a fact."""
    asked = {**MORNING, "step": 60, "service": "examplevideo", "client": "10.30.0.5"}
    points = school.get("/v1/bandwidth/timeline", "engineer", params=asked).json()["points"]
    known = [point for point in points if point["known"]]
    assert len(known) >= 9
    assert {point["bytes_down"] for point in known} == {0}


def test_steps_fit_the_range() -> None:
    """A chosen step gives a legible number of steps, and none below a minute for long ranges."""
    for seconds in (60, 600, 1_800, 3_600, 86_400, 30 * 86_400, 365 * 86_400):
        step = choose_step(Range(0, seconds * 1_000_000), None)
        assert step in STEPS
        assert seconds / step <= 120
        assert step >= 60 or seconds <= 1_800


@pytest.mark.parametrize(("seconds", "step"), [(3_600, 5), (864_000, 60), (60, 7)])
def test_steps_that_do_not_fit_are_refused(seconds: int, step: int) -> None:
    """Too fine, too many, or not one of ours: refused with the mend."""
    with pytest.raises(Problem) as caught:
        choose_step(Range(0, seconds * 1_000_000), step)
    assert caught.value.status == 422
    assert caught.value.mend


def test_hosts_are_logged_and_aggregates_are_not(school: Running) -> None:
    """By host, or about one host, is a read of persons; by service is none."""
    before = school.logged()
    school.get("/v1/bandwidth/top", "engineer", params={"by": "service"})
    school.get("/v1/bandwidth/timeline", "engineer")
    assert school.logged() == before
    school.get("/v1/bandwidth/top", "engineer", params={"by": "host"})
    school.get("/v1/bandwidth/timeline", "engineer", params={"client": "10.20.0.11"})
    assert school.logged() == before + 2
