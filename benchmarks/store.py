"""How fast flows get from the log into the store, and what one costs on disk.

    python -m benchmarks.store [--batches 20] [--rows 50000] [--folder DIR]

Flows of a made school: 500 hosts, 5,000 names by Zipf's law, log-normal sizes, starts spread over
the time that a batch takes. Nothing is classified, so that the store alone is measured. Prints rows
a second into the log and from the log into the store (decode, insert with token and rollup, note,
acknowledge), and after a full merge the bytes of a flow, the dearest columns first.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.records import ADDRESS, ENDED, KIND, RECORDS, SCHEMAS, STATES, TIME, address_bytes
from pipeline.settings import Settings
from pipeline.store.client import Store, open_store
from pipeline.stream.log import Log
from pipeline.stream.message import encode
from pipeline.stream.source import LogSource
from spanwatch.worker import Worker

START_US = 1_772_438_400_000_000
HOSTS, SERVERS, NAMES = 500, 8_000, 5_000
#: Flows a second of the made school.
RATE = 500


class Round(NamedTuple):
    attempts: int
    findings: int


class AsItIs:
    """A classifier that adds nothing, and detectors that find nothing."""

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        return batch

    def round(self, first_us: int, last_us: int) -> Round:
        return Round(0, 0)


def words(chance: np.random.Generator, choices: tuple[str, ...], weights: list[float], rows: int) -> pa.Array:
    """A KIND column; the first choices have the weights, the rest none."""
    share = np.array(weights) / sum(weights)
    index = chance.choice(len(weights), rows, p=share).astype(np.uint8)
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(choices[: len(weights)])).cast(KIND)


def school(rows: int, sequence: int) -> pa.RecordBatch:
    """One batch of flows."""
    chance = np.random.default_rng(sequence)
    hosts = pa.array([address_bytes(f"10.20.{n // 250}.{n % 250}") for n in range(HOSTS)], ADDRESS)
    servers = pa.array([address_bytes(f"203.0.{n // 250}.{n % 250}") for n in range(SERVERS)], ADDRESS)
    host = chance.integers(0, HOSTS, rows)
    name = np.minimum(chance.zipf(1.3, rows), NAMES) - 1
    length = int(rows / RATE * 1e6)
    end = np.sort(chance.integers(0, length, rows)) + START_US + sequence * length
    start = end - np.minimum(chance.lognormal(14, 2, rows), 60e6).astype(np.int64)
    down = chance.lognormal(8.5, 2, rows).astype(np.uint64)
    up = chance.lognormal(7, 1, rows).astype(np.uint64)
    rtt = chance.lognormal(9.5, 0.5, rows).astype(np.uint32)
    named = chance.random(rows) < 0.7
    columns: dict[str, pa.Array] = {
        "sensor": words(chance, ("gate",), [1], rows),
        "flow_id": pa.array(np.arange(rows, dtype=np.uint64) + sequence * rows),
        "start": pa.array(start, TIME),
        "end": pa.array(end, TIME),
        "first": pa.array(start, TIME),
        "client": hosts.take(pa.array(host)),
        "server": servers.take(pa.array(name % SERVERS)),
        "client_port": pa.array(chance.integers(32_768, 61_000, rows), pa.uint16()),
        "server_port": pa.array(chance.choice([443, 53, 80], rows, p=[0.7, 0.2, 0.1]), pa.uint16()),
        "protocol": pa.array(chance.choice([6, 17], rows, p=[0.6, 0.4]), pa.uint8()),
        "client_mac": pa.array(host + 0x02_00_00_00_00_00, pa.uint64()),
        "server_mac": pa.array(np.full(rows, 0x02_00_00_00_FF_FF), pa.uint64()),
        "bytes_up": pa.array(up),
        "bytes_down": pa.array(down),
        "packets_up": pa.array(up // 200 + 1).cast(pa.uint32()),
        "packets_down": pa.array(down // 1_200 + 1).cast(pa.uint32()),
        "payload_up": pa.array(up - up // 10),
        "payload_down": pa.array(down - down // 20),
        "acked_down": pa.array(down - down // 20),
        "state": words(chance, STATES, [0.1, 0.1, 0.1, 0.7], rows),
        "ended": words(chance, ENDED, [0.1, 0.4, 0.5], rows),
        "application": words(chance, ("tls", "quic", "dns", "http"), [0.5, 0.2, 0.2, 0.1], rows),
        "name_source": words(chance, ("sni", "quic", "dns", "none"), [0.5, 0.2, 0.2, 0.1], rows),
        "rtt_us": pa.array(rtt, mask=chance.random(rows) < 0.4),
        "server_name": pa.array(np.where(named, np.char.mod("host%d.example", name), "")),
        "ja4": pa.array(np.char.mod("t13d1516h2_8daaf6152771_%012x", host % 40)),
    }
    for field in RECORDS["flows"]:
        if field.name in columns:
            continue
        if field.type == KIND:
            columns[field.name] = words(chance, (field.words or ("",))[:1], [1], rows)
        elif field.nullable:
            columns[field.name] = pa.nulls(rows, field.type)
        elif field.type == pa.string():
            columns[field.name] = pa.array([""] * rows)
        else:
            columns[field.name] = pa.array(np.zeros(rows, field.type.to_pandas_dtype()))
    schema = SCHEMAS["flows"]
    return pa.RecordBatch.from_arrays([columns[field.name] for field in schema], schema=schema)


def report_disk(store: Store) -> None:
    store.command("OPTIMIZE TABLE flows FINAL")
    store.command("OPTIMIZE TABLE traffic_1m FINAL")
    for row in store.rows(
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts "
        "WHERE active AND database = currentDatabase() AND table IN ('flows', 'traffic_1m') GROUP BY table"
    ):
        each = row["bytes"] / row["rows"]
        print(f"{row['table']}: {row['rows']:,} rows, {row['bytes'] / 1e6:.1f} MB, {each:.1f} bytes a row")
    columns = store.rows(
        "SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS bytes FROM system.parts_columns "
        "WHERE active AND database = currentDatabase() AND table = 'flows' "
        "GROUP BY column ORDER BY bytes DESC LIMIT 10"
    )
    print("dearest columns: " + ", ".join(f"{row['column']} {row['bytes']:.1f}" for row in columns))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, help="where log and store are made, and removed again")
    given = parser.parse_args()
    state = Path(tempfile.mkdtemp(prefix="store-", dir=given.folder))
    try:
        settings = Settings.model_validate({"state": state, "store": {"raw_days": 0, "summary_days": 0}})
        batches = [school(given.rows, sequence) for sequence in range(given.batches)]
        rows = given.rows * given.batches
        with Log(settings.log_file, 1 << 34) as log, open_store(settings) as store:
            store.migrate()
            begun = time.perf_counter()
            for sequence, batch in enumerate(batches):
                log.append([encode("flows", batch, sensor="gate", boot="made", sequence=sequence)])
            into_log = time.perf_counter() - begun
            worker = Worker(LogSource(log), store, AsItIs(), AsItIs())
            size = log.totals()["bytes"]
            begun = time.perf_counter()
            worker.drain()
            into_store = time.perf_counter() - begun
            print(f"into the log: {rows / into_log:,.0f} rows/s, {size / rows:.1f} bytes a row")
            print(f"from the log into the store: {rows / into_store:,.0f} rows/s")
            report_disk(store)
    finally:
        shutil.rmtree(state)


if __name__ == "__main__":
    main()
