"""Device inventories: CSV files that say which tags a MAC address carries.

The first line names the columns. One whose name is `mac` or ends with it (`MAC address`, `WiFi MAC`,
`ethernetMacAddress`) holds an address, `tag` or `tags` holds words with spaces between; the others are not
read. Commas, semicolons or tabs stand between.
"""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from classifiers.policy_model import mac_of

#: Most devices of one file, and most bytes: past them it is no inventory of a school. Our default.
MOST_DEVICES = 1_000_000
MOST_BYTES = 64 << 20

_NOT_LETTERS = re.compile(r"[^a-z]")
_TAG = re.compile(r"[\w.:/-]{1,100}")


class InventoryError(ValueError):
    """An inventory that can't be used: file, line (from 1), what is wrong, how to mend it."""

    def __init__(self, file: Path, line: int, what: str, mend: str) -> None:
        super().__init__(f"{file}:{line}: {what}; {mend}")
        self.file = file
        self.line = line
        self.what = what
        self.mend = mend


def read_inventory(path: Path) -> dict[str, set[str]]:
    """Tag → MAC addresses (`aa:bb:cc:dd:ee:ff`). Lines without a MAC or a tag say nothing.

    Raises InventoryError for a file that can't be read, has no such columns, or holds what is no MAC
    address.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InventoryError(path, 1, f"more than {MOST_BYTES >> 20} MiB", "leave out unknown devices")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InventoryError(path, 1, f"cannot read: {error.strerror}", "give a readable file") from None
    except UnicodeDecodeError as error:
        raise InventoryError(path, 1, f"not UTF-8 text at byte {error.start}", "save it as UTF-8") from None
    lines = text.splitlines()
    if not lines:
        raise InventoryError(path, 1, "empty", "begin with a line that names the columns")
    mark = max(",;\t", key=lines[0].count)
    try:
        return _tagged(path, csv.reader(lines, delimiter=mark))
    except csv.Error as error:
        raise InventoryError(path, 1, f"not CSV: {error}", "quote cells as RFC 4180 says") from None


def _tagged(path: Path, rows: Iterable[list[str]]) -> dict[str, set[str]]:
    tagged: dict[str, set[str]] = {}
    macs: list[int] = []
    tags: list[int] = []
    devices = 0
    for number, row in enumerate(rows, 1):
        if number == 1:
            names = [_NOT_LETTERS.sub("", cell.lower()) for cell in row]
            macs = [i for i, name in enumerate(names) if name.endswith(("mac", "macaddress"))]
            tags = [i for i, name in enumerate(names) if name in ("tag", "tags")]
            if not macs or not tags:
                missing = "tag" if macs else "MAC"
                raise InventoryError(path, 1, f"no column of {missing}s", f"name one {missing.lower()!r}")
            continue
        words = [word for i in tags if i < len(row) for word in row[i].split()]
        for word in words:
            if not _TAG.fullmatch(word):
                raise InventoryError(
                    path, number, f"{word[:40]!r} is no tag", "use letters, digits and . : / -"
                )
        for cell in (row[i].strip() for i in macs if i < len(row)):
            if not cell or not words:
                continue
            devices += 1
            if devices > MOST_DEVICES:
                raise InventoryError(path, number, f"more than {MOST_DEVICES:,} devices", "leave out some")
            try:
                mac = mac_of(cell)
            except ValueError as error:
                what, _, mend = str(error).partition("; ")
                raise InventoryError(path, number, what, mend) from None
            for word in words:
                tagged.setdefault(word, set()).add(mac)
    return tagged
