"""Questions, the log of reads, and what happens when the store does not answer."""

from api.service import statement
from tests.api.conftest import Running
from tests.api.school import NINE, SECOND, put


def test_parts_are_filled_in() -> None:
    """A statement has no open places left."""
    text = statement("top", keys="a AS k0", names="k0", sources="1", traffic="traffic_1m")
    assert "/*" not in text
    assert "a AS k0" in text


def test_unlogged_is_unanswered(scratch: Running) -> None:
    """Where the access log can't be written, reads of hosts get 503 and no row; aggregates go on."""
    scratch.store.command("RENAME TABLE access_log TO access_log_away")
    try:
        refused = scratch.get("/v1/devices", "helpdesk")
        assert refused.status_code == 503
        assert "access log" in refused.json()["detail"]
        assert "rows" not in refused.json()
        assert scratch.get("/v1/health", "auditor").status_code == 200
    finally:
        scratch.store.command("RENAME TABLE access_log_away TO access_log")


def test_a_store_that_fails_is_a_problem(scratch: Running) -> None:
    """A question the store refuses is 503 with a mend, and tells nothing of the store's own words."""
    scratch.store.command("RENAME TABLE dns TO dns_away")
    try:
        answer = scratch.get("/v1/dns", "engineer", params={"from": "-1h"})
        assert answer.status_code == 503
        assert "dns_away" not in answer.text
        assert "Exception" not in answer.text
    finally:
        scratch.store.command("RENAME TABLE dns_away TO dns")


def test_no_flows_no_range(empty: Running) -> None:
    """Without records the default range is the last hour, with no note."""
    got = empty.get("/v1/flows", "engineer").json()
    assert (got["rows"], got["next"], got["note"]) == ([], None, "")


def test_a_packet_from_the_future_does_not_hide_the_present(scratch: Running) -> None:
    """The default range ends with the records, not with one wrong clock."""
    put(scratch.store, "batches", [
        {"sensor": "a", "boot": "now", "sequence": 0, "records": "flows", "rows": 1, "first": NINE,
         "last": NINE + 86_400 * SECOND, "inserted": NINE},
        {"sensor": "a", "boot": "then", "sequence": 0, "records": "flows", "rows": 1, "first": 0,
         "last": NINE + 10**9 * SECOND, "inserted": NINE},
    ])  # fmt: skip
    assert scratch.get("/v1/flows", "engineer").json()["to"] == "2026-03-03T17:00:01Z"
