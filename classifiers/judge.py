"""Judging as of the event's time: each row by the version of the policy that was valid then.

A judge holds the versions and the lists in force and is told of new ones while it works; whoever asked
before gets an answer of one piece.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from blocklists.matcher import Matcher
from classifiers.classify import TIMES_OF, Classifier
from classifiers.client_macs import ClientMacs
from classifiers.explain import Asked, Client, check_time
from classifiers.policy_model import Policy
from classifiers.policy_versions import Interval, Load, Timeline, intervals

#: Versions of the past whose tables are kept ready. Our default.
KEPT = 16

logger = logging.getLogger(__name__)


class InForce(NamedTuple):
    """Policy versions and lists that belong together."""

    policy: Policy
    """What the file held when it was last good."""
    matcher: Matcher
    timeline: Timeline
    loads: tuple[Load, ...] = ()
    """The latest first; none where there is no store."""


def in_force(policy: Policy, matcher: Matcher, loads: Sequence[Load] = ()) -> InForce:
    """One policy for all times, or the loads of a store, of which `policy` is the latest."""
    spans = intervals(loads) or [Interval(policy.version, 0, None)]
    return InForce(policy, matcher, Timeline(spans), tuple(loads))


class Judge:
    """Classifies and explains by what is in force. `classify` belongs to one thread, the rest to any."""

    def __init__(self, state: InForce, recall: Callable[[str], Policy] | None = None) -> None:
        """`recall` gives the content of a version of the past. Raises ValueError for a bad name."""
        self._recall = recall
        self._macs = ClientMacs()
        self._lock = threading.Lock()
        self._state = state
        self._ready: dict[str, Classifier] = {}
        self.problem: str | None = None
        """Why the newest file or lists are not in force, in one line with its mend."""
        self.adopt(state)

    def adopt(self, state: InForce) -> None:
        """Judge by this from the next batch on. Raises ValueError for a name in the policy that is none."""
        fresh = Classifier(state.policy, state.matcher, self._macs)
        with self._lock:
            same_lists = state.matcher is self._state.matcher
            self._ready = {**(self._ready if same_lists else {}), state.policy.version: fresh}
            self._state = state

    @property
    def state(self) -> InForce:
        """What it judges by now."""
        return self._state

    @property
    def matcher(self) -> Matcher:
        return self._state.matcher

    @property
    def policy(self) -> Policy:
        """The policy in force at this moment of the clock."""
        state = self._state
        return self._of(state, state.timeline.now().version).policy

    def _of(self, state: InForce, version: str) -> Classifier:
        """The classifier of a version; that of the file where the version's content is lost."""
        with self._lock:
            ready = self._ready.get(version)
        if ready is not None and ready.matcher is state.matcher:
            return ready
        try:
            if version == state.policy.version:
                policy = state.policy
            elif self._recall is None:
                raise KeyError(version)
            else:
                policy = self._recall(version)
            made = Classifier(policy, state.matcher, self._macs)
        except (KeyError, ValueError) as error:
            logger.warning("%s; its events are judged by version %s", error, state.policy.version)
            made = self._of(state, state.policy.version)
        with self._lock:
            if state is self._state:
                for old in [v for v in self._ready if v != state.policy.version][: -KEPT + 1 or None]:
                    del self._ready[old]
                self._ready[version] = made
        return made

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        """The batch as `Classifier.classify` gives it, each row by the version valid at its time."""
        state = self._state
        us = batch.column(TIMES_OF[records]).cast(pa.int64()).to_numpy()
        versions = state.timeline.versions(us)
        if len(versions) == 1:
            return self._of(state, versions[0][0]).classify(records, batch, sensor)
        parts = [
            self._of(state, version).classify(records, batch.take(pa.array(rows)), sensor)
            for version, rows in versions
        ]
        order = np.argsort(np.concatenate([rows for _, rows in versions if rows is not None]))
        whole = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks()
        (sorted_,) = whole.take(pa.array(order)).combine_chunks().to_batches()
        return sorted_

    def parts(self, first: int, last: int) -> list[tuple[Policy, int, int]]:
        """A range of event time (µs, both included) cut where another version became valid."""
        state = self._state
        edges = [span.first for span in state.timeline.spans if first < span.first <= last]
        begins = [first, *edges]
        ends = [*(edge - 1 for edge in edges), last]
        return [
            (self._of(state, state.timeline.at(begin).version).policy, begin, end)
            for begin, end in zip(begins, ends, strict=True)
        ]

    def explain(
        self,
        name: str,
        group: str | None = None,
        at: datetime | None = None,
        client: Client | None = None,
        port: int = 443,
    ) -> dict[str, Any]:
        """What the name is, on which lists and lines, and what policy says at that moment.

        `decisions` has one for each site and group (all and, as "", none; or the one asked for);
        with `client`, `judged` says each step on the way to the one that holds for it. `at` is an aware
        time, now if not given. Raises ValueError for what is no name, address or group of the policy.
        """
        state = self._state
        at = at or datetime.now(UTC)
        check_time(at)
        span = state.timeline.at(round(at.timestamp() * 1_000_000))
        asked = Asked(self._of(state, span.version), name, at, port)
        told = asked.about() | {"policy": self._valid(state, span)}
        if client is not None:
            return told | {"judged": asked.judged(client)}
        return told | {"decisions": list(asked.decisions(group))}

    @staticmethod
    def _valid(state: InForce, span: Interval) -> dict[str, Any]:
        load = next((load for load in state.loads if load.version == span.version), None)
        return {
            "version": span.version,
            "valid_from": _time(span.first) if load else None,
            "valid_until": _time(span.until),
            "file": load.file if load else None,
        }

    def standing(self) -> dict[str, Any]:
        """Versions in force, since when, and why the newest ones are not, if so."""
        state = self._state
        now = state.timeline.now(time.time_ns() // 1_000)
        valid = self._valid(state, now)
        return {"policy": valid, "lists": state.matcher.version, "problem": self.problem}


def _time(us: int | None) -> str | None:
    return None if us is None else datetime.fromtimestamp(us / 1e6, UTC).isoformat().replace("+00:00", "Z")
