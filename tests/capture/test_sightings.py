"""Sightings: text that is bounded, empty facts, what was said minutes ago."""

import numpy as np
import pytest

from capture.sightings import (
    ATTRIBUTE,
    REPEAT_US,
    SIGHTING_TEXT,
    SOURCE,
    close_attribute,
    close_name,
    close_sighting,
    close_value,
    has_sighting_room,
    open_attribute,
    open_sighting,
)
from capture.table import Table
from pipeline.records import SIGHTING_SOURCES
from tests.capture.packets import small_sensor

pytestmark = pytest.mark.uncompiled


def say(table: Table, ts: int, name: bytes, value: bytes = b"", fact: bytes = b"") -> int:
    """Say it; sightings kept so far."""
    packet = table.packet[0]
    packet.ts = ts
    packet.vlan = 3
    row = open_sighting(table, packet, SOURCE["arp"], 7, 0, 9)
    for close, text in ((close_name, name), (close_value, value)):
        at = int(table.meter[0].text_used)
        table.text[at : at + len(text)] = np.frombuffer(text, np.uint8)
        close(table, row, at + len(text))
    at = int(open_attribute(table, ATTRIBUTE["op"]))
    table.text[at : at + len(fact)] = np.frombuffer(fact, np.uint8)
    close_attribute(table, row, at + len(fact))
    close_sighting(table, row)
    return int(table.meter[0].sighting_rows)


def test_the_same_within_10_minutes_is_not_kept() -> None:
    """What was said is kept once; its text leaves the arena again."""
    table = small_sensor().table
    assert say(table, 0, b"a", b"v", b"f") == 1
    used = int(table.meter[0].text_used)
    assert say(table, REPEAT_US - 1, b"a", b"v", b"f") == 1
    assert table.meter[0].text_used == used
    assert say(table, REPEAT_US, b"a", b"v", b"f") == 2


@pytest.mark.parametrize(
    "said", [(b"b", b"v", b"f"), (b"a", b"w", b"f"), (b"a", b"v", b"g"), (b"av", b"", b"f")]
)
def test_any_difference_is_another_sighting(said: tuple[bytes, bytes, bytes]) -> None:
    """Another name, value or fact is kept at once; texts are not confused across their borders."""
    table = small_sensor().table
    say(table, 0, b"a", b"v", b"f")
    assert say(table, 1, *said) == 2


def test_a_clock_set_back_repeats() -> None:
    """What was said "in the future" is said again."""
    table = small_sensor().table
    say(table, 1_000, b"a")
    assert say(table, 10, b"a") == 2


def test_empty_facts_are_left_out() -> None:
    """A fact without text takes no place."""
    table = small_sensor().table
    say(table, 0, b"a", b"v", b"")
    assert table.sighting_rows[0].attributes_count == 0
    assert table.meter[0].text_used == 2


def test_room() -> None:
    """There is room while a row is free and the longest sighting fits."""
    table = small_sensor(batch_rows=100).table
    assert has_sighting_room(table)
    table.meter[0].sighting_rows = 100
    assert not has_sighting_room(table)
    table.meter[0].sighting_rows = 0
    table.meter[0].text_used = len(table.text) - SIGHTING_TEXT
    assert not has_sighting_room(table)


def test_codes_are_the_records() -> None:
    """A source's code is its place in the contract's words."""
    assert [SOURCE[word] for word in SIGHTING_SOURCES] == list(range(len(SIGHTING_SOURCES)))
