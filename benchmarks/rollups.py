"""How soon the dashboard's questions are answered over the sums that a billion flows of a district leave.

    python -m benchmarks.rollups [--flows 1000000000] [--days 20] [--minutes 70] [--runs 20] [--folder DIR]
        [--keep] [--question NAME]

Makes the sums, not the flows: 10,000 hosts at 20 sites, at work for eight hours of each day, services by a
steep law; each day the same hosts by the same services, with other bytes. Sums by minute are made of the
last minutes alone, those of five minutes of the last eight days: no question of these reads older ones but
at its ends. A sensor a site reports every ten seconds; attempts are one in a hundred flows of the last
week. Their hours are summed as rounds would later do. Each question goes through the whole interface
(roles, names, JSON); printed are median and 95th percentile of the runs, and the processor's time for one.
With `--keep` the store stays in the folder, and is asked without being filled where it is there.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from api.access import Access
from api.app import create_app
from benchmarks.bandwidth import once
from blocklists.lists import load_matcher
from classifiers.judge import Judge, in_force
from classifiers.outcomes import Outcomes
from classifiers.policy import load_policy
from pipeline.settings import Settings
from pipeline.store.client import Store, open_store

#: When the questions are asked, an hour before the end of a day's work.
NOW = datetime(2026, 3, 13, 15, 2, tzinfo=UTC)
HOURS = 8
STATEMENTS = Path(__file__).with_suffix(".sql")
VIEWS = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView'"
ENDS = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "24 h": timedelta(hours=24),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
}
QUESTIONS = {
    "hosts": "/v1/bandwidth/top?by=host",
    "services": "/v1/bandwidth/top?by=service",
    "timeline by service": "/v1/bandwidth/timeline?by=service",
    "timeline of a host": "/v1/bandwidth/timeline?by=service&client=10.3.1.7",
    "services of a host": "/v1/bandwidth/top?by=service&client=10.3.1.7",
    "hosts of a service": "/v1/bandwidth/top?by=host&service=service+7",
    "sites": "/v1/bandwidth/top?by=site",
    "filtering by category": "/v1/filtering/summary?by=category",
    "attempts": "/v1/filtering/attempts?limit=100",
    "findings": "/v1/findings?limit=100",
    "95th percentile of links": "/v1/bandwidth/percentile?",
    "coverage": "/v1/health?",
}


def statements() -> dict[str, str]:
    """The statements of `rollups.sql` by name."""
    parts = STATEMENTS.read_text("utf-8").split("-- name: ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in parts}


def fill(store: Store, flows: int, days: int, minutes: int) -> None:
    """The sums of so many flows over so many days, the last one until now."""
    made = statements()
    midnight = NOW.replace(hour=0, minute=0)
    first = int((midnight - timedelta(days=days - 1)).timestamp())
    told = {"days": days, "first": first, "now": int(NOW.timestamp()), "flows": flows, "minutes": minutes}
    # Each sum is made by itself: no view may add to it.
    for row in store.rows(VIEWS):
        store.command(f"DROP VIEW {row['name']}")
    store.command(made["hours"], told | {"day": first})
    for day in range(1, days):
        store.command(made["hours of another day"], told | {"day": first + day * 86_400})
        print(f"day {day + 1} of {days}", flush=True)
    for name in (
        "minutes",
        "usage",
        "sites_1h",
        "sites_5m",
        "slots_now",
        "link",
        "sight",
        "health",
        "batches",
        "attempts",
    ):
        begun = time.process_time()
        store.command(made[name], told)
        print(f"{name}: {time.process_time() - begun:.0f} s of processor time", flush=True)
    # As a store is that has merged what is older than a while.
    for table in ("traffic_1h", "traffic_1m", "usage_1h", "sites_1h", "sites_5m", "sight_1m", "attempts"):
        store.command(f"OPTIMIZE TABLE {table} FINAL")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flows", type=int, default=1_000_000_000)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--minutes", type=int, default=70, help="so many have sums by the minute")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where the store is made")
    parser.add_argument("--keep", action="store_true", help="leave the store there for another time")
    parser.add_argument(
        "--question", action="append", choices=QUESTIONS, help="this one alone; may be given again"
    )
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="rollups-"))
    settings = Settings.model_validate({"state": folder, "store": {"raw_days": 0, "summary_days": 0}})
    try:
        with open_store(settings) as store:
            store.migrate()
            if not store.rows("SELECT 1 AS there FROM traffic_1h LIMIT 1"):
                fill(store, given.flows, given.days, given.minutes)
            Outcomes(store).settle_until(time.time_ns() // 1_000)
            for row in store.rows(
                "SELECT table, sum(rows) AS held, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active"
                " AND database = currentDatabase() GROUP BY table HAVING held > 10000 ORDER BY bytes DESC"
            ):
                print(f"{row['table']:12} {row['held']:>12,} rows {row['bytes'] / 1e6:>8,.0f} MB")
            access = Access(settings.access_file)
            token = access.create("bench", ("engineer", "auditor"))
            classifier = Judge(in_force(load_policy(None), load_matcher(None)))
            app = create_app(settings, store, access, classifier, lambda: {"ready": True})
            print(f"{'ms':36} {'p50':>8} {'p95':>8} {'CPU':>8}")
            for name in given.question or QUESTIONS:
                for length, ago in ENDS.items():
                    path = (
                        f"{QUESTIONS[name]}&from={NOW - ago:%Y-%m-%dT%H:%M:%SZ}&to={NOW:%Y-%m-%dT%H:%M:%SZ}"
                    )
                    ask(f"{name}, {length}", partial(once, app, token, path.replace("?&", "?")), given.runs)
            access.close()
    finally:
        if not given.keep:
            shutil.rmtree(folder)


def ask(name: str, act: partial[None], runs: int) -> None:
    """Prints how long the calls take after a first one, and the processor's time for one."""
    act()
    taken, worked = [], []
    for _ in range(runs):
        begun, before = time.perf_counter(), time.process_time()
        act()
        taken.append(1e3 * (time.perf_counter() - begun))
        worked.append(1e3 * (time.process_time() - before))
    taken.sort()
    most = taken[min(len(taken) - 1, round(0.95 * len(taken)))]
    print(
        f"{name:36} {statistics.median(taken):8.0f} {most:8.0f} {statistics.median(worked):8.0f}", flush=True
    )


if __name__ == "__main__":
    main()
