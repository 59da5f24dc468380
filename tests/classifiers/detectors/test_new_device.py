"""Devices that stand in no inventory."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

KNOWN, NEW, MADE_UP = 0x0016_3E00_0001, 0x0016_3E00_0BAD, 0x0216_3E00_0001
DAY = 86_400


@pytest.fixture
def inventory(scribe: Any) -> Any:
    """An inventory with one device, from before all records."""
    scribe.store.command("TRUNCATE TABLE inventory")
    schema = pa.schema(
        [
            ("mac", pa.uint64()),
            ("at", pa.timestamp("us", "UTC")),
            ("present", pa.uint8()),
            ("name", pa.string()),
        ]
    )
    row = {
        "mac": KNOWN,
        "at": datetime(1970, 1, 1, tzinfo=UTC),
        "present": 1,
        "name": "Laptop-12.school.example",
    }
    scribe.store.insert("inventory", pa.Table.from_pylist([row], schema=schema), f"inventory/{id(scribe)}")
    return scribe


def ask(scribe: Any, mac: int, seconds: float = 0, name: str = "") -> None:
    scribe.sighting(seconds, "dhcp_request", mac, "0.0.0.0", called=name, seen_in=20, type="request")


def test_unknown_device_is_told_once(inventory):
    """A maker's MAC that the inventory lacks is told when it is first seen."""
    ask(inventory, KNOWN)
    ask(inventory, NEW, 60, "den-box")
    ask(inventory, NEW, 800)
    (row,) = inventory.detect("new_device")
    assert (row["subject"], row["severity"]) == ("00:16:3e:00:0b:ad", "low")
    assert "(VLAN 20, calls itself den-box)" in row["statement"]


def test_device_of_the_days_before_is_not_new(inventory):
    """Whoever was seen within the week before was told then."""
    ask(inventory, NEW, -3 * DAY)
    ask(inventory, NEW)
    assert inventory.detect("new_device") == []


@pytest.mark.parametrize(
    ("mac", "name"),
    [(KNOWN, ""), (MADE_UP, "iPhone"), (0x0000_5E00_0101, ""), (NEW, "laptop-12"), (0x0100_5E00_0001, "")],
)
def test_known_made_up_and_docked_devices_are_left_alone(inventory, mac, name):
    """The inventory's own, random MACs, routers' shared ones, and a dock with its computer's name."""
    ask(inventory, mac, 0, name)
    assert inventory.detect("new_device") == []


@pytest.mark.parametrize("number", [20, 21])
def test_many_new_devices_are_one_finding(inventory, number):
    """Past twenty in an hour the site is told, with the made-up MACs by VLAN."""
    for device in range(number):
        ask(inventory, NEW + device, device)
    ask(inventory, MADE_UP, 5)
    rows = inventory.detect("new_device")
    assert len(rows) == (20 if number == 20 else 1)
    if number > 20:
        assert (rows[0]["subject_kind"], rows[0]["subject"]) == ("site", "demo")
        assert "by VLAN: 1 in VLAN 20" in rows[0]["statement"]


def test_without_an_inventory_nothing_is_new(scribe):
    """Where nobody wrote down the devices there is nothing to compare."""
    scribe.store.command("TRUNCATE TABLE inventory")
    ask(scribe, NEW)
    assert scribe.detect("new_device") == []
