"""Rounds of the detectors, each over the events of one version of the policy."""

from classifiers.detect import Detectors, Round
from classifiers.detector import DetectorError
from classifiers.judge import Judge
from classifiers.loss import Store
from classifiers.policy_model import Policy

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
        """As `Detectors.round`, each part of the range with thresholds and facts of its own time."""
        attempts = findings = 0
        for policy, first, last in self._judge.parts(first_us, max(first_us, last_us)):
            done = self._of(policy).round(first, last)
            attempts += done.attempts
            findings += done.findings
        return Round(attempts, findings)
