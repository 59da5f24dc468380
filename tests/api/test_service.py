"""Questions, the log of reads, and what happens when the store does not answer."""

import threading
import time
from typing import NoReturn

import pytest

from api.service import statement
from pipeline.store.client import READERS
from tests.api.conftest import Running
from tests.api.school import NINE, SECOND, put


def test_parts_are_filled_in() -> None:
    """A statement has no open places left."""
    text = statement("top", keys="a AS k0", names="k0", groups="k0", sources="1", traffic="traffic_1m")
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


def test_a_page_leaves_places_to_others(scratch: Running) -> None:
    """Acts that ask further ones are never more at a time than half of the store's places, and two are."""
    desk = scratch.app.state.service
    lock, meeting = threading.Lock(), threading.Barrier(2)
    running, most = 0, 0

    def act(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return number

    def nested(number: int) -> list[int]:
        return desk.at_once(*(lambda n=n: act(number + n) for n in range(4)))

    found = desk.at_once(*(lambda n=n: nested(10 * n) for n in range(6)))
    assert found == [[10 * tens + ones for ones in range(4)] for tens in range(6)]
    assert most <= READERS // 2
    assert sorted(desk.at_once(lambda: meeting.wait(10), lambda: meeting.wait(10))) == [0, 1]


def test_a_failing_act_waits_for_no_other(scratch: Running) -> None:
    """Its error is told while another is under way, and what had not begun never begins."""
    begun, release = threading.Event(), threading.Event()
    late: list[int] = []

    def fail() -> NoReturn:
        assert begun.wait(10)
        raise LookupError("this one")

    def last() -> bool:
        begun.set()
        return release.wait(5)

    try:
        with pytest.raises(LookupError, match="this one"):
            scratch.app.state.service.at_once(fail, last, lambda: late.append(1))
        assert not release.is_set()
    finally:
        release.set()
    assert scratch.app.state.service.at_once(lambda: 1, lambda: 2) == [1, 2]
    assert late == []


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
        {"sensor": "a", "boot": "late", "sequence": 0, "records": "flows", "rows": 1, "first": NINE,
         "last": NINE + 4 * 10**9 * SECOND, "inserted": NINE},
    ])  # fmt: skip
    assert scratch.get("/v1/flows", "engineer").json()["to"] == "2026-03-03T17:00:01Z"
