"""One capture through the whole sensor, measured: what `spanwatch bench` does in each of its processes."""

import resource
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from capture.sensor import Sensor, warm_kernels
from capture.sources.pcap import open_capture
from pipeline.settings import SensorSettings


class Measured(NamedTuple):
    """One run over a capture."""

    packets: int
    wire_bytes: int
    rows: int
    cpu_s: float
    wall_s: float
    half_mb: int
    """Peak memory of the process when half of the file was taken, MB."""
    peak_mb: int
    """Peak memory at the end, MB."""


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024


class _Files:
    """One Arrow IPC stream for each kind of record in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pa.RecordBatchStreamWriter] = {}
        self.rows = 0

    def write(self, batches: Iterable[tuple[str, pa.RecordBatch]]) -> None:
        for kind, batch in batches:
            if kind not in self._writers:
                self._writers[kind] = pa.ipc.new_stream(str(self._folder / f"{kind}.arrows"), batch.schema)
            self._writers[kind].write_batch(batch)
            self.rows += batch.num_rows

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


def measure(path: str, settings: SensorSettings, folder: Path) -> Measured:
    """Take one capture in this process, its records written to files in `folder`."""
    warm_kernels()
    sensor = Sensor(settings, "bench")
    half = 0
    files = _Files(folder)
    cpu, wall = time.process_time(), time.perf_counter()
    with open_capture(path) as capture:
        for frames in capture:
            files.write(sensor.feed(frames))
            if not half and capture.bytes_total and capture.bytes_read * 2 >= capture.bytes_total:
                half = _peak_mb()
    files.write(sensor.finish())
    files.close()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    totals = sensor.totals
    return Measured(totals["packets"], totals["bytes"], files.rows, cpu, wall, half or _peak_mb(), _peak_mb())
