"""How often the detectors say something of school days on which nothing happened.

    python -m benchmarks.host_days [--folder FOLDER] [--days N] [--machines N] [--seed TEXT]
                                   [--write docs/detectors/measured.md]

Makes days of the benign recordings of the detectors' lab (`tests/lab/detectors/`): each machine plays clips
of them under its own addresses, at a school's hours, and the school's servers play theirs. Every day goes
through the whole product; all findings are false. Recordings that the folder lacks are made first, as root.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.detectors import between, played
from benchmarks.verdicts import table
from tests.lab.detectors import play
from tests.lab.detectors.catalogue import SCENARIOS
from tests.lab.detectors.host_days import HABITS, Quiet, lessons, material, quiet


def recorded(folder: Path) -> list[play.Played]:
    """The benign recordings of the folder; those that it lacks are made. Raises OSError."""
    found = []
    for kind in HABITS.keys() & SCENARIOS.keys():
        if not (folder / kind / play.TRUTH).exists() and (reason := played(SCENARIOS[kind], folder / kind)):
            raise OSError(reason)
        found.append(play.load(kind, folder / kind))
    return found


def report(seen: Quiet) -> str:
    """What was found, in Markdown."""
    by = Counter(found.detector for found in seen.false)
    rate = 1_000 * len(seen.false) / seen.host_days
    lines = [
        f"{seen.host_days} host-days ({seen.days} school days, {seen.frames:,} frames): "
        f"{len(seen.false)} false findings, {rate:.1f} in 1,000 host-days.",
    ]
    if by:
        lines.append(
            table(
                ("detector", "false findings", "in 1,000 host-days"),
                ((name, n, f"{1_000 * n / seen.host_days:.1f}") for name, n in by.most_common()),
            )
        )
    return "\n\n".join(lines)


def main() -> int:
    """Exit code 1 where something was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where the recordings are, or go")
    parser.add_argument("--days", type=int, default=2, help="school days (default %(default)s)")
    parser.add_argument("--machines", type=int, default=530, help="machines (default %(default)s)")
    parser.add_argument("--seed", default="school", help="another seed, other days (default %(default)s)")
    parser.add_argument("--write", type=Path, help="page whose measured part is replaced")
    arguments = parser.parse_args()
    begun = time.process_time()
    with tempfile.TemporaryDirectory(prefix="host-days-") as own:
        folder = arguments.folder or Path(own)
        clips, events = material(recorded(folder))
        clips += lessons(Path(own))
        seen = quiet(clips, events, arguments.days, arguments.machines, arguments.seed, Path(own) / "state")
    measured = report(seen)
    print(measured)
    for found in seen.false:
        print(f"{found.detector} {found.subject}: {found.statement}\n    {found.samples[:2]}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(f"{time.process_time() - begun:.0f} s of processor time, {peak:.0f} MB at most", file=sys.stderr)
    if arguments.write:
        page = arguments.write.read_text("utf-8")
        arguments.write.write_text(between(page, "host-days", measured), "utf-8")
    return 1 if seen.false else 0


if __name__ == "__main__":
    sys.exit(main())
