"""The faults, each a script over a district: what is hurt, when, and how it is mended again.

A script starts what takes part and returns when nothing more will be done to it; `District.finish` waits for
the end. What it did is counted in `District.counts`.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.records import RECORDS
from pipeline.settings import KafkaSettings
from pipeline.stream.kafka import open_admin, open_producer
from pipeline.stream.kafka_headers import headers_of
from pipeline.stream.message import PLAIN, SCHEMA_VERSION, WRITE_OPTIONS, Message, decode
from pipeline.stream.topics import make, topic_of, wanted
from tests.faults.district import District
from tests.services.clickhouse import SmallDisk
from tests.services.topics import Kept, kept

#: Where Debian puts the library that lies about the time.
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
#: The nftables table of the cut.
CUT = "spanwatch_cut"
#: Bytes left on a disk that is filled: less than a batch's insert, or a few batches of the log.
LEFT_STORE, LEFT_SENSOR = 256 << 10, 2 << 20


def start_all(d: District) -> None:
    """The sensor last: what is hurt later is hurt in the middle."""
    d.start("relay", "worker-1", "worker-2")
    d.wait(lambda: bool(d.told("worker-1") and d.told("worker-2")), "both workers at work")
    d.start("sensor")


def undisturbed(d: District) -> None:
    """Nothing is hurt."""
    start_all(d)


def _three_times(d: District, hurt: Callable[[int], None]) -> None:
    start_all(d)
    for number, share in enumerate((0.15, 0.4, 0.65), 1):
        d.reach(share)
        hurt(number)


def kill_sensor(d: District) -> None:
    """kill -9 of the sensor, three times."""

    def hurt(_: int) -> None:
        if d.runs("sensor"):
            d.kill("sensor")
            d.start("sensor")

    _three_times(d, hurt)


def kill_relay(d: District) -> None:
    """kill -9 of the relay, three times."""

    def hurt(_: int) -> None:
        d.kill("relay")
        d.start("relay")

    _three_times(d, hurt)


def kill_brokers(d: District) -> None:
    """kill -9 of each broker in turn; it comes back before the next one goes."""

    def hurt(number: int) -> None:
        d.brokers.kill(number)
        d.count("kills of broker")
        time.sleep(2)
        d.brokers.start(number)

    _three_times(d, hurt)


def kill_worker(d: District) -> None:
    """kill -9 of one worker, of the other, and of both."""

    def hurt(number: int) -> None:
        for name in {1: ["worker-1"], 2: ["worker-2"], 3: ["worker-1", "worker-2"]}[number]:
            d.kill(name)
            d.start(name)

    _three_times(d, hurt)


def kill_store(d: District) -> None:
    """kill -9 of the store, three times."""

    def hurt(_: int) -> None:
        d.server.kill()
        d.count("kills of store")
        time.sleep(1)
        d.server.start()

    _three_times(d, hurt)


def kill_everything(d: District) -> None:
    """kill -9 of sensor, relay, each broker in turn, worker and store, one after the other."""
    start_all(d)
    d.reach(0.1)
    d.kill("sensor")
    d.start("sensor")
    d.reach(0.2)
    d.kill("relay")
    d.start("relay")
    for number, share in ((1, 0.3), (2, 0.4), (3, 0.5)):
        d.reach(share)
        d.brokers.kill(number)
        d.count("kills of broker")
        time.sleep(2)
        d.brokers.start(number)
    d.reach(0.6)
    d.kill("worker-1")
    d.start("worker-1")
    d.reach(0.7)
    d.server.kill()
    d.count("kills of store")
    d.server.start()


def outage(d: District, seconds: float = 20) -> None:
    """All brokers are gone for a while; the sensor goes on."""
    start_all(d)
    d.wait(lambda: d.appended() > 0.3 * d.load.flows / d.load.rows, "a third of the batches in the log")
    for number in d.brokers.numbers:
        d.brokers.kill(number)
    before = d.appended()
    time.sleep(seconds)
    d.count("seconds without brokers", int(seconds))
    d.count("batches appended meanwhile", d.appended() - before)
    d.brokers.start()


def full_sensor_disk(d: District, disk: SmallDisk) -> None:
    """The disk of the log fills while the relay hangs; what is there is relayed, then somebody makes room."""
    d.start("relay", "worker-1", "worker-2")
    d.wait(lambda: bool(d.told("relay") and d.told("worker-1")), "relay and workers at work")
    d.programs["relay"].pause()
    d.start("sensor")
    d.wait(lambda: d.appended() > 2, "the first batches")
    disk.fill(LEFT_SENSOR)
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        time.sleep(0.3)
        if (now := d.appended()) != last:
            last, since = now, time.monotonic()
    d.count("batches in the log when it was full", last)
    d.programs["relay"].resume()
    d.wait(
        lambda: d.told("relay")["rows"] > 0 == d.told("relay")["waiting_messages"], "the log on the topics"
    )
    d.count("rows relayed while it was full", int(d.told("relay")["rows"]))
    disk.empty()


def bound_of_the_log(d: District) -> None:
    """Nobody relays until the log's bound is reached: the oldest batches go, and health says how much."""
    d.start("sensor")
    d.wait(lambda: not d.runs("sensor"), "the sensor's end")
    d.count("batches thrown away", d.totals()["lost_messages"])
    d.start("relay", "worker-1", "worker-2")


def full_store_disk(d: District, disk: SmallDisk, seconds: float = 10) -> None:
    """The disk of the store is full for a while."""
    start_all(d)
    d.reach(0.25)
    disk.fill(LEFT_STORE)
    time.sleep(seconds)
    d.count("seconds of a full disk", int(seconds))
    disk.empty()


def slow_store(d: District, delay: float = 0.7, seconds: float = 20) -> None:
    """Every statement takes so much longer until a while after messages were seen to wait on the topics."""

    def waiting() -> list[float]:
        """The messages that wait for each worker that knows."""
        told = (d.told(f"worker-{number}") for number in (1, 2))
        return [one["backlog_messages"] for one in told if "backlog_messages" in one]

    d.start("relay", "worker-1", "worker-2")
    d.wait(lambda: len(waiting()) == 2, "both workers with partitions of their own")
    d.server.slow(delay)
    try:
        d.start("sensor")
        d.wait(lambda: sum(waiting()) > 0, "messages that wait")
        time.sleep(seconds)
    finally:
        d.server.slow(0)
    d.count("seconds of a slow store", int(seconds))


@contextlib.contextmanager
def _cut(ports: list[int]) -> Iterator[None]:
    """No packet from or to these ports of loopback; connections stay and are silent."""
    some = ", ".join(map(str, ports))
    rules = (
        f"table inet {CUT} {{\nchain out {{\ntype filter hook output priority 0;\n"
        f"oif lo tcp dport {{ {some} }} drop\noif lo tcp sport {{ {some} }} drop\n}}\n}}\n"
    )
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", CUT], check=True, capture_output=True)


def cut_network(d: District, seconds: float = 40) -> None:
    """Between workers and brokers nothing passes, longer than a session lasts; brokers see each other."""
    d.start("sensor", "relay")
    d.wait(lambda: not d.runs("sensor") and d.waiting() == 0, "all on the topics")
    d.stop("relay")
    d.start("worker-1", "worker-2")
    d.reach(0.05)
    with _cut([int(address.rpartition(":")[2]) for address in d.brokers.addresses]):
        time.sleep(seconds)
    d.count("seconds of the cut", int(seconds))


def rebalance(d: District) -> None:
    """Eight workers share the partitions; two are killed, two stop, two of these come back."""
    names = [f"worker-{number}" for number in range(1, 9)]
    d.start("relay", *names)
    d.wait(lambda: all(d.told(name) for name in names), "eight workers at work")
    d.count("workers", len(names))
    d.start("sensor")
    d.reach(0.2)
    d.kill("worker-3")
    d.kill("worker-4")
    d.stop("worker-5", "worker-6")
    d.count("stops of worker", 2)
    d.reach(0.4)
    d.start("worker-3", "worker-5")


def clock_jump(d: District) -> None:
    """The clock of relay and workers goes a day ahead, then two days back."""
    file = d.folder / "clock"
    file.write_text("+0")
    lie = {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    d.start("sensor")
    d.start("relay", "worker-1", "worker-2", extra=lie)
    d.reach(0.25)
    file.write_text("+1d")
    d.reach(0.5)
    file.write_text("-1d")
    d.reach(0.75)
    file.write_text("+0")
    d.count("jumps of the clock", 3)


class Record(NamedTuple):
    """What is written to a topic again."""

    headers: list[tuple[str, bytes]]
    value: bytes


def _delivered(d: District, change: Callable[[list[Kept]], list[Record]]) -> None:
    """All is relayed; then each partition is written anew, as `change` makes it, where the workers read."""
    d.start("sensor", "relay")
    d.wait(lambda: not d.runs("sensor") and d.waiting() == 0, "all on the topics")
    d.stop("relay")
    before: KafkaSettings = d.settings.stream.kafka
    partitions: dict[tuple[str, int], list[Kept]] = {}
    for one in kept(before):
        partitions.setdefault((one.records, one.partition), []).append(one)
    d.settings_of["stream"]["kafka"] |= {"topic_prefix": f"{d.name}-anew", "group": f"{d.name}-anew"}
    d.write_settings()
    kafka = d.settings.stream.kafka
    with open_admin(kafka) as admin:
        make(admin, wanted(kafka))
    with open_producer(kafka, "test") as producer:
        sent = [
            producer.send(topic_of(kafka, records), one.value, headers=one.headers, partition=partition)
            for (records, partition), all_of_it in partitions.items()
            for one in change(all_of_it)
        ]
        for future in sent:
            future.get(60)
    d.start("worker-1", "worker-2")


def _plain(message: Message) -> Record:
    return Record(headers_of(message), message.payload)


def reordered(d: District) -> None:
    """Every partition in another order, every third message two or three times."""
    chance = np.random.default_rng(5)

    def change(messages: list[Kept]) -> list[Record]:
        times = np.where(chance.random(len(messages)) < 1 / 3, chance.integers(2, 4, len(messages)), 1)
        d.count("messages", len(messages))
        d.count("repeats", int(times.sum()) - len(messages))
        again = [_plain(one.message) for one, n in zip(messages, times, strict=True) for _ in range(n)]
        return [again[place] for place in chance.permutation(len(again))]

    _delivered(d, change)


def corrupted(d: District) -> None:
    """Between the messages: cut off, with changed bits, without headers, with wrong ones."""

    def change(messages: list[Kept]) -> list[Record]:
        good = [_plain(one.message) for one in messages]
        if len(good) < 2:
            return good
        first = messages[0].message
        alien = first._replace(boot="alien")
        flipped = bytearray(alien.payload)
        flipped[len(flipped) // 3] ^= 0xFF
        bad = [
            Record(headers_of(alien), alien.payload[: len(alien.payload) // 2]),
            Record(headers_of(alien._replace(rows=alien.rows + 1)), alien.payload),
            Record(headers_of(alien), bytes(flipped[:200])),
            Record([], b"no message at all"),
            Record([("sensor", b"\xff\xfe")], b""),
            Record(headers_of(alien._replace(schema=SCHEMA_VERSION + 1)), alien.payload),
        ]
        d.count("messages that are none", len(bad))
        half = len(good) // 2
        return [bad[0], *good[:half], *bad[1:5], *good[half:], bad[5]]

    _delivered(d, change)


def older(message: Message, version: int) -> Message:
    """The message as a sensor of that schema version would have written it."""
    batch = decode(message)
    names = [field.name for field in RECORDS[message.records] if field.since <= version]
    schema = pa.schema([PLAIN[message.records].field(name) for name in names])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=WRITE_OPTIONS) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([batch[name] for name in names], schema=schema))
    return message._replace(schema=version, payload=sink.getvalue().to_pybytes())


def _says_nothing_new(message: Message, version: int) -> bool:
    """Whether the columns that the version had not hold nothing in this batch."""
    batch = decode(message)
    newer = [field for field in RECORDS[message.records] if field.since > version]
    return all(
        batch[field.name].null_count == len(batch)
        if field.nullable
        else set(batch[field.name].unique().to_pylist()) <= {0, ""}
        for field in newer
    )


def old_schemas(d: District) -> None:
    """Sensors of every schema version so far side by side, in one partition."""

    def change(messages: list[Kept]) -> list[Record]:
        made = []
        for place, one in enumerate(messages):
            version = 1 + place % SCHEMA_VERSION
            if version < SCHEMA_VERSION and _says_nothing_new(one.message, version):
                d.count("messages of older schemas")
                made.append(_plain(older(one.message, version)))
            else:
                made.append(_plain(one.message))
        return made

    _delivered(d, change)
