"""What holds for all detectors together: the records decide, not how and when they came."""

import random
from datetime import datetime
from typing import Any

import pytest

from classifiers.loss import utc
from tests.classifiers.conftest import START, Scribe
from tests.classifiers.detectors.test_bandwidth import stream
from tests.classifiers.detectors.test_equipment import offers, shared
from tests.classifiers.detectors.test_filtering import asked
from tests.classifiers.detectors.test_scanning import sweep

TIMES = {"flows": "start", "dns": "ts", "sightings": "ts", "health": "ts"}
#: What rounds see at once: rows that came together, of any kind and time.
Delivery = list[tuple[str, dict[str, Any]]]


def happenings(scribe: Scribe) -> Delivery:
    """An hour in which much is found, and some only seems so until later rows show otherwise."""
    sweep(scribe, 60)
    sweep(scribe, 60, "10.20.0.67", start=2_400)
    # Silent at first; half an hour before or a minute later it turns out that they are there.
    sweep(scribe, 12, "10.20.0.68", start=600)
    for number in range(12):
        scribe.flow(660 + number, "10.30.0.1", f"10.10.0.{number}")
    # Eleven hosts fail together: an outage, not scanners, once all eleven are known.
    for source in range(11):
        sweep(scribe, 55, f"10.20.1.{source}", start=3_000)
    offers(scribe, "192.168.1.1")
    shared(scribe, [63, 127, 63, 127])
    asked(scribe, 12, 4)
    stream(scribe, 5, 1)
    scribe.named(1_500, "10.20.0.66", "203.0.113.1", "leak.example")
    for second in range(0, 3_600, 240):
        scribe.health(second, 1_000, 4 if second == 2_400 else 0)
        scribe.flow(second, "10.20.0.9", "203.0.113.9", bytes_down=100_000)
    rows = [(kind, row) for kind, some in scribe._rows.items() for row in some]
    for some in scribe._rows.values():
        some.clear()
    return rows


def _time(kind: str, row: dict[str, Any]) -> datetime:
    return row[TIMES[kind]]


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


def delivered(
    scribe: Scribe, deliveries: list[Delivery], *names: str, again: float = 0
) -> list[dict[str, Any]]:
    """The findings once each delivery was written and judged, some of them twice."""
    for table in (
        "flows",
        "dns",
        "sightings",
        "health",
        "attempts",
        "findings",
        "finding_parts",
        "traffic_1m",
    ):
        scribe.store.command(f"TRUNCATE TABLE {table}")
    detectors = scribe.detectors(*names)
    for number, delivery in enumerate(deliveries):
        for kind, row in delivery:
            scribe._rows[kind].append(row)
        scribe.write()
        times = [_time(kind, row) for kind, row in delivery]
        for _ in range(2 if number < again else 1):
            detectors.round(_us(min(times)), _us(max(times)))
    rows = scribe.findings()
    return [{name: value for name, value in row.items() if name != "updated"} for row in rows]


def cut(rows: Delivery, chance: random.Random, pieces: int, late: float) -> list[Delivery]:
    """The rows in `pieces` deliveries cut anywhere, in order of their time but for up to `late` seconds."""
    order = sorted(rows, key=lambda r: (_time(*r) - START).total_seconds() + chance.uniform(0, late))
    edges = sorted(chance.sample(range(1, len(order)), pieces - 1))
    return [order[a:b] for a, b in zip([0, *edges], [*edges, len(order)], strict=True)]


def test_second_run_of_everything_changes_nothing(scribe):
    """A round repeated over the same or an overlapping range writes no row."""
    rows = happenings(scribe)
    before = delivered(scribe, [rows])
    assert {row["detector"] for row in before} >= {
        "address_scan", "rogue_dhcp", "address_sharing", "prohibited_attempts", "streaming_share"
    }  # fmt: skip
    second = scribe.detectors()
    start = _us(START)
    assert second.round(start, start + 3_600_000_000) == (0, 0)
    assert second.round(start - 900_000_000, start + 60_000_000) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_arrival_and_cuts_decide_nothing(scribe, seed):
    """Rows of an hour that come in any order, in rounds cut anywhere, give what one round over all gives."""
    chance = random.Random(seed)
    rows = happenings(scribe)
    names = ("address_scan", "rogue_dhcp", "address_sharing")
    whole = delivered(scribe, [rows], *names)
    assert len(whole) >= 4
    assert delivered(scribe, cut(rows, chance, 4, late=3_600), *names, again=1) == whole


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(0, 6, 2))
def test_no_detector_depends_on_order_or_cuts(scribe, seed):
    """All detectors: minutes late or hours, three rounds or thirty, repeated ones: the same findings."""
    chance = random.Random(100 + seed)
    rows = happenings(scribe)
    whole = delivered(scribe, [rows])
    late = (60, 600, 3_600)[seed % 3]
    assert delivered(scribe, cut(rows, chance, (3, 8, 30)[seed // 2], late), again=2) == whole


def test_what_later_rows_overturn_is_withdrawn(scribe):
    """A finding that later rows show to be none stays with its reason, and comes back if they hold again."""
    rows = happenings(scribe)
    of_outage = [r for r in rows if r[0] == "flows" and _time(*r) >= utc("2026-03-02T11:10:00Z")]
    few = [r for r in of_outage if int.from_bytes(r[1]["client"][-1:]) < 5]
    rest = [r for r in of_outage if r not in few]
    found = delivered(scribe, [few, rest], "address_scan")
    assert [row["subject_kind"] for row in found] == ["site"]
    gone = scribe.store.rows("SELECT subject, withdrawn FROM findings FINAL WHERE withdrawn != ''")
    assert len(gone) == 5
    assert all("no longer bear it out" in row["withdrawn"] for row in gone)
