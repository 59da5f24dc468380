"""A district on one machine: sensor, relay, brokers, workers and store as processes to be hurt one by one."""

import contextlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Self

from pipeline.settings import Settings, load_settings
from pipeline.store.client import Store, open_store
from pipeline.stream.log import Log
from tests.faults.feed import BOOT, SENSOR
from tests.faults.ledger import Held, ledger, sums
from tests.services.clickhouse import CurrentServer
from tests.services.kafka import Kafka
from tests.services.processes import Program
from tests.services.topics import records_of
from tests.spanwatch.program import COMMAND, environment

#: Seconds between two looks at how far a run is.
LOOK_S = 0.2
#: Batches of which every part is in the store, their rows, and the moment the last of them came in.
ARRIVED = """
SELECT countIf(there = wanted) AS whole, sum(part_rows) AS rows, max(newest) AS newest
FROM
(
    SELECT uniqExact(part) AS there, max(parts) AS wanted, sum(rows) AS part_rows,
           maxIf(toUnixTimestamp64Milli(stored), rows > 0) AS newest
    FROM (SELECT * FROM batches LIMIT 1 BY sensor, boot, sequence, part)
    WHERE sensor = {sensor:String} AND boot = {boot:String}
    GROUP BY sequence
)
"""
JUDGED = "SELECT toUnixTimestamp64Milli(max(until)) AS until FROM judged"


class Load(NamedTuple):
    """What the sensor sends."""

    flows: int
    rows: int = 2_000
    """Flows of a batch."""
    rate: float = 0
    """Flows a second at most; 0 as fast as can be."""


class Outcome(NamedTuple):
    """How a run ended."""

    tables: dict[str, Held]
    sums: dict[str, int]
    seconds: float
    retries: int
    """Times that relay and workers tried again."""
    memory: int
    """Most bytes that a worker had in memory."""
    dead: int
    """Messages that workers set aside: records on their topic."""


class District:
    """One run: topics and database of their own on brokers and a store that others may use, too.

    Without brokers the worker reads the sensor's log.
    """

    def __init__(
        self, folder: Path, kafka: Kafka | None, server: CurrentServer, name: str, load: Load,
        partitions: int = 8, **stream: Any,
    ) -> None:  # fmt: skip
        self.folder, self.kafka, self.server, self.name, self.load = folder / name, kafka, server, name, load
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "sensor"
        self.settings_of = {
            "sensor": {"name": SENSOR},
            "stream": stream,
            "store": {"dsn": server.dsn(name.replace("-", "_")), "raw_days": 0, "summary_days": 0},
        }  # fmt: skip
        if kafka is not None:
            brokers = len(kafka.numbers)
            own = {"topic_prefix": name, "group": name, "partitions": partitions, "replication": brokers}
            self.settings_of["stream"] = stream | {
                "kafka": own | {"min_insync": min(2, brokers)} | kafka.settings
            }
        self.config = self.folder / "settings.toml"
        self.write_settings()
        self.programs: dict[str, Program] = {}
        self.counts: dict[str, int] = {}
        """What was done to it: kills, seconds without brokers, …"""
        self.patience = 240.0
        """Seconds that a step may take."""
        self._started = time.monotonic()
        self._memory = 0
        self._told: dict[str, dict[str, float]] = {}

    def write_settings(self) -> None:
        self.config.write_text(_toml(self.settings_of), "utf-8")

    @property
    def settings(self) -> Settings:
        return load_settings(self.config, state=self.state)

    @property
    def brokers(self) -> Kafka:
        assert self.kafka is not None
        return self.kafka

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # processes

    def start(self, *names: str, extra: Mapping[str, str] = {}) -> None:
        """Start `sensor`, `relay`, `worker-N`; again after a kill. `extra`: more environment."""
        for name in names:
            state = self._state_of(name)
            more = {"SPANWATCH_STREAM__KAFKA__INSTANCE": name} | dict(extra)
            variables = [f"{key}={value}" for key, value in (environment() | more).items()]
            if name == "sensor":
                load = self.load
                command = [sys.executable, "-m", "tests.faults.feed", self.config, state,
                           "--flows", load.flows, "--rows", load.rows, "--rate", load.rate]  # fmt: skip
            else:
                command = [*COMMAND, "--config", self.config, "--state", state, name.partition("-")[0]]
            words = ["env", "-i", *variables, *map(str, command)]
            program = Program(words, self.folder / f"{name}.log", lambda: True)
            program.start()
            self.programs[name] = program

    def _state_of(self, name: str) -> Path:
        return self.state if self.kafka is None or name in ("sensor", "relay") else self.folder / name

    def kill(self, name: str) -> None:
        """kill -9."""
        self._look()
        self.programs[name].kill()
        self.count(f"kills of {name.partition('-')[0]}")

    def stop(self, *names: str) -> None:
        """End them as an operator would; all of them without names."""
        self._look()
        for name in names or tuple(self.programs):
            self.programs.pop(name).stop()

    def runs(self, name: str) -> bool:
        program = self.programs.get(name)
        return program is not None and _state(program.pid) not in ("", "Z", "X")

    def _look(self) -> None:
        for name, program in self.programs.items():
            if name.startswith("worker"):
                self._memory = max(self._memory, _peak(program.pid))

    # how far it is

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Until it is so. Raises TimeoutError with what the processes said last."""
        end = time.monotonic() + self.patience
        while not done():
            self._look()
            if time.monotonic() > end:
                raise TimeoutError(f"{what} not within {self.patience:.0f} s; {self._last_words()}")
            time.sleep(LOOK_S)

    def rows(self) -> int:
        """Rows of the sensor in the store; 0 while it does not answer."""
        return self._arrived()[1]

    def reach(self, share: float) -> None:
        """Until so much of the made flows is in the store."""
        self.wait(lambda: self.rows() >= share * self.load.flows, f"{share:.0%} of the rows")

    def appended(self) -> int:
        """Batches that the log has had."""
        marks = "SELECT coalesce(max(highest) + 1, 0) FROM marks WHERE sensor = ? AND boot = ?"
        # Only read: on a full disk there is no room to open the log as its users do.
        with contextlib.suppress(sqlite3.Error):
            file = f"file:{self.settings.log_file}?mode=ro"
            with closing(sqlite3.connect(file, uri=True, timeout=5)) as log:
                return int(log.execute(marks, (SENSOR, BOOT)).fetchone()[0])
        return 0

    def waiting(self) -> int:
        """Messages in the log that the relay has yet to hand over."""
        with closing(Log(self.settings.log_file, self.settings.stream.log_bytes)) as log:
            return log.waiting("relay")[0]

    def totals(self) -> dict[str, int]:
        """What the log counts."""
        with closing(Log(self.settings.log_file, self.settings.stream.log_bytes)) as log:
            return log.totals()

    def _arrived(self) -> tuple[int, int, int]:
        try:
            with closing(self.store()) as store:
                [row] = store.rows(ARRIVED, {"sensor": SENSOR, "boot": BOOT})
                return int(row["whole"]), int(row["rows"]), int(row["newest"] or 0)
        except (OSError, ValueError):
            return 0, 0, 0

    def _judged(self, newest: int) -> bool:
        try:
            with closing(self.store()) as store:
                return int(store.rows(JUDGED)[0]["until"]) >= newest
        except (OSError, ValueError):
            return False

    def store(self) -> Store:
        return open_store(self.settings)

    def told(self, name: str) -> dict[str, float]:
        """What a process last wrote about itself."""
        try:
            lines = (self._state_of(name) / f"{name.partition('-')[0]}.prom").read_text("utf-8").splitlines()
        except OSError:
            return {}
        return {line.split()[0].split("_", 2)[2]: float(line.split()[1]) for line in lines}

    def finish(self, lost: int = 0) -> Outcome:
        """Until all that was sent, but `lost` batches, is in and judged; then everything ends."""
        self.wait(lambda: not self.runs("sensor"), "the sensor's end")
        wanted = self.appended() - lost
        self.wait(lambda: self._arrived()[0] == wanted, f"all {wanted} batches in the store")
        newest = self._arrived()[2]
        self.wait(lambda: self._judged(newest), "the last round of the detectors")
        told = [self.told(name) for name in self.programs]
        self.stop()
        dead = 0 if self.kafka is None else len(records_of(self.settings.stream.kafka, "dead"))
        with closing(self.store()) as store:
            return Outcome(
                ledger(store), sums(store), time.monotonic() - self._started,
                int(sum(one.get("retries", 0) for one in told)), self._memory,
                dead,
            )  # fmt: skip

    def _last_words(self) -> str:
        said = []
        for path in sorted(self.folder.glob("*.log")):
            text = path.read_text("utf-8", "replace").strip().splitlines()
            said.append(f"{path.stem}: {' | '.join(text[-3:])}")
        told = {name: self.told(name) for name in self.programs}
        return f"{self._arrived()} {self.appended()} {'; '.join(said)} {json.dumps(told)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self.programs.values():
            program.kill()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _peak(pid: int) -> int:
    """Most memory that a process, or the one that `env` became, had: bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


def _toml(values: Mapping[str, Any], table: str = "") -> str:
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    text = (f"[{table}]\n" if table and lines else "") + "".join(f"{line}\n" for line in lines)
    for key, value in values.items():
        if isinstance(value, Mapping):
            text += _toml(value, f"{table}.{key}" if table else key)
    return text
