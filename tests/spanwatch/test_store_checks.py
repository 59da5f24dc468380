"""What the doctor says of a store, embedded, on a server and in a cluster."""

from pathlib import Path

import pytest

from pipeline.settings import Settings, load_settings
from pipeline.store.client import Store, open_store
from spanwatch.check import FAIL, OK
from spanwatch.store_checks import check_store
from tests.pipeline.stores import FOR_EVER
from tests.services.clickhouse import CurrentServer


def test_an_embedded_store_is_told(tmp_path: Path) -> None:
    """The engine's version and what is stored, in one line."""
    settings = Settings(state=tmp_path)
    with open_store(settings) as store:
        store.migrate()
    [found] = check_store(settings)
    assert found.level == OK
    assert "in the process, 0 batches" in found.text


def test_a_server_that_is_away_is_named_with_a_mend() -> None:
    """Nobody answers: a failure that says what to start."""
    [found] = check_store(load_settings(store={"dsn": "clickhouse://127.0.0.1:9/db"}))
    assert found.level == FAIL
    assert "127.0.0.1:9" in found.text
    assert found.mend == "start the server or mend store.dsn"


@pytest.mark.service
def test_servers_of_a_cluster_are_counted(tmp_path: Path) -> None:
    """All there: ok. A server that doesn't answer is a failure, and the rest is still asked."""
    with CurrentServer(tmp_path / "one", cluster="spanwatch") as server:
        settings = load_settings(store={"dsn": server.dsn(), "cluster": "spanwatch"})
        with Store(server.dsn(), FOR_EVER, cluster="spanwatch") as store:
            store.migrate()
        store_line, cluster_line = check_store(settings)
        assert "by http, 0 batches" in store_line.text
        assert cluster_line == ("cluster", OK, "all 1 servers of spanwatch answer", "")
        server.kill()
        config = server.folder / "cluster.xml"
        other = "<replica><host>127.0.0.1</host><port>9</port></replica></shard>"
        config.write_text(config.read_text().replace("</shard>", other))
    with CurrentServer(tmp_path / "one", config=config) as again:
        settings = load_settings(store={"dsn": again.dsn(), "cluster": "spanwatch"})
        _, cluster_line = check_store(settings)
        assert cluster_line.level == FAIL
        assert cluster_line.text == "1 of 2 servers of spanwatch answer"
