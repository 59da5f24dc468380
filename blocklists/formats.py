"""List formats: a stream of bytes becomes entries and problems, line by line, in bounded memory.

A format is one function in `FORMATS`: an open binary file goes in, `Entry` and `Problem` come out.
None of them raises on what the file contains.
"""

import csv
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

from blocklists import taxonomy
from blocklists.names import AddressError, WholeSuffixError, normal_name

#: Bytes of a line; longer ones are no list entries. Ten times the longest line seen in published lists.
MAX_LINE = 65_536

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Entry(NamedTuple):
    """A name, or a network, that a list names."""

    name: str
    """In normal form; empty for a network."""
    line: int
    exception: bool = False
    """The list takes the name out instead of putting it in."""
    categories: tuple[str, ...] = ()
    """Of this entry alone, where the format carries them."""
    service: str = ""
    network: Network | None = None


class Problem(NamedTuple):
    """A line that gave no entry."""

    line: int
    kind: str
    """`refused`: it makes no sense; `held`: it would list everybody below a public suffix;
    `skipped`: understood, but it says nothing about a whole name."""
    what: str
    mend: str


class Said(NamedTuple):
    """What one line says about one name, before the name is checked."""

    name: str
    exception: bool = False
    categories: tuple[str, ...] = ()
    service: str = ""


class Skipped(Exception):  # noqa: N818  (an outcome, not a failure)
    """A line that is understood and names nothing."""


LineParser = Callable[[str], Iterable[Said]]
Format = Callable[[BinaryIO], Iterator[Entry | Problem]]

#: Names hosts files give to the machine itself (hosts(5) and its descendants).
LOOPBACK = frozenset(
    (
        "localhost",
        "localhost.localdomain",
        "local",
        "broadcasthost",
        "ip6-localhost",
        "ip6-loopback",
        "ip6-localnet",
        "ip6-mcastprefix",
        "ip6-allnodes",
        "ip6-allrouters",
        "ip6-allhosts",
        "0.0.0.0",
        "localhost4",
        "localhost6",
        "localhost4.localdomain4",
        "localhost6.localdomain6",
    )
)

#: Adblock options that make a rule hold for some pages or clients only.
_PARTIAL = ("domain=", "denyallow=", "badfilter", "client=", "dnstype=", "ctag=", "removeparam", "csp=")
_RPZ_TYPES = frozenset(("A", "AAAA", "CNAME", "TXT", "MX", "SRV", "PTR", "HTTPS", "SVCB"))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")


def text_lines(stream: BinaryIO) -> Iterator[tuple[int, str] | Problem]:
    """Lines with their number, without the end; a problem for a line that is no text or too long."""
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
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            yield Problem(number, "refused", "not UTF-8 text", "save the list as UTF-8")
            continue
        if "\0" in text:
            yield Problem(number, "refused", "binary data", "give the list itself, unpacked")
            continue
        yield number, text.strip()


def _entry(said: Said, line: int) -> Entry:
    """The entry for a name, or for an address: published lists of names carry some. Raises ValueError."""
    name, network = "", None
    try:
        name = normal_name(said.name)
    except AddressError:
        network = ipaddress.ip_network(said.name)
        if network.is_loopback or network.is_unspecified:
            raise Skipped("an address of the machine itself") from None
    return Entry(name, line, said.exception, said.categories, said.service, network)


def _by_line(parse: LineParser) -> Format:
    def read(stream: BinaryIO) -> Iterator[Entry | Problem]:
        for item in text_lines(stream):
            if isinstance(item, Problem):
                yield item
                continue
            number, text = item
            if not text:
                continue
            try:
                for said in parse(text):
                    yield _entry(said, number)
            except Skipped as skipped:
                yield Problem(number, "skipped", str(skipped), "nothing to mend")
            except WholeSuffixError as error:
                yield Problem(number, "held", str(error), "name what is meant below it")
            except ValueError as error:
                yield Problem(number, "refused", str(error), "mend or remove the line")

    read.__doc__ = parse.__doc__
    return read


def _domains(text: str) -> Iterator[Said]:
    """One name a line; `#` begins a comment."""
    name = text.partition("#")[0].strip().removeprefix(".")
    if name:
        yield Said(name)


def _hosts(text: str) -> Iterator[Said]:
    """hosts(5): an address, then names. Names of the machine itself are dropped."""
    words = text.partition("#")[0].split()
    if not words:
        return
    try:
        ipaddress.ip_address(words[0].partition("%")[0])
    except ValueError:
        raise ValueError(f"{_shown(words[0])} is no address; a hosts line begins with one") from None
    names = [word for word in words[1:] if word.lower() not in LOOPBACK]
    if not names:
        raise Skipped("a name of the machine itself")
    for name in names:
        yield Said(name)


def _wildcard(text: str) -> Iterator[Said]:
    """`*.name`, or a name; a star anywhere else says nothing about a whole name."""
    name = text.partition("#")[0].strip().removeprefix("*.")
    if "*" in name:
        raise Skipped("a star inside a name")
    if name:
        yield Said(name)


def _adblock(text: str) -> Iterator[Said]:
    """`||name^`, exceptions `@@||name^`, with or without `^`; rules about parts of pages are skipped."""
    if text[0] == "!" or (text[0] == "[" and text[-1] == "]") or text.startswith("# ") or text == "#":
        return
    if "##" in text or "#@#" in text or "#?#" in text or "#$#" in text:
        raise Skipped("a rule about a part of a page")
    exception = text.startswith("@@")
    rule = text.removeprefix("@@")
    if rule.startswith("/"):
        raise Skipped("a regular expression")
    rule, _, options = rule.partition("$")
    if any(option.lstrip("~").startswith(_PARTIAL) for option in options.split(",")):
        raise Skipped("a rule for some pages or clients only")
    anchored = rule.startswith("||")
    name = rule.removeprefix("||").removeprefix("*.").removesuffix("|").removesuffix("^")
    if not anchored and (exception or rule.startswith("|") or "." not in name):
        raise Skipped("a rule about a part of an address")
    if any(c in name for c in "/*?:=&^|"):
        raise Skipped("a rule about a part of an address")
    yield Said(name.partition("#")[0].strip(), exception)


def _dnsmasq(text: str) -> Iterator[Said]:
    """dnsmasq(8): `address=/name/…`, `server=/name/…`, `local=/name/`, several names between slashes."""
    if text.startswith("#"):
        return
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"-{0,2}[a-z0-9-]+", key.strip()):
        raise ValueError(f"{_shown(text)} is no dnsmasq line; write address=/name/")
    option = key.strip().lstrip("-")
    if option not in ("address", "server", "local"):
        raise Skipped(f"a dnsmasq option {option!r}")
    parts = value.strip().split("/")
    if len(parts) < 3 or parts[0]:
        raise Skipped("a dnsmasq line for all names")
    # `server=/name/#` asks the usual servers: the name is taken out (dnsmasq(8), --server).
    asked = option == "server"
    exception = asked and parts[-1].strip() == "#"
    if asked and parts[-1].strip() and not exception:
        raise Skipped("a name sent to another resolver")
    for name in parts[1:-1]:
        if name:
            yield Said(name.removeprefix("*."), exception)


def _rpz(text: str) -> Iterator[Said]:
    """Response policy zone (draft-vixie-dnsop-dns-rpz-00, section 3): triggers on the name asked for."""
    words = text.partition(";")[0].split()
    if not words or words[0].startswith(("$", "#")):
        return
    upper = [word.upper() for word in words]
    place = next((i for i in range(1, len(words)) if upper[i] in _RPZ_TYPES), 0)
    if words[0].startswith("@") or place == 0:
        if any(word in ("SOA", "NS") for word in upper):
            return
        raise ValueError(f"{_shown(text)} is no response policy; write name CNAME .")
    name = words[0].lower().removeprefix("*.").removesuffix(".")
    if re.search(r"\.rpz-(ip|client-ip|nsdname|nsip)(\.|$)", name):
        raise Skipped("a trigger on an address")
    target = words[place + 1].lower() if place + 1 < len(words) else ""
    if upper[place] == "CNAME" and not target:
        raise ValueError(f"{_shown(text)} has no target")
    yield Said(name, upper[place] == "CNAME" and target.rstrip(".") == "rpz-passthru")


def _known(words: str) -> tuple[str, ...]:
    categories = tuple(word for word in words.replace(",", " ").split() if word)
    for category in categories:
        if category not in taxonomy.CATEGORIES:
            raise ValueError(f"unknown category {_shown(category)}")
    return categories


def _services(text: str) -> Iterator[Said]:
    """Ours: service, its names (spaces between), categories if not the list's; tabs between the cells."""
    if text.startswith("#"):
        return
    cells = [cell.strip() for cell in text.split("\t") if cell.strip()]
    if not 2 <= len(cells) <= 3:
        raise ValueError(f"{_shown(text)} has {len(cells)} cells; write service, names, categories with tabs")
    categories = _known(cells[2]) if len(cells) == 3 else ()
    for name in cells[1].split():
        yield Said(name, False, categories, cells[0])


_NAME_COLUMNS = ("domain", "name", "hostname", "host", "fqdn")


def _csv(stream: BinaryIO) -> Iterator[Entry | Problem]:
    """Comma-separated values: a header naming a `domain` column (`category`, `service` are read too),
    or, without a header, the name in the first column."""
    columns: dict[str, int] = {}

    def parse(text: str) -> Iterator[Said]:
        if text.startswith("#"):
            return
        try:
            cells = next(csv.reader([text]))
        except (csv.Error, StopIteration) as error:
            raise ValueError(f"{_shown(text)} is no CSV row: {error}") from None
        if not columns:
            header = [cell.strip().lower() for cell in cells]
            place = next((header.index(c) for c in _NAME_COLUMNS if c in header), None)
            if place is not None:
                columns.update({cell: i for i, cell in enumerate(header)}, **{"": place})
                return
            columns[""] = 0

        def cell(column: str) -> str:
            place = columns.get(column, len(cells))
            return cells[place].strip() if place < len(cells) else ""

        yield Said(cell(""), False, _known(cell("category")), cell("service"))

    yield from _by_line(parse)(stream)


def _addresses(stream: BinaryIO) -> Iterator[Entry | Problem]:
    """One address or network a line; `#` begins a comment."""
    for item in text_lines(stream):
        if isinstance(item, Problem):
            yield item
            continue
        number, text = item
        text = text.partition("#")[0].strip()
        if not text:
            continue
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            yield Problem(
                number, "refused", f"{_shown(text)} is no address or network", "mend or remove the line"
            )
            continue
        if network.prefixlen < (8 if network.version == 4 else 16):
            yield Problem(
                number, "held", f"{text} is a large part of the Internet", "name the networks meant"
            )
            continue
        yield Entry("", number, network=network)


FORMATS: dict[str, Format] = {
    "domains": _by_line(_domains),
    "hosts": _by_line(_hosts),
    "wildcard": _by_line(_wildcard),
    "adblock": _by_line(_adblock),
    "dnsmasq": _by_line(_dnsmasq),
    "rpz": _by_line(_rpz),
    "services": _by_line(_services),
    "csv": _csv,
    "addresses": _addresses,
}
