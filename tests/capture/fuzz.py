"""Feeds sensors damaged frames of every kind: `python -m tests.capture.fuzz FRAMES [--captures FOLDER]`.

Run with `NUMBA_BOUNDSCHECK=1`, compiled kernels raise where they would read or write outside of an array.
In a part of the blocks each frame is the last thing in its buffer, so that this holds for its end, too.
Work is done in stretches, each with a sensor of its own; one that failed is repeated with `--stretch`.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from benchmarks.floods import resident_mb, table_mb
from capture import dispatch
from capture.frames import Frames
from capture.sensor import Sensor
from tests.capture.mutated import Seeds, captured_seeds, damaged_block, made_seeds
from tests.capture.packets import T0, small_sensor

BLOCK, STRETCH_BLOCKS = 8_192, 64
#: One block in so many has its frames fed one by one, and one stretch in so many its rows checked in full.
ALONE, CHECKED = 8, 16
#: Sensors that fill up at each turn, and one of a usual size.
SIZES: tuple[dict[str, int], ...] = (
    {"batch_rows": 150, "flows": 1_024, "heads": 16},
    {"batch_rows": 20_000, "flows": 1_024, "heads": 16},
    {"batch_rows": 20_000, "flows": 65_536, "heads": 1_024},
)
SIZE_WEIGHTS = (0.1, 0.3, 0.6)

COUNTED = {
    "flows": ("packets_up", "packets_down"),
    "health": ("packets", "truncated", "malformed", "unknown_link", "duplicates"),
}


class Tally:
    """Numbers that must agree at the end."""

    def __init__(self) -> None:
        self.frames = self.packets = self.flow_packets = self.wrong = self.rows = 0
        self.memory_mb: list[float] = []
        """Memory of the process at the end of each stretch, its sensor still there."""
        self.beyond_mb = 0.0
        """Most memory that a stretch took on, less its sensor's arrays."""

    def summary(self) -> dict[str, float]:
        """The numbers, and how much more memory the later half of the stretches had than the first half."""
        half = max(len(self.memory_mb) // 2, 1)
        first, later = self.memory_mb[:half], self.memory_mb[half:]
        numbers = {name: value for name, value in vars(self).items() if name != "memory_mb"}
        return numbers | {"crept_mb": round(max(later, default=0.0) - max(first, default=0.0), 1)}

    def take(self, batches: Iterable[tuple[str, Any]], check: bool) -> None:
        """Count what the batches say; `check`: look at each value for being one of its type."""
        for kind, batch in batches:
            if check:
                batch.validate(full=True)
            self.rows += len(batch)
            sums = {name: pc.sum(batch.column(name)).as_py() or 0 for name in COUNTED.get(kind, ())}
            self.flow_packets += sums.get("packets_up", 0) + sums.get("packets_down", 0)
            self.packets += sums.pop("packets", 0)
            self.wrong += sum(n for name, n in sums.items() if kind == "health")


def feed_alone(sensor: Sensor, frames: Frames, tally: Tally, check: bool) -> None:
    """Feed the block frame by frame, each the last in its buffer."""
    ends = (frames.start + frames.captured).tolist()
    for number, end in enumerate(ends):
        alone = frames._replace(data=frames.data[: max(end, 1)], count=number + 1)
        while dispatch.run(sensor.table, alone, number) == number:
            tally.take(sensor.flush(), check)


def run_stretch(seeds: Seeds, seed: int, stretch: int, frames: int, tally: Tally, block: int = BLOCK) -> None:
    """Feed one sensor; everything follows from the two numbers."""
    chance = np.random.default_rng([seed, stretch])
    sensor = small_sensor(**SIZES[chance.choice(len(SIZES), p=SIZE_WEIGHTS)])
    before = resident_mb()
    check = stretch % CHECKED == 0
    ts = T0
    while frames > 0:
        count = min(block, frames)
        made = damaged_block(seeds, count, ts, chance)
        if chance.random() < 1 / ALONE:
            feed_alone(sensor, made, tally, check)
        else:
            tally.take(sensor.feed(made), check)
        ts = int(made.ts[-1])
        frames -= count
        tally.frames += count
    tally.take(sensor.finish(), check)
    tally.memory_mb.append(resident_mb())
    tally.beyond_mb = max(tally.beyond_mb, tally.memory_mb[-1] - before - table_mb(sensor.table))


def run(
    seeds: Seeds, count: int, seed: int, until: float = float("inf"), block: int = BLOCK
) -> dict[str, float]:
    """Numbers that must agree after `count` frames, or at `until` (seconds since 1970)."""
    tally = Tally()
    stretch, begun = 0, time.monotonic()
    told = begun
    while tally.frames < count and time.time() < until:
        frames = min(STRETCH_BLOCKS * block, count - tally.frames)
        try:
            run_stretch(seeds, seed, stretch, frames, tally, block)
        except Exception:
            print(f"seed {seed}, stretch {stretch}", file=sys.stderr)
            raise
        if tally.packets != tally.frames:
            raise AssertionError(f"{tally.frames} frames, {tally.packets} counted; {seed=}, {stretch=}")
        stretch += 1
        if time.monotonic() - told > 30:
            told = time.monotonic()
            rate = tally.frames / (told - begun)
            print(
                f"{tally.frames:,} frames, {rate:,.0f}/s, {resident_mb():.0f} MB", file=sys.stderr, flush=True
            )
    return tally.summary() | {"seconds": round(time.monotonic() - begun, 1), "resident_mb": resident_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("frames", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--captures", type=Path, help="folder of captures whose frames are damaged instead of made ones"
    )
    parser.add_argument("--stretch", type=int, help="only this one, of `frames` frames")
    parser.add_argument("--until", type=float, default=float("inf"), help="seconds since 1970 to stop at")
    options = parser.parse_args()
    seeds = made_seeds()
    if options.captures:
        seeds = captured_seeds(sorted(file for file in options.captures.rglob("*") if file.is_file()))
    if options.stretch is not None:
        run_stretch(seeds, options.seed, options.stretch, options.frames, Tally())
        return
    print(json.dumps(run(seeds, options.frames, options.seed, options.until)))


if __name__ == "__main__":
    main()
