"""Listings: every row once, under inserts too, and only what the grant shows."""

import csv
import io
from datetime import UTC, datetime

import pytest

from tests.api.conftest import Running
from tests.api.school import LAPTOP, NINE, OFFICE, PLAIN, SECOND, TABLET, flow, put

DAY = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}


def rows(running: Running, path: str, *roles: str, **params: object) -> list[dict]:
    answer = running.get(path, *roles, params={**DAY, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_pages_hold_every_row_once(school: Running) -> None:
    """Pages of any size together are the whole listing, in its order."""
    whole = rows(school, "/v1/flows", "engineer", limit=1_000)
    assert len(whole) == 25
    for limit in (6, 24, 25):
        got, cursor = [], None
        while True:
            page = school.get(
                "/v1/flows",
                "engineer",
                params={**DAY, "limit": limit} | ({"cursor": cursor} if cursor else {}),
            ).json()
            got += page["rows"]
            cursor = page["next"]
            if cursor is None:
                break
        assert got == whole


def test_inserts_do_not_move_pages(scratch: Running) -> None:
    """Rows that arrive between pages, newer and older, neither double nor drop what was there before."""
    put(scratch.store, "flows", [flow(at, TABLET, **PLAIN) for at in range(100, 130)])
    got, cursor, number = [], None, 0
    while True:
        params = {**DAY, "limit": 7} | ({"cursor": cursor} if cursor else {})
        page = scratch.get("/v1/flows", "engineer", params=params).json()
        got += [row["flow_id"] for row in page["rows"]]
        number += 1
        put(scratch.store, "flows", [flow(200 + number, OFFICE, **PLAIN), flow(number, OFFICE, **PLAIN)])
        cursor = page["next"]
        if cursor is None:
            break
    assert [at for at in got if 100 <= at < 130] == list(range(129, 99, -1))
    assert len(got) == len(set(got))


def test_pages_reach_over_hours_and_days(scratch: Running) -> None:
    """However far apart rows are, pages of any size together are all of them, newest first."""
    ages = [*range(0, 3_000, 1_000), *range(5_000, 80_000, 25_000), *range(100_000, 500_000, 90_000)]
    put(
        scratch.store,
        "flows",
        [flow(-age, TABLET, **{**PLAIN, "sensor": "far", "flow_id": age}) for age in ages],
    )
    asked = {"from": "2026-02-20T00:00:00Z", "to": "2026-03-02T17:10:00Z", "sensor": "far"}
    for limit in (1, 2, 3, 4, 5, 7, len(ages)):
        got, cursor = [], {}
        while cursor is not None:
            page = scratch.get("/v1/flows", "engineer", params={**asked, "limit": limit, **cursor}).json()
            got += [row["flow_id"] for row in page["rows"]]
            cursor = {"cursor": page["next"]} if page["next"] else None
        assert got == ages


def test_a_range_may_end_behind_the_last_hour_there_is(scratch: Running) -> None:
    """Rows of a wrong clock are found, and others beside them, whichever end of the range is past 2106."""
    late = int(datetime(2150, 1, 1, 0, 30, tzinfo=UTC).timestamp() - NINE / SECOND)
    put(scratch.store, "flows", [flow(at, LAPTOP, sensor="wrong", **PLAIN) for at in (5, late)])

    def starts(first: str) -> list[str]:
        asked = {"from": first, "to": "2199-12-31T00:00:00Z", "sensor": "wrong"}
        return [row["start"] for row in rows(scratch, "/v1/flows", "engineer", **asked)]

    assert starts("2149-01-01T00:00:00Z") == ["2150-01-01T00:30:00Z"]
    assert starts("2026-01-01T00:00:00Z") == ["2150-01-01T00:30:00Z", "2026-03-02T17:00:05Z"]


def test_equal_rows_are_all_given(scratch: Running) -> None:
    """Rows that are the same in every column each count, across the borders of pages."""
    same = {**DAY, "sensor": "twin", "limit": 2}
    for copy in range(5):
        put(
            scratch.store,
            "flows",
            [flow(50, LAPTOP, sensor="twin", lost=0, ja4=""), flow(900 + copy, LAPTOP, **PLAIN)],
        )
    count, cursor = 0, None
    while True:
        page = scratch.get(
            "/v1/flows", "engineer", params=same | ({"cursor": cursor} if cursor else {})
        ).json()
        count += len(page["rows"])
        cursor = page["next"]
        if cursor is None:
            break
    assert count == 5


def test_a_cursor_belongs_to_its_question(school: Running) -> None:
    """With other filters, or for another listing, it is refused with the mend."""
    cursor = school.get("/v1/flows", "engineer", params={**DAY, "limit": 1}).json()["next"]
    for path, params in (("/v1/flows", {"group": "staff"}), ("/v1/dns", {})):
        answer = school.get(path, "engineer", params={"cursor": cursor, **params})
        assert answer.status_code == 422
        assert "same filters" in answer.json()["mend"]


def test_a_cursor_keeps_the_range(school: Running) -> None:
    """A relative range stays what it was when the first page was asked."""
    first = school.get("/v1/flows", "engineer", params={"limit": 2}).json()
    second = school.get("/v1/flows", "engineer", params={"limit": 2, "cursor": first["next"]}).json()
    assert (second["from"], second["to"]) == (first["from"], first["to"])


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"client": LAPTOP}, 12), ({"client": "10.20.0.0/16"}, 23), ({"client": f"!{TABLET}"}, 14),
        ({"application": ""}, 1), ({"server_port": "443"}, 25), ({"rtt_us": "unknown"}, 25),
        ({"bytes_down": "<1000"}, 2), ({"server_name": "*.example"}, 21),
        ({"client_mac": "02:00:5e:00:00:11"}, 11),
        ({"group": ["staff", "students"]}, 25), ({"site": "annex"}, 0),
    ],
)  # fmt: skip
def test_filters(school: Running, filters: dict, count: int) -> None:
    """Each kind of filter takes the rows it names."""
    assert len(rows(school, "/v1/flows", "engineer", limit=1_000, **filters)) == count


def test_engineers_see_no_categories_of_persons(school: Running) -> None:
    """No category columns, and no names or servers of delicate rows."""
    got = rows(school, "/v1/flows", "engineer", limit=1_000)
    assert not {"categories", "action", "clause", "verdict", "mechanism"} & set().union(*got)
    text = str(got)
    for name in ("adult", "never.example", "exampleabuse", "crisis"):
        assert name not in text
    hidden = [row for row in got if row.get("withheld")]
    assert len(hidden) == 3
    assert all(row[c] is None for row in hidden for c in ("server_name", "service", "server", "community_id"))
    assert LAPTOP in text


@pytest.mark.parametrize(
    "filters",
    [
        {"server_name": "adult.example"},
        {"service": "exampleadult"},
        {"server": "192.0.2.80", "bytes_down": "50000"},
    ],
)
def test_filters_do_not_confirm_withheld_names(school: Running, filters: dict) -> None:
    """Asking for a withheld name by filter gives no row of it."""
    assert [row for row in rows(school, "/v1/flows", "engineer", **filters) if row.get("withheld")] == []


def test_investigators_see_one_host_in_a_case(school: Running) -> None:
    """Categories and names of that host; still nothing of abuse or crisis support."""
    got = rows(school, "/v1/flows", "investigator", client=LAPTOP, case="7/26", limit=1_000)
    assert {row["client"] for row in got} == {LAPTOP}
    assert "adult.example" in str(got)
    assert "never.example" not in str(got)
    tablet = rows(school, "/v1/flows", "investigator", client=TABLET, case="7/26", limit=1_000)
    assert "crisis" not in str(tablet)
    for params in ({"client": LAPTOP}, {"case": "7"}, {"client": "10.0.0.0/8", "case": "7"}):
        assert school.get("/v1/flows", "investigator", params=params).status_code == 403


def test_auditors_see_pseudonyms(school: Running) -> None:
    """Attempts without an address, the same host under one pseudonym, no samples, no abuse name."""
    got = rows(school, "/v1/filtering/attempts", "auditor")
    text = str(got)
    assert not any(address in text for address in (TABLET, LAPTOP, OFFICE, "never.example"))
    assert len({row["client"] for row in got}) == 3
    assert all(row["client"].startswith("h-") and row["samples"] is None for row in got)
    assert school.get("/v1/filtering/attempts", "auditor", params={"client": LAPTOP}).status_code == 403


def test_reads_are_logged_before_they_are_answered(school: Running) -> None:
    """Who, roles, path, host, case, query and rows are in the log after each read of hosts."""
    before = school.logged()
    rows(school, "/v1/flows", "investigator", client=LAPTOP, case="7/26", limit=2)
    assert school.logged() == before + 1
    last = school.store.rows("SELECT * FROM access_log ORDER BY at DESC LIMIT 1")[0]
    assert (last["path"], last["subject"], last["case_reference"], last["rows"]) == (
        "/v1/flows",
        LAPTOP,
        "7/26",
        2,
    )
    assert last["token_name"] == "investigator"
    assert "case=7" in last["query"]


def test_csv_holds_the_same_rows(school: Running) -> None:
    """By `Accept`, all rows up to the limit come as CSV; what was left out is said, and it is logged."""
    before = school.logged()
    answer = school.get("/v1/flows", "engineer", params={**DAY, "limit": 20}, accept="text/csv")
    got = list(csv.DictReader(io.StringIO(answer.text)))
    want = rows(school, "/v1/flows", "engineer", limit=20)
    assert answer.headers["content-type"].startswith("text/csv")
    assert (answer.headers["x-rows"], answer.headers["x-more"]) == ("20", "true")
    assert [row["flow_id"] for row in got] == [str(row["flow_id"]) for row in want]
    assert got[0]["rtt_us"] == ""
    assert school.logged() == before + 2


def test_json_comes_first_where_both_are_taken(school: Running) -> None:
    """The order in `Accept` decides, and anything else is JSON."""
    for accept, kind in (("*/*", "application/json"), ("application/json, text/csv", "application/json")):
        assert school.get("/v1/dns", "engineer", accept=accept).headers["content-type"] == kind


def test_findings_mix_grants_by_row(school: Running) -> None:
    """Engineer and auditor: hosts in findings about the network, pseudonyms about filtering."""
    got = {row["class"]: row for row in rows(school, "/v1/findings", "engineer", "auditor")}
    assert got["scanning"]["subject"] == LAPTOP
    assert got["filtering"]["subject"].startswith("h-")
    assert TABLET not in str(got["filtering"])
    assert {row["class"] for row in rows(school, "/v1/findings", "engineer")} == {"scanning", "equipment"}
    assert "5e:00" not in str(rows(school, "/v1/findings", "auditor"))


def test_ranges_take_findings_that_overlap(school: Running) -> None:
    """A finding that began before the range and lasts into it is in it."""
    inside = {"from": "2026-03-02T17:05:30Z", "to": "2026-03-02T17:06:30Z"}
    got = school.get("/v1/findings", "engineer", "auditor", params=inside).json()["rows"]
    assert {row["id"][-1] for row in got} == {"1", "2", "3"}
    after = {"from": "2026-03-02T17:06:00Z", "to": "2026-03-02T17:06:30Z"}
    got = school.get("/v1/findings", "engineer", "auditor", params=after).json()["rows"]
    assert {row["id"][-1] for row in got} == {"2", "3"}


def test_the_default_range_says_that_records_are_old(school: Running) -> None:
    """Without from and to, old records are shown to their end, with a note."""
    got = school.get("/v1/flows", "engineer").json()
    assert got["to"] == "2026-03-02T17:10:01Z"
    assert "newest record" in got["note"]
    assert NINE // SECOND == 1772470800
