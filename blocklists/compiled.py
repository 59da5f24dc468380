"""The compiled file: a JSON header and named arrays, written atomically, mapped when opened."""

import contextlib
import fcntl
import glob
import hashlib
import json
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"SPANLST4"
#: Hex digits of a version.
VERSION = 16
_HEAD = len(MAGIC) + 32
_ALIGN = 64
_CHUNK = 1 << 20


def _padded(size: int) -> int:
    return -size % _ALIGN


def write(path: Path, header: dict[str, Any], sections: dict[str, np.ndarray], version: str) -> None:
    """Writes beside `path`, then takes its place. Raises OSError; `path` is then untouched.

    Layout: magic, SHA-256 of all that follows, version, header length (uint64), header, arrays, each
    at a multiple of 64 bytes.
    """
    place = 0
    table = {}
    for name, array in sections.items():
        table[name] = [array.dtype.str, len(array), place]
        place += array.nbytes + _padded(array.nbytes)
    head = json.dumps({**header, "sections": table, "body": place}, ensure_ascii=True).encode()
    head += b" " * _padded(_HEAD + VERSION + 8 + len(head))
    digest = hashlib.sha256()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    _sweep(path)
    try:
        with open(part, "wb") as out:
            fcntl.flock(out, fcntl.LOCK_EX)
            out.write(MAGIC + b"\0" * 32)

            def put(data: bytes) -> None:
                digest.update(data)
                out.write(data)

            put(version.encode("ascii"))
            put(len(head).to_bytes(8, "little"))
            put(head)
            for array in sections.values():
                put(array.tobytes())
                put(b"\0" * _padded(array.nbytes))
            out.seek(len(MAGIC))
            out.write(digest.digest())
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise


def _sweep(path: Path) -> None:
    """Removes what writers left beside `path` that ended in the middle; those at work hold a lock."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def version_of(header: dict[str, Any], sections: dict[str, np.ndarray]) -> str:
    """First `VERSION` hex digits of a SHA-256 over the content; the same content has the same version."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, array in sections.items():
        digest.update(name.encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:VERSION]


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], str]:
    """Header, read-only arrays over the mapped file, and the version it carries.

    The whole file is read once, outside the map, to check its digest. Raises OSError, and
    ValueError for a file that is damaged or no compiled list.
    """
    mend = "remove it and compile the lists again"
    with open(path, "rb") as file:
        start = file.read(_HEAD)
        if start[: len(MAGIC)] != MAGIC or len(start) < _HEAD:
            raise ValueError(f"{path}: no compiled list of this version; {mend}")
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        if digest.digest() != start[len(MAGIC) :]:
            raise ValueError(f"{path}: damaged, its digest differs; {mend}")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    at = _HEAD + VERSION
    size = int.from_bytes(mapped[at : at + 8], "little")
    header = json.loads(mapped[at + 8 : at + 8 + size])
    base = at + 8 + size
    sections = {
        name: np.frombuffer(mapped, np.dtype(kind), count, base + place)
        for name, (kind, count, place) in header["sections"].items()
    }
    return header, sections, mapped[_HEAD:at].decode("ascii")


def version_in(path: Path) -> str:
    """Version of a compiled file, from its first bytes alone, unchecked; empty where there is none."""
    try:
        with open(path, "rb") as file:
            start = file.read(_HEAD + VERSION)
    except OSError:
        return ""
    if start[: len(MAGIC)] != MAGIC or len(start) < _HEAD + VERSION:
        return ""
    return start[_HEAD:].decode("ascii", "replace")
