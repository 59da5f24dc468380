"""Attempts summed by the hour, the day and the week; each sum counts only as long as it is true.

Attempts are judged again when late rows come, so a sum says as of which writing of its hours it was made: the
newest `updated` of their attempts, read before they were summed. While that is the newest there is, the sum
stands for them; else they are read one by one. So nothing is counted twice or left out, whatever was
killed in between, and to sum again changes nothing.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from classifiers.loss import Store
from classifiers.ranges import END_S
from pipeline.records import TIME

#: What a sum spans, s, longest first. Weeks begin on Thursdays, as 1970 did.
WEEK_S, DAY_S, HOUR_S = 604_800, 86_400, 3_600
STEPS = (WEEK_S, DAY_S, HOUR_S)
#: Columns that sums can be asked by.
KEYS = frozenset({"site", "group", "categories", "clause", "action", "verdict", "mechanism", "initiated"})
#: Attempts of an hour are summed when none was written for so long, µs: by then no insert is in flight whose
#: `updated` is older than the newest that is seen, and no server's clock is that wrong. Our default.
QUIET_US = 600_000_000
#: Seconds between two looks for what to sum, and sums made in one look. Our defaults.
LOOK_S, MOST = 60.0, 50
SECOND_US = 1_000_000
_LAST_HOUR = (END_S - 1) // HOUR_S * HOUR_S

_SQL = {path.stem: path.read_text("utf-8") for path in Path(__file__).parent.glob("outcomes*.sql")}


class Sum(NamedTuple):
    """One step of `outcomes`."""

    step: int
    """Seconds."""
    start: int
    """Seconds since 1970."""
    as_of: int
    """Newest writing of its attempts, µs since 1970."""


class Known(NamedTuple):
    """Attempts of a range and their sums."""

    hours: Mapping[int, int]
    """Hours (s since 1970) in which attempts began, and when one of them was last written (µs)."""
    made: frozenset[Sum]
    """Sums that are whole."""

    @classmethod
    def between(
        cls, ask: Callable[[str, dict[str, Any]], list[dict[str, Any]]], first_us: int, last_us: int
    ) -> "Known":
        """What is known of a half-open range; `ask` gives a statement's rows."""
        bounds = {
            "first_hour": min(first_us // SECOND_US // HOUR_S * HOUR_S, _LAST_HOUR),
            "last_hour": min(last_us // SECOND_US, _LAST_HOUR),
        }
        rows = ask(_SQL["outcomes_known"], bounds)
        return cls(
            {row["began"]: row["newest"] for row in rows if not row["step"]},
            frozenset(Sum(row["step"], row["began"], row["newest"]) for row in rows if row["step"]),
        )

    def true_sum(self, step: int, start: int) -> Sum:
        """The sum of a step that would be true now."""
        return Sum(step, start, max(self.hours.get(hour, 0) for hour in range(start, start + step, HOUR_S)))


class Sources(NamedTuple):
    """Where the attempts of a range are read from: sums, and stretches of time (µs, end not included)."""

    sums: list[Sum]
    stretches: list[tuple[int, int]]

    def sql(self, filters: str) -> str:
        """SELECT of them in the columns of sums; the filters may be by `KEYS` alone where there are sums."""
        parts = []
        if self.sums:
            places = {
                "sums": ", ".join(f"({one.step}, {one.start}, {one.as_of})" for one in self.sums),
                "steps": ", ".join(str(step) for step in STEPS if any(one.step == step for one in self.sums)),
                "since": str(min(one.start for one in self.sums)),
                "until": str(max(one.start for one in self.sums)),
                "filters": filters,
            }
            parts.append(_statement("outcomes_summed", places))
        if self.stretches or not self.sums:
            times = " OR ".join(map(_within, self.stretches)) or "0"
            parts.append(_statement("outcomes_judged", {"times": times, "filters": filters}))
        return "UNION ALL\n".join(parts)


def _statement(name: str, places: Mapping[str, str]) -> str:
    sql = _SQL[name]
    for place, text in places.items():
        sql = sql.replace(f"/*{place}*/", text)
    return sql


def _within(stretch: tuple[int, int]) -> str:
    """SQL of a stretch of `window_start`; its hours are bounded, too, since they are first in the key."""
    first, last = stretch
    since, until = (f"fromUnixTimestamp64Micro({us}, 'UTC')" for us in stretch)
    terms = [f"window_start >= {since}", f"window_start < {until}"]
    if last < END_S * SECOND_US:
        hours = first // SECOND_US // HOUR_S * HOUR_S, (last - 1) // SECOND_US // HOUR_S * HOUR_S
        terms.append(f"toStartOfHour(window_start) >= toDateTime({hours[0]}, 'UTC')")
        terms.append(f"toStartOfHour(window_start) <= toDateTime({hours[1]}, 'UTC')")
    return f"({' AND '.join(terms)})"


def sources(known: Known, first_us: int, last_us: int, steps: Sequence[int] = STEPS) -> Sources:
    """What the attempts of a range are read from, with sums of these steps, longest first."""
    sums: list[Sum] = []
    left = dict.fromkeys(sorted(known.hours))
    for step in steps:
        for start in sorted({hour // step * step for hour in left}):
            if start * SECOND_US < first_us or (start + step) * SECOND_US > last_us:
                continue
            one = known.true_sum(step, start)
            if one in known.made:
                sums.append(one)
                for hour in range(start, start + step, HOUR_S):
                    left.pop(hour, None)
    if last_us > _LAST_HOUR * SECOND_US:
        # Servers differ in which hour a later time is said to have.
        left[_LAST_HOUR] = None
    stretches: list[tuple[int, int]] = []
    for hour in sorted(left):
        begin = max(hour * SECOND_US, first_us)
        end = last_us if hour == _LAST_HOUR else min((hour + HOUR_S) * SECOND_US, last_us)
        if begin >= end:
            continue
        if stretches and stretches[-1][1] == begin:
            begin = stretches.pop()[0]
        stretches.append((begin, end))
    return Sources(sums, stretches)


class Outcomes:
    """Keeps the sums of a store's attempts. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked: float | None = None

    def settle(self) -> int:
        """Sums what has been quiet for a while, if the last look was a while ago; how many sums were made."""
        if self._looked is not None and time.monotonic() - self._looked < LOOK_S:
            return 0
        [row] = self._store.rows("SELECT toUnixTimestamp64Micro(now64(6, 'UTC')) AS now")
        made = self.settle_until(row["now"] - QUIET_US, MOST)
        # There may be more: the next round goes on.
        self._looked = None if made == MOST else time.monotonic()
        return made

    def settle_until(self, quiet_us: int, most: int | None = None) -> int:
        """Sums steps that ended, and whose attempts were all written, before a moment, newest first."""
        known = Known.between(self._store.rows, 0, END_S * SECOND_US)
        done = 0
        for step in reversed(STEPS):
            for start in sorted({hour // step * step for hour in known.hours}, reverse=True):
                if done == most:
                    return done
                one = known.true_sum(step, start)
                ended = (start + step) * SECOND_US <= quiet_us and start + step <= END_S
                if ended and one.as_of <= quiet_us and one not in known.made:
                    self._sum(known, one)
                    known = known._replace(made=known.made | {one})
                    done += 1
        return done

    def _sum(self, known: Known, one: Sum) -> None:
        """Writes the sums of a step, made from shorter ones and from attempts."""
        shorter = [step for step in STEPS if step < one.step]
        found = sources(known, one.start * SECOND_US, (one.start + one.step) * SECOND_US, shorter).sql("1")
        summed = self._store.arrow(_statement("outcomes_sum", {"outcomes": found}))
        if not summed.num_rows:
            # All were taken back: a row of no attempt says so.
            summed = pa.table({"attempts": pa.array([0], pa.uint64()), "oldest": pa.array([one.as_of], TIME)})
        rows = summed.num_rows
        # The rows of a step leave the store together.
        oldest = pc.min(summed["oldest"]).cast(TIME)
        summed = summed.drop_columns("oldest").append_column("oldest", pa.repeat(oldest, rows))
        for name, value, kind in (
            ("step", one.step, pa.uint32()),
            ("start", one.start, pa.timestamp("s", "UTC")),
            ("as_of", one.as_of, TIME),
            ("parts", rows, pa.uint32()),
        ):
            summed = summed.append_column(name, pa.array([value] * rows, kind))
        self._store.insert("outcomes", summed, hashlib.sha256(f"outcomes {one}".encode()).hexdigest())
