"""The native port keeps the contract of every store: on Debian's server, in the types that it knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.client import Store
from pipeline.store.native import NativeConnection, _filled
from tests.lab.certificates import Certificates
from tests.pipeline.store.contract import ServerContract
from tests.pipeline.stores import FOR_EVER
from tests.services import clickhouse, zookeeper
from tests.services.clickhouse import DebianCluster, DebianServer

MISSING = clickhouse.missing() or zookeeper.missing()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianServer]:
    with DebianCluster(tmp_path_factory.mktemp("native"), shards=1, replicas=1) as cluster:
        yield cluster.servers[0][0]


@pytest.mark.service
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
class TestNative(ServerContract):
    """One server of 2018. It knows rows that came before by what they are; the tokens are of later ones."""

    engine = "ENGINE = ReplicatedMergeTree('/contract/{table}', 'one') ORDER BY x"

    @pytest.fixture
    def store(self, server: DebianServer) -> Iterator[Store]:
        with Store(server.dsn("contract"), FOR_EVER) as opened:
            yield opened


@pytest.mark.service
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_tls_trusts_the_authority_that_is_named(tmp_path: Path) -> None:
    """A server's certificate is checked against the authority of the DSN; without one it fails."""
    tls = Certificates(tmp_path / "ca", "Test").leaf("server", ("localhost",))[::-1]
    with DebianServer(tmp_path / "server", tls=tls) as server:
        dsn = f"clickhouses://localhost:{server.secure_port}/tls"
        with Store(f"{dsn}?ca_cert={tmp_path / 'ca' / 'ca.pem'}", FOR_EVER) as store:
            assert store.rows("SELECT 1 AS one") == [{"one": 1}]
        with pytest.raises(OSError, match="certificate"):
            Store(dsn, FOR_EVER)
        with Store(f"{dsn}?verify=false", FOR_EVER) as store:
            assert store.rows("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [("clickhouse:///db", "names no host"), ("clickhouse://h?compress=lz4", "compress is no option of")],
)
def test_wrong_dsns_are_refused(dsn: str, reason: str) -> None:
    """A DSN without a host, or with an option that means nothing here, is refused before any work."""
    with pytest.raises(ValueError, match=reason):
        NativeConnection(dsn, None, {})


def test_a_server_out_of_reach_is_named_without_its_password() -> None:
    """Nobody answers there: the line names the host and never the password."""
    with pytest.raises(OSError, match=r"clickhouse://…@127\.0\.0\.1:9: .*; start the server") as caught:
        Store("clickhouse://me:secret@127.0.0.1:9/db", FOR_EVER)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parameters_are_written_out_for_old_servers() -> None:
    """Each placeholder becomes a literal of its type, whatever quotes its value holds."""
    sql = "SELECT {a:String}, {b:Array(DateTime('UTC'))}, {a:Identifier}"
    assert _filled(sql, {"a": "o'x`", "b": [1]}) == (
        r"SELECT CAST('o\'x`', 'String'), CAST([1], 'Array(DateTime(\'UTC\'))'), `o'x\``"
    )
