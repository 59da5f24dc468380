"""Rates that a link stays below: by samples of five minutes, unknown ones left out."""

import numpy as np
import pytest

from tests.api.conftest import Running

HOUR = {"from": "2026-03-02T17:00:00Z", "to": "2026-03-02T18:00:00Z"}


def timeline(school: Running, **asked: str) -> list[dict]:
    """Slots of five minutes that are known."""
    params = {**HOUR, "step": 300, **asked}
    points = school.get("/v1/bandwidth/timeline", "engineer", params=params).json()["points"]
    return [point for point in points if point["known"]]


@pytest.mark.parametrize("percent", [1, 50, 95, 99.9])
def test_percentile_of_the_link(school: Running, percent: float) -> None:
    """It is that of the timeline's samples, all from outside here; zero counts, unknown does not."""
    got = school.get("/v1/bandwidth/percentile", "engineer", params={**HOUR, "percentile": percent}).json()
    assert got["source"] == "link_5m"
    [row] = got["rows"]
    points = timeline(school)
    assert row["samples"] == len(points)
    for name, way in (("received", "down"), ("sent", "up")):
        rates = [point[f"bytes_{way}"] * 8 / 300 for point in points]
        assert row[f"{name}_percentile"] == pytest.approx(np.percentile(rates, percent), abs=0.1)
        assert row[f"{name}_mean"] == pytest.approx(np.mean(rates), abs=0.1)
        assert row[f"{name}_greatest"] == pytest.approx(max(rates), abs=0.1)


def test_percentile_of_some_clients(school: Running) -> None:
    """With other filters than the site, it is by what those clients moved, and about a host it is logged."""
    before = school.logged()
    got = school.get("/v1/bandwidth/percentile", "engineer", params={**HOUR, "group": "staff"}).json()
    assert got["source"] == "traffic_1m"
    assert school.logged() == before
    rates = [point["bytes_down"] * 8 / 300 for point in timeline(school, group="staff")]
    assert got["rows"][0]["received_greatest"] == pytest.approx(max(rates), abs=0.1)
    school.get("/v1/bandwidth/percentile", "engineer", params={**HOUR, "client": "10.20.0.11"})
    assert school.logged() == before + 1


def test_parts_of_slots_are_no_samples(school: Running) -> None:
    """A range is cut to whole slots; one without any is refused, as is one of years."""
    asked = {"from": "2026-03-02T17:01:00Z", "to": "2026-03-02T17:14:00Z"}
    got = school.get("/v1/bandwidth/percentile", "engineer", params=asked).json()
    assert (got["from"][11:16], got["to"][11:16]) == ("17:05", "17:10")
    for end in ("2026-03-02T17:04:00Z", "2029-03-02T17:04:00Z"):
        answer = school.get("/v1/bandwidth/percentile", "engineer", params={**asked, "to": end})
        assert answer.status_code == 422
        assert answer.json()["mend"]


def test_a_site_without_records_has_no_rate(school: Running) -> None:
    """Nothing known is no row, not a row of zeros."""
    params = {**HOUR, "site": "nowhere"}
    assert school.get("/v1/bandwidth/percentile", "engineer", params=params).json()["rows"] == []
