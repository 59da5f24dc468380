"""What the detectors find of what is done in the lab, and what they say besides.

    python -m benchmarks.detectors [SCENARIO …] [--folder FOLDER] [--judge] [--write PAGE]

Plays each scenario of the detectors' lab (`tests/lab/detectors/`) in network namespaces, as root, leaves
the mirror's recording in the folder, and judges it with the whole product. `--judge` takes recordings that
are in the folder already. A SCENARIO may hold `*`. PAGE: docs/detectors/measured.md.
"""

import argparse
import fnmatch
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.verdicts import table
from tests.lab.detectors import play
from tests.lab.detectors.catalogue import SCENARIOS
from tests.lab.detectors.judge import FOUND, judge, keep, kept
from tests.lab.detectors.scenario import GOALS, Scenario
from tests.lab.detectors.score import Scored, reached, recalled, score

GOAL_TITLES = {
    "always": "scans at T3 and above, one-packet equipment rules",
    "mostly": "everything else",
    "slow": "slow scans",
}


def played(scenario: Scenario, folder: Path) -> str:
    """Empty where the scenario was played, else why not."""
    if reason := scenario.why_not():
        return reason
    begun = time.monotonic()
    try:
        play.play(scenario, folder)
    except (OSError, RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
        return f"{scenario.key}: {error}"
    print(f"played {scenario.key} in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return ""


def judged(keys: Sequence[str], folder: Path) -> None:
    """Judges scenarios' recordings and leaves the findings beside them."""
    begun = time.process_time()
    with tempfile.TemporaryDirectory(prefix="judged-", dir=folder) as state:
        found = judge([(SCENARIOS[key], play.load(key, folder / key)) for key in keys], Path(state))
    for key in keys:
        keep(found[key], folder / key)
    print(
        f"judged {len(keys)} scenarios: {time.process_time() - begun:.0f} s of processor time",
        file=sys.stderr,
    )


def cases_in(folder: Path) -> list[Scored]:
    """The scenarios whose findings are in the folder, in the catalogue's order."""
    return [
        score(scenario, play.load(key, folder / key), kept(folder / key))
        for key, scenario in SCENARIOS.items()
        if (folder / key / FOUND).exists()
    ]


def _goals(cases: Sequence[Scored]) -> Iterable[Sequence[object]]:
    for goal, wanted in GOALS.items():
        made, asked = recalled(cases, goal)
        if asked:
            hit = "" if wanted is None else "yes" if made >= wanted * asked else "no"
            share = f"{100 * made / asked:.0f} % ({made}/{asked})"
            yield GOAL_TITLES[goal], "–" if wanted is None else f"{100 * wanted:.0f} %", share, hit
    false = sum(len(case.false) for case in cases)
    yield "false findings in all scenarios", "0", false, "no" if false else "yes"


def _row(case: Scored) -> Sequence[object]:
    made, missed = ("; ".join(f"{e.detector} {e.subject}" for e in es) for es in (case.made, case.missed))
    beside = ", ".join(sorted({found.detector for found in case.beside}))
    false = "; ".join(f"{found.detector} {found.subject}" for found in case.false)
    recall = "silence" if case.recall is None else f"{100 * case.recall:.0f} %"
    return f"{case.scenario.title} (`{case.scenario.key}`)", made, missed, recall, beside, false


def report(cases: Sequence[Scored], left_out: Sequence[str]) -> str:
    """All tables, in Markdown."""
    parts = [
        f"{len(cases)} scenarios, each played once by real programs.",
        table(("goal: recall", "wanted", "measured", "reached"), _goals(cases)),
        table(
            ("scenario", "found", "missed", "recall", "found besides, rightly", "false"),
            (_row(case) for case in cases),
        ),
    ]
    if left_out:
        parts += ["Left out:", "\n".join(f"- {line}" for line in left_out)]
    return "\n\n".join(parts)


def between(page: str, part: str, measured: str) -> str:
    """The page with what stands between the marks of a part replaced. Raises ValueError where it has none."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks the lines {begin} and {end}")
    return f"{before}{begin}\n\n{measured}\n\n{end}{after}"


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
    parser.add_argument("--write", type=Path, help="page whose measured part is replaced")
    arguments = parser.parse_args()
    chosen = [key for key in SCENARIOS if any(fnmatch.fnmatch(key, p) for p in arguments.scenarios or "*")]
    if not chosen:
        parser.error(f"no such scenario: {', '.join(arguments.scenarios)}")
    if arguments.judge and arguments.folder is None:
        parser.error("--judge needs --folder")
    if not arguments.judge and (reason := play.why_not()):
        print(f"detectors: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="detectors-") as own:
        folder = (arguments.folder or Path(own)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        reasons = [] if arguments.judge else [played(SCENARIOS[key], folder / key) for key in chosen]
        left_out = [reason for reason in reasons if reason]
        judged([key for key in chosen if (folder / key / play.TRUTH).exists()], folder)
        cases = cases_in(folder)
    measured = report(cases, left_out)
    print(measured)
    for case in cases:
        for found in case.false:
            print(f"false, {case.scenario.key}: {found.detector}: {found.statement}")
    if arguments.write:
        page = arguments.write.read_text("utf-8")
        arguments.write.write_text(between(page, "scenarios", measured), "utf-8")
    return 1 if left_out or not reached(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
