"""Packed files, read as streams and never unpacked to disk; sizes and ratios are bounded.

The limits are our defaults: ten times what published lists need.
"""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from blocklists.entries import BrokenListError

#: Bytes that a packed file or an archive may unpack to.
MAX_UNPACKED = 1 << 30
#: Unpacked bytes for each packed one, looked at from `RATIO_FROM` unpacked bytes on. Names pack to about 4:1.
MAX_RATIO = 200
RATIO_FROM = 4 << 20
#: Bytes read at once.
PIECE = 1 << 16
#: Memory (bytes) that unpacking xz may take: its highest setting takes 65 MiB.
_XZ_MEMORY = 128 << 20

#: First bytes: of a zip archive; of packed files.
ZIP = b"PK\x03\x04"
_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
_PACKED = (_GZIP, _BZIP2, _XZ, _ZSTD)


class _Packed(io.RawIOBase):
    """Streams of bzip2 or xz, one after another."""

    def __init__(self, source: BinaryIO, make: Callable[[], Any]) -> None:
        self._source = source
        self._make = make
        self._member = make()

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        while True:
            data = b""
            if self._member.eof:
                # What follows a stream is another one, or padding.
                data = self._member.unused_data.lstrip(b"\0") or self._source.read(PIECE).lstrip(b"\0")
                if not data:
                    return 0
                self._member = self._make()
            elif self._member.needs_input:
                data = self._source.read(PIECE)
                if not data:
                    raise EOFError("cut off")
            out = self._member.decompress(data, len(view))
            if out:
                view[: len(out)] = out
                return len(out)


class Bounded(io.RawIOBase):
    """A stream that stops the reading where it has given too much. Raises BrokenListError."""

    def __init__(self, source: Any, packed: Callable[[], int], what: str) -> None:
        self._source = source
        self._packed = packed
        """Bytes it was made from, so far."""
        self._what = what
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        try:
            data = self._source.read(len(view))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise self._damaged(error) from None
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise self._damaged(error) from None
        self._given += len(data)
        mend = "give the list itself, unpacked"
        if self._given > MAX_UNPACKED:
            raise BrokenListError(f"it unpacks to more than {MAX_UNPACKED >> 20:,} MiB", mend)
        if self._given > RATIO_FROM and self._given > MAX_RATIO * max(self._packed(), 1):
            raise BrokenListError(f"it unpacks to more than {MAX_RATIO} times its size", mend)
        view[: len(data)] = data
        return len(data)

    def _damaged(self, error: Exception) -> BrokenListError:
        return BrokenListError(f"damaged {self._what}: {error}", "fetch it again")


def _unpacked(file: BinaryIO, magic: bytes) -> BinaryIO:
    """The bytes of a packed file."""
    if magic.startswith(_GZIP):
        source, what = gzip.GzipFile(fileobj=file), "gzip data"
    elif magic.startswith(_BZIP2):
        source, what = cast(Any, _Packed(file, bz2.BZ2Decompressor)), "bzip2 data"
    elif magic.startswith(_XZ):
        made = _Packed(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))
        source, what = cast(Any, made), "xz data"
    else:
        source, what = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"), "Zstandard data"
    return io.BufferedReader(Bounded(source, file.tell, what), PIECE)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked if its first bytes say that it is packed.

    Raises OSError; reading raises BrokenListError where the packing is damaged or a bomb.
    """
    if not path.is_file() and path.exists():
        raise BrokenListError("neither a file nor a folder", "give the list's file")
    with open(path, "rb") as file:
        magic = file.peek(8)
        if not magic.startswith(_PACKED):
            yield file
            return
        stream = _unpacked(file, magic)
        if cast(Any, stream).peek(8).startswith((*_PACKED, ZIP)):
            raise BrokenListError("packed twice", "give the list packed once, or not at all")
        yield stream
