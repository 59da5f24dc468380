"""Reading a list from disk: what its entries say, in our taxonomy, whatever its format and packing."""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from blocklists import mappings, taxonomy, v2fly
from blocklists.archives import is_archive, members
from blocklists.entries import BrokenListError, Entry, Problem
from blocklists.formats import FORMATS
from blocklists.mappings import Meaning
from blocklists.packed import opened
from blocklists.suffixes import is_public, is_registry
from blocklists.trees import Wanted, read_nextdns, read_squidguard

Tree = Callable[[Path, str, Wanted], Iterator[Entry | Problem]]

#: Formats of several files: a folder or an archive, of which one part may be asked for.
TREES: dict[str, Tree] = {
    "squidguard": read_squidguard,
    "v2fly": v2fly.read_tree,
    "nextdns": read_nextdns,
}
NAMES: tuple[str, ...] = (*FORMATS, *TREES)
#: The taxonomy that a format's own category names are of.
MAPPINGS = {"squidguard": "ut1", "v2fly": "v2fly", "nextdns": "nextdns", "adguard_services": "adguard"}


def read_list(
    path: Path,
    format_name: str,
    *,
    part: str = "",
    mapping: str = "",
    categories: tuple[str, ...] = (),
    allow: bool = False,
    trusted: bool = False,
) -> Iterator[Entry | Problem]:
    """Entries with the categories of our taxonomy, and problems.

    `path` is a file, packed or not (gzip, bzip2, xz, Zstandard), an archive (tar, zip) or a folder.
    `part` is one category of a tree, or one file of an archive; empty all of it. `mapping` names the
    taxonomy of the list's own categories, empty that of its format. `categories` are those the list's
    table gives to all of it; then its own say nothing. `trusted` lists are not asked for public suffixes.

    Raises OSError, and BrokenListError for what can't be used as a whole: a damaged archive, a bomb, a
    list of exceptions alone that is not said to `allow`.
    """
    named = mapping or MAPPINGS.get(format_name, "")
    of_list = bool(categories) and format_name in MAPPINGS
    meanings = mappings.meanings(named)

    def meaning(label: str) -> Meaning | None:
        known = meanings.get(mappings.key(label))
        return Meaning("list", (), known.service if known else "") if of_list else known

    def wanted(label: str) -> Problem | None:
        known = meaning(label)
        if known is None:
            return _unmapped(label, named)
        return _not_ours(label) if known.use == "none" else None

    mapper = _Mapper(meaning, named)
    if format_name in TREES:
        items = TREES[format_name](path, part, wanted)
    else:
        items = _of_file(path, format_name, part)
    listing = exceptions = 0
    for item in items:
        if isinstance(item, Problem):
            yield item
            continue
        if item.exception:
            exceptions += 1
        else:
            listing += 1
        for found in mapper(item) if item.categories else (item,):
            if isinstance(found, Entry) and not trusted:
                found = _held(found, categories) or found
            yield found
    if exceptions and not listing and not allow:
        what = f"it only takes names out: {exceptions:,} exceptions, and nothing listed"
        raise BrokenListError(what, "give its table `allow = true` if that is meant")


def _of_file(path: Path, format_name: str, part: str) -> Iterator[Entry | Problem]:
    if not path.is_dir():
        with opened(path) as stream:
            if not is_archive(stream):
                if part:
                    raise BrokenListError(f"no archive, so no part {part!r}", "remove `part`")
                yield from FORMATS[format_name](stream)
                return
    read = ""
    for member in members(path):
        if isinstance(member, Problem):
            yield member
            continue
        if member.stream is None or (part and member.name != part):
            continue
        if read:
            what = f"several files, as {read!r} and {member.name!r}"
            raise BrokenListError(what, "name one of them with `part`")
        read = member.name
        for item in FORMATS[format_name](member.stream):
            yield item._replace(member=read)
    if not read:
        raise BrokenListError(f"no file {part!r} in it" if part else "no file in it", "give another file")


def _unmapped(label: str, source: str) -> Problem:
    of = f"the mapping of {source!r}" if source else "our taxonomy"
    return Problem(0, "unmapped", f"category {label[:60]!r} is not in {of}", "give the list `categories`")


def _not_ours(label: str) -> Problem:
    return Problem(0, "skipped", f"category {label[:60]!r} is none of ours", "nothing to mend")


class _Mapper:
    """Entries with another taxonomy's names for categories become entries of ours."""

    def __init__(self, meaning: Callable[[str], Meaning | None], source: str) -> None:
        self._source = source
        self._meaning = meaning
        # Lists have few combinations; where somebody writes many, they are looked up again.
        self._known = lru_cache(maxsize=4_096)(self._merged)

    def _merged(self, labels: tuple[str, ...]) -> tuple[Meaning | None, tuple[Problem, ...]]:
        """What all labels together stand for, and what is to be told of them."""
        told = []
        found = []
        for label in labels:
            meaning = self._meaning(label)
            if meaning is None:
                told.append(_unmapped(label, self._source))
            elif meaning.use != "none":
                found.append(meaning)
        if not found:
            return None, tuple(told or [_not_ours(labels[0])])
        categories = tuple(dict.fromkeys(name for meaning in found for name in meaning.categories))
        service = next((meaning.service for meaning in found if meaning.service), "")
        use = "allow" if any(meaning.use == "allow" for meaning in found) else "list"
        return Meaning(use, categories, service), tuple(told)

    def __call__(self, entry: Entry) -> Iterator[Entry | Problem]:
        """The entry in our taxonomy; one of an allowed category takes away all others, too."""
        meaning, told = self._known(entry.categories)
        for problem in told:
            yield problem._replace(line=entry.line, member=entry.member)
        if meaning is None:
            return
        if meaning.use == "allow" and not entry.exception:
            kept = meaning.categories
            others = tuple(name for name in taxonomy.NAMES if name not in kept) if kept else ()
            yield entry._replace(exception=True, categories=others, service="")
            if not kept:
                return
        yield entry._replace(categories=meaning.categories, service=meaning.service or entry.service)


def _held(entry: Entry, categories: tuple[str, ...]) -> Problem | None:
    """Why a name is no entry: it would list all who have a name below a public suffix."""
    if not entry.name or entry.exact:
        return None
    if not is_public(entry.name):
        return None
    if is_registry(entry.name):
        what = f"{entry.name!r} is a public suffix: everybody registers names below it"
    elif any(taxonomy.CATEGORIES[name].shared for name in entry.categories or categories):
        return None
    else:
        what = f"{entry.name!r} is shared: every customer of its owner has a name below it"
    return Problem(entry.line, "held", what, "name what is meant below it", entry.member)


def digest(path: Path) -> str:
    """SHA-256 of a list's file as it lies there, or of a folder's files and their names, in hex.

    Raises OSError.
    """
    if not path.is_dir():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for item in members(path):
        if isinstance(item, Problem):
            whole.update(f"{item.member}\0\n".encode())
            continue
        content = _digest_of(item.stream) if item.stream else item.link
        whole.update(f"{item.name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _digest_of(stream: BinaryIO) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
