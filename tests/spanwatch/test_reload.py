"""A changed policy and changed lists, taken while the worker works."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from blocklists.lists import load_matcher
from classifiers import policy_versions
from classifiers.judge import Judge
from classifiers.policy import load_policy
from pipeline.settings import Settings
from pipeline.store.client import Store
from pipeline.stream.log import Log
from pipeline.stream.message import Message, encode
from pipeline.stream.source import CONSUMER, LogSource
from spanwatch import reload as module
from spanwatch.reload import Reload, read_files, reloading
from spanwatch.worker import Worker
from tests.classifiers.policy_text import BASE
from tests.pipeline.batches import batch
from tests.pipeline.stores import store_at
from tests.spanwatch.worker_process import RoundNotes, settings_in

STARTER = cache(load_matcher)
LIMIT = BASE.replace('action = "prohibit"\nclause = "A1"', 'action = "limit"\nclause = "A1"')
CHAT = LIMIT.replace('"games"]', '"chat"]')


@pytest.fixture(scope="module")
def chdb() -> Iterator[Store]:
    with store_at("chdb://:memory:/reload") as opened:
        yield opened


@pytest.fixture
def store(chdb: Store) -> Store:
    """A store that knows no version and no rows."""
    for table in ("policies", "dns", "batches"):
        chdb.command(f"TRUNCATE TABLE {table}")
    return chdb


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """The starter lists are compiled once for all tests, and a new version holds at once."""
    monkeypatch.setattr(policy_versions, "AHEAD_US", 0)
    monkeypatch.setattr(module, "load_matcher", lambda folder: load_matcher(folder) if folder else STARTER())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(BASE)
    return path


@pytest.fixture
def settings(tmp_path: Path, file: Path) -> Settings:
    return settings_in(tmp_path / "state").model_copy(update={"policy": file})


@pytest.fixture
def reload(settings: Settings, store: Store) -> Reload:
    return Reload(settings, read_files(settings), store, notes=True)


def version(text: str, folder: Path) -> str:
    path = folder / "other.toml"
    path.write_text(text)
    return load_policy(path).version


def put(path: Path, text: str) -> None:
    """Replace the file as editors do, by another."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)


def looks(reload: Reload, times: int = 2) -> Judge:
    for _ in range(times):
        reload.look()
    return reload.judge


def test_the_first_start_notes_a_version(reload: Reload, store: Store, file: Path, tmp_path: Path) -> None:
    """What is in force at the start is in the store with its content, file and who loaded it."""
    [row] = store.rows(
        "SELECT version, file, loaded_by, content, loaded = valid_from AS at_once FROM policies"
    )
    assert (row["version"], row["file"]) == (version(BASE, tmp_path), str(file))
    assert json.loads(row["content"])["organisation"] == "Test district"
    assert row["at_once"]


def test_a_change_is_taken_when_it_stands_still(
    reload: Reload, file: Path, tmp_path: Path, store: Store
) -> None:
    """A changed file is in force from the second look on, the one before it stays in the store."""
    before = reload.judge.policy.version
    put(file, LIMIT)
    reload.look()
    assert reload.judge.policy.version == before
    reload.look()
    assert reload.judge.policy.version == version(LIMIT, tmp_path)
    [row] = store.rows("SELECT count() AS n, max(valid_from) AS latest FROM policies")
    assert row["n"] == 2
    looks(reload, 3)
    assert store.rows("SELECT count() AS n FROM policies") == [{"n": 2}]


def test_a_comment_is_no_version(reload: Reload, file: Path, store: Store) -> None:
    """A file that says the same in other words makes no version."""
    put(file, "# in other words\n" + BASE)
    looks(reload)
    assert store.rows("SELECT count() AS n FROM policies") == [{"n": 1}]
    assert reload.judge.problem is None


@pytest.mark.parametrize("broken", ["organisation = 1\n", "\x00", "", BASE.replace('"games"', '"gamez"')])
def test_a_broken_file_keeps_the_last_good_one(
    reload: Reload, file: Path, broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The good policy stays in force; log and standing name file, line and mend; mended, it is taken."""
    before = reload.judge.policy.version
    put(file, broken)
    looks(reload, 4)
    assert reload.judge.policy.version == before
    assert reload.judge.problem is not None
    assert reload.judge.problem.startswith(f"{file}:")
    assert "; " in reload.judge.problem
    assert reload.judge.standing()["problem"] == reload.judge.problem
    assert [before in record.message for record in caplog.records] == [True]
    put(file, LIMIT)
    looks(reload)
    assert reload.judge.problem is None
    assert reload.judge.policy.version == version(LIMIT, tmp_path)


def test_a_file_that_is_gone_is_said(reload: Reload, file: Path) -> None:
    """Without its file the policy stays in force, and the problem is said."""
    file.unlink()
    looks(reload)
    assert "cannot read the policy" in str(reload.judge.problem)
    put(file, BASE)
    looks(reload)
    assert reload.judge.problem is None


def test_inventories_are_looked_at_too(reload: Reload, file: Path, tmp_path: Path) -> None:
    """A changed inventory is taken; one that a new policy names and that is broken, once it is mended."""
    devices = tmp_path / "devices.csv"
    put(file, 'inventory = ["devices.csv"]\n' + BASE)
    looks(reload)
    assert str(reload.judge.problem).startswith(f"{devices}:1: inventory: cannot read")
    devices.write_text("mac,tag\n00163e000001,cart\n")
    assert looks(reload).policy.devices == {"cart": ("00:16:3e:00:00:01",)}
    assert reload.judge.problem is None
    put(devices, "mac,tag\n00163e000002,cart\n")
    assert looks(reload).policy.devices == {"cart": ("00:16:3e:00:00:02",)}


SOURCES = '[[lists]]\nname = "own"\nfile = "own.txt"\ncategories = ["games"]\n'


def test_lists_are_taken_when_they_are_compiled_anew(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """A changed list is in force once it is compiled or SIGHUP asks for it; before, no list is read."""
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "sources.toml").write_text(SOURCES)
    (folder / "own.txt").write_text("one.example.org\n")
    settings = settings.model_copy(update={"lists": folder})
    reload = Reload(settings, read_files(settings), store, notes=True)
    before = reload.judge.matcher
    (folder / "own.txt").write_text("two.example.org\n")
    looks(reload)
    assert reload.judge.matcher is before
    reload.look(forced=True)
    assert reload.judge.explain("two.example.org")["categories"] == ["games"]
    (folder / "own.txt").write_text("three.example.org\n")
    compiled = read_files(settings).lists
    assert compiled
    read_files(settings)
    looks(reload)
    assert reload.judge.explain("three.example.org")["categories"] == ["games"]
    (folder / "sources.toml").write_text("[[lists]]\nname = 1\n")
    reload.look(forced=True)
    assert "sources.toml" in str(reload.judge.problem)
    assert reload.judge.explain("three.example.org")["categories"] == ["games"]


def test_a_store_that_fails_is_tried_again(reload: Reload, file: Path, store: Store, tmp_path: Path) -> None:
    """A version that can't be noted is not in force yet; with the store it comes."""
    store.command("RENAME TABLE policies TO away")
    put(file, LIMIT)
    looks(reload)
    before = reload.judge.policy.version
    assert before != version(LIMIT, tmp_path)
    assert "cannot note the policy" in str(reload.judge.problem)
    store.command("RENAME TABLE away TO policies")
    looks(reload)
    assert reload.judge.policy.version == version(LIMIT, tmp_path)
    assert reload.judge.problem is None


def test_another_process_notes_the_versions(
    settings: Settings, store: Store, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages without a worker note nothing, and learn of the versions that the worker notes."""
    monkeypatch.setattr(module, "VERSIONS_S", 0.0)
    pages = Reload(settings, read_files(settings), store, notes=False)
    assert store.rows("SELECT count() AS n FROM policies") == [{"n": 0}]
    worker = Reload(settings, read_files(settings), store, notes=True)
    put(file, LIMIT)
    looks(worker)
    looks(pages, 3)
    assert pages.judge.state.loads == worker.judge.state.loads
    assert len(pages.judge.state.loads) == 2
    assert pages.judge.policy.version == version(LIMIT, tmp_path)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def test_sighup_asks_for_it(
    reload: Reload, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal takes a change at once, and the handler before comes back."""
    monkeypatch.setattr(module, "LOOK_S", 3_600.0)
    before = signal.getsignal(signal.SIGHUP)
    with reloading(reload, threading.Event()):
        put(file, LIMIT)
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: reload.judge.policy.version == version(LIMIT, tmp_path))
    assert signal.getsignal(signal.SIGHUP) is before


def questions(sequence: int) -> Message:
    """Forty questions of the last half second."""
    now = time.time_ns() // 1_000
    made = batch("dns", 40, sequence)
    times = pa.array([now - 12_500 * n for n in range(40)], made.schema.field("ts").type)
    made = made.set_column(made.schema.get_field_index("ts"), made.schema.field("ts"), times)
    return encode("dns", made, sensor="gate", boot="b1", sequence=sequence)


def test_a_working_worker_loses_no_row(
    reload: Reload, settings: Settings, store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While policies change, good and broken, every row comes in once, with the version of its own time."""
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    monkeypatch.setattr(module, "_HEARS_S", 0.01)
    monkeypatch.setattr(policy_versions, "AHEAD_US", 300_000)
    with Log(settings.log_file, 1 << 30) as log:
        log.register(CONSUMER)
        worker = Worker(LogSource(log), store, reload.judge, RoundNotes())
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        sent = 0
        try:
            with reloading(reload, stop):
                for text in (LIMIT, "broken", CHAT, BASE):
                    put(file, text)
                    for _ in range(8):
                        log.append([questions(sent)])
                        sent += 1
                        time.sleep(0.1)
                until(lambda: log.waiting(CONSUMER)[0] == 0)
        finally:
            stop.set()
            thread.join()
        assert log.dead() == []
    assert store.rows("SELECT count() AS n, uniqExact(id) AS ids FROM dns")[0]["n"] == sent * 40
    # Rows of before the first version are judged by what is in force.
    wrong = store.rows(
        "SELECT count() AS n FROM (SELECT *, 1 AS one FROM dns) AS d ASOF JOIN"
        " (SELECT 1 AS one, valid_from, version FROM policies) AS p ON p.one = d.one AND d.ts >= p.valid_from"
        " WHERE p.version != d.policy_version"
    )
    assert wrong == [{"n": 0}]
    assert store.rows("SELECT uniqExact(version) AS n FROM policies") == [{"n": 3}]
    assert store.rows("SELECT uniqExact(policy_version) AS n FROM dns") == [{"n": 3}]


def test_old_rows_keep_their_version(reload: Reload, store: Store, settings: Settings, file: Path) -> None:
    """An event of yesterday that comes today is judged by yesterday's version."""
    judge = reload.judge
    old = judge.policy.version
    then = time.time_ns() // 1_000
    put(file, LIMIT)
    looks(reload)
    told = judge.explain("www.roblox.com", at=datetime.fromtimestamp(then / 1e6, UTC))
    assert told["policy_version"] == old
    assert judge.explain("www.roblox.com")["policy_version"] != old
