"""The sensor loop: health, time without frames, and captures into the log."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from capture.sensor import HEALTH_ROWS, Sensor, run_file
from pipeline.records import SCHEMAS, json_rows
from pipeline.settings import SensorSettings
from pipeline.stream.log import Log
from pipeline.stream.message import decode
from tests.capture.packets import (
    ACK,
    SECOND,
    SEED,
    T0,
    Conversation,
    Packet,
    block,
    client_hello,
    dns,
    ethernet,
    icmp,
    rows_of,
    small_sensor,
    udp,
)

SETTINGS = SensorSettings(name="gate", flows=1_024, heads=16, batch_rows=100)


def pcap(path: Path, packets: Iterable[Packet]) -> Path:
    """A capture file (draft-ietf-opsawg-pcap)."""
    made = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    for ts, data, wire in packets:
        made += struct.pack("<IIII", *divmod(ts, SECOND), len(data), wire or len(data)) + data
    path.write_bytes(made)
    return path


def school_hour(visits: int) -> list[Packet]:
    """Some pupils who ask for names and visit them."""
    packets = []
    for number in range(visits):
        client = f"10.1.{number % 7}.{number % 11}"
        ts = T0 + number * SECOND
        name = b"site%d.example" % (number % 13)
        packets.append(Packet(ts, udp(dns(number, name), 50_000 + number, 53, source=client, ident=1)))
        talk = Conversation(client=client, sport=10_000 + number, ts=ts + 1_000).open()
        packets += talk.up(ACK, client_hello(name)).down(ACK, b"x" * 500).up(ACK).close().packets
    return packets


def test_health_every_10_s() -> None:
    """Between start and stop there is a row every 10 s of packet time, whatever the size of the blocks."""
    packets = [Packet(T0 + n * SECOND, icmp(8, 0)) for n in range(101)]
    health = rows_of(packets).health
    assert [row["event"] for row in health] == ["start", *["tick"] * 10, "stop"]
    assert [row["packets"] for row in health] == [0, 11, *[10] * 9, 0]
    assert [row["ts"][17:19] for row in health] == [
        "00",
        "10",
        "20",
        "30",
        "40",
        "50",
        "00",
        "10",
        "20",
        "30",
        "40",
        "40",
    ]
    told = [{k: v for k, v in row.items() if k != "sequence"} for row in health]
    small = [{k: v for k, v in row.items() if k != "sequence"} for row in rows_of(packets, blocks=13).health]
    assert small == told


def test_health_counts_all_frames() -> None:
    """Frames and wire bytes of the health rows are those that were fed; the sensor keeps their totals."""
    sensor = small_sensor()
    packets = school_hour(30)
    list(sensor.feed(block(packets)))
    list(sensor.finish())
    assert sensor.totals["packets"] == len(packets)
    assert sensor.totals["bytes"] == sum(len(packet.data) for packet in packets)


@pytest.mark.compiled
def test_more_health_rows_than_a_batch_holds() -> None:
    """Hours of silence between frames make no more rows than there is room for at once."""
    packets = [Packet(T0 + n * 20 * SECOND, icmp(8, 0)) for n in range(HEALTH_ROWS + 50)]
    rows = rows_of(packets)
    assert len(rows.health) == HEALTH_ROWS + 51
    assert rows.total("packets") == len(packets)


def test_silence_is_told() -> None:
    """Time that passes without frames ends flows and gives health rows."""
    sensor = small_sensor()
    list(sensor.feed(block([Packet(T0, udp(b"x", 50_000, 9_999))])))
    for second in range(1, 75):
        assert list(sensor.tick(T0 + second * SECOND)) == []
    batches = dict(sensor.flush())
    assert batches["flows"].num_rows == 1
    assert batches["health"].num_rows == 8
    assert list(sensor.tick(T0)) == []


def test_a_sensor_without_frames_says_so() -> None:
    """No frame at all is still a row that says: stopped, nothing seen."""
    ((kind, batch),) = small_sensor().finish(T0)
    assert kind == "health"
    (row,) = json_rows(kind, batch)
    assert (row["event"], row["packets"], row["ts"][:10]) == ("stop", 0, "2026-03-02")


def test_circumstances_are_told() -> None:
    """What the caller knows of drops and the log is in the row; without a caller it is zero or null."""
    sensor = Sensor(
        SETTINGS, "boot", "0", seed=SEED, circumstances=lambda: {"dropped_kernel": 5, "clock_offset_us": -1}
    )
    ((_, batch),) = sensor.finish(T0)
    (row,) = json_rows("health", batch)
    assert (row["dropped_kernel"], row["clock_offset_us"], row["dropped_ring"]) == (5, -1, 0)
    assert sensor.totals["dropped_kernel"] == 5


def test_batches_follow_the_schemas() -> None:
    """Every batch has the contract's schema and is sound throughout."""
    sensor = small_sensor()
    batches = [*sensor.feed(block(school_hour(20))), *sensor.finish()]
    assert {kind for kind, _ in batches} == {"flows", "dns", "health"}
    for kind, batch in batches:
        assert batch.schema.equals(SCHEMAS[kind], check_metadata=True)
        batch.validate(full=True)


def test_flow_ids_are_the_boots() -> None:
    """Flows of two boots have different identifiers, those of one boot repeat."""

    def ids(boot: str) -> set[Any]:
        sensor = Sensor(SETTINGS, boot, "0", seed=SEED)
        batches = [*sensor.feed(block(school_hour(20))), *sensor.finish()]
        return {i for kind, batch in batches if kind == "flows" for i in batch.column("flow_id").to_pylist()}

    assert len(ids("a")) == 40
    assert ids("a") == ids("a")
    assert not ids("a") & ids("b")


@pytest.mark.compiled
def test_the_seed_does_not_show_in_rows() -> None:
    """Hashes keyed otherwise give the same rows in the same order."""
    packets = school_hour(40)
    made = []
    for seed in (SEED, bytes(16), None):
        sensor = Sensor(SETTINGS, "boot", "0", seed=seed)
        made.append([*sensor.feed(block(packets)), *sensor.finish()])
    for other in made[1:]:
        assert all(a.equals(b) for (_, a), (_, b) in zip(made[0], other, strict=True))


def messages(path: Path) -> list[tuple[str, int, str, pa.RecordBatch]]:
    """All that stands in a log."""
    with Log(path, 1 << 30) as log:
        return [
            (entry.message.boot, entry.message.sequence, entry.message.records, decode(entry.message))
            for entry in log.read("test", 100_000)
        ]


def new_log(path: Path) -> Log:
    log = Log(path, 1 << 30)
    log.register("test")
    return log


@pytest.mark.compiled
def test_a_file_replayed_twice_is_in_the_log_once(tmp_path: Path) -> None:
    """The same content under another name adds nothing; other content or settings do."""
    packets = school_hour(60)
    first = pcap(tmp_path / "a.pcap", packets)
    second = pcap(tmp_path / "b.pcap", packets)
    with new_log(tmp_path / "log") as log:
        assert run_file(str(first), SETTINGS, log) == ""
        before = log.waiting("test")
        run_file(str(first), SETTINGS, log)
        run_file(str(second), SETTINGS, log)
        assert log.waiting("test") == before
        run_file(str(second), SETTINGS.model_copy(update={"duplicate_us": 0}), log)
        assert log.waiting("test")[0] == 2 * before[0]


class CutError(Exception):
    """Stands for the end of a process between two transactions."""


@pytest.mark.compiled
def test_a_replay_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    """A run that ends after a block and is begun again leaves the same messages as one in one go."""
    jumbo = ethernet(bytes(65_000), 0x88B5)
    packets = [*school_hour(120), *[Packet(T0, jumbo)] * 150, *school_hour(30)]
    path = pcap(tmp_path / "a.pcap", packets)
    with new_log(tmp_path / "whole") as log:
        run_file(str(path), SETTINGS, log)
    expected = messages(tmp_path / "whole")

    def cut_off(done: int, total: int | None) -> None:
        assert total is not None
        assert done < total, "the capture is one block: nothing to cut"
        raise CutError

    with new_log(tmp_path / "cut") as log, pytest.raises(CutError):
        run_file(str(path), SETTINGS, log, cut_off)
    partly = messages(tmp_path / "cut")
    assert 0 < len(partly) < len(expected)
    with new_log(tmp_path / "cut") as log:
        run_file(str(path), SETTINGS, log)
    told = messages(tmp_path / "cut")
    assert [m[:3] for m in told] == [m[:3] for m in expected]
    assert all(a[3].equals(b[3]) for a, b in zip(told, expected, strict=True))


@pytest.mark.compiled
def test_sequences_have_no_holes(tmp_path: Path) -> None:
    """Batches of all kinds are numbered together, and health rows say their own batch's number."""
    path = pcap(tmp_path / "a.pcap", school_hour(60))
    with new_log(tmp_path / "log") as log:
        run_file(str(path), SETTINGS, log)
    told = messages(tmp_path / "log")
    assert [m[1] for m in told] == list(range(len(told)))
    for _, number, kind, batch in told:
        if kind == "health":
            assert set(batch.column("sequence").to_pylist()) == {number}


def test_a_cut_file_is_read_to_its_cut(tmp_path: Path) -> None:
    """What stands before the cut is in the log; the line says where it was."""
    path = pcap(tmp_path / "a.pcap", school_hour(20))
    path.write_bytes(path.read_bytes()[:-7])
    with new_log(tmp_path / "log") as log:
        line = run_file(str(path), SETTINGS, log)
    assert line
    assert "\n" not in line
    total = sum(
        sum(m[3].column("packets").to_pylist()) for m in messages(tmp_path / "log") if m[2] == "health"
    )
    assert total == len(school_hour(20)) - 1


def test_an_empty_capture_is_no_error(tmp_path: Path) -> None:
    """A capture without frames gives the health row of its end alone."""
    with new_log(tmp_path / "log") as log:
        run_file(str(pcap(tmp_path / "a.pcap", [])), SETTINGS, log)
    assert [m[2] for m in messages(tmp_path / "log")] == ["health"]


def test_progress_is_told(tmp_path: Path) -> None:
    """Bytes read grow up to the file's size."""
    path = pcap(tmp_path / "a.pcap", school_hour(50))
    told: list[tuple[int, int | None]] = []
    with new_log(tmp_path / "log") as log:
        run_file(str(path), SETTINGS, log, lambda done, total: told.append((done, total)))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert told == sorted(told)


def test_rows_can_be_printed() -> None:
    """Every row of a run is JSON."""
    rows = rows_of(school_hour(5))
    for row in [*rows.flows, *rows.dns, *rows.health]:
        assert json.loads(json.dumps(row)) == row


@pytest.mark.parametrize(
    ("lost", "event"), [({}, "tick"), ({"dropped_kernel": 3}, "gap"), ({"outbox_lost": 1}, "gap")]
)
def test_a_tick_after_a_loss_is_a_gap(lost: dict[str, int], event: str) -> None:
    """Health says by its event that something is missing since the last row."""
    sensor = Sensor(SensorSettings(flows=1_024, heads=16), "gaps", circumstances=lambda: lost)
    sensor.note("tick", T0)
    ((kind, batch),) = sensor.flush()
    assert (kind, batch["event"].to_pylist()) == ("health", [event])
