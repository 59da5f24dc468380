"""Sightings: text that is bounded, empty facts, what was said minutes ago."""

import numpy as np
import pytest

from capture.arena import ATTRIBUTE_NAMES
from capture.sightings import (
    ATTRIBUTE,
    REPEAT_US,
    SIGHTING_TEXT,
    SOURCE,
    add_addresses,
    add_hex,
    add_ipv4,
    add_ipv6,
    add_mac,
    add_number,
    add_numbers,
    add_text,
    add_word,
    add_words,
    close_attribute,
    close_changing,
    close_name,
    close_sighting,
    close_value,
    has_sighting_room,
    open_attribute,
    open_sighting,
    set_name,
    set_value,
    word_table,
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


def told(table: Table) -> dict[str, str]:
    """Attributes of the last sighting kept."""
    row = table.sighting_rows[int(table.meter[0].sighting_rows) - 1]
    at, found = int(row.attributes_at), {}
    for _ in range(int(row.attributes_count)):
        key, length = int(table.text[at]), int(table.text[at + 1]) << 8 | int(table.text[at + 2])
        found[ATTRIBUTE_NAMES[key]] = table.text[at + 3 : at + 3 + length].tobytes().decode()
        at += 3 + length
    return found


def test_facts_of_every_form() -> None:
    """Words, numbers, addresses, lists and bytes are written as text; what is absent is left out."""
    table = small_sensor().table
    packet = table.packet[0]
    row = open_sighting(table, packet, SOURCE["arp"], 7, 0, 9)
    data = np.frombuffer(b"\x0a\1\2\3" * 4 + b"text \0", np.uint8)
    words = word_table("one", "two", "three")
    add_text(table, row, ATTRIBUTE["server"], data, 16, 22)
    add_text(table, row, ATTRIBUTE["type"], data, -1, -1)
    add_hex(table, row, ATTRIBUTE["client_id"], data, 0, 3)
    add_number(table, row, ATTRIBUTE["signal"], -60)
    add_number(table, row, ATTRIBUTE["lease"], 86_400)
    add_word(table, row, ATTRIBUTE["op"], words, 2)
    add_words(table, row, ATTRIBUTE["flags"], words, 5)
    add_words(table, row, ATTRIBUTE["security"], words, 0)
    add_mac(table, row, ATTRIBUTE["bssid"], 0xAB)
    add_mac(table, row, ATTRIBUTE["client_mac"], 0)
    add_ipv4(table, row, ATTRIBUTE["relay"], data, 0)
    add_ipv6(table, row, ATTRIBUTE["nas"], data, 0)
    add_addresses(table, row, ATTRIBUTE["dns"], data, 0, 15, 4)
    add_numbers(table, row, ATTRIBUTE["parameters"], data, 0, 5, 2)
    close_sighting(table, row)
    assert told(table) == {
        "server": "text",
        "client_id": "0a0102",
        "signal": "-60",
        "lease": "86400",
        "op": "three",
        "flags": "one,three",
        "bssid": "00:00:00:00:00:ab",
        "relay": "10.1.2.3",
        "nas": "a01:203:a01:203:a01:203:a01:203",
        "dns": "10.1.2.3,10.1.2.3,10.1.2.3",
        "parameters": "2561,515",
    }


def test_no_sighting_is_longer_than_its_share() -> None:
    """Facts beyond the text that one sighting may have are left out, and lists end at a whole item."""
    table = small_sensor().table
    row = open_sighting(table, table.packet[0], SOURCE["arp"], 7, 0, 9)
    data = np.full(4_000, 255, np.uint8)
    set_name(table, row, data, 0, 4_000)
    set_value(table, row, data, 0, 4_000)
    for _ in range(12):
        add_text(table, row, ATTRIBUTE["server"], data, 0, 4_000)
        add_addresses(table, row, ATTRIBUTE["dns"], data, 0, 4_000, 16)
        add_numbers(table, row, ATTRIBUTE["parameters"], data, 0, 4_000, 2)
        add_hex(table, row, ATTRIBUTE["client_id"], data, 0, 4_000)
    close_sighting(table, row)
    assert table.meter[0].text_used <= SIGHTING_TEXT
    assert set(told(table)["dns"].split(",")) == {":".join(["ffff"] * 8)}


def test_what_changes_all_the_time() -> None:
    """Text that may differ is told, and makes no new statement."""
    table = small_sensor().table
    for second, signal in enumerate((-40, -50, -60)):
        table.packet[0].ts = second
        row = open_sighting(table, table.packet[0], SOURCE["beacon"], 7, 0, 0)
        known = table.meter[0].text_used
        add_number(table, row, ATTRIBUTE["signal"], signal)
        close_changing(table, row, known)
    assert (int(table.meter[0].sighting_rows), told(table)) == (1, {"signal": "-40"})


def test_many_statements_at_once() -> None:
    """A thousand statements at once are all remembered."""
    table = small_sensor(batch_rows=10_000).table
    for second in (1, 2):
        for n in range(1_000):
            say(table, second, b"name %d" % n)
    assert int(table.meter[0].sighting_rows) == 1_000


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
