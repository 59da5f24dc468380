"""Which pieces of event time a round judges."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.detect import Detectors
from classifiers.detector import load_detectors
from classifiers.loss import REACH, floor, moment
from classifiers.pieces import (
    BLOCK,
    PIECE_S,
    blocks,
    bounded,
    need_parameters,
    needs_of,
    occupied,
    piece_seconds,
    tables_of,
    touched,
)
from tests.classifiers.conftest import at, make_policy

(ADDRESS_SCAN,) = (d for d in load_detectors() if d.name == "address_scan")
DAY = 86_400


@pytest.mark.parametrize(("step", "seconds"), [(10, 1_800), (300, 1_800), (420, 2_100), (3_600, 3_600)])
def test_pieces_are_whole_steps_of_half_an_hour_at_least(step, seconds):
    """A piece is the least number of steps that makes half an hour, however long the windows are."""
    assert piece_seconds(replace(ADDRESS_SCAN, window=DAY, step=step)) == seconds


def _slot(seconds: float) -> int:
    return int(at(seconds).timestamp()) // PIECE_S


def test_a_row_touches_its_piece_and_those_that_look_back_at_it():
    """The piece of the row, and later ones within window and lookback, where these hold rows."""
    slots = {_slot(0), _slot(PIECE_S), _slot(20 * PIECE_S)}
    found = touched(ADDRESS_SCAN, at(0), at(0), slots, [])
    start = floor(at(0), PIECE_S)
    length = timedelta(seconds=PIECE_S)
    assert found == [(start, start + length), (start + length, start + 2 * length)]


def test_pieces_that_held_something_are_judged_without_rows():
    """What was found before is looked at again where the loss around it may have become known."""
    start = floor(at(0), PIECE_S)
    assert touched(ADDRESS_SCAN, start + timedelta(minutes=1), start + timedelta(minutes=1), [], [start])
    earlier = start - timedelta(seconds=PIECE_S)
    assert touched(ADDRESS_SCAN, start + REACH / 2, start + REACH / 2, [], [earlier])
    assert not touched(ADDRESS_SCAN, start + 2 * REACH, start + 2 * REACH, [], [earlier])


def test_rows_are_found_by_table_and_slot(scribe):
    """Each table says in which half hours it holds rows."""
    scribe.flow(0, "10.20.0.1", "203.0.113.1")
    scribe.dns(2 * PIECE_S, "10.20.0.1", "a.example")
    scribe.write()
    slots = occupied(scribe.store, at(-10), at(3 * PIECE_S))
    assert slots["flows"] == {_slot(0)}
    assert slots["dns"] == {_slot(2 * PIECE_S)}
    assert slots["sightings"] == slots["attempts"] == set()


def test_sightings_are_told_apart_by_source(scribe):
    """A detector of one protocol is not run where only another was seen."""
    scribe.sighting(0, "arp", 1, "10.20.0.1")
    scribe.write()
    slots = occupied(scribe.store, at(-10), at(10))
    assert slots["sightings"] == slots["sightings arp"] == {_slot(0)}
    of = {detector.name: tables_of(detector) for detector in load_detectors()}
    assert of["rogue_dhcp"] == {"sightings dhcp_offer", "sightings dhcp_ack"}
    assert of["link_load"] == of["address_scan"] == {"flows"}


def test_a_long_range_is_worked_on_in_days_that_hold_rows(scribe):
    """Of thirty years only two days are looked at; a clock beyond all bounds is set to their ends."""
    scribe.flow(0, "10.20.0.1", "203.0.113.1")
    scribe.flow(-20 * 365 * DAY, "10.20.0.1", "203.0.113.1")
    scribe.write()
    found = list(blocks(scribe.store, at(-20 * 365 * DAY), at(10 * 365 * DAY)))
    assert len(found) == 2
    assert all(until - start <= BLOCK for start, until in found)
    assert bounded(moment(1 << 53)).year == 2106
    assert bounded(at(0)) == at(0)


def _named(name):
    (detector,) = (d for d in load_detectors() if d.name == name)
    return detector


def test_conditions_stand_for_their_table():
    """What a header needs of a table replaces it; other tables count whole, sightings by source."""
    assert tables_of(_named("adaptive_streaming")) == {"flows where bursts_down > 0"}
    assert tables_of(_named("mixed_systems")) == {
        "flows where protocol = 6 AND start = first",
        "dns where has({mixed_systems_system_names:Array(String)}, qname)",
        "sightings dhcp_request",
    }
    # A rollup of flows.
    assert tables_of(_named("sustained_rate")) == {
        "flows where notEmpty({sustained_rate_rate_quota_mbps:Array(Float64)})"
    }


def test_every_shipped_condition_can_be_asked(scribe):
    """All conditions of all detectors stand in one statement, each with its own numbers."""
    scribe.flow(0, "10.20.0.1", "203.0.113.1", logins=1)
    scribe.write()
    detectors = load_detectors()
    judge = Detectors(scribe.store, make_policy(), detectors)
    slots = judge._occupied(at(-10), at(10))
    assert slots["flows where logins > 0"] == slots["flows"] == {_slot(0)}
    assert not slots["flows where bursts_down > 0"]
    assert not slots["flows where false"]
    assert {need.table for detector in detectors for need in needs_of(detector)} == {
        "flows", "dns", "sightings", "attempts"
    }  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 4 * PIECE_S), st.integers(0, 6)), min_size=1, max_size=12),
    st.integers(1, 60),
)
def test_slots_of_a_condition_are_those_of_its_rows(scribe, rows, megabytes):
    """A slot is told exactly where a row fulfils the condition with the threshold in force."""
    scribe.store.command("TRUNCATE TABLE flows")
    for seconds, tens in rows:
        scribe.flow(seconds, "10.20.0.1", "203.0.113.1", bytes_down=tens * 1_000_000)
    scribe.write()
    elephants = _named("elephant_flow")
    needs = needs_of(elephants)
    asked = need_parameters(elephants, {"megabytes_min": float(megabytes)})
    slots = occupied(scribe.store, at(0), at(4 * PIECE_S), needs, asked)
    assert slots[needs[0].word] == {_slot(s) for s, tens in rows if tens * 10 >= megabytes}
    assert slots["flows"] == {_slot(s) for s, _ in rows}
