"""A worker as a process of its own, to be killed at any moment: `STATE` drains the log there."""

import sys
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.settings import Settings
from pipeline.store.client import open_store
from pipeline.stream.log import Log
from pipeline.stream.source import LogSource
from spanwatch.worker import Worker


class Round(NamedTuple):
    attempts: int
    findings: int


class SiteClassifier:
    """Puts every row into one site and, flows and questions, one category."""

    def __init__(self, site: str = "north") -> None:
        self.site = site

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        batch = batch.append_column("site", pa.array([self.site] * batch.num_rows))
        if records in ("flows", "dns"):
            categories = pa.array([["games"]] * batch.num_rows, pa.list_(pa.string()))
            batch = batch.append_column("categories", categories)
        if records in ("dns", "sightings"):
            batch = batch.append_column("sensor", pa.array([sensor] * batch.num_rows))
        return batch


class RoundNotes:
    """Keeps the ranges it was asked to judge."""

    def __init__(self) -> None:
        self.rounds: list[tuple[int, int]] = []

    def round(self, first_us: int, last_us: int) -> Round:
        self.rounds.append((first_us, last_us))
        return Round(1, 2)


def settings_in(state: Path) -> Settings:
    """Settings below `state` under which nothing expires."""
    return Settings.model_validate({"state": state, "store": {"raw_days": 0, "summary_days": 0}})


def main(state: str) -> None:
    settings = settings_in(Path(state))
    log = Log(settings.log_file, settings.stream.log_bytes)
    with log, open_store(settings) as store:
        store.migrate()
        print("ready", flush=True)
        Worker(LogSource(log), store, SiteClassifier(), RoundNotes()).drain()
        print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
