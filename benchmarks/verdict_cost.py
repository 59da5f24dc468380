"""What judging attempts costs: processor time and memory of one quarter of an hour.

    python -m benchmarks.verdict_cost [CASE …] [--rounds 3]

Fills an empty store with made flows and questions, judges them, and judges them again. Cases: `empty`, what
a round costs where next to nothing happened; `school`, 1 M flows of 2,000 hosts, a twentieth to listed names,
and 250,000 questions; `blocking`, the same with a filter that resets what is prohibited; `proxy`, 150,000
flows through one explicit proxy, of which it refuses 9,000. A process for each, so that memory is its own;
the least of the rounds.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta

from classifiers.facts import Facts
from classifiers.policy_model import Policy
from classifiers.verdict import Verdicts
from pipeline.settings import load_settings
from pipeline.store.client import Store, open_store

START = datetime(2026, 3, 2, 10, 20, tzinfo=UTC)
LENGTH = timedelta(minutes=15)
#: Case → flows, questions, whether the filter stops what is listed, and its method.
CASES = {
    "empty": (2, 2, False, "reset"),
    "school": (1_000_000, 250_000, False, "reset"),
    "blocking": (1_000_000, 250_000, True, "reset"),
    "proxy": (150_000, 0, True, "inspection"),
}
POLICY = {"organisation": "Made school", "sites": [{"id": "made", "subnets": ["10.0.0.0/8"]}]}

#: When the record of that number came, and of what client; `chance` and `name` are the statement's.
AT = """toDateTime64({start:DateTime64(6, 'UTC')}, 6, 'UTC')
        + toIntervalMicrosecond(intDiv(number * 900000000, {rows:UInt64}))"""
CLIENT = "toIPv6(concat('10.20.', toString(chance % 8), '.', toString(intDiv(chance, 8) % 250)))"
NAME = "concat('www', toString(name % 3), '.', if(listed, 'listed', 'plain'), toString(name), '.com')"
ADDED = "'made', 'pupils', if(listed, ['social_media'], []), if(listed, 'prohibit', 'allow'), 'v'"
FLOWS = f"""
INSERT INTO flows (sensor, flow_id, start, lasted, client, server, client_port, server_port, protocol,
    client_mac, bytes_up, bytes_down, packets_up, packets_down, framing_up, framing_down, state, rtt_us,
    application, server_name, name_source, tls_version, http_method, http_status, hello, reset_by,
    reset_ttl_delta, site, `group`, categories, action, policy_version)
WITH
    {{proxy:Bool}} AS proxy,
    cityHash64(number) AS chance,
    chance % 5000 AS name,
    number % if(proxy, 16, 20) = 0 AS listed,
    listed AND {{stops:Bool}} AS stopped,
    stopped AND NOT proxy AS torn,
    {AT} AS at,
    concat(toString(20 + name % 40), '.', toString(name % 200), '.', toString(name % 9), '.1') AS host
SELECT
    'gate', number, at, 2000000, {CLIENT},
    toIPv6(if(proxy, '10.10.0.31', host)), 40000, if(proxy, 3128, 443), 6,
    1 + chance % 2000, 3000, if(stopped, 200, 40000), 20, 20, 1000, if(stopped, 200, 2000),
    if(stopped, 'RSTR', 'SF'), 20000, if(proxy, 'http', 'tls'), {NAME}, if(proxy, 'http', 'sni'),
    if(proxy, '', '1.3'), if(proxy, 'CONNECT', ''), if(proxy, if(stopped, 403, 200), NULL),
    if(proxy, 0, if(stopped, 1, 3)), if(torn, 'server', 'none'), if(torn, 5, NULL),
    {ADDED}
FROM numbers({{rows:UInt64}})
"""
DNS = f"""
INSERT INTO dns (ts, client, server, transport, qname, qtype, rcode, ra, answered, addresses, sensor, site,
    `group`, categories, action, policy_version)
WITH
    cityHash64(number) AS chance, chance % 5000 AS name, number % 20 = 0 AS listed, chance % 50 = 0 AS missing
SELECT
    {AT}, {CLIENT}, toIPv6('10.10.0.53'), 'udp', {NAME}, if(chance % 3 = 0, 28, 1), if(missing, 3, 0), 1, 1,
    if(missing, [], [toIPv6('20.1.2.3')]), 'gate', {ADDED}
FROM numbers({{rows:UInt64}})
"""


def fill(store: Store, case: str) -> None:
    """The made records of a case."""
    flows, questions, stops, _ = CASES[case]
    given = {"start": f"{START:%Y-%m-%d %H:%M:%S}", "stops": stops, "proxy": case == "proxy"}
    store.command(FLOWS, {**given, "rows": flows})
    if questions:
        store.command(DNS, {**given, "rows": questions})


def measure(case: str, rounds: int) -> dict[str, float]:
    """Attempts, least seconds of processor time of a round, and MB of memory at most."""
    policy = Policy.model_validate({**POLICY, "filter": {"methods": [CASES[case][3]]}})
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(load_settings(store={"dsn": f"chdb://{folder}", "raw_days": 0, "summary_days": 0}))
        store.migrate()
        fill(store, case)
        verdicts = Verdicts(store, Facts.of(policy))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        least = float("inf")
        for _ in range(rounds):
            begun = time.process_time()
            verdicts.rebuild(START, START + LENGTH)
            least = min(least, time.process_time() - begun)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        attempts = store.rows(
            "SELECT count() AS n, countIf(verdict = 'blocked') AS blocked FROM attempts FINAL"
        )[0]
        store.close()
    return {
        "attempts": attempts["n"],
        "blocked": attempts["blocked"],
        "cpu_s": least,
        "mb": (most - before) / 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.rounds)))
        return
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    for case in options.cases or CASES:
        command = [
            sys.executable,
            "-m",
            "benchmarks.verdict_cost",
            "--one",
            case,
            "--rounds",
            str(options.rounds),
        ]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print(
            f"{case}: {found['attempts']:,} attempts, {found['blocked']:,} blocked; "
            f"{found['cpu_s']:.2f} s of processor, {found['mb']:.0f} MB more than before"
        )


if __name__ == "__main__":
    main()
