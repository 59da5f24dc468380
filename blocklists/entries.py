"""What reading a list gives, entry by entry, and the way from a line to it.

Memory is bounded by a line, whatever the content.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

from blocklists.names import AddressError, WholeSuffixError, normal_name

#: Bytes of a line; longer ones are no list entries. Ten times the longest line seen in published lists.
MAX_LINE = 65_536
#: A network shorter than this is held: a large part of the Internet. Our default.
SHORTEST_PREFIX = {4: 8, 6: 16}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Entry(NamedTuple):
    """A name, or a network, that a list names."""

    name: str
    """In normal form; empty for a network."""
    line: int
    exception: bool = False
    """The list takes the name out instead of putting it in."""
    categories: tuple[str, ...] = ()
    """Of this entry alone, where the format carries them: from a format as the list writes them, from
    `reading.read_list` those of our taxonomy."""
    service: str = ""
    network: Network | None = None
    exact: bool = False
    """The name alone, nothing below it."""
    member: str = ""
    """Of a list in several files: the file that `line` counts in."""


class Problem(NamedTuple):
    """A line that gave no entry."""

    line: int
    kind: str
    """`refused`: it makes no sense; `held`: it would list everybody below a public suffix;
    `skipped`: understood, but it says nothing about a whole name; `unmapped`: of a category that the
    mapping table doesn't know."""
    what: str
    mend: str
    member: str = ""
    """As in `Entry`."""
    lines: int = 1
    """How many lines it stands for."""


class BrokenListError(ValueError):
    """A list that can't be used as a whole: where, what, and how to mend it."""

    def __init__(self, what: str, mend: str, member: str = "", line: int = 0) -> None:
        place = member + (f":{line}" if line else "")
        super().__init__(f"{place}: {what}; {mend}" if place else f"{what}; {mend}")
        self.what = what
        self.mend = mend
        self.member = member
        self.line = line


class Said(NamedTuple):
    """What one line says about one name, before the name is checked."""

    name: str
    exception: bool = False
    categories: tuple[str, ...] = ()
    service: str = ""
    exact: bool = False


class Skipped(Exception):  # noqa: N818  (an outcome, not a failure)
    """A line that is understood and names nothing."""


LineParser = Callable[[str], Iterable[Said]]
Format = Callable[[BinaryIO], Iterator[Entry | Problem]]


def text_lines(stream: BinaryIO, strip: bool = True) -> Iterator[tuple[int, str] | Problem]:
    """Lines with their number; a problem for a line that is binary or too long.

    Bytes that are no UTF-8 become lone surrogates: in a comment they do no harm, in a name they are refused.
    """
    number = 0
    while raw := stream.readline(MAX_LINE):
        number += 1
        if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
            yield Problem(
                number, "refused", f"longer than {MAX_LINE:,} bytes", "break it into one entry a line"
            )
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                yield Problem(number, "refused", "UTF-16 text", "save the list as UTF-8")
                continue
        if b"\0" in raw:
            yield Problem(number, "refused", "binary data", "give the list itself, unpacked")
            continue
        text = raw.decode("utf-8", "surrogateescape")
        yield number, text.strip() if strip else text.rstrip()


def is_utf8(text: str) -> bool:
    """Whether all of a line of `text_lines` was UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def network_of(text: str, line: int) -> Entry | Problem:
    """The entry for an address or network; a large part of the Internet is held. Raises ValueError."""
    network = ipaddress.ip_network(text, strict=False)
    if network.prefixlen < SHORTEST_PREFIX[network.version]:
        return Problem(line, "held", f"{text} is a large part of the Internet", "name the networks meant")
    if network.is_loopback or network.is_unspecified:
        raise Skipped("an address of the machine itself")
    return Entry("", line, network=network)


def _entry(said: Said, line: int) -> Entry | Problem:
    """The entry for a name, or for an address: published lists of names carry some. Raises ValueError."""
    try:
        return Entry(
            normal_name(said.name), line, said.exception, said.categories, said.service, exact=said.exact
        )
    except AddressError as error:
        try:
            found = network_of(said.name.strip("[]"), line)
        except ValueError:
            raise error from None
        if isinstance(found, Problem):
            return found
        return found._replace(exception=said.exception, categories=said.categories, service=said.service)


def _problem(error: Exception, line: int, text: str) -> Problem:
    if isinstance(error, WholeSuffixError):
        return Problem(line, "held", str(error), "name what is meant below it")
    if isinstance(error, ValueError):
        return Problem(line, "refused", str(error), "mend or remove the line")
    if is_utf8(text):
        return Problem(line, "skipped", str(error), "nothing to mend")
    return Problem(line, "refused", "not UTF-8 text", "save the list as UTF-8")


def judged(line: int, text: str, parse: LineParser) -> Iterator[Entry | Problem]:
    """What `parse` finds in one line: entries and problems."""
    try:
        for said in parse(text):
            try:
                yield _entry(said, line)
            except (Skipped, ValueError) as error:
                yield _problem(error, line, text)
    except (Skipped, ValueError) as error:
        yield _problem(error, line, text)


def by_line(parse: LineParser) -> Format:
    """A format of which every line stands for itself."""

    def read(stream: BinaryIO) -> Iterator[Entry | Problem]:
        for item in text_lines(stream):
            if isinstance(item, Problem):
                yield item
            elif item[1]:
                yield from judged(*item, parse)

    read.__doc__ = parse.__doc__
    return read
