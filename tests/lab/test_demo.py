"""The bundled capture against its truth: what was done in the lab is what the product says was done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capture.sensor import Sensor
from capture.sources.pcap import open_capture
from pipeline.settings import Settings
from pipeline.stream.message import encode
from spanwatch.services import open_parts
from tests.pipeline.stores import made_state

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "spanwatch" / "data"
TRUTH: dict[str, Any] = json.loads((DATA / "demo.truth.json").read_text())
EXPECTED = [
    pytest.param(scenario, expected, id=f"{scenario['id']}-{expected.get('detector', expected['kind'])}")
    for scenario in TRUTH["scenarios"]
    for expected in scenario["expect"]
]


class Seen:
    """What the product made of the capture: rows of three tables, totals of two."""

    def __init__(self, store: Any) -> None:
        self.attempts = store.rows(
            "SELECT toString(client) AS client, name, toString(`group`) AS `group`, categories, "
            "toString(action) AS action, toString(verdict) AS verdict, toString(mechanism) AS mechanism "
            "FROM attempts FINAL"
        )
        self.findings = store.rows("SELECT toString(detector) AS detector, subject FROM findings FINAL")
        self.health = store.rows("SELECT sum(packets) AS frames, sum(malformed) AS malformed FROM health")[0]
        self.vlans = store.rows("SELECT DISTINCT vlan FROM flows ORDER BY vlan")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The capture through sensor, log, classifier, store and detectors."""
    own = Settings(state=made_state(tmp_path_factory.mktemp("made") / "state"))
    with open_parts(own) as parts:
        sensor, sequence = Sensor(own.sensor, "demo"), 0
        with open_capture(str(DATA / TRUTH["capture"])) as capture:
            for frames in capture:
                sequence = put(parts.log, sensor.feed(frames), sequence)
        put(parts.log, sensor.finish(), sequence)
        parts.worker.drain()
        yield Seen(parts.store)


def put(log: Any, batches: Any, sequence: int) -> int:
    """Writes batches to the log; the next sequence number."""
    messages = [
        encode(records, batch, sensor="demo", boot="demo", sequence=number)
        for number, (records, batch) in enumerate(batches, sequence)
    ]
    if messages:
        log.append(messages)
    return sequence + len(messages)


def test_every_frame_is_counted(seen: Seen) -> None:
    """The sensor's count is the recorder's, nothing is malformed, and each VLAN of the mirror is there."""
    assert int(seen.health["frames"]) == TRUTH["counts"]["frames"]
    assert int(seen.health["malformed"]) == 0
    assert [row["vlan"] for row in seen.vlans] == [20, 30, 40]


@pytest.mark.parametrize(("scenario", "expected"), EXPECTED)
def test_what_was_done_is_found(seen: Seen, scenario: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each attempt has the verdict it deserves, each finding is there for its host."""
    if expected["kind"] == "finding":
        assert (expected["detector"], expected["subject"]) in {
            (row["detector"], row["subject"]) for row in seen.findings
        }
        return
    for name in expected.get("names", scenario["names"]):
        rows = [r for r in seen.attempts if scenario["address"] in r["client"] and r["name"] == name]
        assert rows, f"no attempt for {name}"
        for row in rows:
            assert expected["category"] in row["categories"]
            assert row["verdict"] == expected["verdict"]
            assert row["mechanism"] == expected.get("mechanism", "")
            if expected.get("policy") in ("allow", "limit", "prohibit"):
                assert row["action"] == expected["policy"]


def test_nobody_else_is_found_fault_with(seen: Seen) -> None:
    """Every finding is one that the truth expects of that host, or follows from what it did."""
    expected = {
        (e["detector"], e["subject"]) for s in TRUTH["scenarios"] for e in s["expect"] if "detector" in e
    }
    hosts = {subject for _, subject in expected} | {"10.20.0.88"}
    assert {row["subject"] for row in seen.findings} <= hosts
