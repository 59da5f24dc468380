"""Captures made byte by byte, as the drafts of both formats lay them out."""

import io
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import patch

from hypothesis import settings

from capture.sources.pcap import Capture, open_capture

#: The first example compiles.
untimed = settings(deadline=None)


class Packet(NamedTuple):
    """A frame as it goes into a file or comes out of one."""

    ts: int
    """µs since 1970."""
    data: bytes
    wire: int
    link: int = 1


MICRO, NANO, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


def pcap(packets: list[Packet], magic: int = MICRO, order: str = "<", link: int = 1) -> bytes:
    """A pcap file."""
    made = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, link)
    for packet in packets:
        seconds, fraction = divmod(packet.ts, 1_000_000)
        fraction *= 1_000 if magic == NANO else 1
        made += struct.pack(order + "IIII", seconds, fraction, len(packet.data), packet.wire)
        if magic == MODIFIED:
            made += struct.pack(order + "IHBB", 3, 0x0800, 0, 0)
        made += packet.data
    return made


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block around `body`, padded."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, order: str = "<", options: bytes = b"", snaplen: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def enhanced(
    number: int, units: int, data: bytes, wire: int, order: str = "<", options: bytes = b""
) -> bytes:
    """An enhanced packet block; `units` since 1970 in the interface's resolution."""
    head = struct.pack(order + "IIIII", number, units >> 32, units & 0xFFFF_FFFF, len(data), wire)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def obsolete(number: int, units: int, data: bytes, wire: int, order: str = "<") -> bytes:
    head = struct.pack(order + "HHIIII", number, 0, units >> 32, units & 0xFFFF_FFFF, len(data), wire)
    return block(2, head + data, order)


def simple(data: bytes, wire: int, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", wire) + data, order)


def pcapng(packets: list[Packet], order: str = "<") -> bytes:
    """A pcapng file with one interface for each link type."""
    links = sorted({packet.link for packet in packets})
    made = section(order) + b"".join(interface(link, order) for link in links)
    return made + b"".join(
        enhanced(links.index(packet.link), packet.ts, packet.data, packet.wire, order) for packet in packets
    )


class Trickle(io.BufferedIOBase):
    """A stream that gives at most `step` bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._inner = io.BytesIO(data)
        self._step = step

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        return self._inner.read(self._step if size < 0 else min(size, self._step))

    def readinto1(self, buffer) -> int:
        taken = self.read1(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)


@contextmanager
def standard_input(data: bytes, step: int = 1 << 20) -> Iterator[None]:
    """Puts `data` on standard input."""
    stream = SimpleNamespace(buffer=Trickle(data, step), isatty=lambda: False)
    with patch.object(sys, "stdin", stream):
        yield


def packets_of(capture: Capture) -> list[Packet]:
    """Every frame of a capture, checked to lie within its block."""
    packets = []
    for frames in capture:
        assert 0 < frames.count <= len(frames.start)
        for index in range(frames.count):
            start, captured = int(frames.start[index]), int(frames.captured[index])
            assert 0 <= start <= start + captured <= len(frames.data)
            assert frames.wire[index] >= captured
            assert frames.vlan[index] == -1
            data = frames.data[start : start + captured].tobytes()
            packets.append(
                Packet(int(frames.ts[index]), data, int(frames.wire[index]), int(frames.link[index]))
            )
    return packets


def read(data: bytes, step: int = 1 << 20) -> tuple[list[Packet], str]:
    """The frames of a capture given on standard input, and how it was cut off."""
    with standard_input(data, step), open_capture("-") as capture:
        return packets_of(capture), capture.truncated
