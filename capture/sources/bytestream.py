"""The bytes of a capture file: plain, gzip (RFC 1952) or Zstandard (RFC 8878), from a path or standard input.

A packed file that is cut off or damaged gives every byte before the damage, then ends with
`damage` saying what happened.
"""

import contextlib
import io
import os
import sys
import zlib
from typing import Protocol, Self

import numpy as np
import pyarrow as pa

from capture.sources.mapping import Mapping

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
#: A Zstandard file may begin with a skippable frame: 0x184D2A5? (RFC 8878, 3.1.2).
ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
#: Packed bytes taken from the file at once.
PACKED_BLOCK = 1 << 18
#: Unpacked bytes asked of the Zstandard decoder at once.
PIECE = 1 << 18
STANDARD_INPUT = "-"


class ByteStream(Protocol):
    """A stream of unpacked bytes."""

    damage: str
    """Why the bytes ended before the packed data did; empty while all is well."""

    def readinto(self, view: memoryview) -> int:
        """Bytes written to the front of `view`, 0 only at the end. Raises OSError."""

    def close(self) -> None: ...


class PlainFile:
    """A file or standard input as it is, with what was read ahead of time put back in front."""

    def __init__(self, path: str) -> None:
        self.damage = ""
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self._ahead = b""
        if path == STANDARD_INPUT:
            if sys.stdin is None or sys.stdin.isatty():
                raise ValueError("standard input is no capture but a terminal; pipe a capture file into it")
            self._file: io.BufferedIOBase | io.FileIO = sys.stdin.buffer  # type: ignore[assignment]
            self._owned = False
            return
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self._owned = True
        if os.path.isfile(path):
            self.bytes_total = os.fstat(self._file.fileno()).st_size
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end; they stay in the stream."""
        while len(self._ahead) < count:
            more = self._read(count - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:count]

    def readinto(self, view: memoryview) -> int:
        if self._ahead:
            count = min(len(self._ahead), len(view))
            view[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
        elif isinstance(self._file, io.BufferedIOBase):
            # What is there, not all that fits: a live pipe must not wait for a full buffer.
            count = self._file.readinto1(view)
        else:
            count = self._file.readinto(view) or 0
        self.bytes_read += count
        return count

    def read(self, count: int = PACKED_BLOCK) -> bytes:
        """At most `count` bytes, none at the end."""
        if self._ahead:
            taken, self._ahead = self._ahead[:count], self._ahead[count:]
        else:
            taken = self._read(count)
        self.bytes_read += len(taken)
        return taken

    def mapping(self) -> Mapping | None:
        """The file in memory, None where it can't be had."""
        if self.bytes_total is None:
            return None
        with contextlib.suppress(OSError):
            return Mapping(self._file.fileno())
        return None

    def go_to(self, at: int) -> None:
        """Read on from this byte of a plain file."""
        self._file.seek(at)
        self._ahead = b""
        self.bytes_read = at

    def _read(self, count: int) -> bytes:
        if isinstance(self._file, io.BufferedIOBase):
            return self._file.read1(count)
        return self._file.read(count) or b""

    def close(self) -> None:
        if self._owned:
            self._file.close()

    # pyarrow.PythonFile asks for these.
    @property
    def closed(self) -> bool:
        return self._file.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class GzipStream:
    """Unpacks gzip, several members one after another too."""

    def __init__(self, source: PlainFile) -> None:
        self.damage = ""
        self._source = source
        self._packed = b""
        self._member = zlib.decompressobj(wbits=31)
        self._inside = True
        self._ended = False

    def readinto(self, view: memoryview) -> int:
        while not self._ended:
            if not self._packed:
                self._packed = self._source.read()
                if not self._packed:
                    return self._end(view)
            if not self._inside and not self._next_member():
                continue
            unpacked = self._unpack(len(view))
            if unpacked:
                view[: len(unpacked)] = unpacked
                return len(unpacked)
        return 0

    def _end(self, view: memoryview) -> int:
        """At the end of the packed data: what the decoder still held back, then whether it was whole."""
        if self._inside:
            held = self._member.decompress(b"", len(view))
            if held:
                view[: len(held)] = held
                return len(held)
            self.damage = f"gzip data is cut off at byte {self._source.bytes_read}"
        self._ended = True
        return 0

    def _next_member(self) -> bool:
        """Whether another member begins; zero padding behind the last one is passed over."""
        self._packed = self._packed.lstrip(b"\0")
        if not self._packed:
            return False
        if self._packed[:1] != GZIP_MAGIC[:1]:
            self._ended = True
            at = self._source.bytes_read - len(self._packed)
            self.damage = f"what follows the gzip data at byte {at} is no gzip and was left out"
            return False
        self._member = zlib.decompressobj(wbits=31)
        self._inside = True
        return True

    def _unpack(self, room: int) -> bytes:
        before = self._member.copy()
        try:
            unpacked = self._member.decompress(self._packed, room)
        except zlib.error:
            return self._unpack_to_damage(before)
        if self._member.eof:
            self._packed = self._member.unused_data
            self._inside = False
        else:
            self._packed = self._member.unconsumed_tail
        return unpacked

    def _unpack_to_damage(self, member: "zlib._Decompress") -> bytes:
        """What `member` still gives, fed byte by byte until it refuses; never more than the room it had."""
        self._ended = True
        good = bytearray()
        at = self._source.bytes_read - len(self._packed)
        for index in range(len(self._packed)):
            try:
                good += member.decompress(self._packed[index : index + 1])
            except zlib.error:
                self.damage = f"gzip data is damaged at byte {at + index}"
                break
        return bytes(good)

    def close(self) -> None:
        self._source.close()


class ZstdStream:
    """Unpacks Zstandard, several frames one after another too.

    Arrow's decoder raises at a cut without telling how many bytes it had written before. Each
    piece is therefore filled with random bytes first: what still equals them was not written.
    """

    def __init__(self, source: PlainFile) -> None:
        self.damage = ""
        self._source = source
        self._stream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd")
        self._unwritten = np.frombuffer(os.urandom(PIECE), np.uint8)
        self._ended = False

    def readinto(self, view: memoryview) -> int:
        if self._ended:
            return 0
        room = min(len(view), PIECE)
        piece = np.frombuffer(view, np.uint8, room)
        piece[:] = self._unwritten[:room]
        try:
            count = self._stream.readinto(piece)
        except OSError as error:
            if error.errno is not None:
                raise
            self._ended = True
            what = "cut off" if "runcated" in str(error) else "damaged"
            self.damage = f"Zstandard data is {what} at byte {self._source.bytes_read}"
            written = np.flatnonzero(piece != self._unwritten[:room])
            return int(written[-1]) + 1 if len(written) else 0
        self._ended = count == 0
        return count

    def close(self) -> None:
        self._source.close()


def unpack(source: PlainFile) -> ByteStream:
    """The bytes of `source`, unpacked if its first bytes say that it is gzip or Zstandard."""
    magic = source.peek(4)
    if magic[:2] == GZIP_MAGIC:
        return GzipStream(source)
    if magic == ZSTD_MAGIC or (magic[1:] == ZSTD_SKIPPABLE and magic[0] >> 4 == 5):
        return ZstdStream(source)
    return source
