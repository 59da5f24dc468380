"""The worker between a real log and a real store."""

import errno
import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.settings import Settings
from pipeline.store.client import Store, open_store
from pipeline.stream.log import Log
from pipeline.stream.message import Message, decode
from pipeline.stream.source import CONSUMER, READ, LogSource, Portion
from spanwatch import judging
from spanwatch import worker as worker_module
from spanwatch.worker import Worker
from tests.pipeline.batches import MORNING_US, message
from tests.pipeline.stores import made_store
from tests.spanwatch.worker_process import RoundNotes, SiteClassifier, settings_in

ROOT = Path(__file__).resolve().parents[2]
DATABASES = count()
KINDS = ("flows", "dns", "sightings", "health")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def log(settings: Settings) -> Iterator[Log]:
    with Log(settings.log_file, 1 << 30) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "made") as opened:
        yield opened


@pytest.fixture
def detectors() -> RoundNotes:
    return RoundNotes()


@pytest.fixture
def worker(log: Log, store: Store, detectors: RoundNotes) -> Worker:
    return Worker(LogSource(log), store, SiteClassifier(), detectors)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without the waits in between."""
    monkeypatch.setattr(worker_module, "RETRY_S", 0.01)
    monkeypatch.setattr(worker_module, "RETRY_MOST_S", 0.05)


def number(store: Store, sql: str) -> Any:
    [row] = store.rows(sql)
    [value] = row.values()
    return value


def mixed(messages: int, rows: int = 20) -> list[Message]:
    return [message(KINDS[n % 4], rows, n) for n in range(messages)]


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def test_a_constructor_does_nothing(log: Log, worker: Worker) -> None:
    """Until it runs, a worker neither registers nor reads."""
    log.append(mixed(1))
    with pytest.raises(ValueError, match="knows no consumer"):
        log.waiting(CONSUMER)
    assert worker.status["messages"] == 0
    assert worker.status["last_event_us"] is None


def test_drain_takes_everything_to_its_table(log: Log, store: Store, worker: Worker) -> None:
    """Each kind is classified into its table, each message noted with its hash, the log left empty."""
    sent = mixed(8)
    log.append(sent)
    worker.drain()
    for records in KINDS:
        assert number(store, f"SELECT count() FROM {records} WHERE site = 'north'") == 40
    noted = store.rows("SELECT sensor, boot, sequence, records, rows, sha256 FROM batches ORDER BY sequence")
    assert noted == [
        {
            "sensor": "gate",
            "boot": "b1",
            "sequence": m.sequence,
            "records": m.records,
            "rows": m.rows,
            "sha256": hashlib.sha256(m.payload).hexdigest(),
        }
        for m in sent
    ]
    assert log.waiting(CONSUMER) == (0, 0)
    assert worker.status["messages"] == 8
    assert worker.status["rows"] == 160
    assert worker.status["last_event_us"] == max(m.last for m in sent)
    assert (worker.status["backlog_messages"], worker.status["backlog_bytes"]) == (0, 0)


def test_more_than_one_read_is_drained(log: Log, store: Store, worker: Worker) -> None:
    """A backlog of several reads goes through in one drain."""
    log.append(mixed(40, rows=1))
    worker.drain()
    assert number(store, "SELECT count() FROM batches") == 40


def test_rows_of_an_interrupted_message_are_not_doubled(log: Log, store: Store, worker: Worker) -> None:
    """Killed after the rows and before the note: the message is taken again and changes no count."""
    sent = message("flows", 50, 0)
    store.insert("flows", SiteClassifier().classify("flows", decode(sent), "gate"), sent.token)
    log.append([sent])
    worker.drain()
    assert number(store, "SELECT count() FROM flows") == 50
    assert number(store, "SELECT sum(flows) FROM traffic_1m") == 50
    assert number(store, "SELECT count() FROM batches") == 1


def test_a_message_that_is_noted_is_only_acknowledged(log: Log, store: Store, worker: Worker) -> None:
    """However long ago it was inserted: `batches` remembers beyond the window of tokens."""
    log.append(mixed(4))
    worker.drain()
    again = Path(f"{log.path}-again")
    store.command("TRUNCATE TABLE flows")
    with Log(again, 1 << 30) as other:
        other.append(mixed(4))
        repeated = Worker(LogSource(other), store, SiteClassifier(), RoundNotes())
        repeated.drain()
        assert repeated.status["repeated"] == 4
        assert other.waiting(CONSUMER) == (0, 0)
    assert number(store, "SELECT count() FROM flows") == 0


def test_boots_with_odd_names_are_recognised(log: Log, store: Store, worker: Worker) -> None:
    """A boot named after a file with quotes, braces and line ends is found again."""
    odd = "cap{x:String}'\\ \n\t%s.pcap"
    log.append([message("dns", 5, 0, boot=odd)])
    worker.drain()
    with Log(f"{log.path}-again", 1 << 30) as other:
        other.append([message("dns", 5, 0, boot=odd)])
        repeated = Worker(LogSource(other), store, SiteClassifier(), RoundNotes())
        repeated.drain()
    assert repeated.status["repeated"] == 1
    assert store.rows("SELECT boot FROM batches") == [{"boot": odd}]


class BrokenClassifier(SiteClassifier):
    """Fails on questions, and gives sightings a column that no table has."""

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        if records == "dns":
            raise KeyError("no rule")
        if records == "sightings":
            return batch.append_column("nonsense", pa.array([1] * batch.num_rows))
        return super().classify(records, batch, sensor)


def test_messages_that_cannot_be_used_are_set_aside(log: Log, store: Store, worker: Worker) -> None:
    """Damaged, unclassifiable or unfit ones keep their reason and hold up nobody."""
    worker.classifier = BrokenClassifier()
    sent = mixed(8)
    sent[0] = sent[0]._replace(payload=b"\0" * 50)
    log.append(sent)
    worker.drain()
    reasons = {dead.sequence: dead.reason for dead in log.dead()}
    assert sorted(reasons) == [0, 1, 2, 5, 6]
    assert "message gate/b1/0 of flows is not readable" in reasons[0]
    assert reasons[1] == "KeyError: 'no rule'"
    assert "nonsense" in reasons[2]
    assert worker.status["dead"] == 5
    assert worker.status["messages"] == 3
    assert "was set aside" in worker.status["warning"]
    assert number(store, "SELECT groupArray(sequence) FROM (SELECT sequence FROM batches ORDER BY ALL)") == [
        3,
        4,
        7,
    ]
    assert log.waiting(CONSUMER) == (0, 0)


def test_complaints_are_not_a_flood(log: Log, worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    """Of a hundred messages set aside all are counted and one is logged."""
    log.append([message("dns", 1, n)._replace(payload=b"") for n in range(100)])
    worker.drain()
    assert worker.status["dead"] == 100
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith("message gate/b1/0 was set aside: ValueError: message")


def test_detectors_get_the_time_that_came_in(log: Log, worker: Worker, detectors: RoundNotes) -> None:
    """One round over the whole range, none where nothing came; captures of other days are ranges apart."""
    sent = mixed(4)
    log.append(sent)
    worker.drain()
    assert detectors.rounds == [(min(m.first for m in sent), max(m.last for m in sent))]
    worker.drain()
    assert len(detectors.rounds) == 1
    old = message("dns", 5, 0, boot="old", start_us=1_331_901_000_000_000)
    new = message("dns", 5, 4)
    log.append([new, old])
    worker.drain()
    assert detectors.rounds[1:] == [(old.first, old.last), (new.first, new.last)]
    assert worker.status["rounds"] == 2
    assert (worker.status["attempts"], worker.status["findings"]) == (3, 6)
    assert worker.status["last_round_seconds"] >= 0


class FailingDetectors(RoundNotes):
    def round(self, first_us: int, last_us: int) -> Any:
        raise ValueError("no such column")


def test_a_round_that_failed_is_made_up_after_a_restart(
    log: Log, store: Store, detectors: RoundNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no round covered is in the store's own notes, so the next worker judges it, once."""
    sent = message("flows", 10, 0)
    log.append([sent])
    with pytest.raises(ValueError, match="no such column"):
        Worker(LogSource(log), store, SiteClassifier(), FailingDetectors()).drain()
    assert log.waiting(CONSUMER) == (0, 0)
    Worker(LogSource(log), store, SiteClassifier(), detectors).drain()
    assert detectors.rounds == [(sent.first, sent.last)]
    monkeypatch.setattr(judging, "SLACK_MS", 0)
    Worker(LogSource(log), store, SiteClassifier(), detectors).drain()
    assert len(detectors.rounds) == 1


def test_a_failing_detector_does_not_hold_up_rows(
    log: Log, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running worker says that the round failed, and goes on inserting."""
    monkeypatch.setattr(worker_module, "IDLE_ROUND_S", 0.0)
    worker = Worker(LogSource(log), store, SiteClassifier(), FailingDetectors())
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        log.append([message("dns", 5, 0)])
        until(lambda: worker.status["retries"] > 0)
        log.append([message("dns", 5, 1)])
        until(lambda: worker.status["messages"] == 2)
        assert worker.status["round_error"] == "cannot judge what came in: no such column"
        assert worker.status["error"] == ""
    finally:
        stop.set()
        thread.join()


def test_run_takes_what_comes_and_stops(
    log: Log, store: Store, worker: Worker, detectors: RoundNotes
) -> None:
    """Messages appended while it runs are taken and judged; it stops when told."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        log.append([message("dns", 5, 0)])
        until(lambda: worker.status["messages"] == 1)
        log.append([message("dns", 5, 1)])
        until(lambda: worker.status["messages"] == 2)
        until(lambda: worker.status["rounds"] >= 1)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert number(store, "SELECT count() FROM dns") == 10


@pytest.mark.usefixtures("impatient")
def test_a_store_that_fails_is_tried_again(log: Log, store: Store, worker: Worker) -> None:
    """While the table is away the message waits and the status says why; then it goes in."""
    store.command("RENAME TABLE sightings TO away")
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        log.append([message("sightings", 5, 0)])
        until(lambda: worker.status["retries"] >= 2)
        assert "cannot insert into sightings" in worker.status["error"]
        assert log.waiting(CONSUMER)[0] == 1
        store.command("RENAME TABLE away TO sightings")
        until(lambda: worker.status["messages"] == 1)
        until(lambda: worker.status["error"] == "")
    finally:
        stop.set()
        thread.join()
    assert log.dead() == []
    assert number(store, "SELECT count() FROM sightings") == 5


@pytest.mark.usefixtures("impatient")
def test_drain_gives_up_on_a_store_that_keeps_failing(log: Log, store: Store, worker: Worker) -> None:
    """The error comes out, and what is not in stays in the log."""
    store.command("DROP TABLE sightings")
    log.append([message("sightings", 5, 0)])
    with pytest.raises(OSError, match="cannot insert into sightings"):
        worker.drain()
    assert log.waiting(CONSUMER)[0] == 1


class Swapping(SiteClassifier):
    """Puts the worker's next classifier in its place while it classifies."""

    def __init__(self, worker: Worker, following: SiteClassifier) -> None:
        super().__init__("before")
        self.worker = worker
        self.following = following

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        self.worker.classifier = self.following
        return super().classify(records, batch, sensor)


def test_a_classifier_can_be_replaced_between_messages(log: Log, store: Store, worker: Worker) -> None:
    """A new policy holds from the next message on; no message is classified by two."""
    worker.classifier = Swapping(worker, SiteClassifier("after"))
    log.append([message("dns", 5, n) for n in range(3)])
    worker.drain()
    counts = store.rows("SELECT site, count() AS rows FROM dns GROUP BY site ORDER BY site")
    assert counts == [{"site": "after", "rows": 10}, {"site": "before", "rows": 5}]


def test_a_capture_of_years_ago_is_kept(log: Log) -> None:
    """Days count from the arrival: rows of 2012 stay like those of today, and nothing is complained of."""
    with Store(f"chdb://:memory:/w{next(DATABASES)}", {"raw_days": 90, "summary_days": 90}) as store:
        store.migrate()
        worker = Worker(LogSource(log), store, SiteClassifier(), RoundNotes())
        now = time.time_ns() // 1000
        log.append([message("dns", 5, 0, start_us=1_331_901_000_000_000), message("dns", 5, 1, start_us=now)])
        worker.drain()
        store.command("OPTIMIZE TABLE dns FINAL")
        assert number(store, "SELECT count() FROM dns") == 10
        assert worker.status["warning"] == ""


def test_a_batch_without_rows_is_noted(log: Log, store: Store, worker: Worker, detectors: RoundNotes) -> None:
    """It counts as a message, has no time, and calls no detector."""
    log.append([message("flows", 0, 0)])
    worker.drain()
    assert number(store, "SELECT count() FROM batches") == 1
    assert detectors.rounds == []
    assert worker.status["last_event_us"] is None


def totals(store: Store) -> dict[str, Any]:
    [row] = store.rows(
        """SELECT
            (SELECT count() FROM flows) AS flows,
            (SELECT sum(bytes_up) FROM flows) AS up,
            (SELECT sum(bytes_down) FROM traffic_1m) AS rollup_down,
            (SELECT sum(bytes_up) FROM traffic_1m) AS rollup_up,
            (SELECT sum(flows) FROM traffic_1m) AS rollup_flows,
            (SELECT sum(bytes_up + bytes_down) FROM traffic_1h) AS hour_bytes,
            (SELECT sum(flows) FROM traffic_1h) AS hour_flows,
            (SELECT count() FROM dns) AS dns,
            (SELECT count() FROM sightings) AS sightings,
            (SELECT count() FROM health) AS health,
            (SELECT uniqExact(sensor, boot, sequence) FROM batches) AS messages,
            (SELECT count() FROM batches) AS batches"""
    )
    return row


@pytest.mark.slow
def test_a_worker_killed_in_mid_drain_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Killed with -9 again and again among 200 messages, the store ends equal to an undisturbed run's."""
    sent = [message("flows" if n % 2 else KINDS[n % 4], 200, n, start_us=MORNING_US) for n in range(200)]
    for name in ("calm", "killed"):
        with Log(settings_in(tmp_path / name).log_file, 1 << 30) as log:
            log.append(sent)

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.spanwatch.worker_process", str(tmp_path / name)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    calm = start("calm")
    assert calm.communicate(timeout=200)[0].split() == ["ready", "done"]
    chance = random.Random(5)
    left = []
    for _ in range(6):
        process = start("killed")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.05, 1.5))
        process.kill()
        process.wait()
        process.stdout.close()
        with Log(settings_in(tmp_path / "killed").log_file, 1 << 30) as log:
            log.register(CONSUMER)
            left.append(log.waiting(CONSUMER)[0])
    assert any(0 < waiting < 200 for waiting in left)
    assert start("killed").communicate(timeout=200)[0].split() == ["ready", "done"]
    found = []
    for name in ("calm", "killed"):
        settings = settings_in(tmp_path / name)
        with open_store(settings) as store, Log(settings.log_file, 1 << 30) as log:
            found.append(totals(store))
            assert log.waiting(CONSUMER) == (0, 0)
            assert log.dead() == []
    assert found[1] == found[0]
    assert found[0]["messages"] == 200
    assert found[0]["rollup_up"] == found[0]["up"]


@pytest.mark.service
@pytest.mark.usefixtures("impatient")
def test_a_full_disk_under_the_store_costs_no_row(tmp_path: Path) -> None:
    """The worker says that there is no room; with room again everything is in, once."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], check=True)
    try:
        values = {
            "state": tmp_path,
            "store": {"dsn": f"chdb://{small / 'store'}", "raw_days": 0, "summary_days": 0},
        }
        settings = Settings.model_validate(values)
        with Log(settings.log_file, 1 << 30) as log, open_store(settings) as store:
            store.migrate()
            worker = Worker(LogSource(log), store, SiteClassifier(), RoundNotes())
            sent = [message("flows", 5_000, n) for n in range(40)]
            log.append(sent)
            with pytest.raises(OSError, match="its disk is full; free space there") as caught:
                worker.drain()
            assert caught.value.errno == errno.ENOSPC
            assert 0 < log.waiting(CONSUMER)[0] <= 40
            assert log.dead() == []
            subprocess.run(["mount", "-o", "remount,size=400m", small], check=True)
            worker.drain()
            assert log.waiting(CONSUMER) == (0, 0)
            got = totals(store)
            assert got["flows"] == 200_000
            assert got["rollup_up"] == got["up"]
            assert got["batches"] == 40
    finally:
        subprocess.run(["umount", "-l", small], check=True)


class Together(LogSource):
    """All messages of a kind that the log has now as one portion."""

    def take(self, wait_s: float) -> list[Portion]:
        portions = super().take(wait_s)
        return [
            Portion(
                "+".join(portion.token for portion in kind),
                records,
                tuple(one for portion in kind for one in portion.messages),
                tuple(place for portion in kind for place in portion.places),
            )
            for records in sorted({portion.records for portion in portions})
            if (kind := [portion for portion in portions if portion.records == records])
        ]

    def acknowledge(self, *portions: Portion) -> None:
        """With the last kind: ids of the log grow across kinds."""
        if portions[-1].records == "sightings":
            self.log.acknowledge(CONSUMER, self.log.read(CONSUMER, READ)[-1].id)


class Apart(LogSource):
    """What is worked on did not come from the log."""

    def acknowledge(self, *portions: Portion) -> None:
        pass


def parted(sequence: int, parts: int, **kind: Any) -> list[Message]:
    """A batch of flows in parts."""
    made = [message("flows", 5, 100 * sequence + part, **kind) for part in range(parts)]
    return [one._replace(sequence=sequence, part=part, parts=parts) for part, one in enumerate(made)]


def work(worker: Worker, messages: list[Message], token: str = "") -> None:
    """One portion of the messages through the worker, as its run would."""
    token = token or "+".join(one.token for one in messages)
    portion = Portion(token, "flows", tuple(messages), tuple(range(len(messages))))
    source = worker.source
    assert isinstance(source, LogSource)
    worker.source = Apart(source.log)
    worker._work([portion], threading.Event())
    worker.source = source


def test_a_portion_is_inserted_as_one(log: Log, store: Store, detectors: RoundNotes) -> None:
    """Several messages cost one insert; each has its row in `batches`; the classifier sees whose they are."""
    worker = Worker(Together(log), store, SiteClassifier(), detectors)
    log.append([message(KINDS[n % 3], 5, n // 3, sensor=f"s{n % 2}", boot=f"{n % 3}") for n in range(12)])
    worker.drain()
    assert worker.status["inserts"] == 3
    assert worker.status["messages"] == 12
    assert number(store, "SELECT count() FROM batches") == 12
    counts = store.rows("SELECT sensor, count() AS rows FROM dns GROUP BY sensor ORDER BY sensor")
    assert counts == [{"sensor": "s0", "rows": 10}, {"sensor": "s1", "rows": 10}]


def test_in_a_portion_a_bad_message_harms_no_other(log: Log, store: Store, detectors: RoundNotes) -> None:
    """Damaged, unclassifiable and unfit ones are set aside; the rest of their portions is inserted, once."""
    worker = Worker(Together(log), store, BrokenClassifier(), detectors)
    sent = mixed(12)
    sent[0] = sent[0]._replace(payload=b"\0" * 50)
    log.append(sent)
    worker.drain()
    assert {dead.sequence for dead in log.dead()} == {0, 1, 2, 5, 6, 9, 10}
    assert number(store, "SELECT count() FROM flows") == 40
    assert number(store, "SELECT count() FROM batches") == 5


def test_parts_are_known_one_by_one(store: Store, worker: Worker) -> None:
    """A part that is in is left out, also within its portion, and the other parts of its batch are not."""
    parts = parted(3, 3)
    work(worker, [parts[0], parts[2], parts[0]])
    assert (worker.status["messages"], worker.status["repeated"]) == (2, 1)
    work(worker, [parts[1], parts[2]])
    assert (worker.status["messages"], worker.status["repeated"]) == (3, 2)
    assert number(store, "SELECT count() FROM flows") == 15
    assert store.rows("SELECT sequence, part, parts FROM batches ORDER BY part") == [
        {"sequence": 3, "part": part, "parts": 3} for part in range(3)
    ]


def test_a_damaged_message_does_not_stand_for_a_whole_one(log: Log, store: Store, worker: Worker) -> None:
    """What claims a batch's name, and is no batch, is set aside; the batch itself, behind it, is inserted."""
    whole = message("flows", 10, 3)
    cut = whole._replace(payload=whole.payload[:50])
    log.append([cut])
    work(worker, [cut, cut._replace(parts=4, part=2), whole, whole])
    assert (worker.status["dead"], worker.status["messages"], worker.status["repeated"]) == (2, 1, 1)
    assert number(store, "SELECT count() FROM flows") == 10


def test_a_batch_that_came_whole_is_not_taken_in_parts(log: Log, store: Store, worker: Worker) -> None:
    """A log that moves to Kafka brings what is in again: whole there, split here, or the other way round."""
    whole = message("flows", 10, 3)
    log.append([whole])
    worker.drain()
    work(worker, parted(3, 2))
    assert worker.status["repeated"] == 2
    work(worker, parted(4, 2))
    work(worker, [message("flows", 10, 4)])
    assert worker.status["repeated"] == 3
    work(worker, parted(5, 2)[:1])
    log.append([message("flows", 10, 5)])
    worker.drain()
    assert worker.status["dead"] == 1
    assert "it came in 2 part(s) before, and not all of them" in log.dead()[0].reason
    assert number(store, "SELECT count() FROM flows") == 25


def test_a_portion_that_was_interrupted_is_repeated_as_one(store: Store, worker: Worker) -> None:
    """Its rows are in and not noted: under the same token they change no count, in no rollup."""
    sent = [message("flows", 50, n) for n in range(3)]
    store.insert(
        "flows",
        pa.Table.from_batches([SiteClassifier().classify("flows", decode(one), "gate") for one in sent]),
        "portion",
    )
    work(worker, sent, "portion")
    assert number(store, "SELECT count() FROM flows") == 150
    assert number(store, "SELECT sum(flows) FROM traffic_1m") == 150
    assert number(store, "SELECT count() FROM batches") == 3
