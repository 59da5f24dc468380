"""Lets atheris look for inputs that go wrong, guided by which lines and comparisons they reach.

    NUMBA_DISABLE_JIT=1 python -m tests.capture.guided TARGET SECONDS FOLDER [MORE_SEEDS …]

The kernels run as plain Python over arrays that refuse what compiled code would do silently. What raises is
written to FOLDER, one input for each place, and named on standard error; the search goes on behind it. An
input that takes longer than `LIMIT_S` ends it.
"""

import sys
import traceback
from pathlib import Path

import atheris

from pipeline.kernels import DISABLED

with atheris.instrument_imports(include=["capture"], enable_loader_override=False):
    from tests.capture.guarded import TARGETS, Harness, exact_ends, name_of
    from tests.capture.guided_seeds import SEEDS

#: Seconds for one input, a hundred times what the slowest seed takes; bytes of an input at most.
LIMIT_S, INPUT_BYTES = 10, 2_048
#: Inputs between two checks of all rows.
CHECKED = 64
ROOT = Path(__file__).parents[2]


def place_of(error: BaseException) -> str:
    """Where in the sensor it was raised: file, line and error."""
    steps = traceback.extract_tb(error.__traceback__)
    own = [step for step in steps if Path(step.filename).is_relative_to(ROOT / "capture")] or steps[-1:]
    way = " < ".join(f"{Path(step.filename).name}:{step.lineno}" for step in own[:-4:-1])
    return f"{way} {type(error).__name__}: {error}"


class Search:
    """Tries inputs of one target and keeps the first one of each place that raised."""

    def __init__(self, target: str, folder: Path) -> None:
        self._target = TARGETS[target]
        self._name = target
        self._folder = folder
        self._harness = Harness()
        self._known: set[str] = set()
        self._tried = 0

    def __call__(self, data: bytes) -> None:
        self._tried += 1
        try:
            self._target(self._harness, data)
            self._harness.settle(self._tried % CHECKED == 0)
        except Exception as error:
            self._harness = Harness()
            place = place_of(error)
            if place.split(" ")[0] not in self._known:
                self._known.add(place.split(" ")[0])
                (self._folder / f"{self._name}-{name_of(data)}").write_bytes(data)
                print(f"FOUND {self._name}-{name_of(data)} {place}", file=sys.stderr, flush=True)


def main() -> None:
    target, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if not DISABLED:
        raise SystemExit("the kernels are compiled, which atheris can't look into; set NUMBA_DISABLE_JIT=1")
    corpus = folder / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[target]():
        (corpus / name_of(seed)).write_bytes(seed)
    with exact_ends():
        atheris.Setup(
            [
                sys.argv[0],
                str(corpus),
                *sys.argv[4:],
                f"-max_total_time={seconds}",
                f"-max_len={INPUT_BYTES}",
                f"-timeout={LIMIT_S}",
                f"-artifact_prefix={folder}/{target}-slow-",
                "-rss_limit_mb=1500",
                "-print_final_stats=1",
                "-use_value_profile=1",
            ],
            Search(target, folder),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
