"""The detectors' share of a worker's task: rounds over what came into the store, whoever inserted it.

How far rounds have come is a moment of the store's own clock (`judged`): the newest `stored` of `batches`
that was covered. Each round asks for what was stored after it, and looks back a little: a row may be seen
later than another that was stored after it. To judge the same time again is harmless.
"""

import hashlib
import logging
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from classifiers.outcomes import Outcomes
from pipeline.store.client import Store
from spanwatch.spans import merged

#: Looks back so far, ms: an insert in flight, servers whose clocks differ. Our default.
SLACK_MS = 120_000
#: Batches of one round; the next one has the rest. Bounds memory to some 32 MB. Our default.
MOST = 1_000_000

FOLDER = Path(__file__).parent
UNJUDGED = (FOLDER / "unjudged.sql").read_text("utf-8")
UNTIL = "SELECT toUnixTimestamp64Milli(max(until)) AS ms FROM judged WHERE by = 'detectors'"

logger = logging.getLogger(__name__)


class Judged(Protocol):
    """What a detector round says it did."""

    @property
    def attempts(self) -> int: ...
    @property
    def findings(self) -> int: ...


class Detecting(Protocol):
    """What is needed of the detectors."""

    def round(self, first_us: int, last_us: int) -> Judged:
        """Judge everything that touches the range of event time, again if need be."""


class Judging:
    """Runs the detectors over what is new in the store. `round` and `forget` are for one thread at a time."""

    def __init__(self, store: Store, detectors: Detecting) -> None:
        self.store = store
        self.detectors = detectors
        self._outcomes = Outcomes(store)
        self.rounds = self.attempts = self.findings = 0
        self.last_round_seconds: float | None = None
        self._until: int | None = None
        self._names = np.empty(0, np.uint64)
        self._stored = np.empty(0, np.int64)

    def forget(self) -> None:
        """Another worker judges from now on: where it stands is asked anew when this one does again."""
        self._until = None
        self._names, self._stored = self._names[:0], self._stored[:0]

    def round(self) -> bool:
        """Judge what came in since the last round, if anything did; whether there was something.

        What fails (OSError: the store; ValueError: a detector) is left for the next round as a whole.
        """
        begun = time.monotonic()
        if self._until is None:
            self._until = int(self.store.rows(UNTIL)[0]["ms"])
        given = {"after_ms": self._until, "slack_ms": SLACK_MS, "most": MOST}
        found = self.store.arrow(UNJUDGED, given)
        names, stored, first, last, now = (found[column].to_numpy() for column in found.column_names)
        fresh = np.isin(names, self._names, invert=True)
        if not fresh.any():
            return False
        for span in merged(zip(first[fresh].tolist(), last[fresh].tolist(), strict=True)):
            judged = self.detectors.round(*span)
            self.attempts += judged.attempts
            self.findings += judged.findings
        until = max(self._until, int(stored.max()))
        if until > self._until:
            self.store.insert("judged", _row(until), hashlib.sha256(f"judged {until}".encode()).hexdigest())
        kept = stored > min(until, int(now[0])) - SLACK_MS
        self._names, self._stored, self._until = names[kept], stored[kept], until
        self.rounds += 1
        self.last_round_seconds = time.monotonic() - begun
        self._outcomes.settle()
        return True


def _row(until_ms: int) -> pa.RecordBatch:
    return pa.record_batch(
        {"by": pa.array(["detectors"]), "until": pa.array([until_ms], pa.timestamp("ms", "UTC"))}
    )
