"""The versions of the policy over time: when each was valid, and which one an event is judged by.

A version is valid from its `valid_from`, or from when it was loaded. What was loaded last wins from
there on; so a version that was loaded to hold later, and replaced before, never held.
"""

import getpass
import json
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from classifiers.policy_diff import changes
from classifiers.policy_model import Policy
from pipeline.records import TIME

#: A version that says nothing of its time follows the one before this long after it was loaded, µs: by then
#: every worker of this process judges by it. Our default.
AHEAD_US = 1_000_000
#: Versions that are looked at, the latest. Our default: one a day for 27 years.
MOST_VERSIONS = 10_000

_ALL = f"""
SELECT version, toUnixTimestamp64Micro(loaded) AS loaded_us, toUnixTimestamp64Micro(valid_from) AS from_us,
    file, loaded_by, changes
FROM policies ORDER BY loaded DESC, version LIMIT {MOST_VERSIONS}
"""
_CONTENT = """
SELECT content FROM policies WHERE version = {version:String} ORDER BY loaded DESC LIMIT 1
"""
_ROW = pa.schema(
    [
        ("version", pa.string()),
        ("loaded", TIME),
        ("valid_from", TIME),
        ("file", pa.string()),
        ("loaded_by", pa.string()),
        ("content", pa.string()),
        ("changes", pa.list_(pa.string())),
    ]
)


class Store(Protocol):
    """What versions need of a store."""

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]: ...
    def insert(self, table: str, batch: pa.RecordBatch, token: str) -> None: ...


class Load(NamedTuple):
    """One load of a policy that differed from the one before."""

    version: str
    loaded: int
    """µs since 1970 UTC."""
    valid_from: int
    """The same; see `Policy.starts`."""
    file: str
    loaded_by: str
    """User and host of the process."""
    changes: tuple[str, ...]
    """What differs from the one loaded before, a line each; nothing for the first."""


class Interval(NamedTuple):
    """A time in which one version was, is or will be valid."""

    version: str
    first: int
    """µs since 1970 UTC."""
    until: int | None
    """The same, not included; None: for ever."""


def intervals(loads: Sequence[Load]) -> list[Interval]:
    """When each load was valid, in the order of time; loads that never were are not among them."""
    starts: list[tuple[int, str]] = []
    for load in sorted(loads, key=lambda one: one.loaded):
        while starts and starts[-1][0] >= load.valid_from:
            starts.pop()
        starts.append((load.valid_from, load.version))
    ends = [*(first for first, _ in starts), None][1:]
    return [Interval(version, first, until) for (first, version), until in zip(starts, ends, strict=True)]


class Timeline:
    """Which version an event is judged by."""

    def __init__(self, spans: Sequence[Interval]) -> None:
        """`spans` as `intervals` gives them; at least one."""
        self.spans = list(spans)
        self._edges = np.array([span.first for span in spans], np.int64)

    def now(self, us: int | None = None) -> Interval:
        """What is in force at a time of the clock, by default now; the first where none is yet."""
        us = time.time_ns() // 1_000 if us is None else us
        return self.spans[max(int(np.searchsorted(self._edges, us, "right")) - 1, 0)]

    def versions(self, us: np.ndarray) -> list[tuple[str, np.ndarray | None]]:
        """Versions that events (int64 µs since 1970) are judged by, each with its rows; None: all.

        An event from before the first version, as an old capture has, is judged by what is in force now.
        """
        if len(us) == 0 or len(self.spans) == 1:
            return [(self.now().version, None)]
        at = np.searchsorted(self._edges, us, "right") - 1
        names = [*(span.version for span in self.spans), self.now().version]
        found = np.unique(at)
        if len(found) == 1:
            return [(names[found[0]], None)]
        rows: dict[str, list[np.ndarray]] = {}
        for index in found.tolist():
            rows.setdefault(names[index], []).append(np.flatnonzero(at == index))
        if len(rows) == 1:
            return [(next(iter(rows)), None)]
        return [(version, np.concatenate(parts)) for version, parts in rows.items()]

    def at(self, us: int) -> Interval:
        """The interval of one event; see `versions`."""
        index = int(np.searchsorted(self._edges, us, "right")) - 1
        return self.spans[index] if index >= 0 else self.now()


class Versions:
    """The loads that a store knows."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def loads(self) -> list[Load]:
        """All loads, the latest first. Raises OSError, ValueError."""
        return [
            Load(row["version"], row["loaded_us"], row["from_us"], row["file"], row["loaded_by"],
                 tuple(row["changes"]))
            for row in self._store.rows(_ALL)
        ]  # fmt: skip

    def policy(self, version: str) -> Policy:
        """The content of a version.

        Raises KeyError where there is none, ValueError where this release can't read it, OSError.
        """
        rows = self._store.rows(_CONTENT, {"version": version})
        if not rows:
            raise KeyError(f"no version {version[:40]!r}")
        try:
            return Policy.model_validate(json.loads(rows[0]["content"]))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"policy version {version} can't be read: {where}: {first['msg']}") from None

    def record(self, policy: Policy, file: Path, clock: Callable[[], int] = time.time_ns) -> list[Load]:
        """Notes that the policy was loaded, unless it is what was loaded last; all loads then.

        Raises OSError, ValueError.
        """
        loads = self.loads()
        if loads and loads[0].version == policy.version:
            return loads
        try:
            before = self.policy(loads[0].version) if loads else None
        except ValueError:
            before = None
        now = max(clock() // 1_000, loads[0].loaded + 1 if loads else 0)
        from_now = now + AHEAD_US if loads else now
        load = Load(
            policy.version,
            now,
            from_now if policy.starts is None else policy.starts,
            str(file),
            f"{getpass.getuser()}@{socket.gethostname()}",
            tuple(map(str, changes(before, policy))) if before else (),
        )
        values = [*load[:5], json.dumps(policy.content(), ensure_ascii=False), list(load.changes)]
        arrays = [pa.array([value], field.type) for value, field in zip(values, _ROW, strict=True)]
        row = pa.record_batch(arrays, schema=_ROW)
        self._store.insert("policies", row, f"policies/{load.version}/{load.loaded}")
        return [load, *loads]
