"""A sensor of plain Python whose arrays refuse what NumPy lets pass: negative indices, slices beyond the end.

Compiled, an index of -1 is the last element, with bounds checked or not. Here it raises. Readers see arrays
that end where their bytes end, so a read behind a packet, in its padding or in a stream's unfilled buffer
raises, too.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from capture import content, dispatch, expiry, fragments
from capture.frames import LINK_ETHERNET, NO_TAG, Frames
from capture.sensor import Sensor
from capture.sources.pcap import open_capture
from tests.capture.mutated import made_seeds
from tests.capture.packets import (
    ACK,
    CLIENT,
    PSH,
    SECOND,
    SERVER,
    SYN,
    T0,
    ethernet,
    ipv6,
    small_sensor,
    tcp,
    udp,
)
from tests.capture.sources.made import standard_input


def _refuse(index: Any, length: int) -> None:
    if isinstance(index, slice):
        start = 0 if index.start is None else index.start
        stop = length if index.stop is None else index.stop
        if start < 0 or stop < 0 or stop > length:
            raise IndexError(f"slice {start}:{stop} of {length}")
    elif isinstance(index, int | np.integer) and index < 0:
        raise IndexError(f"index {index} of {length}")


def _check(array: np.ndarray, index: Any) -> None:
    if type(index) is tuple:
        for part, length in zip(index, array.shape, strict=False):
            _refuse(part, length)
    else:
        _refuse(index, len(array))


class Guarded(np.ndarray):
    """An array without negative indices."""

    def __getitem__(self, index: Any) -> Any:
        _check(self, index)
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        _check(self, index)
        super().__setitem__(index, value)


class GuardedRecords(np.recarray):
    """Records without negative indices."""

    def __getitem__(self, index: Any) -> Any:
        _check(self, index)
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        _check(self, index)
        super().__setitem__(index, value)


def guarded_sensor() -> Sensor:
    """A small sensor over guarded arrays."""
    sensor = small_sensor(flows=1_024, heads=16, batch_rows=1_000)
    for name, array in vars(sensor.table).items():
        if isinstance(array, np.ndarray) and not name.startswith("_"):
            kind = GuardedRecords if isinstance(array, np.recarray) else Guarded
            setattr(sensor.table, name, array.view(kind))
    return sensor


@contextmanager
def exact_ends() -> Iterator[None]:
    """While open, readers of packets and of streams see arrays that end with their bytes."""
    take_packet, read_stream, expire = dispatch.take_packet, content.read_stream, expiry.expire_datagrams

    def take_exactly(table: Any, buf: Any, packet: Any, key: int) -> Any:
        return take_packet(table, buf[: packet.end], packet, key)

    def read_exactly(table: Any, buf: Any, start: int, end: int, final: int, up: int, i: int) -> Any:
        return read_stream(table, buf[:end], start, end, final, up, i)

    def expire_any(table: Any, now: int) -> Any:
        # Most inputs hold no fragment, and looking at each place takes longer than all the rest.
        return expire(table, now) if table.datagrams.used.any() else True

    with ExitStack() as changed, np.errstate(over="ignore"):
        for module, name, guarded in (
            (dispatch, "take_packet", take_exactly),
            (fragments, "take_packet", take_exactly),
            (content, "read_stream", read_exactly),
            (expiry, "expire_datagrams", expire_any),
        ):
            changed.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, guarded)
        yield


class Harness:
    """Takes one input of a target after the other; everything a find needs is in its input."""

    def __init__(self) -> None:
        self.sensor = guarded_sensor()
        self._ts = T0

    def feed(self, frame: bytes, link: int = LINK_ETHERNET, wire: int = 0) -> None:
        """One frame in a buffer of its own."""
        if not frame:
            return
        self._ts += 1_000
        data = np.frombuffer(bytearray(frame), np.uint8).view(Guarded)
        size, wire = np.array([len(frame)]), max(wire, len(frame))
        frames = Frames(
            data, np.array([0]), size, np.array([wire]), np.array([self._ts]), np.array([link]),
            np.array([NO_TAG]), 1,
        )  # fmt: skip
        self.take(frames)

    def take(self, frames: Frames) -> None:
        """A block of a source."""
        at = 0
        while (at := dispatch.run(self.sensor.table, frames, at)) < frames.count:
            self._flush()

    def settle(self, check: bool = True) -> None:
        """End every flow: whatever was borrowed is given back. `check`: look at all rows now."""
        table, meter = self.sensor.table, self.sensor.table.meter[0]
        while not expiry.finish(table):
            self._flush()
        if meter.text_used > 1 << 16 or check:
            self._flush()
        assert meter.flows_free == len(table.flows)
        assert meter.heads_free == len(table.heads)
        # Far enough for what the next input says not to be a copy, and no handshake of it to be known.
        self._ts += 100 * SECOND

    def _flush(self) -> None:
        for _, batch in self.sensor.flush():
            batch.validate(full=True)


#: LINKTYPE_ numbers that an input of `frames` chooses from.
LINKS = sorted({LINK_ETHERNET, *made_seeds().link.tolist(), 105, 127, 119, 163, 192})
#: Ports of services, the readers of whose streams look at ports.
STREAM_PORTS = (443, 80, 53, 25, 110, 143, 389, 21, 445, 88, 1_080, 3_389, 3_306, 5_432, 22, 7_001, 5_222, 23)
DATAGRAM_PORTS = (53, 5_353, 5_355, 137, 138, 67, 546, 1_900, 1_813, 3_389, 88, 443, 3_478, 5_060, 7_001, 123)


def _pieces(data: bytes, cuts: bytes) -> list[bytes]:
    """The data in three pieces, cut at shares of 1/256 of it."""
    first, second = sorted(len(data) * cut >> 8 for cut in cuts)
    return [data[:first], data[first:second], data[second:]]


def frames(harness: Harness, data: bytes) -> None:
    """Link layers, shims, tunnels, fragments: link, cuts, then one frame, or three."""
    if len(data) > 4:
        link, several, *cuts = data[:4]
        pieces = _pieces(data[4:], bytes(cuts)) if several & 1 else [data[4:]]
        for piece in pieces:
            harness.feed(piece, LINKS[link % len(LINKS)], len(piece) + (several & 2) * 300)


def streams(harness: Harness, data: bytes) -> None:
    """A connection: port, order and directions, cuts; what the pieces hold goes up or down."""
    if len(data) <= 4:
        return
    port, order = STREAM_PORTS[data[0] % len(STREAM_PORTS)], data[1]
    ends: dict[str, Any] = {"source": CLIENT, "target": SERVER, "sport": 40_000, "dport": port}
    back: dict[str, Any] = {"source": SERVER, "target": CLIENT, "sport": port, "dport": 40_000}
    if order & 1:
        harness.feed(tcp(SYN, 1_000, **ends))
        harness.feed(tcp(SYN | ACK, 9_000, 1_001, **back))
    sequence, segments = [1_001, 9_001], []
    for number, piece in enumerate(_pieces(data[4:], data[2:4])):
        down = order >> 1 + number & 1
        numbers = sequence[down], sequence[1 - down]
        segments.append(tcp(ACK | PSH, *numbers, piece, **(back if down else ends), ident=number + 1))
        sequence[down] += len(piece)
    if order & 16:
        segments[0], segments[1] = segments[1], segments[0]
    if order & 32:
        segments[1], segments[2] = segments[2], segments[1]
    for segment in segments:
        harness.feed(segment[: len(segment) - (order >> 6 == 3)], wire=len(segment))


def datagrams(harness: Harness, data: bytes) -> None:
    """UDP: ports, directions, a cut; then what two datagrams hold."""
    if len(data) <= 4:
        return
    port, order = DATAGRAM_PORTS[data[0] % len(DATAGRAM_PORTS)], data[1]
    near = port if order & 1 else 50_000
    cut = len(data) if order & 2 else 4 + ((len(data) - 4) * data[2] >> 8)
    for number, piece in enumerate((data[4:cut], data[cut:])):
        down = order >> 2 + number & 1
        ends: dict[str, Any] = {"source": SERVER, "target": CLIENT} if down else {}
        ports = (port, near) if down else (near, port)
        frame = udp(piece, *ports, ident=number + 1, **ends)
        harness.feed(frame[: len(frame) - (order >> 6 == 3)], wire=len(frame))


def statements(harness: Harness, data: bytes) -> None:
    """What devices say: which header, then the message."""
    if len(data) > 1:
        said = data[1:]
        made = (
            lambda: ethernet(said, 0x88CC),
            lambda: ethernet(b"\xaa\xaa\3\0\0\x0c\x20\0" + said, len(said) + 8 & 0x7FF),
            lambda: ethernet(b"\x42\x42\3" + said, len(said) + 3 & 0x7FF),
            lambda: ethernet(said, 0x0806),
            lambda: ethernet(ipv6(said, 58, "fe80::1", "ff02::1", ttl=255), 0x86DD),
            lambda: udp(said, 5_353, 5_353, target="224.0.0.251"),
            lambda: udp(said, 50_001, 50_000, source=SERVER, target=CLIENT),
            lambda: udp(said, 547, 546, source="fe80::1", target="fe80::2"),
        )
        harness.feed(made[data[0] % len(made)]())
        if data[0] >= 128:
            harness.feed(said, 105 if data[0] & 1 else 127)


def files(harness: Harness, data: bytes) -> None:
    """Capture files: how many bytes come at a time, then the file. Its frames lie within its buffer."""
    if not data:
        return
    try:
        with standard_input(data[1:], (1 << 20, 7, 100)[data[0] % 3]), open_capture("-") as capture:
            for block in capture:
                count = block.count
                start, captured, wire = block.start[:count], block.captured[:count], block.wire[:count]
                assert start.min() >= 0
                assert (start + captured).max() <= len(block.data)
                assert captured.min() >= 0
                assert (wire >= captured).all()
                harness.take(block._replace(data=block.data.view(Guarded)))
    except ValueError:
        # No capture.
        return


Target = Callable[[Harness, bytes], None]
TARGETS: dict[str, Target] = {
    "frames": frames,
    "streams": streams,
    "datagrams": datagrams,
    "statements": statements,
    "files": files,
}


def name_of(data: bytes) -> str:
    """A short name for an input."""
    return hashlib.blake2b(data, digest_size=6).hexdigest()
