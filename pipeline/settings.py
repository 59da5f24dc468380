"""Settings: one TOML file, environment on top, unknown keys refused.

Looked for at `--config`, `$SPANWATCH_CONFIG`, `/etc/spanwatch/spanwatch.toml`; without any the
defaults below hold. `SPANWATCH_STORE__DSN=…` overrides `[store] dsn`.
"""

import os
import re
import socket
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

SYSTEM_FILE = Path("/etc/spanwatch/spanwatch.toml")
ENVIRONMENT = "SPANWATCH_"
#: Variables that are read elsewhere: the settings file, the compiled code, where an error comes from.
NOT_SETTINGS = ("SPANWATCH_CONFIG", "SPANWATCH_CACHE", "SPANWATCH_DEBUG")


class SettingsError(ValueError):
    """A settings file or variable that can't be used; the message says what, where and how to mend it."""


def default_state() -> Path:
    """`/var/lib/spanwatch` where a package made it, else the user's state folder."""
    system = Path("/var/lib/spanwatch")
    if system.is_dir() and os.access(system, os.W_OK):
        return system
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "spanwatch"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class SensorSettings(Section):
    name: str = Field(default_factory=lambda: socket.gethostname().split(".")[0] or "sensor")
    """Name of this sensor in every record."""
    interface: str = ""
    """Network interface that receives the mirror."""
    flows: int = Field(262_144, ge=1_024, le=16_777_216)
    """Flows the table holds; up to 920 bytes of memory each, 576 of them only where a flow has a name."""
    heads: int = Field(4_096, ge=16, le=1_048_576)
    """Stream heads (16 KiB each) put together at the same time."""
    ring_bytes: int = Field(64 << 20, ge=1 << 20)
    """Size of the AF_PACKET ring."""
    fanout: int = Field(0, ge=0, le=65_535)
    """PACKET_FANOUT group shared by several sensors on one interface; 0 none."""
    processes: int = Field(1, ge=1, le=64)
    """Sensor processes that share the interface. Each has a ring and a table of its own, and names flows by
    the DNS answers that it saw itself."""
    duplicate_us: int = Field(5_000, ge=0, le=1_000_000)
    """A frame seen again within this time (µs) is the mirror's second copy; 0 keeps all."""
    user: str = "nobody"
    """User to become once the socket is open."""
    idle_tcp_s: int = Field(300, ge=1)
    """Seconds without a packet after which a TCP flow has ended."""
    idle_udp_s: int = Field(60, ge=1)
    """The same for UDP, ICMP and the rest."""
    batch_rows: int = Field(16_384, ge=100, le=500_000)
    """Rows of one kind after which a batch leaves."""


class KafkaSettings(Section):
    brokers: list[str] = []
    """`host:port` of some of the brokers (they name the others); empty: no Kafka, the worker reads this
    machine's log. In the environment separated by commas."""
    topic_prefix: str = Field("spanwatch", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Topics are `PREFIX.flows.v1`, `.dns.v1`, `.sightings.v1`, `.health.v1` and `.dead.v1`."""
    partitions: int = Field(6, ge=1, le=1_024)
    """Partitions of a topic that is made: as many workers can share the work."""
    replication: int = Field(3, ge=1, le=9)
    """Brokers that hold a copy of each message."""
    min_insync: int = Field(2, ge=1, le=9)
    """Copies that must be written before a message counts as kept."""
    retention_hours: int = Field(168, ge=1)
    """Hours that a topic keeps messages, read or not."""
    message_bytes: int = Field(16 << 20, ge=1 << 20, le=96 << 20)
    """Largest message a topic takes."""
    compression: Literal["lz4", "zstd"] = "lz4"
    """Of the columns in each message: zstd is a quarter smaller, lz4 takes half its time."""
    tls: bool = False
    """TLS, checked by the authorities this system trusts; on by itself where `ca` or `certificate` is set."""
    ca: Path | None = None
    """PEM file of the authority that signed the brokers' certificates; none: this system's."""
    certificate: Path | None = None
    """PEM file of the certificate that this host shows the brokers."""
    key: Path | None = None
    """PEM file of its private key."""
    mechanism: Literal["", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = ""
    """SASL mechanism by which `user` logs in; empty none. Over TLS alone."""
    user: str = ""
    """Name of the SASL user."""
    password_file: Path | None = None
    """File whose first line is the user's password."""
    group: str = Field("spanwatch", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Consumer group of the workers that share one store."""
    batch_rows: int = Field(200_000, ge=1_000, le=1_000_000)
    """Rows of a kind that a worker inserts at once, where so many wait."""
    batch_seconds: float = Field(0.5, ge=0, le=60)
    """Seconds that it waits for so many."""
    instance: str = Field(default_factory=lambda: socket.gethostname(), pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Name of this worker in the group, different on each: it keeps its partitions over a restart."""

    @field_validator("brokers", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, brokers: list[str]) -> list[str]:
        for broker in brokers:
            match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]/@]+):([0-9]{1,5})", broker)
            if match is None or not 0 < int(match[2]) < 65_536:
                raise ValueError(f"{broker!r} is no address of a broker; write host:port")
        return brokers

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.min_insync > self.replication:
            raise ValueError(
                f"min_insync {self.min_insync} is above replication {self.replication}; lower it, "
                "or no message would ever be kept"
            )
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together; set both or none")
        if self.mechanism and not (self.user and self.password_file):
            raise ValueError(f"mechanism {self.mechanism} needs user and password_file; set both")
        if (self.user or self.password_file) and not self.mechanism:
            raise ValueError("user and password_file need a mechanism; set SCRAM-SHA-512")
        if self.mechanism and not self.encrypted:
            raise ValueError(f"mechanism {self.mechanism} without TLS; set tls = true, or ca")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether brokers are spoken to over TLS."""
        return self.tls or self.ca is not None or self.certificate is not None


class StreamSettings(Section):
    log_bytes: int = Field(4 << 30, ge=1 << 20)
    """Bound of the sensor's log; past it the oldest batches go, counted."""
    site: str = ""
    """School or site that the sensor stands in: with the client's address it decides where in Kafka a record
    goes. Sensors of one network share it; empty: the sensor's name."""
    kafka: KafkaSettings = KafkaSettings()


class StoreSettings(Section):
    dsn: str = ""
    """`chdb:///folder`, `http(s)://user:password@host:port/database`, `clickhouse(s)://…` for the native
    port; empty: chDB below `state`."""
    password_file: Path | None = None
    """File whose first line is the password of the DSN's user."""
    cluster: str = Field("", pattern=r"^\w*$")
    """Name of the cluster in the servers' settings; empty: one server."""
    quorum: int = Field(0, ge=0, le=16)
    """In a cluster, replicas that must have an insert before it is acknowledged; 0: one."""
    storage_policy: str = Field("", pattern=r"^\w*$")
    """Storage policy in the server's settings for all tables; empty: its default."""
    cold_days: int = Field(0, ge=0)
    """Days after which rows go to the storage policy's volume `cold`; 0 never."""
    raw_days: int = Field(90, ge=0)
    """Days that flows, dns, sightings and attempts are kept after they arrived in the store; 0 for ever."""
    summary_days: int = Field(3_653, ge=0)
    """The same for rollups, findings and health. Ten years: 47 CFR 54.516."""


class ApiSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65_535)


class Settings(Section):
    state: Path = Field(default_factory=default_state)
    """Folder of everything that must survive a restart."""
    policy: Path | None = None
    """Policy file; none: the starter that ships with the product."""
    lists: Path | None = None
    """Folder of fetched lists; none: the starter lists alone."""
    sensor: SensorSettings = SensorSettings()
    stream: StreamSettings = StreamSettings()
    store: StoreSettings = StoreSettings()
    api: ApiSettings = ApiSettings()

    @property
    def log_file(self) -> Path:
        return self.state / "outbox.sqlite"

    @property
    def split_file(self) -> Path:
        """How the log's messages were split for Kafka."""
        return self.state / "outbox-split.json"

    @property
    def site(self) -> str:
        """Site of this host's sensor."""
        return self.stream.site or self.sensor.name

    @property
    def access_file(self) -> Path:
        return self.state / "access.sqlite"

    @property
    def store_dsn(self) -> str:
        return self.store.dsn or f"chdb://{(self.state / 'store').resolve()}"


def _environment() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in os.environ.items():
        if not key.startswith(ENVIRONMENT) or key in NOT_SETTINGS:
            continue
        *path, last = key.removeprefix(ENVIRONMENT).lower().split("__")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def settings_file(path: Path | None = None) -> Path | None:
    """The settings file in force: the one given, else the first there is; None where there is none."""
    if path is None and os.environ.get("SPANWATCH_CONFIG"):
        return Path(os.environ["SPANWATCH_CONFIG"])
    return SYSTEM_FILE if path is None and SYSTEM_FILE.exists() else path


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from the file, the environment and `overrides` (nested dictionaries), last wins.

    Raises SettingsError with file, key and mend.
    """
    path = settings_file(path)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(
                f"cannot read settings {path}: {error.strerror}; give a readable file"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot parse settings {path}: {error}; mend the TOML there") from None
    try:
        return Settings.model_validate(_merge(_merge(values, _environment()), overrides))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"settings {path}" if path else "settings"
        mend = "remove or rename it" if first["type"] == "extra_forbidden" else "set another value"
        said = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{where}: {key}: {said}" + ("" if ";" in said else f"; {mend}")) from None
