"""`spanwatch backup` and `restore`: everything that must survive, in one tar file.

The file holds the embedded store, the tokens with the record of who looked, what waits in the log, and the
settings, policy and lists in force; last a manifest with size and SHA-256 of each, so that a file that was
cut off is told from a whole one. Nothing is packed again: the store's parts are compressed already.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

from pipeline.settings import Settings
from pipeline.store.client import embedded_folder, open_store
from spanwatch import __version__
from spanwatch.services import make_state, only_worker

FORMAT = 1
MANIFEST = "manifest.json"
#: A manifest is read into memory: a thousand bytes for each of 64,000 files are enough.
MOST_MANIFEST = 64 << 20
#: SQLite files of the state folder; the sensor may write to the log meanwhile.
LIVE = ("access.sqlite", "outbox.sqlite")
ROWS = """
SELECT name, total_rows AS rows FROM system.tables
WHERE database = currentDatabase() AND total_rows > 0 ORDER BY name
"""


class BackupError(OSError):
    """A backup that can't be made, or is none; the message says what and how to mend it."""


class Told(NamedTuple):
    """What a backup holds."""

    files: int
    bytes: int
    rows: dict[str, int] | None
    """Rows by table; None where the store is a server."""


class _Hashed:
    """A file that is read once, and its digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        self.size += len(data)
        return data


def write_backup(settings: Settings, target: BinaryIO, config: Path | None) -> Told:
    """Writes a backup of the state folder and what it is used with. Raises OSError.

    Worker and pages must not run; the sensor may: what it adds to its log meanwhile is not in it.
    """
    folder = embedded_folder(settings.store_dsn)
    files: dict[str, dict[str, Any]] = {}
    with only_worker(settings), tarfile.open(fileobj=target, mode="w|") as tar:
        rows = None
        if folder is not None:
            with open_store(settings) as store:
                store.migrate()
                rows = {row["name"]: row["rows"] for row in store.rows(ROWS)}
            for path in _below(folder):
                _add(tar, path, f"store/{path.relative_to(folder)}", files)
        for name in LIVE:
            if (settings.state / name).exists():
                with _snapshot(settings.state / name) as copy:
                    _add(tar, copy, f"state/{name}", files)
        # After the log: what it says of newer messages than are in there does no harm.
        if settings.split_file.exists():
            _add(tar, settings.split_file, f"state/{settings.split_file.name}", files)
        for path, name in _settings_files(settings, config):
            _add(tar, path, f"settings/{name}", files)
        manifest = {
            "format": FORMAT,
            "spanwatch": __version__,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": rows,
            "files": files,
        }
        with tempfile.TemporaryFile() as last:
            last.write(json.dumps(manifest).encode())
            entry = tarfile.TarInfo(MANIFEST)
            entry.size = last.tell()
            last.seek(0)
            tar.addfile(entry, last)
    return Told(len(files), sum(file["size"] for file in files.values()), rows)


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def _settings_files(settings: Settings, config: Path | None) -> Iterator[tuple[Path, str]]:
    if config is not None:
        yield config, "spanwatch.toml"
    if settings.policy is not None:
        from classifiers.policy import load_policy

        yield settings.policy, "policy.toml"
        for name in load_policy(settings.policy).inventory:
            path = settings.policy.parent / name
            if not Path(name).is_absolute() and ".." not in Path(name).parts:
                yield path, name
    if settings.lists is not None:
        for path in _below(settings.lists):
            yield path, f"lists/{path.relative_to(settings.lists)}"


def _add(tar: tarfile.TarFile, path: Path, name: str, files: dict[str, dict[str, Any]]) -> None:
    entry = tar.gettarinfo(path, name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    if entry.type == tarfile.LNKTYPE:
        # A second name of a file already in it: whole again, so that each can be checked by itself.
        entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    if not entry.isreg():
        tar.addfile(entry)
        return
    with path.open("rb") as file:
        hashed = _Hashed(file)
        tar.addfile(entry, cast(BinaryIO, hashed))
    files[name] = {"size": hashed.size, "sha256": hashed.sha256.hexdigest()}


@contextlib.contextmanager
def _snapshot(path: Path) -> Iterator[Path]:
    """A consistent copy of an SQLite file that others may write to (sqlite.org/backup.html)."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as folder:
        copy = Path(folder) / path.name
        try:
            with (
                contextlib.closing(sqlite3.connect(path)) as source,
                contextlib.closing(sqlite3.connect(copy)) as destination,
            ):
                source.backup(destination)
        except sqlite3.Error as error:
            raise BackupError(
                f"cannot copy {path}: {error}; free space there, or end what holds it"
            ) from None
        shutil.copymode(path, copy)
        yield copy


def restore_backup(settings: Settings, source: BinaryIO) -> tuple[Told, Path]:
    """Puts a backup into an empty state folder; what it holds, and the folder of its settings.

    Nothing is put in place before every file was there and whole. Raises BackupError, OSError.
    """
    folder = embedded_folder(settings.store_dsn)
    make_state(settings.state)
    with only_worker(settings):
        there = [settings.state / name for name in (*LIVE, "settings")] + ([folder] if folder else [])
        for path in there:
            if path.exists() and (path.is_file() or any(path.iterdir())):
                raise BackupError(f"{path} is there already; choose another --state, or move it away")
        unpacked = Path(tempfile.mkdtemp(dir=settings.state, prefix=".restore-"))
        try:
            manifest = _unpack(source, unpacked)
            if (manifest["rows"] is None) != (folder is None):
                kind = "a server" if manifest["rows"] is None else "embedded"
                raise BackupError(f"the backup is of a host whose store is {kind}; set store.dsn likewise")
            if folder is not None and manifest["rows"] is not None:
                folder.parent.mkdir(parents=True, exist_ok=True)
                if folder.exists():
                    folder.rmdir()
                shutil.move(unpacked / "store", folder)
            for path in sorted(unpacked.glob("state/*")):
                path.rename(settings.state / path.name)
            placed = settings.state / "settings"
            if (unpacked / "settings").exists():
                (unpacked / "settings").rename(placed)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
        files = manifest["files"].values()
        rows = None
        if folder is not None:
            with open_store(settings) as store:
                store.migrate()
                rows = {row["name"]: row["rows"] for row in store.rows(ROWS)}
    return Told(len(files), sum(file["size"] for file in files), rows), placed


def _unpack(source: BinaryIO, folder: Path) -> dict[str, Any]:
    """All files of a backup into an empty folder; its manifest. Raises BackupError, OSError."""
    manifest: dict[str, Any] | None = None
    found: dict[str, dict[str, Any]] = {}
    links: dict[Path, str] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for entry in tar:
                if entry.name == MANIFEST and entry.isreg() and entry.size <= MOST_MANIFEST:
                    manifest = _manifest(cast(BinaryIO, tar.extractfile(entry)).read())
                    continue
                path = _placed(entry.name, folder)
                if entry.issym():
                    links[path] = entry.linkname
                elif entry.isreg():
                    content = cast(BinaryIO, tar.extractfile(entry))
                    found[entry.name] = _take(content, path, 0o600 | entry.mode & 0o640)
                else:
                    raise BackupError(f"{entry.name[:80]!r} in it is no plain file; give another file")
    except FileExistsError as error:
        raise BackupError(f"{Path(error.filename).name} stands twice in it; give another file") from None
    except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
        raise BackupError(f"not a backup, or damaged: {error}; give another file") from None
    if manifest is None:
        raise BackupError("the backup is cut off: its end is missing; give a whole one")
    wanted = manifest["files"]
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise BackupError(f"the backup is damaged: {name} is not what was saved; give another one")
    # Last, so that nothing was written through one of them.
    for path, target in links.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise BackupError(f"{path.name[:80]!r} stands twice in it; give another file")
        path.symlink_to(target)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BackupError(f"{path.name[:80]!r} in it leads out of it; give another file")
    return manifest


def _manifest(text: bytes) -> dict[str, Any]:
    manifest = json.loads(text)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BackupError(f"the backup's format is not {FORMAT}; restore with the version that made it")
    if not isinstance(manifest.get("files"), dict) or "rows" not in manifest:
        raise ValueError("its manifest names no files")
    return manifest


def _placed(name: str, folder: Path) -> Path:
    parts = PurePosixPath(name).parts
    if parts[:1] not in (("store",), ("state",), ("settings",)) or ".." in parts or len(parts) < 2:
        raise BackupError(f"{name[:80]!r} in it is no part of a backup; give another file")
    return folder.joinpath(*parts)


def _take(file: BinaryIO, path: Path, mode: int) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    hashed = _Hashed(file)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        shutil.copyfileobj(cast(BinaryIO, hashed), out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    return {"size": hashed.size, "sha256": hashed.sha256.hexdigest()}
