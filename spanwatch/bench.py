"""`spanwatch bench`: how fast this machine takes a capture, whole sensor path, start-up excluded.

Each run is a process of its own, so that its memory is its own: open the file, decode every frame, all
protocols on, write the records as Arrow files. Kernels are compiled before. Figures are CPU seconds of that
one thread; a second run on a busy machine differs, so quote the median and compare within one call.
"""

import multiprocessing
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from capture.sensor import warm_kernels
from pipeline.settings import SensorSettings
from spanwatch.measuring import Measured, measure
from spanwatch.mix import write_mix
from spanwatch.peers import run_comparison
from spanwatch.progress import waiting_for
from spanwatch.warm import run_warm

#: Seconds that one process waits for the others to be ready; our default.
READY_S = 600


def _beside(path: str, settings: SensorSettings, folder: Path, begin: Any) -> Measured:
    """`measure` in one of several processes, all of which begin together."""
    os.makedirs(folder)
    warm_kernels()
    begin.wait()
    return measure(path, settings, folder)


def measure_together(path: str, settings: SensorSettings, folder: Path, processes: int) -> float:
    """Packets/s of wall time that `processes` processes take together, each the whole file.

    Raises what the first of them raised.
    """
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(processes) as pool:
        begin = manager.Barrier(processes, timeout=READY_S)
        parts = [(path, settings, folder / f"{processes}-{number}", begin) for number in range(processes)]
        figures = pool.starmap(_beside, parts, chunksize=1)
    return sum(figure.packets for figure in figures) / max(figure.wall_s for figure in figures)


def run_bench(
    settings: SensorSettings,
    file: str | None,
    packets: int,
    runs: int,
    *,
    compare: bool = False,
    processes: int = 1,
) -> None:
    """Measure `file`, or a made capture of about `packets` frames, `runs` times; print the figures.

    With `compare`, measure the other programs that are installed, too (`spanwatch.peers`). With several
    `processes`, measure how much more these take at the same time than one does.
    """
    console = Console()
    run_warm()
    with tempfile.TemporaryDirectory(prefix="spanwatch-bench-") as folder:
        if file is None:
            with waiting_for(f"making a capture of about {packets:,} frames"):
                made = write_mix(Path(folder) / "mix.pcap", packets)
            file = str(Path(folder) / "mix.pcap")
            console.print(
                f"made capture: {made.packets:,} frames of {made.bytes / made.packets:.0f} bytes on average, "
                f"{made.flows:,} flows, {made.server_names:,} server names, {made.questions:,} DNS questions"
            )
        figures = []
        for number in range(runs):
            with (
                waiting_for(f"run {number + 1} of {runs}"),
                multiprocessing.get_context("spawn").Pool(1) as pool,
            ):
                figures.append(pool.apply(measure, (file, settings, Path(folder))))
        console.print(_table(figures))
        if processes > 1:
            _scale(console, file, settings, Path(folder), runs, processes)
        if compare:
            run_comparison(file, figures[0].packets, runs)


def _scale(
    console: Console, file: str, settings: SensorSettings, folder: Path, runs: int, processes: int
) -> None:
    gains = []
    for number in range(runs):
        with waiting_for(f"{processes} processes, run {number + 1} of {runs}"):
            rates = [
                measure_together(file, settings, folder / f"run-{number}", count) for count in (1, processes)
            ]
        gains.append(rates[1] / rates[0])
        console.print(
            f"1 process {rates[0] / 1e6:.2f} M packets/s, {processes} together {rates[1] / 1e6:.2f} M"
        )
    console.print(f"{processes} processes take {statistics.median(gains):.2f} x what one does (median)")


def _table(figures: list[Measured]) -> Table:
    table = Table("per run", "min", "median", "max", title=None, box=None, header_style="bold")
    for name, form, values in (
        ("packets/s, M (CPU)", "{:.2f}", [m.packets / m.cpu_s / 1e6 for m in figures]),
        ("Gbit/s (CPU)", "{:.2f}", [m.wire_bytes * 8 / m.cpu_s / 1e9 for m in figures]),
        ("CPU s", "{:.2f}", [m.cpu_s for m in figures]),
        ("wall s", "{:.2f}", [m.wall_s for m in figures]),
        ("rows", "{:,.0f}", [m.rows for m in figures]),
        ("memory at half, MB", "{:.0f}", [m.half_mb for m in figures]),
        ("memory at end, MB", "{:.0f}", [m.peak_mb for m in figures]),
    ):
        spread = (min(values), statistics.median(values), max(values))
        table.add_row(name, *(form.format(value) for value in spread))
    return table
