"""How soon questions about bandwidth are answered, and quotas judged, over the sums of a large school.

    python -m benchmarks.bandwidth [--hosts 2000] [--days 7] [--runs 5]

The store holds made sums: every host moves something in each minute from 8 to 15 o'clock by four services,
one host in a hundred ten times as much; the hours of the same, and 30 days of the link. Each question goes
through the whole interface (roles, names, JSON), each detector through its statement; printed are the median
and the slowest of the runs, and the processor's time for one: on a busy machine that is what compares.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
from fastapi import FastAPI

from api.access import Access
from api.app import create_app
from blocklists.lists import load_matcher
from classifiers.detect import Detectors
from classifiers.detector import load_detectors
from classifiers.judge import Judge, in_force
from classifiers.policy import load_policy
from classifiers.policy_model import Policy
from pipeline.settings import Settings
from pipeline.store.client import Store

#: Two in the afternoon of the last day.
NOW = datetime(2026, 3, 13, 14, 0, tzinfo=UTC)
KEYS = "site, `group`, client, service, category, application, name_source, action"
SUMS = "bytes_up, bytes_down, packets_up, packets_down, flows"
MADE = f"""
INSERT INTO traffic_1m (minute, {KEYS}, {SUMS})
SELECT
    toDateTime({{day:Int64}} + 28800 + intDiv(number, {{hosts:UInt64}} * 4) * 60, 'UTC'), 'main',
    ['students', 'staff', 'guests'][host % 3 + 1],
    toIPv6(format('::ffff:10.20.{{}}.{{}}', toString(intDiv(host, 250)), toString(host % 250 + 1))),
    ['YouTube', 'Google Docs', '', concat('service ', toString(cityHash64(number) % 200))][kind + 1],
    ['streaming_video', '', '', ''][kind + 1], ['quic', 'tls', 'tls', 'http'][kind + 1],
    ['quic', 'sni', 'none', 'dns'][kind + 1], 'allow', 2000 + cityHash64(number) % 9000,
    cityHash64(number, 1) % if(host % 100 = 0, 4000000, 400000), 20, 300, 2
FROM
(
    SELECT number, number % 4 AS kind, intDiv(number, 4) % {{hosts:UInt64}} AS host
    FROM numbers({{rows:UInt64}})
)
"""
LINK = """
INSERT INTO link_5m (site, slot, received, sent)
SELECT 'main', toDateTime({first:Int64} + number * 300, 'UTC'), cityHash64(number) % 9000000000, 400000000
FROM numbers(8640)
"""
QUESTIONS = {
    "who uses it now": "/v1/bandwidth/now",
    "hosts, the last hour": "/v1/bandwidth/top?from=2026-03-13T13:00:00Z&to=2026-03-13T14:00:00Z",
    "hosts, a day and a half": "/v1/bandwidth/top?from=2026-03-12T02:10:00Z&to=2026-03-13T14:05:00Z",
    "hosts, the week": "/v1/bandwidth/top?from=2026-03-06T14:00:00Z&to=2026-03-13T14:00:00Z",
    "services, the week": "/v1/bandwidth/top?by=service&from=2026-03-06T14:00:00Z&to=2026-03-13T14:00:00Z",
    "groups, the week": "/v1/bandwidth/top?by=group&from=2026-03-06T14:00:00Z&to=2026-03-13T14:00:00Z",
    "timeline by service, the week": "/v1/bandwidth/timeline?by=service&step=3600&from=2026-03-06T14:00:00Z"
    "&to=2026-03-13T14:00:00Z",
    "timeline by minutes, an hour": "/v1/bandwidth/timeline?step=60&from=2026-03-13T13:00:00Z"
    "&to=2026-03-13T14:00:00Z",
    "95th percentile of the link, 30 days": "/v1/bandwidth/percentile?from=2026-02-11T14:00:00Z"
    "&to=2026-03-13T14:00:00Z",
    "95th percentile of a host, a day": "/v1/bandwidth/percentile?client=10.20.0.9&from=2026-03-12T14:00:00Z"
    "&to=2026-03-13T14:00:00Z",
}
DETECTORS = ("daily_quota", "lesson_quota", "sustained_rate", "streaming_share", "link_load")


def fill(store: Store, hosts: int, days: int) -> int:
    """Makes the sums; how many there are of minutes."""
    midnight = NOW.replace(hour=0)
    for back in range(days):
        day = int((midnight - timedelta(days=back)).timestamp())
        # The last day ends now.
        minutes = 360 if back == 0 else 420
        store.command(MADE, {"day": day, "hosts": hosts, "rows": hosts * 4 * minutes})
    # Detectors look at pieces of time that have records.
    store.command("INSERT INTO flows (start, site) SELECT {now:DateTime64(6)} - 600, 'main'", {"now": NOW})
    store.command(LINK, {"first": int((NOW - timedelta(days=30)).timestamp())})
    return int(store.rows("SELECT count() AS n FROM traffic_1m")[0]["n"])


def policy() -> Policy:
    """Quotas of every kind, which some hosts exceed."""
    return Policy.model_validate(
        {
            "organisation": "Made",
            "sites": [{"id": "main", "subnets": ["10.0.0.0/8"], "time_zone": "America/Los_Angeles"}],
            "groups": [{"id": name} for name in ("students", "staff", "guests")],
            "quotas": [
                {"categories": ["streaming_video"], "link_share": 0.25},
                {"bytes_per_day": 1_500_000_000},
                {"groups": ["students"], "bytes_per_lesson": 300_000_000},
                {"groups": ["staff"], "mbps": 0.5, "burst_megabytes": 100},
            ],
        }
    )


async def answered(app: FastAPI, token: str, path: str) -> None:
    """Asks the interface once."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        (await client.get(path, headers={"authorization": f"Bearer {token}"})).raise_for_status()


def once(app: FastAPI, token: str, path: str) -> None:
    """Asks the interface once, and waits."""
    asyncio.run(answered(app, token, path))


def timed(name: str, runs: int, act: Callable[[], object]) -> None:
    """Prints how long the calls take after a first one, and the processor's time for one."""
    taken, worked = [], []
    for _ in range(runs + 1):
        begun, before = time.perf_counter(), time.process_time()
        act()
        taken.append(time.perf_counter() - begun)
        worked.append(time.process_time() - before)
    told = statistics.median(taken[1:]), max(taken[1:]), statistics.median(worked[1:])
    print(f"{name:40}" + "".join(f" {seconds * 1e3:9.0f}" for seconds in told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hosts", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bandwidth-") as folder:
        settings = Settings(state=Path(folder))
        with Store(f"chdb://{folder}/store", {"raw_days": 0, "summary_days": 0}) as store:
            store.migrate()
            rows = fill(store, asked.hosts, asked.days)
            print(f"{rows:,} sums of minutes, {asked.hosts:,} hosts, {asked.days} days")
            print(f"{'ms':40} {'median':>9} {'slowest':>9} {'processor':>9}")
            access = Access(settings.access_file)
            token = access.create("bench", ("engineer",))
            classifier = Judge(in_force(load_policy(None), load_matcher(None)))
            app = create_app(settings, store, access, classifier, lambda: {"ready": True})
            for name, path in QUESTIONS.items():
                timed(name, asked.runs, partial(once, app, token, path))
            last = int(NOW.timestamp() * 1e6)
            for detector in load_detectors():
                if detector.name in DETECTORS:
                    judged = Detectors(store, policy(), (detector,))
                    timed(
                        f"{detector.name}, 15 minutes",
                        asked.runs,
                        partial(judged.round, last - 900_000_000, last),
                    )
            found = store.rows(
                "SELECT detector, count() AS n FROM findings FINAL GROUP BY detector ORDER BY ALL"
            )
            print(", ".join(f"{row['detector']}: {row['n']} findings" for row in found))
            access.close()


if __name__ == "__main__":
    main()
