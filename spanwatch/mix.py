"""A made capture for measuring: a school's mix of DNS, TLS, HTTP and UDP flows, the same each time.

About 700 bytes a frame; 13 frames a flow; a third of the ClientHellos span two segments, a few of those
arrive in the wrong order; a tenth of the hosts speak IPv6, another tenth sit behind a VLAN tag. Addresses
are from ranges kept for private networks and benchmarks (RFC 1918, RFC 2544, RFC 3849). Checksums are
left zero: a mirror port does not need them.
"""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Frames that one flow has on average, from the shares below.
FRAMES_PER_FLOW = 13.4
START_US = 1_700_000_000_000_000
#: Microseconds over which flows begin, for each flow.
SPREAD_US = 2_500
MSS = 1_400
#: Data segments of a TLS or HTTP download: as many with equal chance.
DOWNLOADS = (1, 3, 5, 9, 14, 20)

ETHERNET, TAG, SYN_OPTIONS = 14, 4, bytes.fromhex("020405b40103030801010402")
FIN, SYN, PSH, ACK = 1, 2, 8, 16


class Mix(NamedTuple):
    """What a made capture holds."""

    packets: int
    bytes: int
    flows: int
    server_names: int
    questions: int


class _Ends:
    """Both ends of one flow, and its frames so far."""

    def __init__(self, chance: random.Random, number: int, protocol: int, port: int) -> None:
        host = number % 3_000
        self.six = host % 10 == 3
        self.tag = host % 10 == 7
        self.protocol = protocol
        self.ports = (1_024 + number // 3_000 * 7 % 60_000, port)
        server = chance.randrange(1 << 17)
        if self.six:
            self.addresses = (
                bytes.fromhex("20010db8000a0020") + host.to_bytes(8, "big"),
                bytes.fromhex("20010db8f0000000") + server.to_bytes(8, "big"),
            )
        else:
            self.addresses = (
                struct.pack("!I", 0x0A140000 + host),
                struct.pack("!I", 0xC6120000 + server),
            )
        self.macs = (b"\x02\x10" + host.to_bytes(4, "big"), b"\x02\xaa\0\0\0\x01")
        self.seq = [chance.getrandbits(32), chance.getrandbits(32)]
        self.time = START_US + number * SPREAD_US + chance.randrange(SPREAD_US)
        self.frames: list[tuple[int, bytes]] = []
        self._chance = chance

    def frame(self, down: int, transport: bytes, gap: int) -> None:
        """One packet: 0 up, 1 down, `gap` µs after the last."""
        self.time += gap
        tag = struct.pack("!HH", 0x8100, 20) if self.tag else b""
        link = self.macs[1 - down] + self.macs[down] + tag
        if self.six:
            head = b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(transport), self.protocol, 64)
        else:
            number = self._chance.getrandbits(16)
            head = b"\x08\x00" + struct.pack(
                "!BBHHHBBH", 0x45, 0, 20 + len(transport), number, 0x4000, 64, self.protocol, 0
            )
        packet = link + head + self.addresses[down] + self.addresses[1 - down] + transport
        self.frames.append((self.time, packet.ljust(60, b"\0")))

    def tcp(self, down: int, flags: int, data: bytes = b"", gap: int = 300, options: bytes = b"") -> None:
        """One TCP segment."""
        size = 20 + len(options)
        head = struct.pack(
            "!HHIIBBHHH",
            self.ports[down],
            self.ports[1 - down],
            self.seq[down],
            self.seq[1 - down] if flags & ACK else 0,
            size // 4 << 4,
            flags,
            64_240,
            0,
            0,
        )
        self.seq[down] = self.seq[down] + len(data) + (1 if flags & (SYN | FIN) else 0) & 0xFFFFFFFF
        self.frame(down, head + options + data, gap)

    def udp(self, down: int, data: bytes, gap: int) -> None:
        """One UDP datagram."""
        head = struct.pack("!HHHH", self.ports[down], self.ports[1 - down], 8 + len(data), 0)
        self.frame(down, head + data, gap)


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!HH", kind, len(data)) + data


def _client_hello(chance: random.Random, name: str, large: bool) -> bytes:
    """A ClientHello in one TLS record; a large one carries a post-quantum key share."""
    host = name.encode()
    share = struct.pack("!HH", 0x11EC, 1_216) + chance.randbytes(1_216) if large else b""
    share += struct.pack("!HH", 29, 32) + chance.randbytes(32)
    extensions = [
        _extension(0, struct.pack("!HBH", len(host) + 3, 0, len(host)) + host),
        _extension(10, bytes.fromhex("0006001d00170018")),
        _extension(13, bytes.fromhex("0006040308040401")),
        _extension(16, b"\0\x0c\x02h2\x08http/1.1"),
        _extension(43, bytes.fromhex("0403040303")),
        _extension(51, struct.pack("!H", len(share)) + share),
    ]
    chance.shuffle(extensions)
    body = b"".join(extensions)
    suites = bytes.fromhex("130113021303c02bc02fc02cc030")
    hello = b"\x03\x03" + chance.randbytes(32) + b"\x20" + chance.randbytes(32)
    hello += struct.pack("!H", len(suites)) + suites + b"\x01\0" + struct.pack("!H", len(body)) + body
    handshake = b"\x01" + len(hello).to_bytes(3, "big") + hello
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def _server_hello() -> bytes:
    extensions = _extension(43, b"\x03\x04")
    hello = b"\x03\x03" + bytes(32) + b"\x20" + bytes(32) + b"\x13\x01\0"
    hello += struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x02" + len(hello).to_bytes(3, "big") + hello
    return b"\x16\x03\x03" + struct.pack("!H", len(handshake)) + handshake


SERVER_HELLO = _server_hello()


def _tls(ends: _Ends, chance: random.Random, name: str, filler: bytes) -> None:
    _open(ends)
    hello = _client_hello(chance, name, large=chance.random() < 0.35)
    parts = [hello[at : at + MSS] for at in range(0, len(hello), MSS)]
    if len(parts) > 1 and chance.random() < 0.03:
        first = ends.seq[0]
        ends.seq[0] += len(parts[0])
        ends.tcp(0, PSH | ACK, parts[1])
        behind, ends.seq[0] = ends.seq[0], first
        ends.tcp(0, ACK, parts[0])
        ends.seq[0] = behind
    else:
        for part in parts:
            ends.tcp(0, PSH | ACK, part)
    ends.tcp(1, PSH | ACK, SERVER_HELLO + filler[:1_200], 9_000)
    _download(ends, chance, filler)


def _http(ends: _Ends, chance: random.Random, name: str, filler: bytes) -> None:
    _open(ends)
    ends.tcp(
        0,
        PSH | ACK,
        f"GET /{chance.getrandbits(32):x} HTTP/1.1\r\nHost: {name}\r\nAccept: */*\r\n\r\n".encode(),
    )
    ends.tcp(1, PSH | ACK, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + filler[:900], 9_000)
    _download(ends, chance, filler)


def _open(ends: _Ends) -> None:
    ends.tcp(0, SYN, gap=0, options=SYN_OPTIONS)
    ends.tcp(1, SYN | ACK, gap=8_000, options=SYN_OPTIONS)
    ends.tcp(0, ACK)


def _download(ends: _Ends, chance: random.Random, filler: bytes) -> None:
    ends.tcp(0, PSH | ACK, filler[:120])
    for number in range(chance.choice(DOWNLOADS)):
        ends.tcp(1, ACK, filler[:MSS], 700)
        if number % 2:
            ends.tcp(0, ACK, gap=100)
    ends.tcp(0, FIN | ACK)
    ends.tcp(1, FIN | ACK, gap=8_000)
    ends.tcp(0, ACK)


def _dns(ends: _Ends, chance: random.Random, name: str) -> None:
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\x01\0\x01"
    number = chance.getrandbits(16)
    ends.udp(0, struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + question, 0)
    answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x12\0\x01"
    ends.udp(1, struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + question + answer, 6_000)


def _datagrams(ends: _Ends, chance: random.Random, filler: bytes) -> None:
    for _ in range(chance.randrange(4, 20)):
        ends.udp(1 if chance.random() < 0.7 else 0, filler[: chance.randrange(200, 1_200)], 20_000)


def _frames(flows: int, counts: list[int]) -> Iterator[tuple[int, bytes]]:
    chance = random.Random(2024)
    filler = b"\x17\x03\x03\x05\x00" + chance.randbytes(MSS)
    names = [f"host-{number:x}.site-{number % 997}.example" for number in range(2_500)]
    waiting: list[tuple[int, bytes]] = []
    for number in range(flows):
        name, kind = chance.choice(names), chance.random()
        if kind < 0.35:
            ends = _Ends(chance, number, 17, 53)
            _dns(ends, chance, name)
            counts[1] += 1
        elif kind < 0.75:
            ends = _Ends(chance, number, 6, 443)
            _tls(ends, chance, name, filler)
            counts[0] += 1
        elif kind < 0.85:
            ends = _Ends(chance, number, 6, 80)
            _http(ends, chance, name, filler)
        else:
            ends = _Ends(chance, number, 17, 40_000)
            _datagrams(ends, chance, filler)
        waiting += ends.frames
        if number % 512 == 511:
            # Later flows begin later: what lies before that can go, in order.
            waiting.sort(key=lambda frame: frame[0])
            now = START_US + number * SPREAD_US
            ready = next((i for i, frame in enumerate(waiting) if frame[0] >= now), len(waiting))
            yield from waiting[:ready]
            waiting = waiting[ready:]
    yield from sorted(waiting, key=lambda frame: frame[0])


def write_mix(path: Path, packets: int) -> Mix:
    """Write a capture of about `packets` frames (pcap, µs) to `path`."""
    flows = max(int(packets / FRAMES_PER_FLOW), 1)
    written = size = 0
    counts = [0, 0]
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for time, frame in _frames(flows, counts):
            file.write(
                struct.pack("<IIII", time // 1_000_000, time % 1_000_000, len(frame), len(frame)) + frame
            )
            written += 1
            size += len(frame)
    return Mix(written, size, flows, counts[0], counts[1])
