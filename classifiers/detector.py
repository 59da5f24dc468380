"""A detector: one `.sql` file whose header says what it states, over what window, and from which numbers.

The header is the file's leading comment lines, `-- key: value`; a line that begins with more than
one space goes on with the value before it. Keys, all needed unless marked:

- `title`, `class` (`scanning`, `equipment`, `bandwidth`, `circumvention`, `filtering`), `subject`
  (what kind the subject is), `severity`, `clause` (may be empty);
- `states`: the sentence of a finding. `{subject}`, `{from}`, `{to}`, names of inputs, texts and
  parameters stand in braces; `{hosts:host}` is "1 host", "2 hosts". `states NAME` (optional) is the
  sentence of rows whose `variant` is NAME;
- `window`, `step`, `lookback`: spans such as `15m`. A window ends with each step, `lookback` is how
  much earlier than a window the statement may read;
- `reads`: the tables, separated by commas;
- `needs TABLE` (optional, one for each table of rows that it reads): a condition in SQL on one row, with
  facts of the policy and the detector's parameters in braces if it must. Only new rows that fulfil it can
  make the detector find more, and a piece of event time without any shows nothing: other rows may take away
  from a finding or change its words, no more. `false` where all rows of the table do only that; where the
  key is absent, every row counts. Sums by minute or hour need rows of `flows`;
- `suspects` (optional): `piece` where they must be asked for in each piece of event time by itself, as a
  share may be less in a longer range;
- `rests_on`: `presence`, or `absence` if loss on the mirror could have made it;
- `parameter NAME` (any number): `default | source | meaning`; the source is `[S] …` published,
  `[K]` established, `[D]` our default.

Below the header stands one SELECT, or two with a line `;` between them. Of two the first gives the suspects:
one column with whatever could be past a threshold somewhere in a longer range, most often few clients. The
second names them as `{suspects:Array(TYPE)}` behind `IN`, and is asked only where there are any.

docs/detectors/adding.md shows how one is added.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from classifiers.facts import FACT_NAMES
from classifiers.ranges import hourly

FOLDER = Path(__file__).with_name("detectors")
CLASSES = ("scanning", "equipment", "bandwidth", "circumvention", "filtering")
SUBJECTS = ("host", "device", "server", "name", "site")
SEVERITIES = ("low", "medium", "high")
TABLES = ("flows", "dns", "sightings", "attempts", "health", "traffic_1m", "traffic_1h", "link_5m")
GROUNDS = ("presence", "absence")
#: Rollups hold rows where these tables do.
BASIS = {"traffic_1m": "flows", "traffic_1h": "flows", "link_5m": "flows"}
#: Keys of the header that stand with a name.
_NAMED = ("states", "parameter", "needs")

_ENTRY = re.compile(r"-- (?! )([a-z_]+)(?: ([a-z0-9_]+))?: ?(.*)")
_MORE = re.compile(r"--  +(.*)")
_SPAN = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SOURCE = re.compile(r"\[([SKD])\]( .+)?")
_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+):[A-Z]")
_BRACES = re.compile(r"\{([a-z0-9_]+)(?::([a-z ]+))?\}")
_SUSPECTS = re.compile(r"\{suspects:Array\([A-Za-z0-9]+\)\}")
_SINGLE = ("title", "class", "subject", "severity", "clause", "states", "window", "step", "lookback",
           "reads", "rests_on", "suspects")  # fmt: skip


class DetectorError(ValueError):
    """A detector file or threshold that can't be used; the message says where and how to mend it."""


@dataclass(frozen=True)
class Parameter:
    """A number of a detector that the policy may override."""

    name: str
    default: float
    source: str
    """`[S] …`, `[K]` or `[D]`."""
    meaning: str


@dataclass(frozen=True)
class Detector:
    """A parsed detector file. Spans are seconds."""

    name: str
    title: str
    kind: str
    """The header's `class`."""
    subject: str
    severity: str
    clause: str
    states: dict[str, str]
    """Sentence by variant; the plain one under the empty name."""
    window: int
    step: int
    lookback: int
    reads: tuple[str, ...]
    needs: dict[str, str]
    """Condition on one row, by table."""
    rests_on: str
    parameters: tuple[Parameter, ...]
    apart: bool
    """Whether its suspects are those of one piece."""
    suspects: str
    """SELECT of what could be past a threshold; empty where the file has none."""
    sql: str

    def every_suspect(self) -> str:
        """The statement with its suspects asked for inside of it, however many there are."""
        return _SUSPECTS.sub(lambda _: f"(\n{self.suspects})", self.sql)

    def thresholds(self, overrides: dict[str, float]) -> dict[str, float]:
        """Numbers in force, by name. Raises DetectorError for an unknown one."""
        numbers = {parameter.name: parameter.default for parameter in self.parameters}
        for name, value in overrides.items():
            if name not in numbers:
                known = ", ".join(sorted(numbers)) or "none"
                raise DetectorError(f"thresholds.{self.name}: unknown parameter {name!r}; it has {known}")
            numbers[name] = float(value)
        return numbers


def _entries(path: Path, text: str) -> dict[tuple[str, str], tuple[int, str]]:
    entries: dict[tuple[str, str], tuple[int, str]] = {}
    last: tuple[str, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("--"):
            break
        more = _MORE.fullmatch(line)
        if more and last:
            entries[last] = (entries[last][0], f"{entries[last][1]} {more[1]}".strip())
            continue
        entry = _ENTRY.fullmatch(line)
        if not entry:
            raise DetectorError(f"{path}:{number}: not a header line; write -- key: value")
        last = (entry[1], entry[2] or "")
        if last in entries:
            raise DetectorError(f"{path}:{number}: {' '.join(last).strip()} stands twice; keep one")
        if not (last[0] in _SINGLE and not last[1]) and not (last[0] in _NAMED and last[1]):
            raise DetectorError(f"{path}:{number}: unknown key {' '.join(last).strip()!r}; "
                                f"use one of {', '.join(_SINGLE)}, parameter NAME, "
                                "states NAME, needs TABLE")  # fmt: skip
        entries[last] = (number, entry[3].strip())
    return entries


def parse_detector(path: Path) -> Detector:
    """The detector of a file; its name is the file's. Raises DetectorError with file and line."""
    text = path.read_text("utf-8")
    entries = _entries(path, text)

    def fail(key: tuple[str, str], what: str) -> DetectorError:
        return DetectorError(f"{path}:{entries[key][0]}: {' '.join(key).strip()}: {what}")

    def one(key: str, allowed: tuple[str, ...] = ()) -> str:
        if (key, "") not in entries:
            raise DetectorError(f"{path}:1: the header has no {key}; add -- {key}: …")
        value = entries[key, ""][1]
        if allowed and value not in allowed:
            raise fail((key, ""), f"{value!r} is none of {', '.join(allowed)}")
        return value

    def span(key: str) -> int:
        match = _SPAN.fullmatch(one(key))
        if not match:
            raise fail((key, ""), f"{one(key)!r} is no span; write 30s, 15m, 1h or 1d")
        return int(match[1]) * _SECONDS[match[2]]

    parameters = []
    for key, (_, value) in entries.items():
        if key[0] != "parameter":
            continue
        parts = [part.strip() for part in value.split("|")]
        if len(parts) != 3 or not _SOURCE.fullmatch(parts[1]) or not parts[2]:
            raise fail(key, "write default | [S] source, [K] or [D] | meaning")
        try:
            parameters.append(Parameter(key[1], float(parts[0]), parts[1], parts[2]))
        except ValueError:
            raise fail(key, f"{parts[0]!r} is no number") from None
    reads = tuple(part.strip() for part in one("reads").split(","))
    for table in reads:
        if table not in TABLES:
            raise fail(("reads", ""), f"{table!r} is none of {', '.join(TABLES)}")
    needs = {key[1]: value for key, (_, value) in entries.items() if key[0] == "needs"}
    bases = {BASIS.get(table, table) for table in reads}
    for table, condition in needs.items():
        if table not in bases:
            raise fail(("needs", table), f"its rows are not read; use one of {', '.join(sorted(bases))}")
        if not condition or ";" in condition or "--" in condition:
            raise fail(("needs", table), "write one condition in SQL on a row of that table")
        strange = used_parameters(condition) - FACT_NAMES - {parameter.name for parameter in parameters}
        if strange:
            raise fail(("needs", table), f"{min(strange)!r} is neither a fact of the policy nor a parameter")
    window, step, lookback = span("window"), span("step"), span("lookback")
    if not step or window % step:
        raise fail(("step", ""), "the window must be a whole number of steps")
    states = {key[1]: value for key, (_, value) in entries.items() if key[0] == "states"}
    one("states")
    apart = ("suspects", "") in entries and one("suspects", ("piece",)) == "piece"
    suspects, _, sql = hourly(text).rpartition("\n;\n")
    if bool(suspects) != bool(_SUSPECTS.search(sql)) or "\n;\n" in suspects:
        raise DetectorError(f"{path}: a SELECT of suspects goes before one that names {{suspects:Array(…)}}, "
                            "with a line ; between them")  # fmt: skip
    return Detector(
        name=path.stem,
        title=one("title"),
        kind=one("class", CLASSES),
        subject=one("subject", SUBJECTS),
        severity=one("severity", SEVERITIES),
        clause=one("clause"),
        states=states,
        window=window,
        step=step,
        lookback=lookback,
        reads=reads,
        needs=needs,
        rests_on=one("rests_on", GROUNDS),
        parameters=tuple(parameters),
        apart=apart,
        suspects=suspects,
        sql=sql,
    )


@cache
def load_detectors() -> tuple[Detector, ...]:
    """All detectors, by name; their files are read once in a process. Raises DetectorError."""
    return tuple(parse_detector(path) for path in sorted(FOLDER.glob("*.sql")))


def used_parameters(sql: str) -> set[str]:
    """Names of the query parameters that a statement binds."""
    return set(_PLACEHOLDER.findall(sql))


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    return str(value)


def _counted(value: Any, noun: str) -> str:
    if not noun or value == 1:
        return f"{_plain(value)} {noun}".strip()
    return f"{_plain(value)} {noun}{'es' if noun.endswith('s') else 's'}"


def sentence(template: str, values: dict[str, Any]) -> str:
    """The template with its braces filled. Raises KeyError for a name that `values` lacks."""
    return _BRACES.sub(lambda match: _counted(values[match[1]], match[2] or ""), template)
