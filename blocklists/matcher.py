"""The compiled suffix matcher: which listed name, if any, a domain name equals or lies below.

The longest listed suffix wins, at label boundaries only. A fingerprint in a hash table finds the
front-coded name (`front.py`) that a suffix would be; the suffix is then compared byte by
byte, so no match rests on a hash. Names are stored reversed and sorted.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from blocklists import compiled, mappings, taxonomy
from blocklists.addresses import PrefixTable
from blocklists.front import BLOCK, name_at
from blocklists.history import Past, Since
from blocklists.names import MAX_NAME, normal_name
from blocklists.slots import find_suffixes

#: Stands before a name that is listed for itself alone; it is in no name.
EXACT = "="


class Source(NamedTuple):
    """One list that a matcher was compiled from."""

    name: str
    title: str
    file: str
    format: str
    categories: tuple[str, ...]
    allow: bool
    """An allow list: its names carry no category, whatever other lists say."""
    sha256: str
    entries: int
    ports: tuple[int, ...] = ()
    """Of a list of addresses: server ports it is about; empty all."""
    url: str = ""
    licence: str = ""
    added: int = 0
    """Names and networks that what was compiled before did not have."""
    removed: int = 0
    """Those that only what was compiled before had."""
    part: str = ""
    """Of a folder or an archive of several lists: the one that was read; empty all."""
    mapping: str = ""
    """Whose category names the list's own are."""


class LabelSet(NamedTuple):
    """What a name can carry."""

    mask: int
    """Category mask, see `taxonomy.names_of`."""
    service: str


class Origin(NamedTuple):
    """Where a listed name, or network, comes from."""

    name: str
    source: Source
    line: int
    exception: bool
    categories: list[str]
    """What it gives; of an exception: what it takes away, from all lists."""
    since: Since
    """From when on this list has named it."""
    member: str
    """Of a list in several files: the file that `line` counts in."""
    exact: bool
    """The name alone is listed, nothing below it."""


class Explanation(NamedTuple):
    """What a matcher knows about a name."""

    name: str
    matched: str
    """The longest listed suffix; empty none."""
    categories: list[str]
    service: str
    origins: list[Origin]
    """Of every listed suffix, the longest first."""
    taken: list[str]
    """Categories that it would carry but for exceptions and allow lists."""
    ports: list[int]
    """Of an address: server ports that this is about; empty all."""


#: Label set of names that are on no list.
UNLISTED = LabelSet(0, "")


class Matcher:
    """Answers for compiled names. Made by `build.Builder` or `Matcher.open`; never changes."""

    def __init__(self, header: dict[str, Any], sections: dict[str, np.ndarray], version: str) -> None:
        self.version = version
        self._header = header
        self.names: int = header["names"]
        """Distinct names that are listed."""
        self._fingerprint_bits: int = header["fingerprint_bits"]
        self._exact: bool = header["exact"] > 0
        self.sources = tuple(
            Source(
                **{
                    **source,
                    "categories": tuple(source["categories"]),
                    "ports": tuple(source["ports"]),
                    "added": came,
                    "removed": went,
                }
            )
            for source, came, went in zip(header["sources"], *header["history"]["changes"], strict=True)
        )
        self.sets = tuple(LabelSet(mask, service) for mask, service in header["sets"])
        """Every distinct label set; `set_of` points into it."""
        self._statements = [tuple(s) for s in header["statements"]]
        self._sections = sections
        self.set_of = sections["set_of"]
        """uint8 or uint16 [names]: label set of each entry."""
        self._networks = header["networks"]
        self._versions = [Since(*since) for since in header["history"]["versions"]]
        self._prefixes = list(self._tables())

    @classmethod
    def open(cls, path: Path) -> "Matcher":
        """A matcher over a compiled file, mapped into memory.

        Raises OSError, and ValueError for a file that is damaged or not of this version.
        """
        header, sections, version = compiled.read(path)
        if (
            header.get("block") != BLOCK
            or header.get("taxonomy") != list(taxonomy.NAMES)
            or header.get("mappings") != mappings.version()
        ):
            raise ValueError(f"{path}: compiled for another version of spanwatch; compile the lists again")
        return cls(header, sections, version)

    def save(self, path: Path) -> None:
        """Writes the compiled file atomically. Raises OSError."""
        compiled.write(path, self._header, self._sections, self.version)

    def match(self, names: pa.StringArray) -> np.ndarray:
        """int32[n]: entry id of the longest listed suffix of each name, -1 for none and for null.

        Names are as in records: lower case, punycode, no trailing dot. No match rests on a hash. A name
        that is listed for itself alone comes before its suffixes.
        """
        return self._find(names, self._exact)

    def _find(self, names: pa.StringArray, exact: bool) -> np.ndarray:
        out = np.full(len(names), -1, np.int32)
        if len(names) == 0 or self.names == 0:
            return out
        if names.null_count:
            names = names.fill_null("")
        wide = pa.types.is_large_string(names.type) or pa.types.is_large_binary(names.type)
        if not (wide or pa.types.is_string(names.type) or pa.types.is_binary(names.type)):
            raise TypeError(f"names are {names.type}, not strings")
        _, offset_buffer, data_buffer = names.buffers()
        offsets = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)
        data = np.frombuffer(data_buffer if data_buffer is not None else b"\0", np.uint8)
        # Whether Arrow lets its memory be written varies; the kernel is compiled once, for memory it may not.
        offsets.flags.writeable = data.flags.writeable = False
        s = self._sections
        find_suffixes(
            s["front"], s["block_start"], s["slots"], self._fingerprint_bits, exact,
            offsets, data, names.offset, out,
        )  # fmt: skip
        return out

    def set_ids(self, names: pa.StringArray) -> np.ndarray:
        """int32[n]: index into `sets` of each name, -1 for names on no list."""
        entries = self.match(names)
        if not self.names:
            return entries
        return np.where(entries >= 0, self.set_of[entries].astype(np.int32), np.int32(-1))

    def address_set_ids(self, addresses: pa.FixedSizeBinaryArray, ports: np.ndarray) -> np.ndarray:
        """int32[n]: index into `sets` of each server address (16 bytes) and port, -1 for no list.

        The longest prefix wins among those that a list names for that port; a list that names ports
        speaks about those alone. Exceptions take away from all networks inside theirs.
        """
        (_, others), *some = self._prefixes
        result = others.match(addresses)
        for listed, table in some:
            rows = np.flatnonzero(np.isin(ports, listed))
            if len(rows):
                result[rows] = table.match(addresses.take(pa.array(rows)))
        return result

    def _tables(self) -> Iterator[tuple[list[int], PrefixTable]]:
        """Networks and their label sets for all ports that no list names, then for each group of others."""
        networks = [(ipaddress.ip_network(row[0]), row[1], tuple(row[2])) for row in self._networks]
        limits = sorted({ports for _, _, ports in networks} - {()})
        groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for port in sorted({port for ports in limits for port in ports}):
            groups.setdefault(tuple(ports for ports in limits if port in ports), []).append(port)
        yield [], PrefixTable((network, labels) for network, labels, ports in networks if not ports)
        for those, listed in groups.items():
            # Of equal networks the first given counts: the row that names the port.
            rows = [row for row in networks if row[2] in those] + [row for row in networks if not row[2]]
            yield listed, PrefixTable((network, labels) for network, labels, _ in rows)

    def labels(self, name: str) -> LabelSet:
        """Label set of one name; `UNLISTED` if no list knows it."""
        found = int(self.set_ids(pa.array([_asked(name)]))[0])
        return self.sets[found] if found >= 0 else UNLISTED

    def lookup(self, name: str) -> Explanation:
        """Which lists and lines say what about a name or an address, and since when."""
        asked = _asked(name)
        try:
            return self._lookup_address(_unmapped(ipaddress.ip_address(asked)))
        except ValueError:
            pass
        suffixes = list(_suffixes(asked))
        entries = self._find(pa.array(suffixes, pa.string()), False).tolist()
        alone = self.match(pa.array([asked])).tolist() if self._exact else []
        matched, labels = "", UNLISTED
        origins: list[Origin] = []
        given, above = 0, False
        for suffix, entry, exact in [
            *((asked, entry, True) for entry in alone),
            *zip(suffixes, entries, [False] * len(suffixes), strict=True),
        ]:
            if entry < 0 or self._text(entry) != (EXACT + suffix if exact else suffix):
                continue
            if not matched:
                matched, labels = suffix, self.sets[self.set_of[entry]]
            rows = list(self._rows(entry))
            if not given or above:
                # A name that is listed for itself alone also has what is said of it with all below.
                given |= self._given(place for place, _, _ in rows)
            above = exact
            origins += (self._origin(suffix, *row, exact) for row in rows)
        return Explanation(
            asked, matched, taxonomy.names_of(labels.mask), labels.service, origins,
            taxonomy.names_of(given & ~labels.mask), [],
        )  # fmt: skip

    def _lookup_address(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Explanation:
        matched, labels = "", UNLISTED
        origins: dict[tuple[str, int, int], Origin] = {}
        given = 0
        ports: list[int] = []
        for length in range(address.max_prefixlen, -1, -1):
            network = str(ipaddress.ip_network((address, length), strict=False))
            numbers = self._network_rows.get(network, [])
            rows = [self._networks[number] for number in numbers]
            if rows and not matched:
                # What holds for all ports, where there is that.
                chosen = next((row for row in rows if not row[2]), rows[0])
                matched, labels = network, self.sets[chosen[1]]
                given = self._given(place for _, place in chosen[3])
                ports = sorted(port for row in rows for port in row[2]) if chosen[2] else []
            for number, row in zip(numbers, rows, strict=True):
                since = self._header["history"]["networks"][number]
                for (line, place), at in zip(row[3], since, strict=True):
                    origins.setdefault((network, line, place), self._origin(network, place, line, at, False))
        return Explanation(
            str(address), matched, taxonomy.names_of(labels.mask), labels.service, list(origins.values()),
            taxonomy.names_of(given & ~labels.mask), ports,
        )  # fmt: skip

    @cached_property
    def _network_rows(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for number, row in enumerate(self._networks):
            rows.setdefault(row[0], []).append(number)
        return rows

    def _rows(self, entry: int) -> Iterator[tuple[int, int, int]]:
        """Statement, line and index of the version of each row about an entry."""
        s = self._sections
        start, stop = (int(n) for n in s["origin_start"][entry : entry + 2])
        for row in range(start, stop):
            yield int(s["origin_statement"][row]), int(s["origin_line"][row]), int(s["origin_since"][row])

    def _given(self, statements: Iterable[int]) -> int:
        """Mask of what the statements say that take nothing away."""
        mask = 0
        for place in statements:
            said, _, _, exception, _ = self._statements[place]
            mask |= 0 if exception else said
        return mask

    def _origin(self, name: str, statement: int, line: int, since: int, exact: bool = False) -> Origin:
        mask, _, source, exception, member = self._statements[statement]
        return Origin(
            name, self.sources[source], line, bool(exception), taxonomy.names_of(mask), self._versions[since],
            member, exact,
        )  # fmt: skip

    def past(self) -> Past:
        """What the next compilation needs to know of this one."""
        s = self._sections
        return Past(
            self._versions,
            [source.name for source in self.sources],
            np.array([statement[2] for statement in self._statements], np.int64),
            s["front"], self.names, s["origin_start"], s["origin_statement"], s["origin_since"],
            {
                (row[0], self._statements[place][2]): at
                for row, since in zip(self._networks, self._header["history"]["networks"], strict=True)
                for (_, place), at in zip(row[3], since, strict=True)
            },
        )  # fmt: skip

    def _text(self, entry: int) -> str:
        front = self._sections["front"]
        at = int(self._sections["block_start"][entry // BLOCK])
        text = b""
        for _ in range(entry % BLOCK + 1):
            common, tail, at = name_at(front, at)
            text = text[:common] + front[at : at + tail].tobytes()
            at += tail
        return text[::-1].decode("ascii")


def _asked(name: str) -> str:
    try:
        return normal_name(name)
    except ValueError:
        return name.strip().lower().removesuffix(".")[-MAX_NAME:]


def _unmapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return (address.ipv4_mapped if address.version == 6 else None) or address


def _suffixes(name: str) -> Iterator[str]:
    while name:
        yield name
        _, _, name = name.partition(".")
