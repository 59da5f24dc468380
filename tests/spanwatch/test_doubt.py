"""What is in doubt before an upgrade of tables, between a real log and a real store of an earlier version."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from pipeline.store.client import Store
from pipeline.stream.log import Log
from pipeline.stream.message import decode
from pipeline.stream.source import LogSource
from spanwatch.doubt import refuse_doubtful
from spanwatch.worker import _batches_rows
from tests.pipeline.batches import message
from tests.pipeline.store.earlier import insert_as_before, migrated
from tests.pipeline.stores import FOR_EVER

DATABASES = count()
SENT = [message("dns", 5, 0), message("flows", 20, 1), message("flows", 20, 2)]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[LogSource]:
    with Log(tmp_path / "log", 1 << 30) as log:
        log.append(SENT)
        yield LogSource(log)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(f"chdb://:memory:/doubt{next(DATABASES)}", FOR_EVER) as opened:
        yield opened


def test_an_upgrade_waits_for_what_is_in_doubt(source: LogSource, store: Store, tmp_path: Path) -> None:
    """Inserted and not noted under the old views: refused. Once noted, or where nothing was inserted: not."""
    (tmp_path / "old").mkdir()
    migrated(store, "0031", tmp_path / "old")
    refuse_doubtful(source, store)
    first = SENT[1]
    insert_as_before(store, "flows", decode(first), first.token)
    with pytest.raises(OSError, match=rf"message {first.token} is in the store .*; start the version before"):
        refuse_doubtful(source, store)
    store.insert("batches", _batches_rows([first]), first.token)
    refuse_doubtful(source, store)
    store.migrate()
    assert source.take(0.0)[0].messages == (SENT[0],)


def test_views_that_stay_know_their_tokens(source: LogSource, store: Store) -> None:
    """A new store and one of today's version are not asked: nothing is made anew there."""
    refuse_doubtful(source, store)
    store.migrate()
    store.insert("flows", decode(SENT[1]), SENT[1].token)
    refuse_doubtful(source, store)
    store.insert("flows", decode(SENT[1]), SENT[1].token)
    assert store.rows("SELECT sum(flows) AS n FROM traffic_1m") == [{"n": 20}]
