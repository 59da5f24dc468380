"""CSV that spreadsheets and programs both read: RFC 4180, and no cell that a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

#: First characters that spreadsheets take for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CHUNK_ROWS = 500


def cell(value: Any) -> Any:
    """The text of one cell. Lists are joined with `;`, maps are `key=value` joined so, null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    if isinstance(value, dict):
        value = ";".join(f"{key}={item}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        value = ";".join(str(item) for item in value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_chunks(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Header and rows as text, some hundred rows at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([cell(row.get(column)) for column in columns])
        if number % _CHUNK_ROWS == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
