"""What both capture file formats share: limits, the outcomes of a walk, byte order, times."""

from typing import NamedTuple, Protocol

from capture.frames import LINK_RAW, Frames
from pipeline.kernels import entry_kernel, packet_kernel
from pipeline.words import load_16, load_32, load_little_16, load_little_32

#: Longest frame that is believed, bytes: libpcap's MAXIMUM_SNAPLEN for all but D-Bus and USB.
MAX_FRAME = 262_144
#: Latest time that is believed, µs: the last second that 32 bits count (7 February 2106).
MAX_TS = 4_294_967_295 * 1_000_000 + 999_999

#: Outcomes of a walk: the rest is part of a record, the arrays are full, a header is damaged,
#: the table of interfaces is full.
NEED_BYTES, FULL, DAMAGED, MORE_INTERFACES = 0, 1, 2, 3

#: Numbers that some systems write for raw IP (their DLT_RAW) instead of LINKTYPE_RAW.
RAW_ALIASES = {12: LINK_RAW, 14: LINK_RAW}


class Walk(NamedTuple):
    """Where a walk over a buffer stopped, and why."""

    frames: int
    """Frames written to the arrays."""
    offset: int
    """First byte that was not consumed."""
    outcome: int
    """One of the outcomes above."""


class Container(Protocol):
    """A capture file format: walks over the records of a buffer."""

    frames: Frames
    """The arrays that `walk` fills, over the buffer it walks."""

    def walk(self, begin: int, end: int) -> Walk:
        """Walks over `[begin, end)` of the buffer, as far as whole records and room go."""

    def ask(self, begin: int, end: int) -> None:
        """Asks the memory for what a walk over `[begin, end)` will read, as `capture.sources.strands`."""

    def damage(self, begin: int, end: int) -> str:
        """What is wrong with the record header at `begin`."""

    def unfinished(self, begin: int, end: int) -> bool:
        """Whether the file may not end here: the rest of a record is missing."""

    def omitted(self) -> str:
        """What had to be left out on the way; empty if nothing."""


@packet_kernel
def u16(data, at, big):
    """Two bytes at `at` as an integer; the caller has checked the bounds."""
    return load_16(data, at) if big else load_little_16(data, at)


@entry_kernel
def u32(data, at, big):
    """Four bytes at `at` as an integer; the caller has checked the bounds."""
    return load_32(data, at) if big else load_little_32(data, at)


@packet_kernel
def believed_wire(captured, wire):
    """Bytes on the wire: what the header says, or `captured` where that can't be."""
    if wire < captured or wire > MAX_FRAME:
        return captured
    return wire
