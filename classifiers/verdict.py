"""What became of each attempt to reach a name: blocked, allowed, partial or inconclusive.

An attempt is what one client does about one name, without a pause of 30 s, over DNS, TCP and QUIC
together. The method is `attempts.sql`, its numbers are `verdict.toml`; what was delivered on any
path outranks a block on another. Method and points: docs/attempts.md.
"""

import tomllib
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from classifiers.facts import Facts
from classifiers.loss import LOSS_BOUND, Loss, Store, floor, moment, sql_time
from classifiers.ranges import hourly
from classifiers.selective import SELECTIVE_SQL, keys, words_of

ATTEMPTS_SQL = hourly(Path(__file__).with_name("attempts.sql").read_text("utf-8"))
#: Event time judged by one statement, so that memory does not grow with the range.
PIECE = timedelta(hours=1)
HOUR = timedelta(hours=1)
_KEY = ("site", "client", "name", "window_start")
_STORED_SQL = """
SELECT site, client, name, window_start, content FROM attempts FINAL
WHERE toStartOfHour(window_start) >= toStartOfHour({from:DateTime64(6, 'UTC')})
    AND window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
"""
#: Hours in which a name was asked for or reached, or an attempt is stored: a range may hold years.
_HOURS_SQL = """
SELECT DISTINCT toUnixTimestamp(toStartOfHour(ts)) AS hour FROM dns
WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
UNION DISTINCT
SELECT DISTINCT toUnixTimestamp(toStartOfHour(first)) AS hour FROM flows
WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')} AND server_name != ''
UNION DISTINCT
SELECT DISTINCT toUnixTimestamp(toStartOfHour(window_start)) AS hour FROM attempts
WHERE window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
"""


class Rebuilt(NamedTuple):
    """What a rebuild did."""

    changed: int
    """Attempts that are new, changed or gone."""
    since: datetime
    """Earliest event time whose attempts may have changed."""


@cache
def method() -> dict[str, Any]:
    """The content of `verdict.toml`."""
    return tomllib.loads(Path(__file__).with_name("verdict.toml").read_text("utf-8"))


def _keys(attempts: pa.Table) -> list[tuple[Any, ...]]:
    """The key of each row, its time in µs since 1970: datetimes would take five times as long as the rest."""
    columns = [attempts.column(name) for name in _KEY]
    return list(
        zip(
            *((c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist() for c in columns),
            strict=True,
        )
    )


def pieces(hours: Iterable[datetime], since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """The parts of a range that lie in some hours, in order; neighbours are one where `PIECE` holds both."""
    parts: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        start, end = max(since, hour), min(until, hour + HOUR)
        if parts and parts[-1][1] == start and end - parts[-1][0] <= PIECE:
            parts[-1] = parts[-1][0], end
        elif start < end:
            parts.append((start, end))
    return parts


class Verdicts:
    """The `attempts` of a store."""

    def __init__(self, store: Store, facts: Facts, overrides: dict[str, float] | None = None) -> None:
        """Raises ValueError for an override that is no bound of `verdict.toml`."""
        self._store = store
        bounds = dict(method()["bounds"])
        for name, value in (overrides or {}).items():
            if name not in bounds:
                raise ValueError(
                    f"thresholds.verdict: unknown parameter {name!r}; it has {', '.join(bounds)}"
                )
            bounds[name] = type(bounds[name])(value)
        self._slot = int(bounds["slot_s"])
        self._reach = timedelta(seconds=bounds["reach_s"])
        evidence = method()["evidence"]
        self._parameters: dict[str, Any] = {
            **bounds,
            **method()["lists"],
            **{f"delivered_{path}": points for path, points in method()["delivered"].items()},
            "words": [row["mechanism"] for row in evidence],
            "points": [row["points"] for row in evidence],
            "absence_words": [row["mechanism"] for row in evidence if row.get("absence")],
            "dns_words": [row["mechanism"] for row in evidence if row.get("dns")],
            "sinkholes": list(facts.sinkholes),
            "block_hosts": list(facts.block_hosts),
            "block_issuers": list(facts.block_issuers),
            "outside": facts.tap_side == "wan",
            "resolvers": list(facts.resolvers),
            "router_macs": list(facts.router_macs),
            "block_page_bytes": facts.block_page_bytes,
            "methods": list(facts.methods),
            "loss_bound": LOSS_BOUND,
        }
        # From outside, the filter is not seen to stop anything.
        words, steady = words_of(facts.methods, evidence) if facts.tap_side == "lan" else ([], [])
        self._parameters |= {"selective_words": words, "steady_words": steady}

    def rebuild(
        self,
        first: datetime,
        last: datetime,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> Rebuilt:
        """Judges anew what rows between two event times can have changed; writes only what differs.

        Attempts that began before `begin`, or at `end` or later, are another's to judge.
        """
        slot = timedelta(seconds=self._slot)
        # A row belongs to the attempt at its flow's first packet; attempts last two slots at most, and
        # corroborate each other one slot around.
        since = floor(first - self._reach, self._slot) - 3 * slot
        until = floor(last, self._slot) + 4 * slot
        since, until = max(since, begin or since), min(until, end or until)
        rows = self._store.rows(_HOURS_SQL, {"from": sql_time(since), "to": sql_time(until + self._reach)})
        hours = [moment(row["hour"] * 1_000_000) for row in rows]
        return Rebuilt(sum(self._piece(*piece) for piece in pieces(hours, since, until)), since)

    def _piece(self, start: datetime, end: datetime) -> int:
        slot = timedelta(seconds=self._slot)
        read_from, read_to = start - 4 * slot, end + 4 * slot
        held = self._stored(start, end)
        stored = dict(zip(_keys(held), held.column("content").to_pylist(), strict=True))
        parameters = {
            **self._parameters,
            **self._loss(start, end),
            "emit_from": sql_time(start),
            "emit_to": sql_time(end),
            "read_from": sql_time(read_from),
            "read_to": sql_time(read_to),
        }
        parameters["selective_keys"] = ["", *self._selective(start, end, parameters)]
        judged = self._store.arrow(ATTEMPTS_SQL, parameters)
        keys = _keys(judged)
        content = judged.column("content").to_pylist()
        differs = [stored.get(key) != value for key, value in zip(keys, content, strict=True)]
        gone = sorted(stored.keys() - set(keys), key=str)
        self._write(judged.filter(pa.array(differs, pa.bool_())), gone)
        return sum(differs) + len(gone)

    def _selective(self, start: datetime, end: datetime, parameters: dict[str, Any]) -> list[str]:
        """Keys of what failed as policy says, in the slots of attempts that begin between the moments."""
        if not parameters["selective_words"]:
            return []
        slots = floor(start, self._slot), floor(end, self._slot) + timedelta(seconds=self._slot)
        periods = {"periods_from": int(slots[0].timestamp()), "periods_to": int(slots[1].timestamp())}
        asked = {**parameters, **periods}
        # Few rows are about what policy prohibits: where those alone say no, the others need not be read.
        rows = self._store.rows(SELECTIVE_SQL, {**asked, "prohibited_alone": True})
        if rows:
            rows = self._store.rows(SELECTIVE_SQL, {**asked, "prohibited_alone": False})
        return keys(rows, int(parameters["selective_sites"]), parameters["dns_words"])

    def _stored(self, start: datetime, end: datetime) -> pa.Table:
        return self._store.arrow(_STORED_SQL, {"from": sql_time(start), "to": sql_time(end)})

    def _loss(self, start: datetime, end: datetime) -> dict[str, Any]:
        """Keys and shares of the slots whose loss is known; one entry of neither before them."""
        slot = timedelta(seconds=self._slot)
        loss = Loss.between(self._store, start, end + slot)
        keys, shares = [""], [0.0]
        at = floor(start, self._slot)
        while at < end:
            for site in sorted(loss.sites):
                share = loss.share(site, at, at + slot - timedelta(seconds=1))
                if share is not None:
                    keys.append(f"{site}/{int(at.timestamp())}")
                    shares.append(share)
            at += slot
        return {"loss_keys": keys, "loss_shares": shares}

    def _write(self, judged: pa.Table, gone: list[tuple[Any, ...]]) -> None:
        # `updated` is the store's to say: of a key the newest counts, and workers' clocks may jump.
        # The table replaces by key, so no two writes may be taken for repetitions of each other.
        if judged.num_rows:
            self._insert(judged.append_column("removed", pa.array([0] * judged.num_rows, pa.uint8())))
        if gone:
            columns = {
                name: pc.cast(pa.array([key[i] for key in gone]), judged.schema.field(name).type)
                for i, name in enumerate(_KEY)
            }
            columns["removed"] = pa.array([1] * len(gone), pa.uint8())
            self._insert(pa.table(columns))

    def _insert(self, table: pa.Table) -> None:
        for batch in table.combine_chunks().to_batches():
            self._store.insert("attempts", batch, f"attempts/{uuid.uuid4().hex}")
