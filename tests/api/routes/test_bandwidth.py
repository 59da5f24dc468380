"""`/v1/bandwidth/…` as it is asked."""

import csv
import io

import pytest

from tests.api.conftest import Running


def test_csv_of_both(school: Running) -> None:
    """The same rows by `Accept`, with the key first."""
    for path, first in (("top", "site"), ("timeline", "time"), ("now", "site"), ("percentile", "site")):
        json = school.get(f"/v1/bandwidth/{path}", "engineer").json()
        text = school.get(f"/v1/bandwidth/{path}", "engineer", accept="text/csv").text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == len(json["points" if path == "timeline" else "rows"])
        assert next(iter(rows[0])) == first


def test_unknown_is_empty_in_csv(school: Running) -> None:
    """Unknown steps have empty cells, not zeros."""
    asked = {"from": "2026-03-02T16:00:00Z", "to": "2026-03-02T17:00:00Z"}
    text = school.get("/v1/bandwidth/timeline", "engineer", params=asked, accept="text/csv").text
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["known"], row["bytes_up"], row["bytes_down"]) == ("false", "", "")


@pytest.mark.parametrize(
    "params", [{"by": "name"}, {"limit": 0}, {"limit": 1_001}, {"step": "x"}, {"client": "x"}]
)
def test_refusals(school: Running, params: dict) -> None:
    """Keys, limits and filters out of bounds are 422 with a mend."""
    path = "timeline" if "step" in params else "top"
    answer = school.get(f"/v1/bandwidth/{path}", "engineer", params=params)
    assert answer.status_code == 422
    assert answer.json()["mend"]
