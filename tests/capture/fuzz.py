"""Feeds a sensor damaged frames of every kind from a seed: `python -m tests.capture.fuzz FRAMES [SEED]`.

Run with `NUMBA_BOUNDSCHECK=1`, compiled kernels raise where they would read or write outside of an array.
"""

import json
import random
import sys
from collections.abc import Sequence

from tests.capture.packets import KINDS, SECOND, T0, Packet, block, small_sensor
from tests.capture.test_other_links import LINKS
from tests.capture.tunnels.test_peel import CARRIERS

BLOCK = 2_000
#: Octets that lengths, offsets and pointers go wrong with.
EDGES = (0, 1, 2, 3, 4, 5, 0x0C, 0x3F, 0x40, 0x45, 0x4F, 0x7F, 0x80, 0xC0, 0xF0, 0xFE, 0xFF)
STEPS = (0, 1, 10, 1_000, 50_000, SECOND, 70 * SECOND, -SECOND, -90 * SECOND)


def damage(frame: bytes, chance: random.Random) -> bytes:
    """The frame with bytes changed, cut out, put in or cut off."""
    made = bytearray(frame)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(made))
        made[at] = chance.choice(EDGES) if chance.random() < 0.6 else chance.randrange(256)
    kind = chance.random()
    if kind < 0.1:
        del made[chance.randrange(1, len(made) + 1) :]
    elif kind < 0.2:
        at = chance.randrange(len(made))
        made[at:at] = chance.randbytes(chance.choice((1, 2, 40, 900)))
    elif kind < 0.25:
        made += made[chance.randrange(len(made)) :] * chance.choice((1, 3))
    return bytes(made)


def run(count: int, seed: int) -> dict[str, int]:
    """Numbers that must agree after `count` frames."""
    chance = random.Random(seed)
    sensor = small_sensor(batch_rows=150, flows=1_024, heads=16)
    told = {"frames": 0, "bytes": 0, "packets": 0, "flow_packets": 0, "wrong": 0, "rows": 0}

    def take(batches) -> None:  # type: ignore[no-untyped-def]
        for kind, batch in batches:
            batch.validate(full=True)
            told["rows"] += len(batch)
            sums = {name: sum(batch.column(name).to_pylist()) for name in COUNTED.get(kind, ())}
            told["flow_packets"] += sums.get("packets_up", 0) + sums.get("packets_down", 0)
            told["packets"] += sums.pop("packets", 0)
            told["wrong"] += sum(n for name, n in sums.items() if kind == "health")

    ts = T0
    while told["frames"] < count:
        packets = []
        link = chance.choices((1, 101, 113, 276, 0, 228, 105, 127), (60, 1, 1, 1, 1, 1, 2, 2))[0]
        kinds: Sequence[bytes] = (*KINDS, *CARRIERS) if chance.random() < 0.5 else KINDS
        if chance.random() < 0.2:
            link = chance.choice(LINKS)[0]
            kinds = [made for number, made in LINKS if number == link]
        for _ in range(min(BLOCK, count - told["frames"])):
            ts += chance.choices(STEPS, (40, 40, 40, 40, 20, 3, 0.05, 3, 0.05))[0]
            frame = damage(chance.choice(kinds), chance)
            wire = len(frame) + (chance.choice((1, 600, 70_000)) if chance.random() < 0.05 else 0)
            packets.append(Packet(ts, frame, wire))
            told["bytes"] += wire
        told["frames"] += len(packets)
        take(sensor.feed(block(packets, link)))
    take(sensor.finish())
    return told


COUNTED = {
    "flows": ("packets_up", "packets_down"),
    "health": ("packets", "truncated", "malformed", "unknown_link", "duplicates"),
}

if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)))
