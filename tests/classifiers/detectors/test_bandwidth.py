"""Who takes more of the line than is theirs."""

from typing import Any

import pytest

HOST = "10.20.0.66"


def stream(scribe: Any, mbps: float, others: float, minutes: int = 5, **values: Any) -> None:
    for minute in range(minutes):
        scribe.flow(
            minute * 60, "10.20.0.15", "203.0.113.9", bytes_down=int(mbps * 1e6 / 8 * 60), service="youtube",
            categories=["streaming_video"], **{"group": "students", **values},
        )  # fmt: skip
        scribe.flow(minute * 60, "10.20.0.16", "203.0.113.8", bytes_down=int(others * 1e6 / 8 * 60))


@pytest.mark.parametrize(
    ("mbps", "others", "values", "found"),
    [
        (3, 3, {}, 1),
        (3, 10, {}, 0),
        (0.9, 0.1, {}, 0),
        (3, 3, {"group": "staff"}, 0),
        (3, 3, {"categories": ["education"]}, 0),
    ],
)
def test_streaming_share_of_the_link(scribe, mbps, others, values, found):
    """Streaming above the group's share and a megabit a second; other groups and traffic are left alone."""
    values = dict(values)
    categories = values.pop("categories", None)
    if categories:
        for minute in range(5):
            scribe.flow(
                minute * 60, "10.20.0.15", "203.0.113.9", bytes_down=22_500_000, categories=categories
            )
    else:
        stream(scribe, mbps, others, **values)
    findings = scribe.detect("streaming_share")
    assert [row["subject"] for row in findings] == ["10.20.0.15"] * found
    if found:
        assert findings[0]["inputs"]["mbps"] == 3
        assert findings[0]["inputs"]["allowed_percent"] == 25
        assert "youtube" in findings[0]["statement"]


@pytest.mark.parametrize(("megabytes", "lasts", "found"), [(120, 10, 1), (99, 5, 0), (120, 25, 0)])
def test_elephant_flow(scribe, megabytes, lasts, found):
    """More than 100 MB at more than 50 Mb/s."""
    scribe.flow(0, HOST, "203.0.113.1", bytes_down=megabytes * 10**6, lasts=lasts, server_name="cdn.example")
    findings = scribe.detect("elephant_flow")
    assert len(findings) == found
    if found:
        assert "cdn.example" in findings[0]["statement"]
