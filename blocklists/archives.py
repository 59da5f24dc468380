"""Packed files, archives and folders of lists, read as streams and never unpacked to disk.

What a member is called or points to can therefore do no harm, but is refused all the same; sizes, ratios
and counts are bounded. The limits are our defaults: ten times what published lists need.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

import pyarrow as pa

from blocklists.entries import BrokenListError, Problem

#: Bytes that a packed file or an archive may unpack to.
MAX_UNPACKED = 1 << 30
#: Unpacked bytes for each packed one, looked at from `RATIO_FROM` unpacked bytes on. Names pack to about 4:1.
MAX_RATIO = 200
RATIO_FROM = 4 << 20
MAX_MEMBERS = 20_000
#: Bytes of a member's name, and of the directory of a zip file.
MAX_PATH = 1_024
MAX_DIRECTORY = 8 << 20
#: Memory (bytes) that unpacking xz may take: its highest setting takes 65 MiB.
_XZ_MEMORY = 128 << 20

_BLOCK = 512
#: Type flags of plain files; `S` is GNU's sparse one, which has content, too.
_FILES = ("\x00", "0", "7")
_PIECE = 1 << 16

_GZIP, _BZIP2, _XZ, _ZSTD, _ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_PACKED = (_GZIP, _BZIP2, _XZ, _ZSTD)


class Member(NamedTuple):
    """A file of an archive or a folder."""

    name: str
    """Path inside, with `/`."""
    stream: BinaryIO | None
    """Its bytes, good until the next member is asked for; None for a link."""
    link: str = ""
    """Where a link points to, as a path inside."""


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
                data = self._member.unused_data.lstrip(b"\0") or self._source.read(_PIECE).lstrip(b"\0")
                if not data:
                    return 0
                self._member = self._make()
            elif self._member.needs_input:
                data = self._source.read(_PIECE)
                if not data:
                    raise EOFError("cut off")
            out = self._member.decompress(data, len(view))
            if out:
                view[: len(out)] = out
                return len(out)


class _Bounded(io.RawIOBase):
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
        except (OSError, ValueError, RuntimeError, NotImplementedError) as error:
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
    return io.BufferedReader(_Bounded(source, file.tell, what), _PIECE)


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
        if cast(Any, stream).peek(8).startswith((*_PACKED, _ZIP)):
            raise BrokenListError("packed twice", "give the list packed once, or not at all")
        yield stream


def is_archive(stream: BinaryIO) -> bool:
    """Whether an opened stream is a tar or zip archive; nothing of it is consumed."""
    head = cast(Any, stream).peek(_BLOCK)
    return head.startswith(_ZIP) or head[:4] == b"PK\x05\x06" or _tar_header(head[:_BLOCK]) is not None


def members(path: Path) -> Iterator[Member | Problem]:
    """The files of an archive, packed or not, or of a folder, in its order; problems for what is none.

    Raises OSError and BrokenListError.
    """
    if path.is_dir():
        found = _of_folder(path)
        for count, item in enumerate(found, 1):
            _bound_members(count)
            yield item
        return
    with opened(path) as stream:
        head = cast(Any, stream).peek(4)[:4]
        if head in (_ZIP, b"PK\x05\x06"):
            if isinstance(getattr(stream, "raw", None), _Bounded):
                raise BrokenListError("packed twice", "give the zip file itself")
            found = _of_zip(stream)
        elif is_archive(stream):
            found = _of_tar(stream)
        else:
            raise BrokenListError("neither an archive nor a folder", "give a tar or zip archive, or a folder")
        for count, item in enumerate(found, 1):
            _bound_members(count)
            yield item


def _bound_members(count: int) -> None:
    if count > MAX_MEMBERS:
        raise BrokenListError(f"more than {MAX_MEMBERS:,} files in it", "give the lists alone")


def _inside(name: str) -> str:
    """A member's name in plain form. Raises ValueError with what is wrong with it."""
    if len(name) > MAX_PATH:
        raise ValueError(f"a name longer than {MAX_PATH:,} bytes")
    if "\0" in name or not name.isprintable():
        raise ValueError("a name with control characters")
    path = PurePosixPath(name)
    if path.is_absolute() or "\\" in name or ":" in name.partition("/")[0]:
        raise ValueError("an absolute path")
    if ".." in path.parts:
        raise ValueError("a path that leads out of the archive")
    return str(path)


def _refused(name: str, what: str) -> Problem:
    return Problem(0, "refused", what, "pack the lists alone", member=repr(name[:60])[1:-1])


def _linked(name: str, target: str, base: PurePosixPath | None = None) -> Member | Problem:
    """A link inside the archive, or a problem for one that leads out of it.

    A symbolic link's target counts from where it stands, a hard link's from the archive's root (`base`).
    """
    try:
        parts: list[str] = []
        for part in ((PurePosixPath(name).parent if base is None else base) / target).parts:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        return Member(name, None, _inside("/".join(parts)))
    except (ValueError, IndexError):
        return _refused(name, f"a link that leads out of the archive, to {target[:60]!r}")


# Folders


def _of_folder(root: Path) -> Iterator[Member | Problem]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        place = Path(folder)
        for name in sorted(files + [f for f in folders if (place / f).is_symlink()]):
            path = place / name
            inside = path.relative_to(root).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                yield _linked(inside, os.readlink(path))
            elif not stat.S_ISREG(mode):
                yield _refused(inside, "neither a file nor a folder")
            else:
                with open(path, "rb") as stream:
                    yield Member(inside, stream)


# Zip (APPNOTE.TXT of PKWARE, 4.3)


def _of_zip(file: BinaryIO) -> Iterator[Member | Problem]:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    record = tail[end : end + 22]
    if end < 0 or len(record) < 22:
        raise BrokenListError("damaged zip archive: it has no directory", "fetch it again")
    if int.from_bytes(record[12:16], "little") > MAX_DIRECTORY:
        raise BrokenListError(f"more than {MAX_MEMBERS:,} files in it", "give the lists alone")
    given = [0]
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
        raise BrokenListError(f"damaged zip archive: {error}", "fetch it again") from None
    for info in archive.infolist():
        mode = info.external_attr >> 16
        try:
            name = _inside(info.filename)
        except ValueError as error:
            yield _refused(info.filename, str(error))
            continue
        if info.is_dir():
            continue
        if info.flag_bits & 1:
            yield _refused(name, "an encrypted file")
            continue
        try:
            packed = archive.open(info)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
            raise BrokenListError(f"damaged zip archive: {error}", "fetch it again", name) from None
        with packed:
            bounded = _Shared(packed, lambda: size, "zip archive", given)
            stream = io.BufferedReader(bounded, _PIECE)
            if stat.S_ISLNK(mode):
                yield _linked(name, stream.read(MAX_PATH).decode("utf-8", "replace"))
            else:
                yield Member(name, stream)


class _Shared(_Bounded):
    """The members of one archive, whose bytes are counted together: members may overlap."""

    def __init__(self, source: Any, packed: Callable[[], int], what: str, given: list[int]) -> None:
        super().__init__(source, packed, what)
        self._given = given[0]
        self._total = given

    def readinto(self, view: Any) -> int:
        count = super().readinto(view)
        self._total[0] = self._given
        return count


# Tar (POSIX.1-2017, pax, "ustar Interchange Format"; GNU's long names)


class _Header(NamedTuple):
    name: str
    kind: str
    size: int
    link: str


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _number(field: bytes) -> int:
    """An octal number, or GNU's binary one. Raises ValueError."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
    else:
        digits = field.split(b"\0", 1)[0].strip()
        value = int(digits, 8) if digits else 0
    if value < 0 or value > 1 << 62:
        raise ValueError("a size out of range")
    return value


def _tar_header(block: bytes) -> _Header | None:
    """A header whose checksum is right, or None."""
    if len(block) < _BLOCK or not block[0]:
        return None
    try:
        if _number(block[148:156]) != sum(block[:148]) + 8 * 0x20 + sum(block[156:]):
            return None
        size = _number(block[124:136])
    except ValueError:
        return None
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = f"{_text(block[345:500])}/{name}"
    return _Header(name, chr(block[156]), size, _text(block[157:257]))


def _pax(data: bytes) -> dict[str, str]:
    """The records of a pax header: `length key=value\\n`. Raises ValueError."""
    records = {}
    while data.strip(b"\0"):
        digits, _, _ = data.partition(b" ")
        length = int(digits[:8])
        if length <= len(digits) + 2:
            raise ValueError("a pax record of no length")
        key, equals, value = data[len(digits) + 1 : length - 1].partition(b"=")
        if not equals:
            raise ValueError("a pax record without a value")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        data = data[length:]
    return records


class _TarMember(io.RawIOBase):
    """The bytes of one member of a stream."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        data = self._source.read(min(len(view), self.left, _PIECE))
        if not data and self.left:
            raise BrokenListError("damaged tar archive: cut off", "fetch it again")
        self.left -= len(data)
        view[: len(data)] = data
        return len(data)


def _skip(stream: BinaryIO, count: int) -> None:
    while count > 0:
        data = stream.read(min(count, _PIECE))
        if not data:
            raise BrokenListError("damaged tar archive: cut off", "fetch it again")
        count -= len(data)


def _of_tar(stream: BinaryIO) -> Iterator[Member | Problem]:
    longer: dict[str, str] = {}
    headers = 0
    while True:
        block = stream.read(_BLOCK)
        if not block.strip(b"\0"):
            if len(block) % _BLOCK:
                raise BrokenListError("damaged tar archive: cut off", "fetch it again")
            return
        header = _tar_header(block)
        headers += 1
        if header is None:
            raise BrokenListError(
                f"damaged tar archive: its header {headers:,} makes no sense", "fetch it again"
            )
        # Headers without a file of their own count, too: an archive may be nothing else.
        _bound_members(headers // 4)
        padding = -header.size % _BLOCK
        if header.kind in "xgLK":
            if header.size > _PIECE:
                raise BrokenListError("a tar header of more than 64 KiB", "pack the lists alone")
            data = stream.read(header.size)
            _skip(stream, header.size - len(data) + padding)
            try:
                if header.kind == "x":
                    longer.update(_pax(data))
            except ValueError as error:
                raise BrokenListError(f"damaged tar archive: {error}", "fetch it again") from None
            if header.kind in "LK":
                longer["path" if header.kind == "L" else "linkpath"] = _text(data)
            continue
        name, link = longer.get("path", header.name), longer.get("linkpath", header.link)
        try:
            size = int(longer.get("size", header.size))
        except ValueError:
            raise BrokenListError("damaged tar archive: a size that is no number", "fetch it again") from None
        longer = {}
        if not 0 <= size <= MAX_UNPACKED:
            raise BrokenListError(f"a file of more than {MAX_UNPACKED >> 20:,} MiB in it", "pack lists alone")
        content = _TarMember(stream, size if header.kind in (*_FILES, "S") else 0)
        try:
            name = _inside(name)
        except ValueError as error:
            yield _refused(name, str(error))
        else:
            if header.kind in _FILES:
                yield Member(name, io.BufferedReader(content, _PIECE))
            elif header.kind in ("1", "2"):
                yield _linked(name, link, None if header.kind == "2" else PurePosixPath())
            elif header.kind != "5":
                yield _refused(name, "neither a file nor a folder")
        _skip(stream, content.left + -size % _BLOCK if header.kind in (*_FILES, "S") else 0)
