"""How the cost of a flow grows with what is stored already.

    python -m benchmarks.growth [--points 1 2 5 10] [--hours-each 0.16] [--folder DIR]

Fills a store with the made school of `benchmarks.rounds`, at the same rate of flows, to so many millions,
and at each point prints processor seconds for a million more flows (made, inserted with all rollups, merges
included), bytes a flow on disk (of `flows`, and of all tables), and the processor's time for a round of all
detectors over the last 15 minutes and for the dashboard's first questions. At the end the dearest columns
of a flow.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from api.access import Access
from api.app import create_app
from benchmarks.bandwidth import once
from benchmarks.rounds import END, POLICY, ROUND, fill
from blocklists.lists import load_matcher
from classifiers.detect import Detectors
from classifiers.judge import Judge, in_force
from classifiers.policy import load_policy
from classifiers.policy_model import Policy
from pipeline.settings import Settings
from pipeline.store.client import Store, open_store

MILLION = 1_000_000
QUESTIONS = ("/v1/bandwidth/top?by=host", "/v1/bandwidth/top?by=service", "/v1/bandwidth/timeline?by=service")
COLUMNS = """
SELECT column, round(sum(column_data_compressed_bytes) / sum(rows), 2) AS bytes FROM system.parts_columns
WHERE active AND database = currentDatabase() AND table = 'flows' AND part_type = 'Wide'
GROUP BY column HAVING bytes >= 0.1 ORDER BY bytes DESC
"""
DISK = """
SELECT sumIf(bytes_on_disk, table = 'flows') AS flows, sum(bytes_on_disk) AS every FROM system.parts
WHERE active AND database = currentDatabase()
"""


def spent(act: Callable[[], object]) -> float:
    """Processor seconds of a call."""
    begun = time.process_time()
    act()
    return time.process_time() - begun


def point(store: Store, app: object, token: str, millions: int, each: float) -> None:
    """Prints what things cost at a size."""
    last = round(END.timestamp() * 1e6) - 1
    every = Detectors(store, Policy.model_validate(POLICY))
    rounds = spent(lambda: every.compared(last - round(ROUND.total_seconds() * 1e6), last))
    between = f"from={END - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}&to={END:%Y-%m-%dT%H:%M:%SZ}"
    asked = []
    for path in QUESTIONS:
        act = lambda path=path: once(app, token, f"{path}&{between}")  # type: ignore[arg-type, misc]  # noqa: E731
        act()
        asked.append(spent(act))
    (disk,) = store.rows(DISK)
    answers = "".join(f" {1e3 * seconds:9.0f}" for seconds in asked)
    alone, all_tables = (disk[name] / (millions * MILLION) for name in ("flows", "every"))
    print(f"{millions:10} {each:10.2f} {alone:10.1f} {all_tables:10.1f} {rounds:10.1f}{answers}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, nargs="+", default=[1, 2, 5, 10], help="millions of flows")
    parser.add_argument("--hours-each", type=float, default=0.16, help="of a million flows")
    parser.add_argument("--folder", type=Path, help="where the store is made, and removed again")
    given = parser.parse_args()
    state = Path(tempfile.mkdtemp(prefix="growth-", dir=given.folder))
    settings = Settings.model_validate({"state": state, "store": {"raw_days": 0, "summary_days": 0}})
    try:
        with open_store(settings) as store:
            store.migrate()
            access = Access(settings.access_file)
            token = access.create("bench", ("engineer",))
            classifier = Judge(in_force(load_policy(None), load_matcher(None)))
            app = create_app(settings, store, access, classifier, lambda: {"ready": True})
            titles = (
                "million",
                "CPU s/M",
                "B/flow",
                "B/flow all",
                "round s",
                "hosts ms",
                "serv. ms",
                "time ms",
            )
            print(" ".join(f"{title:>10}" for title in titles))
            had = 0
            for millions in sorted(given.points):
                more = millions - had
                # The oldest come last: the round is always over the newest, which are whole.
                end = END - timedelta(hours=had * given.hours_each)
                begun = time.process_time()
                fill(store, more * MILLION, more * given.hours_each, end, quiet=True)
                point(store, app, token, millions, (time.process_time() - begun) / more)
                had = millions
            print(", ".join(f"{row['column']} {row['bytes']}" for row in store.rows(COLUMNS)))
            access.close()
    finally:
        shutil.rmtree(state)


if __name__ == "__main__":
    main()
