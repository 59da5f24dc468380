"""Runs the detectors over a range of event time and keeps their findings.

A detector's SELECT gives one row for each (site, subject, step) whose window, the `window` seconds
that end with the step, is past a threshold. Event time is judged in pieces (`pieces.py`), each as a
whole; what a piece shows of a subject is a part, parts are joined to findings (`episodes.py`), and
what very many subjects show at once is one part about the site (`storms.py`). So findings depend on the
records and the thresholds alone: a round that is repeated, or overlaps another, writes nothing anew.
"""

import math
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from classifiers.asking import Asking, near
from classifiers.detector import Detector, DetectorError, load_detectors, sentence, used_parameters
from classifiers.episodes import Key, Part, joined
from classifiers.facts import FACT_NAMES, Facts
from classifiers.findings import Diff, Findings, difference
from classifiers.loss import LOSS_BOUND, Losses, Store, floor, moment, utc
from classifiers.periods import PERIOD_NAMES, Periods
from classifiers.pieces import (
    blocks,
    bounded,
    need_parameters,
    needs_of,
    occupied,
    piece_seconds,
    reach,
    tables_of,
    touched,
)
from classifiers.policy_model import Policy
from classifiers.storms import STORM_SUBJECTS, storm_statement, storm_times
from classifiers.switch_ports import SwitchPorts
from classifiers.verdict import Verdicts
from pipeline.records import mac_text
from pipeline.text import printable

SAMPLES = 10
#: Statements at the same time: reading takes all cores by itself, what goes before takes one.
AT_ONCE = 2
#: Characters of a statement, a text in it, and a sample: what devices say of themselves may be long.
STATEMENT_CHARACTERS, TEXT_CHARACTERS, SAMPLE_CHARACTERS = 2_000, 300, 1_000
#: Parameters that the runner gives every statement.
GIVEN = frozenset({"from", "to", "since", "window", "step", "before", "lookback", "within", "suspects"})

_MAPPED = re.compile(r"::ffff:(?=\d+\.\d+\.\d+\.\d+)")
_MAC = re.compile(r"\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b")


class Round(NamedTuple):
    """What a round wrote: rows that are new or changed."""

    attempts: int
    findings: int


class Judged(NamedTuple):
    """What a detector found in a range, beside what is stored."""

    detector: Detector
    diff: Diff


class Ground(NamedTuple):
    """What the parts of one piece of a detector stand on."""

    piece: datetime
    thresholds: dict[str, float]
    losses: Losses
    ports: SwitchPorts | None
    """Where devices are plugged in, for a detector whose sentence says so."""


def mac_number(text: str) -> int:
    """A MAC address written `AA:BB:CC:DD:EE:FF` as a number."""
    return int(text.replace(":", ""), 16)


def _clean(text: str, bound: int = TEXT_CHARACTERS) -> str:
    """The text as it may stand in a statement: no control or formatting characters, of bounded length."""
    text = _MAPPED.sub("", text[: 4 * bound])
    return printable(text)[:bound]


def _subject(kind: str, value: Any) -> str:
    return mac_text(int(value)) if kind == "device" and str(value).isdigit() else _clean(str(value))


def _number(value: float) -> float:
    """Without the last digits, which depend on the order in which a sum was made."""
    return float(f"{value:.12g}")


def _moment(us: int | None) -> datetime | None:
    return None if us is None else bounded(moment(min(max(us, 0), 1 << 53)))


class Detectors:
    """The attempts and findings of a store, kept up to date with its rows."""

    def __init__(self, store: Store, policy: Policy, detectors: tuple[Detector, ...] | None = None) -> None:
        """Raises DetectorError for a broken detector file or an unknown threshold in the policy."""
        self._store = store
        self._findings = Findings(store)
        facts = Facts.of(policy)
        self._known = facts
        self._facts = facts.parameters()
        self._periods = Periods(policy)
        every = load_detectors()
        self.detectors = every if detectors is None else detectors
        names = {detector.name for detector in (*every, *self.detectors)}
        for name in policy.thresholds:
            if name not in names and name != "verdict":
                known = ", ".join(sorted(names))
                raise DetectorError(f"thresholds.{name}: no such detector; there are {known}, verdict")
        self._thresholds = {
            detector.name: detector.thresholds(policy.thresholds.get(detector.name, {}))
            for detector in self.detectors
        }
        for detector in self.detectors:
            known_names = set(self._thresholds[detector.name]) | FACT_NAMES | PERIOD_NAMES | GIVEN
            unknown = used_parameters(detector.sql + detector.suspects) - known_names
            if unknown:
                raise DetectorError(f"detector {detector.name}: unknown parameter {sorted(unknown)[0]!r}; "
                                    "add it to the header")  # fmt: skip
        self._needs = [need for detector in self.detectors for need in needs_of(detector)]
        self._needed: dict[str, Any] = {}
        for detector in self.detectors:
            values = {**self._facts, **self._thresholds[detector.name]}
            self._needed |= need_parameters(detector, values)
        self._asking = Asking(store, self._facts, self._thresholds, self._periods)
        self._verdicts = Verdicts(store, facts, policy.thresholds.get("verdict", {}))

    def in_force(self, name: str) -> dict[str, float]:
        """Thresholds of a detector, the policy's over its own. Raises KeyError."""
        return dict(self._thresholds[name])

    def round(
        self, first_us: int, last_us: int, begin_us: int | None = None, end_us: int | None = None
    ) -> Round:
        """Brings attempts and findings up to date with rows between two event times (µs, inclusive).

        What lies before `begin_us`, or at `end_us` or later, is judged by other facts. Raises what the store
        raises, once all detectors had their turn.
        """
        first, last = _moment(first_us), _moment(max(first_us, last_us))
        assert first is not None
        assert last is not None
        begin, end = _moment(begin_us), _moment(end_us)
        attempts = findings = 0
        trouble: ValueError | None = None
        for start, until in blocks(self._store, first, last):
            rebuilt = self._verdicts.rebuild(start, until, begin, end)
            attempts += rebuilt.changed
            for judged in self._judged(start, until, rebuilt.since, begin, end):
                if isinstance(judged, ValueError):
                    trouble = trouble or judged
                    continue
                changes = self._findings.changes(judged.detector.name, judged.diff)
                self._findings.write(judged.detector, judged.diff, changes)
                findings += len(changes.rows())
        if trouble:
            raise trouble
        return Round(attempts, findings)

    def compared(
        self, first_us: int, last_us: int, begin_us: int | None = None, end_us: int | None = None
    ) -> dict[str, Diff]:
        """How parts of the pieces that a range touches differ from those stored, by detector.

        Writes nothing; attempts are taken as they are.
        """
        first, last = _moment(first_us), _moment(last_us)
        assert first is not None
        assert last is not None
        begin, end = _moment(begin_us), _moment(end_us)
        whole = {detector.name: Diff([], []) for detector in self.detectors}
        for start, until in blocks(self._store, first, last):
            for judged in self._judged(start, until, None, begin, end):
                if isinstance(judged, ValueError):
                    raise judged
                whole[judged.detector.name].fresh.extend(judged.diff.fresh)
                whole[judged.detector.name].gone.extend(judged.diff.gone)
        return whole

    def _judged(
        self,
        first: datetime,
        last: datetime,
        attempts_since: datetime | None,
        begin: datetime | None,
        end: datetime | None,
    ) -> Iterable[Judged | ValueError]:
        """Each detector's parts of the pieces that rows between two times can change.

        Without a time since when attempts may have changed: of the pieces that the range touches alone.
        """
        if not self.detectors:
            return
        longest = max(timedelta(seconds=piece_seconds(d)) for d in self.detectors)
        around = attempts_since is not None
        attempts_since = min(first, attempts_since or first)
        new = slots = self._occupied(attempts_since, last)
        until = last
        if around:
            until = bounded(last + max(reach(d) for d in self.detectors))
            later = self._occupied(last, until)
            slots = {table: new.get(table, set()) | later.get(table, set()) for table in {*new, *later}}
        held = self._findings.parts(attempts_since - 2 * longest, until + longest)
        pool = ThreadPoolExecutor(AT_ONCE, "detector")
        try:
            asked = []
            for detector in self.detectors:
                since = attempts_since if "attempts" in detector.reads else first
                tables = tables_of(detector)
                fresh = any(new.get(table) for table in tables)
                rows = {slot for table in tables for slot in slots.get(table, ())} if fresh else set()
                mine = held.get(detector.name, [])
                pieces = touched(detector, since, last, rows, (part.piece for part in mine), around)
                clipped = (self._clipped(detector, *piece, begin, end) for piece in pieces)
                running = [
                    (some, pool.submit(self._asking.found, detector, some))
                    for some in near(
                        [(start, stop) for start, stop in clipped if start < stop], detector.apart
                    )
                ]
                asked.append((detector, mine, running))
            losses = Losses(self._store)
            for detector, mine, running in asked:
                parts: list[Part] = []
                stored: list[Part] = []
                try:
                    for some, found in running:
                        for (start, stop), strongest in zip(some, found.result(), strict=True):
                            parts += self._parts(detector, start, stop, strongest, losses)
                            stored += [part for part in mine if start <= part.piece < stop]
                except ValueError as error:
                    yield ValueError(f"detector {detector.name}: {error}")
                    continue
                yield Judged(detector, difference(parts, stored))
        finally:
            pool.shutdown(cancel_futures=True)

    def _occupied(self, first: datetime, last: datetime) -> dict[str, set[int]]:
        return occupied(self._store, first, last, self._needs, self._needed)

    def _clipped(
        self,
        detector: Detector,
        start: datetime,
        stop: datetime,
        begin: datetime | None,
        end: datetime | None,
    ) -> tuple[datetime, datetime]:
        """The part of a piece that is judged by these facts."""
        if begin is not None:
            start = max(start, floor(begin, detector.step))
        if end is not None:
            stop = min(stop, floor(end, detector.step))
        return start, stop

    def _parts(
        self,
        detector: Detector,
        start: datetime,
        stop: datetime,
        rows: list[dict[str, Any]],
        losses: Losses,
    ) -> list[Part]:
        """What one piece shows, one part a subject."""
        ground = Ground(
            start, self._thresholds[detector.name], losses, self._ports(detector, rows, start, stop)
        )
        parts: dict[Key, Part] = {}
        for row in rows:
            if row["subjects"] < STORM_SUBJECTS:
                part = self._part(detector, row, ground)
            elif row["place"] == 1:
                storm = [other for other in rows if other["part_site"] == row["part_site"]]
                part = self._storm(detector, storm, ground)
            else:
                continue
            # Two subjects may read the same once their names are cleaned.
            parts[part.key] = joined([part, *([parts[part.key]] if part.key in parts else [])])
        return list(parts.values())

    def _ports(
        self, detector: Detector, rows: list[dict[str, Any]], start: datetime, stop: datetime
    ) -> SwitchPorts | None:
        if not rows or not any("{place}" in states for states in detector.states.values()):
            return None
        texts = [row["strongest"].get("texts") or {} for row in rows]
        macs = {mac_number(text["mac"]) for text in texts if text.get("mac")}
        begin = start - timedelta(seconds=detector.window - detector.step + detector.lookback)
        return SwitchPorts(self._store, self._known, macs, begin, stop)

    def _part(self, detector: Detector, row: dict[str, Any], ground: Ground) -> Part:
        strongest, kind = row["strongest"], row["part_kind"]
        subject = _subject(kind, row["part_subject"])
        start, end = utc(strongest["from"]), utc(strongest["to"])
        inputs = {
            name: _number(v)
            for name, v in sorted(strongest["inputs"].items())
            if v is not None and math.isfinite(v)
        }
        texts = {
            name: _MAC.sub(lambda mac: mac[0].lower(), _clean(str(text)))
            for name, text in (strongest.get("texts") or {}).items()
        }
        site = str(row["part_site"])
        share = ground.losses.share(site, start, end)
        values = {
            **ground.thresholds,
            **inputs,
            **texts,
            "subject": subject,
            "site": site,
            "from": f"{start:%Y-%m-%d %H:%M:%S} UTC",
            "to": f"{end:%H:%M:%S} UTC",
            "window": f"{detector.window // 60} min" if detector.window >= 60 else f"{detector.window} s",
        }
        if ground.ports is not None:
            vlan = texts.get("vlan", "")
            mac = mac_number(texts["mac"]) if texts.get("mac") else 0
            values["place"] = ground.ports.text(mac, int(vlan) if vlan.isdigit() else 0)
        said = sentence(detector.states[strongest.get("variant") or ""], values)
        return Part(
            key=Key(site, kind, subject),
            piece=ground.piece,
            start=utc(row["part_from"]),
            end=utc(row["part_to"]),
            strength=_number(strongest["strength"] or 0.0),
            confidence=int(strongest.get("confidence") or 95),
            statement=_clean(said, STATEMENT_CHARACTERS),
            inputs=inputs,
            thresholds=dict(sorted(ground.thresholds.items())),
            samples=tuple(_clean(sample, SAMPLE_CHARACTERS) for sample in strongest["samples"][:SAMPLES]),
            loss=share,
            inconclusive=detector.rests_on == "absence" and (share is None or share > LOSS_BOUND),
        )

    def _storm(self, detector: Detector, rows: list[dict[str, Any]], ground: Ground) -> Part:
        """One part about the site, of the strongest rows of a storm there."""
        parts = [self._part(detector, row, ground) for row in rows]
        strongest, row = parts[0], rows[0]
        kinds = {other["part_kind"] for other in rows}
        start, end = storm_times(row)
        return Part(
            key=Key(strongest.key.site, "site", strongest.key.site),
            piece=ground.piece,
            start=start,
            end=end,
            strength=_number(row["subjects"] / STORM_SUBJECTS),
            confidence=min(part.confidence for part in parts),
            statement=storm_statement(
                detector, row, kinds.pop() if len(kinds) == 1 else "", strongest.statement
            )[:STATEMENT_CHARACTERS],
            inputs={**strongest.inputs, "subjects": float(row["subjects"])},
            thresholds={**strongest.thresholds, "storm_subjects": float(STORM_SUBJECTS)},
            samples=tuple((part.samples or (part.key.subject,))[0] for part in parts),
            loss=strongest.loss,
            inconclusive=strongest.inconclusive,
        )
