"""What is known of a list's source, and the update of it that waits for a person.

Beside a list's file stand `FILE.state` (JSON, `State`) and, where an update waits, `FILE.held`.
"""

import contextlib
import hashlib
import os
import time
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from blocklists.entries import Entry
from blocklists.lists import Report, entries
from blocklists.sources import SOURCES, ListError, ListFile, read_sources, shown
from pipeline.lock_file import hold

LOCK = "update.lock"


class Version(BaseModel):
    """One version of a list."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    entries: int
    """Different ones."""
    added: int
    """Entries that the version in force before it did not have; of the first version all."""
    removed: int
    at: int
    """When it came here (Unix time, s)."""


class State(BaseModel):
    """What is known of a list's source."""

    url: str = ""
    etag: str = ""
    last_modified: str = ""
    """Both of the version that the server gave last, whatever became of it."""
    checked: int = 0
    """When the source last answered (Unix time, s); 0 never."""
    error: str = ""
    """Why the last update failed; empty it did not."""
    current: Version | None = None
    held: Version | None = None
    rejected: str = ""
    """SHA-256 of the version that a person did not want."""


def now_s(*earlier: int) -> int:
    """Unix time (s), never before a time that was noted: clocks are set back at times."""
    return max(int(time.time()), *earlier, 0)


def beside(folder: Path, listed: ListFile, what: str) -> Path:
    """Path of `state`, `held` or `part` of a list."""
    path = folder / listed.file
    return path.with_name(f"{path.name}.{what}")


def read_state(folder: Path, listed: ListFile) -> State:
    """What is known of a list's source; nothing where its state can't be read or is of another address."""
    try:
        state = State.model_validate_json(beside(folder, listed, "state").read_bytes())
    except (OSError, ValidationError):
        return State(url=shown(listed.url))
    return state if state.url == shown(listed.url) else State(url=shown(listed.url))


def write_state(folder: Path, listed: ListFile, state: State) -> None:
    """Replaces the state whole. Raises OSError."""
    path = beside(folder, listed, "state")
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_text(state.model_dump_json(), "utf-8")
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def only_update(folder: Path) -> Iterator[None]:
    """Holds the folder's update lock. Raises OSError where another process has it, or it can't be written."""
    try:
        file = open(folder / LOCK, "a+")  # noqa: SIM115  (closed below)
    except OSError as error:
        raise OSError(
            f"cannot write to the folder of lists {folder}: {error.strerror}; "
            "make it writable for this user, or set `lists` to another"
        ) from None
    with file:
        hold(
            file, lambda holder: f"another update (process {holder}) works on {folder}; wait until it is done"
        )
        yield


def digest(path: Path) -> str:
    """SHA-256 of a file in hex; empty where there is none. Raises OSError."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def content(path: Path, listed: ListFile) -> np.ndarray:
    """int64[n], sorted: a hash of each different entry, good for this process alone.

    Raises ListError for what is no list.
    """
    report = Report(path, listed)
    hashes = array("q", (_identity(entry) for entry in entries(report)))
    if not hashes:
        raise ListError(path, 0, "no entry at all", f"is {listed.format!r} its format?")
    return np.unique(np.frombuffer(hashes, np.int64))


def _identity(entry: Entry) -> int:
    """A hash of all that an entry says, not of where it says it."""
    return hash((entry.name, entry.exact, entry.network, entry.exception, entry.categories, entry.service))


def changes(old: np.ndarray, new: np.ndarray) -> tuple[int, int]:
    """How many entries `new` has that `old` has not, and the other way round."""
    both = len(np.intersect1d(old, new, assume_unique=True))
    return len(new) - both, len(old) - both


def sources_known(folder: Path) -> list[dict[str, Any]]:
    """What is known of each list of a folder that has an address; times are RFC 3339, None never.

    `age_days` is how long ago the source last answered. Raises ListError.
    """
    return [_known(folder, listed) for listed in read_sources(folder)[0] if listed.url]


def _known(folder: Path, listed: ListFile) -> dict[str, Any]:
    state = read_state(folder, listed)
    held = state.held
    return {
        "name": listed.name,
        "url": shown(listed.url),
        "fetched": _time(state.current.at) if state.current else None,
        "checked": _time(state.checked) if state.checked else None,
        "age_days": round(max(time.time() - state.checked, 0) / 86_400, 1) if state.checked else None,
        "error": state.error,
        "held": {**held.model_dump(), "at": _time(held.at)} if held else None,
    }


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _waiting(folder: Path, name: str) -> tuple[ListFile, State]:
    for listed in read_sources(folder)[0]:
        if listed.name == name:
            state = read_state(folder, listed)
            if state.held is None:
                break
            return listed, state
    raise ListError(
        folder / SOURCES, 0, f"no update of a list {name!r} is held", "see `spanwatch lists show`"
    )


def approve(folder: Path, name: str) -> Version:
    """Puts a held update in force. The lock is the caller's. Raises ListError, OSError."""
    listed, state = _waiting(folder, name)
    path, held = beside(folder, listed, "held"), state.held
    assert held is not None
    if digest(path) != held.sha256:
        raise ListError(path, 0, "not what was held any more", "`spanwatch lists reject` it and update again")
    os.replace(path, folder / listed.file)
    version = held.model_copy(update={"at": now_s(held.at)})
    write_state(folder, listed, state.model_copy(update={"current": version, "held": None, "error": ""}))
    return version


def reject(folder: Path, name: str) -> Version:
    """Throws a held update away; the same one is not held again. The lock is the caller's.

    Raises ListError, OSError.
    """
    listed, state = _waiting(folder, name)
    held = state.held
    assert held is not None
    beside(folder, listed, "held").unlink(missing_ok=True)
    write_state(folder, listed, state.model_copy(update={"held": None, "rejected": held.sha256}))
    return held
