"""Which rule decides about a label set, for a group, on or off duty: worked out once per policy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from blocklists import taxonomy
from blocklists.matcher import LabelSet
from classifiers.policy_model import Policy

#: Actions, the mildest first; the strictest of a name's categories decides.
ACTIONS = ("allow", "limit", "prohibit")
#: What stands in `clause` where a service or name of the organisation's own is allowed.
SANCTIONED = "sanctioned"
TIMES = ("off_duty", "duty")


class Decision(NamedTuple):
    """What a policy says."""

    action: str
    clause: str
    rule: int
    """Place in the policy's rules, -1 for none."""


NO_RULE = Decision("allow", "", -1)


class Decisions:
    """Answers for every (label set, group, duty); the last label set and group mean "none"."""

    #: Index of "sanctioned" in `known`.
    SANCTIONED = 1

    def __init__(self, policy: Policy, sets: Sequence[LabelSet]) -> None:
        self.known: list[Decision] = [NO_RULE, Decision("allow", SANCTIONED, -1)]
        """Every distinct answer."""
        self.known += [Decision(rule.action, rule.clause, i) for i, rule in enumerate(policy.rules)]
        self.forbids = np.array([decision.action != "allow" for decision in self.known])
        """bool[known]: whether an exemption would change the answer."""
        groups = [group.id for group in policy.groups] + [""]
        self.table = np.zeros((len(sets) + 1, len(groups), 2), np.int16)
        """int16[sets + 1, groups + 1, 2]: index into `known`; the last axis is off duty, on duty."""
        sanctioned = set(policy.sanctioned.services)
        for g, group in enumerate(groups):
            for duty, when in enumerate(TIMES):
                of_category = _ranked(policy, "categories", group, when)
                of_service = dict.fromkeys(sanctioned, -1) | _ranked(policy, "services", group, when)
                for s, labels in enumerate(sets):
                    self.table[s, g, duty] = self._decide(labels, of_category, of_service) + 2

    def _decide(self, labels: LabelSet, of_category: dict[str, int], of_service: dict[str, int]) -> int:
        if labels.service in of_service:
            return of_service[labels.service]
        rules = [of_category[name] for name in taxonomy.names_of(labels.mask) if name in of_category]
        return max(rules, key=lambda rule: ACTIONS.index(self.known[rule + 2].action), default=-2)


def _ranked(policy: Policy, kind: str, group: str, when: str) -> dict[str, int]:
    """Rule for each category or service: one that names the group first, then one that names the time."""
    best: dict[str, tuple[tuple[bool, bool], int]] = {}
    for number, rule in enumerate(policy.rules):
        if rule.when not in ("always", when) or not (group in rule.groups or "*" in rule.groups):
            continue
        rank = (group in rule.groups, rule.when != "always")
        for name in getattr(rule, kind):
            if name not in best or rank > best[name][0]:
                best[name] = (rank, number)
    return {name: number for name, (_, number) in best.items()}
