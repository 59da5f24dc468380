"""Settings: one TOML file, environment on top, unknown keys refused.

Looked for at `--config`, `$SPANWATCH_CONFIG`, `/etc/spanwatch/spanwatch.toml`; without any the
defaults below hold. `SPANWATCH_STORE__DSN=…` overrides `[store] dsn`.
"""

import os
import socket
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


class StreamSettings(Section):
    log_bytes: int = Field(4 << 30, ge=1 << 20)
    """Bound of the sensor's log; past it the oldest batches go, counted."""


class StoreSettings(Section):
    dsn: str = ""
    """`chdb:///folder`, `http(s)://user:password@host:port/database`; empty: chDB below `state`."""
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
        raise SettingsError(f"{where}: {key}: {first['msg']}; {mend}") from None
