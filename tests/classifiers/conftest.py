"""A store on real chDB, and a scribe that writes records into it by hand."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
import pytest

from classifiers.detect import Detectors
from classifiers.detector import load_detectors
from classifiers.loss import MEASURED_BYTES
from classifiers.policy_model import Policy
from pipeline.records import KIND, SCHEMAS, TEXT, TEXTS, address_bytes
from pipeline.store.client import Store
from tests.pipeline.stores import made_store

#: The start of all made records, far from a full hour so that a round has one piece to judge.
START = datetime(2026, 3, 2, 10, 20, 0, tzinfo=UTC)

ADDED = [
    ("site", KIND),
    ("group", KIND),
    ("categories", TEXTS),
    ("service", KIND),
    ("action", KIND),
    ("clause", KIND),
    ("policy_version", KIND),
]
WRITTEN = {
    "flows": pa.schema([*SCHEMAS["flows"], *ADDED]),
    "dns": pa.schema([*SCHEMAS["dns"], ("sensor", KIND), *ADDED]),
    "sightings": pa.schema([*SCHEMAS["sightings"], ("sensor", KIND), ("site", KIND)]),
    "health": pa.schema([*SCHEMAS["health"], ("site", KIND)]),
}
_ZERO = address_bytes("::")


def at(seconds: float) -> datetime:
    """A moment after the start."""
    return START + timedelta(seconds=seconds)


def _zero(field: pa.Field) -> Any:
    if field.nullable and field.metadata:
        return None
    if field.type == pa.binary(16):
        return _ZERO
    if pa.types.is_timestamp(field.type):
        return START
    if pa.types.is_list(field.type) or pa.types.is_map(field.type):
        return []
    if pa.types.is_boolean(field.type):
        return False
    return "" if pa.types.is_dictionary(field.type) or field.type == TEXT else 0


class Scribe:
    """Collects rows and writes them to a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in WRITTEN}
        self._flow_ids = count(1)
        self._tokens = count()

    def _add(self, kind: str, values: dict[str, Any]) -> None:
        row = {field.name: _zero(field) for field in WRITTEN[kind]}
        unknown = values.keys() - row.keys()
        assert not unknown, unknown
        self._rows[kind].append({**row, "sensor": "s1", "site": "demo", **values})

    def flow(self, seconds: float, client: str, server: str, port: int = 443, **values: Any) -> None:
        """A TCP flow of 0.5 s, answered, from an inside host unless told otherwise."""
        self._add(
            "flows",
            {
                "start": at(seconds),
                "first": at(values.pop("first", seconds)),
                "end": at(seconds + values.pop("lasts", 0.5)),
                "client": address_bytes(client),
                "server": address_bytes(server),
                "client_port": 50_000,
                "server_port": port,
                "protocol": 6,
                "flow_id": next(self._flow_ids),
                "state": "SF",
                "packets_up": 5,
                "packets_down": 5,
                "flags_up": 0x1B,
                "name_source": "none",
                "reset_by": "none",
                **values,
            },
        )

    def failed(self, seconds: float, client: str, server: str, port: int = 445, **values: Any) -> None:
        """A SYN that nobody answers."""
        self.flow(
            seconds,
            client,
            server,
            port,
            **{"state": "S0", "packets_up": 1, "packets_down": 0, "flags_up": 2, **values},
        )

    def named(self, seconds: float, client: str, server: str, name: str, **values: Any) -> None:
        """A TLS connection to a name, delivered unless told otherwise."""
        self.flow(
            seconds,
            client,
            server,
            **{
                "server_name": name,
                "name_source": "sni",
                "application": "tls",
                "hello": 3,
                "acked_down": 50_000,
                "bytes_down": 52_000,
                "payload_up": 2_000,
                "payload_down": 50_000,
                "categories": ["social_media"],
                "action": "prohibit",
                "group": "students",
                **values,
            },
        )

    def dns(self, seconds: float, client: str, name: str, *addresses: str, **values: Any) -> None:
        """A question, answered with addresses."""
        self._add(
            "dns",
            {
                "ts": at(seconds),
                "client": address_bytes(client),
                "server": address_bytes("10.10.0.53"),
                "transport": "udp",
                "qname": name,
                "qtype": 1,
                "rcode": 0,
                "ra": True,
                "answered": True,
                "addresses": [address_bytes(address) for address in addresses],
                "categories": ["social_media"],
                "action": "prohibit",
                "group": "students",
                **values,
            },
        )

    def sighting(
        self,
        seconds: float,
        source: str,
        mac: int,
        ip: str,
        value: str = "",
        *,
        called: str = "",
        seen_in: int = 0,
        site: str = "demo",
        **attributes: str,
    ) -> None:
        """What a device that calls itself so says about itself, seen in a VLAN."""
        self._add(
            "sightings",
            {
                "site": site,
                "ts": at(seconds),
                "source": source,
                "mac": mac,
                "ip": address_bytes(ip),
                "name": called,
                "vlan": seen_in,
                "value": value,
                "attributes": list(attributes.items()),
            },
        )

    def health(self, seconds: float, packets: int, dropped: int, **values: Any) -> None:
        """A health row of a sensor that dropped frames."""
        told = {"ts": at(seconds), "event": "tick", "packets": packets, "dropped_kernel": dropped}
        self._add("health", {**told, **values})

    def watched(self, until: float = 900) -> None:
        """Reports without drops and a TCP flow without holes, every four minutes: a loss known to be none."""
        for seconds in range(0, int(until) + 1, 240):
            self.health(seconds, 1_000, 0)
            self.flow(seconds, "10.20.0.9", "203.0.113.9", bytes_down=MEASURED_BYTES)

    def write(self) -> None:
        """Inserts what was collected since the last call."""
        for kind, rows in self._rows.items():
            if rows:
                table = pa.Table.from_pylist(rows, schema=WRITTEN[kind])
                self.store.insert(kind, table, f"{kind}/{next(self._tokens)}/{id(self)}")
                rows.clear()

    def detectors(self, *names: str, policy: Policy | None = None) -> Detectors:
        """The detectors of those names (all without any) under a policy."""
        chosen = tuple(d for d in load_detectors() if not names or d.name in names)
        return Detectors(self.store, policy or make_policy(), chosen)

    def detect(self, *names: str, policy: Policy | None = None, seconds: float = 900) -> list[dict[str, Any]]:
        """Writes, runs a round over the time since the start, and gives all findings."""
        self.write()
        self.detectors(*names, policy=policy).round(_us(0), _us(seconds))
        return self.findings()

    def findings(self) -> list[dict[str, Any]]:
        return self.store.rows(
            "SELECT * FROM findings FINAL WHERE withdrawn = '' ORDER BY detector, site, subject, `from`"
        )

    def attempts(self) -> list[dict[str, Any]]:
        return self.store.rows("SELECT * FROM attempts FINAL ORDER BY client, name, window_start")


def _us(seconds: float) -> int:
    return int(at(seconds).timestamp() * 1_000_000)


POLICY = """
organisation = "Test district"
[[sites]]
id = "demo"
subnets = ["10.0.0.0/8", "fd00::/8"]
[[groups]]
id = "students"
subnets = ["10.20.0.0/16"]
[filter]
methods = ["dns", "reset"]
sinkholes = ["10.10.0.80"]
block_hosts = ["block.example"]
resolvers = ["10.10.0.53"]
[approved]
dhcp = ["10.20.0.1"]
routers = ["10.20.0.1"]
scanners = ["10.10.0.99/32"]
[sanctioned]
vpn = ["198.51.100.7/32"]
[[quotas]]
groups = ["students"]
categories = ["streaming_video"]
link_share = 0.25
"""


def make_policy(**sections: Any) -> Policy:
    """The policy of these tests, with values of sections replaced."""
    values = tomllib.loads(POLICY)
    for name, section in sections.items():
        values[name] = {**values[name], **section} if isinstance(values.get(name), dict) else section
    return Policy.model_validate(values)


@pytest.fixture(scope="module")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with made_store(tmp_path_factory.mktemp("made")) as store:
        yield store


@pytest.fixture
def scribe(chdb: Store) -> Scribe:
    """A scribe before an empty store."""
    made = (
        "attempts",
        "findings",
        "finding_parts",
        "traffic_1m",
        "traffic_1h",
        "sites_5m",
        "sites_1h",
        "usage_1h",
        "link_5m",
        "failed_1h",
        "hosts_1h",
    )
    for table in (*WRITTEN, *made):
        chdb.command(f"TRUNCATE TABLE {table}")
    return Scribe(chdb)


@pytest.fixture
def policy_of():
    return make_policy
