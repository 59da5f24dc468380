"""Archives and folders of lists, read as streams and never unpacked to disk.

What a member is called or points to can therefore do no harm, but is refused all the same; their number and
headers are bounded. The limits are our defaults: ten times what published lists need. Tar is read here, not
by the standard library: `tarfile` takes an extended header of any stated size into memory, and calls itself
for each of a row of them.
"""

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

from blocklists.entries import BrokenListError, Problem
from blocklists.packed import MAX_UNPACKED, PIECE, ZIP, Bounded, opened

MAX_MEMBERS = 20_000
#: Bytes of a member's name, and of the directory of a zip file.
MAX_PATH = 1_024
MAX_DIRECTORY = 8 << 20

_BLOCK = 512
#: Type flags of plain files; `S` is GNU's sparse one, which has content, too.
_FILES = ("\x00", "0", "7")


class Member(NamedTuple):
    """A file of an archive or a folder."""

    name: str
    """Path inside, with `/`."""
    stream: BinaryIO | None
    """Its bytes, good until the next member is asked for; None for a link."""
    link: str = ""
    """Where a link points to, as a path inside."""


def is_archive(stream: BinaryIO) -> bool:
    """Whether an opened stream is a tar or zip archive; nothing of it is consumed."""
    head = cast(Any, stream).peek(_BLOCK)
    return head.startswith(ZIP) or head[:4] == b"PK\x05\x06" or _tar_header(head[:_BLOCK]) is not None


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
        if head in (ZIP, b"PK\x05\x06"):
            if isinstance(getattr(stream, "raw", None), Bounded):
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
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, EOFError) as error:
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
        except (zipfile.BadZipFile, ValueError, RuntimeError, EOFError) as error:
            raise BrokenListError(f"damaged zip archive: {error}", "fetch it again", name) from None
        with packed:
            bounded = _Shared(packed, lambda: size, "zip archive", given)
            stream = io.BufferedReader(bounded, PIECE)
            if stat.S_ISLNK(mode):
                yield _linked(name, stream.read(MAX_PATH).decode("utf-8", "replace"))
            else:
                yield Member(name, stream)


class _Shared(Bounded):
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
        data = self._source.read(min(len(view), self.left, PIECE))
        if not data and self.left:
            raise BrokenListError("damaged tar archive: cut off", "fetch it again")
        self.left -= len(data)
        view[: len(data)] = data
        return len(data)


def _skip(stream: BinaryIO, count: int) -> None:
    while count > 0:
        data = stream.read(min(count, PIECE))
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
            if header.size > PIECE:
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
                yield Member(name, io.BufferedReader(content, PIECE))
            elif header.kind in ("1", "2"):
                yield _linked(name, link, None if header.kind == "2" else PurePosixPath())
            elif header.kind != "5":
                yield _refused(name, "neither a file nor a folder")
        _skip(stream, content.left + -size % _BLOCK if header.kind in (*_FILES, "S") else 0)
