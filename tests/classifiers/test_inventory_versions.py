"""What the inventories said when, on the real engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.inventory import InventoryError
from classifiers.inventory_versions import note_inventories, read_inventories
from pipeline.store.client import Store
from tests.pipeline.stores import made_store

ONE, TWO, THREE = (f"00:16:3e:00:00:0{n}" for n in (1, 2, 3))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "made") as opened:
        yield opened


def note(store: Store, folder: Path, at: int, *lines: str) -> int:
    (folder / "devices.csv").write_text("\n".join(("mac,name,group,site,tag", *lines)))
    devices = read_inventories(folder / "policy.toml", ["devices.csv"])
    return note_inventories(store, devices, lambda: at * 1_000_000_000)


def told(store: Store) -> list[tuple[str, str, int, str]]:
    rows = store.rows(
        "SELECT MACNumToString(mac) AS mac, toUnixTimestamp(at) AS since, present, name FROM inventory"
        " ORDER BY mac, at"
    )
    return [(row["mac"].lower(), str(row["since"]), row["present"], row["name"]) for row in rows]


def test_changes_are_noted(store: Store, tmp_path: Path) -> None:
    """The first inventory holds for all time; then each device that came, changed or went has a row."""
    assert note(store, tmp_path, 100, f"{ONE},pc-1,staff,main,a", f"{TWO},pc-2,,,") == 2
    assert note(store, tmp_path, 200, f"{ONE},pc-1,staff,main,a", f"{TWO},pc-2,,,") == 0
    assert note(store, tmp_path, 300, f"{ONE},pc-9,staff,main,a", f"{THREE},pc-3,,,") == 3
    assert note(store, tmp_path, 200, f"{ONE},pc-9,staff,main,a b", f"{THREE},pc-3,,,") == 1
    assert note(store, tmp_path, 400) == 2
    assert told(store) == [
        (ONE, "0", 1, "pc-1"), (ONE, "300", 1, "pc-9"), (ONE, "300", 1, "pc-9"), (ONE, "400", 0, ""),
        (TWO, "0", 1, "pc-2"), (TWO, "300", 0, ""),
        (THREE, "300", 1, "pc-3"), (THREE, "400", 0, ""),
    ]  # fmt: skip
    assert note(store, tmp_path, 500) == 0


def test_the_first_file_that_names_a_device_counts(tmp_path: Path) -> None:
    """Several files are one inventory; one that can't be read is told."""
    (tmp_path / "a.csv").write_text(f"mac,name\n{ONE},first\n")
    (tmp_path / "b.csv").write_text(f"mac,name\n{ONE},second\n{TWO},other\n")
    found = read_inventories(tmp_path / "policy.toml", ["a.csv", "b.csv"])
    assert [(file, device.name) for file, device in found.values()] == [
        ("a.csv", "first"),
        ("b.csv", "other"),
    ]
    with pytest.raises(InventoryError, match="cannot read"):
        read_inventories(tmp_path / "policy.toml", ["c.csv"])
