"""Who was where: sightings and the MACs of flows → `bindings`, closed intervals of event time.

A source's statement holds for a time (ARP: ten minutes), or until its end (a lease, a session). What a round
finds is joined with what is stored, so it does not matter in which order or how often rows come. Sources,
their confidence and the bounds are `identity.toml`; the method is docs/identity.md.
"""

import tomllib
import uuid
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.facts import Facts
from classifiers.intervals import Joined, join, until_next
from classifiers.loss import Store, moment, sql_time
from classifiers.policy_model import Policy
from pipeline.records import TIME, mapped_text

FOLDER = Path(__file__).parent
HEARD_SQL, HELD_SQL, STORED_SQL = (
    (FOLDER / f"bindings_{part}.sql").read_text("utf-8") for part in ("heard", "held", "stored")
)
#: Event time that one statement looks at, so that memory does not grow with the range.
PIECE = timedelta(hours=1)
_HOURS_SQL = """
SELECT DISTINCT toUnixTimestamp(toStartOfHour(ts)) AS hour FROM sightings
WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
UNION DISTINCT
SELECT DISTINCT toUnixTimestamp(hour) AS hour FROM hosts_1h
WHERE hour >= toStartOfHour({from:DateTime64(6, 'UTC')}) AND hour < {to:DateTime64(6, 'UTC')}
"""
_ANY_SQL = """
SELECT 1 FROM sightings WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} LIMIT 1
"""
#: Bindings of each site that began in an hour: what the bound on new ones has left.
_BEGUN_SQL = """
SELECT toString(site) AS site, count() AS n FROM bindings
WHERE `from` >= {hour:DateTime64(6, 'UTC')} AND `from` < {hour:DateTime64(6, 'UTC')} + INTERVAL 1 HOUR
GROUP BY site
"""
_KEYS = ("site", "ip", "vlan", "mac", "name", "user", "session", "source")
#: Sources whose statements have ends of their own.
WITH_ENDS = ("dhcp", "dhcpv6", "radius")
#: Sources that go by frames, which anyone can forge.
FROM_FRAMES = ("arp", "ndp", "flows")
#: Why a binding is left out: too many claim the address or name the device; too many new ones at the site.
REASONS = ("", "address", "site")
NOT_STORED = np.int64(np.iinfo(np.int64).min)
_OF_ONE = ("macs_of_address", "names_of_device", "users_of_address")


class Bound(NamedTuple):
    """What a rebuild did."""

    changed: int
    """Bindings that are new, longer, shorter or gone."""
    left_out: int
    """New ones that a bound kept out."""


@cache
def worth() -> dict[str, Any]:
    """The content of `identity.toml`."""
    return tomllib.loads((FOLDER / "identity.toml").read_text("utf-8"))


@cache
def _sources() -> dict[str, dict[str, int]]:
    return {row["source"]: row for row in worth()["sources"]}


class Bindings:
    """The `bindings` of a store."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        facts = Facts.of(policy)
        self._bounds: dict[str, int] = worth()["bounds"]
        words = worth()["words"]
        networks = sorted(
            ((network, site.id) for site in policy.sites for network in site.subnets),
            key=lambda pair: pair[0].prefixlen + (96 if pair[0].version == 4 else 0),
            reverse=True,
        )
        self._parameters: dict[str, Any] = {
            "sources": [row["source"] for row in worth()["sources"]],
            "valid_s": [row["valid_s"] for row in worth()["sources"]],
            "services": words["services"],
            "nobody": words["nobody"],
            "router_macs": list(facts.router_macs),
            "inside_from": list(facts.inside_from),
            "inside_to": list(facts.inside_to),
            # A server of several sites speaks of each; longest prefixes first.
            "site_ids": [site for _, site in networks],
            "site_from": [mapped_text(network.network_address) for network, _ in networks],
            "site_to": [mapped_text(network.broadcast_address) for network, _ in networks],
        }

    def rebuild(self, first: datetime, last: datetime) -> Bound:
        """Brings the bindings up to date with rows between two event times; writes only what differs."""
        until = last + timedelta(microseconds=1)
        rows = self._store.rows(_HOURS_SQL, {"from": sql_time(first), "to": sql_time(until)})
        changed = left_out = 0
        for hour in sorted(moment(row["hour"] * 1_000_000) for row in rows):
            start, end = max(first, hour), min(until, hour + PIECE)
            if start < end:
                done = self._piece(hour, start, end)
                changed += done.changed
                left_out += done.left_out
        return Bound(changed, left_out)

    def _piece(self, hour: datetime, start: datetime, end: datetime) -> Bound:
        asked = {**self._parameters, "hour": sql_time(hour), "from": sql_time(start), "to": sql_time(end)}
        heard = self._store.arrow(HEARD_SQL, asked)
        told = self._store.arrow(HELD_SQL, asked)
        if not heard.num_rows and not told.num_rows:
            return Bound(0, 0)
        stored = self._store.arrow(STORED_SQL, asked)
        ends = pc.is_in(stored.column("source"), value_set=pa.array(WITH_ENDS))
        spans = [_spans(heard), _spans(stored.filter(pc.invert(ends)), stored=True)]
        if told.num_rows:
            held = stored.filter(ends)
            spans += self._held(_beside(told, self._later(told, held, end, asked)), held)
        return self._write(_Spans.together(spans), self._left(hour), hour)

    def _later(self, told: pa.Table, held: pa.Table, end: datetime, asked: dict[str, Any]) -> pa.Table:
        """What was said after `end` of the resources at hand, as far as they are held: late rows must not
        bring back what has ended since."""
        us, valid = _numbers(told, "us"), _numbers(told, "valid")
        past = max(int((us + valid).max()), int(_numbers(held, "ended").max(initial=0)))
        if moment(past) < end:
            return told.slice(0, 0)
        beyond = {**asked, "from": sql_time(end), "to": sql_time(moment(past + 1))}
        if not self._store.rows(_ANY_SQL, {name: beyond[name] for name in ("from", "to")}):
            return told.slice(0, 0)
        later = self._store.arrow(HELD_SQL, beyond)
        return later.filter(
            pc.is_in(later.column("resource"), value_set=told.column("resource").combine_chunks())
        )

    def _held(self, told: pa.Table, held: pa.Table) -> list["_Spans"]:
        """Spans of what is held, each until its end."""
        touched = pc.is_in(held.column("resource"), value_set=told.column("resource").combine_chunks())
        held = held.filter(touched)
        began, was = _numbers(held, "began"), _numbers(held, "ended")
        us = np.concatenate([_numbers(told, "us"), began])
        valid = np.concatenate([_numbers(told, "valid"), was - began])
        resource, holder = (
            np.concatenate([_numbers(told, name), _numbers(held, name)]) for name in ("resource", "holder")
        )
        ends = until_next(resource, holder, us, valid)
        new, holds = len(told), valid[: len(told)] > 0
        fresh = _Spans(
            told.select(_KEYS).filter(pa.array(holds)), _numbers(told, "key")[holds], us[:new][holds],
            ends[:new][holds], np.ones(int(holds.sum()), np.int64), np.full(int(holds.sum()), NOT_STORED),
        )  # fmt: skip
        kept = _Spans(
            held.select(_KEYS), _numbers(held, "key"), began, ends[new:], np.zeros(len(held), np.int64), was
        )
        return [fresh, kept]

    def _left(self, hour: datetime) -> dict[str, int]:
        """New bindings of the hour that each site may still have; sites that have none yet are not in it."""
        begun = self._store.rows(_BEGUN_SQL, {"hour": sql_time(hour)})
        return {row["site"]: self._bounds["new_of_site"] - row["n"] for row in begun}

    def _write(self, spans: "_Spans", left: dict[str, int], hour: datetime) -> Bound:
        """Writes the intervals that differ from what is stored, takes out those that went up in them, and
        notes what a bound left out."""
        source = spans.columns.column("source").combine_chunks().dictionary_encode()
        code = source.indices.to_numpy(zero_copy_only=False)
        words = source.dictionary.to_pylist()
        gap = np.array([_sources()[word]["joined_s"] * 1_000_000 for word in words], np.int64)[code]
        confidence = np.array([_sources()[word]["confidence"] for word in words], np.uint8)[code]
        joined = join(spans.key, spans.began, spans.ended, gap, spans.said)
        stored = spans.was != NOT_STORED
        of, count = joined.spans[stored], len(joined.began)
        parts = np.bincount(of, minlength=count)
        same = np.zeros(count, bool)
        same[of] = (spans.began[stored] == joined.began[of]) & (spans.was[stored] == joined.ended[of])
        lasting = joined.ended > joined.began
        changed = (lasting | (parts > 0)) & ~(same & (parts == 1))
        columns = spans.columns.take(pa.array(joined.first))
        reason = self._bounded(columns, joined, parts == 0, lasting, left)
        kept = np.flatnonzero(changed & lasting & (reason == 0))
        # A stored interval is replaced by the one that begins with it; the others of it went up in it.
        gone = np.flatnonzero(stored)[
            changed[of] & ((spans.began[stored] != joined.began[of]) | ~lasting[of])
        ]
        self._insert(columns.take(pa.array(kept)), joined.began[kept], joined.ended[kept],
                     confidence[joined.first][kept], 0)  # fmt: skip
        self._insert(spans.columns.take(pa.array(gone)), spans.began[gone], spans.began[gone],
                     confidence[gone], 1)  # fmt: skip
        return Bound(len(kept) + len(gone), self._note(columns.column("site"), reason, hour))

    def _bounded(
        self, columns: pa.Table, joined: Joined, fresh: np.ndarray, lasting: np.ndarray, left: dict[str, int]
    ) -> np.ndarray:
        """uint8[n]: why an interval is left out, index of `REASONS`; what is often said stays."""
        reason = np.zeros(len(fresh), np.uint8)
        if not fresh.any():
            return reason
        framed = pc.is_in(columns.column("source"), value_set=pa.array(FROM_FRAMES))
        names = pc.not_equal(columns.column("name"), "").to_numpy(zero_copy_only=False)
        users = pc.not_equal(columns.column("user"), "").to_numpy(zero_copy_only=False)
        kind = np.select([framed.to_numpy(zero_copy_only=False), names, users], [1, 2, 3], 0)
        most = np.array([np.iinfo(np.int64).max, *(self._bounds[name] for name in _OF_ONE)])
        site = columns.column("site").combine_chunks().dictionary_encode()
        site_code = site.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        address = (
            columns.column("ip").combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
        )
        device = np.where(kind == 2, _numbers(columns, "mac"), np.uint64(0))
        order = np.lexsort((-joined.said, fresh, kind, device, address, site_code))
        owner = np.stack([site_code[order], address[order], device[order].view(np.int64), kind[order]])
        place = _places(np.any(owner[:, 1:] != owner[:, :-1], axis=0))
        over = np.empty(len(fresh), bool)
        over[order] = place >= most[kind[order]]
        reason[over & fresh & lasting] = REASONS.index("address")
        counted = np.flatnonzero(fresh & lasting & (reason == 0))
        order = counted[np.lexsort((-joined.said[counted], site_code[counted]))]
        if len(order):
            most_new = np.array(
                [left.get(word, self._bounds["new_of_site"]) for word in site.dictionary.to_pylist()]
            )
            turn = _places(site_code[order][1:] != site_code[order][:-1])
            reason[order[turn >= most_new[site_code[order]]]] = REASONS.index("site")
        return reason

    def _insert(
        self,
        columns: pa.Table,
        began: np.ndarray,
        ended: np.ndarray,
        confidence: np.ndarray,
        removed: int,
    ) -> None:
        rows = columns.num_rows
        table = columns
        for name, values in (
            ("from", pa.array(began).cast(TIME)),
            ("to", pa.array(ended).cast(TIME)),
            ("confidence", pa.array(confidence)),
            ("removed", pa.array(np.full(rows, removed, np.uint8))),
        ):
            table = table.append_column(name, values)
        # The table replaces by key, so no two writes may be taken for repetitions of each other.
        self._store.insert("bindings", table, f"bindings/{uuid.uuid4().hex}")

    def _note(self, sites: pa.ChunkedArray, reason: np.ndarray, hour: datetime) -> int:
        """Notes what was left out, by site and reason; how many."""
        out = np.flatnonzero(reason)
        if not len(out):
            return 0
        counts = Counter(zip(sites.take(pa.array(out)).to_pylist(), reason[out].tolist(), strict=True))
        values = {
            "site": pa.array([site for site, _ in counts]),
            "hour": pa.array([hour] * len(counts), TIME),
            "reason": pa.array([REASONS[code] for _, code in counts]),
            "left_out": pa.array(counts.values(), pa.uint64()),
        }
        self._store.insert("bindings_left_out", pa.record_batch(values), f"left/{uuid.uuid4().hex}")
        return len(out)


class _Spans(NamedTuple):
    """Parts of intervals: what was said, and what is stored."""

    columns: pa.Table
    key: np.ndarray
    began: np.ndarray
    ended: np.ndarray
    said: np.ndarray
    was: np.ndarray
    """The end that is stored; `NOT_STORED` for what was said now."""

    @classmethod
    def together(cls, parts: list["_Spans"]) -> "_Spans":
        columns = pa.concat_tables([part.columns for part in parts], promote_options="permissive")
        return cls(
            columns, *(np.concatenate(arrays) for arrays in zip(*(part[1:] for part in parts), strict=True))
        )


def _spans(table: pa.Table, *, stored: bool = False) -> _Spans:
    ended = _numbers(table, "ended")
    said = np.zeros(len(table), np.int64) if stored else _numbers(table, "said").astype(np.int64)
    was = ended if stored else np.full(len(table), NOT_STORED)
    return _Spans(table.select(_KEYS), _numbers(table, "key"), _numbers(table, "began"), ended, said, was)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).to_numpy()


def _beside(one: pa.Table, other: pa.Table) -> pa.Table:
    return pa.concat_tables([one, other.select(one.column_names)], promote_options="permissive")


def _places(new: np.ndarray) -> np.ndarray:
    """Place of each row in its run, from 0; `new` says where one begins, from the second row on."""
    starts = np.concatenate(([True], new))
    at = np.arange(len(starts))
    return at - np.maximum.accumulate(np.where(starts, at, 0))
