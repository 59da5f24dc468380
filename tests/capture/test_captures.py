"""Real captures, where they are at hand: what dpkt counts and tshark names, the sensor counts and names."""

import json
import os
import re
import struct
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import dpkt
import pytest

from capture.sources.pcap import open_capture
from pipeline.records import json_rows
from tests.capture.packets import Rows, small_sensor

REAL = Path(os.environ.get("REAL_CAPTURES", Path(__file__).parents[3] / "shared" / "captures"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL.is_dir(), reason="no folder of real captures; set REAL_CAPTURES"),
]

#: Captures compared packet by packet, and how large they may be.
COMPARED, LARGEST = 150, 1 << 20
#: Share of the names tshark finds that the sensor must find.
NAMED = {"tls": 0.98, "dns": 0.98, "http": 0.95}
#: Layers that change whose name it is, or that the sensor does not decode (yet).
ELSEWHERE = (
    "gre", "vxlan", "geneve", "mpls", "pppoe", "ppp", "teredo", "gtp", "ipip", "wlan", "socks", "quic",
    "dtls", "6in4", "ayiya", "sll", "icmp", "erspan", "l2tp", "capwap", "cldap", "nbns",
    "http2", "starttls", "smtp", "pop", "arcnet", "nflog",
)  # fmt: skip


def rows_of_file(path: Path) -> Rows:
    """Rows of a capture; no frame is taken for a copy, as the other programs know none."""
    sensor = small_sensor(flows=65_536, heads=1_024, duplicate_us=0, batch_rows=20_000)
    rows = Rows([], [], [], [])
    with open_capture(str(path)) as capture:
        for frames in capture:
            for kind, batch in sensor.feed(frames):
                getattr(rows, kind).extend(json_rows(kind, batch))
    for kind, batch in sensor.finish():
        getattr(rows, kind).extend(json_rows(kind, batch))
    return rows


class Counted(NamedTuple):
    frames: int
    packets: int
    octets: int
    flows: int


TAGS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)


def network_layer(frame: bytes) -> tuple[int, bytes]:
    """Ethertype and bytes behind Ethernet, its tags and SNAP; dpkt would go on through MPLS and PPPoE."""
    at = 12
    while len(frame) >= at + 2 and struct.unpack_from("!H", frame, at)[0] in TAGS:
        at += 4
    if len(frame) < at + 2:
        return 0, b""
    kind = struct.unpack_from("!H", frame, at)[0]
    at += 2
    if kind < 0x600 and frame[at : at + 6] == b"\xaa\xaa\x03\0\0\0" and len(frame) >= at + 8:
        return struct.unpack_from("!H", frame, at + 6)[0], frame[at + 8 :]
    return kind, frame[at:]


def count(path: Path) -> Counted | None:
    """What dpkt says of a capture; None if it is no Ethernet, or dpkt can't read it to its end.

    Deliberately as the sensor: an IP packet whose header is longer than the frame on the wire, or that
    contradicts itself, is no packet of a flow. A fragment counts once its datagram does, so by packet.
    """
    frames = packets = octets = 0
    flows = set()
    try:
        with path.open("rb") as file:
            reader = dpkt.pcap.UniversalReader(file)
            if reader.datalink() != 1:
                return None
            for _, frame in reader:
                frames += 1
                kind, data = network_layer(frame)
                try:
                    ip = (
                        dpkt.ip.IP(data) if kind == 0x0800 else dpkt.ip6.IP6(data) if kind == 0x86DD else None
                    )
                except (dpkt.UnpackError, IndexError, struct.error):
                    return None
                if ip is None:
                    continue
                length = ip.len if kind == 0x0800 else ip.plen + 40
                if length > len(data) or length < 20 or (kind == 0x86DD and ip.plen == 0):
                    return None
                packets += 1
                octets += length
                if isinstance(ip.data, dpkt.tcp.TCP | dpkt.udp.UDP):
                    ends = ((ip.src, ip.data.sport), (ip.dst, ip.data.dport))
                    flows.add((min(ends), max(ends), ip.p))
    except (ValueError, dpkt.UnpackError, EOFError, struct.error, OSError):
        return None
    return Counted(frames, packets, octets, len(flows)) if frames else None


def files() -> list[Path]:
    """Captures of a size that dpkt gets through, spread over all sources."""
    found = sorted(p for p in (REAL / "pcap").rglob("*") if p.suffix in (".pcap", ".cap", ".trace"))
    found = [p for p in found if p.stat().st_size <= LARGEST]
    step = max(len(found) // (COMPARED * 2), 1)
    return found[::step]


def test_packets_and_bytes_are_dpkts() -> None:
    """Over many captures, frames, IP packets and IP bytes agree to the last one, and TCP and UDP flows do."""
    compared, apart, flows_apart = 0, [], []
    for path in files():
        expected = count(path)
        if expected is None:
            continue
        rows = rows_of_file(path)
        if rows.total("malformed") or rows.total("truncated"):
            # dpkt counts them its own way.
            continue
        compared += 1
        packets = sum(row["packets_up"] + row["packets_down"] for row in rows.flows)
        octets = sum(row["bytes_up"] + row["bytes_down"] for row in rows.flows)
        told = (rows.total("packets"), packets, octets)
        name = str(path.relative_to(REAL))
        if told != expected[:3]:
            apart.append((name, told, expected[:3]))
        keys = {
            (
                *sorted([(row["client"], row["client_port"]), (row["server"], row["server_port"])]),
                row["protocol"],
            )
            for row in rows.flows
            if row["protocol"] in (6, 17)
        }
        if len(keys) != expected.flows:
            flows_apart.append((name, len(keys), expected.flows))
        if compared == COMPARED:
            break
    print(f"{compared} captures compared; other numbers: {apart}; other flows: {flows_apart}")
    assert compared >= 60
    assert apart == []
    # Fragments: dpkt reads ports in a first fragment alone, the sensor in the datagram.
    assert len(flows_apart) <= 0.05 * compared


#: Names that both write the same way: tshark joins several with `|` and has its own for the root.
PLAIN = re.compile(r"[A-Za-z0-9._:\[\]-]+")


@cache
def expected_names() -> dict[str, dict[str, set[str]]]:
    """Names that tshark found, by capture and kind."""
    names: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    kinds = {"sni": ("tls", "sni"), "dns_q": ("dns", "q"), "http": ("http", "host")}
    with (REAL / "expected" / "tshark_oracle.jsonl").open() as file:
        for line in file:
            row = json.loads(line)
            kind, key = kinds.get(row["kind"], ("", ""))
            name = row.get(key)
            if not kind or not name or not PLAIN.fullmatch(name):
                continue
            layers = row["protos"].split(":")
            if any(layer in ELSEWHERE for layer in layers) or layers.count("ip") + layers.count("ipv6") != 1:
                continue
            if kind == "http" and name.count(":") == 1:
                name = name.rsplit(":", 1)[0]
            names[row["path"]][kind].add(name.lower().rstrip("."))
    return names


def test_names_are_tsharks() -> None:
    """The names of hellos, questions and requests that tshark finds, the sensor finds, but for a few."""
    wanted: dict[str, int] = defaultdict(int)
    missed = defaultdict(list)
    for path, kinds in sorted(expected_names().items()):
        file = REAL / "pcap" / path
        if not file.is_file():
            continue
        try:
            rows = rows_of_file(file)
        except ValueError:
            continue
        found = {
            "tls": {row["server_name"] for row in rows.flows},
            "http": {row["server_name"] for row in rows.flows},
            "dns": {row["qname"] for row in rows.dns},
        }
        for kind, names in kinds.items():
            wanted[kind] += len(names)
            missed[kind] += [(path, name) for name in sorted(names - found[kind])]
    for kind, misses in missed.items():
        print(f"{kind}: {len(misses)} of {wanted[kind]} missed:")
        for path, name in misses:
            print(f"  {path}: {name}")
    for kind, share in NAMED.items():
        assert wanted[kind] > 100
        assert 1 - len(missed[kind]) / wanted[kind] >= share, (kind, len(missed[kind]), wanted[kind])
