"""Asks a detector's statements about pieces of event time: first for suspects, then what they did."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any

from classifiers.detector import Detector, used_parameters
from classifiers.loss import Store, sql_time
from classifiers.periods import PERIOD_NAMES, Periods
from classifiers.storms import STORM_SAMPLES, STORM_SUBJECTS
from pipeline.records import mapped_text

STRONGEST_SQL = Path(__file__).with_name("strongest.sql").read_text("utf-8")
#: Event time that one statement looks over for suspects: bounds its memory; statements that depend on it bind
#: it as `within`. `slow_scan` needs it below 22 h. Our default.
SUSPECTS_WITHIN = timedelta(hours=2)
#: Suspects that a statement is told one by one. Where several pieces may have more they are asked for in each
#: of them; of more in one piece the statement asks itself. No SELECT of suspects may stop
#: short of it. Our default.
SUSPECTS_TOLD = 1_000

#: What is asked of each host once its rows are counted would else be asked of each of its rows.
UNPUSHED = "SETTINGS query_plan_filter_push_down = 0"

_KIND = re.compile(r"\bAS subject_kind\b")


def _told(suspect: Any) -> Any:
    """The value as a parameter: IPv4 addresses mapped."""
    return mapped_text(ip_address(suspect)) if isinstance(suspect, str) else suspect


def near(pieces: list[tuple[datetime, datetime]], apart: bool) -> list[list[tuple[datetime, datetime]]]:
    """The pieces in order, together where one statement looks over them for suspects."""
    together: list[list[tuple[datetime, datetime]]] = []
    for piece in pieces:
        if together and not apart and piece[1] - together[-1][0][0] <= SUSPECTS_WITHIN:
            together[-1].append(piece)
        else:
            together.append([piece])
    return together


class Asking:
    """The statements of a store's detectors, with their thresholds and the facts of a policy."""

    def __init__(
        self,
        store: Store,
        facts: Mapping[str, Any],
        thresholds: Mapping[str, Mapping[str, float]],
        periods: Periods,
    ) -> None:
        self._store = store
        self._facts = facts
        self._thresholds = thresholds
        self._periods = periods

    def found(
        self, detector: Detector, pieces: list[tuple[datetime, datetime]]
    ) -> list[list[dict[str, Any]]]:
        """Rows of `strongest.sql` for each of some pieces next to each other."""
        if not detector.suspects:
            return [self._strongest(detector, detector.sql, *piece) for piece in pieces]
        first_of = f"SELECT DISTINCT * FROM (\n{detector.suspects}\n) LIMIT {SUSPECTS_TOLD + 1}\n{UNPUSHED}"
        rows = self._asked(detector, first_of, pieces[0][0], pieces[-1][1])
        if not rows:
            return [[] for _ in pieces]
        if len(pieces) > 1 and len(rows) >= SUSPECTS_TOLD:
            return [found for piece in pieces for found in self.found(detector, [piece])]
        if len(rows) > SUSPECTS_TOLD:
            return [self._strongest(detector, detector.every_suspect(), *piece) for piece in pieces]
        suspects = sorted(_told(value) for row in rows for value in row.values())
        return [self._strongest(detector, detector.sql, *piece, suspects) for piece in pieces]

    def _strongest(
        self, detector: Detector, select: str, start: datetime, stop: datetime, suspects: Any = ()
    ) -> list[dict[str, Any]]:
        """Rows of `strongest.sql` for one piece."""
        kind = "subject_kind" if _KIND.search(detector.sql) else f"'{detector.subject}'"
        # No row of a window that began before the range was read whole: `since` keeps those out.
        sql = STRONGEST_SQL.replace("/* kind */", kind).replace("/* detector */", select)
        bounds = {"storm_subjects": STORM_SUBJECTS, "storm_samples": STORM_SAMPLES, "suspects": suspects}
        return self._asked(detector, sql, start, stop, bounds)

    def _asked(
        self,
        detector: Detector,
        sql: str,
        start: datetime,
        stop: datetime,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[dict[str, Any]]:
        """Rows of a detector's statement about the windows that end between two times."""
        before = detector.window - detector.step
        available = {
            **self._facts,
            **self._thresholds[detector.name],
            "from": sql_time(start - timedelta(seconds=before + detector.lookback)),
            "to": sql_time(stop),
            "since": sql_time(start),
            "window": detector.window,
            "step": detector.step,
            "before": before,
            "lookback": detector.lookback,
            "within": int(SUSPECTS_WITHIN.total_seconds()),
            **more,
        }
        used = used_parameters(sql)
        if used & PERIOD_NAMES:
            available |= self._periods.parameters(start - timedelta(seconds=before + detector.lookback), stop)
        return self._store.rows(sql, {name: available[name] for name in used})
