"""The lists in force: our starter lists, a folder of fetched ones, and what is wrong with any of them.

A folder of lists holds `sources.toml` (`blocklists.sources`) and the files it names.
"""

import contextlib
import io
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from blocklists import compiled, taxonomy
from blocklists.archives import is_archive
from blocklists.build import Builder, Statement
from blocklists.entries import BrokenListError, Entry, Problem
from blocklists.formats import FORMATS
from blocklists.history import NOTHING, UNKNOWN, Past, Since
from blocklists.matcher import EXACT, Matcher, Source
from blocklists.packed import opened
from blocklists.reading import TREES, digest, read_list
from blocklists.sources import SOURCES, ListError, ListFile, read_sources, shown

STARTER = Path(__file__).with_name("data")
COMPILED = "compiled.spanlist"

#: Problems of a list that are kept word for word; the rest is counted.
SAMPLES = 25
#: A file of which more than half is refused, looked at from this many refused lines on, is no list.
JUDGED_FROM = 1_000
#: A list of which more than one line in so many is refused is told as bad; published ones have some.
#: Our default.
REFUSED_AT_MOST = 1_000
#: Names handed on at once.
_BLOCK = 65_536
#: Lines and bytes that a file's format is guessed from.
_GUESSED_FROM, _GUESSED_BYTES = 200, 64 << 10


@dataclass
class Report:
    """What reading one list gave."""

    file: Path
    listed: ListFile
    entries: int = 0
    lines: int = 0
    """Last line that gave an entry or a problem."""
    counts: Counter[str] = field(default_factory=Counter)
    """Lines by what became of them: `refused`, `held`, `skipped`, `unmapped`."""
    problems: list[Problem] = field(default_factory=list)
    """The first `SAMPLES` that are not `skipped`."""
    sha256: str = ""

    def note(self, problem: Problem) -> None:
        self.counts[problem.kind] += problem.lines
        self.lines = problem.line
        if problem.kind != "skipped" and len(self.problems) < SAMPLES:
            self.problems.append(problem)

    @property
    def good(self) -> bool:
        """It lists something, and hardly a line of it was refused; held ones do no harm."""
        return self.entries > 0 and self.counts["refused"] * REFUSED_AT_MOST <= self.entries

    def messages(self) -> list[str]:
        """One line for each kept problem: file, line, what, mend."""
        said = [f"{self.place(p)}: {p.kind}: {p.what}; {p.mend}" for p in self.problems]
        if not self.entries:
            said.append(f"{self.file}: no entry at all; is {self.listed.format!r} its format?")
        return said

    def place(self, problem: Problem) -> str:
        """Where a problem is: file, file inside it, line."""
        place = f"{self.file}/{problem.member}" if problem.member else str(self.file)
        return f"{place}:{problem.line}" if problem.line else place

    def source(self) -> Source:
        listed = self.listed
        return Source(
            listed.name, listed.title or listed.name, listed.file, listed.format, listed.categories,
            listed.allow, self.sha256, self.entries, listed.ports, shown(listed.url), listed.licence,
            part=listed.part, mapping=listed.mapping,
        )  # fmt: skip


def lists_in(folder: Path) -> list[ListFile]:
    """The lists of a folder that are there; one that has an address is not before it was fetched.

    Raises ListError.
    """
    return [one for one in read_sources(folder)[0] if not one.url or (folder / one.file).exists()]


def entries(report: Report) -> Iterator[Entry]:
    """Entries of one list; problems, counts and digest are left in the report.

    Raises ListError where the file can't be read, or is no list: it has no entry, or more than half of it
    is refused.
    """
    counts = report.counts
    listed = report.listed
    try:
        for item in read_list(
            report.file, listed.format, part=listed.part, mapping=listed.mapping,
            categories=listed.categories, allow=listed.allow, trusted=report.file.parent == STARTER,
        ):  # fmt: skip
            if isinstance(item, Entry):
                report.entries += 1
                report.lines = item.line
                yield item
                continue
            report.note(item)
            if JUDGED_FROM <= counts["refused"] > report.entries + counts["skipped"] + counts["unmapped"]:
                raise _no_list(report)
        if counts["refused"] and not report.entries:
            raise _no_list(report)
        report.sha256 = digest(report.file)
    except BrokenListError as error:
        file = report.file / error.member if error.member else report.file
        raise ListError(file, error.line, error.what, error.mend) from None
    except OSError as error:
        raise _unreadable(report.file, error) from None


def _no_list(report: Report) -> ListError:
    first = report.problems[0]
    what = f"no list of format {report.listed.format!r}: {report.counts['refused']:,} lines refused"
    file = report.file / first.member if first.member else report.file
    return ListError(file, first.line, f"{what}, the first: {first.what}", "give another file or format")


def _unreadable(path: Path, error: OSError) -> ListError:
    return ListError(path, 0, f"cannot read the list: {error.strerror}", "fetch it or remove its table")


def _compile(builder: Builder, folder: Path, listed: ListFile) -> Report:
    report = Report(folder / listed.file, listed)
    source = builder.source(report.source())
    kinds: dict[tuple[bool, tuple[str, ...], str, str], int] = {}
    everything = taxonomy.mask_of(taxonomy.NAMES)
    names: list[str] = []
    lines: list[int] = []
    said: list[int] = []
    for entry in entries(report):
        kind = (entry.exception, entry.categories, entry.service, entry.member)
        number = kinds.get(kind)
        if number is None:
            mask = taxonomy.mask_of(entry.categories or listed.categories)
            exception = entry.exception != listed.allow
            if exception and (listed.allow or not mask):
                mask = everything
            statement = Statement(mask, entry.service, source, exception, entry.member)
            number = kinds[kind] = builder.statement(statement)
        if entry.network is not None:
            builder.add_network(entry.network, entry.line, number)
            continue
        names.append(EXACT + entry.name if entry.exact else entry.name)
        lines.append(entry.line)
        said.append(number)
        if len(names) == _BLOCK:
            builder.add(names, lines, said)
            names, lines, said = [], [], []
    builder.add(names, lines, said)
    builder.set_source(source, report.source())
    return report


def compile_lists(
    folders: list[Path], past: Past = NOTHING, first: Since = UNKNOWN
) -> tuple[Matcher, list[Report]]:
    """A matcher over the lists of several folders, in that order, and what reading each gave.

    Lines that are refused or held are left out and reported. `past` and `first` as in `Builder`. Raises
    ListError.
    """
    builder = Builder(past, first)
    reports = [_compile(builder, folder, listed) for folder in folders for listed in lists_in(folder)]
    return builder.build(), reports


def _digest(path: Path) -> str:
    try:
        return digest(path)
    except BrokenListError as error:
        raise ListError(path, 0, error.what, error.mend) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _identity(source: Source | ListFile, sha256: str) -> tuple[object, ...]:
    """What must not have changed for a compiled list to be used again."""
    return (
        source.name, sha256, source.format, source.categories, source.allow, source.ports, source.part,
        source.mapping,
    )  # fmt: skip


def current_version(folder: Path) -> str:
    """Version of the folder's compiled file, as `Matcher.version` says it; empty where there is none.

    Reads 56 bytes: cheap enough to ask every second whether lists were updated.
    """
    return compiled.version_in(folder / COMPILED)


def load_matcher(folder: Path | None = None) -> Matcher:
    """The matcher over the starter lists and, if given, a folder's.

    A folder's compiled file is used while it fits the lists' digests, and written where it does
    not. Raises ListError; a folder that can't be written only costs the next start time.
    """
    if folder is None:
        return compile_lists([STARTER])[0]
    wanted = [
        _identity(listed, _digest(place / listed.file))
        for place in (STARTER, folder)
        for listed in lists_in(place)
    ]
    path = folder / COMPILED
    past, at = NOTHING, int(time.time())
    first = Since("", at, path.exists())
    try:
        matcher = Matcher.open(path)
        if [_identity(source, source.sha256) for source in matcher.sources] == wanted:
            return matcher
        past = matcher.past()
        # Versions keep their order where the clock was set back.
        first = Since("", max(at, past.versions[-1].at), False)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    matcher, _ = compile_lists([STARTER, folder], past, first)
    try:
        matcher.save(path)
    except OSError:
        return matcher
    return Matcher.open(path)


def _score(items: Iterator[Entry | Problem], tree: bool) -> float:
    """How well the first items fit their format; -inf where they are all refused.

    A skipped line is a doubt, but not in a `tree`: the place of its file says how it is meant.
    """
    worth = {
        "entry": 1.0,
        "refused": -1.0,
        "held": -0.25,
        "skipped": 0.25 if tree else -0.25,
        "unmapped": 0.5,
    }
    seen = Counter("entry" if isinstance(item, Entry) else item.kind for item in islice(items, _GUESSED_FROM))
    if seen["refused"] and seen.total() == seen["refused"]:
        return -math.inf
    return sum(worth[kind] * count for kind, count in seen.items())


def guess_format(path: Path) -> str:
    """The format that reads most of a list's first lines, and refuses fewest. Raises ListError."""
    scores: dict[str, float] = {}
    try:
        tree, head = path.is_dir(), b""
        if not tree:
            with opened(path) as stream:
                tree = is_archive(stream)
                head = b"" if tree else stream.read(_GUESSED_BYTES)
        for name in TREES if tree else FORMATS:
            # JSON is one piece: it is read whole, or not at all.
            whole = tree or (name == "adguard_services" and head.lstrip()[:1] in (b"[", b"{"))
            # An archive is of one tree format only; the others raise.
            with contextlib.suppress(BrokenListError):
                items = read_list(path, name) if whole else FORMATS[name](io.BytesIO(head))
                scores[name] = _score(items, tree)
    except BrokenListError as error:
        raise ListError(path, error.line, error.what, error.mend) from None
    except OSError as error:
        raise ListError(path, 0, f"cannot read the list: {error.strerror}", "give a readable file") from None
    best = max(scores, key=lambda name: scores[name], default="domains")
    return best if scores.get(best, -math.inf) > -math.inf else "domains"


def check(*paths: Path, form: str | None = None) -> list[Report]:
    """Reads lists without using them: files (of this format, else guessed), folders with a `sources.toml`.

    Without paths: the starter lists. A file that is no list has its reason among its problems.
    Raises ListError for a path or table of lists that can't be read.
    """
    reports = []
    for path in paths or (STARTER,):
        if (path / SOURCES).is_file():
            found = [Report(path / listed.file, listed) for listed in lists_in(path)]
        else:
            found = [Report(path, ListFile(name="file", file=path.name, format=form or guess_format(path)))]
        for report in found:
            try:
                for _ in entries(report):
                    pass
            except ListError as error:
                if not report.counts["refused"]:
                    raise
                report.problems.append(Problem(error.line, "refused", error.what, error.mend))
        reports += found
    return reports


def show(matcher: Matcher) -> list[dict[str, object]]:
    """Each list in force: name, title, categories, entries, what came and went, SHA-256, address, licence."""
    return [
        {
            "name": source.name, "title": source.title, "format": source.format,
            "categories": list(source.categories), "allow": source.allow, "entries": source.entries,
            "added": source.added, "removed": source.removed,
            "sha256": source.sha256, "url": source.url, "licence": source.licence,
        }
        for source in matcher.sources
    ]  # fmt: skip
