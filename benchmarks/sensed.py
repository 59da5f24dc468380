"""What the sensor says of one capture, in the form that other programs' results are compared with."""

import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from capture.sensor import Sensor, file_digest
from capture.sources.pcap import open_capture
from pipeline.records import json_rows
from pipeline.settings import SensorSettings

#: Small, and keeps every frame: the programs that are compared know no duplicates.
SETTINGS = SensorSettings(name="agreement", flows=16_384, heads=512, duplicate_us=0, batch_rows=20_000)


class Ends(NamedTuple):
    """A conversation without its direction; ports are 0 where the protocol has none."""

    protocol: int
    low: tuple[str, int]
    high: tuple[str, int]


@cache
def address(text: str) -> str:
    """An address in the form of records: short, and IPv4 where it is mapped. Anything else stays as it is."""
    try:
        known = ipaddress.ip_address(text)
    except ValueError:
        return text
    return str(getattr(known, "ipv4_mapped", None) or known)


def ends(protocol: int, a: str, a_port: int, b: str, b_port: int) -> Ends:
    """The same for both directions."""
    first, second = sorted([(address(a), a_port), (address(b), b_port)])
    return Ends(protocol, first, second)


@dataclass
class Flow:
    """All rows of one flow."""

    ends: Ends
    client: tuple[str, int]
    server: tuple[str, int]
    first: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def total(self, name: str) -> int:
        """Sum of a counter over the rows."""
        return sum(row[name] for row in self.rows)

    def last(self, name: str) -> Any:
        """What the newest row says that says anything."""
        return next((row[name] for row in reversed(self.rows) if row[name]), self.rows[-1][name])

    @property
    def names(self) -> set[tuple[str, str]]:
        """(source, name) of each row that has a name the client asked for."""
        return {
            (row["name_source"], row["server_name"])
            for row in self.rows
            if row["server_name"] and row["name_source"] not in ("none", "dns")
        }


@dataclass
class Sensed:
    """Everything the sensor says of one capture."""

    flows: list[Flow]
    dns: list[dict[str, Any]]
    sightings: list[dict[str, Any]]
    health: Counter[str]
    """Sums of the health rows' counters."""
    truncated: str
    """The line that says where the file was cut off; empty if it was whole."""

    def by_ends(self) -> dict[Ends, list[Flow]]:
        """Flows of each conversation, oldest first."""
        found: dict[Ends, list[Flow]] = {}
        for flow in self.flows:
            found.setdefault(flow.ends, []).append(flow)
        return found


COUNTED = ("packets", "bytes", "truncated", "malformed", "unknown_link", "duplicates", "evicted")


def sense(path: Path) -> Sensed:
    """Run the sensor over a capture. Raises ValueError where it is none, OSError where it can't be read."""
    rows: dict[str, list[dict[str, Any]]] = {"flows": [], "dns": [], "sightings": [], "health": []}
    with open_capture(str(path)) as capture:
        sensor = Sensor(SETTINGS, "agreement", seed=file_digest(str(path), SETTINGS))
        for frames in capture:
            for kind, batch in sensor.feed(frames):
                rows[kind] += json_rows(kind, batch)
        for kind, batch in sensor.finish():
            rows[kind] += json_rows(kind, batch)
    flows: dict[int, Flow] = {}
    for row in rows["flows"]:
        flow = flows.get(row["flow_id"])
        if flow is None:
            client, server = (row["client"], row["client_port"]), (row["server"], row["server_port"])
            flow = Flow(ends(row["protocol"], *client, *server), client, server, row["first"])
            flows[row["flow_id"]] = flow
        flow.rows.append(row)
    health = Counter({name: sum(row[name] for row in rows["health"]) for name in COUNTED})
    ordered = sorted(flows.values(), key=lambda flow: flow.first)
    return Sensed(ordered, rows["dns"], rows["sightings"], health, capture.truncated)
