"""What floods cost: packets a second and memory under SYNs, half hellos, fragments and questions at random.

    python -m benchmarks.floods [--load NAME …] [--packets 4000000] [--flows 262144]

Loads are made in memory, block by block, from one template each with random addresses, so that no file is
read. `flows-N` is no flood: N established connections send in turn, to see whether a packet's cost depends
on how many there are; it is measured once each has sent something, which costs more than what follows. Each
load is a process of its own. Time is CPU time of the sensor, batches included; memory is the process's, after
the first block, at half of the packets and at the end, beside the bytes of the sensor's table, which are all
it should need.
"""

import argparse
import multiprocessing
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from capture.frames import LINK_ETHERNET, NO_TAG, Frames
from capture.sensor import Sensor, warm_kernels
from pipeline.settings import SensorSettings

START_US = 1_772_438_400_000_000
#: Frames of a block, and microseconds between two frames: a million a second.
BLOCK, GAP_US = 16_384, 1
SEED = 7

# Offsets in an Ethernet frame with an IPv4 header of 20 bytes.
IP_ID, SOURCE, SOURCE_PORT, SEQUENCE, PAYLOAD_UDP = 18, 26, 34, 38, 42
SYN, PSH, ACK = 2, 8, 16
#: Where the label of the question's name begins: behind UDP, the DNS header and the label's length.
LABEL = PAYLOAD_UDP + 12 + 1
LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", np.uint8)


def ipv4(protocol: int, payload: bytes, flags: int = 0x4000) -> bytes:
    """A frame from 10.0.0.1 to 192.0.2.80."""
    total = 20 + len(payload)
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, total, 1, flags, 64, protocol, 0, b"\x0a\0\0\1", b"\xc0\0\2\x50"
    )
    return b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0" + header + payload


def tcp(flags: int, payload: bytes = b"") -> bytes:
    return ipv4(
        6, struct.pack("!HHIIBBHHH", 40_000, 443, 1_000, 9_000, 5 << 4, flags, 64_240, 0, 0) + payload
    )


def udp(payload: bytes, port: int) -> bytes:
    return struct.pack("!HHHH", 40_000, port, 8 + len(payload), 0) + payload


#: The first 100 bytes of a TLS record of 512 bytes that holds a ClientHello.
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(89)
QUESTION = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\x10" + b"a" * 16 + b"\x07example\0\0\1\0\1"


def copies(template: bytes, count: int) -> np.ndarray:
    """uint8[count, n]: the frame again and again."""
    return np.tile(np.frombuffer(template, np.uint8), (count, 1))


def scatter(frames: np.ndarray, chance: np.random.Generator, at: int, size: int) -> None:
    """Random bytes at an offset of every frame."""
    frames[:, at : at + size] = chance.integers(0, 256, (len(frames), size), np.uint8)


def block(frames: np.ndarray, ts: int) -> Frames:
    """Frames of equal length as a block."""
    count, length = frames.shape
    sizes = np.full(count, length, np.int64)
    return Frames(
        frames.reshape(-1),
        np.arange(count, dtype=np.int64) * length,
        sizes,
        sizes,
        ts + np.arange(count, dtype=np.int64) * GAP_US,
        np.full(count, LINK_ETHERNET, np.int64),
        np.full(count, NO_TAG, np.int64),
        count,
    )


def syns(chance: np.random.Generator, number: int) -> np.ndarray:
    """SYNs of random clients."""
    frames = copies(tcp(SYN), BLOCK)
    scatter(frames, chance, SOURCE, 4)
    scatter(frames, chance, SOURCE_PORT, 2)
    scatter(frames, chance, SEQUENCE, 4)
    return frames


def half_hellos(chance: np.random.Generator, number: int) -> np.ndarray:
    """First parts of hellos whose rest never comes, each of another client."""
    frames = copies(tcp(PSH | ACK, HALF_HELLO), BLOCK)
    scatter(frames, chance, SOURCE, 4)
    scatter(frames, chance, SOURCE_PORT, 2)
    return frames


def fragments(chance: np.random.Generator, number: int) -> np.ndarray:
    """First fragments of datagrams whose rest never comes."""
    frames = copies(ipv4(17, udp(bytes(504), 9_999), flags=0x2000), BLOCK)
    scatter(frames, chance, SOURCE, 4)
    scatter(frames, chance, IP_ID, 2)
    return frames


def questions(chance: np.random.Generator, number: int) -> np.ndarray:
    """DNS questions of random clients for random names."""
    frames = copies(ipv4(17, udp(QUESTION, 53)), BLOCK)
    scatter(frames, chance, SOURCE, 4)
    scatter(frames, chance, SOURCE_PORT, 2)
    scatter(frames, chance, PAYLOAD_UDP, 2)
    frames[:, LABEL : LABEL + 16] = LETTERS[chance.integers(0, len(LETTERS), (BLOCK, 16))]
    return frames


#: A TLS record of 400 bytes: what established connections mostly carry.
CIPHERTEXT = b"\x17\x03\x03\x01\x8b" + bytes(1 + place * 167 % 255 for place in range(395))


class Turns:
    """Connections that send in turn, 400 bytes each time, after a SYN each."""

    def __init__(self, flows: int) -> None:
        self._flows = flows
        self._order = np.random.default_rng(SEED).permutation(flows)
        self._opening = copies(tcp(SYN), BLOCK)
        self._sending = copies(tcp(ACK, CIPHERTEXT), BLOCK)

    @property
    def opening(self) -> int:
        """Blocks until each has sent its SYN; as many more until each has sent something."""
        return -(-self._flows // BLOCK)

    def __call__(self, chance: np.random.Generator, number: int) -> np.ndarray:
        first = number * BLOCK
        turn, place = np.divmod(np.arange(first, first + BLOCK), self._flows)
        flow = self._order[place]
        frames = self._opening if number < self.opening else self._sending
        frames[:, SOURCE : SOURCE + 4] = (
            (0x0A000000 + flow // 50_000).astype(">u4").view(np.uint8).reshape(-1, 4)
        )
        ports = (1_024 + flow % 50_000).astype(">u2").view(np.uint8).reshape(-1, 2)
        frames[:, SOURCE_PORT : SOURCE_PORT + 2] = ports
        sequence = 1_000 if number < self.opening else 1_001 + (turn - 1) * 400
        numbers = np.broadcast_to(sequence, BLOCK).astype(">u4").view(np.uint8).reshape(-1, 4)
        frames[:, SEQUENCE : SEQUENCE + 4] = numbers
        return frames


Load = Callable[[np.random.Generator, int], np.ndarray]
FLOODS: dict[str, Load] = {
    "syn": syns,
    "half-hello": half_hellos,
    "fragment": fragments,
    "dns": questions,
}
CONCURRENT = (10_000, 100_000, 500_000, 2_000_000)
LOADS = (*FLOODS, *(f"flows-{flows}" for flows in CONCURRENT))


class Measured(NamedTuple):
    """What one load cost."""

    packets: int
    cpu_s: float
    rows: int
    evicted: int
    table_mb: float
    """Bytes of the sensor's arrays, MB: what its settings ask for."""
    resident_mb: tuple[float, float, float]
    """Memory of the process after the first block, at half and at the end."""


def resident_mb() -> float:
    """Memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096 / 1e6


def table_mb(table: Any) -> float:
    """Bytes of a table's arrays."""
    return sum(array.nbytes for array in vars(table).values() if isinstance(array, np.ndarray)) / 1e6


def measure(name: str, packets: int, flows: int) -> Measured:
    """Take one load in this process."""
    load: Load
    skipped = 0
    if name in FLOODS:
        load = FLOODS[name]
    else:
        count = int(name.removeprefix("flows-"))
        turns = Turns(count)
        load, skipped, flows = turns, 2 * turns.opening, max(count + count // 8, 1_024)
    sensor = Sensor(SensorSettings(name="flood", flows=flows), "flood", seed=bytes(16))
    chance = np.random.default_rng(SEED)
    blocks = max(packets // BLOCK, 2)
    memory: list[float] = []
    cpu, rows, evicted = 0.0, 0, 0
    for number, frames in enumerate(_blocks(load, chance, skipped + blocks)):
        begin = time.thread_time()
        for kind, batch in sensor.feed(frames):
            rows += batch.num_rows
            if kind == "health":
                evicted += sum(batch.column("evicted").to_pylist())
        if number >= skipped:
            cpu += time.thread_time() - begin
        if number in (skipped, skipped + blocks // 2, skipped + blocks - 1):
            memory.append(resident_mb())
    evicted += int(sensor.table.meter[0].evicted)
    first, half, last = memory
    return Measured(blocks * BLOCK, cpu, rows, evicted, table_mb(sensor.table), (first, half, last))


def _blocks(load: Load, chance: np.random.Generator, count: int) -> Iterator[Frames]:
    for number in range(count):
        yield block(load(chance, number), START_US + number * BLOCK * GAP_US)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--load", action="append", choices=LOADS, default=[], help="only this one; several times"
    )
    parser.add_argument("--packets", type=int, default=4_000_000, help="packets of each load")
    parser.add_argument("--flows", type=int, default=262_144, help="flows that the table of a flood holds")
    options = parser.parse_args()
    warm_kernels()
    print("load           packets/s of CPU    rows  evicted   table MB   memory MB: first, half, end")
    spawn = multiprocessing.get_context("spawn")
    for name in options.load or LOADS:
        with spawn.Pool(1) as pool:
            told = pool.apply(measure, (name, options.packets, options.flows))
        memory = ", ".join(f"{value:.0f}" for value in told.resident_mb)
        print(
            f"{name:14} {told.packets / told.cpu_s:16,.0f} {told.rows:7,} {told.evicted:8,} "
            f"{told.table_mb:10.0f}   {memory}"
        )


if __name__ == "__main__":
    main()
