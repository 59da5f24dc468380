"""Inputs of the guided search, a line of hexadecimal digits each: what it found, and what reaches new code.

    NUMBA_DISABLE_JIT=1 python -m tests.capture.corpus FOLDER

Adds to `tests/capture/corpus/TARGET.txt` those inputs of a search's folder, short ones first, that take a
step from one line to another that none before took.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.capture.guarded import TARGETS, Harness, exact_ends

CORPUS = Path(__file__).with_suffix("")
SENSOR = str(Path(__file__).parents[2] / "capture")

Step = tuple[str, int, int]


def inputs(target: str) -> list[bytes]:
    """All inputs of a target."""
    file = CORPUS / f"{target}.txt"
    return [bytes.fromhex(line) for line in file.read_text().splitlines()] if file.exists() else []


class Steps:
    """The steps from line to line that the sensor's code takes while this is open."""

    def __init__(self) -> None:
        self.taken: set[Step] = set()

    def __enter__(self) -> "Steps":
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(SENSOR):
            return None
        before = frame.f_lineno

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            self.taken.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return line

        return line


def needed(target: str, candidates: Iterable[bytes], known: Iterable[bytes]) -> list[bytes]:
    """The known ones, and of the candidates those that take a new step."""
    harness = Harness()
    kept = list(known)
    taken: set[Step] = set()
    for data in [*kept, *sorted(set(candidates), key=lambda data: (len(data), data))]:
        with Steps() as steps:
            TARGETS[target](harness, data)
        harness.settle(check=False)
        if steps.taken - taken and data not in kept:
            kept.append(data)
        taken |= steps.taken
    return kept


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    for target in TARGETS:
        found = [file.read_bytes() for file in (Path(sys.argv[1]) / "corpus" / target).glob("*")]
        with exact_ends():
            kept = needed(target, found, inputs(target))
        lines = sorted((data.hex() for data in kept), key=lambda line: (len(line), line))
        (CORPUS / f"{target}.txt").write_text("".join(f"{line}\n" for line in lines))
        print(f"{target}: {len(kept)} of {len(found)} inputs")


if __name__ == "__main__":
    main()
