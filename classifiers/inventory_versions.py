"""What the inventories said when: each change of a device is noted, so that old rows keep its old name."""

import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from classifiers.inventory import Device, read_inventory
from classifiers.loss import Store
from pipeline.records import MAC, TEXT, TEXTS, TIME

_LATEST_SQL = """
SELECT toUnixTimestamp64Micro(at) AS at, version FROM inventory ORDER BY inventory.at DESC LIMIT 1
"""
_KNOWN_SQL = """
SELECT mac, argMax((present, name, owner_group, site, tags), at) AS known FROM inventory GROUP BY mac
"""
_ROWS = pa.schema(
    [
        ("mac", MAC), ("at", TIME), ("present", pa.uint8()), ("name", TEXT), ("owner_group", TEXT),
        ("site", TEXT), ("tags", TEXTS), ("file", TEXT), ("version", TEXT),
    ]
)  # fmt: skip


def read_inventories(policy_file: Path, names: Iterable[str]) -> dict[str, tuple[str, Device]]:
    """MAC → file and device of the inventories beside a policy; the first that names a MAC counts.

    Raises InventoryError.
    """
    found: dict[str, tuple[str, Device]] = {}
    for name in names:
        for device in read_inventory(policy_file.parent / name).devices:
            found.setdefault(device.mac, (name, device))
    return found


def note_inventories(
    store: Store, devices: dict[str, tuple[str, Device]], clock: Callable[[], int] = time.time_ns
) -> int:
    """Notes what differs from what was noted last; rows written.

    What comes first holds for all time before, too. Safe to repeat. Raises OSError where the store can't be
    written to.
    """
    told = {mac: (1, *device[1:4], list(device.tags)) for mac, (_, device) in devices.items()}
    version = hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:16]
    latest = store.rows(_LATEST_SQL)
    if (latest[:1] == [] and not told) or (latest and latest[0]["version"] == version):
        return 0
    # After the last one, even where the clock was set back: versions keep their order.
    at = max(clock() // 1_000, latest[0]["at"] + 1) if latest else 0
    known = {row["mac"]: row["known"] for row in store.arrow(_KNOWN_SQL).to_pylist()}
    rows = []
    for mac, now in told.items():
        before = known.pop(int(mac.replace(":", ""), 16), None)
        if before is None or tuple(before.values()) != now:
            rows.append((int(mac.replace(":", ""), 16), now, devices[mac][0]))
    gone: tuple[int, str, str, str, list[str]] = (0, "", "", "", [])
    rows += [(mac, gone, "") for mac, before in known.items() if next(iter(before.values()))]
    columns = zip(*(now for _, now, _ in rows), strict=True)
    arrays = [
        [mac for mac, _, _ in rows], [at] * len(rows), *columns, [file for _, _, file in rows],
        [version] * len(rows),
    ]  # fmt: skip
    batch = pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(arrays, _ROWS, strict=True)], schema=_ROWS
    )
    store.insert("inventory", batch, f"inventory/{version}/{at}")
    return len(rows)
