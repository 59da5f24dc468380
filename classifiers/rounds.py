"""Rounds: who was where, then the detectors, each over the events of one version of the policy."""

from classifiers.bindings import Bindings
from classifiers.detect import Detectors, Round
from classifiers.detector import DetectorError
from classifiers.judge import Judge
from classifiers.loss import Store, moment
from classifiers.policy_model import Policy

#: How long before a row the attempt may have begun that it belongs to, µs, with room to spare.
_REACH_US = 3_600_000_000
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

        Late rows change attempts that began before them: those are judged by the version of that time.
        """
        last_us = max(first_us, last_us)
        parts = self._judge.parts(first_us - _REACH_US, last_us)
        attempts = findings = 0
        for number, (policy, begin, end) in enumerate(parts):
            bounds = begin if number else None, end + 1 if number + 1 < len(parts) else None
            if end < first_us:
                attempts += self._of(policy).attempts(first_us, last_us, *bounds)
                continue
            begin = max(begin, first_us)
            Bindings(self._store, policy).rebuild(moment(begin), moment(end))
            done = self._of(policy).round(begin, end, *bounds)
            attempts += done.attempts
            findings += done.findings
        return Round(attempts, findings)
