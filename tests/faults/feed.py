"""A sensor of any size: made flows and the bundled day into a log, the same batches under the same names.

    python -m tests.faults.feed CONFIG STATE --flows N [--rows R] [--rate F]

Started again it goes on behind what the log has had. As a sensor that reads a file it waits where the disk
is full. Records that the log's bound threw away are told at the end in a row of `health`, as by a live one.
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.store import school, words
from capture.sensor import Sensor, warm_kernels
from capture.sources.pcap import open_capture
from pipeline.records import SCHEMAS
from pipeline.settings import SensorSettings, load_settings
from pipeline.stream.log import Log
from pipeline.stream.message import encode
from spanwatch.demo import CAPTURE

SENSOR, BOOT = "gate", "one"
#: Seconds between two tries where the disk is full.
FULL_S = 0.5
#: Rows of a batch of the bundled day: several batches of each kind.
DAY_ROWS = 1_000

Made = Callable[[], tuple[str, pa.RecordBatch]]


def day() -> list[tuple[str, pa.RecordBatch]]:
    """What a sensor says of the bundled capture."""
    warm_kernels()
    sensor = Sensor(SensorSettings(batch_rows=DAY_ROWS), SENSOR, "day")
    with open_capture(str(CAPTURE)) as capture:
        batches = [batch for frames in capture for batch in sensor.feed(frames)]
    return [*batches, *sensor.finish()]


def _quiet(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Every connection answered and ended well: the bundled day has what is to be found."""
    place = batch.schema.get_field_index("state")
    said = words(np.random.default_rng(0), ("SF",), [1], batch.num_rows)
    return batch.set_column(place, batch.schema.field(place), said)


def plan(flows: int, rows: int) -> list[Made]:
    """Every batch in order: `flows` made ones in batches of `rows`, the day's spread among them."""
    count = -(-flows // rows)

    def volume(number: int) -> Made:
        return lambda: ("flows", _quiet(school(min(rows, flows - number * rows), number)))

    def known(batch: tuple[str, pa.RecordBatch]) -> Made:
        return lambda: batch

    made = [(number / count, volume(number)) for number in range(count)]
    days = day()
    made += [((number + 0.5) / len(days), known(batch)) for number, batch in enumerate(days)]
    return [batch for _, batch in sorted(made, key=lambda one: one[0])]


def lost_row(records: int) -> pa.RecordBatch:
    """A report of the sensor that says how many records its log threw away."""
    schema = SCHEMAS["health"]
    given = {"sensor": SENSOR, "boot": BOOT, "event": "report", "outbox_lost": records}
    columns = []
    for field in schema:
        if field.name in given:
            columns.append(pa.array([given[field.name]]).cast(field.type))
        elif field.nullable:
            columns.append(pa.nulls(1, field.type))
        else:
            columns.append(pa.array(["" if pa.types.is_string(field.type) else 0]).cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def feed(log: Log, made: list[Made], rate: float) -> Iterator[int]:
    """Append what the log has not had; the rows of each batch."""
    started, given = time.monotonic(), 0
    lost = 0
    for sequence in range(log.highest(SENSOR, BOOT) + 1, len(made) + 1):
        if sequence == len(made):
            lost = log.totals()["lost_records"]
            if not lost:
                break
        records, batch = made[sequence]() if sequence < len(made) else ("health", lost_row(lost))
        message = encode(records, batch, sensor=SENSOR, boot=BOOT, sequence=sequence)
        while True:
            with contextlib.suppress(OSError):
                log.append([message])
                break
            time.sleep(FULL_S)
        given += batch.num_rows
        yield batch.num_rows
        if rate:
            time.sleep(max(0.0, started + given / rate - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--flows", type=int, required=True)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=0)
    given = parser.parse_args()
    settings = load_settings(given.config, state=given.state)
    given.state.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log:
        # What nobody has asked for yet would be free to go.
        log.register("relay")
        rows = sum(feed(log, plan(given.flows, given.rows), given.rate))
    print(f"{rows} rows appended", flush=True)


if __name__ == "__main__":
    main()
