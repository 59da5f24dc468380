"""`/v1/health` as CSV."""

import csv
import io

from tests.api.conftest import Running


def test_csv_has_a_row_a_sensor(school: Running) -> None:
    """Gaps are intervals in one cell, and what is unknown is empty."""
    asked = {"from": "2026-03-02T17:00:00Z", "to": "2026-03-02T17:10:00Z"}
    text = school.get("/v1/health", "auditor", params=asked, accept="text/csv").text
    rows = {row["sensor"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["aula"]["gaps"] == "2026-03-02T17:03:20Z/2026-03-02T17:04:50Z"
    assert (rows["annex"]["state"], rows["annex"]["packets"]) == ("unknown", "")
