"""`spanwatch replay`: captures through sensor, log, worker and store, then a summary.

A file's boot comes from its content and the sensor's settings, and sequences only grow, so replaying
it again adds nothing, and a replay that was killed resumes to the same rows.
"""

import contextlib
import sys
import threading
import time
from pathlib import Path

from pipeline.settings import Settings
from pipeline.stream.log import Log
from spanwatch.progress import Report, file_progress, waiting_for
from spanwatch.services import (
    make_state,
    only_worker,
    open_parts,
    stopped_by_signals,
    worker_running,
)
from spanwatch.summary import print_summary, standard_output, summarise
from spanwatch.supervision import running

#: The sensor waits while more than this share of the log's bound waits for the worker: a file has time.
FULL = 0.5
#: Seconds between two looks at what a running worker has yet to take.
LOOK_S = 0.2


def _paced(report: Report, log: Log, bound: int, consumer: str, stop: threading.Event) -> Report:
    def on_progress(read: int, total: int | None) -> None:
        report(read, total)
        while log.waiting(consumer)[1] > FULL * bound and not stop.is_set():
            time.sleep(LOOK_S)
        if stop.is_set():
            raise KeyboardInterrupt

    return on_progress


def _feed(files: list[str], settings: Settings, log: Log, consumer: str, stop: threading.Event) -> int:
    """All files into the log. Returns how many could not be read to their end; each has had its line."""
    from capture.sensor import run_file

    bad = 0
    for file in files:
        if stop.is_set():
            break
        name = "standard input" if file == "-" else Path(file).name
        with file_progress(name) as report:
            try:
                trouble = run_file(
                    file, settings.sensor, log, _paced(report, log, settings.stream.log_bytes, consumer, stop)
                )
            except ValueError as error:
                trouble = str(error)
        if trouble:
            bad += 1
            print(f"spanwatch: {trouble}", file=sys.stderr)
    return bad


def _beside_worker(files: list[str], settings: Settings) -> int:
    """Into the log alone: the spanwatch that runs on this state folder takes it from there, or its relay."""
    from pipeline.stream import source
    from spanwatch import relay

    consumer = relay.CONSUMER if settings.stream.kafka.brokers else source.CONSUMER
    with contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log:
        log.register(consumer)
        with stopped_by_signals() as stop:
            bad = _feed(files, settings, log, consumer, stop)
            with waiting_for("the running spanwatch takes it into its store"):
                while log.waiting(consumer)[0] and worker_running(settings) and not stop.is_set():
                    time.sleep(LOOK_S)
            left = log.waiting(consumer)[0]
    print(
        "in the log of the spanwatch that runs on this state folder"
        + (f"; {left} batches wait" if left else "")
    )
    return bad


def run_replay(settings: Settings, files: list[str]) -> int:
    """Returns how many files could not be read to their end. Raises OSError, ValueError."""
    make_state(settings.state)
    if worker_running(settings):
        return _beside_worker(files, settings)
    from pipeline.stream.source import CONSUMER

    started = time.monotonic()
    with only_worker(settings), stopped_by_signals() as stop, open_parts(settings) as parts:
        parts.log.register(CONSUMER)
        with running("worker", parts.worker.run, stop):
            bad = _feed(files, settings, parts.log, CONSUMER, stop)
        with waiting_for("the worker takes what is left, the detectors run"):
            parts.worker.drain()
        print_summary(summarise(parts.store), time.monotonic() - started, standard_output())
    return bad
