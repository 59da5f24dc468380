"""Lists in folders or archives: a category a folder (squidGuard, UT1) or a service a file (NextDNS)."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from blocklists.archives import Member, members
from blocklists.entries import BrokenListError, Entry, Format, Problem, Said, Skipped, by_line
from blocklists.lines import read_domains

#: Whether the names of a category are wanted; a problem says why not.
Wanted = Callable[[str], Problem | None]

#: Links that are followed from a part's name to the folder that holds it.
_MOST_LINKS = 8


def _url(text: str) -> Iterator[Said]:
    """squidGuard(8): a URL without its scheme; only one without a path is about a whole name."""
    if text.startswith("#"):
        return
    host, slash, path = text.partition("://")[2 if "://" in text else 0].partition("/")
    if slash and path:
        raise Skipped("an address of a page")
    yield Said(host)


def _expression(text: str) -> tuple[Said, ...]:
    if not text.startswith("#"):
        raise Skipped("a regular expression")
    return ()


#: Files of a squidGuard category; `usage`, Berkeley databases and differences are not for readers.
_SQUIDGUARD: dict[str, Format] = {
    "domains": read_domains,
    "urls": by_line(_url),
    "expressions": by_line(_expression),
    "very_restrictive_expression": by_line(_expression),
}


def _lines(stream: BinaryIO) -> int:
    """How many lines that are not empty."""
    return sum(1 for item in read_domains(stream))


def _read(
    path: Path, part: str, wanted: Wanted, place: Callable[[PurePosixPath], tuple[str, Format] | None]
) -> Iterator[Entry | Problem]:
    """Entries of all parts, or of one, which may be a link's name.

    `place` says which part a file belongs to and how it is read, or None for a file of no part.
    """
    label = part
    for _ in range(_MOST_LINKS):
        links: dict[str, str] = {}
        found = False
        for item in members(path):
            if isinstance(item, Problem):
                yield item
                continue
            if item.stream is None:
                links[PurePosixPath(item.name).name] = PurePosixPath(item.link).name
                continue
            placed = place(PurePosixPath(item.name))
            if placed is None or (label and placed[0] != label):
                continue
            found = True
            yield from _member(item, item.stream, part or placed[0], placed[1], wanted)
        if found or not label or label not in links:
            break
        label = links[label]
    if not found:
        what = f"no part {part!r}" if part else "no list"
        raise BrokenListError(f"{what} in it", "give another part, format or file")


def _member(
    member: Member, stream: BinaryIO, label: str, read: Format, wanted: Wanted
) -> Iterator[Entry | Problem]:
    unwanted = wanted(label)
    if unwanted is not None:
        yield unwanted._replace(member=member.name, lines=max(_lines(stream), 1))
        return
    for item in read(stream):
        if isinstance(item, Entry):
            yield item._replace(member=member.name, categories=(label,))
        else:
            yield item._replace(member=member.name)


def read_squidguard(path: Path, part: str, wanted: Wanted) -> Iterator[Entry | Problem]:
    """Category folders with `domains`, `urls` and `expressions`, at any depth, the folder's name as category.

    Raises OSError and BrokenListError.
    """

    def place(file: PurePosixPath) -> tuple[str, Format] | None:
        read = _SQUIDGUARD.get(file.name)
        return (file.parent.name, read) if read and file.parent.name else None

    return _read(path, part, wanted, place)


def read_nextdns(path: Path, part: str, wanted: Wanted) -> Iterator[Entry | Problem]:
    """Files in a folder `services`, the file's name as category. Raises OSError and BrokenListError."""

    def place(file: PurePosixPath) -> tuple[str, Format] | None:
        return (file.name, read_domains) if "services" in (file.parent.name, path.name) else None

    return _read(path, part, wanted, place)
