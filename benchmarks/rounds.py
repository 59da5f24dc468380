"""What a round of all detectors costs over 15 minutes of a large store.

    python -m benchmarks.rounds [--flows 50000000] [--hours 8] [--folder DIR] [--keep] [--detector NAME …]

Fills a store with a made school (`rounds.sql`): 2,000 hosts, flows over so many hours until the round's end,
most of them to servers that the host comes back to, a twelfth of the servers dead, a twentieth of the names
listed, four hosts that sweep a network; a question for every fourth flow, a sighting for every hundredth.
Prints CPU and wall seconds of the verdicts, of each detector by itself (least of two), of all together and of
a whole round, then of one over the last ten seconds, and the most memory taken. With `--keep` the store stays
in the folder, and is measured without being filled where it is there.
"""

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from classifiers.detect import Detectors
from classifiers.detector import load_detectors
from classifiers.facts import Facts
from classifiers.loss import floor
from classifiers.policy_model import Policy
from classifiers.verdict import Verdicts
from pipeline.settings import Settings
from pipeline.store.client import Store, open_store

END = datetime(2026, 3, 4, 15, 7, tzinfo=UTC)
ROUND, LIVE = timedelta(minutes=15), timedelta(seconds=10)
#: Rows made by one statement.
AT_ONCE = 1_000_000
POLICY = {
    "organisation": "Made district",
    "sites": [{"id": "school", "subnets": ["10.0.0.0/8"]}],
    "groups": [{"id": "students", "subnets": ["10.20.0.0/16"]}],
    "filter": {"methods": ["dns"], "resolvers": ["10.10.0.53"]},
    "approved": {"dhcp": ["10.20.0.1"], "routers": ["10.20.0.1"], "router_macs": ["02:00:00:00:ad:e0"]},
}


def statements() -> dict[str, str]:
    """The statements of `rounds.sql` by name."""
    parts = Path(__file__).with_suffix(".sql").read_text("utf-8").split("-- name: ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in parts}


def fill(store: Store, flows: int, hours: float, end: datetime = END, *, quiet: bool = False) -> None:
    """Rows of all kinds over the hours until the end."""
    span = round(hours * 3_600e6)
    begin = round(end.timestamp() * 1e6) - span
    made = statements()
    store.command(made["health"], {"begin_us": begin, "span_us": span})
    done = 0
    while done < flows:
        rows = min(AT_ONCE, flows - done)
        asked = {
            "from": done,
            "rows": rows,
            "begin_us": begin + span * done // flows,
            "span_us": span * rows // flows,
        }
        for kind in ("flows", "dns", "sightings"):
            store.command(made[kind], asked)
        done += rows
        if not quiet:
            print(f"{done:,} flows", flush=True)


def measured(what: Callable[[], Any], times: int = 2) -> tuple[float, float]:
    """Least CPU and wall seconds of a call."""
    figures = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.monotonic()
        what()
        figures.append((time.process_time() - cpu, time.monotonic() - wall))
    return min(cpu for cpu, _ in figures), min(wall for _, wall in figures)


def shown(name: str, cpu: float, wall: float) -> None:
    print(f"{name:28} {cpu:8.2f} {wall:8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flows", type=int, default=50_000_000)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--folder", type=Path, help="where the store is made")
    parser.add_argument("--keep", action="store_true", help="leave the store there for another time")
    parser.add_argument("--detector", action="append", help="this one alone; may be given again")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="rounds-"))
    settings = Settings.model_validate({"state": folder, "store": {"raw_days": 0, "summary_days": 0}})
    policy = Policy.model_validate(POLICY)
    last = round(END.timestamp() * 1e6) - 1
    first = last - round(ROUND.total_seconds() * 1e6)
    try:
        with open_store(settings) as store:
            store.migrate()
            if not store.rows("SELECT 1 AS there FROM flows LIMIT 1"):
                fill(store, given.flows, given.hours)
            (there,) = store.rows(
                "SELECT count() AS flows, countIf(start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC'))"
                " AS new FROM flows",
                {"first": first},
            )
            print(f"{there['flows']:,} flows, {there['new']:,} of them in the round")
            print(f"{'':28} {'CPU s':>8} {'wall s':>8}")
            chosen = [d for d in load_detectors() if not given.detector or d.name in given.detector]
            verdicts = Verdicts(store, Facts.of(policy))
            since, until = floor(END - ROUND, 1), END
            if not given.detector:
                shown("verdicts", *measured(lambda: verdicts.rebuild(since, until), 1))
            for detector in chosen:
                alone = Detectors(store, policy, (detector,))
                shown(detector.name, *measured(lambda: alone.compared(first, last)))  # noqa: B023
            every = Detectors(store, policy, tuple(chosen))
            shown("all detectors", *measured(lambda: every.compared(first, last)))
            if not given.detector:
                shown("a whole round", *measured(lambda: every.round(first, last), 1))
                live = last - round(LIVE.total_seconds() * 1e6)
                shown("a round of ten seconds", *measured(lambda: every.round(live, last), 2))
        print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")
    finally:
        if not given.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
