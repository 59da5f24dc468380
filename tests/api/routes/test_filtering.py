"""`/v1/filtering/…` as it is asked."""

import csv
import io

import pytest

from tests.api.conftest import Running


def test_csv_of_the_summary(school: Running) -> None:
    """Keys first, intervals as two numbers."""
    text = school.get(
        "/v1/filtering/summary", "auditor", params={"by": ["site", "category"]}, accept="text/csv"
    ).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0])[:2] == ["site", "category"]
    assert rows[0]["block_rate_95"].count(";") == 1
    assert {row["category"]: row["block_rate"] for row in rows}["chat"] == ""


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"verdict": "blocked"}, 4),
        ({"categories": "!abuse"}, 7),
        ({"name": "friends.example"}, 5),
        ({"name": "never.example"}, 0),
        ({"action": "!prohibit"}, 3),
    ],
)
def test_attempts_are_filtered(school: Running, params: dict, count: int) -> None:
    """By verdict, category and name; a name of abuse is not confirmed."""
    assert len(school.get("/v1/filtering/attempts", "auditor", params=params).json()["rows"]) == count


def test_the_summary_takes_no_names(school: Running) -> None:
    """An aggregate must not confirm what a row would withhold."""
    assert school.get("/v1/filtering/summary", "auditor", params={"name": "never.example"}).status_code == 422


def test_repeated_keys_count_once(school: Running) -> None:
    """The same key twice is one; an unknown one is refused."""
    got = school.get("/v1/filtering/summary", "auditor", params={"by": ["group", "group"]}).json()
    assert got["by"] == ["group"]
    assert school.get("/v1/filtering/summary", "auditor", params={"by": "client"}).status_code == 422
