"""The bounded log: one writer, several readers, kills and full disks."""

import errno
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.stream.log import OVERHEAD_BYTES, Appended, Log
from pipeline.stream.message import Message
from tests.pipeline.stream.log_process import BOUND, numbered

ROOT = Path(__file__).resolve().parents[3]


def message(sequence: int, *, boot: str = "b", size: int = 1_000, rows: int = 10) -> Message:
    return Message("gate", boot, sequence, "flows", 1, rows, 5, 9, b"x" * size)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log(tmp_path / "outbox.sqlite", BOUND) as opened:
        opened.register("worker")
        yield opened


def sequences(log: Log, consumer: str = "worker", limit: int = 1_000) -> list[int]:
    return [entry.message.sequence for entry in log.read(consumer, limit, BOUND)]


def test_messages_come_back_in_order_and_whole(log: Log) -> None:
    """What was appended is read in the same order, headers and payload unchanged."""
    sent = [message(0), message(1, size=200_000), message(0, boot="c")]
    assert log.append(sent) == Appended(3, 0)
    assert [entry.message for entry in log.read("worker", 10)] == sent


def test_a_message_is_read_again_until_acknowledged(log: Log) -> None:
    """Reading changes nothing; acknowledging an id takes it and all before it away."""
    log.append([message(n) for n in range(5)])
    entries = log.read("worker", 3)
    assert sequences(log, limit=3) == [0, 1, 2]
    log.acknowledge("worker", entries[1].id)
    assert sequences(log) == [2, 3, 4]


def test_a_repeated_message_is_ignored_even_after_it_was_deleted(log: Log) -> None:
    """An identity is taken once, for ever; other boots count on their own."""
    log.append([message(0), message(1)])
    assert log.append([message(1)]) == Appended(0, 0)
    log.acknowledge("worker", log.read("worker", 9)[-1].id)
    assert log.append([message(0), message(1), message(2)]) == Appended(1, 0)
    assert sequences(log) == [2]
    assert log.highest("gate", "b") == 2
    assert log.highest("gate", "other") == -1


def test_marks_survive_a_restart(tmp_path: Path) -> None:
    """A log opened again knows what it has seen and what was acknowledged."""
    with Log(tmp_path / "log", BOUND) as log:
        log.register("worker")
        log.append([message(0), message(1)])
        log.acknowledge("worker", log.read("worker", 1)[0].id)
    with Log(tmp_path / "log", BOUND) as log:
        assert log.append([message(0)]).messages == 0
        assert sequences(log) == [1]


def test_every_consumer_gets_everything(log: Log) -> None:
    """A message stays until the slowest consumer acknowledged it."""
    log.register("relay")
    log.append([message(0), message(1)])
    last = log.read("worker", 9)[-1].id
    log.acknowledge("worker", last)
    assert sequences(log) == []
    assert sequences(log, "relay") == [0, 1]
    assert log.totals()["bytes"] == 2 * (1_000 + OVERHEAD_BYTES)
    log.acknowledge("relay", last)
    assert log.totals()["bytes"] == 0


def test_a_consumer_that_is_forgotten_is_not_waited_for(log: Log) -> None:
    """What only it had yet to read is deleted."""
    log.register("relay")
    log.append([message(0)])
    log.acknowledge("worker", log.read("worker", 1)[0].id)
    log.forget("relay")
    assert log.totals()["bytes"] == 0


def test_registering_again_keeps_the_place(log: Log) -> None:
    """A consumer that registers at each start goes on where it was."""
    log.append([message(0), message(1)])
    log.acknowledge("worker", log.read("worker", 1)[0].id)
    log.register("worker")
    assert sequences(log) == [1]


def test_unknown_consumers_and_ids_are_refused(log: Log) -> None:
    """Names and ids that the log never gave are errors, not a silent nothing."""
    with pytest.raises(ValueError, match="knows no consumer 'relay'; register it first"):
        log.read("relay", 1)
    with pytest.raises(ValueError, match="no message has that id"):
        log.acknowledge("worker", 1)


def test_acknowledging_backwards_changes_nothing(log: Log) -> None:
    """An older id does not bring back what is done."""
    log.append([message(n) for n in range(3)])
    ids = [entry.id for entry in log.read("worker", 3)]
    log.acknowledge("worker", ids[1])
    log.acknowledge("worker", ids[0])
    assert sequences(log) == [2]


def test_waiting_counts_messages_and_bytes(log: Log) -> None:
    """The backlog is what the consumer has not acknowledged."""
    log.append([message(n) for n in range(4)])
    log.acknowledge("worker", log.read("worker", 1)[0].id)
    assert log.waiting("worker") == (3, 3 * (1_000 + OVERHEAD_BYTES))


def test_a_read_stops_at_its_bytes(log: Log) -> None:
    """A reader's memory is bounded: no further message once the bytes are together, at least one."""
    log.append([message(n, size=50_000) for n in range(5)])
    assert len(log.read("worker", 5, limit_bytes=100_000)) == 2
    assert len(log.read("worker", 5, limit_bytes=1)) == 1


def test_past_the_bound_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    """The newest messages stay, the records of the others are returned and totalled."""
    size = 10_000
    with Log(tmp_path / "log", 5 * (size + OVERHEAD_BYTES)) as log:
        log.register("worker")
        assert log.append([message(n, size=size) for n in range(4)]) == Appended(4, 0)
        assert log.append([message(n, size=size, rows=7) for n in range(4, 8)]) == Appended(4, 30)
        assert sequences(log) == [3, 4, 5, 6, 7]
        assert log.totals()["lost_records"] == 30
        assert log.totals()["lost_messages"] == 3


def test_a_message_larger_than_the_bound_is_lost_alone(tmp_path: Path) -> None:
    """A giant is not taken, is counted, and does not push the others out."""
    with Log(tmp_path / "log", 20_000) as log:
        log.register("worker")
        assert log.append([message(0), message(1, size=30_000, rows=99), message(2)]) == Appended(2, 99)
        assert sequences(log) == [0, 2]


def test_the_file_stays_near_its_bound(tmp_path: Path) -> None:
    """A hundred times the bound goes through a file and write-ahead log of a few times the bound."""
    bound = 2 << 20
    with Log(tmp_path / "log", bound) as log:
        log.register("worker")
        for n in range(200):
            log.append([message(n, size=1 << 20)])
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < bound + (14 << 20)


def test_a_drained_log_gives_its_space_back(tmp_path: Path) -> None:
    """After a long absence of the worker the file shrinks again."""
    path = tmp_path / "log"
    with Log(path, BOUND) as log:
        log.register("worker")
        log.append([message(n, size=4 << 20) for n in range(40)])
        full = (tmp_path / "log-wal").stat().st_size + path.stat().st_size
        while entries := log.read("worker", 1):
            log.acknowledge("worker", entries[-1].id)
    assert full > 160 << 20
    assert path.stat().st_size < 100 << 20


def test_a_message_set_aside_keeps_its_reason(log: Log) -> None:
    """It can be looked at later, is kept once, and is still there for other consumers."""
    log.append([message(0), message(1)])
    first = log.read("worker", 1)[0]
    log.set_aside(first.id, "not readable")
    log.set_aside(first.id, "again")
    [dead] = log.dead()
    assert (dead.sensor, dead.boot, dead.sequence, dead.reason) == ("gate", "b", 0, "not readable")
    assert dead.size == len(message(0).payload) + OVERHEAD_BYTES
    assert log.totals()["dead_messages"] == 1
    log.acknowledge("worker", first.id)
    assert len(log.dead()) == 1


def test_messages_set_aside_are_bounded(tmp_path: Path) -> None:
    """They keep a tenth of the bound, the newest ones; the count goes on."""
    with Log(tmp_path / "log", 200_000) as log:
        log.register("worker")
        for n in range(30):
            log.append([message(n, size=4_000)])
            [entry] = log.read("worker", 1)
            log.set_aside(entry.id, "bad")
            log.acknowledge("worker", entry.id)
        kept = [dead.sequence for dead in log.dead()]
        assert kept == [27, 28, 29][-len(kept) :]
        assert 1 <= len(kept) * (4_000 + OVERHEAD_BYTES) <= 20_000
        assert log.totals()["dead_messages"] == 30


def test_messages_set_aside_can_be_tried_again(log: Log) -> None:
    """After the cause is mended they go back to the end of the log, for every consumer."""
    log.append([message(0), message(1)])
    for entry in log.read("worker", 2):
        log.set_aside(entry.id, "no table")
        log.acknowledge("worker", entry.id)
    with pytest.raises(ValueError, match="id 99"):
        log.revive([1, 99])
    assert log.revive([2]) == 1
    assert sequences(log) == [1]
    assert log.revive() == 1
    assert sequences(log) == [1, 0]
    assert log.dead() == []
    assert log.totals()["dead_bytes"] == 0


def test_threads_share_one_log(log: Log) -> None:
    """A worker reads while another thread appends and a third asks for the backlog."""
    done = threading.Event()
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            while not done.is_set():
                log.waiting("worker")
                log.totals()
        except BaseException as error:
            failures.append(error)

    def add() -> None:
        for n in range(60):
            log.append([message(n)])

    threads = [threading.Thread(target=ask), threading.Thread(target=add)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    deadline = time.monotonic() + 30
    while len(seen) < 60 and time.monotonic() < deadline:
        for entry in log.read("worker", 7):
            seen.append(entry.message.sequence)
            log.acknowledge("worker", entry.id)
    done.set()
    for thread in threads:
        thread.join()
    assert seen == list(range(60))
    assert not failures


class LogMachine(RuleBasedStateMachine):
    """A log against the lists that it should equal, two consumers, a bound of 12 messages."""

    SIZE = 100
    KEPT = 12

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.log = Log(Path(self.folder.name) / "log", self.KEPT * (self.SIZE + OVERHEAD_BYTES))
        self.next = 0
        self.lost = 0
        self.kept: list[int] = []
        self.place = {"worker": -1, "relay": -1}
        for consumer in self.place:
            self.log.register(consumer)

    @rule(count=st.integers(1, 9), back=st.integers(0, 3))
    def append(self, count: int, back: int) -> None:
        first = max(0, self.next - back)
        added = self.log.append([message(n, size=self.SIZE, rows=1) for n in range(first, self.next + count)])
        self.kept += range(self.next, self.next + count)
        self.next += count
        over = max(0, len(self.kept) - self.KEPT)
        self.kept = self.kept[over:]
        self.lost += over
        assert added == Appended(count, over)

    @rule(consumer=st.sampled_from(["worker", "relay"]), count=st.integers(1, 6))
    def take(self, consumer: str, count: int) -> None:
        entries = self.log.read(consumer, count)
        expected = [n for n in self.kept if n > self.place[consumer]][:count]
        assert [entry.message.sequence for entry in entries] == expected
        if entries:
            self.log.acknowledge(consumer, entries[-1].id)
            self.place[consumer] = expected[-1]
            self.kept = [n for n in self.kept if n > min(self.place.values())]

    @invariant()
    def totals_agree(self) -> None:
        totals = self.log.totals()
        assert totals["lost_records"] == self.lost
        assert totals["bytes"] == len(self.kept) * (self.SIZE + OVERHEAD_BYTES)

    def teardown(self) -> None:
        self.log.close()
        self.folder.cleanup()


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("content", [b"not a log" * 1_000, b"SQLite format 3\0" + b"\xff" * 9_000])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, content: bytes) -> None:
    """The line names the file and what to do; the file is left alone."""
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot open the log .*log: .*move the file away"):
        Log(path, BOUND)
    assert path.read_bytes() == content


def test_a_newer_log_is_refused(tmp_path: Path) -> None:
    """The log of a newer program is not written to."""
    path = tmp_path / "log"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(ValueError, match="its format is 9, this program knows 1"):
        Log(path, BOUND)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The line says what could not be made and which setting mends it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="set `state` to a folder that can be written"):
        Log(tmp_path / "file" / "log", BOUND)


def test_a_log_needs_a_bound(tmp_path: Path) -> None:
    """A bound of nothing is a wrong setting."""
    with pytest.raises(ValueError, match=r"set stream\.log_bytes above 0"):
        Log(tmp_path / "log", 0)


def test_a_full_file_is_a_clear_error_and_the_log_stays_usable(log: Log) -> None:
    """Nothing of a refused append is kept; after room was made the same append succeeds."""
    log.append([message(0, size=50_000)])
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    big = [message(1, size=10_000), message(2, size=900_000)]
    with pytest.raises(OSError, match="the disk is full; free space there") as caught:
        log.append(big)
    assert caught.value.errno == errno.ENOSPC
    assert sequences(log) == [0]
    assert log.highest("gate", "b") == 0
    log._db.execute("PRAGMA max_page_count = 1000000")
    assert log.append(big) == Appended(2, 0)
    assert sequences(log) == [0, 1, 2]


@pytest.mark.service
def test_a_full_disk_loses_nothing_that_was_taken(tmp_path: Path) -> None:
    """On a file system without room the append fails with ENOSPC, reading goes on, and reading makes room."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", tmp_path], check=True)
    try:
        with Log(tmp_path / "log", BOUND) as log:
            log.register("worker")
            sent = _append_until_full(log, 0)
            assert sent > 10
            for _ in range(3):
                waiting = sequences(log)
                assert waiting == list(range(sent - len(waiting), sent))
                while len(entries := log.read("worker", 1, 1)) and entries[0].message.sequence < sent - 5:
                    log.acknowledge("worker", entries[0].id)
                more = _append_until_full(log, sent)
                assert more > sent
                sent = more
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def _append_until_full(log: Log, sequence: int) -> int:
    refusal = OSError()
    for n in range(sequence, sequence + 1_000):
        try:
            log.append([message(n, size=1_000_000)])
        except OSError as error:
            refusal = error
            break
    assert refusal.errno == errno.ENOSPC
    assert "the disk is full; free space there" in str(refusal)
    return n


def process(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.pipeline.stream.log_process", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], seconds: float) -> list[str]:
    """Lines it printed before it was killed in the middle of whatever it did."""
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    return [first.strip(), *rest.split()]


def test_a_killed_writer_loses_nothing_it_was_told_is_kept(tmp_path: Path) -> None:
    """After each kill -9 every number the writer saw appended is in the log, whole, once and in order."""
    path = tmp_path / "log"
    chance = random.Random(1)
    told = -1
    for _ in range(5):
        printed = kill_after(process("write", path, "b"), chance.uniform(0.01, 0.1))
        told = max(told, int(printed[-1]))
    with Log(path, BOUND) as log:
        log.register("worker")
        entries = log.read("worker", 100_000)
        assert [entry.message.sequence for entry in entries] == list(range(len(entries)))
        assert len(entries) >= told + 1 > 5
        assert all(entry.message == numbered("b", n) for n, entry in enumerate(entries))


def test_a_killed_reader_sees_nothing_twice_and_misses_nothing(tmp_path: Path) -> None:
    """A reader killed between read and acknowledge gets the message again; by token each is taken once."""
    path, done = tmp_path / "log", tmp_path / "done"
    done.touch()
    with Log(path, BOUND) as log:
        log.register("worker")
        log.append([numbered("b", n) for n in range(300)])
        chance = random.Random(2)
        for _ in range(4):
            reader = process("read", path, done)
            before = done.stat().st_size
            deadline = time.monotonic() + 20
            while done.stat().st_size == before and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(chance.uniform(0.0, 0.1))
            reader.kill()
            reader.communicate()
        reader = process("read", path, done)
        deadline = time.monotonic() + 60
        while log.waiting("worker")[0] and time.monotonic() < deadline:
            time.sleep(0.02)
        reader.kill()
        reader.communicate()
        assert log.waiting("worker") == (0, 0)
    assert done.read_text().split() == [f"gate/b/{n}" for n in range(300)]


def test_a_reader_sees_another_process_append_promptly(tmp_path: Path) -> None:
    """What a writer process appended is read here without reopening, while it goes on."""
    path = tmp_path / "log"
    with Log(path, BOUND) as log:
        log.register("worker")
        writer = process("write", path, "b")
        assert writer.stdout is not None
        try:
            told = int(writer.stdout.readline())
            assert sequences(log)[: told + 1] == list(range(told + 1))
            told = int(writer.stdout.readline())
            assert told in sequences(log)
        finally:
            writer.kill()
            writer.communicate()
