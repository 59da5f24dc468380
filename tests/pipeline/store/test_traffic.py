"""Sums by the minute, by the hour and of the link: always those of the flows, on the real engine."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.records import ADDRESS, NAME_SOURCES, TIME, address_bytes
from pipeline.store.client import Store
from tests.pipeline.batches import MINUTE_US, MORNING_US, batch
from tests.pipeline.store.earlier import cut_short, insert_as_before, migrated
from tests.pipeline.stores import FOR_EVER, store_at

DATABASES = count()
SUMS = "sum(bytes_up) AS up, sum(bytes_down) AS down, sum(packets_up) AS sent, sum(packets_down) AS received"


TABLES = (
    "flows", "traffic_1m", "traffic_1h", "sites_5m", "sites_1h", "usage_1h", "link_5m", "sight_1m",
    "hosts_1h", "failed_1h",
)  # fmt: skip
NAMED = ", ".join(f"sum(by_{name}) AS named_{name}" for name in NAME_SOURCES)
OF_NAMES = ", ".join(
    f"sumIf(bytes_up + bytes_down, name_source = '{name}') AS named_{name}" for name in NAME_SOURCES
)


@pytest.fixture(scope="module")
def kept() -> Iterator[Store]:
    with store_at(f"chdb://:memory:/t{next(DATABASES)}") as opened:
        yield opened


@pytest.fixture
def store(kept: Store) -> Store:
    """An empty store."""
    for table in TABLES:
        kept.command(f"TRUNCATE TABLE {table}")
    return kept


def sums(store: Store, table: str, hour: str) -> list[dict[str, Any]]:
    return store.rows(
        f"SELECT {hour} AS hour, application, name_source, {SUMS} FROM {table} GROUP BY ALL ORDER BY ALL"
    )


def agree(store: Store) -> None:
    """Asserts that the rollups say what the flows say, key by key."""
    flows = sums(store, "flows", "toStartOfHour(start)")
    assert flows
    assert sums(store, "traffic_1m", "toStartOfHour(minute)") == flows
    assert sums(store, "traffic_1h", "toDateTime(hour)") == flows
    assert sums(store, "sites_5m", "toStartOfHour(slot)") == flows
    assert sums(store, "sites_1h", "toDateTime(hour)") == flows
    by_host = "SELECT {} AS hour, site, client, {} FROM {} GROUP BY ALL ORDER BY ALL"
    known = store.rows(by_host.format("toStartOfHour(start)", f"{SUMS}, {OF_NAMES}", "flows"))
    assert store.rows(by_host.format("toDateTime(hour)", f"{SUMS}, {NAMED}", "usage_1h")) == known
    for step, table, keys, summed in (
        ("toStartOfDay(hour)", "usage_1h", "site, client", SUMS),
        ("hour", "sites_1h", "service, category, application, name_source", SUMS),
        ("slot", "sites_5m", "service, category, application, name_source", SUMS),
        ("minute", "traffic_1m", "service, category, application, name_source", SUMS),
        ("toStartOfFiveMinutes(minute)", "traffic_1m", "site, client", f"{SUMS}, {OF_NAMES}"),
        ("hour", "traffic_1h", "lower(service), site, client, category, name_source", SUMS),
    ):
        narrow = f"SELECT {step} AS step, {keys}, {summed} FROM {table} GROUP BY {step}, {keys} ORDER BY ALL"
        assert store.rows(f"{narrow} SETTINGS force_optimize_projection = 1") == store.rows(
            f"{narrow} SETTINGS optimize_use_projections = 0"
        )
    begun = store.rows("SELECT countIf(start = first) AS flows FROM flows")
    for table in ("traffic_1m", "traffic_1h", "sites_5m", "sites_1h", "usage_1h", "sight_1m"):
        assert store.rows(f"SELECT sum({table}.flows) AS flows FROM {table}") == begun, table
    link = store.rows(
        "SELECT site, toStartOfFiveMinutes(start) AS slot, "
        "sum(if(client_inside OR NOT server_inside, bytes_down, bytes_up)) AS received FROM flows "
        "WHERE crosses GROUP BY ALL ORDER BY ALL"
    )
    assert link == store.rows("SELECT site, slot, sum(l.received) AS received FROM link_5m AS l "
                              "GROUP BY ALL ORDER BY ALL")  # fmt: skip
    hosts = (
        "SELECT {} AS hour, site, client, client_mac, vlan, min({}) AS a, max({}) AS b FROM {} "
        "GROUP BY ALL ORDER BY ALL"
    )
    seen = hosts.format("toStartOfHour(start)", "start", "end", "flows WHERE client_mac != 0")
    assert store.rows(hosts.format("toDateTime(hour)", "first", "last", "hosts_1h")) == store.rows(seen)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.tuples(st.integers(0, 4), st.integers(-90, 90), st.integers(1, 200)), min_size=1, max_size=8
    ),
    order=st.randoms(use_true_random=False),
)
def test_sums_equal_the_flows(store: Store, parts: list[tuple[int, int, int]], order: Any) -> None:
    """Batches in any order, hours late, sent again at any time: each hour's sums are those of its flows."""
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    sent = [*parts, *order.sample(parts, len(parts) // 2)]
    order.shuffle(sent)
    for seed, minutes, rows in sent:
        made = batch("flows", rows, seed, MORNING_US + minutes * MINUTE_US)
        store.insert("flows", made, f"{seed}/{minutes}/{rows}")
    agree(store)
    store.command("OPTIMIZE TABLE traffic_1h FINAL")
    agree(store)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["0020", "0030", "0031", "0032", "0033"])
def test_what_was_stored_before_is_summed_once(before: str, tmp_path: Path) -> None:
    """A store without a sum, or with other views, gets it from its rows; a run cut short begins anew."""
    with Store(f"chdb://:memory:/t{next(DATABASES)}", FOR_EVER) as store:
        migrated(store, before, tmp_path)
        for hour in range(5):
            [outside] = flows(8 * hour).to_batches()
            insert_as_before(store, "flows", outside, f"outside {hour}")
            made = batch("flows", 100, hour, MORNING_US + hour * 60 * MINUTE_US)
            insert_as_before(store, "flows", made, f"{hour}")
        cut_short(store, before)
        store.migrate()
        for token in ("after", "after", "later"):
            store.insert("flows", batch("flows", 100, len(token)), token)
            store.insert("flows", flows(50), f"{token}, outside")
            agree(store)


def test_sums_made_of_sums_keep_their_arrival(tmp_path: Path) -> None:
    """Hours summed from minutes are as old as the youngest of them."""
    with Store(f"chdb://:memory:/t{next(DATABASES)}", FOR_EVER) as store:
        migrated(store, "0020", tmp_path)
        for day in (5, 9, 7):
            store.command(
                "INSERT INTO traffic_1m (site, flows, arrived) "
                "SETTINGS insert_allow_materialized_columns = 1 "
                f"SELECT 'north', {day}, toDateTime('2026-01-0{day} 10:00:00')"
            )
        store.migrate()
        store.command("OPTIMIZE TABLE traffic_1h FINAL")
        assert store.rows("SELECT flows, toString(arrived) AS arrived FROM traffic_1h") == [
            {"flows": 21, "arrived": "2026-01-09 10:00:00"}
        ]


def flows(
    minutes: int = 0, client: str = "10.1.0.1", server: str = "203.0.113.9", up: int = 100, down: int = 9_000
) -> pa.Table:
    """A flow of one row."""
    start = pa.array([MORNING_US + minutes * MINUTE_US], TIME)
    return pa.table(
        {
            "start": start,
            "first": start,
            "client": pa.array([address_bytes(client)], ADDRESS),
            "server": pa.array([address_bytes(server)], ADDRESS),
            "bytes_up": pa.array([up], pa.uint64()),
            "bytes_down": pa.array([down], pa.uint64()),
            "site": ["north"],
        }
    )


@pytest.mark.parametrize(
    ("client", "server", "received", "sent"),
    [
        ("10.1.0.1", "203.0.113.9", 9_000, 100),
        ("192.168.4.4", "2001:db8::9", 9_000, 100),
        # A server inside that is asked from outside sends what its client receives.
        ("203.0.113.9", "172.16.0.5", 100, 9_000),
        ("198.51.100.1", "203.0.113.9", 9_000, 100),
        ("2001:db8:1::5", "2001:db8:2::9", 9_000, 100),
        # What stays inside is no traffic of the link.
        ("10.1.0.1", "172.31.255.255", 0, 0),
        ("10.1.0.1", "100.127.0.1", 0, 0),
        ("10.1.0.1", "239.255.255.250", 0, 0),
        ("fd00::1", "fe80::9", 0, 0),
        ("2001:db8:1:1::5", "2001:db8:1:2::9", 0, 0),
        ("0.0.0.0", "255.255.255.255", 0, 0),
        ("10.1.0.1", "172.15.255.255", 9_000, 100),
        ("10.1.0.1", "172.32.0.0", 9_000, 100),
        ("10.1.0.1", "100.63.255.255", 9_000, 100),
        ("10.1.0.1", "169.253.255.255", 9_000, 100),
        ("10.1.0.1", "192.167.255.255", 9_000, 100),
        ("10.1.0.1", "223.255.255.255", 9_000, 100),
        ("fd00::1", "fbff:ffff::9", 9_000, 100),
    ],
)
def test_the_link_carries_what_crosses_it(
    store: Store, client: str, server: str, received: int, sent: int
) -> None:
    """Bytes from and to addresses outside, by five minutes, once a token."""
    for _ in range(2):
        store.insert("flows", flows(3, client, server), "t")
        store.insert("flows", flows(4, client, server), "u")
        store.insert("flows", flows(5, client, server), "v")
    found = store.rows(
        "SELECT site, toString(slot) AS slot, sum(received) AS received, sum(sent) AS sent FROM link_5m "
        "GROUP BY ALL ORDER BY ALL"
    )
    times = ("2026-03-02 08:00:00", 2), ("2026-03-02 08:05:00", 1)
    assert found == [
        {"site": "north", "slot": slot, "received": received * n, "sent": sent * n}
        for slot, n in times
        if received
    ]


def test_counters_at_their_end_do_not_stop_the_rest(store: Store) -> None:
    """Counters of a hostile record, near 2^64, go in; the hours of others are not touched."""
    store.insert("flows", flows(0, up=2**64 - 1, down=2**64 - 1), "hostile")
    store.insert("flows", flows(60), "good")
    found = store.rows("SELECT toString(hour) AS hour, sum(bytes_down) AS down FROM traffic_1h GROUP BY ALL "
                       "ORDER BY ALL")  # fmt: skip
    assert found == [
        {"hour": "2026-03-02 08:00:00", "down": 2**64 - 1},
        {"hour": "2026-03-02 09:00:00", "down": 9_000},
    ]
