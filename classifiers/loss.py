"""What the mirror lost, by site and time: the ground on which statements of absence stand."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from pipeline.records import EPOCH

LOSS_SQL = Path(__file__).with_name("loss.sql").read_text("utf-8")
#: Loss past which what rests on absence is inconclusive [D].
LOSS_BOUND = 0.01


class Store(Protocol):
    """What of `pipeline.store.client.Store` verdicts and detectors use."""

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]: ...
    def arrow(self, sql: str, parameters: dict[str, Any] | None = None) -> pa.Table: ...
    def insert(self, table: str, batch: pa.RecordBatch, token: str) -> Any: ...


def moment(us: int) -> datetime:
    """UTC time of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)


def utc(text: str) -> datetime:
    """The moment of RFC 3339 text, as the store gives it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def floor(time: datetime, seconds: int) -> datetime:
    """The last multiple of `seconds` since 1970 that is not after `time`."""
    return moment((time - EPOCH) // timedelta(seconds=seconds) * seconds * 1_000_000)


def sql_time(time: datetime) -> str:
    """Text of a DateTime64(6, 'UTC') parameter."""
    return f"{time:%Y-%m-%d %H:%M:%S.%f}"


class Loss:
    """Share of the traffic that the mirror lost, by site, over the minutes of one range."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self._minutes: dict[tuple[str, datetime], tuple[float, float, float, float]] = {
            (row["site"], utc(row["minute"])): (row["dropped"], row["packets"], row["lost"], row["bytes"])
            for row in rows
        }
        self.sites = {site for site, _ in self._minutes}

    @classmethod
    def between(cls, store: Store, start: datetime, end: datetime) -> "Loss":
        """The loss of all sites between two moments, from `health` and `flows`."""
        return cls(store.rows(LOSS_SQL, {"from": sql_time(start), "to": sql_time(end)}))

    def share(self, site: str, start: datetime, end: datetime) -> float:
        """The greater of frames dropped and bytes never seen, 0 to 1; 0 where nothing was counted.

        A sensor that sees several sites reports for none of them: what it dropped may be of each.
        """
        sums = [0.0] * 4
        minute = floor(start, 60)
        while minute <= end:
            for index, value in enumerate(self._minutes.get((site, minute), (0, 0, 0, 0))):
                sums[index] += value
            if site:
                dropped, packets, _, _ = self._minutes.get(("", minute), (0, 0, 0, 0))
                sums[0] += dropped
                sums[1] += packets
            minute += timedelta(minutes=1)
        dropped, packets, lost, seen = sums
        return max(
            dropped / (packets + dropped) if dropped else 0.0,
            lost / (seen + lost) if lost else 0.0,
        )
