"""A cluster answers as one server does: pages and detectors over Distributed tables (one shard)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.roles import ROLES
from blocklists.lists import load_matcher
from classifiers.judge import Judge, in_force
from classifiers.policy import load_policy
from pipeline.store.client import Store
from tests.api.conftest import Running
from tests.api.school import fill
from tests.classifiers.conftest import Scribe, make_policy
from tests.pipeline.stores import FOR_EVER
from tests.services.clickhouse import CurrentServer

pytestmark = pytest.mark.service

#: What differs between two moments and two runs, whatever the store.
MOMENTS = re.compile(r'"(at|updated|loaded|valid_from)":"[^"]*"')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CurrentServer]:
    with CurrentServer(tmp_path_factory.mktemp("both"), cluster="spanwatch") as running:
        yield running


def both(server: CurrentServer, name: str) -> Iterator[Store]:
    """The same server's store without a cluster, then with one."""
    for cluster in ("", "spanwatch"):
        with Store(server.dsn(f"{name}_{cluster or 'alone'}"), FOR_EVER, cluster=cluster) as store:
            store.migrate()
            yield store


def test_the_interface_answers_alike(server: CurrentServer, tmp_path: Path) -> None:
    """Every question without parts in its path gives the same answer, pseudonyms and all."""
    judge = Judge(in_force(load_policy(None), load_matcher(None)))
    told: list[dict[str, tuple[int, str]]] = []
    for store in both(server, "api"):
        fill(store)
        running = Running(store, tmp_path, judge)
        try:
            paths = [path for path, about in running.app.openapi()["paths"].items() if "get" in about]
            asked = [path for path in paths if "{" not in path and path not in ("/metrics", "/v1/access-log")]
            replies = {path: running.get(path, *ROLES) for path in asked}
        finally:
            running.close()
        told.append(
            {path: (reply.status_code, MOMENTS.sub("", reply.text)) for path, reply in replies.items()}
        )
    one, cluster = told
    assert len(one) > 10
    assert [path for path, (status, _) in one.items() if status >= 500] == []
    for path, reply in one.items():
        assert cluster[path] == reply, path


def test_detectors_state_alike(server: CurrentServer) -> None:
    """All detectors run over a cluster's tables, and find what they find on one server."""
    found: list[list[list[dict[str, Any]]]] = []
    for store in both(server, "detect"):
        scribe = Scribe(store)
        scribe.watched()
        for number in range(240):
            scribe.failed(number, "10.20.0.50", f"10.30.{number // 200}.{number % 200 + 1}")
        for number in range(20):
            scribe.dns(number * 9, "10.20.0.60", "social.example", "203.0.113.7")
            scribe.named(number * 9 + 1, "10.20.0.60", "203.0.113.7", "social.example")
        stated = scribe.detect(policy=make_policy())
        # A second round changes nothing.
        scribe.detectors(policy=make_policy()).round(1_772_438_400_000_000, 1_772_439_300_000_000)
        assert [row["id"] for row in scribe.findings()] == [row["id"] for row in stated]
        found.append([[row | {"updated": ""} for row in rows] for rows in (stated, scribe.attempts())])
    assert found[0] == found[1]
    assert "port_scan" in str(found[0][0]) or "address_scan" in str(found[0][0])
    assert found[0][1] != []
