"""Pieces of event time: each is judged as a whole, whatever the rows that a round begins with.

A piece is a whole number of a detector's steps, aligned to 1970; the windows that end with them are judged
in it. A round judges anew each piece whose statement could come out otherwise for the rows that came in, so
that findings are the same however rounds are cut and however late rows come.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from classifiers.detector import BASIS, Detector, used_parameters
from classifiers.loss import REACH, Store, floor, moment, sql_time
from classifiers.ranges import hourly

#: Least length of a piece, s: the longer, the fewer statements over a long range; the shorter, the less is
#: read again in a round. Our default.
PIECE_S = 1_800
#: Event time worked on together, so that memory does not grow with the range.
BLOCK = timedelta(days=1)
#: Rows that come this much later, and no more, change what later windows look back at.
LATE = timedelta(hours=2)
#: No time outside of these is judged: the store's seconds end in 2106.
FIRST, LAST = moment(0), moment(4_291_747_200_000_000)
#: Time column of the tables of records and of what is made of them row by row.
TIME_OF = {
    "flows": "start",
    "dns": "ts",
    "sightings": "ts",
    "health": "ts",
    "attempts": "window_start",
}
_NOTHING = "''"
_WHAT = {"sightings": "toString(source)"}
#: Sources of sightings that a statement asks for, and signs that it asks for others than it names.
_SOURCE = re.compile(r"\bsource (?:= |IN \()('[a-z0-9_]+'(?:,\s*'[a-z0-9_]+')*)")
#: Where a condition binds a parameter.
_BOUND = re.compile(r"\{([a-z0-9_]+):(?=[A-Z])")
_WORD = re.compile(r"'([a-z0-9_]+)'")
_OTHER_SOURCES = re.compile(r"\bsource (?:!=|NOT|LIKE)")


def piece_seconds(detector: Detector) -> int:
    """Length of a detector's pieces."""
    return detector.step * -(-PIECE_S // detector.step)


def reach(detector: Detector) -> timedelta:
    """How much later than a row the steps may be that it counts for."""
    return timedelta(seconds=detector.window) + min(timedelta(seconds=detector.lookback), LATE) + REACH


def bounded(time: datetime) -> datetime:
    """The time, or the end of what can be judged that is nearest to it."""
    return min(max(time, FIRST), LAST)


def microseconds(time: datetime) -> int:
    """µs since 1970 of an aware time."""
    return (bounded(time) - FIRST) // timedelta(microseconds=1)


class Need(NamedTuple):
    """Rows without which a detector finds nothing new."""

    table: str
    condition: str
    """In SQL. Parameters bear the detector's name: conditions of several stand in one statement."""

    @property
    def word(self) -> str:
        """What `occupied` calls them."""
        return f"{self.table} where {self.condition}"


def needs_of(detector: Detector) -> list[Need]:
    """The conditions of a detector's header."""
    return [
        Need(table, _BOUND.sub(rf"{{{detector.name}_\1:", condition))
        for table, condition in detector.needs.items()
    ]


def need_parameters(detector: Detector, values: Mapping[str, Any]) -> dict[str, Any]:
    """Query parameters of its conditions, from its thresholds and the policy's facts."""
    used = {name for condition in detector.needs.values() for name in used_parameters(condition)}
    return {f"{detector.name}_{name}": values[name] for name in used}


def tables_of(detector: Detector) -> set[str]:
    """What must hold rows for a detector to find something, in the words of `occupied`."""
    tables = {BASIS.get(table, table) for table in detector.reads} - set(detector.needs)
    if "sightings" in tables:
        named = {word for words in _SOURCE.findall(detector.sql) for word in _WORD.findall(words)}
        if named and not _OTHER_SOURCES.search(detector.sql):
            tables = tables - {"sightings"} | {f"sightings {word}" for word in named}
    return tables | {need.word for need in needs_of(detector)}


def occupied(
    store: Store,
    first: datetime,
    last: datetime,
    needs: Iterable[Need] = (),
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, set[int]]:
    """Slots of `PIECE_S` that hold rows between two times, as their number since 1970.

    By table; for sightings by table and by table and source, too; and by the word of each need, whose
    `parameters` are those of all of them.
    """
    asked: dict[str, Any] = {
        **(parameters or {}),
        "from": sql_time(first),
        "to": sql_time(last),
        "slot": PIECE_S,
    }
    wanted: dict[str, list[Need]] = {table: [] for table in TIME_OF}
    for need in dict.fromkeys(needs):
        wanted[need.table].append(need)
    selects = [
        f"SELECT '{table}' AS held_table, {_WHAT.get(table, _NOTHING)} AS held_what,"
        f" intDiv(toUnixTimestamp({column}), {{slot:UInt32}}) AS held_slot,"
        f" {_counts(wanted[table])} AS held_rows"
        f" FROM {table} WHERE {column} >= {{from:DateTime64(6, 'UTC')}}"
        f" AND {column} <= {{to:DateTime64(6, 'UTC')}} GROUP BY held_what, held_slot"
        for table, column in TIME_OF.items()
    ]
    slots: dict[str, set[int]] = defaultdict(set)
    for row in store.rows(hourly(" UNION ALL ".join(selects)), asked):
        table, slot = row["held_table"], row["held_slot"]
        words = [
            table,
            *(need.word for need, rows in zip(wanted[table], row["held_rows"], strict=True) if rows),
        ]
        if row["held_what"]:
            words.append(f"{table} {row['held_what']}")
        for word in words:
            slots[word].add(slot)
    return slots


def _counts(needs: list[Need]) -> str:
    return f"[{', '.join(f'countIf({need.condition})' for need in needs)}]" if needs else "emptyArrayUInt64()"


def blocks(store: Store, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Parts of a long range that hold rows: a capture may hold years, or a packet of 1970."""
    if last - first <= BLOCK:
        yield first, last
        return
    days = {
        slot * PIECE_S // int(BLOCK.total_seconds())
        for found in occupied(store, first, last).values()
        for slot in found
    }
    for day in sorted(days):
        start = moment(0) + day * BLOCK
        yield max(first, start), min(last, start + BLOCK)


def touched(
    detector: Detector,
    first: datetime,
    last: datetime,
    slots: Iterable[int],
    held: Iterable[datetime],
    around: bool = True,
) -> list[tuple[datetime, datetime]]:
    """Pieces that rows between `first` and `last` can change, in order of time.

    `slots` are those that hold rows of the detector's tables, `held` times in pieces where it found
    something before: those may come to nothing, and depend on the mirror's loss around them. Not `around`:
    only the pieces that the range itself touches.
    """
    seconds = piece_seconds(detector)
    length, until = timedelta(seconds=seconds), last + (reach(detector) if around else timedelta())
    ends = (slot * PIECE_S + second for slot in slots for second in (0, PIECE_S - 1))
    occupied = {floor(moment(end * 1_000_000), seconds) for end in ends}
    found = {floor(time, seconds) for time in held}
    starts = {start for start in occupied if start + length > first}
    starts |= {start for start in found if start + length > first - (REACH if around else timedelta())}
    return [(start, start + length) for start in sorted(starts) if start <= until]
