"""The store's client, on the real engine."""

import errno
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.records import ADDRESS, TIME, address_bytes, community_id
from pipeline.settings import Settings, load_settings
from pipeline.store.client import Store, _with_password, open_store, split_dsn
from tests.pipeline.batches import MINUTE_US, MORNING_US, batch
from tests.pipeline.stores import FOR_EVER, made_store, store_at
from tests.services.clickhouse import CurrentServer

ROOT = Path(__file__).resolve().parents[3]
DATABASES = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CurrentServer]:
    with CurrentServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(params=["chdb", pytest.param("http", marks=pytest.mark.service)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "chdb":
        opened = made_store(tmp_path)
    else:
        opened = store_at(request.getfixturevalue("server").dsn(f"c{next(DATABASES)}"))
    with opened:
        yield opened


def number(store: Store, sql: str) -> Any:
    [row] = store.rows(sql)
    [value] = row.values()
    return value


def classified(flows: pa.RecordBatch, categories: list[str]) -> pa.RecordBatch:
    """The batch with categories, group and site as the classifier would add them."""
    rows = flows.num_rows
    flows = flows.append_column("categories", pa.array([categories] * rows, pa.list_(pa.string())))
    flows = flows.append_column("group", pa.array(["students"] * rows))
    return flows.append_column("site", pa.array(["north"] * rows))


@pytest.mark.parametrize("records", ["flows", "dns", "sightings", "health"])
def test_every_kind_of_record_goes_in_and_comes_out(store: Store, records: str) -> None:
    """What is selected equals what was inserted, in every column."""
    made = batch(records, 200)
    store.insert(records, made, "t")
    key = "flow_id, bytes_up" if records == "flows" else "ts"
    names = ", ".join(f"`{name}`" for name in made.schema.names)
    got = store.arrow(f"SELECT {names} FROM {records} ORDER BY {key}")
    order = [(name.strip(), "ascending") for name in key.split(",")]
    expected = pa.Table.from_batches([made]).sort_by(order)
    for name in made.schema.names:
        assert got[name].to_pylist() == expected[name].to_pylist(), name


def test_a_token_is_inserted_once_in_table_and_rollup(store: Store) -> None:
    """The same token again changes neither rows nor sums, whatever came in between."""
    made = [classified(batch("flows", 500, seed), ["games"]) for seed in range(3)]
    for token in (0, 1, 0, 2, 1, 0):
        store.insert("flows", made[token], str(token))
    assert number(store, "SELECT count() FROM flows") == 1_500
    total = sum(sum(flows["bytes_up"].to_pylist()) for flows in made)
    for table in ("flows", "traffic_1m", "traffic_1h"):
        assert number(store, f"SELECT sum(bytes_up) FROM {table}") == total, table


def test_equal_rows_under_two_tokens_both_count(store: Store) -> None:
    """Two batches that look the same are two batches."""
    made = batch("flows", 10)
    store.insert("flows", made, "a")
    store.insert("flows", made, "b")
    assert number(store, "SELECT count() FROM flows") == 20
    assert number(store, "SELECT sum(flows) FROM traffic_1m") == 20
    assert number(store, "SELECT sum(flows) FROM traffic_1h") == 20


@pytest.mark.parametrize(
    ("view", "rollup"),
    [
        ("rows_from_flows", "traffic_1m"),
        ("traffic_1m_from_rows", "traffic_1m"),
        ("traffic_1h_from_minutes", "traffic_1h"),
        ("usage_1h_from_hours", "usage_1h"),
        ("sites_5m_from_minutes", "sites_1h"),
        ("sites_1h_from_slots", "sites_1h"),
    ],
)
def test_an_interrupted_insert_is_made_whole(store: Store, view: str, rollup: str) -> None:
    """Rows that reached the table but not a rollup: the same token again fills what hangs on that alone."""
    made = batch("flows", 300)
    store.command(f"DETACH TABLE {view}")
    store.insert("flows", made, "t")
    assert number(store, f"SELECT count() FROM {rollup}") == 0
    store.command(f"ATTACH TABLE {view}")
    for _ in range(2):
        store.insert("flows", made, "t")
    assert number(store, "SELECT count() FROM flows") == 300
    for table in ("traffic_1m", "traffic_1h", "usage_1h", "sites_5m", "sites_1h"):
        assert number(store, f"SELECT sum(bytes_down) FROM {table}") == sum(made["bytes_down"].to_pylist())


def test_the_rollup_adds_up(store: Store) -> None:
    """Bytes and packets by minute and category equal the flows'; a flow of several rows counts once."""
    later = MORNING_US + MINUTE_US
    rows = [
        {"start": MORNING_US, "first": MORNING_US, "bytes_up": 10, "bytes_down": 100, "packets_up": 1},
        {
            "start": later,
            "first": MORNING_US,
            "bytes_up": 20,
            "bytes_down": 0,
            "packets_up": 2,
        },
        {"start": MORNING_US + 5, "first": MORNING_US + 5, "bytes_up": 40, "bytes_down": 7, "packets_up": 4},
    ]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    for name in ("start", "first"):
        columns[name] = pa.array(columns[name], TIME)
    columns["categories"] = [["games", "chat"], ["games", "chat"], []]
    store.insert("flows", pa.table(columns), "t")
    got = store.rows(
        "SELECT minute, category, sum(bytes_up) AS up, sum(bytes_down) AS down, sum(packets_up) AS packets, "
        "sum(flows) AS flows FROM traffic_1m GROUP BY minute, category ORDER BY minute, category"
    )
    assert [list(row.values()) for row in got] == [
        ["2026-03-02T08:00:00Z", "", 40, 7, 4, 1],
        ["2026-03-02T08:00:00Z", "games", 10, 100, 1, 1],
        ["2026-03-02T08:01:00Z", "games", 20, 0, 2, 0],
    ]


def test_columns_go_by_name(store: Store) -> None:
    """Order does not matter, and a column that is not there takes its default."""
    made = pa.table({"value": ["x"], "vlan": pa.array([7], pa.uint16()), "ts": pa.array([MORNING_US], TIME)})
    store.insert("sightings", made, "t")
    assert store.rows("SELECT ts, vlan, name, value FROM sightings") == [
        {"ts": "2026-03-02T08:00:00.000000Z", "vlan": 7, "name": "", "value": "x"}
    ]


def test_no_rows_is_no_work(store: Store) -> None:
    """A batch without rows is accepted, and its token stays free."""
    store.insert("dns", batch("dns", 0), "t")
    store.insert("dns", batch("dns", 3), "t")
    assert number(store, "SELECT count() FROM dns") == 3


def test_a_wrong_column_is_a_value_error(store: Store) -> None:
    """Data that will never fit is told apart from a store that fails."""
    with pytest.raises(ValueError, match=r"cannot insert into dns: .*nonsense"):
        store.insert("dns", pa.table({"nonsense": [1]}), "t")
    with pytest.raises(OSError, match="cannot insert into nowhere"):
        store.insert("nowhere", pa.table({"a": [1]}), "t")


@pytest.mark.parametrize("us", [0, 2**32 * 1_000_000, 2**62, -1])
def test_hostile_times_are_taken(store: Store, us: int) -> None:
    """Times of 1970, 2106, far beyond and before go in, once, into table and rollup."""
    made = batch("flows", 20, start_us=us)
    store.insert("flows", made, "t")
    store.insert("flows", made, "t")
    store.command("OPTIMIZE TABLE flows FINAL")
    assert number(store, "SELECT count() FROM flows") == 20
    for table in ("traffic_1m", "traffic_1h"):
        assert number(store, f"SELECT sum(bytes_up) FROM {table}") == sum(made["bytes_up"].to_pylist())


@pytest.mark.slow
def test_a_batch_over_many_months_is_taken_once(store: Store) -> None:
    """Rows of 120 months in one batch are no more than a slow insert."""
    times = [month * 30 * 86_400_000_000 for month in range(120)]
    made = pa.table({"ts": pa.array(times, TIME)})
    store.insert("sightings", made, "t")
    store.insert("sightings", made, "t")
    assert number(store, "SELECT count() FROM sightings") == 120


def test_odd_bytes_do_not_trip_readers(store: Store) -> None:
    """Bytes that are no UTF-8 come out escaped from `arrow` and as U+FFFD from `rows`."""
    odd = pa.array([b"a\xff\0b"], pa.binary()).view(pa.string())
    store.insert("sightings", pa.table({"name": odd, "ts": pa.array([MORNING_US], TIME)}), "t")
    assert store.arrow("SELECT name FROM sightings").to_pylist() == [{"name": "a\\xff\0b"}]
    assert store.rows("SELECT name FROM sightings") == [{"name": "a\ufffd\0b"}]


def test_rows_are_ready_for_json(store: Store) -> None:
    """Times, addresses, maps, large integers and what is no number, as the docstring says."""
    [row] = store.rows(
        """SELECT fromUnixTimestamp64Micro(1772438400000001, 'UTC') AS at,
        toDateTime('2026-03-02 08:00:00') AS second, toDate('2026-03-02') AS day,
        toIPv6('10.1.2.3') AS mapped, toIPv6('2001:db8::1') AS six,
        [toIPv6('10.1.2.3')] AS several, map('a', toIPv6('::1')) AS named,
        toUInt64(18446744073709551615) AS large,
        nan AS none, CAST(NULL AS Nullable(UInt8)) AS unknown, true AS yes, '::ffff:1.2.3.4' AS text"""
    )
    assert row == {
        "at": "2026-03-02T08:00:00.000001Z",
        "second": "2026-03-02T08:00:00Z",
        "day": "2026-03-02",
        "mapped": "10.1.2.3",
        "six": "2001:db8::1",
        "several": ["10.1.2.3"],
        "named": {"a": "::1"},
        "large": 18446744073709551615,
        "none": None,
        "unknown": None,
        "yes": True,
        "text": "::ffff:1.2.3.4",
    }


def test_parameters_are_values_never_sql(store: Store) -> None:
    """Whatever a parameter holds, it arrives as it is."""
    nasty = "o'x\\ \n\t{a:String} %s; DROP TABLE flows --"
    sql = "SELECT {a:String} AS a, {b:Array(String)} AS b, {c:IPv6} AS c"
    assert store.rows(sql, {"a": nasty, "b": [nasty, ""], "c": "10.0.0.1"}) == [
        {"a": nasty, "b": [nasty, ""], "c": "10.0.0.1"}
    ]
    assert store.arrow(sql, {"a": nasty, "b": [], "c": "::1"})["a"].to_pylist() == [nasty]


def test_wrong_queries_are_one_line(store: Store) -> None:
    """A query that can't be answered raises ValueError with ClickHouse's reason."""
    for sql in ("SELEC 1", "SELECT nonsense", "SELECT 1 +"):
        with pytest.raises(ValueError, match="cannot answer a query") as caught:
            store.rows(sql)
        assert "\n" not in str(caught.value)


def test_a_failed_query_leaves_nothing_behind(store: Store) -> None:
    """After a query failed in mid-answer the next one gives its own answer alone."""
    for _ in range(5):
        with pytest.raises((OSError, ValueError)):
            store.rows("SELECT throwIf(number = 90000) FROM numbers(100000)")
        assert store.rows("SELECT 1 AS one") == [{"one": 1}]
        assert store.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_readers_go_on_beside_a_writer(store: Store) -> None:
    """Threads that read while batches come in always see whole batches."""
    failures: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                assert number(store, "SELECT count() FROM flows") % 100 == 0
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    for sequence in range(20):
        store.insert("flows", batch("flows", 100, sequence), str(sequence))
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert number(store, "SELECT count() FROM flows") == 2_000


def test_community_ids_equal_those_of_read(store: Store) -> None:
    """The alias column computes what `spanwatch read` prints, for ports, ICMP and ICMPv6, both ways."""
    chance = random.Random(3)
    four = [address_bytes(f"10.0.0.{n}") for n in range(3)]
    six = [address_bytes(f"fe80::{n:x}") for n in range(3)] + [address_bytes("::ffff:0:1")]
    flows: list[tuple[bytes, bytes, int, int, int]] = []
    for _ in range(2_000):
        protocol = chance.choice([1, 6, 17, 58, 132, 47])
        family = four if chance.random() < 0.5 else six
        most = 255 if protocol in (1, 58) else 65_535
        several = [0, 8, 13, 128, 129, 135, 255, most, chance.randint(0, most)]
        ports = chance.choice(several), chance.choice(several)
        client, server = chance.choice(family), chance.choice(family)
        flows.append((client, server, ports[0], ports[1], protocol))
    clients, servers, client_ports, server_ports, protocols = zip(*flows, strict=True)
    columns = {
        "client": pa.array(clients, ADDRESS),
        "server": pa.array(servers, ADDRESS),
        "client_port": pa.array(client_ports, pa.uint16()),
        "server_port": pa.array(server_ports, pa.uint16()),
        "protocol": pa.array(protocols, pa.uint8()),
        "flow_id": pa.array(range(len(flows)), pa.uint64()),
    }
    store.insert("flows", pa.table(columns), "t")
    got = store.rows("SELECT community_id FROM flows ORDER BY flow_id")
    assert [row["community_id"] for row in got] == [community_id(*flow) for flow in flows]


def test_rows_are_there_after_closing(tmp_path: Path) -> None:
    """A store in a folder keeps its rows and its tokens."""
    settings = Settings(state=tmp_path)
    with open_store(settings) as store:
        store.migrate()
        store.insert("dns", batch("dns", 5, start_us=time.time_ns() // 1000), "t")
    with open_store(settings) as store:
        assert store.migrate() == []
        store.insert("dns", batch("dns", 5, start_us=time.time_ns() // 1000), "t")
        assert number(store, "SELECT count() FROM dns") == 5
    with pytest.raises(ValueError, match="the store is closed"):
        store.rows("SELECT 1")


def test_a_store_that_another_process_holds_is_named(tmp_path: Path) -> None:
    """The second process gets one line with the holder's process id, and nothing else on standard error."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.settings import Settings\n"
        "from pipeline.store.client import open_store\n"
        "try:\n    open_store(Settings(state=Path(sys.argv[1])))\n"
        "except OSError as error:\n    print(error.errno, error.strerror)\n"
    )
    with open_store(Settings(state=tmp_path)):
        command = [sys.executable, "-c", code, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    number, line = done.stdout.strip().split(" ", 1)
    assert int(number) == errno.EBUSY
    assert line.startswith(
        f"another spanwatch process (pid {os.getpid()}) holds the store {tmp_path / 'store'};"
    )
    assert done.stderr == ""


def test_two_folders_in_one_process_are_refused(tmp_path: Path) -> None:
    """The engine opens one folder a process; the line says so."""
    with open_store(Settings(state=tmp_path / "a")), pytest.raises(OSError, match="another store open than"):
        open_store(Settings(state=tmp_path / "b"))


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A file in the folder's place is one clear line."""
    (tmp_path / "store").write_text("")
    with pytest.raises(OSError, match=r"cannot open the store .*/store: File exists; set store\.dsn"):
        open_store(Settings(state=tmp_path))


def test_a_server_out_of_reach_is_named_without_its_password() -> None:
    """Nobody answers there: the line names the host and never the password."""
    with pytest.raises(OSError, match=r"http://…@127\.0\.0\.1:9; start the server|127\.0\.0\.1") as caught:
        Store("http://me:secret@127.0.0.1:9/db", FOR_EVER)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        ("mysql://host/db", "is no store; give chdb:///folder"),
        ("chdb://:memory:/a-b", "give letters, digits and underscores"),
        ("http://h:1/x;y", "give letters, digits and underscores"),
    ],
)
def test_wrong_dsns_are_refused(dsn: str, reason: str) -> None:
    """A DSN that names no store, or a database that would need quoting, is refused before any work."""
    with pytest.raises(ValueError, match=reason):
        Store(dsn, FOR_EVER)


@pytest.mark.parametrize(
    ("dsn", "bare", "database"),
    [
        ("chdb:///var/lib/x", "chdb:///var/lib/x", "spanwatch"),
        ("chdb:///var/lib/x?database=demo", "chdb:///var/lib/x", "demo"),
        ("chdb://:memory:", "chdb://:memory:", "spanwatch"),
        ("http://u:p@h:8123/db?compress=lz4", "http://u:p@h:8123?compress=lz4", "db"),
        ("https://h?database=d", "https://h", "d"),
    ],
)
def test_dsns_name_a_database(dsn: str, bare: str, database: str) -> None:
    """The database is in the DSN, or it is `spanwatch`."""
    assert split_dsn(dsn) == (bare, database)


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    """The first line of `store.password_file` is the password of the DSN's user, whatever is in it."""
    file = tmp_path / "password"
    file.write_text("p@ss:w/rd%\nsecond line\n")
    assert _with_password("https://me:old@h:8443/db?verify=0", file) == (
        "https://me:p%40ss%3Aw%2Frd%25@h:8443/db?verify=0"
    )
    assert _with_password("clickhouse://h/db", file) == "clickhouse://default:p%40ss%3Aw%2Frd%25@h/db"
    assert _with_password("chdb:///folder", file) == "chdb:///folder"
    with pytest.raises(OSError, match=r"cannot read store\.password_file .*nothing: .*; make it readable"):
        _with_password("https://h", tmp_path / "nothing")


@pytest.mark.service
def test_a_server_takes_the_password_of_the_file(tmp_path: Path) -> None:
    """Odd characters and all, over HTTP."""
    file = tmp_path / "password"
    file.write_text("p@ss:w/rd%\n")
    with CurrentServer(tmp_path / "store", password="p@ss:w/rd%") as server:
        dsn = f"http://127.0.0.1:{server.port}/db"
        settings = load_settings(store={"dsn": dsn, "password_file": str(file)})
        with open_store(settings) as store:
            assert store.rows("SELECT 1 AS one") == [{"one": 1}]
