"""Captures made of the bundled one: its first frames, or its day several times over."""

import functools
import struct
from pathlib import Path

import pyarrow as pa

from spanwatch.demo import CAPTURE

FILE_HEADER, RECORD = 24, struct.Struct("<IIII")


@functools.cache
def demo_bytes() -> bytes:
    """The bundled capture, unpacked: classic pcap, little endian, microseconds."""
    with pa.input_stream(str(CAPTURE), compression="zstd") as stream:
        return stream.read()


def offsets(data: bytes) -> list[int]:
    """Where each frame's record begins, and where the last one ends."""
    found, at = [], FILE_HEADER
    while at < len(data):
        found.append(at)
        at += RECORD.size + RECORD.unpack_from(data, at)[2]
    return [*found, at]


def first_frames(path: Path, count: int) -> Path:
    """A capture of the first frames of the bundled one."""
    data = demo_bytes()
    at = FILE_HEADER
    for _ in range(count):
        at += RECORD.size + RECORD.unpack_from(data, at)[2]
    path.write_bytes(data[:at])
    return path


def days(path: Path, count: int) -> Path:
    """The bundled school day `count` times, each an hour after the one before."""
    data = demo_bytes()
    starts = offsets(data)[:-1]
    with path.open("wb") as out:
        out.write(data[:FILE_HEADER])
        for day in range(count):
            shifted = bytearray(data)
            for at in starts:
                struct.pack_into("<I", shifted, at, struct.unpack_from("<I", data, at)[0] + 3_600 * day)
            out.write(memoryview(shifted)[FILE_HEADER:])
    return path
