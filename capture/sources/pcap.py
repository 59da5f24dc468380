"""Capture files, from the first byte to the last frame: pcap and pcapng, plain or packed."""

import os
from collections.abc import Iterator
from typing import Self

import numpy as np

from capture.frames import NO_TAG, Frames, empty_frames
from capture.sources.bytestream import STANDARD_INPUT, ByteStream, PlainFile, unpack
from capture.sources.classic import FILE_HEADER, Classic, is_classic
from capture.sources.container import DAMAGED, FULL, Container
from capture.sources.mapping import Mapping
from capture.sources.pcapng import BYTE_ORDER_MAGICS, SECTION_MAGIC, Pcapng

#: Bytes of the one buffer: it stays in the L2 cache, and any record or block that is looked into fits.
BUFFER = 2 << 20
#: Bytes of a mapped file that become a block: the heads of their frames stay in the L2 cache, and any record
#: or block that is looked into fits. Our default.
STEP = 2 << 20
#: Frames of a block at most. Our default.
FRAMES = 32_768
MEND = "give a pcap or pcapng file, plain, .gz or .zst"


class Capture:
    """A capture file: iterate over it once to get its frames, block by block, in one reused buffer.

    Raises OSError with one line where the file can't be read on. A file that is cut off or damaged
    ends early, with every frame before that yielded, and says so in `truncated`.
    """

    def __init__(self, name: str, source: PlainFile, stream: ByteStream) -> None:
        """Raises ValueError where the stream is no capture."""
        self.name = name
        self.truncated = ""
        """Where and how the file was cut off or damaged, one line; set when the iteration ends."""
        self.bytes_total = source.bytes_total
        """Bytes of the file as it is stored; None for standard input and pipes."""
        self.frames = 0
        """Frames yielded so far."""
        self._source = source
        self._stream = stream
        self._data = np.empty(BUFFER, np.uint8)
        self._view = self._data.data
        self._base = 0
        self._end = 0
        self._begin = 0
        self._mapping: Mapping | None = None
        self._container = self._recognise()
        self._mapping = self._source.mapping() if stream is source else None

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the file as it is stored."""
        return self._source.bytes_read

    def _read(self) -> bool:
        """Moves the unconsumed bytes to the front and reads behind them; False at the end."""
        if self._mapping is not None:
            return self._map(self._mapping)
        if self._begin:
            rest = self._data[self._begin : self._end]
            self._data[: len(rest)] = rest
            self._base += self._begin
            self._begin, self._end = 0, len(rest)
        try:
            count = self._stream.readinto(self._view[self._end :])
        except OSError as error:
            raise type(error)(
                f"cannot read capture {self.name} beyond byte {self._base + self._end}: "
                f"{error.strerror or error}; check the disk it is on"
            ) from None
        self._end += count
        return count > 0

    def _map(self, mapping: Mapping) -> bool:
        """Goes on to the next window; where there is none to be had, to reading from the same byte on."""
        at = self._base + self._begin
        if self._base + self._end >= mapping.size:
            # Nothing more is mapped; who wants to write need not wait for the last frames to be taken.
            mapping.close()
            return False
        try:
            self._data, self._base = mapping.window(at)
            self._begin, self._end = at - self._base, len(self._data)
            self._source.bytes_read = self._base + self._end
        except OSError:
            mapping.close()
            self._mapping = None
            self._data = np.empty(BUFFER, np.uint8)
            self._view = self._data.data
            self._base, self._begin, self._end = at, 0, 0
            self._source.go_to(at)
        self._container.frames = self._container.frames._replace(data=self._data)
        return self._mapping is not None or self._read()

    def _recognise(self) -> Container:
        while self._end < FILE_HEADER and self._read():
            pass
        data = bytes(self._data[: min(self._end, FILE_HEADER)])
        if not data:
            reason = self._stream.damage or "it is empty"
            raise ValueError(f"cannot read capture {self.name}: {reason}; {MEND}")
        frames = empty_frames(self._data, FRAMES)
        frames.vlan[:] = NO_TAG
        if is_classic(data[:4]):
            if len(data) < FILE_HEADER:
                raise ValueError(
                    f"cannot read capture {self.name}: cut off in the file header, after {len(data)} bytes; "
                    "copy the file again"
                )
            self._begin = FILE_HEADER
            return Classic(frames)
        if data[:4] == SECTION_MAGIC and data[8:12] in BYTE_ORDER_MAGICS:
            return Pcapng(frames)
        raise ValueError(
            f"cannot read capture {self.name}: not pcap or pcapng (first bytes {data[:8].hex(' ')}); {MEND}"
        )

    def __iter__(self) -> Iterator[Frames]:
        container = self._container
        while True:
            stop = self._end
            if self._mapping is not None:
                stop = min(stop, self._begin + STEP)
                container.ask(self._begin, stop)
            walk = container.walk(self._begin, stop)
            self._begin = walk.offset
            if walk.frames:
                self.frames += walk.frames
                yield container.frames._replace(count=walk.frames)
            if walk.outcome == DAMAGED:
                self._cut("has a damaged record header", container.damage(self._begin, self._end))
                return
            if walk.outcome != FULL and stop == self._end and not self._read():
                break
        if container.unfinished(self._begin, self._end):
            self._cut("is cut off in the middle of a record")
        elif self._stream.damage or container.omitted():
            self._cut("was not read in full")

    def _cut(self, what: str, why: str = "") -> None:
        details = "".join(f"; {text}" for text in (self._stream.damage, self._container.omitted()) if text)
        self.truncated = (
            f"capture {self.name} {what} at byte {self._base + self._begin}{': ' if why else ''}{why}; "
            f"the {self.frames} frames before it were read{details}"
        )

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_capture(path: str) -> Capture:
    """The capture at `path`, or on standard input for `-`; gzip and Zstandard are recognised by content.

    Raises ValueError where it is no capture and OSError where it can't be opened, with one line that
    says what, where and how to mend it.
    """
    name = "standard input" if path == STANDARD_INPUT else os.fspath(path)
    source = None
    try:
        source = PlainFile(path)
        stream = unpack(source)
    except OSError as error:
        if source:
            source.close()
        raise type(error)(f"cannot read capture {name}: {error.strerror}; give a readable file") from None
    try:
        return Capture(name, source, stream)
    except BaseException:
        source.close()
        raise
