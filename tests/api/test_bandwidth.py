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


def test_hours_come_from_the_hourly_sums(school: Running) -> None:
    """Steps of hours are answered from the smallest table, exactly."""
    day = {"from": "2026-03-02T10:30:00Z", "to": "2026-03-02T20:00:00Z", "step": 3_600}
    got = school.get("/v1/bandwidth/timeline", "engineer", params=day).json()
    assert got["source"] == "sites_1h"
    minutes = school.get("/v1/bandwidth/timeline", "engineer", params={**day, "step": 60}).json()
    for way in ("bytes_up", "bytes_down"):
        hours, parts = (sum(point[way] or 0 for point in answer["points"]) for answer in (got, minutes))
        assert hours == parts > 0


@pytest.mark.parametrize(
    "asked",
    [
        ("2026-03-02T16:00:00Z", "2026-03-02T18:00:00Z"),
        ("2026-03-02T16:59:00Z", "2026-03-02T17:04:00Z"),
        ("2026-03-02T17:04:00Z", "2026-03-02T18:00:00Z"),
        ("2026-03-02T17:02:00Z", "2026-03-02T17:03:00Z"),
        ("2026-03-02T15:30:00Z", "2026-03-02T17:08:00Z"),
    ],
)
def test_hours_and_the_minutes_around_them_add_up(school: Running, asked: tuple[str, str]) -> None:
    """Whatever part of an hour a range begins and ends in, no minute is left out or counted twice."""
    span = {"from": asked[0], "to": asked[1]}
    points = school.get("/v1/bandwidth/timeline", "engineer", params={**span, "step": 60}).json()["points"]
    for by in ("site", "host", "service"):
        total = school.get("/v1/bandwidth/top", "engineer", params={**span, "by": by}).json()["total"]
        for way in ("bytes_up", "bytes_down"):
            assert total[way] == sum(point[way] or 0 for point in points)


def test_any_sums_tell_the_same(school: Running) -> None:
    """Hosts, or slots of five minutes, come out alike from sums with and without what else is known."""
    day = {"from": "2026-03-02T16:58:00Z", "to": "2026-03-02T19:00:00Z"}
    every = ["none", "sni", "quic", "http", "dns"]
    plain = school.get("/v1/bandwidth/top", "engineer", params={**day, "by": "host"}).json()
    filtered = school.get("/v1/bandwidth/top", "engineer", params={**day, "by": "host", "name_source": every})
    assert filtered.json()["rows"] == plain["rows"] != []
    slots = school.get("/v1/bandwidth/timeline", "engineer", params={**day, "step": 300}).json()
    hosts = school.get(
        "/v1/bandwidth/timeline", "engineer", params={**day, "step": 300, "client": "0.0.0.0/0"}
    ).json()
    assert (slots["source"], hosts["source"]) == ("sites_5m", "traffic_1m")
    judged = {**day, "step": 300, "action": ["allow", "!prohibit"]}
    assert school.get("/v1/bandwidth/timeline", "auditor", params=judged).json()["source"] == "traffic_1m"
    assert [point["bytes_down"] for point in slots["points"]] == [
        point["bytes_down"] for point in hosts["points"]
    ]


@pytest.mark.parametrize("by", ["host", "service", "group"])
def test_every_row_tells_where_names_come_from(school: Running, by: str) -> None:
    """A row's bytes by the source of the name add up to its bytes."""
    got = school.get("/v1/bandwidth/top", "engineer", params={**MORNING, "by": by}).json()
    for row in got["rows"]:
        assert sum(row["name_sources"].values()) == row["bytes"]
        assert set(row["name_sources"]) <= {"none", "sni", "quic", "http", "dns"}


def test_who_uses_the_bandwidth_now(school: Running) -> None:
    """The newest minutes with records: hosts with their rate, share and services; old records say how old."""
    got = school.get("/v1/bandwidth/now", "engineer", params={"minutes": 60}).json()
    assert got["to"] < "2026-03-02T18:00:00"
    assert sum(row["share"] for row in got["rows"]) == pytest.approx(1, abs=1e-4)
    for row in got["rows"]:
        assert row["bits_per_second"] == pytest.approx(row["bytes"] * 8 / 3_600, abs=0.1)
        assert 1 <= len(row["services"]) <= 3
        assert "exampleadult" not in {service["service"] for service in row["services"]}
        assert {service["name_source"] for service in row["services"]} <= {"sni", "none", "dns"}
    assert got["bits_per_second"] == pytest.approx(sum(row["bits_per_second"] for row in got["rows"]), abs=1)
    earlier = school.get("/v1/bandwidth/now", "engineer", params={"to": "2026-03-02T17:01:00Z"}).json()
    assert earlier["to"].startswith("2026-03-02T17:01:00")


def test_now_is_by_pseudonym_for_auditors(school: Running) -> None:
    """No address and no name, and each read is logged."""
    before = school.logged()
    got = school.get("/v1/bandwidth/now", "auditor").json()
    assert got["rows"]
    assert all(row["host"].startswith("h-") and "name" not in row for row in got["rows"])
    assert school.logged() == before + 1


def test_now_has_no_beginning(school: Running) -> None:
    """`from` is refused with the mend."""
    answer = school.get("/v1/bandwidth/now", "engineer", params={"from": "-1h"})
    assert answer.status_code == 422
    assert "minutes" in answer.json()["mend"]


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
