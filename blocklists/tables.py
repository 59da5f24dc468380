"""Comma-separated values: a column of names, and those that say more (RFC 4180)."""

import csv
from collections.abc import Iterator
from typing import BinaryIO

from blocklists.entries import MAX_LINE, Entry, Problem, Said, judged, text_lines
from blocklists.names import shown

#: Lines that a quoted cell may span. Our default: no column of a list needs more.
MAX_ROW_LINES = 16

_NAMES = ("domain", "name", "hostname", "host", "fqdn", "ip", "address", "network", "cidr")
_CATEGORIES = ("category", "categories")
_SERVICES = ("service", "application")
_DELIMITERS = ",;\t|"


def _open(text: str) -> bool:
    """Whether a quoted cell goes on behind this text."""
    return text.count('"') % 2 == 1


class _Table:
    """The columns of a file, once its first row is known."""

    def __init__(self) -> None:
        self.delimiter = ""
        self.columns: dict[str, int] = {}

    def cells(self, text: str) -> list[str]:
        """The cells of a row. Raises ValueError."""
        if not self.delimiter:
            self.delimiter = max(_DELIMITERS, key=text.count) if any(c in text for c in _DELIMITERS) else ","
        try:
            row = next(csv.reader([text], delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise ValueError(f"{shown(text)} is no row: {error}") from None
        return [cell.strip() for cell in row]

    def row(self, text: str) -> Iterator[Said]:
        """What a row says; the first one may be the header. Raises ValueError."""
        cells = self.cells(text)
        if not self.columns:
            header = [cell.lower() for cell in cells]
            place = next((header.index(name) for name in _NAMES if name in header), None)
            self.columns["name"] = place or 0
            if place is not None:
                for column, names in (("category", _CATEGORIES), ("service", _SERVICES)):
                    self.columns[column] = next((header.index(n) for n in names if n in header), -1)
                return

        def cell(column: str) -> str:
            place = self.columns.get(column, -1)
            return cells[place] if 0 <= place < len(cells) else ""

        categories = tuple(word for word in (part.strip() for part in cell("category").split(",")) if word)
        yield Said(cell("name"), False, categories, cell("service"))


def read_csv(stream: BinaryIO) -> Iterator[Entry | Problem]:
    """A header naming a `domain` column (`category`, `service` are read too), or, without a header, the
    name in the first column. Cells are divided by commas, semicolons, tabs or bars, whatever the first
    row has most of. Categories of a cell are divided by commas and stay as they are written.
    """
    table = _Table()
    lines = text_lines(stream)
    for item in lines:
        if isinstance(item, Problem):
            yield item
            continue
        number, text = item
        if not text or text.startswith("#"):
            continue
        spanned = 1
        while _open(text) and spanned < MAX_ROW_LINES and len(text) <= MAX_LINE:
            following = next(lines, None)
            if following is None:
                break
            spanned += 1
            if isinstance(following, Problem):
                break
            text = f"{text}\n{following[1]}"
        if _open(text):
            what = f"a quote that stays open for {spanned} lines"
            yield Problem(number, "refused", what, "close it", lines=spanned)
        else:
            yield from judged(number, text, table.row)
