"""By which site and into how many partitions the log's messages are split, kept on disk before any is sent.

A relay that was killed sends again what was not acknowledged, and the workers leave out parts that they
have: so a message must be split the same way again, though partitions or the site's name changed in between.
Each entry holds from a place in the log on.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """How messages are split, from the one with the id `start` on."""

    start: int
    site: str
    partitions: int


class SplitPlan:
    """The file of the plan, opened. One process has it."""

    def __init__(self, path: Path) -> None:
        """Read it where there is one. Raises ValueError (damaged), OSError."""
        self.path = path
        self._entries: dict[str, list[Entry]] = {}
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return
        except UnicodeDecodeError:
            text = ""
        try:
            for records, entries in json.loads(text).items():
                self._entries[records] = [Entry(int(start), str(site), int(n)) for start, site, n in entries]
            if not all(self._entries.values()):
                raise ValueError("no entries")
        except (ValueError, TypeError, AttributeError):
            raise ValueError(
                f"cannot read how messages were split: {path} is damaged; "
                "let the workers finish, then move it away"
            ) from None

    def entry(self, records: str, id_: int) -> Entry:
        """How the message at this place in the log is split. Raises KeyError before anything was noted."""
        entries = self._entries[records]
        return next((entry for entry in reversed(entries) if entry.start <= id_), entries[0])

    def latest(self, records: str) -> Entry | None:
        """How the newest messages are split; None before anything was noted."""
        entries = self._entries.get(records)
        return entries[-1] if entries else None

    def note(self, records: str, start: int, site: str, partitions: int) -> None:
        """Messages from the place `start` on are split so. On disk when it returns; raises OSError."""
        kept = [entry for entry in self._entries.get(records, []) if entry.start < start]
        self._entries[records] = [*kept, Entry(start, site, partitions)]
        self._write()

    def forget(self, acknowledged: int) -> None:
        """Nothing up to this place will be sent again: drop what only held for that. Raises OSError."""
        shorter = {}
        for records, entries in self._entries.items():
            held = [i for i, entry in enumerate(entries) if entry.start <= acknowledged + 1]
            shorter[records] = entries[held[-1] :] if held else entries
        if shorter != self._entries:
            self._entries = shorter
            self._write()

    def _write(self) -> None:
        new = self.path.with_name(self.path.name + ".new")
        with open(new, "w", encoding="utf-8") as file:
            json.dump(self._entries, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
