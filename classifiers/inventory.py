"""Device inventories: CSV files of which MAC addresses are whose, as asset lists and device managers export.

The first line names the columns in one of the ways of `inventory.toml`. Commas, semicolons or tabs stand
between; UTF-8, or UTF-16 with its mark as spreadsheets save it. Other columns, persons' among them, are not
read.
"""

import codecs
import contextlib
import csv
import io
import re
import sys
import tomllib
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from classifiers.policy_model import mac_of

#: Most devices of one file, and most bytes: past them it is no inventory of a school. Our default.
MOST_DEVICES = 1_000_000
MOST_BYTES = 64 << 20
#: Longest name, owner group or site. Our default.
LONGEST = 255

_NOT_LETTERS = re.compile(r"[^a-z]")
_TAG = re.compile(r"[\w.:/-]{1,100}")
_BETWEEN = re.compile(r"[\s,;|]+")
_NO_MAC = "00:00:00:00:00:00"


class InventoryError(ValueError):
    """An inventory that can't be used: file, line (from 1), what is wrong, how to mend it."""

    def __init__(self, file: Path, line: int, what: str, mend: str) -> None:
        super().__init__(f"{file}:{line}: {what}; {mend}")
        self.file = file
        self.line = line
        self.what = what
        self.mend = mend


class Device(NamedTuple):
    """What an inventory says of one MAC address; empty where it says nothing."""

    mac: str
    name: str = ""
    owner_group: str = ""
    site: str = ""
    """As the file names it."""
    tags: tuple[str, ...] = ()
    line: int = 0


class Inventory(NamedTuple):
    """The devices of a file, one for each MAC, and what can hardly be meant."""

    devices: list[Device]
    doubts: list[str]

    def tagged(self, groups: Collection[str] = ()) -> dict[str, set[str]]:
        """Tag → MAC addresses (`aa:bb:cc:dd:ee:ff`). An owner group is a tag where it is one of `groups`."""
        tagged: dict[str, set[str]] = {}
        for device in self.devices:
            owners = (device.owner_group,) if device.owner_group in groups else ()
            for tag in (*device.tags, *owners):
                tagged.setdefault(tag, set()).add(device.mac)
        return tagged


class _Columns(NamedTuple):
    macs: list[int]
    name: list[int]
    owner_group: list[int]
    site: list[int]
    tags: list[int]


@cache
def _spellings() -> dict[str, list[str]]:
    return tomllib.loads(Path(__file__).with_name("inventory.toml").read_text("utf-8"))


def _text(path: Path) -> str:
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InventoryError(path, 1, f"cannot read: {error.strerror}", "give a readable file") from None
    if len(data) > MOST_BYTES:
        raise InventoryError(path, 1, f"more than {MOST_BYTES >> 20} MiB", "leave out unknown devices")
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"not {'UTF-16' if marked else 'UTF-8'} text at byte {error.start}"
        raise InventoryError(path, 1, what, "save it as UTF-8") from None


def read_inventory(path: Path) -> Inventory:
    """The devices of a file.

    Raises InventoryError for a file that can't be read, has no column of MACs, or holds what is no MAC
    address, name or tag.
    """
    text = _text(path)
    if not text.strip():
        raise InventoryError(path, 1, "empty", "begin with a line that names the columns")
    mark = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    kept: dict[str, Device] = {}
    doubts: list[str] = []
    try:
        columns = _columns(path, next(reader))
        for row in reader:
            for device in _devices(path, reader.line_num, row, columns):
                if device.mac not in kept:
                    kept[device.mac] = device
                    if len(kept) > MOST_DEVICES:
                        what = f"more than {MOST_DEVICES:,} devices"
                        raise InventoryError(path, device.line, what, "leave out some")
                    continue
                first = kept[device.mac]
                tags = tuple(dict.fromkeys((*first.tags, *device.tags)))
                kept[device.mac] = first._replace(tags=tags)
                if first[1:4] != device[1:4]:
                    doubts.append(
                        f"{path}:{device.line}: {device.mac} is on line {first.line}, too, with other words; "
                        "the first counts, give it one line"
                    )
    except csv.Error as error:
        line = max(reader.line_num, 1)
        raise InventoryError(path, line, f"not CSV: {error}", "quote cells as RFC 4180 says") from None
    return Inventory(list(kept.values()), doubts)


def _columns(path: Path, header: list[str]) -> _Columns:
    names = [_NOT_LETTERS.sub("", cell.lower()) for cell in header]
    known = _spellings()
    ends = tuple(known["mac_ends"])
    macs = [i for i, name in enumerate(names) if name.endswith(ends) and name not in known["mac_never"]]
    if not macs:
        raise InventoryError(path, 1, "no column of MACs", "name one 'mac'")
    found = _Columns(
        macs,
        *(
            [i for wanted in known[role] for i, name in enumerate(names) if name == wanted]
            for role in ("name", "owner_group", "site", "tags")
        ),
    )
    if not any(found[1:]):
        raise InventoryError(path, 1, "no column of names, groups, sites or tags", "name one 'name' or 'tag'")
    return found


def _devices(path: Path, line: int, row: list[str], columns: _Columns) -> Iterator[Device]:
    """The devices of a row: one for each of its MACs."""
    cells = [cell.strip() for cell in row]
    cells = ["" if cell.lower() in _spellings()["nothing"] else cell for cell in cells]

    def first(places: list[int]) -> str:
        found = next((cells[i] for i in places if i < len(cells) and cells[i]), "")
        if len(found) > LONGEST or not found.isprintable():
            what = f"{found[:40]!a} is no name"
            raise InventoryError(path, line, what, f"use up to {LONGEST} characters that can be shown")
        return found

    words = [word for i in columns.tags if i < len(cells) for word in _BETWEEN.split(cells[i]) if word]
    for word in words:
        if not _TAG.fullmatch(word):
            raise InventoryError(path, line, f"{word[:40]!r} is no tag", "use letters, digits and . : / -")
    about = (first(columns.name), first(columns.owner_group), first(columns.site), tuple(words))
    if not any(about):
        return
    for cell in (cells[i] for i in columns.macs if i < len(cells)):
        for text in _BETWEEN.split(cell):
            if not text:
                continue
            try:
                mac = mac_of(text)
            except ValueError as error:
                what, _, mend = str(error).partition("; ")
                raise InventoryError(path, line, what, mend) from None
            if mac != _NO_MAC:
                yield Device(mac, *about, line)
