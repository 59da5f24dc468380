"""A changed policy or changed lists come into force while everything goes on.

The files are looked at every few seconds and read in a thread of their own; the judge takes what is new
between two batches. What can't be used is said, and what was good stays in force.
"""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from blocklists.lists import current_version, load_matcher
from blocklists.matcher import Matcher
from classifiers.inventory import InventoryError
from classifiers.inventory_versions import note_inventories, read_inventories
from classifiers.judge import Judge, in_force
from classifiers.list_versions import note_lists
from classifiers.policy import STARTER, PolicyError, load_policy
from classifiers.policy_model import Policy
from classifiers.policy_versions import Load, Versions
from pipeline.settings import Settings
from pipeline.store.client import Store
from spanwatch.supervision import running

#: Seconds between two looks at the files. A change is taken when it stood still from one to the next, so
#: that a file half written is not read. Our default.
LOOK_S = 2.0
#: Seconds between two looks at the versions that another process notes. Our default.
VERSIONS_S = 10.0
#: Longest wait of the thread: how soon it hears a signal, and that it is to end.
_HEARS_S = 0.2

logger = logging.getLogger("spanwatch.reload")

#: What tells one state of a file from another.
Mark = tuple[int, int, int]


def policy_file(settings: Settings) -> Path:
    """The policy file in force: that of the settings, else the starter."""
    return settings.policy.absolute() if settings.policy else STARTER


def _mark(path: Path) -> Mark:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


class Files(NamedTuple):
    """What policy file and lists held when they were read, and what tells when that was."""

    policy: Policy
    matcher: Matcher
    marks: dict[Path, Mark]
    lists: str


def read_files(settings: Settings) -> Files:
    """The policy and the lists. Raises ValueError (broken file) with file, line and mend."""
    file = policy_file(settings)
    marks, lists = {file: _mark(file)}, _lists(settings)
    policy, matcher = load_policy(file), load_matcher(settings.lists)
    return Files(policy, matcher, marks, _lists_taken(settings, lists, matcher))


def _lists(settings: Settings) -> str:
    return current_version(settings.lists) if settings.lists else ""


def _lists_taken(settings: Settings, before: str, matcher: Matcher) -> str:
    """What is compiled in the folder now, if it is what was loaded; else what was there before."""
    return matcher.version if _lists(settings) == matcher.version else before


class Reload:
    """Keeps a judge at what policy file, lists and store say."""

    def __init__(self, settings: Settings, files: Files, store: Store, *, notes: bool) -> None:
        """`notes`: each new policy becomes a version in the store. Raises OSError (store), ValueError."""
        self._settings = settings
        self._store = store
        self._versions = Versions(store)
        self._notes = notes
        self._file = policy_file(settings)
        self._asked = threading.Event()
        self._watch(files.policy.inventory, files.marks)
        self._taken_lists = files.lists
        self._seen = (self._taken, self._taken_lists)
        loads = self._noted(files.policy)
        if notes:
            note_lists(store, files.matcher)
        self._versions_at = time.monotonic()
        self.judge = Judge(in_force(files.policy, files.matcher, loads), self._versions.policy)

    def _noted(self, policy: Policy) -> list[Load]:
        if not self._notes:
            return self._versions.loads()
        try:
            note_inventories(self._store, read_inventories(self._file, policy.inventory))
        except InventoryError as error:
            # It changed since the policy was read: the next look finds that.
            logger.warning("%s", error)
        return self._versions.record(policy, self._file)

    def _watch(self, inventory: tuple[str, ...], seen: dict[Path, Mark]) -> None:
        """Look at these files from now on; what was seen of them before they were read counts."""
        paths = [self._file, *(self._file.parent / one for one in inventory)]
        self._taken = {path: seen[path] if path in seen else _mark(path) for path in paths}

    def ask(self) -> None:
        """Look now and read the files anew, changed or not. May be called from a signal handler."""
        self._asked.set()

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        due = time.monotonic() + LOOK_S
        while not stop.wait(_HEARS_S):
            forced = self._asked.is_set()
            self._asked.clear()
            if forced or time.monotonic() >= due:
                self.look(forced=forced)
                due = time.monotonic() + LOOK_S

    def look(self, *, forced: bool = False) -> None:
        """Take what changed, if it can be used. Raises nothing for what a file or the store may say."""
        seen = ({path: _mark(path) for path in self._taken}, _lists(self._settings))
        settled, self._seen = seen == self._seen, seen
        try:
            if forced or (settled and seen != (self._taken, self._taken_lists)):
                self._take(*seen, forced=forced)
            elif not self._notes and time.monotonic() - self._versions_at >= VERSIONS_S:
                self._versions_at = time.monotonic()
                self._adopt(self.judge.state.policy, self.judge.matcher, self._versions.loads())
        except (OSError, ValueError) as error:
            # The store: with the next look again.
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            self._say(f"cannot note the policy: {reason}; see to the store")

    def _take(self, files: dict[Path, Mark], lists: str, *, forced: bool) -> None:
        state = self.judge.state
        try:
            policy, matcher = state.policy, state.matcher
            if forced or files != self._taken:
                policy = load_policy(self._file)
            if forced or lists != self._taken_lists:
                matcher = load_matcher(self._settings.lists)
        except ValueError as error:
            self._say(" ".join(str(error).split()))
            self._taken = dict(files)
            if isinstance(error, PolicyError):
                # An inventory that the broken policy names: once it is mended, all may be well.
                self._taken.setdefault(error.file, _mark(error.file))
            self._taken_lists = lists
            return
        if matcher.version == state.matcher.version:
            matcher = state.matcher
        self._adopt(policy, matcher, self._noted(policy))
        self._watch(policy.inventory, files)
        self._taken_lists = _lists_taken(self._settings, lists, matcher)
        self.judge.problem = None

    def _adopt(self, policy: Policy, matcher: Matcher, loads: list[Load]) -> None:
        fresh, state = in_force(policy, matcher, loads), self.judge.state
        if (fresh.policy.version, fresh.loads) != (state.policy.version, state.loads) or (
            matcher is not state.matcher
        ):
            if self._notes:
                note_lists(self._store, matcher)
            self.judge.adopt(fresh)
            logger.info("policy %s, lists %s in force", policy.version, matcher.version)

    def _say(self, line: str) -> None:
        if line != self.judge.problem:
            logger.warning("%s; version %s stays in force", line, self.judge.policy.version)
        self.judge.problem = line


@contextlib.contextmanager
def reloading(reload: Reload, stop: threading.Event) -> Iterator[None]:
    """Look at the files for the length of the block, and at once where SIGHUP asks for it."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        reload.ask()

    before = signal.signal(signal.SIGHUP, handle)
    try:
        with running("reload", reload.run, stop):
            yield
    finally:
        signal.signal(signal.SIGHUP, before)
