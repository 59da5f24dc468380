"""Reading a policy file: bytes → TOML → model → what must hold across its sections.

`docs/policy.md` explains every key. A policy never blocks anything: it says how what was seen is
to be judged.
"""

import sys
import tomllib
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from classifiers.inventory import InventoryError, read_inventory
from classifiers.policy_checks import CHECKS, Fault, did_you_mean, unknown_services
from classifiers.policy_doubts import Doubts
from classifiers.policy_model import Policy
from classifiers.toml_lines import crowded_line, key_lines, line_of

__all__ = ["EXAMPLES", "STANDARD_INPUT", "STARTER", "Policy", "PolicyError", "load_policy", "problems"]

STARTER = Path(__file__).with_name("starter.toml")
#: Policies to copy, one for each regulation.
EXAMPLES = {path.stem: path for path in sorted((Path(__file__).parent / "examples").glob("*.toml"))}
#: The path that means standard input.
STANDARD_INPUT = Path("-")
#: Most bytes of a policy; devices belong in an inventory. Our default.
MOST_BYTES = 4 << 20
#: Problems that are told one by one.
MOST_TOLD = 500

#: Keys without which an element means something else.
_NEEDED = frozenset({"id", "action", "until", "from"})
#: Times that what is wrong is taken out, and the rest looked at.
_PRUNINGS = 4

KeyPath = tuple[str | int, ...]


class PolicyError(ValueError):
    """A policy that can't be used, or of which something can't be meant: `file`, `line`, what, and mend."""

    def __init__(self, file: Path, line: int, what: str, mend: str, warning: bool = False) -> None:
        super().__init__(f"{file}:{line}: {'warning: ' if warning else ''}{what}; {mend}")
        self.file = file
        self.line = line
        self.what = what
        self.mend = mend
        self.warning = warning
        """It can be used all the same."""


class Reading(NamedTuple):
    """What reading a policy file gave."""

    policy: Policy | None
    """None where it can't be used."""
    problems: list[PolicyError]
    """In the order of lines; warnings among them."""


_MENDS = {"missing": "add it", "literal_error": "use one of these"}


def _text(path: Path) -> str:
    try:
        if path == STANDARD_INPUT:
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise PolicyError(
            path, 1, f"cannot read the policy: {error.strerror}", "give a readable file"
        ) from None
    if len(data) > MOST_BYTES:
        mend = "keep devices in an inventory, and one policy in the file"
        raise PolicyError(path, 1, f"more than {MOST_BYTES >> 20} MiB, no policy", mend)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise PolicyError(path, 1, "not UTF-8 text, but UTF-16", "save it as UTF-8")
    if data.startswith(b"\xef\xbb\xbf"):
        raise PolicyError(path, 1, "begins with a byte order mark", "save it as UTF-8 without one")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(path, line, f"not UTF-8 text at byte {error.start}", "save it as UTF-8") from None


def _values(path: Path, text: str) -> dict[str, Any]:
    if line := crowded_line(text):
        raise PolicyError(path, line, "a key of hundreds of parts", "write tables instead")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        line = 1
        if "(at line " in what:
            what, _, rest = what.partition(" (at line ")
            line = int(rest.split(",")[0])
        elif "end of document" in what:
            what = what.partition(" (at")[0]
            line = text.count("\n") + 1
        raise PolicyError(path, line, f"not TOML: {what[:200]}", "mend the line") from None
    except RecursionError:
        raise PolicyError(path, 1, "nested too deeply", "a policy needs four levels") from None
    except ValueError as error:
        # Numbers longer than Python reads, and dates that no calendar has.
        raise PolicyError(path, 1, f"not TOML: {str(error)[:200]}", "mend that value") from None


def _unprintable(values: dict[str, Any]) -> Iterator[Fault]:
    """Control and direction characters in keys and texts: they could forge what others read."""
    left: list[tuple[KeyPath, Any]] = [((), values)]
    while left:
        path, value = left.pop()
        if isinstance(value, dict):
            for key, below in value.items():
                if not key.isprintable():
                    yield Fault(path, f"control characters in the key {key[:40]!r}", "remove them")
                left.append(((*path, key), below))
        elif isinstance(value, list):
            left.extend(((*path, i), below) for i, below in enumerate(value))
        elif isinstance(value, str) and not value.isprintable():
            shown = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
            yield Fault(path, f"{shown}: control characters in {value[:40]!r}", "remove them")


def _value_path(error_path: KeyPath) -> KeyPath:
    # pydantic adds the names of union members and constraints below the value they are about.
    return tuple(
        part
        for part in error_path
        if isinstance(part, int) or not part.startswith(("function", "IPv", "ip_"))
    )


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _keys_at(path: KeyPath) -> list[str]:
    """Keys that the table at that path may have."""
    model: type[BaseModel] = Policy
    for part in path:
        if isinstance(part, int):
            continue
        by_key = {field.alias or name: field for name, field in model.model_fields.items()}
        if part not in by_key:
            return []
        below = next(_models(by_key[part].annotation), None)
        if below is None:
            return []
        model = below
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_faults(error: ValidationError) -> Iterator[Fault]:
    for fault in error.errors(include_url=False, include_context=False):
        where = _value_path(fault["loc"])
        if fault["type"] == "missing" and where[:1] == ("exemptions",) and where[-1] == "until":
            yield Fault(where, "exemption without an end", "add until = YYYY-MM-DD")
            continue
        dotted = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
        if fault["type"] == "extra_forbidden":
            mend = did_you_mean(str(where[-1]), _keys_at(where[:-1]))
            what = f"{dotted[:200]}: unknown key"
            yield Fault(where, what, mend or "remove or rename it (docs/policy.md lists the keys)")
            continue
        what = f"{dotted[:200]}: {fault['msg'].removeprefix('Value error, ')}"
        what, _, mend = what.partition("; ")
        yield Fault(where, what, mend or _MENDS.get(fault["type"], "set another value"))


class _Rest(NamedTuple):
    """What is right in a policy that is not, and which element of the file each of its elements is."""

    policy: Policy
    places: dict[str, list[int]]

    def at(self, fault: Fault) -> Fault:
        """The fault at its place in the file."""
        section, *rest = fault.path
        if rest and section in self.places and isinstance(rest[0], int):
            return fault._replace(path=(section, self.places[str(section)][rest[0]], *rest[1:]))
        return fault


def _rest(values: dict[str, Any], error: ValidationError) -> _Rest | None:
    """The policy without the values that are wrong, so that the rest is checked, too; None: nothing left."""
    left = dict(values)
    places = {name: list(range(len(items))) for name, items in values.items() if isinstance(items, list)}
    for _ in range(_PRUNINGS):
        gone: dict[str, set[int]] = {}
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            section, *path = _value_path(fault["loc"]) or ("",)
            if section not in left:
                return None
            element = left[section][path[0]] if len(path) > 1 and isinstance(path[0], int) else None
            if isinstance(element, dict) and path[1] in element and path[1] not in _NEEDED:
                kept = {key: value for key, value in element.items() if key != path[1]}
                left[section] = [kept if item is element else item for item in left[section]]
            elif section in places and path and isinstance(path[0], int):
                gone.setdefault(str(section), set()).add(path[0])
            else:
                del left[section]
        for section, indexes in gone.items():
            if section in left:
                left[section] = [item for i, item in enumerate(left[section]) if i not in indexes]
                places[section] = [at for i, at in enumerate(places[section]) if i not in indexes]
        try:
            return _Rest(Policy.model_validate(left), places)
        except ValidationError as again:
            error = again
    return None


def _with_devices(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The values with the devices of their inventories. Raises InventoryError."""
    files = values.get("inventory")
    devices = values.get("devices", {})
    if not isinstance(files, list) or not isinstance(devices, dict):
        return values
    merged = {tag: set(macs) for tag, macs in devices.items() if isinstance(macs, list) and _texts(macs)}
    if len(merged) != len(devices) or not _texts(files):
        return values
    folder = Path() if path == STANDARD_INPUT else path.parent
    for file in files:
        for tag, macs in read_inventory(folder / file).tagged(_group_tags(values)).items():
            merged.setdefault(tag, set()).update(macs)
    return {**values, "devices": {tag: sorted(macs) for tag, macs in sorted(merged.items())}}


def _group_tags(values: dict[str, Any]) -> set[str]:
    """Tags that the groups name, as far as the file says so in the right form."""
    groups = values.get("groups")
    named = (
        [group.get("tags") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    )
    return {tag for tags in named if isinstance(tags, list) for tag in tags if isinstance(tag, str)}


def _texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def read_policy(path: Path, *, services: Collection[str] | None = None, today: date | None = None) -> Reading:
    """The policy of a file (`-`: standard input), and everything that is wrong with it.

    With `services`, those of the lists in force, a service that no list knows is wrong, too. `today`, by
    default UTC's, is what exemptions are held against.
    """
    try:
        text = _text(path)
        values = _values(path, text)
    except PolicyError as error:
        return Reading(None, [error])
    lines = key_lines(text)
    policy, faults, elsewhere = None, list(_unprintable(values)), []
    try:
        # What can't be shown can't be told about: those first.
        policy = Policy.model_validate(_with_devices(path, values)) if not faults else None
    except ValidationError as error:
        faults += _model_faults(error)
        rest = _rest(values, error)
        if rest is not None and rest.policy.sites:
            faults += [rest.at(fault) for check in CHECKS for fault in check(rest.policy)]
    except InventoryError as error:
        elsewhere.append(PolicyError(error.file, error.line, f"inventory: {error.what}", error.mend))
    if policy is not None:
        for check in CHECKS:
            faults += check(policy)
        if not faults:
            faults += Doubts(policy, today or datetime.now(UTC).date()).all()
        if services is not None:
            faults += unknown_services(policy, services)
    told = [
        PolicyError(path, line_of(lines, fault.path), fault.what, fault.mend, fault.warning)
        for fault in faults
    ]
    told = [*elsewhere, *sorted(told, key=lambda problem: problem.line)]
    if any(not problem.warning for problem in told):
        policy = None
    if len(told) > MOST_TOLD:
        errors_first = sorted(told, key=lambda problem: problem.warning)
        left = len(told) - MOST_TOLD
        told = sorted(errors_first[:MOST_TOLD], key=lambda problem: problem.line)
        more, last = f"{left:,} more problems", told[-1].line
        told.append(PolicyError(path, last, more, "mend those above first", policy is not None))
    return Reading(policy, told)


def problems(path: Path) -> list[PolicyError]:
    """Everything that keeps a policy file from being used, in the order of its lines."""
    return [problem for problem in read_policy(path).problems if not problem.warning]


def load_policy(path: Path | None = None) -> Policy:
    """The policy of a file; the starter without one.

    Raises PolicyError, a ValueError whose one line names file, line and mend, for the first problem.
    """
    reading = read_policy(path or STARTER)
    if reading.policy is None:
        raise next(problem for problem in reading.problems if not problem.warning)
    return reading.policy
