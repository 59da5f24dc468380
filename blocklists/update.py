"""Updating a folder's lists: each source is fetched, judged, and put in force or held for a person.

A file in force is only ever replaced whole, by one that was read to its end as a list.
"""

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from blocklists.checksums import Checksums
from blocklists.fetch import Client, FetchError, Validators
from blocklists.held import (
    State,
    Version,
    beside,
    changes,
    content,
    digest,
    now_s,
    read_state,
    write_state,
)
from blocklists.sources import SOURCES, ListError, ListFile, read_sources, shown

#: Sources fetched at the same time. Our default.
FETCHERS = 4
#: What a page for people begins with: servers send one where a list is gone.
PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")

#: name, bytes so far, bytes in all where known.
Progress = Callable[[str, int, int | None], None]


class Outcome(NamedTuple):
    """What became of one source."""

    name: str
    kind: str
    """`updated`, `unchanged`, `held`, `absent` (not in the folder that was imported) or `failed`."""
    line: str


class Update:
    """One update of a folder. The lock is the caller's (`held.only_update`)."""

    def __init__(self, folder: Path, progress: Progress = lambda *_: None) -> None:
        """Raises ListError."""
        self.folder = folder
        self.listed, self.settings = read_sources(folder)
        self._progress = progress

    def chosen(self, names: Collection[str] = ()) -> list[ListFile]:
        """Lists that have an address, or those of them named. Raises ListError for a name that is none."""
        fetched = {listed.name: listed for listed in self.listed if listed.url}
        for name in names:
            if name not in fetched:
                own = any(listed.name == name for listed in self.listed)
                what = f"list {name!r} has no url" if own else f"no list {name!r}"
                raise ListError(self.folder / SOURCES, 0, what, "see `spanwatch lists show`")
        return [listed for name, listed in fetched.items() if not names or name in names]

    def fetch(self, chosen: list[ListFile]) -> Iterator[Outcome]:
        """What became of each source, in their order; a few are fetched at the same time."""
        stop = threading.Event()
        with (
            contextlib.closing(Client(self.settings, stop)) as client,
            ThreadPoolExecutor(FETCHERS) as pool,
        ):
            checksums = Checksums(client, self.folder)
            futures = [pool.submit(self._fetched, client, checksums, listed) for listed in chosen]
            try:
                for listed, future in zip(chosen, futures, strict=True):
                    yield self._settled(listed, future.result)
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)

    def bring(self, chosen: list[ListFile], place: Path) -> Iterator[Outcome]:
        """The same from the files of a folder: `NAME`, `NAME.*`, or as the address calls it, where one does.

        Raises OSError where the folder can't be read.
        """
        there = {path.name: path for path in sorted(place.iterdir()) if path.is_file()}
        by_stem = {name.partition(".")[0]: name for name in there}
        called = [_called(listed) for listed in chosen]
        for listed, own in zip(chosen, called, strict=True):
            names = [listed.name, Path(listed.file).name, by_stem.get(listed.name, "")]
            if called.count(own) == 1:
                names.append(own)
            found = next((there[name] for name in names if name in there), None)
            if found is None:
                yield Outcome(listed.name, "absent", f"no file {listed.name}.* in {place}")
            else:
                yield self._settled(listed, partial(self._copied, listed, found))

    def _fetched(self, client: Client, checksums: Checksums, listed: ListFile) -> Validators | None:
        """The list's part, from its source; None where that has nothing new."""
        folder, part = self.folder, beside(self.folder, listed, "part")
        part.parent.mkdir(parents=True, exist_ok=True)
        state = read_state(folder, listed)
        known = Validators(state.etag, state.last_modified)
        if state.current is None or digest(folder / listed.file) != state.current.sha256:
            known = Validators()
        found = client.fetch(listed.url, part, known, partial(self._progress, listed.name))
        if found is not None and listed.checksum:
            checksums.verify(part, listed.checksum, _called(listed))
        return found

    def _copied(self, listed: ListFile, source: Path) -> Validators:
        part = beside(self.folder, listed, "part")
        part.parent.mkdir(parents=True, exist_ok=True)
        size = source.stat().st_size
        if size > self.settings.list_bytes:
            raise ValueError(f"{source}: {size:,} bytes; raise list_bytes in [update] if that is right")
        with open(source, "rb") as file, open(part, "wb") as out:
            shutil.copyfileobj(file, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        return Validators()

    def _settled(self, listed: ListFile, brought: Callable[[], Validators | None]) -> Outcome:
        """Judges what was brought into the list's part, and notes what became of it."""
        name, part = listed.name, beside(self.folder, listed, "part")
        state = read_state(self.folder, listed)
        try:
            validators = brought()
            if validators is None:
                kind, line = _nothing_new(listed, state)
            else:
                kind, line = self._judged(listed, state, part)
                state.etag, state.last_modified = validators
            state.checked, state.error = now_s(state.checked), ""
            write_state(self.folder, listed, state)
        except Exception as error:
            # Whatever one source breaks, the others go on.
            if not isinstance(error, FetchError):
                part.unlink(missing_ok=True)
            kind, line = "failed", _reason(error, listed, part)
            with contextlib.suppress(OSError):
                failed = read_state(self.folder, listed)
                write_state(self.folder, listed, failed.model_copy(update={"error": line}))
        return Outcome(name, kind, line)

    def _judged(self, listed: ListFile, state: State, part: Path) -> tuple[str, str]:
        """Puts the part in force or holds it; changes `state` accordingly. Raises ValueError, OSError."""
        path, held = self.folder / listed.file, beside(self.folder, listed, "held")
        there, fresh = digest(path), digest(part)
        if fresh in (there, state.rejected) or (state.held and fresh == state.held.sha256):
            part.unlink()
            if fresh == there and state.held:
                held.unlink(missing_ok=True)
                state.held = None
            if state.current is None or state.current.sha256 != there:
                state.current = _version(there, len(content(path, listed)), 0, 0, state)
            return _nothing_new(listed, state)
        _refuse_page(part)
        new = content(part, listed)
        try:
            old = content(path, listed) if there else new[:0]
        except ListError:
            old = new[:0]
        added, removed = changes(old, new)
        version = _version(fresh, len(new), added, removed, state)
        share = listed.hold_share or self.settings.hold_share
        if len(old) and added + removed > share * len(old):
            os.replace(part, held)
            state.held = version
            return "held", _waits(listed, version, len(old), share)
        os.replace(part, path)
        held.unlink(missing_ok=True)
        state.current, state.held = version, None
        return "updated", f"{version.entries:,} entries, +{added:,} −{removed:,}"


def _called(listed: ListFile) -> str:
    """The file's name in its address."""
    return PurePosixPath(unquote(urlsplit(listed.url).path)).name


def _version(sha256: str, count: int, added: int, removed: int, state: State) -> Version:
    earlier = state.current.at if state.current else 0
    return Version(sha256=sha256, entries=count, added=added, removed=removed, at=now_s(earlier))


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _asks(listed: ListFile) -> str:
    return f"`spanwatch lists approve {listed.name}`, or reject it"


def _waits(listed: ListFile, held: Version, before: int, share: float) -> str:
    part = (held.added + held.removed) / before if before else 0
    return (
        f"{held.entries:,} entries instead of {before:,}, +{held.added:,} −{held.removed:,}: "
        f"{part:.0%} of them changed, more than {share:.0%}; {_asks(listed)}"
    )


def _nothing_new(listed: ListFile, state: State) -> tuple[str, str]:
    if state.held is not None:
        held = state.held
        return "held", (
            f"{held.entries:,} entries, +{held.added:,} −{held.removed:,}, since {_day(held.at)}; "
            f"{_asks(listed)}"
        )
    if state.current is None:
        return "unchanged", "nothing new"
    return "unchanged", f"{state.current.entries:,} entries, in force since {_day(state.current.at)}"


def _refuse_page(path: Path) -> None:
    with open(path, "rb") as file:
        begin = file.read(1_024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if begin.startswith(PAGES):
        raise ValueError("it is a web page, not a list; mend the address in sources.toml")


def _reason(error: Exception, listed: ListFile, part: Path) -> str:
    if isinstance(error, ListError) and error.file.is_relative_to(part):
        inside = error.file.relative_to(part).as_posix()
        where = shown(listed.url) + (f", {inside}" if inside != "." else "")
        where += f":{error.line}" if error.line else ""
        return f"{where}: {error.what}; {error.mend}"
    if isinstance(error, OSError) and error.strerror:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        mend = "free some space there" if full else "make the folder of lists writable for this user"
        return f"{error.filename or part}: {error.strerror}; {mend}"
    line = " ".join(str(error).split())
    if isinstance(error, OSError | ValueError) and line:
        return line
    return f"unexpected {type(error).__name__}: {line}; tell us, with the list's address"
