"""What differs between two policies, key by key, as people would say it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from classifiers.policy_model import Policy

#: Longest text of one side of a change.
_SHOWN = 300
#: Names of a rule that stand in its key.
_NAMED = 6


class Change(NamedTuple):
    """One key that differs."""

    key: str
    before: Any
    """None: it was not there."""
    after: Any
    """None: it is no longer there."""

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.key}{_text(self.after)}"
        if self.after is None:
            return f"- {self.key}{_text(self.before)}"
        if isinstance(self.before, list) and isinstance(self.after, list):
            out, new = Counter(map(_plain, self.before)), Counter(map(_plain, self.after))
            parts = [f"+{word}" for word in (new - out).elements()]
            parts += [f"-{word}" for word in (out - new).elements()]
            return f"~ {self.key}: {_short(' '.join(parts)) or 'another order'}"
        return f"~ {self.key}: {_plain(self.before)} → {_plain(self.after)}"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(below)}" for key, below in value.items())
    if isinstance(value, list):
        return " ".join(map(_plain, value))
    return str(value)


def _text(value: Any) -> str:
    shown = _short(_plain(value))
    return f": {shown}" if shown else ""


def _short(text: str) -> str:
    """The text, cut between two words where it is long: half an address would be another one."""
    return text if len(text) <= _SHOWN else text[:_SHOWN].rpartition(" ")[0] + " …"


def _named(rule: dict[str, Any]) -> str:
    """Key of a rule: what it is about. Its action and clause may change, it stays the same rule."""
    names = [*rule.get("categories", ()), *rule.get("services", ())]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    who = " ".join(rule.get("groups", ["*"])[:_NAMED])
    return f"{' '.join(names[:_NAMED])}{more} for {who}, {rule.get('when', 'always')}"


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _flat(f"{path}.{key}" if path else key, below)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        taken: Counter[str] = Counter()
        for number, item in enumerate(value, 1):
            name = item.get("id") or (_named(item) if path == "rules" else str(number))
            taken[name] += 1
            yield f"{path}[{name}{f' #{taken[name]}' if taken[name] > 1 else ''}]", item
    else:
        yield path, value


def changes(before: Policy | None, after: Policy) -> list[Change]:
    """Keys that differ, in the order of the policies; all of them where there was none before.

    Elements of sites, groups and exemptions are told apart by their id, rules by what they are about.
    MAC addresses of devices are told as numbers of devices.
    """
    return list(_between("", _content(before) if before else {}, _content(after)))


def _content(policy: Policy) -> dict[str, Any]:
    return dict(_flat("", policy.content()))


def _between(path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        key, before, after = f"{path}{name}", old.get(name), new.get(name)
        if before == after:
            continue
        if key.startswith("devices."):
            yield from _devices(key, before or [], after or [])
        elif isinstance(before, dict) and isinstance(after, dict):
            yield from _between(f"{key}.", dict(_flat("", before)), dict(_flat("", after)))
        else:
            yield Change(key, before, after)


def _devices(key: str, old: list[str], new: list[str]) -> Iterator[Change]:
    if gone := len(set(old) - set(new)):
        yield Change(key, f"{gone} devices", None)
    if come := len(set(new) - set(old)):
        yield Change(key, None, f"{come} devices")
