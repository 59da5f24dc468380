"""From the sensor's log through Kafka into the store: how fast, at what cost, and how late.

    python -m benchmarks.stream [--rows 1000000] [--brokers 1] [--partitions 6] [--live 30] [--rate 20000]

Flows of a made school (`benchmarks.store`) are appended to a log as a sensor does. `spanwatch relay`, a
process of its own, splits them by host and sends them to Apache Kafka, which `tests/services` starts; a
worker in this process takes them out, classifies them by the starter policy and lists, and inserts them
into chDB, with all that is summed from them. Prints rows a second of the whole way and by tenths, then CPU
seconds by part, then one round of the detectors over all of it. With `--live` flows come at a steady rate,
a batch a second, for so many seconds, and what is printed is the time from packet to answer: packets are
spread over the second that a sensor gathers, and the store is asked all the time which batches are whole.
Rates are what the machine had to give at that time: compare CPU seconds.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.store import school
from pipeline.settings import Settings
from pipeline.store.client import Store, open_store
from pipeline.stream.consumer import KafkaSource
from pipeline.stream.log import Log
from pipeline.stream.message import encode
from spanwatch.reload import Reload, read_files
from spanwatch.supervision import running
from spanwatch.worker import Worker
from tests.services.kafka import Kafka

BATCH = 16_384
TICKS = os.sysconf("SC_CLK_TCK")
WHOLE = """
SELECT sequence FROM batches WHERE sequence >= {first:UInt64} GROUP BY sequence HAVING count() = max(parts)
"""
ROOT = Path(__file__).resolve().parents[1]


class NoDetectors:
    """The rounds are measured apart."""

    attempts = findings = 0

    def round(self, first_us: int, last_us: int) -> "NoDetectors":
        return self


def cpu_of(pid: int) -> float:
    """CPU seconds of a process with all its threads, and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def settings_in(state: Path, kafka: Kafka, partitions: int, batch_rows: int) -> Settings:
    brokers = len(kafka.addresses)
    return Settings.model_validate(
        {
            "state": state,
            "store": {"raw_days": 0, "summary_days": 0},
            "stream": {
                "kafka": kafka.settings
                | {
                    "brokers": kafka.addresses,
                    "partitions": partitions,
                    "batch_rows": batch_rows,
                    "replication": brokers,
                    "min_insync": min(2, brokers),
                    "instance": "benchmark",
                }
            },
        }
    )


@contextmanager
def relay(settings: Settings) -> Iterator[int]:
    """`spanwatch relay` over the state folder; its process id."""
    kafka = settings.stream.kafka
    environment = os.environ | {
        "SPANWATCH_STREAM__KAFKA__BROKERS": ",".join(kafka.brokers),
        "SPANWATCH_STREAM__KAFKA__PARTITIONS": str(kafka.partitions),
        "SPANWATCH_STREAM__KAFKA__REPLICATION": str(kafka.replication),
        "SPANWATCH_STREAM__KAFKA__MIN_INSYNC": str(kafka.min_insync),
    }
    command = [sys.executable, "-m", "spanwatch", "--state", str(settings.state), "relay"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def fill(log: Log, rows: int) -> int:
    """Batches of made flows into the log; how many rows."""
    sent = 0
    while sent < rows:
        batch = school(BATCH, sent // BATCH)
        log.append([encode("flows", batch, sensor="gate", boot="made", sequence=sent // BATCH)])
        sent += BATCH
    return sent


def report_speed(worker: Worker, rows: int, brokers: list[int], relayed: int) -> None:
    parts = {"relay": lambda: cpu_of(relayed), "worker and store": time.process_time}
    parts["brokers"] = lambda: sum(map(cpu_of, brokers))
    before = {name: cpu() for name, cpu in parts.items()}
    begun, marks = time.perf_counter(), [(0.0, 0)]
    while (done := worker.status["rows"]) < rows:
        if done - marks[-1][1] >= rows / 10:
            marks.append((time.perf_counter() - begun, done))
        if worker.status["error"]:
            print(worker.status["error"])
        time.sleep(0.05)
    marks.append((time.perf_counter() - begun, rows))
    inserts = worker.status["inserts"]
    print(f"{rows:,} rows in {marks[-1][0]:.1f} s: {rows / marks[-1][0]:,.0f} rows/s, {inserts} inserts")
    steps = [f"{(b[1] - a[1]) / max(b[0] - a[0], 1e-9):,.0f}" for a, b in pairwise(marks)]
    print(f"rows/s by tenths: {', '.join(steps)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of worker and store: {peak:,.0f} MB")
    for name, cpu in parts.items():
        spent = cpu() - before[name]
        print(f"CPU of {name}: {spent:.2f} s, {spent / rows * 1e6:.2f} µs a row")


def report_round(reload: Reload, store: Store, rows: int) -> None:
    from classifiers.rounds import Rounds

    span = store.rows(
        "SELECT toUnixTimestamp64Micro(min(first)) AS a, toUnixTimestamp64Micro(max(last)) AS b FROM batches"
    )[0]
    rounds = Rounds(store, reload.judge)
    before, begun = time.process_time(), time.perf_counter()
    rounds.round(span["a"], span["b"])
    spent, took = time.process_time() - before, time.perf_counter() - begun
    print(f"one round over all of it: {spent:.2f} CPU s, {spent / rows * 1e6:.2f} µs a row; {took:.1f} s")


def report_latency(log: Log, store: Store, rate: int, seconds: int) -> None:
    appended: dict[int, float] = {}
    seen: dict[int, float] = {}
    first = 1_000_000
    batches = [
        encode("flows", school(rate, n), sensor="gate", boot="live", sequence=first + n)
        for n in range(seconds)
    ]

    def append(stop: threading.Event) -> None:
        begun = time.monotonic()
        for n, message in enumerate(batches):
            stop.wait(max(0.0, begun + n - time.monotonic()))
            log.append([message])
            appended[message.sequence] = time.monotonic()

    before = time.process_time()
    with running("append", append, threading.Event()):
        deadline = time.monotonic() + seconds + 60
        while len(seen) < seconds and time.monotonic() < deadline:
            known = {row["sequence"] for row in store.rows(WHOLE, {"first": first})}
            now = time.monotonic()
            for sequence in known - seen.keys():
                seen[sequence] = now
            time.sleep(0.02)
    waited = np.array([seen[n] - appended[n] for n in sorted(seen)])
    gathered = np.arange(0.025, 1.0, 0.05)
    late = (waited[:, None] + gathered[None, :]).ravel()
    for name, values in (("log → answer", waited), ("packet → answer", late)):
        median, high = np.percentile(values, [50, 95])
        print(
            f"{name} at {rate:,} flows/s: 50 % {median:.2f} s, 95 % {high:.2f} s, most {values.max():.2f} s"
        )
    spent = (time.process_time() - before) / seconds
    print(f"CPU of worker, store and questions meanwhile: {spent:.2f} s a second")
    if len(seen) < seconds:
        print(f"{seconds - len(seen)} batches never came")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--batch-rows", type=int, default=200_000, help="rows of an insert")
    parser.add_argument("--live", type=int, default=0, metavar="SECONDS")
    parser.add_argument("--rate", type=int, default=20_000, help="flows a second of --live")
    parser.add_argument(
        "--folder", type=Path, help="where log, brokers and store are made, and removed again"
    )
    given = parser.parse_args()
    state = Path(tempfile.mkdtemp(prefix="stream-", dir=given.folder))
    try:
        with ExitStack() as stack:
            kafka = stack.enter_context(Kafka(state / "kafka", brokers=given.brokers))
            settings = settings_in(state, kafka, given.partitions, given.batch_rows)
            log = stack.enter_context(Log(settings.log_file, 1 << 34))
            rows = fill(log, given.rows) if given.rows else 0
            store = stack.enter_context(open_store(settings))
            store.migrate()
            reload = Reload(settings, read_files(settings), store, notes=True)
            source = stack.enter_context(closing(KafkaSource(settings.stream.kafka)))
            worker = Worker(source, store, reload.judge, NoDetectors())
            relayed = stack.enter_context(relay(settings))
            stack.enter_context(running("worker", worker.run, threading.Event()))
            if rows:
                report_speed(worker, rows, list(kafka._pids.values()), relayed)
                report_round(reload, store, rows)
            if given.live:
                report_latency(log, store, given.rate, given.live)
    finally:
        shutil.rmtree(state)


if __name__ == "__main__":
    main()
