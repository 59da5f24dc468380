"""The classic pcap format: 24-byte file header, then one header per frame.

Layout: draft-ietf-opsawg-pcap, sections 4 and 5. µs and ns resolution, both byte orders, and
Kuznetzov's "modified" format of old Linux systems with 24-byte record headers.
"""

import numpy as np

from capture.frames import Frames
from capture.sources.container import (
    DAMAGED,
    FULL,
    MAX_FRAME,
    MAX_TS,
    NEED_BYTES,
    RAW_ALIASES,
    Walk,
    believed_wire,
    u32,
)
from capture.sources.strands import STRANDS, ask_ahead
from pipeline.kernels import entry_kernel

FILE_HEADER = 24
#: Magic number as little-endian bytes: (units of the fraction in a µs, bytes of a record header).
MAGICS = {
    b"\xd4\xc3\xb2\xa1": (1, 16),
    b"\x4d\x3c\xb2\xa1": (1_000, 16),
    b"\x34\xcd\xb2\xa1": (1, 24),
}
#: Seconds that records which stand side by side lie apart at most, where one is looked for. Our default.
NEAR_S = 3_600
#: The link type; the bits above say how long the frame check sequence is.
LINK_TYPE_BITS = 0x03FF_FFFF


@entry_kernel
def walk_records(data, begin, end, big, header, fraction, start, captured, wire, ts):
    """Walks over the records in `data[begin:end]`; returns (frames, offset, outcome).

    A record: seconds, fraction, captured length, wire length, 4 bytes each, then (in the
    modified format) 8 bytes about the interface, then the captured bytes.
    """
    count = 0
    at = begin
    room = len(start)
    while end - at >= header:
        length = u32(data, at + 8, big)
        if length > MAX_FRAME:
            return count, at, DAMAGED
        if end - at - header < length:
            break
        if count == room:
            return count, at, FULL
        part = u32(data, at + 4, big) // fraction
        # Some writers forget to carry; a fraction beyond that is none, the second still holds.
        if part > 1_999_999:
            part = np.int64(999_999)
        time = u32(data, at, big) * 1_000_000 + part
        start[count] = at + header
        captured[count] = length
        wire[count] = believed_wire(length, u32(data, at + 12, big))
        ts[count] = min(time, MAX_TS)
        count += 1
        at += header + length
    return count, at, NEED_BYTES


class Classic:
    """Walks over the records of a pcap file whose header stands at the front of the buffer."""

    def __init__(self, frames: Frames) -> None:
        """Raises ValueError where the file header is none."""
        magic = bytes(frames.data[:4])
        self._big = magic[::-1] in MAGICS
        self._fraction, self._header = MAGICS[magic[::-1] if self._big else magic]
        link = int(u32(frames.data, 20, self._big)) & LINK_TYPE_BITS
        frames.link[:] = RAW_ALIASES.get(link, link)
        self.frames = frames
        self._form = (8, self._header, NEAR_S)
        self._places = np.zeros(STRANDS, np.int64)

    def ask(self, begin: int, end: int) -> None:
        ask_ahead(self.frames.data, begin, end, self._big, self._form, self._places)

    def walk(self, begin: int, end: int) -> Walk:
        frames = self.frames
        count, offset, outcome = walk_records(
            frames.data, begin, end, self._big, self._header, self._fraction,
            frames.start, frames.captured, frames.wire, frames.ts,
        )  # fmt: skip
        return Walk(int(count), int(offset), int(outcome))

    def damage(self, begin: int, end: int) -> str:
        length = int(u32(self.frames.data, begin + 8, self._big))
        return f"its captured length is {length}, more than {MAX_FRAME}"

    def unfinished(self, begin: int, end: int) -> bool:
        return begin < end

    def omitted(self) -> str:
        return ""


def is_classic(magic: bytes) -> bool:
    """Whether these first four bytes begin a pcap file."""
    return magic in MAGICS or magic[::-1] in MAGICS
