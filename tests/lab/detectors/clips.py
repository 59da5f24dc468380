"""Recordings cut into clips: what one machine did from one pause to the next, to be done again by others.

A clip is played again under another MAC, other addresses, other ports, at another time and pace: every place
where one of them stands in its frames is known. Nothing else of it changes, so what a detector sees are real
programs' exchanges, in other people's hands.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.lab.network import mac_for
from tests.lab.shrink import find_layers, shorten

Bytes = npt.NDArray[np.uint8]

PAUSE_S = 0.4
"""A pause of that length, with no connection open, is where a clip may end."""
GATEWAY = bytes.fromhex(mac_for("gateway").replace(":", ""))
EPHEMERAL = 32_768
"""First port of those that Linux gives its clients by default; up to 60,999."""
PORTS = 28_232
OUTSIDE = (bytes([198, 51, 100]), bytes([203, 0, 113]))
"""The lab's internet (RFC 5737)."""
ELSEWHERE = (bytes([198, 18]), bytes([198, 19]))
"""Where its servers have more addresses of theirs (RFC 2544): third byte is the variant."""


@dataclass(frozen=True)
class Frame:
    """A recorded frame: seconds, bytes kept, length on the wire."""

    time: float
    data: bytes
    length: int


@dataclass(frozen=True)
class Owner:
    """Whose clip it is, as the recording has it."""

    mac: bytes
    ipv4: bytes
    """Empty where it has none."""
    interfaces: tuple[bytes, ...]
    """Interface identifiers of its IPv6 addresses, 8 bytes each."""
    name: str
    ttl: int
    """TTL of its IPv4 packets, of most of them: 64 or 128, by which systems are told apart."""


@dataclass(frozen=True)
class Clip:
    """Frames of one owner from pause to pause, with the places that change."""

    kind: str
    """Key of the scenario it is from."""
    owner: Owner
    begun: float
    """When it was recorded, seconds since 1970."""
    times: npt.NDArray[np.int64]
    """µs after the clip's begin."""
    data: Bytes
    """All frames one after the other."""
    starts: npt.NDArray[np.int64]
    """Where each begins in `data`, and the end."""
    lengths: npt.NDArray[np.int64]
    """On the wire."""
    places: Mapping[str, npt.NDArray[np.int64]]
    """Where in `data` what stands: `mac`, `ipv4`, `name`, `port`, `outside0`, `outside1`, and for each of the
    owner's interface identifiers `interface0` … and its last three bytes `group0` …"""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> float:
        """From first frame to last."""
        return float(self.times[-1]) / 1e6

    def play(
        self, mac: bytes, ipv4: bytes, interfaces: Sequence[bytes], name: str, ports: int, variant: int
    ) -> Bytes:
        """The clip's bytes under other names.

        `name` is as long as the owner's; `ports` is added to client ports; `variant` (0 to 255) picks the
        addresses of the servers, 0 those of the lab.
        """
        out = self.data.copy()
        put(out, self.places["mac"], mac)
        put(out, self.places["ipv4"], ipv4)
        put(out, self.places["name"], name.encode())
        for number, interface in enumerate(interfaces[: len(self.owner.interfaces)]):
            put(out, self.places[f"interface{number}"], interface)
            put(out, self.places[f"group{number}"], interface[-3:])
        at = self.places["port"]
        old = out[at].astype(np.int64) << 8 | out[at + 1]
        new = EPHEMERAL + (old - EPHEMERAL + ports) % PORTS
        out[at], out[at + 1] = new >> 8, new & 255
        if variant:
            for number, network in enumerate(ELSEWHERE):
                put(out, self.places[f"outside{number}"], network + bytes([variant]))
        return out

    @cached_property
    def own_interface(self) -> tuple[bool, ...]:
        """Which interface identifiers are made of the MAC (RFC 4291, appendix A)."""
        return tuple(interface == eui64(self.owner.mac) for interface in self.owner.interfaces)


def put(data: Bytes, places: npt.NDArray[np.int64], value: bytes) -> None:
    """Writes a value at each of the places."""
    for number, byte in enumerate(value):
        data[places + number] = byte


def eui64(mac: bytes) -> bytes:
    """The interface identifier that is made of a MAC (RFC 4291, appendix A)."""
    return bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def read(file: Path, *, cut: bool) -> list[Frame]:
    """Frames of a little-endian pcap of microseconds; with `cut`, later ones of a flow as headers alone."""
    frames, flows = [], {}  # type: ignore[var-annotated]
    with open(file, "rb") as source:
        source.read(24)
        while head := source.read(16):
            seconds, fraction, captured, length = struct.unpack("<IIII", head)
            data = source.read(captured)
            kept = shorten(bytearray(data), flows) if cut else data
            frames.append(Frame(seconds + fraction / 1e6, kept, length))
    return frames


def clips_of(kind: str, file: Path, names: Mapping[str, str]) -> list[Clip]:
    """Every machine's clips of a recording; `names`: host name by MAC.

    Machines that have several IPv4 addresses are left out: their clips are a server's, not a person's.
    """
    by_owner: dict[bytes, list[Frame]] = defaultdict(list)
    for frame in read(file, cut=True):
        target, source = frame.data[:6], frame.data[6:12]
        if source != GATEWAY:
            by_owner[source].append(frame)
        elif not target[0] & 1:
            by_owner[target].append(frame)
    found = []
    for mac, frames in by_owner.items():
        owner = owner_of(mac, frames, names.get(mac.hex(":"), ""))
        if owner is not None:
            found += [clip_of(kind, owner, part) for part in parts(frames)]
    return found


def owner_of(mac: bytes, frames: Sequence[Frame], name: str) -> Owner | None:
    """The machine with that MAC, None where it has several IPv4 addresses or said nothing itself."""
    ipv4, interfaces, ttls = set(), set(), Counter[int]()
    for frame in frames:
        at = 16 if frame.data[12:14] == b"\x81\x00" else 12
        ip = at + 2
        if frame.data[6:12] != mac:
            continue
        if frame.data[at:ip] == b"\x08\x00":
            ipv4.add(frame.data[ip + 12 : ip + 16])
            ttls[frame.data[ip + 8]] += 1
        elif frame.data[at:ip] == b"\x86\xdd":
            interfaces.add(frame.data[ip + 16 : ip + 24])
    ipv4.discard(bytes(4))
    interfaces.discard(bytes(8))
    if len(ipv4) > 1 or not (ipv4 or interfaces):
        return None
    most = ttls.most_common(1)
    return Owner(mac, next(iter(ipv4), b""), tuple(sorted(interfaces)), name, most[0][0] if most else 0)


def parts(frames: Sequence[Frame]) -> Iterator[Sequence[Frame]]:
    """Runs of frames between pauses in which no flow goes on."""
    last: dict[tuple[bytes, ...], int] = {}
    keys = []
    for number, frame in enumerate(frames):
        layers = find_layers(frame.data)
        keys.append(layers.key if layers else ())
        if layers:
            last[layers.key] = number
    begin, open_until = 0, 0
    for number, frame in enumerate(frames):
        if number and frame.time - frames[number - 1].time > PAUSE_S and open_until < number:
            yield frames[begin:number]
            begin = number
        if keys[number]:
            open_until = max(open_until, last[keys[number]])
    yield frames[begin:]


def clip_of(kind: str, owner: Owner, frames: Sequence[Frame]) -> Clip:
    """A clip of these frames."""
    data = b"".join(frame.data for frame in frames)
    starts = np.cumsum([0, *(len(frame.data) for frame in frames)])
    places = {
        "mac": _all(data, owner.mac),
        "ipv4": _all(data, owner.ipv4),
        "name": _all(data, owner.name.encode()) if len(owner.name) > 3 else _all(data, b""),
        "port": np.array(sorted(_ports(frames, starts, owner)), np.int64),
    }
    for number, network in enumerate(OUTSIDE):
        places[f"outside{number}"] = _all(data, network)
    for number, interface in enumerate(owner.interfaces):
        places[f"interface{number}"] = _all(data, interface)
        groups = [_all(data, head + interface[-3:]) + len(head) for head in (b"\x01\xff", b"\x33\x33\xff")]
        places[f"group{number}"] = np.concatenate(groups)
    return Clip(
        kind,
        owner,
        frames[0].time,
        np.array([round((frame.time - frames[0].time) * 1e6) for frame in frames], np.int64),
        np.frombuffer(data, np.uint8),
        starts,
        np.array([frame.length for frame in frames], np.int64),
        places,
    )


def _all(data: bytes, wanted: bytes) -> npt.NDArray[np.int64]:
    found, at = [], data.find(wanted) if wanted else -1
    while at >= 0:
        found.append(at)
        at = data.find(wanted, at + 1)
    return np.array(found, np.int64)


def _ports(frames: Sequence[Frame], starts: npt.NDArray[np.int64], owner: Owner) -> Iterator[int]:
    """Where the owner's ephemeral ports stand, those quoted in ICMP errors as well."""
    for frame, start in zip(frames, starts.tolist(), strict=False):
        data = frame.data
        ip = 18 if data[12:14] == b"\x81\x00" else 14
        kind = data[ip - 2 : ip]
        if kind == b"\x08\x00" and len(data) >= ip + 28:
            header, protocol, source = (data[ip] & 15) * 4, data[ip + 9], data[ip + 12 : ip + 16]
            own = source == owner.ipv4
            if protocol == 1 and data[ip + header] in (3, 11) and len(data) >= ip + header + 36:
                # The packet that an error is about (RFC 792): of whoever the error goes to.
                ip += header + 8
                header, protocol, own = (data[ip] & 15) * 4, data[ip + 9], not own
        elif kind == b"\x86\xdd" and len(data) >= ip + 48:
            header, protocol = 40, data[ip + 6]
            own = data[ip + 16 : ip + 24] in owner.interfaces
        else:
            continue
        at = ip + header + (0 if own else 2)
        port = int.from_bytes(data[at : at + 2])
        if protocol in (6, 17) and len(data) >= at + 2 and EPHEMERAL <= port < EPHEMERAL + PORTS:
            yield start + at
