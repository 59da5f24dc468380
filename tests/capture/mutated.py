"""Damaged frames in bulk: seeds are made frames and those of real captures, damage is done with NumPy."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from capture.frames import LINK_ETHERNET, NO_TAG, Frames
from capture.sources.pcap import open_capture
from tests.capture.packets import KINDS, SECOND
from tests.capture.test_other_links import LINKS
from tests.capture.tunnels.test_peel import CARRIERS

#: Frames taken of one capture, and bytes of one frame: more would let a few captures be most of it.
CAPTURE_FRAMES, FRAME_BYTES = 4_000, 1_600
#: Frames that follow each other as they did in their capture: a conversation's state lives on.
RUN = 32
#: Bytes that lengths, offsets and pointers go wrong with.
EDGES = np.array(
    [0, 1, 2, 3, 4, 5, 0x0C, 0x3F, 0x40, 0x45, 0x4F, 0x7F, 0x80, 0xC0, 0xF0, 0xFE, 0xFF], np.uint8
)
#: µs between two frames, and how often each comes.
STEPS = np.array([0, 1, 10, 1_000, 50_000, SECOND, 70 * SECOND, -SECOND, -90 * SECOND])
STEP_WEIGHTS = np.array([0.25, 0.25, 0.25, 0.2, 0.04, 0.005, 0.000_1, 0.004_8, 0.000_1])
#: Changes of one frame, and how often each number of them.
CHANGES = np.array([0, 1, 2, 3, 8, 24])
CHANGE_WEIGHTS = np.array([0.15, 0.4, 0.2, 0.1, 0.1, 0.05])
#: Bytes at the beginning that half of the changes hit: the headers, and the first words behind them.
HEADERS = 90


class Seeds(NamedTuple):
    """Frames to damage, behind each other in `data`."""

    data: np.ndarray
    start: np.ndarray
    size: np.ndarray
    link: np.ndarray


def seeds_of(frames: Iterable[tuple[int, bytes]]) -> Seeds:
    """Seeds of frames with their LINKTYPE_ numbers."""
    links, made = zip(*frames, strict=True)
    size = np.array([len(frame) for frame in made], np.int64)
    return Seeds(
        np.frombuffer(b"".join(made), np.uint8), np.cumsum(size) - size, size, np.array(links, np.int64)
    )


def made_seeds() -> Seeds:
    """The made frames of every kind, several times, so that runs of them come in another order."""
    ethernet = [(LINK_ETHERNET, frame) for frame in (*KINDS, *CARRIERS)]
    return seeds_of([*ethernet, *LINKS, *ethernet[::-1], *ethernet[::3], *ethernet[1::3], *ethernet[2::3]])


def captured_seeds(files: Sequence[Path]) -> Seeds:
    """The first frames of each capture, of each its own link layer; what is no capture is passed over."""
    parts: list[Seeds] = []
    for file in files:
        try:
            with open_capture(str(file)) as capture:
                left = CAPTURE_FRAMES
                for frames in capture:
                    count = min(frames.count, left)
                    size = np.minimum(frames.captured[:count], FRAME_BYTES)
                    data = gathered(frames.data, frames.start[:count], size)
                    parts.append(Seeds(data, np.cumsum(size) - size, size, frames.link[:count].copy()))
                    left -= count
                    if left == 0:
                        break
        except (ValueError, OSError):
            continue
    return joined(parts)


def joined(parts: Sequence[Seeds]) -> Seeds:
    """All seeds behind each other; those without a byte are left out."""
    data, start, size, link = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    bytes_before = np.cumsum([0, *(len(part.data) for part in parts[:-1])])
    start = start + np.repeat(bytes_before, [len(part.start) for part in parts])
    kept = size > 0
    return Seeds(data, start[kept], size[kept], link[kept])


def gathered(data: np.ndarray, start: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The pieces `data[start:start + size]` behind each other; writable."""
    ends = np.cumsum(size)
    total = int(ends[-1]) if len(ends) else 0
    return data[np.arange(total) + np.repeat(start - (ends - size), size)]


def chosen(seeds: Seeds, count: int, chance: np.random.Generator) -> np.ndarray:
    """Which seeds are damaged: runs of neighbours, and single ones among them."""
    first = chance.integers(0, len(seeds.start), -(-count // RUN))
    order = ((first[:, None] + np.arange(RUN)) % len(seeds.start)).reshape(-1)[:count]
    single = chance.random(count) < 0.15
    order[single] = chance.integers(0, len(seeds.start), int(single.sum()))
    return order


def spliced(seeds: Seeds, order: np.ndarray, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and sizes of the frames: cut off, with a part cut out or doubled, or with another's end."""
    count = len(order)
    size, start = seeds.size[order], seeds.start[order]
    head, tail_start, tail_size = size.copy(), np.zeros(count, np.int64), np.zeros(count, np.int64)
    kind = chance.random(count)
    place = (chance.random(count) * (size + 1)).astype(np.int64)
    cut = kind < 0.25
    head[cut] = place[cut]
    # Go on elsewhere in the same frame: a part is missing, or comes twice.
    same = kind < 0.1
    again = (chance.random(count) * size).astype(np.int64)
    tail_start[same], tail_size[same] = (start + again)[same], (size - again)[same]
    other = (kind >= 0.1) & (kind < 0.15)
    donor = chance.integers(0, len(seeds.start), count)
    at = (chance.random(count) * seeds.size[donor]).astype(np.int64)
    tail_start[other], tail_size[other] = (seeds.start[donor] + at)[other], (seeds.size[donor] - at)[other]
    pieces = np.stack([head, tail_size], 1)
    starts = np.stack([start, tail_start], 1)
    return gathered(seeds.data, starts.reshape(-1), pieces.reshape(-1)), pieces.sum(1)


def change(data: np.ndarray, start: np.ndarray, size: np.ndarray, chance: np.random.Generator) -> None:
    """Overwrite bytes: with edges, with anything, one more or less, one bit, and both bytes of a word."""
    times = chance.choice(CHANGES, len(size), p=CHANGE_WEIGHTS)
    times[size == 0] = 0
    room, first = np.repeat(size, times), np.repeat(start, times)
    near = np.where(chance.random(len(room)) < 0.5, np.minimum(room, HEADERS), room)
    at = first + (chance.random(len(room)) * near).astype(np.int64)
    old = data[at]
    kind = chance.random(len(at))
    new = chance.integers(0, 256, len(at)).astype(np.uint8)
    new = np.where(kind < 0.5, EDGES[chance.integers(0, len(EDGES), len(at))], new)
    new = np.where((kind >= 0.5) & (kind < 0.65), old ^ (1 << (new & 7)).astype(np.uint8), new)
    new = np.where((kind >= 0.65) & (kind < 0.75), old + (new & 2).astype(np.uint8) - np.uint8(1), new)
    data[at] = new
    words = (kind < 0.15) & (at + 1 < first + room)
    data[at[words] + 1] = EDGES[chance.integers(0, len(EDGES), int(words.sum()))]


def damaged_block(seeds: Seeds, count: int, ts: int, chance: np.random.Generator) -> Frames:
    """A block of damaged frames of all link layers, from packet time `ts` µs on."""
    order = chosen(seeds, count, chance)
    data, size = spliced(seeds, order, chance)
    start = np.cumsum(size) - size
    change(data, start, size, chance)
    link = seeds.link[order]
    wrong = chance.random(count) < 0.02
    link[wrong] = seeds.link[chance.integers(0, len(seeds.start), int(wrong.sum()))]
    beyond = np.where(chance.random(count) < 0.05, chance.choice((1, 600, 70_000), count), 0)
    vlan = np.where(chance.random(count) < 0.02, chance.integers(0, 65_536, count), NO_TAG)
    steps = chance.choice(STEPS, count, p=STEP_WEIGHTS)
    data = data if len(data) else np.zeros(1, np.uint8)
    return Frames(data, start, size, size + beyond, ts + np.cumsum(steps), link, vlan, count)
