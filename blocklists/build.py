"""Compiling: listed names and what lists say about them become a matcher."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blocklists import compiled, mappings, taxonomy
from blocklists.addresses import Network
from blocklists.front import BLOCK, front_code
from blocklists.history import NOTHING, UNKNOWN, Past, Since, continued
from blocklists.matcher import EXACT, Matcher, Source
from blocklists.slots import LOAD, fill_slots
from pipeline.kernels import kernel

#: Bytes that the offsets of an Arrow array can count.
_MOST_BYTES = (1 << 31) - 1


class Statement(NamedTuple):
    """What a list says about a name."""

    mask: int
    """Category mask; of an exception: the categories it takes away."""
    service: str
    source: int
    """Index of the list."""
    exception: bool
    member: str = ""
    """Of a list in several files: the file."""


@kernel
def _reverse(offsets, data, out):
    for i in range(len(offsets) - 1):
        begin, end = np.int64(offsets[i]), np.int64(offsets[i + 1])
        for k in range(end - begin):
            out[begin + k] = data[end - 1 - k]


@kernel
def _distinct(offsets, data, first):
    """first[i]: 1 where sorted name i differs from the one before; returns how many."""
    count = 0
    for i in range(len(offsets) - 1):
        begin, end = np.int64(offsets[i]), np.int64(offsets[i + 1])
        same = False
        if i > 0:
            before = np.int64(offsets[i - 1])
            same = end - begin == begin - before
            k = np.int64(0)
            while same and k < end - begin:
                same = data[begin + k] == data[before + k]
                k += 1
        first[i] = not same
        count += not same
    return count


@kernel
def _resolve(offsets, data, start, statement, masks, services, exceptions, mask, service):
    """Label of each distinct name: its own, less exceptions at or above it, else its parent's.

    Names are reversed and sorted, so those that begin a name, byte for byte, are a stack; the name's
    parent is the last of them that ends at a label's end (`a-b.c` stands between `b.c` and `a.b.c`).
    A name listed for itself alone (`EXACT` before it) has the name with all below it as parent, and the
    labels of both.
    """
    stack = np.zeros(256, np.int64)
    taken = np.zeros(256, np.int64)
    depth = 0
    for i in range(len(start) - 1):
        begin, end = np.int64(offsets[i]), np.int64(offsets[i + 1])
        while depth > 0:
            above = stack[depth - 1]
            b, e = np.int64(offsets[above]), np.int64(offsets[above + 1])
            begins = e - b < end - begin
            k = np.int64(0)
            while begins and k < e - b:
                begins = data[begin + k] == data[b + k]
                k += 1
            if begins:
                break
            depth -= 1
        parent = depth - 1
        behind = np.int64(0)
        while parent >= 0:
            behind = np.int64(data[begin + offsets[stack[parent] + 1] - offsets[stack[parent]]])
            if behind == 46 or behind == 61:
                break
            parent -= 1
        own = np.int64(0)
        away = taken[parent] if parent >= 0 else np.int64(0)
        named = np.int64(0)
        for row in range(start[i], start[i + 1]):
            said = statement[row]
            if exceptions[said]:
                away |= masks[said]
            else:
                own |= masks[said]
                if named == 0:
                    named = services[said]
        own &= ~away
        if parent >= 0:
            above = stack[parent]
            if own == 0 or behind == 61:
                own |= mask[above] & ~away
            if named == 0:
                named = service[above]
        mask[i] = own
        service[i] = named
        if depth < 256:
            stack[depth] = i
            taken[depth] = away
            depth += 1


@kernel
def _number_sets(mask, service, set_of, set_mask, set_service):
    """set_of[i]: number of name i's label set, in the order they come; how many, -1 for too many to hold."""
    size = 1 << 18
    table = np.zeros(size, np.int32)
    sets = 0
    for i in range(len(mask)):
        m, s = np.int64(mask[i]), np.int64(service[i])
        place = ((m ^ (m >> 29) ^ (s << 7)) * 0x5BD1E995 >> 7) & (size - 1)
        while True:
            found = np.int64(table[place]) - 1
            if found < 0:
                if sets == len(set_mask):
                    return -1
                set_mask[sets], set_service[sets] = m, s
                sets += 1
                table[place] = sets
                found = sets - 1
            elif set_mask[found] != m or set_service[found] != s:
                place = (place + 1) & (size - 1)
                continue
            set_of[i] = found
            break
    return sets


class Builder:
    """Collects listed names, then compiles them."""

    def __init__(self, past: Past = NOTHING, first: Since = UNKNOWN) -> None:
        """`past` is what was compiled last; names that it has not are listed since `first`."""
        self._past = past
        self._first = first
        self._sources: list[Source] = []
        self._statements: dict[Statement, int] = {}
        self._chunks: list[pa.Array] = []
        self._lines: list[np.ndarray] = []
        self._said: list[np.ndarray] = []
        self._networks: dict[Network, list[tuple[int, int]]] = {}

    def source(self, source: Source) -> int:
        """Index of a list, for its statements."""
        self._sources.append(source)
        return len(self._sources) - 1

    def set_source(self, index: int, source: Source) -> None:
        """Replaces what is known about a list, as its entry count after reading."""
        self._sources[index] = source

    def statement(self, statement: Statement) -> int:
        """Number of a statement, for `add`."""
        return self._statements.setdefault(statement, len(self._statements))

    def add(self, names: Sequence[str], lines: Sequence[int], statements: Sequence[int]) -> None:
        """Names in normal form, the line each stands on, and the statement about each.

        A name with `EXACT` before it is listed for itself alone.
        """
        self._chunks.append(pa.array(names, pa.binary()))
        self._lines.append(np.array(lines, np.uint32))
        self._said.append(np.array(statements, np.uint16))

    def add_network(self, network: Network, line: int, statement: int) -> None:
        """A network, the line it stands on, and the statement about it."""
        self._networks.setdefault(network, []).append((line, statement))

    def build(self) -> Matcher:
        """The matcher over everything added. Raises ValueError past 65,535 label sets or statements."""
        if len(self._statements) > 65_535:
            raise ValueError(
                f"{len(self._statements)} kinds of statement; the matcher holds 65,535: use fewer lists"
            )
        names, line, said = self._sorted()
        offsets, data = _arena(names)
        first = np.zeros(len(names), np.bool_)
        count = _distinct(offsets, data, first)
        begin = np.flatnonzero(first)
        start = np.append(begin, len(names)).astype(np.uint32)
        del offsets, data, first
        names = names.take(pa.array(begin))
        del begin
        offsets, data = _arena(names)

        statements = list(self._statements)
        services = ["", *sorted({s.service for s in statements} - {""})]
        number = {service: i for i, service in enumerate(services)}
        mask = np.zeros(count, np.int64)
        service = np.zeros(count, np.int32)
        _resolve(
            offsets, data, start, said,
            np.array([s.mask for s in statements], np.int64),
            np.array([number[s.service] for s in statements], np.int32),
            np.array([s.exception for s in statements], np.bool_),
            mask, service,
        )  # fmt: skip
        last = data[offsets[1:] - 1] if count else data
        exact = int(np.count_nonzero(last == ord(EXACT)))
        # Networks add label sets of their own, at most one a kind of statement.
        most = 65_535 - len(statements)
        set_of = np.zeros(count, np.uint16)
        set_mask, set_service = np.zeros(most, np.int64), np.zeros(most, np.int32)
        sets = _number_sets(mask, service, set_of, set_mask, set_service)
        if sets < 0:
            raise ValueError(f"more than {most} label sets; use fewer lists or services")
        labels = [(int(set_mask[i]), services[place]) for i, place in enumerate(set_service[:sets].tolist())]
        del mask, service

        block_start = np.zeros(-(-count // BLOCK), np.uint32)
        front = np.empty(front_code(offsets, data, count, np.zeros(0, np.uint8), block_start), np.uint8)
        front_code(offsets, data, count, front, block_start)
        fingerprint_bits = 32 - (count + 1).bit_length()
        slots = np.zeros(max(int(count / LOAD) + 1, 8), np.uint32)
        fill_slots(slots, count, fingerprint_bits, offsets, data)
        sections = {
            "front": front,
            "block_start": block_start,
            "slots": slots,
            "set_of": set_of.astype(np.uint8) if sets <= 256 else set_of,
            "origin_start": start,
            "origin_statement": said,
            "origin_line": line,
        }
        networks = self._label_networks(statements, labels)
        header = {
            "block": BLOCK,
            "taxonomy": list(taxonomy.NAMES),
            "mappings": mappings.version(),
            "names": count,
            "fingerprint_bits": fingerprint_bits,
            "exact": exact,
            "sources": [source._asdict() for source in self._sources],
            "sets": [list(label) for label in labels],
            "networks": networks,
            "statements": [list(s) for s in statements],
        }
        version = compiled.version_of(header, sections)
        # The same content is the same version, whatever its past.
        header["history"], sections["origin_since"] = continued(
            self._past,
            self._first._replace(version=version),
            [source.name for source in self._sources],
            np.array([s.source for s in statements], np.int64),
            (offsets, data, start, said),
            [[(str(row[0]), statements[place].source) for _, place in row[3]] for row in networks],
        )
        for array in sections.values():
            array.flags.writeable = False
        return Matcher(header, sections, version)

    def _sorted(self) -> tuple[pa.BinaryArray, np.ndarray, np.ndarray]:
        """Everything added: names reversed and sorted, the line and the statement of each; then it is gone.

        Stable, so statements about one name stay in the order of the lists.
        """
        if sum(chunk.nbytes for chunk in self._chunks) >= _MOST_BYTES:
            raise ValueError("the lists hold more than 2 GiB of names; use fewer of them")
        names = pa.concat_arrays([*self._chunks, pa.array([], pa.binary())])
        self._chunks.clear()
        offsets, data = _arena(names)
        backward = np.empty_like(data)
        _reverse(offsets, data, backward)
        names = pa.Array.from_buffers(
            pa.binary(), len(names), [None, pa.py_buffer(offsets), pa.py_buffer(backward)]
        )
        del offsets, data, backward
        order = pc.array_sort_indices(names)
        names = names.take(order)
        place = order.to_numpy()
        line = np.concatenate([*self._lines, np.zeros(0, np.uint32)])[place]
        self._lines.clear()
        said = np.concatenate([*self._said, np.zeros(0, np.uint16)])[place]
        self._said.clear()
        return names, line, said

    def _label_networks(self, statements: list[Statement], labels: list[tuple[int, str]]) -> list[list[Any]]:
        """Rows of network, label set (added to `labels` where new), ports, and (line, statement)s.

        A network has a row for each group of ports that lists say something of its own about, and one
        without ports for all others. What holds is as for names: exceptions take away from what is inside.
        """
        number = {label: i for i, label in enumerate(labels)}
        ports_of = [
            self._sources[said.source].ports or (() if said.exception else taxonomy.ports_of(said.mask))
            for said in statements
        ]
        rows: list[list[Any]] = []
        around: list[Network] = []
        for network in sorted(self._networks, key=lambda n: (n.version, int(n.network_address), n.prefixlen)):
            while around and not _inside(network, around[-1]):
                around.pop()
            around.append(network)
            chain = [self._networks[one] for one in around]
            limits = {port for said in chain for _, place in said for port in ports_of[place]}
            groups: dict[tuple[Any, ...], list[int]] = {}
            for port in [*sorted(limits), 0]:
                holding = [
                    [pair for pair in said if not ports_of[pair[1]] or port in ports_of[pair[1]]]
                    for said in chain
                ]
                if holding[-1]:
                    found = _resolved([[statements[place] for _, place in said] for said in holding])
                    groups.setdefault((found, tuple(holding[-1])), []).append(port)
            for (found, said), ports in groups.items():
                if found not in number:
                    number[found] = len(labels)
                    labels.append(found)
                rows.append([str(network), number[found], [] if 0 in ports else ports, list(said)])
        return rows


def _inside(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]


def _resolved(chain: list[list[Statement]]) -> tuple[int, str]:
    """Mask and service of the last of networks that lie in each other, as `_resolve` has it of names."""
    mask, service, away = 0, "", 0
    for said in chain:
        own, named = 0, ""
        for statement in said:
            if statement.exception:
                away |= statement.mask
            else:
                own |= statement.mask
                named = named or statement.service
        mask = (own & ~away) or (mask & ~away)
        service = named or service
    return mask, service


def _arena(names: pa.BinaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (from 0) and bytes of an Arrow array."""
    _, offset_buffer, data_buffer = names.buffers()
    if len(names) == 0 or data_buffer is None:
        return np.zeros(len(names) + 1, np.int32), np.frombuffer(b"\0", np.uint8)[:0]
    offsets = np.frombuffer(offset_buffer, np.int32, len(names) + 1, names.offset * 4)
    data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    data.flags.writeable = False
    return offsets - offsets[0], data
