"""How far the sensor agrees with tshark, Zeek, nDPI, Suricata, arkime and JA4 over real captures.

    python -m benchmarks.agreement [--kind KIND …] [--path SUBSTRING] [--misses] [--counts FOLDER]
                                   [--write docs/agreement.md]

The captures stand in the folder that `REAL_CAPTURES` names, else in `shared/captures` beside the repository.
Each is run through the sensor; what it says is compared, flow by flow, with what the others say. A difference
is explained in agreement.toml, or counted as unexplained.
"""

import argparse
import os
import sys
import time
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks import counted, witnesses
from benchmarks.compared import (
    COMPARISONS,
    COUNTS,
    FOUND,
    KINDS,
    LATER,
    MISSED,
    SECOND,
    UNKNOWN,
    WRONG,
    Outcome,
    compare_counts,
)
from benchmarks.sensed import sense

CAPTURES = Path(os.environ.get("REAL_CAPTURES", Path(__file__).parents[2] / "shared" / "captures"))
EXPLANATIONS = Path(__file__).with_suffix(".toml")
#: What lies among the captures and is none.
NO_CAPTURES = (".out",)


class Reason(NamedTuple):
    """Why the sensor and a witness differ."""

    why: str
    right: bool = False
    """The sensor is right: checked by hand, or with another setting of the witness."""


UNEXPLAINED = Reason("")


@dataclass
class Explanations:
    """Reasons for differences, from agreement.toml: how many of a kind in a capture each reason covers."""

    left: dict[tuple[str, str], list[tuple[Reason, int]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def load(cls) -> "Explanations":
        """Raises ValueError where the file is no such table."""
        loaded = cls()
        for entry in tomllib.loads(EXPLANATIONS.read_text("utf-8")).get("reason", []):
            reason = Reason(entry["why"], entry.get("right", False))
            for path, count in entry["captures"].items():
                for kind in entry["kinds"]:
                    loaded.left[kind, path].append((reason, count))
        return loaded

    def take(self, kind: str, path: str) -> Reason:
        """The reason of one more difference of a kind in a capture; `UNEXPLAINED` if there is none."""
        waiting = self.left.get((kind, path), [])
        for number, (reason, count) in enumerate(waiting):
            if count > 0:
                waiting[number] = (reason, count - 1)
                return reason
        return UNEXPLAINED


class Difference(NamedTuple):
    """A miss or a wrong statement, with its reason."""

    path: str
    outcome: Outcome
    reason: Reason


@dataclass
class Tally:
    """What was compared of one kind."""

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def _mistaken(self, verdict: str) -> int:
        """Differences in which the witness is mistaken."""
        return sum(d.reason.right and d.outcome.verdict == verdict for d in self.differences)

    @property
    def wanted(self) -> int:
        """What the witness states and should."""
        return self.counts[FOUND] + self.counts[MISSED] - self._mistaken(MISSED)

    @property
    def wrong(self) -> int:
        """What the sensor states and should not."""
        return self.counts[WRONG] - self._mistaken(WRONG)

    @property
    def confirmed(self) -> int:
        """What the sensor states and not this witness, but another one or a look at the packets."""
        return self.counts[SECOND] + self._mistaken(WRONG)

    @property
    def found_share(self) -> float:
        """Share of what was wanted that was found; 1 where nothing was."""
        return self.counts[FOUND] / self.wanted if self.wanted else 1.0

    @property
    def wrong_share(self) -> float:
        """Share of what the sensor states that it should not."""
        said = self.counts[FOUND] + self.counts[WRONG] + self.counts[SECOND] + self.counts[LATER]
        return self.wrong / said if said else 0.0

    @property
    def unexplained(self) -> int:
        return sum(not difference.reason.why for difference in self.differences)


@dataclass
class Report:
    """The outcome of all comparisons."""

    tallies: dict[str, Tally]
    captures: int
    unreadable: list[str]
    """Captures that the sensor can't open, with its line."""
    without_counts: str = ""
    """Why nothing was counted by tshark; empty if it was."""
    uncounted: list[str] = field(default_factory=list)
    """Captures that tshark can't read."""


def capture_paths(captures: Path, part: str = "") -> list[str]:
    """Paths below `pcap/` of everything that should be a capture."""
    files = (p for p in (captures / "pcap").rglob("*") if p.is_file() and p.suffix not in NO_CAPTURES)
    return sorted(path for path in (str(p.relative_to(captures / "pcap")) for p in files) if part in path)


def run(captures: Path, kinds: tuple[str, ...] = (), part: str = "", kept: Path | None = None) -> Report:
    """Compare all captures whose path holds `part`; only the given kinds, if any."""
    wanted = kinds or tuple(KINDS)
    expected = captures / "expected"
    explanations = Explanations.load()
    report = Report({kind: Tally() for kind in KINDS if kind in wanted}, 0, [])
    comparisons = [compare for compare, gives in COMPARISONS.items() if set(gives) & set(wanted)]
    counting = bool(set(COUNTS) & set(wanted))
    kept = kept or counted.cache_folder()
    for path in capture_paths(captures, part):
        if not counting and not _is_expected(expected, path):
            continue
        try:
            sensed = sense(captures / "pcap" / path)
        except (ValueError, OSError) as error:
            report.unreadable.append(f"{path}: {error}")
            continue
        report.captures += 1
        outcomes = [outcome for compare in comparisons for outcome in compare(path, sensed, expected)]
        if counting and not report.without_counts:
            try:
                outcomes += compare_counts(path, sensed, kept, captures)
            except OSError as error:
                report.without_counts = str(error)
        for outcome in outcomes:
            if outcome.kind not in report.tallies:
                continue
            tally = report.tallies[outcome.kind]
            tally.counts[outcome.verdict] += 1
            if outcome.verdict == UNKNOWN:
                report.uncounted.append(path)
            if outcome.verdict in (MISSED, WRONG):
                tally.differences.append(Difference(path, outcome, explanations.take(outcome.kind, path)))
    return report


def _is_expected(expected: Path, path: str) -> bool:
    """True if any witness says something of the capture."""
    return any(
        path in said
        for said in (
            witnesses.tshark(expected), witnesses.ndpi(expected), witnesses.zeek(expected, "conn"),
            witnesses.suricata(expected), witnesses.misc(expected),
        )
    )  # fmt: skip


def explained(tally: Tally) -> str:
    """The differences of one kind, a line each, those without a reason first."""
    ordered = sorted(tally.differences, key=lambda difference: difference.reason.why)
    return "\n".join(_line(difference) for difference in ordered)


def _line(difference: Difference) -> str:
    path, outcome, (why, _) = difference
    at = f" frame {outcome.frame}" if outcome.frame else ""
    return f"{outcome.kind} {outcome.verdict} {path}{at}: {outcome.what}{f' ({why})' if why else ''}"


def table(report: Report) -> list[str]:
    """The Markdown table of a report."""
    lines = [
        "| what | witness | wanted | found | share | second names | confirmed | wrong | share | no reason |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, tally in report.tallies.items():
        witness, what = KINDS[kind]
        lines.append(
            f"| {what} (`{kind}`) | {witness} | {tally.wanted} | {tally.counts[FOUND]} "
            f"| {tally.found_share:.2%} | {tally.counts[LATER]} | {tally.confirmed} | {tally.wrong} "
            f"| {tally.wrong_share:.2%} | {tally.unexplained} |"
        )
    return lines


def document(report: Report) -> str:
    """docs/agreement.md: the table and the reasons of all differences."""
    lines = [
        "# Agreement",
        "",
        "What the sensor says of real captures, beside what other programs say of them:",
        "`python -m benchmarks.agreement --write docs/agreement.md` writes this page. The captures are other",
        "projects' test material and not part of this repository; the command says where it looks for them.",
        "",
        f"{report.captures} captures were read. *Wanted* is what the witness states, *wrong* what the",
        "sensor states and should not. *Confirmed*: the witness does not state it, but one of the other",
        "programs does, or the packets do. *Second names*: a record has one name, the first; a connection",
        "may carry requests to several. Where a reason below says that the sensor is right, the difference",
        "counts neither as wanted nor as wrong.",
        "",
        *table(report),
        "",
    ]
    if report.without_counts:
        lines += [f"Frames, flows, packets and bytes were not compared: {report.without_counts}.", ""]
    if report.unreadable:
        lines += ["## Captures that could not be read", ""]
        lines += [f"- {line}" for line in report.unreadable] + [""]
    if report.uncounted:
        lines += ["tshark does not know the link layer of these, so nothing was counted:"]
        lines += [", ".join(f"`{Path(path).name}`" for path in report.uncounted) + ".", ""]
    lines += ["## Differences and their reasons", ""]
    for kind, tally in report.tallies.items():
        if not tally.differences:
            continue
        lines += [f"### {KINDS[kind][1]}", ""]
        reasons: dict[Reason, Counter[str]] = defaultdict(Counter)
        for difference in tally.differences:
            reasons[difference.reason][difference.path] += 1
        for (why, right), paths in reasons.items():
            where = ", ".join(f"`{_short(path)}`{f' ({n})' if n > 1 else ''}" for path, n in paths.items())
            lines += [f"- {why or 'Unexplained'}{' (the sensor is right)' if right else ''}: {where}"]
        lines.append("")
    return "\n".join(lines)


def _short(path: str) -> str:
    """A capture's name, with its folder where the name says nothing."""
    whole = Path(path)
    return f"{whole.parent.name}/{whole.name}" if whole.stem in ("input", "test") else whole.name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--kind", action="append", choices=KINDS, default=[], help="only this kind; several times"
    )
    parser.add_argument("--path", default="", help="only captures whose path holds this")
    parser.add_argument("--misses", action="store_true", help="print every difference")
    parser.add_argument(
        "--counts", type=Path, help="folder of what tshark counted (default: the user's cache)"
    )
    parser.add_argument("--write", type=Path, help="write the page of all differences and reasons")
    options = parser.parse_args()
    if not (CAPTURES / "pcap").is_dir():
        sys.exit(f"agreement: no captures in {CAPTURES}; name their folder with REAL_CAPTURES")
    begin = time.perf_counter()
    report = run(CAPTURES, tuple(options.kind), options.path, options.counts)
    print("\n".join(table(report)))
    print(f"\n{report.captures} captures in {time.perf_counter() - begin:.0f} s")
    for line in (report.without_counts, *report.unreadable):
        if line:
            print(line)
    if report.uncounted:
        print("not counted by tshark: " + ", ".join(report.uncounted))
    if options.misses:
        for tally in report.tallies.values():
            print(explained(tally), end="\n" if tally.differences else "")
    if options.write:
        options.write.write_text(document(report), "utf-8")


if __name__ == "__main__":
    main()
