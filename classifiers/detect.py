"""Runs the detectors over a range of event time and keeps their findings.

A detector's SELECT gives one row for each (site, subject, step) whose window, the `window` seconds
that end with the step, is past a threshold. Windows of one subject that lie within an hour of each
other are one finding [Zeek suppresses a notice for an hour]: the first makes it, later ones extend
it, its numbers are those of the strongest window. Findings already in the store are gone on with,
so a round that is repeated, or overlaps another, writes the same ids.
"""

import hashlib
import math
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from classifiers.detector import Detector, DetectorError, load_detectors, sentence, used_parameters
from classifiers.facts import FACT_NAMES, Facts
from classifiers.loss import LOSS_BOUND, Loss, Store, floor, moment, sql_time, utc
from classifiers.periods import PERIOD_NAMES, Periods
from classifiers.policy_model import Policy
from classifiers.switch_ports import SwitchPorts
from classifiers.verdict import Verdicts
from pipeline.records import TIME, mac_text

#: A subject that a detector already named is not named anew for this long.
SUPPRESSION = timedelta(hours=1)
#: Windows taken from one detector in one round; past it the strongest count.
ROWS_BOUND = 100_000
SAMPLES = 10
#: Event time that a detector looks at in one statement, so that memory does not grow with the range.
PIECE = timedelta(hours=6)
PIECES_SQL = """
SELECT DISTINCT toUnixTimestamp(toStartOfInterval(start, toIntervalSecond({piece:UInt32}))) AS piece
FROM flows
WHERE start >= {from:DateTime64(6, 'UTC')} AND start <= {to:DateTime64(6, 'UTC')}
UNION DISTINCT
SELECT DISTINCT toUnixTimestamp(toStartOfInterval(ts, toIntervalSecond({piece:UInt32}))) AS piece
FROM dns
WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts <= {to:DateTime64(6, 'UTC')}
UNION DISTINCT
SELECT DISTINCT toUnixTimestamp(toStartOfInterval(ts, toIntervalSecond({piece:UInt32}))) AS piece
FROM sightings
WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts <= {to:DateTime64(6, 'UTC')}
"""

_MAPPED = re.compile(r"::ffff:(?=\d+\.\d+\.\d+\.\d+)")
FINDINGS = pa.schema(
    [
        ("id", pa.string()),
        ("detector", pa.string()),
        ("class", pa.string()),
        ("title", pa.string()),
        ("subject_kind", pa.string()),
        ("subject", pa.string()),
        ("site", pa.string()),
        ("from", TIME),
        ("to", TIME),
        ("severity", pa.string()),
        ("confidence", pa.uint8()),
        ("clause", pa.string()),
        ("statement", pa.string()),
        ("inputs", pa.map_(pa.string(), pa.float64())),
        ("thresholds", pa.map_(pa.string(), pa.float64())),
        ("samples", pa.list_(pa.string())),
        ("loss", pa.float64()),
        ("inconclusive", pa.bool_()),
        ("strength", pa.float64()),
        ("updated", TIME),
    ]
)


class Round(NamedTuple):
    """What a round wrote: rows that are new or changed."""

    attempts: int
    findings: int


@dataclass(frozen=True)
class Finding:
    """A row of `findings`; `start` and `end` are its `from` and `to`."""

    id: str
    detector: str
    site: str
    subject_kind: str
    subject: str
    start: datetime
    end: datetime
    strength: float
    confidence: int
    statement: str
    inputs: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    loss: float | None = None
    """None where nobody measured it."""
    inconclusive: bool = False


def _clean(text: str, bound: int = 300) -> str:
    text = _MAPPED.sub("", text)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:bound]


def _id(detector: str, site: str, kind: str, subject: str, start: datetime) -> str:
    # The hour, not the microsecond: rows that come late move the first event by a little.
    key = "\0".join((detector, site, kind, subject, str(floor(start, 3_600))))
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def mac_number(text: str) -> int:
    """A MAC address written `AA:BB:CC:DD:EE:FF` as a number."""
    return int(text.replace(":", ""), 16)


def _subject(kind: str, value: Any) -> str:
    return mac_text(int(value)) if kind == "device" and str(value).isdigit() else _clean(str(value))


def _moment(us: int | None) -> datetime | None:
    return None if us is None else moment(us)


class Detectors:
    """The attempts and findings of a store, kept up to date with its rows."""

    def __init__(self, store: Store, policy: Policy, detectors: tuple[Detector, ...] | None = None) -> None:
        """Raises DetectorError for a broken detector file or an unknown threshold in the policy."""
        self._store = store
        facts = Facts.of(policy)
        self._known = facts
        self._facts = facts.parameters()
        self._periods = Periods(policy)
        self.detectors = load_detectors() if detectors is None else detectors
        names = {detector.name for detector in self.detectors}
        for name in policy.thresholds:
            if name not in names and name != "verdict":
                known = ", ".join(sorted(names))
                raise DetectorError(f"thresholds.{name}: no such detector; there are {known}, verdict")
        self._thresholds = {
            detector.name: detector.thresholds(policy.thresholds.get(detector.name, {}))
            for detector in self.detectors
        }
        for detector in self.detectors:
            unknown = (
                used_parameters(detector.sql)
                - set(self._thresholds[detector.name])
                - FACT_NAMES
                - PERIOD_NAMES
                - {"from", "to", "since", "window", "step", "before", "lookback"}
            )
            if unknown:
                raise DetectorError(f"detector {detector.name}: unknown parameter {sorted(unknown)[0]!r}; "
                                    "add it to the header")  # fmt: skip
        self._verdicts = Verdicts(store, facts, policy.thresholds.get("verdict", {}))

    def in_force(self, name: str) -> dict[str, float]:
        """Thresholds of a detector, the policy's over its own. Raises KeyError."""
        return dict(self._thresholds[name])

    def round(
        self, first_us: int, last_us: int, begin_us: int | None = None, end_us: int | None = None
    ) -> Round:
        """Brings attempts and findings up to date with rows between two event times (µs, inclusive).

        Attempts that began before `begin_us`, or at `end_us` or later, are judged by other facts.
        """
        first, last = moment(first_us), moment(max(first_us, last_us))
        rebuilt = self._verdicts.rebuild(first, last, _moment(begin_us), _moment(end_us))
        findings = 0
        for begin, end in self._pieces(first, last):
            for detector in self.detectors:
                since = (
                    min(begin, rebuilt.since) if "attempts" in detector.reads and begin == first else begin
                )
                findings += self._detect(detector, since, end)
        return Round(rebuilt.changed, findings)

    def attempts(self, first_us: int, last_us: int, begin_us: int | None, end_us: int | None) -> int:
        """The attempts alone, as `round` brings them up to date; how many changed."""
        first, last = moment(first_us), moment(last_us)
        return self._verdicts.rebuild(first, last, _moment(begin_us), _moment(end_us)).changed

    def _pieces(self, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
        """Parts of a long range that hold records: a capture may hold years, or a packet of 1970."""
        if last - first <= PIECE:
            return [(first, last)]
        rows = self._store.rows(
            PIECES_SQL,
            {"from": sql_time(first), "to": sql_time(last), "piece": int(PIECE.total_seconds())},
        )
        starts = sorted(moment(row["piece"] * 1_000_000) for row in rows)
        return [(max(first, start), min(last, start + PIECE)) for start in starts]

    def _detect(self, detector: Detector, first: datetime, last: datetime) -> int:
        window, step = timedelta(seconds=detector.window), timedelta(seconds=detector.step)
        since = floor(first, detector.step)
        start = since + step - window - timedelta(seconds=detector.lookback)
        # A row that came late also counts in the windows that end after it.
        end = floor(last, detector.step) + window
        thresholds = self._thresholds[detector.name]
        available = {
            **self._facts,
            **thresholds,
            "from": sql_time(start),
            "to": sql_time(end),
            "since": sql_time(since),
            "window": detector.window,
            "step": detector.step,
            "before": detector.window - detector.step,
            "lookback": detector.lookback,
        }
        used = used_parameters(detector.sql)
        if used & PERIOD_NAMES:
            available |= self._periods.parameters(start, end)
        # No row of a window that began before the range was read whole: `since` keeps those out.
        sql = (
            f"SELECT * FROM ({detector.sql}\n) WHERE step >= {{since:DateTime64(6, 'UTC')}}\n"
            f"ORDER BY strength DESC LIMIT {ROWS_BOUND} SETTINGS enable_named_columns_in_function_tuple = 1,"
            " prefer_column_name_to_alias = 1"
        )
        rows = self._store.rows(sql, {name: available[name] for name in used | {"since"}})
        if not rows:
            return 0
        loss = Loss.between(
            self._store, min(utc(row["from"]) for row in rows), max(utc(row["to"]) for row in rows)
        )
        ports = self._ports(detector, rows, start, end)
        windows = [self._window(detector, thresholds, row, loss, ports) for row in rows]
        stored = self._stored(detector.name, windows)
        changed = [f for f in episodes(windows, stored.values()) if stored.get(f.id) != f]
        self._write(detector, changed)
        return len(changed)

    def _ports(
        self, detector: Detector, rows: list[dict[str, Any]], start: datetime, end: datetime
    ) -> SwitchPorts | None:
        """Where the devices of these rows are plugged in, for a detector whose sentence says so."""
        if not any("{place}" in states for states in detector.states.values()):
            return None
        macs = {mac_number(row["texts"]["mac"]) for row in rows if row["texts"].get("mac")}
        return SwitchPorts(self._store, self._known, macs, start, end)

    def _window(
        self,
        detector: Detector,
        thresholds: dict[str, float],
        row: dict[str, Any],
        loss: Loss,
        ports: SwitchPorts | None,
    ) -> Finding:
        kind = row.get("subject_kind") or detector.subject
        subject = _subject(kind, row["subject"])
        start, end = utc(row["from"]), utc(row["to"])
        inputs = {name: float(v) for name, v in dict(row["inputs"]).items() if math.isfinite(v)}
        texts = {name: _clean(str(text)) for name, text in dict(row.get("texts") or {}).items()}
        share = loss.share(row["site"], start, end)
        values = {
            **thresholds,
            **inputs,
            **texts,
            "subject": subject,
            "site": row["site"],
            "from": f"{start:%Y-%m-%d %H:%M:%S} UTC",
            "to": f"{end:%H:%M:%S} UTC",
            "window": f"{detector.window // 60} min" if detector.window >= 60 else f"{detector.window} s",
        }
        if ports is not None:
            vlan = texts.get("vlan", "")
            mac = mac_number(texts["mac"]) if texts.get("mac") else 0
            values["place"] = ports.text(mac, int(vlan) if vlan.isdigit() else 0)
        return Finding(
            id=_id(detector.name, row["site"], kind, subject, start),
            detector=detector.name,
            site=row["site"],
            subject_kind=kind,
            subject=subject,
            start=start,
            end=end,
            strength=float(row["strength"]),
            confidence=int(row.get("confidence") or 95),
            statement=sentence(detector.states[row.get("variant") or ""], values),
            inputs=inputs,
            thresholds=thresholds,
            samples=tuple(_clean(sample, 1_000) for sample in row["samples"][:SAMPLES]),
            loss=share,
            inconclusive=detector.rests_on == "absence" and (share is None or share > LOSS_BOUND),
        )

    def _stored(self, detector: str, windows: list[Finding]) -> dict[str, Finding]:
        rows = self._store.rows(
            "SELECT * FROM findings FINAL WHERE detector = {detector:String}"
            " AND `from` <= {to:DateTime64(6, 'UTC')} AND `to` >= {from:DateTime64(6, 'UTC')}",
            {
                "detector": detector,
                "from": sql_time(min(w.start for w in windows) - SUPPRESSION),
                "to": sql_time(max(w.end for w in windows) + SUPPRESSION),
            },
        )
        return {
            row["id"]: Finding(
                id=row["id"],
                detector=detector,
                site=row["site"],
                subject_kind=row["subject_kind"],
                subject=row["subject"],
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
            for row in rows
        }

    def _write(self, detector: Detector, findings: list[Finding]) -> None:
        if not findings:
            return
        updated = moment(time.time_ns() // 1_000)
        rows = [
            {
                "id": f.id,
                "detector": f.detector,
                "class": detector.kind,
                "title": detector.title,
                "subject_kind": f.subject_kind,
                "subject": f.subject,
                "site": f.site,
                "from": f.start,
                "to": f.end,
                "severity": detector.severity,
                "confidence": f.confidence,
                "clause": detector.clause,
                "statement": f.statement,
                "inputs": list(f.inputs.items()),
                "thresholds": list(f.thresholds.items()),
                "samples": list(f.samples),
                "loss": f.loss,
                "inconclusive": f.inconclusive,
                "strength": f.strength,
                "updated": updated,
            }
            for f in findings
        ]
        batch = pa.RecordBatch.from_pylist(rows, schema=FINDINGS)
        # The table replaces by id, so no two writes may be taken for repetitions of each other.
        self._store.insert("findings", batch, f"findings/{uuid.uuid4().hex}")


def episodes(windows: list[Finding], stored: Iterable[Finding]) -> list[Finding]:
    """Windows joined to findings: one within the suppression time is extended, else a new one begins."""
    known: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in stored:
        known[finding.site, finding.subject_kind, finding.subject].append(finding)
    for window in sorted(windows, key=lambda w: (w.start, w.end)):
        episodes = known[window.site, window.subject_kind, window.subject]
        near = [
            index
            for index, episode in enumerate(episodes)
            if window.start <= episode.end + SUPPRESSION and window.end >= episode.start - SUPPRESSION
        ]
        if not near:
            episodes.append(window)
            continue
        index = min(near, key=lambda i: episodes[i].start)
        old = episodes[index]
        stronger = window if window.strength > old.strength else old
        episodes[index] = replace(
            stronger, id=old.id, start=min(old.start, window.start), end=max(old.end, window.end)
        )
    return [finding for findings in known.values() for finding in findings]
