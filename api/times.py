"""Moments and ranges as people and programs write them."""

import re
import time
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3_600 * SECOND_US
#: Slots of the sums between minutes and hours, seconds.
SLOT_S = 300
#: Age of the newest record up to which the records are live: flow rows come every 60 s. Our default.
FRESH_US = 5 * MINUTE_US

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RELATIVE = re.compile(r"-(\d{1,9})([smhdw])")
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")
#: Bounds of what a DateTime64 with microseconds holds (ClickHouse: 1900 to 2299), cut to what is sensible.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Range(NamedTuple):
    """Half-open range of event time, microseconds since 1970."""

    first: int
    last: int
    note: str = ""
    """Why it is not what one might expect; empty otherwise."""

    @property
    def seconds(self) -> float:
        return (self.last - self.first) / SECOND_US

    def aligned(self, step: int) -> "Range":
        """The range grown to whole steps of `step` microseconds."""
        return Range(self.first // step * step, -(-self.last // step) * step, self.note)

    def inside(self, name: str, seconds: int) -> dict[str, int]:
        """`first_name`, `last_name` of the whole steps that lie in it, s since 1970; alike where none do."""
        step = seconds * SECOND_US
        first = -(-self.first // step)
        return {f"first_{name}": first * seconds, f"last_{name}": max(first, self.last // step) * seconds}


def now_us() -> int:
    return time.time_ns() // 1_000


def moment(text: str, now: int, zone: tzinfo | None = None) -> int:
    """Microseconds of `now`, `-90s`, `-15m`, `-1h`, `-7d`, `-2w`, or an RFC 3339 time.

    A time without offset is read in `zone` where one is given. Raises ValueError with the mend.
    """
    text = text.strip()
    if text == "now":
        return now
    if relative := _RELATIVE.fullmatch(text):
        return max(now - int(relative[1]) * _UNITS[relative[2]] * SECOND_US, 0)
    try:
        parsed = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
    except ValueError:
        raise ValueError(
            f"{text[:60]!r} is no time; write RFC 3339 such as 2026-03-02T08:00:00Z, or -1h, -7d, now"
        ) from None
    if parsed.tzinfo is None:
        if zone is None:
            raise ValueError(f"{text[:60]!r} has no UTC offset; end it with Z or one such as -08:00")
        parsed = parsed.replace(tzinfo=zone)
    try:
        parsed = parsed.astimezone(UTC)
        inside = _EARLIEST <= parsed < _LATEST
    except OverflowError:
        inside = False
    if not inside:
        raise ValueError(f"{text[:60]!r} is out of bounds; give a year from 1970 to 2199")
    delta = parsed - _EARLIEST
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def choose_range(
    first: str | None,
    last: str | None,
    held: tuple[int, int] | None,
    now: int,
    zone: tzinfo | None = None,
) -> Range:
    """The range asked for, or the last hour; where the records are older, the last hour of records.

    `held` is the first and last moment of the records in the store, None where it is empty. Raises
    ValueError with the mend.
    """
    if first or last:
        end = moment(last, now, zone) if last else now
        start = moment(first, now, zone) if first else max(end - HOUR_US, 0)
        if start >= end:
            raise ValueError("from is not before to; exchange them or leave one out")
        return Range(start, end)
    if held is None:
        return Range(now - HOUR_US, now)
    return latest_range(held, HOUR_US, now)


def latest_range(held: tuple[int, int], length: int, now: int) -> Range:
    """The last `length` µs (0: all) until now, or until the newest record where it is older than `FRESH_US`.

    It does not begin before the records do.
    """
    fresh = now - FRESH_US <= held[1] <= now + MINUTE_US
    end = now if fresh else -(-(held[1] + 1) // SECOND_US) * SECOND_US
    begin = held[0] // SECOND_US * SECOND_US
    start = max(end - length, begin) if length else begin
    note = "" if fresh else "This range ends with the newest record, which is some time ago."
    return Range(min(start, end - SECOND_US), end, note)


def utc_text(us: int) -> str:
    """RFC 3339 in UTC, with microseconds where there are any."""
    whole, part = divmod(us, SECOND_US)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{part:06d}Z" if part else f"{text}Z"
