"""chDB and HTTP keep the contract of every store."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.store.client import WRITERS, Store
from tests.lab.certificates import Certificates
from tests.pipeline.store.contract import ServerContract, StoreContract
from tests.pipeline.stores import FOR_EVER
from tests.services.clickhouse import CurrentServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CurrentServer]:
    with CurrentServer(tmp_path_factory.mktemp("http")) as running:
        yield running


TOKENS = "ENGINE = MergeTree ORDER BY x SETTINGS non_replicated_deduplication_window = 100"


class TestChdb(StoreContract):
    """In the process."""

    engine = TOKENS

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with Store("chdb://:memory:/contract", FOR_EVER) as opened:
            yield opened


@pytest.mark.service
class TestHttp(ServerContract):
    """The current engine behind HTTP."""

    engine = TOKENS

    @pytest.fixture
    def store(self, server: CurrentServer) -> Iterator[Store]:
        with Store(server.dsn("contract"), FOR_EVER) as opened:
            yield opened


@pytest.mark.service
def test_a_slow_server_costs_no_memory(server: CurrentServer) -> None:
    """However many wait to insert, only as many batches are made ready as can be under way."""
    rows = 1_000_000
    batch = pa.table({"x": pa.array(range(rows), pa.uint64())})
    with Store(server.dsn("slow"), FOR_EVER) as store:
        store.command(f"CREATE TABLE t (x UInt64) {TOKENS}")
        base = pa.total_allocated_bytes()
        server.slow(0.3)
        waiting = [
            threading.Thread(target=store.insert, args=("t", batch, str(number))) for number in range(12)
        ]
        for thread in waiting:
            thread.start()
        most = 0
        while any(thread.is_alive() for thread in waiting):
            most = max(most, pa.total_allocated_bytes() - base)
            time.sleep(0.01)
        server.slow(0)
        assert batch.nbytes / 2 < most <= (WRITERS + 1) * 2 * batch.nbytes
        assert store.rows("SELECT count() AS n FROM t") == [{"n": 12 * rows}]


@pytest.mark.service
def test_https_trusts_the_authority_that_is_named(tmp_path: Path) -> None:
    """A server's certificate is checked against the authority of the DSN; without one it fails."""
    key, chain = Certificates(tmp_path / "ca", "Test").leaf("server", ("localhost",))
    pem = tmp_path / "server.pem"
    pem.write_bytes(chain.read_bytes() + key.read_bytes())
    with CurrentServer(tmp_path / "store", certificate=pem) as server:
        dsn = server.dsn("tls").replace("127.0.0.1", "localhost")
        with Store(f"{dsn}?ca_cert={tmp_path / 'ca' / 'ca.pem'}", FOR_EVER) as store:
            assert store.rows("SELECT 1 AS one") == [{"one": 1}]
        with pytest.raises(OSError, match="certificate"):
            Store(dsn, FOR_EVER)
