"""How often the filter verdict is right: what real clients got behind real filters, and what was said of it.

    python -m benchmarks.verdicts [SCENARIO …] [--folder FOLDER] [--judge] [--wrong N]
                                  [--missed N] [--write docs/verdicts.md]

Plays each scenario of the filter lab (`tests/lab/filters/`) in network namespaces, as root, and leaves the
recordings of both taps in the folder; judges them with the whole pipeline at each loss of the mirror, with
the policy's facts about the filter and without; and compares with the truth. `--judge` takes the recordings
that are in the folder already. Without scenarios: all, in about twenty minutes.
"""

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from tests.lab.filters import play
from tests.lab.filters.catalogue import SCENARIOS
from tests.lab.filters.judge import LOSSES, judge
from tests.lab.filters.scenario import Scenario
from tests.lab.filters.score import (
    GOALS,
    TRUTHS,
    VERDICTS,
    Scored,
    compare,
    matrix,
    precision,
    recall,
    wrong,
)
from tests.lab.filters.topology import TAPS

BEGIN, END = "<!-- measured -->", "<!-- end of what is measured -->"
AT_ONCE = 2
"""Scenarios in work at once: most of the time clients wait for their turn."""
LOST = {0.0: "none", 0.01: "1 %", 0.05: "5 %"}
SIDES = {"lan": "inside", "wan": "outside"}


def _played(scenario: Scenario, place: Path) -> str:
    """Empty where the scenario was played, else why not."""
    if reason := scenario.why_not():
        return reason
    begun = time.monotonic()
    try:
        play.play(scenario, place)
    except (OSError, TimeoutError, subprocess.SubprocessError) as error:
        return f"{scenario.key}: {error}"
    print(f"played {scenario.key} in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return ""


def play_all(scenarios: Sequence[Scenario], folder: Path) -> list[str]:
    """Plays the scenarios, AT_ONCE together, into folders by key; what could not be played, and why."""
    with ThreadPoolExecutor(AT_ONCE) as players:
        reasons = players.map(lambda scenario: _played(scenario, folder / scenario.key), scenarios)
        return [reason for reason in reasons if reason]


def judge_all(scenarios: Sequence[Scenario], folder: Path) -> list[Scored]:
    """All cases of the scenarios whose recordings are in the folder.

    Scenarios with the same facts about their filter are judged together. Without facts: no loss, tap inside.
    """
    groups: dict[str, list[str]] = {}
    for scenario in scenarios:
        if (folder / scenario.key / play.OUTCOMES).exists():
            groups.setdefault(repr(sorted(scenario.facts.items())), []).append(scenario.key)
    runs = [(members, tap, True, LOSSES) for members in groups.values() for tap in TAPS]
    runs.append(([key for members in groups.values() for key in members], "lan", False, LOSSES[:1]))
    runs.sort(key=lambda run: -len(run[0]) * len(run[3]))
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn")) as judges:
        waiting = [judges.submit(judge_group, *run, folder) for run in runs]
        return [case for future in waiting for case in future.result()]


def judge_group(
    keys: Sequence[str], tap: str, declared: bool, losses: Sequence[float], folder: Path
) -> list[Scored]:
    """All cases of scenarios with the same facts, at one tap."""
    begun = time.process_time()
    played = {key: play.load(key, folder / key) for key in keys}
    facts = SCENARIOS[keys[0]].facts if declared else {}
    recordings = {key: played[key].captures[tap] for key in keys}
    days = {key: SCENARIOS[key].days for key in keys}
    with tempfile.TemporaryDirectory(prefix="judged-", dir=folder) as place:
        judged = judge(recordings, tap, facts, Path(place) / "state", losses, days)
    cases = [
        case
        for key in keys
        for loss in losses
        for case in compare(SCENARIOS[key], tap, declared, loss, played[key].tried, judged)
    ]
    print(
        f"judged {len(keys)} scenarios, tap {tap}: {time.process_time() - begun:.0f} s of processor time",
        file=sys.stderr,
    )
    return cases


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown, the first column to the left."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def _rates(cases: Sequence[Scored]) -> tuple[object, ...]:
    return (
        precision(cases, "blocked"),
        precision(cases, "allowed"),
        recall(cases, "blocked", seen=True),
        recall(cases, "allowed", seen=True),
        len(wrong(cases)),
    )


RATES = ("precision of blocked", "precision of allowed", "recall of blocked", "recall of allowed", "wrong")


def _matrix(cases: Sequence[Scored]) -> str:
    counts = matrix(case for case in cases if not case.own)
    return table(
        ("truth, and below what the product said", *VERDICTS),
        ((truth, *(counts[truth, verdict] for verdict in VERDICTS)) for truth in TRUTHS),
    )


def _by(cases: Sequence[Scored], name: str, of: Callable[[Scored], str]) -> str:
    kinds: dict[str, list[Scored]] = {}
    for case in cases:
        kinds.setdefault(of(case), []).append(case)
    return table((name, *RATES), ((kind, *_rates(found)) for kind, found in kinds.items()))


def _scenarios(cases: Sequence[Scored]) -> str:
    """One row for each truth of each scenario, one column for each tap and loss."""
    counts: dict[tuple[str, str], Counter[tuple[str, float, str]]] = defaultdict(Counter)
    for case in cases:
        if not case.own:
            counts[case.scenario, case.truth][case.tap, case.loss, case.verdict] += 1
    columns = [(tap, loss) for tap in TAPS for loss in LOSSES]
    rows = []
    for (key, truth), found in counts.items():
        said = {verdict for _, _, verdict in found}
        if truth != "resolved" or not said <= {"inconclusive", "unseen"}:
            told = [
                ", ".join(f"{found[tap, loss, v]} {v}" for v in VERDICTS if found[tap, loss, v])
                for tap, loss in columns
            ]
            rows.append((f"{SCENARIOS[key].title} (`{key}`)", truth, *told))
    heads = [f"{SIDES[tap]}, {LOST[loss]} lost" for tap, loss in columns]
    return table(("filter", "truth", *heads), rows)


def goals(cases: Sequence[Scored]) -> list[tuple[str, str, object, str]]:
    """Each goal with what is wanted, what was measured, and whether that is it; tap inside, declared."""
    inside = [case for case in cases if case.declared and case.tap == "lan"]
    clean = [case for case in inside if not case.loss]
    rows: list[tuple[str, str, object, str]] = []
    for kind, of in (("precision", precision), ("recall", recall)):
        for verdict in ("blocked", "allowed"):
            share = of(clean, verdict)
            wanted = GOALS[kind]
            reached = share.value is None or share.value >= wanted
            rows.append((f"{kind} of {verdict}", f"{100 * wanted:g} %", share, "yes" if reached else "no"))
    for name, found in (("without loss", clean), ("at any loss", inside)):
        outages = sum(case.truth == "failed" and case.verdict == "blocked" for case in found)
        rows.append((f"outages called blocked, {name}", "0", outages, "no" if outages else "yes"))
    return rows


def report(cases: Sequence[Scored], left_out: Sequence[str]) -> str:
    """All tables, in Markdown."""
    declared = [case for case in cases if case.declared]
    inside = [case for case in declared if case.tap == "lan"]
    clean = [case for case in inside if not case.loss]
    outside = [case for case in declared if case.tap == "wan"]
    undeclared = [case for case in cases if not case.declared]
    visits = sum(not case.own for case in clean)
    scenarios = len({case.scenario for case in cases})
    parts = [
        f"{visits} attempts in {scenarios} scenarios.",
        "### The goal: tap inside, filter declared, no loss",
        table(("", "wanted", "measured", "reached"), goals(cases)),
        _matrix(clean),
        _by(clean, "tap inside, no loss", lambda case: "all"),
        "### By loss of the mirror, tap inside",
        _by(inside, "frames lost", lambda case: LOST[case.loss]),
        "### Tap outside",
        _matrix([case for case in outside if not case.loss]),
        _by(outside, "frames lost", lambda case: LOST[case.loss]),
        "### Filter not declared, tap inside, no loss",
        _by(undeclared, "not declared", lambda case: "all"),
        "### By protocol, tap inside, no loss",
        _by(clean, "program, protocol", lambda case: f"{case.program} {case.protocol}"),
        "### By address family, tap inside, no loss",
        _by(clean, "client's addresses", lambda case: {"4": "IPv4", "6": "IPv6", "46": "both"}[case.stack]),
        "### By mechanism, tap inside, no loss",
        _by([case for case in clean if case.mechanism], "mechanism", lambda case: case.mechanism),
        "### By scenario",
        "Filter declared. What dig only resolved is left out where nothing was said of it.",
        _scenarios(declared),
    ]
    if left_out:
        parts += ["### Left out", "\n".join(f"- {line}" for line in left_out)]
    return "\n\n".join(parts)


def written(page: str, measured: str) -> str:
    """The page with what stands between its markers replaced. Raises ValueError where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}"


def _described(case: Scored) -> str:
    place = f"{case.scenario}, tap {case.tap}, loss {case.loss:g}, {'' if case.declared else 'un'}declared"
    return f"{place}: {case.truth}, judged {case.verdict} by {case.mechanism or 'nothing'}: {case.evidence}"


def main() -> int:
    """Exit code 1 where a goal was missed or a scenario could not be played."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--folder", type=Path, help="where recordings go, or are; otherwise they are removed")
    parser.add_argument(
        "--judge", action="store_true", help="judge the recordings in the folder, play nothing"
    )
    parser.add_argument("--wrong", type=int, default=20, help="wrong verdicts to show (default %(default)s)")
    parser.add_argument(
        "--missed", type=int, default=0, help="inconclusive ones to show, of those without loss"
    )
    parser.add_argument("--write", type=Path, help="page whose measured part is replaced")
    arguments = parser.parse_args()
    unknown = [key for key in arguments.scenarios if key not in SCENARIOS]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    if arguments.judge and arguments.folder is None:
        parser.error("--judge needs --folder")
    if not arguments.judge and (reason := play.why_not()):
        print(f"verdicts: {reason}", file=sys.stderr)
        return 1
    chosen = [SCENARIOS[key] for key in arguments.scenarios or SCENARIOS]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="verdicts-") as own:
        folder = (arguments.folder or Path(own)).resolve()
        left_out = [] if arguments.judge else play_all(chosen, folder)
        cases = judge_all(chosen, folder)
    measured = report(cases, left_out)
    print(f"{(time.monotonic() - begun) / 60:.0f} minutes", file=sys.stderr)
    print(measured)
    errors = wrong(cases)
    for case in errors[: arguments.wrong]:
        print(f"wrong: {_described(case)}")
    missed = [
        case
        for case in cases
        if case.verdict == "inconclusive" and case.truth in ("blocked", "delivered") and not case.loss
    ]
    for case in missed[: arguments.missed]:
        print(f"missed: {_described(case)}")
    if arguments.write:
        arguments.write.write_text(written(arguments.write.read_text("utf-8"), measured), "utf-8")
    return 1 if left_out or any(reached == "no" for *_, reached in goals(cases)) else 0


if __name__ == "__main__":
    sys.exit(main())
