"""What the mirror lost, by site and time: the ground on which statements of absence stand."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from classifiers.ranges import hourly
from pipeline.records import EPOCH

LOSS_SQL = hourly(Path(__file__).with_name("loss.sql").read_text("utf-8"))
#: Loss past which what rests on absence is inconclusive [D].
LOSS_BOUND = 0.01
#: How far around a moment its loss is asked for: a mirror's loss goes on, reports come by packet time [D].
REACH = timedelta(minutes=5)
#: Wire bytes of TCP without which the mirror is not measured: of 36 full frames, five of six samples miss one
#: where 5 % are lost [D].
MEASURED_BYTES = 50_000

_COUNTED = ("dropped", "packets", "reports", "holes", "lost", "bytes")
#: The first columns are the sensor's own account.
_OF_HEALTH = 4


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
        self._minutes: dict[tuple[str, datetime], tuple[float, ...]] = {}
        self.sites: set[str] = set()
        self.add(rows)

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Rows of further minutes."""
        for row in rows:
            self._minutes[row["site"], utc(row["minute"])] = tuple(row[name] for name in _COUNTED)
            self.sites.add(row["site"])

    @classmethod
    def between(cls, store: Store, start: datetime, end: datetime) -> "Loss":
        """The loss of all sites between two moments, from `health` and `flows` there and `REACH` around."""
        return cls(store.rows(LOSS_SQL, {"from": sql_time(start - REACH), "to": sql_time(end + REACH)}))

    def share(self, site: str, start: datetime, end: datetime) -> float | None:
        """The greater of frames dropped and bytes never seen, 0 to 1; None where it is not known.

        Known is a loss past `LOSS_BOUND`; a lesser one only where, within `REACH`, a sensor reported,
        threw no records away, and saw `MEASURED_BYTES` of TCP, whose acknowledgements tell of frames that
        the mirror itself lost. A sensor that sees several sites reports for none of them: what it dropped
        may be of each.
        """
        dropped, packets, _, _, lost, seen = self._sums(site, start, end)
        share = max(dropped / (packets + dropped) if dropped else 0.0, lost / (seen + lost) if lost else 0.0)
        dropped, packets, reports, holes, lost, seen = self._sums(site, start - REACH, end + REACH)
        share = max(share, lost / (seen + lost) if lost else 0.0)
        known = reports > 0 and not holes and seen >= MEASURED_BYTES
        return share if known or share > LOSS_BOUND else None

    def _sums(self, site: str, start: datetime, end: datetime) -> list[float]:
        sums = [0.0] * len(_COUNTED)
        nothing = (0.0,) * len(_COUNTED)
        minute = floor(start, 60)
        while minute <= end:
            own = self._minutes.get((site, minute), nothing)
            shared = self._minutes.get(("", minute), nothing)[:_OF_HEALTH] if site else ()
            for index, value in enumerate(own):
                sums[index] += value + (shared[index] if index < len(shared) else 0.0)
            minute += timedelta(minutes=1)
        return sums


class Losses:
    """The loss of a store at any time, read by hours as it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: set[datetime] = set()
        self._loss = Loss([])

    def share(self, site: str, start: datetime, end: datetime) -> float | None:
        """As `Loss.share`."""
        hours, at = [], floor(start - REACH, 3_600)
        while at <= end + REACH:
            hours.append(at)
            at += timedelta(hours=1)
        missing = [hour for hour in hours if hour not in self._read]
        if missing:
            asked = {"from": sql_time(missing[0]), "to": sql_time(missing[-1] + timedelta(hours=1))}
            self._loss.add(self._store.rows(LOSS_SQL, asked))
            self._read.update(hours)
        return self._loss.share(site, start, end)
