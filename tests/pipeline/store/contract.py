"""What every way to a store does alike: in types that a server of 2018 knows, too."""

import subprocess
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pytest

from pipeline.store.client import READERS, WRITERS, Store
from tests.pipeline.stores import FOR_EVER

NAMES = count()


class Server(Protocol):
    @property
    def port(self) -> int: ...
    def dsn(self, database: str = "spanwatch") -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


def made(rows: int, first: int = 0) -> pa.Table:
    numbers = range(first, first + rows)
    return pa.table(
        {
            "x": pa.array(numbers, pa.uint64()),
            "s": [f"name {number}" for number in numbers],
            "n": pa.array([None if number % 3 else number % 200 for number in numbers], pa.uint8()),
            "a": [["a", "b"][: number % 3] for number in numbers],
            "t": pa.array([1_772_438_400 + number for number in numbers], pa.timestamp("s", "UTC")),
        }
    )


class StoreContract:
    """Inherit it, and give the fixture `store`."""

    #: Engine of a table that knows tokens; `{table}` is its name.
    engine: ClassVar[str]

    @pytest.fixture
    def table(self, store: Store) -> str:
        name = f"t{next(NAMES)}"
        store.command(
            f"CREATE TABLE {name} "
            "(x UInt64, s String, n Nullable(UInt8), a Array(String), t DateTime('UTC')) "
            + self.engine.format(table=name)
        )
        return name

    def test_rows_go_in_and_come_out(self, store: Store, table: str) -> None:
        """Numbers, text, null, lists and times, in whatever order the columns are given."""
        store.insert(table, made(1_000).select(["t", "a", "x", "n", "s"]), "t")
        assert store.rows(f"SELECT * FROM {table} ORDER BY x LIMIT 2") == [
            {"x": 0, "s": "name 0", "n": 0, "a": [], "t": "2026-03-02T08:00:00Z"},
            {"x": 1, "s": "name 1", "n": None, "a": ["a"], "t": "2026-03-02T08:00:01Z"},
        ]
        got = store.arrow(f"SELECT * FROM {table} ORDER BY x")
        wanted = made(1_000)
        assert got.schema.types == [
            pa.uint64(),
            pa.string(),
            pa.uint8(),
            got.schema.field("a").type,
            pa.uint32(),
        ]
        for name in ("x", "s", "n", "a"):
            assert got[name].to_pylist() == wanted[name].to_pylist(), name
        assert got["t"].to_pylist() == wanted["t"].cast(pa.int64()).to_pylist()

    def test_columns_that_are_absent_take_their_default(self, store: Store, table: str) -> None:
        """A batch may have fewer columns than its table; null where a column has none is the default."""
        store.insert(table, pa.table({"s": pa.array(["only", None])}), "t")
        assert sorted(map(str, store.rows(f"SELECT x, s, n, a FROM {table}"))) == [
            "{'x': 0, 's': '', 'n': None, 'a': []}",
            "{'x': 0, 's': 'only', 'n': None, 'a': []}",
        ]

    def test_a_token_is_inserted_once(self, store: Store, table: str) -> None:
        """The same rows under the same token again do nothing, others go in."""
        for number in (0, 1, 0, 2, 1, 0):
            store.insert(table, made(100, number * 100), str(number))
        assert store.rows(f"SELECT count() AS n, uniq(x) AS u FROM {table}") == [{"n": 300, "u": 300}]

    def test_no_rows_is_no_work(self, store: Store, table: str) -> None:
        """A batch without rows is accepted, and its token stays free."""
        store.insert(table, made(0), "t")
        store.insert(table, made(3), "t")
        assert store.rows(f"SELECT count() AS n FROM {table}") == [{"n": 3}]

    def test_odd_bytes_do_not_trip_readers(self, store: Store, table: str) -> None:
        """Bytes that are no UTF-8 come out escaped from `arrow` and as U+FFFD from `rows`."""
        odd = pa.array([b"a\xff\0b"], pa.binary()).view(pa.string())
        store.insert(table, pa.table({"s": odd}), "t")
        assert store.arrow(f"SELECT s FROM {table}").to_pylist() == [{"s": "a\\xff\0b"}]
        assert store.rows(f"SELECT s FROM {table}") == [{"s": "a\ufffd\0b"}]

    def test_parameters_are_values_never_sql(self, store: Store, table: str) -> None:
        """Whatever a parameter holds, it arrives as it is."""
        nasty = "o'x\\ \n\t{a:String} %s; DROP TABLE flows --"
        sql = "SELECT {a:String} AS a, {b:Array(String)} AS b, {c:UInt64} AS c"
        values: dict[str, Any] = {"a": nasty, "b": [nasty, ""], "c": 2**64 - 1}
        assert store.rows(sql, values) == [values]
        assert store.arrow(sql, values)["a"].to_pylist() == [nasty]
        store.command(f"INSERT INTO {table} (s) SELECT {{a:String}}", {"a": nasty})
        assert store.rows(f"SELECT s FROM {table}") == [{"s": nasty}]

    def test_what_is_wrong_is_a_value_error(self, store: Store, table: str) -> None:
        """Queries and data that will never fit are told apart from a store that fails, in one line."""
        for sql in ("SELECT +", "SELECT nonsense", "SELECT {a:String}"):
            with pytest.raises(ValueError, match="cannot answer a query") as caught:
                store.rows(sql)
            assert "\n" not in str(caught.value)
        with pytest.raises(ValueError, match=f"cannot insert into {table}: .*nonsense"):
            store.insert(table, pa.table({"nonsense": [1]}), "t")
        with pytest.raises(OSError, match="cannot insert into nowhere"):
            store.insert("nowhere", pa.table({"a": [1]}), "t")
        assert store.rows("SELECT 1 AS one") == [{"one": 1}]

    def test_a_failed_query_leaves_nothing_behind(self, store: Store) -> None:
        """After a query failed in mid-answer the next one gives its own answer alone."""
        for _ in range(3):
            with pytest.raises((OSError, ValueError)):
                store.rows("SELECT throwIf(number = 90000) FROM system.numbers LIMIT 100000")
            assert store.rows("SELECT 1 AS one") == [{"one": 1}]
            assert store.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]

    def test_readers_go_on_beside_a_writer(self, store: Store, table: str) -> None:
        """Threads that read while batches come in always see whole batches."""
        failures: list[BaseException] = []
        stop = threading.Event()

        def read() -> None:
            try:
                while not stop.is_set():
                    [row] = store.rows(f"SELECT count() AS n FROM {table}")
                    assert row["n"] % 100 == 0
            except BaseException as error:
                failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(6)]
        for reader in readers:
            reader.start()
        for sequence in range(10):
            store.insert(table, made(100, sequence * 100), str(sequence))
        stop.set()
        for reader in readers:
            reader.join()
        assert not failures
        assert store.rows(f"SELECT count() AS n FROM {table}") == [{"n": 1_000}]


class ServerContract(StoreContract):
    """The same, and what becomes of a server. Inherit it, and give the fixtures `server` and `store`."""

    def test_a_server_that_comes_back_is_used_again(self, server: Server, store: Store, table: str) -> None:
        """kill -9: OSError while it is away; after its start the same store goes on, tokens are known."""
        store.insert(table, made(100), "a")
        server.kill()
        try:
            with pytest.raises(OSError, match="the store cannot"):
                store.insert(table, made(100, 100), "b")
            with pytest.raises(OSError, match="the store cannot"):
                store.rows("SELECT 1")
        finally:
            server.start()
        for token, first in (("a", 0), ("b", 100), ("b", 100)):
            store.insert(table, made(100, first), token)
        assert store.rows(f"SELECT count() AS n, uniq(x) AS u FROM {table}") == [{"n": 200, "u": 200}]

    def test_a_long_migration_is_waited_for(self, server: Server, store: Store, tmp_path: Path) -> None:
        """A statement of a migration may take longer than any answer."""
        (tmp_path / "0001_long.sql").write_text(
            "CREATE TABLE IF NOT EXISTS long (x UInt8) ENGINE = MergeTree ORDER BY x;\n"
            "INSERT INTO long SELECT sleep(2);\n"
        )
        with Store(f"{server.dsn(store.database)}?send_receive_timeout=1", FOR_EVER) as impatient:
            assert impatient.migrate(tmp_path) == ["0001_long.sql"]
            assert impatient.rows("SELECT count() AS n FROM long") == [{"n": 1}]

    def test_a_server_that_hangs_is_given_up(self, server: Server, store: Store, table: str) -> None:
        """A paused server costs its timeout and an OSError; when it goes on, so does the store."""
        dsn = f"{server.dsn(store.database)}?send_receive_timeout=1&connect_timeout=1"
        with Store(dsn, FOR_EVER) as impatient:
            impatient.insert(table, made(10), "a")
            server.pause()
            try:
                begun = time.monotonic()
                with pytest.raises(OSError, match="the store cannot"):
                    impatient.insert(table, made(10, 10), "b")
                with pytest.raises(OSError, match="the store cannot"):
                    impatient.rows("SELECT 1")
                assert time.monotonic() - begun < 30
            finally:
                server.resume()
            impatient.insert(table, made(10, 10), "b")
            impatient.insert(table, made(10, 10), "b")
            assert impatient.rows(f"SELECT uniq(x) AS u, count() AS n FROM {table}") == [{"u": 20, "n": 20}]

    def test_many_askers_share_few_connections(self, server: Server, store: Store, table: str) -> None:
        """However many threads ask and insert, connections are bounded, and so is what is under way."""
        threads = [threading.Thread(target=store.rows, args=("SELECT sleep(0.05)",)) for _ in range(30)]
        threads += [
            threading.Thread(target=store.insert, args=(table, made(10, 10 * n), str(n))) for n in range(10)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.15)
        shown = subprocess.run(
            ["ss", "-Htn", "state", "established", f"( dport = :{server.port} )"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        for thread in threads:
            thread.join()
        assert 0 < len(shown.splitlines()) <= READERS + WRITERS + 2
        assert store.rows(f"SELECT count() AS n FROM {table}") == [{"n": 100}]

    def test_wrong_passwords_are_told_without_them(self, server: Server) -> None:
        """A password that the server refuses is a PermissionError that does not show it."""
        wrong = server.dsn().replace("://", "://default:guessed@", 1)
        with pytest.raises(PermissionError, match=r"store\.password_file") as caught:
            Store(wrong, FOR_EVER)
        assert "guessed" not in str(caught.value)
