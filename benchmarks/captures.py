"""What the detectors find in captures of others that are known to hold attacks, or to hold none.

    python -m benchmarks.captures FOLDER [--write docs/detectors/measured.md]

FOLDER holds the captures named in `tests/lab/detectors/captures.tsv`, and what is expected of each is there.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.detectors import between
from benchmarks.verdicts import table
from tests.lab.detectors.captures import CAPTURES, Capture, false, findings_in, right
from tests.lab.detectors.judge import Found

Seen = tuple[Capture, Sequence[Found]]


def report(seen: Sequence[Seen]) -> str:
    """A row for each class, then one for each capture, in Markdown."""
    rows = []
    for kind in dict.fromkeys(capture.kind for capture, _ in seen):
        own = [(capture, found) for capture, found in seen if capture.kind == kind]
        asked = [(capture, found) for capture, found in own if capture.expects]
        hits = sum(bool(right(*case)) for case in asked)
        quiet = [case for case in own if not case[0].expects]
        silent = sum(not false(*case) for case in quiet)
        rows.append((kind, f"{hits} of {len(asked)}", f"{silent} of {len(quiet)}"))
    return "\n\n".join(
        (
            table(("class", "found", "silent where nothing is"), rows),
            table(("capture", "whose word", "wanted", "found", ""), (_row(*case) for case in seen)),
        )
    )


def _row(capture: Capture, found: Sequence[Found]) -> Sequence[str]:
    good = bool(right(capture, found)) if capture.expects else not false(capture, found)
    wanted = " or ".join(capture.expects) or "silence"
    said = ", ".join(sorted({f.detector for f in found})) or "nothing"
    return Path(capture.path).name, capture.says, wanted, said, "yes" if good else "**no**"


def main() -> int:
    """Exit code 1 where one of them was judged wrongly, 2 where none is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path, help="page whose measured part is replaced")
    arguments = parser.parse_args()
    seen: list[Seen] = []
    with tempfile.TemporaryDirectory(prefix="captures-") as place:
        for number, capture in enumerate(CAPTURES):
            if (arguments.folder / capture.path).exists():
                found = findings_in(capture, arguments.folder, Path(place) / str(number))
                seen.append((capture, found))
                print(*_row(capture, found), sep=" | ", file=sys.stderr, flush=True)
            else:
                print(f"left out: {capture.path} is not there", file=sys.stderr)
    if not seen:
        print(f"no capture of captures.tsv is below {arguments.folder}", file=sys.stderr)
        return 2
    measured = report(seen)
    print(measured)
    if arguments.write:
        page = arguments.write.read_text("utf-8")
        arguments.write.write_text(between(page, "captures", measured), "utf-8")
    return 0 if all(right(*case) if case[0].expects else not false(*case) for case in seen) else 1


if __name__ == "__main__":
    sys.exit(main())
