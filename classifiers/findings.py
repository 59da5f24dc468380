"""Parts and findings in the store: what is there, and what must be written where parts have changed."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from classifiers.detector import Detector
from classifiers.episodes import SUPPRESSION, Finding, Key, Part, episodes, finding_id
from classifiers.loss import Store, sql_time, utc
from pipeline.records import TIME

#: Subjects asked for in one statement.
KEYS = 500
#: A part begins and ends within so much of its piece, as far as a search for it goes.
NEAR = timedelta(days=7)
_TOLD = [
    ("site", pa.string()),
    ("subject_kind", pa.string()),
    ("subject", pa.string()),
    ("from", TIME),
    ("to", TIME),
    ("strength", pa.float64()),
    ("confidence", pa.uint8()),
    ("statement", pa.string()),
    ("inputs", pa.map_(pa.string(), pa.float64())),
    ("thresholds", pa.map_(pa.string(), pa.float64())),
    ("samples", pa.list_(pa.string())),
    ("loss", pa.float64()),
    ("inconclusive", pa.bool_()),
]
PARTS = pa.schema([("detector", pa.string()), ("piece", TIME), ("removed", pa.uint8()), *_TOLD])
FINDINGS = pa.schema(
    [
        ("id", pa.string()),
        ("detector", pa.string()),
        ("class", pa.string()),
        ("title", pa.string()),
        ("severity", pa.string()),
        ("clause", pa.string()),
        ("withdrawn", pa.string()),
        *_TOLD,
    ]
)
_OF_KEYS = (
    " AND (site, subject_kind, subject) IN (SELECT arrayJoin(arrayZip("
    "{sites:Array(String)}, {kinds:Array(String)}, {subjects:Array(String)})))"
)
_OVERLAPS = (
    " WHERE detector = {detector:String}"
    " AND `from` <= {to:DateTime64(6, 'UTC')} AND `to` >= {from:DateTime64(6, 'UTC')}"
)


class Diff(NamedTuple):
    """How the parts of some pieces differ from those stored."""

    fresh: list[Part]
    """New or changed."""
    gone: list[Part]
    """As they were stored."""


class Changes(NamedTuple):
    """What becomes of findings where parts have changed; those that stay as they are, are not in it."""

    new: list[Finding]
    changed: list[tuple[Finding, Finding]]
    """Before and after."""
    withdrawn: list[Finding]

    def rows(self) -> list[Finding]:
        """What is to be written."""
        return [*self.new, *(after for _, after in self.changed), *self.withdrawn]


def _told(row: dict[str, Any]) -> Part:
    return Part(
        key=Key(row["site"], row["subject_kind"], row["subject"]),
        piece=utc(row.get("piece") or row["from"]),
        start=utc(row["from"]),
        end=utc(row["to"]),
        strength=row["strength"],
        confidence=row["confidence"],
        statement=row["statement"],
        inputs=dict(row["inputs"]),
        thresholds=dict(row["thresholds"]),
        samples=tuple(row["samples"]),
        loss=row["loss"],
        inconclusive=bool(row["inconclusive"]),
    )


def _row(part: Part) -> dict[str, Any]:
    return {
        **part.key._asdict(),
        "piece": part.piece,
        "from": part.start,
        "to": part.end,
        "strength": part.strength,
        "confidence": part.confidence,
        "statement": part.statement,
        "inputs": list(part.inputs.items()),
        "thresholds": list(part.thresholds.items()),
        "samples": list(part.samples),
        "loss": part.loss,
        "inconclusive": part.inconclusive,
    }


class Findings:
    """The parts and findings of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def parts(self, begin: datetime, end: datetime) -> dict[str, list[Part]]:
        """Parts of all pieces that begin in a range, its end excluded, by detector."""
        rows = self._store.rows(
            "SELECT * FROM finding_parts FINAL WHERE piece >= {from:DateTime64(6, 'UTC')}"
            " AND piece < {to:DateTime64(6, 'UTC')}",
            {"from": sql_time(begin), "to": sql_time(end)},
        )
        found: dict[str, list[Part]] = defaultdict(list)
        for row in rows:
            found[row["detector"]].append(_told(row))
        return found

    def between(self, detector: str, begin: datetime, end: datetime) -> list[Finding]:
        """Findings of a detector that touch a range and hold, in order of time."""
        rows = self._store.rows(
            f"SELECT * FROM findings FINAL{_OVERLAPS} AND withdrawn = '' ORDER BY `from`, id",
            {"detector": detector, "from": sql_time(begin), "to": sql_time(end)},
        )
        return [Finding(row["id"], _told(row)) for row in rows]

    def changes(self, detector: str, diff: Diff) -> Changes:
        """What the difference makes of the findings of its subjects. Writes nothing."""
        hulls: dict[Key, tuple[datetime, datetime]] = {}
        for part in (*diff.fresh, *diff.gone):
            _widen(hulls, part)
        done = Changes([], [], [])
        keys = sorted(hulls)
        for place in range(0, len(keys), KEYS):
            some = {key: hulls[key] for key in keys[place : place + KEYS]}
            more = self._settled(detector, diff, some)
            done.new.extend(more.new)
            done.changed.extend(more.changed)
            done.withdrawn.extend(more.withdrawn)
        return done

    def _settled(self, detector: str, diff: Diff, hulls: dict[Key, tuple[datetime, datetime]]) -> Changes:
        before: dict[str, Finding] = {}
        parts: dict[tuple[Key, datetime], Part] = {}
        grown = True
        while grown:
            grown = False
            begin = min(start for start, _ in hulls.values()) - SUPPRESSION
            end = max(last for _, last in hulls.values()) + SUPPRESSION
            for finding in self._stored(detector, list(hulls), begin, end):
                if _touches(hulls, finding.told):
                    before[finding.id] = finding
                    grown |= _widen(hulls, finding.told)
            for part in self._overlapping(detector, list(hulls), begin, end):
                if _touches(hulls, part):
                    parts[part.key, part.piece] = part
                    grown |= _widen(hulls, part)
        for part in diff.gone:
            parts.pop((part.key, part.piece), None)
        for part in diff.fresh:
            if part.key in hulls:
                parts[part.key, part.piece] = part
        of: dict[Key, list[Part]] = defaultdict(list)
        for part in parts.values():
            of[part.key].append(part)
        now = [Finding(finding_id(detector, told), told) for key in of for told in episodes(of[key])]
        return _compared(before, now)

    def _stored(self, detector: str, keys: Sequence[Key], begin: datetime, end: datetime) -> list[Finding]:
        sql = f"SELECT * FROM findings FINAL{_OVERLAPS}{_OF_KEYS}"
        rows = self._store.rows(sql, _asked(detector, keys, begin, end))
        return [Finding(row["id"], _told(row), row["withdrawn"]) for row in rows]

    def _overlapping(self, detector: str, keys: Sequence[Key], begin: datetime, end: datetime) -> list[Part]:
        near = " AND piece >= {from:DateTime64(6, 'UTC')} - {near:UInt32}"
        near += " AND piece <= {to:DateTime64(6, 'UTC')} + {near:UInt32}"
        sql = f"SELECT * FROM finding_parts FINAL{_OVERLAPS}{near}{_OF_KEYS}"
        asked = _asked(detector, keys, begin, end) | {"near": int(NEAR.total_seconds())}
        return [_told(row) for row in self._store.rows(sql, asked)]

    def write(self, detector: Detector, diff: Diff, changes: Changes) -> None:
        """Findings first: were parts written alone, nobody would see that findings lag behind them."""
        of = {
            "detector": detector.name,
            "class": detector.kind,
            "title": detector.title,
            "severity": detector.severity,
            "clause": detector.clause,
        }
        self._insert(
            "findings",
            [{**of, "id": f.id, "withdrawn": f.withdrawn, **_row(f.told)} for f in changes.rows()],
            FINDINGS,
        )
        named = {"detector": detector.name}
        parts = [{**named, "removed": 0, **_row(part)} for part in diff.fresh]
        parts += [{**named, "removed": 1, **_row(part)} for part in diff.gone]
        self._insert("finding_parts", parts, PARTS)

    def _insert(self, table: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
        if rows:
            batch = pa.RecordBatch.from_pylist(rows, schema=schema)
            # The table replaces by key, so no two writes may be taken for repetitions of each other.
            self._store.insert(table, batch, f"{table}/{uuid.uuid4().hex}")


def difference(fresh: Iterable[Part], stored: Iterable[Part]) -> Diff:
    """How parts that were found differ from those stored for the same pieces."""
    found = {(part.key, part.piece): part for part in fresh}
    there = {(part.key, part.piece): part for part in stored}
    return Diff(
        [part for place, part in found.items() if there.get(place) != part],
        [part for place, part in there.items() if place not in found],
    )


def _asked(detector: str, keys: Sequence[Key], begin: datetime, end: datetime) -> dict[str, Any]:
    return {
        "detector": detector,
        "from": sql_time(begin),
        "to": sql_time(end),
        "sites": [key.site for key in keys],
        "kinds": [key.subject_kind for key in keys],
        "subjects": [key.subject for key in keys],
    }


def _touches(hulls: dict[Key, tuple[datetime, datetime]], part: Part) -> bool:
    start, end = hulls[part.key]
    return part.start <= end + SUPPRESSION and part.end >= start - SUPPRESSION


def _widen(hulls: dict[Key, tuple[datetime, datetime]], part: Part) -> bool:
    before = hulls.get(part.key)
    start, end = before or (part.start, part.end)
    hulls[part.key] = min(start, part.start), max(end, part.end)
    return hulls[part.key] != before


def _compared(before: dict[str, Finding], now: list[Finding]) -> Changes:
    ids = {finding.id for finding in now}
    new = [f for f in now if f.id not in before or before[f.id].withdrawn]
    changed = [
        (before[f.id], f) for f in now if f.id in before and not before[f.id].withdrawn and before[f.id] != f
    ]
    gone = [f for f in before.values() if f.id not in ids and not f.withdrawn]
    return Changes(new, changed, [replace(f, withdrawn=_why(f, now)) for f in gone])


def _why(gone: Finding, now: list[Finding]) -> str:
    for finding in now:
        told = finding.told
        if told.key == gone.told.key and told.start <= gone.told.end and told.end >= gone.told.start:
            return f"it is part of finding {finding.id}"
    return "the records and thresholds of a later run no longer bear it out"
