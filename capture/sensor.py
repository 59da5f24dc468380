"""The sensor loop: a source of frames → the kernels → batches → the log."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from capture import dispatch, expiry
from capture.arena import UNKNOWN_OFFSET, batch_of, measure_columns, new_rows, write_columns
from capture.clock import clock_offset_us
from capture.flows import NONE
from capture.frames import Frames, empty_frames
from capture.outbox import Batch, Courier, Outbox
from capture.privileges import drop_privileges
from capture.sources import container
from capture.sources.classic import walk_records
from capture.sources.pcap import open_capture
from capture.sources.pcapng import walk_blocks
from capture.sources.ring import Ring
from capture.sources.strands import ask_ahead
from capture.sources.tpacket import walk_block
from capture.sources.warm import warm_sources
from capture.table import new_table
from pipeline.image import Image
from pipeline.records import HEALTH_EVENTS, SCHEMA_VERSION
from pipeline.settings import SensorSettings
from pipeline.stream.log import Log

#: µs of packet time between health rows (records.md).
HEALTH_US = 10_000_000
#: Health rows of one batch; our default.
HEALTH_ROWS = 256
#: Seconds between two batches of a live sensor, and how long one poll waits. Our defaults.
BATCH_S, POLL_S = 1.0, 0.25

#: What a health row says that the frames do not: names and values of its columns.
Circumstances = Callable[[], dict[str, Any]]

#: Longest time to take what waits in the ring at the end, s: far more than a full ring needs. Our default.
REST_S = 5.0

VERSION = version("spanwatch")
logger = logging.getLogger("spanwatch.sensor")


def _int64(data: bytes) -> int:
    return int.from_bytes(data[:8], "little", signed=True)


class Sensor:
    """Turns blocks of frames into record batches. Knows no source and no log, reads no clock.

    `boot` names this run for ever. `seed` (16 bytes or more) keys the hashes; without one they are
    random. The same settings, boot and seed over the same blocks give the same batches.
    """

    def __init__(
        self,
        settings: SensorSettings,
        boot: str,
        version: str = VERSION,
        *,
        seed: bytes | None = None,
        circumstances: Circumstances = dict,
    ) -> None:
        self.settings = settings
        self.boot = boot
        self.version = version
        digest = hashlib.blake2b(f"{settings.name}/{boot}".encode(), digest_size=8).digest()
        self.table = new_table(settings, _int64(seed or os.urandom(8)), _int64(digest))
        self._clock = self.table.meter["now"]
        self.sequence = 0
        """Number the next batch gets: one a batch, of whatever kind."""
        self.totals = dict.fromkeys(("packets", "bytes", "dropped_kernel", "dropped_ring"), 0)
        """Frames, wire bytes and losses told in health rows since the start."""
        self._circumstances = circumstances
        self._words: dict[str, tuple[str, ...]] = {"sensor": (settings.name,)}
        self._health = new_rows("health", HEALTH_ROWS)
        self._health_text = np.frombuffer((boot + version).encode(), np.uint8).copy()
        self._health_rows = 0
        self._next_health = NONE

    def feed(self, frames: Frames) -> Iterator[Batch]:
        """Take a block; yields batches whenever the rows are full."""
        if frames.count and self._next_health == NONE:
            first = int(frames.ts[0])
            self._next_health = first + HEALTH_US
            self.note("start", first)
        at = 0
        while at < frames.count:
            stop = self._until_health(frames, at)
            at = int(dispatch.run(self.table, frames._replace(count=stop), at))
            if at < stop:
                yield from self.flush()
            yield from self._note_time()

    def _until_health(self, frames: Frames, at: int) -> int:
        """Index behind the first frame from `at` on that makes a health row due."""
        due = frames.ts[at : frames.count] >= self._next_health
        first = int(due.argmax())
        return at + first + 1 if due[first] else frames.count

    def tick(self, now: int) -> Iterator[Batch]:
        """Let time (µs) pass without frames: silent flows end, health is told."""
        if now > self.now:
            if self._next_health == NONE:
                self._next_health = now + HEALTH_US
                self.note("start", now)
            while not expiry.tick(self.table, now):
                yield from self.flush()
            yield from self._note_time()

    @property
    def now(self) -> int:
        """Packet time, µs; -1 before any."""
        return int(self._clock[0])

    def _note_time(self) -> Iterator[Batch]:
        due = self._next_health - self.now
        # Not due for longer than a period: the clock was set back.
        if self._next_health != NONE and (due <= 0 or due > HEALTH_US):
            self._next_health = self.now + HEALTH_US
            self.note("tick", self.now)
            if self._health_rows == HEALTH_ROWS:
                yield from self.flush()

    def flush(self) -> Iterator[Batch]:
        """The batches of all rows that stand written; nothing where there are none."""
        table, meter = self.table, self.table.meter[0]
        for kind, rows, counter in (
            ("sightings", table.sighting_rows, "sighting_rows"),
            ("dns", table.dns_rows, "dns_rows"),
            ("flows", table.flow_rows, "flow_rows"),
        ):
            count = int(meter[counter])
            if count:
                meter[counter] = 0
                self.sequence += 1
                yield kind, batch_of(kind, rows[:count], table.text, self._words)
        meter.text_used = 0
        if self._health_rows:
            health = self._health[: self._health_rows]
            health["sequence"] = self.sequence
            self._health_rows = 0
            self.sequence += 1
            yield "health", batch_of("health", health, self._health_text, self._words)

    def finish(self, ts: int | None = None) -> Iterator[Batch]:
        """Write out every flow and question, and the last health row at `ts` µs (none: packet time)."""
        while not expiry.finish(self.table):
            yield from self.flush()
        self.note("stop", max(self.now, 0) if ts is None else ts)
        yield from self.flush()

    def note(self, event: str, ts: int) -> None:
        """Write a health row: what was counted since the last one, and how full things are now.

        A tick since which something was lost is a gap.
        """
        meter = self.table.meter[0]
        row = self._health[self._health_rows]
        self._health_rows += 1
        row.ts = ts
        for name in (
            "packets",
            "bytes",
            "truncated",
            "malformed",
            "unknown_link",
            "duplicates",
            "evicted",
            "heads_refused",
        ):
            row[name] = meter[name]
            meter[name] = 0
        row.flows = len(self.table.flows) - int(meter.flows_free)
        row.flows_peak = meter.flows_peak
        row.reassembly_peak = meter.heads_peak
        meter.flows_peak = row.flows
        meter.heads_peak = len(self.table.heads) - int(meter.heads_free)
        told = {"dropped_kernel": 0, "dropped_ring": 0, "outbox_bytes": 0, "outbox_lost": 0}
        told["clock_offset_us"] = UNKNOWN_OFFSET
        told |= self._circumstances()
        for name, value in told.items():
            row[name] = value
        if event == "tick" and (told["dropped_kernel"] or told["dropped_ring"] or told["outbox_lost"]):
            event = "gap"
        row.event = HEALTH_EVENTS.index(event)
        row.boot_at, row.boot_len = 0, len(self.boot.encode())
        row.version_at, row.version_len = row.boot_len, len(self.version.encode())
        for name in self.totals:
            self.totals[name] += int(row[name])


def file_digest(path: str, settings: SensorSettings) -> bytes:
    """Digest of a file's bytes and of all that shapes its rows: settings, schema and program version."""
    shaping = settings.model_dump(
        mode="json", exclude={"interface", "ring_bytes", "fanout", "processes", "user"}
    )
    digest = hashlib.blake2b(repr((SCHEMA_VERSION, VERSION, shaping)).encode(), digest_size=16)
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def file_sensor(path: str, settings: SensorSettings, circumstances: Circumstances = dict) -> Sensor:
    """A sensor for one capture file, its boot and seed named after the content: again gives the same rows.

    Standard input and pipes can't be read twice; they get a boot of their own each time. Raises OSError.
    """
    piped = path == "-" or not Path(path).is_file()
    digest = os.urandom(16) if piped else file_digest(path, settings)
    boot = f"{'pipe' if piped else 'file'}-{digest.hex()}"
    return Sensor(settings, boot, seed=digest, circumstances=circumstances)


def run_file(
    path: str,
    settings: SensorSettings,
    log: Log,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> str:
    """Take one capture file (`-` standard input) into the log.

    A file's boot is named after its content, so a replay that was killed goes on where it was, and a second
    one adds nothing; standard input gets a boot of its own each time. Returns the line that says where the
    file was cut off, empty if it was whole. Raises ValueError (no capture) and OSError.
    """
    warm_kernels()
    with open_capture(path) as capture:
        sensor = file_sensor(path, settings, lambda: {"outbox_lost": outbox.take_lost()})
        outbox = Outbox(log, settings.name, sensor.boot)
        for frames in capture:
            outbox.put(sensor.feed(frames))
            if on_progress is not None:
                on_progress(capture.bytes_read, capture.bytes_total)
        outbox.put(sensor.finish())
        if on_progress is not None:
            on_progress(capture.bytes_read, capture.bytes_total)
        return capture.truncated


#: What Python calls on the way of a frame; linked, a sensor starts without Numba.
IMAGE = Image(
    "sensor",
    (
        dispatch.run, expiry.tick, expiry.finish, measure_columns, write_columns, ask_ahead, walk_records,
        walk_blocks, walk_block, container.u32,
    ),
)  # fmt: skip


def warm_kernels() -> None:
    """Load everything that a frame or a flush will call; where it isn't there yet, compile and link it."""
    if IMAGE.load():
        return
    warm_sources()
    sensor = Sensor(SensorSettings(flows=1_024, heads=16, batch_rows=100), "warm")
    dispatch.run(sensor.table, empty_frames(np.zeros(64, np.uint8), 1), 0)
    expiry.tick(sensor.table, 1)
    list(sensor.finish(1))
    IMAGE.link()


class Report:
    """A line in the log for every health period: how much came, and what was lost."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._told = dict(sensor.totals)
        self._since = time.monotonic()

    def tell(self) -> None:
        """Write the line, if the period is over."""
        elapsed = time.monotonic() - self._since
        if elapsed < HEALTH_US / 1e6:
            return
        totals = self._sensor.totals
        fresh = {name: totals[name] - told for name, told in self._told.items()}
        self._told, self._since = dict(totals), time.monotonic()
        meter, flows = self._sensor.table.meter[0], len(self._sensor.table.flows)
        logger.info(
            "%s packets/s, %.3g Gbit/s, %s flows, dropped %s frames and %s ring blocks",
            f"{fresh['packets'] / elapsed:,.0f}",
            fresh["bytes"] * 8 / elapsed / 1e9,
            f"{flows - int(meter.flows_free):,}",
            f"{fresh['dropped_kernel']:,}",
            f"{fresh['dropped_ring']:,}",
        )


def run_live(settings: SensorSettings, log: Log, stop: threading.Event) -> None:
    """Capture from the interface into the log until `stop`, as an unprivileged user.

    Raises OSError: no such interface, no privilege, the interface went away, the log can't be written;
    what was captured before is in the log.
    """
    warm_kernels()
    log.append([])
    with Ring(settings.interface, settings.ring_bytes, settings.fanout) as ring:
        drop_privileges(settings.user)
        boot = f"live-{time.time_ns() // 1_000:x}-{os.urandom(4).hex()}"
        outbox = Outbox(log, settings.name, boot, live=True)
        courier = Courier(outbox)

        def circumstances() -> dict[str, Any]:
            kernel, blocks = ring.drops()
            offset = clock_offset_us()
            return {
                "clock_offset_us": UNKNOWN_OFFSET if offset is None else offset,
                "dropped_kernel": kernel,
                "dropped_ring": blocks,
                "outbox_lost": outbox.take_lost(),
                "outbox_bytes": outbox.waiting_bytes,
            }

        sensor = Sensor(settings, boot, circumstances=circumstances)
        due = time.monotonic() + BATCH_S
        report = Report(sensor)
        with courier:
            try:
                courier.put(sensor.tick(time.time_ns() // 1_000))
                while not stop.is_set():
                    frames = ring.poll(POLL_S)
                    if frames is not None:
                        courier.put(sensor.feed(frames))
                    elif time.time_ns() // 1_000 - sensor.now > BATCH_S * 1_000_000:
                        courier.put(sensor.tick(time.time_ns() // 1_000))
                    if time.monotonic() >= due:
                        due = time.monotonic() + BATCH_S
                        courier.put(sensor.flush())
                        report.tell()
            finally:
                # Frames that wait in the ring were received: they count. Those that still come are another
                # run's.
                until, deadline = time.time_ns() // 1_000, time.monotonic() + REST_S
                while (
                    sensor.now < until and time.monotonic() < deadline and (frames := _rest(ring)) is not None
                ):
                    courier.put(sensor.feed(frames))
                courier.put(sensor.finish(time.time_ns() // 1_000))


def _rest(ring: Ring) -> Frames | None:
    try:
        return ring.poll(0.1)
    except OSError:
        return None
