"""chDB and HTTP keep the contract of every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.client import Store
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
