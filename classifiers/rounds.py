"""Rounds: who was where, then the detectors, each over the events of one version of the policy."""

from classifiers.bindings import Bindings
from classifiers.detect import Detectors, Round
from classifiers.detector import DetectorError
from classifiers.judge import Judge
from classifiers.loss import Store, moment
from classifiers.pieces import bounded
from classifiers.policy_model import Policy

#: How far around a row the event time lies that it can change, µs, with room to spare.
_REACH_US = 2 * 86_400_000_000
#: Later times are those of a clock that is wrong, and further than can be counted.
_LATEST_US = 1 << 53
#: Versions whose detectors are kept ready. Our default.
KEPT = 4


class Rounds:
    """The detectors of every version of a judge's policy. For one thread."""

    def __init__(self, store: Store, judge: Judge) -> None:
        """Raises DetectorError for a broken detector file, or an unknown threshold in the policy in force."""
        self._store = store
        self._judge = judge
        self._ready: dict[str, Detectors] = {}
        self._of(judge.policy)

    def _of(self, policy: Policy) -> Detectors:
        if policy.version not in self._ready:
            try:
                made = Detectors(self._store, policy)
            except DetectorError:
                # A threshold of the past, for a detector that this release no longer has.
                if policy.version == self._judge.policy.version:
                    raise
                made = self._of(self._judge.policy)
            while len(self._ready) >= KEPT:
                del self._ready[next(iter(self._ready))]
            self._ready[policy.version] = made
        return self._ready[policy.version]

    def round(self, first_us: int, last_us: int) -> Round:
        """As `Detectors.round`, each part of the range with thresholds and facts of its own time.

        Late rows change what began before them and what looks back at them: each by the version of its time.
        """
        first_us = min(max(first_us, 0), _LATEST_US)
        last_us = min(max(first_us, last_us), _LATEST_US)
        parts = self._judge.parts(first_us - _REACH_US, last_us + _REACH_US)
        attempts = findings = 0
        for number, (policy, begin, end) in enumerate(parts):
            bounds = begin if number else None, end + 1 if number + 1 < len(parts) else None
            if begin <= last_us and end >= first_us:
                known = bounded(moment(max(begin, first_us))), bounded(moment(min(end, last_us)))
                Bindings(self._store, policy).rebuild(*known)
            done = self._of(policy).round(first_us, last_us, *bounds)
            attempts += done.attempts
            findings += done.findings
        return Round(attempts, findings)
