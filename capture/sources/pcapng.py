"""The pcapng format: blocks of sections, interfaces and packets.

Layout: draft-ietf-opsawg-pcapng, sections 3 and 4. Sections of either byte order may follow one
another; each begins a new list of interfaces, which have their own link type, resolution and
time offset.
"""

import numpy as np

from capture.frames import Frames
from capture.sources.container import (
    DAMAGED,
    FULL,
    MAX_FRAME,
    MAX_TS,
    MORE_INTERFACES,
    NEED_BYTES,
    RAW_ALIASES,
    Walk,
    believed_wire,
    u16,
    u32,
)
from capture.sources.strands import STRANDS, ask_ahead
from pipeline.kernels import entry_kernel, inline_kernel, packet_kernel

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER_MAGICS = (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d")
BYTE_ORDER_MAGIC = 0x1A2B_3C4D

# Block types (section 11.1) and the bytes each has at least.
SECTION, INTERFACE, OBSOLETE_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
BLOCK_LEAST, SECTION_LEAST, INTERFACE_LEAST, SIMPLE_LEAST, PACKET_LEAST = 12, 28, 20, 16, 32
#: Bytes of a packet block before the frame; of a simple one.
PACKET_HEAD, SIMPLE_HEAD = 28, 12
#: Options of an interface (section 4.2).
OPTION_END, OPTION_RESOLUTION, OPTION_OFFSET = 0, 9, 14

#: Longest block that is looked into, bytes; longer ones of other kinds are passed over. Our default.
MAX_BLOCK = 1 << 20
#: Interfaces of one section. Our default.
MAX_INTERFACES = 65_536

#: As far as 63 bits hold them; a time in finer units than the last is taken for one in those.
FINEST = 18
#: Blocks as `ask_ahead` looks for them: all of one type, the length of the whole block behind that.
FORM = (4, 0, 0)
POWERS_OF_TEN = np.array([10**exponent for exponent in range(FINEST + 1)], np.int64)

# Columns of the table of interfaces. Times: `raw // divide * multiply + offset`, or for a power of
# two (shift >= 0) `raw * 1,000,000 >> shift`.
LINK, SNAPLEN, MULTIPLY, DIVIDE, SHIFT, OFFSET = range(6)
INTERFACE_COLUMNS = 6
# What a walk carries on to the next buffer.
BIG, INTERFACES, SKIP, LAST_TS, ORPHANS = range(5)
STATE_FIELDS = 5


@inline_kernel
def microseconds(high, low, multiply, divide, shift, offset):
    """Time of a 64-bit count of an interface's units, µs since 1970, within 0 and `MAX_TS`."""
    raw = (high & 0x7FFF_FFFF) << 32 | low
    if shift >= 0:
        if shift > 62:
            seconds = np.int64(0)
            part = np.int64(0)
        else:
            seconds = raw >> shift
            part = raw & ((np.int64(1) << shift) - 1)
        if shift > 40:
            part = (part >> (min(shift, 62) - 40)) * 1_000_000 >> 40
        else:
            part = part * 1_000_000 >> shift
        if seconds > 4_294_967_295:
            time = np.int64(MAX_TS)
        else:
            time = seconds * 1_000_000 + part
    else:
        time = raw // divide
        if time > MAX_TS // multiply:
            time = np.int64(MAX_TS)
        else:
            time = time * multiply
    if high > 0x7FFF_FFFF:
        time = np.int64(MAX_TS)
    return min(max(time + offset, 0), MAX_TS)


@packet_kernel
def read_interface(data, at, end, big, row):
    """Fills `row` from the interface description block `data[at:end]`, whose lengths are checked."""
    row[LINK] = u16(data, at + 8, big)
    row[SNAPLEN] = u32(data, at + 12, big)
    row[MULTIPLY] = 1
    row[DIVIDE] = 1
    row[SHIFT] = -1
    row[OFFSET] = 0
    option = at + 16
    last = end - 4
    while last - option >= 4:
        code = u16(data, option, big)
        length = u16(data, option + 2, big)
        value = option + 4
        if code == OPTION_END or last - value < length:
            break
        if code == OPTION_RESOLUTION and length >= 1:
            exponent = np.int64(data[value] & 0x7F)
            if data[value] & 0x80:
                row[SHIFT] = exponent
            else:
                if exponent < 6:
                    row[MULTIPLY] = POWERS_OF_TEN[6 - exponent]
                    row[DIVIDE] = 1
                else:
                    if exponent > 6 + FINEST:
                        exponent = np.int64(6 + FINEST)
                    row[MULTIPLY] = 1
                    row[DIVIDE] = POWERS_OF_TEN[exponent - 6]
                row[SHIFT] = -1
        elif code == OPTION_OFFSET and length >= 8:
            first = u32(data, value, big)
            second = u32(data, value + 4, big)
            high, low = (first, second) if big else (second, first)
            seconds = high << 32 | low
            row[OFFSET] = min(max(seconds, -4_294_967_296), 4_294_967_296) * 1_000_000
        option = value + (length + 3) // 4 * 4


@entry_kernel
def walk_blocks(data, begin, end, state, interfaces, start, captured, wire, ts, link):
    """Walks over the blocks in `data[begin:end]`; returns (frames, offset, outcome)."""
    count = 0
    at = begin
    room = len(start)
    big = state[BIG] != 0
    while True:
        if state[SKIP] > 0:
            step = min(state[SKIP], end - at)
            state[SKIP] -= step
            at += step
        if end - at < BLOCK_LEAST:
            return count, at, NEED_BYTES
        kind = u32(data, at, False)
        if kind == SECTION:
            if u32(data, at + 8, False) == BYTE_ORDER_MAGIC:
                big = False
            elif u32(data, at + 8, True) == BYTE_ORDER_MAGIC:
                big = True
            else:
                return count, at, DAMAGED
        else:
            kind = u32(data, at, big)
        length = u32(data, at + 4, big)
        if length < BLOCK_LEAST or length % 4 != 0:
            return count, at, DAMAGED
        known = kind in (SECTION, INTERFACE, OBSOLETE_PACKET, SIMPLE_PACKET, ENHANCED_PACKET)
        if length > MAX_BLOCK:
            if known:
                return count, at, DAMAGED
            state[SKIP] = length
            continue
        if end - at < length:
            return count, at, NEED_BYTES
        if u32(data, at + length - 4, big) != length:
            return count, at, DAMAGED

        if kind in (ENHANCED_PACKET, OBSOLETE_PACKET):
            if length < PACKET_LEAST:
                return count, at, DAMAGED
            size = u32(data, at + 20, big)
            if size > MAX_FRAME or size > length - PACKET_LEAST:
                return count, at, DAMAGED
            if kind == ENHANCED_PACKET:
                number = u32(data, at + 8, big)
            else:
                number = u16(data, at + 8, big)
            if number >= state[INTERFACES]:
                state[ORPHANS] += 1
                at += length
                continue
            if count == room:
                return count, at, FULL
            row = interfaces[number]
            time = microseconds(
                u32(data, at + 12, big), u32(data, at + 16, big),
                row[MULTIPLY], row[DIVIDE], row[SHIFT], row[OFFSET],
            )  # fmt: skip
            state[LAST_TS] = time
            start[count] = at + PACKET_HEAD
            captured[count] = size
            wire[count] = believed_wire(size, u32(data, at + 24, big))
            ts[count] = time
            link[count] = row[LINK]
            count += 1
        elif kind == SIMPLE_PACKET:
            if length < SIMPLE_LEAST:
                return count, at, DAMAGED
            if state[INTERFACES] == 0:
                state[ORPHANS] += 1
                at += length
                continue
            if count == room:
                return count, at, FULL
            original = u32(data, at + 8, big)
            size = min(original, length - SIMPLE_LEAST)
            if interfaces[0, SNAPLEN] > 0:
                size = min(size, interfaces[0, SNAPLEN])
            if size > MAX_FRAME:
                return count, at, DAMAGED
            # A simple packet has no time: it takes that of the packet before it.
            start[count] = at + SIMPLE_HEAD
            captured[count] = size
            wire[count] = believed_wire(size, original)
            ts[count] = state[LAST_TS]
            link[count] = interfaces[0, LINK]
            count += 1
        elif kind == INTERFACE:
            if length < INTERFACE_LEAST:
                return count, at, DAMAGED
            if state[INTERFACES] == len(interfaces):
                return count, at, MORE_INTERFACES
            read_interface(data, at, at + length, big, interfaces[state[INTERFACES]])
            state[INTERFACES] += 1
        elif kind == SECTION:
            if length < SECTION_LEAST:
                return count, at, DAMAGED
            state[BIG] = np.int64(big)
            state[INTERFACES] = 0
        at += length


class Pcapng:
    """Walks over the blocks of a pcapng file."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self._state = np.zeros(STATE_FIELDS, np.int64)
        self._interfaces = np.zeros((16, INTERFACE_COLUMNS), np.int64)
        self._places = np.zeros(STRANDS, np.int64)

    def ask(self, begin: int, end: int) -> None:
        ask_ahead(self.frames.data, begin, end, bool(self._state[BIG]), FORM, self._places)

    def walk(self, begin: int, end: int) -> Walk:
        frames = self.frames
        count, offset, outcome = walk_blocks(
            frames.data, begin, end, self._state, self._interfaces,
            frames.start, frames.captured, frames.wire, frames.ts, frames.link,
        )  # fmt: skip
        for alias, link in RAW_ALIASES.items():
            frames.link[:count][frames.link[:count] == alias] = link
        if outcome == MORE_INTERFACES:
            if len(self._interfaces) >= MAX_INTERFACES:
                return Walk(int(count), int(offset), DAMAGED)
            self._interfaces = np.concatenate([self._interfaces, np.zeros_like(self._interfaces)])
            outcome = FULL
        return Walk(int(count), int(offset), int(outcome))

    def damage(self, begin: int, end: int) -> str:
        data = self.frames.data
        magic = bytes(data[begin + 8 : begin + 12])
        if bytes(data[begin : begin + 4]) == SECTION_MAGIC:
            if magic not in BYTE_ORDER_MAGICS:
                return f"its byte-order magic is {magic.hex()}"
            big = magic == BYTE_ORDER_MAGICS[1]
        else:
            big = bool(self._state[BIG])
        kind, length = int(u32(data, begin, big)), int(u32(data, begin + 4, big))
        if kind == INTERFACE and self._state[INTERFACES] >= MAX_INTERFACES:
            return f"the section has more than {MAX_INTERFACES} interfaces"
        if BLOCK_LEAST <= length <= min(MAX_BLOCK, end - begin) and length % 4 == 0:
            tail = int(u32(data, begin + length - 4, big))
            if tail != length:
                return f"block of type {kind:#x} says {length} bytes in front and {tail} behind"
        return f"block of type {kind:#x} can't have the lengths it says ({length} bytes in all)"

    def unfinished(self, begin: int, end: int) -> bool:
        return begin < end or self._state[SKIP] > 0

    def omitted(self) -> str:
        count = int(self._state[ORPHANS])
        return f"{count} packets of interfaces without a description were left out" if count else ""
