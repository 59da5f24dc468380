"""List formats in which every line stands for itself."""

import ipaddress
import re
from collections.abc import Iterator
from typing import BinaryIO

from blocklists import taxonomy
from blocklists.entries import Entry, Problem, Said, Skipped, by_line, judged, network_of, text_lines
from blocklists.names import shown

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


def _domains(text: str) -> Iterator[Said]:
    """One name a line; `#` begins a comment."""
    name = text.partition("#")[0].strip().removeprefix(".")
    if name:
        yield Said(name)


def hosts_line(text: str) -> Iterator[Said]:
    """hosts(5): an address, then names. Names of the machine itself are dropped."""
    words = text.partition("#")[0].split()
    if not words:
        return
    try:
        ipaddress.ip_address(words[0].partition("%")[0])
    except ValueError:
        raise ValueError(f"{shown(words[0])} is no address; a hosts line begins with one") from None
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


def _dnsmasq(text: str) -> Iterator[Said]:
    """dnsmasq(8): `address=/name/…`, `server=/name/…`, `local=/name/`, several names between slashes."""
    if text.startswith("#"):
        return
    text = re.split(r"\s#", text, maxsplit=1)[0]
    key, equals, value = text.partition("=")
    if not re.fullmatch(r"-{0,2}[a-z0-9-]+", key.strip()) or (not equals and "-" not in key):
        raise ValueError(f"{shown(text)} is no dnsmasq line; write address=/name/")
    option = key.strip().lstrip("-")
    if option not in ("address", "server", "local"):
        raise Skipped(f"a dnsmasq option {option!r}")
    parts = [part.strip() for part in value.strip().split("/")]
    names = [name.removeprefix("*.") for name in parts[1:-1]]
    if len(parts) < 3 or parts[0] or not any(names) or "#" in names:
        raise Skipped("a dnsmasq line for all names")
    # `server=/name/#` asks the usual servers: the name is taken out (dnsmasq(8), --server).
    asked = option == "server"
    exception = asked and parts[-1] == "#"
    if asked and parts[-1] and not exception:
        raise Skipped("a name sent to another resolver")
    for name in names:
        if "*" in name:
            raise Skipped("a star inside a name")
        if name:
            yield Said(name, exception)


def _services(text: str) -> Iterator[Said]:
    """Ours: service, its names (spaces between), categories if not the list's; tabs between the cells."""
    if text.startswith("#"):
        return
    cells = [cell.strip() for cell in text.split("\t") if cell.strip()]
    if not 2 <= len(cells) <= 3:
        raise ValueError(f"{shown(text)} has {len(cells)} cells; write service, names, categories with tabs")
    categories = tuple(cells[2].replace(",", " ").split()) if len(cells) == 3 else ()
    for category in categories:
        if category not in taxonomy.CATEGORIES:
            raise ValueError(f"unknown category {shown(category)}")
    for name in cells[1].split():
        yield Said(name, False, categories, cells[0])


def read_addresses(stream: BinaryIO) -> Iterator[Entry | Problem]:
    """One address or network a line; `#` or `;` begins a comment."""

    def none(text: str) -> Iterator[Said]:
        if re.fullmatch(r"(?i)as[0-9]+", text):
            raise Skipped("a number of a network operator, not its addresses")
        raise ValueError(f"{shown(text)} is no address or network")

    for item in text_lines(stream):
        if isinstance(item, Problem):
            yield item
            continue
        number, text = item
        address = re.split(r"[#;]", text, maxsplit=1)[0].strip()
        if address:
            try:
                yield network_of(address, number)
            except Skipped as skipped:
                yield Problem(number, "skipped", str(skipped), "nothing to mend")
            except ValueError:
                yield from judged(number, address, none)


#: Lines of a list of exits that say something else of the relay of the line before (TorDNSEL, "exit lists").
_OF_EXITS = ("ExitNode ", "Published ", "LastStatus ", "@type ", "Downloaded ")


def _tor_exits(text: str) -> Iterator[Said]:
    """The Tor project's exit lists: `ExitAddress address date time`, or an address a line."""
    if text.startswith(("#", *_OF_EXITS)):
        return
    words = text.removeprefix("ExitAddress ").split()
    try:
        ipaddress.ip_address(words[0])
    except (ValueError, IndexError):
        raise ValueError(
            f"{shown(text)} is no line of an exit list; write ExitAddress or an address"
        ) from None
    yield Said(words[0])


read_domains = by_line(_domains)
read_hosts = by_line(hosts_line)
read_wildcard = by_line(_wildcard)
read_dnsmasq = by_line(_dnsmasq)
read_own_services = by_line(_services)
read_tor_exits = by_line(_tor_exits)
