"""What it costs to build bindings: a round over 15 minutes of a large network's sightings.

`python -m benchmarks.identity [--sightings N] [--hosts N]` fills an embedded store with made sightings (ARP,
leases, names, log-ins) and the hours of hosts that flows leave behind, then measures the first round, a round
over the same again, a live round over its last ten seconds, and a flood of ARP with made-up MACs. Prints CPU
seconds.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from classifiers.bindings import Bindings, Bound
from classifiers.policy import load_policy
from pipeline.settings import load_settings
from pipeline.store.client import Store, open_store

START = datetime(2026, 3, 2, 10, 20, 0, tzinfo=UTC)
SPAN = timedelta(minutes=15)
#: A sighting by number: of eight, four are ARP, two names, a lease and a log-in. Hosts come in turn.
MADE = """
INSERT INTO sightings (ts, vlan, source, mac, ip, name, value, attributes, sensor, site)
SELECT
    fromUnixTimestamp64Micro({start:Int64} + intDiv(number * {span:Int64}, {rows:Int64}), 'UTC'),
    20,
    ['arp', 'arp', 'arp', 'arp', 'dhcp_request', 'mdns', 'dhcp_ack', 'kerberos'][
        1 + intDiv(number, {hosts:Int64}) % 8] AS source,
    number % {hosts:Int64} + 1577058304 AS mac,
    toIPv6(concat('::ffff:', IPv4NumToString(toUInt32(167772160 + number % {hosts:Int64}) AS four))) AS ip,
    if(source IN ('dhcp_request', 'mdns', 'kerberos'), concat('device-', toString(mac)), ''),
    if(source = 'dhcp_ack', IPv4NumToString(four), toString(number % 97)),
    multiIf(
        source = 'dhcp_ack', map('type', 'ack', 'client_mac', lower(MACNumToString(mac)), 'lease', '28800'),
        source = 'kerberos', map('type', 'as_reply'),
        source = 'dhcp_request', map('type', 'request'), map('op', 'request')),
    's1', 'demo'
FROM numbers({rows:Int64})
"""
HOSTS = """
INSERT INTO hosts_1h (hour, site, client, client_mac, vlan, first, last)
SELECT
    toStartOfHour(fromUnixTimestamp64Micro({start:Int64}, 'UTC')), 'demo',
    toIPv6(concat('::ffff:', IPv4NumToString(toUInt32(167772160 + number)))), number + 1577058304, 20,
    fromUnixTimestamp64Micro({start:Int64}, 'UTC'),
    fromUnixTimestamp64Micro({start:Int64} + {span:Int64}, 'UTC')
FROM numbers({hosts:Int64})
"""
FLOOD = """
INSERT INTO sightings (ts, source, mac, ip, value, attributes, sensor, site)
SELECT
    fromUnixTimestamp64Micro({start:Int64} + number, 'UTC'), 'arp', 2199023255552 + number,
    toIPv6(concat('::ffff:', IPv4NumToString(toUInt32(184549376 + number % 65536)))), '10.0.0.1',
    map('op', 'request'),
    's1', 'demo'
FROM numbers({rows:Int64})
"""


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def measure(what: str, work: Callable[[], Bound]) -> None:
    """Prints what the work did, and its CPU and wall seconds."""
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    done = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{what}: {done.changed:,} bindings written, {done.left_out:,} left out,"
        f" {cpu:.2f} CPU s, {time.monotonic() - begun:.2f} s",
        flush=True,
    )


def _count(store: Store, table: str) -> str:
    return f"{store.rows(f'SELECT count() AS n FROM {table}')[0]['n']:,} {table}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sightings", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=50_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spanwatch-identity-") as folder:
        settings = load_settings(store={"dsn": f"chdb://{folder}", "raw_days": 0, "summary_days": 0})
        with open_store(settings) as store:
            store.migrate()
            numbers = {
                "start": _us(START),
                "span": int(SPAN.total_seconds()) * 1_000_000,
                "rows": asked.sightings,
                "hosts": asked.hosts,
            }
            store.command(MADE, numbers)
            store.command(HOSTS, numbers)
            print(f"{_count(store, 'sightings')}, {asked.hosts:,} hosts", flush=True)
            bindings = Bindings(store, load_policy())
            end = START + SPAN
            measure("first round", lambda: bindings.rebuild(START, end))
            measure("the same again", lambda: bindings.rebuild(START, end))
            measure("ten seconds of it", lambda: bindings.rebuild(end - timedelta(seconds=10), end))
            later = START + timedelta(hours=2)
            store.command(FLOOD, numbers | {"start": _us(later)})
            measure("a flood of ARP", lambda: bindings.rebuild(later, later + timedelta(seconds=60)))
            measure("the flood again", lambda: bindings.rebuild(later, later + timedelta(seconds=60)))
            print(_count(store, "bindings"))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
            print(f"peak {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
