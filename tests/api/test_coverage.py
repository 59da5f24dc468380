"""Coverage: counters, loss, gaps, and sensors that were silent."""

import random

import pytest

from api.times import utc_text
from tests.api.conftest import Running
from tests.api.school import NINE, OFFICE, SECOND, TABLET, flow, put

MORNING = {"from": "2026-03-02T17:00:00Z", "to": "2026-03-02T17:10:00Z"}


def sensors(running: Running, **params: str) -> dict[str, dict]:
    got = running.get("/v1/health", "auditor", params=params).json()
    return {sensor["sensor"]: sensor for sensor in got["sensors"]}


def test_counters_and_loss(school: Running) -> None:
    """Ticks in the range are summed, not the one at its end; loss is a share of what was offered."""
    aula = sensors(school, **MORNING)["aula"]
    assert (aula["packets"], aula["dropped_kernel"]) == (50_000, 500)
    assert aula["loss"] == pytest.approx(500 / 50_500)


def test_gaps_are_told(school: Running) -> None:
    """Ninety seconds without a tick are a gap, and the range is not wholly covered."""
    aula = sensors(school, **MORNING)["aula"]
    assert aula["gaps"] == [{"from": "2026-03-02T17:03:20Z", "to": "2026-03-02T17:04:50Z", "seconds": 90.0}]
    assert aula["covered"] == pytest.approx(1 - 90 / 600)


def test_gaps_are_where_neither_ticks_nor_records_are(scratch: Running) -> None:
    """Whole slots, torn ones, the range's ends and a file's records together tell each gap once."""
    chance = random.Random(7)
    day = NINE - 7 * 86_400 * SECOND
    ticks, at = [], 3
    while at < 7_000:
        ticks.append(at)
        at += chance.choice((10, 10, 10, 10, 10, 20, 45, 10, 10, 10)) if at % 1_500 < 700 else 10
        at += chance.choice((0,) * 99 + (700,))
    put(scratch.store, "health", [
        {"ts": day + at * SECOND, "sensor": "uneven", "boot": "u1", "sequence": n, "event": "tick"}
        for n, at in enumerate(ticks)
    ])  # fmt: skip
    records = [(at, at + chance.randrange(1, 900)) for at in range(4_000, 9_000, 1_300)]
    put(scratch.store, "batches", [
        {"sensor": "uneven", "boot": "file", "sequence": n, "records": "flows", "rows": 5, "inserted": NINE,
         "first": day + first * SECOND, "last": day + last * SECOND}
        for n, (first, last) in enumerate(records)
    ])  # fmt: skip
    for first, last in ((0, 10_000), (77, 6_913), (1_490, 1_800), (600, 7_000)):
        seen = [(at - 10, at) for at in ticks if first <= at < last + 10]
        seen += [span for span in records if span[0] < last and span[1] >= first]
        expected, until = [], first
        for began, ended in [*sorted(seen), (last, last)]:
            if began > until + 30 and until < last:
                expected.append((until, min(began, last)))
            until = max(until, ended)
        bounds = {"from": utc_text(day + first * SECOND), "to": utc_text(day + last * SECOND)}
        told = sensors(scratch, **bounds)["uneven"]["gaps"]
        assert [(gap["from"], gap["to"]) for gap in told] == [
            (utc_text(day + a * SECOND), utc_text(day + b * SECOND)) for a, b in expected
        ]
        assert expected


def test_before_the_first_tick_is_a_gap(school: Running) -> None:
    """A range that begins earlier has a gap at its beginning."""
    aula = sensors(school, **{**MORNING, "from": "2026-03-02T16:00:00Z"})["aula"]
    assert aula["gaps"][0] == {
        "from": "2026-03-02T16:00:00Z",
        "to": "2026-03-02T17:00:00Z",
        "seconds": 3600.0,
    }


def test_a_silent_sensor_is_unknown(school: Running) -> None:
    """A sensor that is known and did not report has nulls, not zeros, and one gap over all."""
    annex = sensors(school, **MORNING)["annex"]
    assert (annex["state"], annex["packets"], annex["covered"]) == ("unknown", None, None)
    assert annex["gaps"][0]["seconds"] == 600


def test_short_files_are_covered_by_their_records(scratch: Running) -> None:
    """A boot without a tick is covered for the time of its flows, and its stop row counts there."""
    first = NINE + 7_200 * SECOND
    put(scratch.store, "batches", [
        {"sensor": "file", "boot": "f1", "sequence": 0, "records": "flows", "rows": 5, "first": first,
         "last": first + 8 * SECOND, "inserted": NINE},
    ])  # fmt: skip
    put(scratch.store, "health", [
        {"ts": NINE + 90_000 * SECOND, "sensor": "file", "boot": "f1", "sequence": 1, "event": "stop",
         "packets": 77, "version": "0.1.0"},
    ])  # fmt: skip
    got = sensors(scratch, **{"from": "2026-03-02T19:00:00Z", "to": "2026-03-02T19:00:10Z"})["file"]
    assert (got["packets"], got["covered"], got["gaps"]) == (77, 1.0, [])


def test_batches_without_all_their_parts_are_counted(scratch: Running) -> None:
    """What came in parts and lacks one for minutes is told; what is whole, on its way or elsewhere is not."""
    put(scratch.store, "health", [
        {"ts": NINE + 9_000 * SECOND, "sensor": "split", "boot": "s1", "sequence": 9, "event": "tick"},
    ])  # fmt: skip
    for sequence, part, ago in ((0, 0, 300), (0, 1, 300), (1, 1, 300), (2, 0, 5), (3, 0, 300), (3, 0, 300)):
        scratch.store.command(
            "INSERT INTO batches (sensor, boot, sequence, part, parts, records, rows, first, last, stored) "
            f"SELECT 'split', 's1', {sequence}, {part}, 2, 'flows', 5, fromUnixTimestamp64Micro({NINE}) "
            "+ INTERVAL 9000 SECOND AS began, began + INTERVAL 5 SECOND, "
            "now64(3) - toIntervalSecond({ago:UInt32})",
            {"ago": ago},
        )
    at = {"from": "2026-03-02T19:29:00Z", "to": "2026-03-02T19:31:00Z"}
    assert sensors(scratch, **at)["split"]["incomplete_batches"] == 2
    before = {"from": "2026-03-02T18:00:00Z", "to": "2026-03-02T19:00:00Z"}
    assert sensors(scratch, **before)["split"].get("incomplete_batches", 0) == 0


def test_an_empty_store_knows_nothing(empty: Running) -> None:
    """No sensor, and visibility unknown."""
    got = empty.get("/v1/health", "auditor").json()
    assert got["sensors"] == []
    assert got["visibility"]["named_share"] is None


def test_visibility_keeps_the_unnamed_in_the_denominator(school: Running) -> None:
    """The share with a name is of all bytes."""
    got = school.get("/v1/health", "auditor", params=MORNING).json()["visibility"]
    assert got["bytes"] == 766_000
    assert got["named_share"] == pytest.approx(1 - 1_300 / 766_000, abs=1e-6)
    assert got["unrecognised_share"] == pytest.approx(1_300 / 766_000, abs=1e-6)


def test_names_out_of_sight(scratch: Running) -> None:
    """What hid names is told by site and group, what may have is told apart, the rest stays below."""
    third = NINE + 14_400 * SECOND
    cases = {
        "tunnel": {"application": "wireguard", "name_source": "none"},
        "encrypted_dns": {"server_port": 853},
        "ech": {"ech": "grease_or_real", "server_name": "cloudflare-ech.com"},
        "no_name": {"name_source": "none"},
        "ech_or_grease": {"ech": "grease_or_real", "server_name": "www.example"},
        "dns": {"name_source": "dns", "server_name": "www.example"},
        "named": {"server_name": "www.example"},
        "nameless": {"application": "ntp", "name_source": "none"},
    }
    rows = [
        flow(
            0, TABLET, start=third, first=third, flow_id=900 + number, bytes_up=0, bytes_down=1_000, **values
        )
        for number, values in enumerate(cases.values())
    ]
    rows.append(flow(0, OFFICE, start=third, first=third, flow_id=990, bytes_up=0, bytes_down=2_000))
    put(scratch.store, "flows", rows)
    params = {"from": "2026-03-02T21:00:00Z", "to": "2026-03-02T21:10:00Z"}
    got = scratch.get("/v1/health", "auditor", params=params).json()["visibility"]
    assert (got["hidden_share"], got["hidden_flows_share"]) == (0.4, pytest.approx(4 / 9, abs=1e-6))
    assert got["perhaps_hidden_share"] == 0.2
    staff, students = got["groups"]
    assert (staff["group"], staff["hidden_share"]) == ("staff", 0)
    assert {reason["reason"]: reason["bytes_share"] for reason in students["reasons"]} == dict.fromkeys(
        ("tunnel", "encrypted_dns", "ech", "no_name", "ech_or_grease", "dns"), 0.125
    )
