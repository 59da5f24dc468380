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


class Ranking:
    """The rules of a policy by the groups they name."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._naming: dict[str, list[int]] = {}
        for number, rule in enumerate(policy.rules):
            for group in dict.fromkeys(rule.groups):
                self._naming.setdefault(group, []).append(number)
        self._everybody: dict[tuple[str, str], dict[str, int]] = {}

    def rules(self, kind: str, group: str, when: str) -> dict[str, int]:
        """Rule that decides about each category or service (`kind`: `categories`, `services`).

        One that names the group outranks one for everybody, then one that names the time outranks one
        for always; of equals the first in the file. `group` is empty for clients of none.
        """
        if (kind, when) not in self._everybody:
            self._everybody[kind, when] = self._timed(self._naming.get("*", []), kind, when)
        return self._everybody[kind, when] | self._timed(self._naming.get(group, []), kind, when)

    def _timed(self, numbers: list[int], kind: str, when: str) -> dict[str, int]:
        best: dict[str, int] = {}
        for named in (True, False):
            for number in numbers:
                rule = self._policy.rules[number]
                if rule.when == (when if named else "always"):
                    for name in getattr(rule, kind):
                        best.setdefault(name, number)
        return best


class Decisions:
    """Answers for every (label set, group, duty); the last label set and group mean "none"."""

    #: Indexes of what the organisation provides in `known`: names and services, end points of its VPN.
    SANCTIONED, VPN = 1, 2
    #: Index of the first rule in `known`.
    RULES = 3

    def __init__(self, policy: Policy, sets: Sequence[LabelSet]) -> None:
        vpn_clause = policy.sanctioned.vpn_clause or SANCTIONED
        self.known: list[Decision] = [
            NO_RULE,
            Decision("allow", SANCTIONED, -1),
            Decision("allow", vpn_clause, -1),
        ]
        """Every distinct answer."""
        self.known += [Decision(rule.action, rule.clause, i) for i, rule in enumerate(policy.rules)]
        self.forbids = np.array([decision.action != "allow" for decision in self.known])
        """bool[known]: whether an exemption would change the answer."""
        self.ranking = Ranking(policy)
        self._strictness = [ACTIONS.index(decision.action) for decision in self.known]
        groups = [group.id for group in policy.groups] + [""]
        self.table = np.zeros((len(sets) + 1, len(groups), 2), np.int16)
        """int16[sets + 1, groups + 1, 2]: index into `known`; the last axis is off duty, on duty."""
        masks = np.array([labels.mask for labels in sets], np.int64)
        of_set: dict[str, list[int]] = {}
        for s, labels in enumerate(sets):
            of_set.setdefault(labels.service, []).append(s)
        by_service = {service: np.array(places) for service, places in of_set.items()}
        for g, group in enumerate(groups):
            for duty, when in enumerate(TIMES):
                column = self.table[:-1, g, duty]
                self._by_category(column, masks, self.ranking.rules("categories", group, when))
                answers = dict.fromkeys(policy.sanctioned.services, self.SANCTIONED)
                for service, rule in self.ranking.rules("services", group, when).items():
                    answers[service] = rule + self.RULES
                for service, answer in answers.items():
                    if service in by_service:
                        column[by_service[service]] = answer

    def _by_category(self, column: np.ndarray, masks: np.ndarray, rules: dict[str, int]) -> None:
        """Enters the strictest rule among each set's categories, the first in the taxonomy of equals."""
        strictest = np.full(len(column), -1, np.int8)
        for bit, name in enumerate(taxonomy.NAMES):
            if name in rules:
                strictness = self._strictness[rules[name] + self.RULES]
                better = (masks >> bit & 1).astype(bool) & (strictest < strictness)
                column[better] = rules[name] + self.RULES
                strictest[better] = strictness
