"""What goes in at one end of a veth pair is counted at the other, in a namespace of its own."""

import contextlib
import itertools
import os
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from capture.frames import LINK_ETHERNET, NO_TAG, Frames
from capture.sources.ring import BLOCK_BYTES, LEAST_BLOCK_BYTES, Ring, block_size

MIB = 1 << 20
SOURCE, DESTINATION = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"


@pytest.mark.parametrize(
    ("ring", "size"), [(MIB, LEAST_BLOCK_BYTES), (4 * MIB, 4 * LEAST_BLOCK_BYTES), (64 * MIB, BLOCK_BYTES)]
)
def test_small_rings_have_small_blocks(ring, size):
    """A ring has at least eight blocks, so that some fill while others are read."""
    assert block_size(ring) == size
    assert ring // size >= 8


def test_says_which_interfaces_there_are():
    """A missing interface is answered with those that exist."""
    with pytest.raises(OSError, match=r"^interface 'no-such0' does not exist; there are: .*\blo\b"):
        Ring("no-such0", MIB)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without rights")
def test_says_what_privilege_is_missing():
    """Without CAP_NET_RAW the message names the capability and the ways to give it."""
    code = """
        from capture.privileges import drop_privileges
        from capture.sources.ring import Ring
        drop_privileges("nobody")
        try:
            Ring("lo", 1 << 20)
        except PermissionError as error:
            print(error)
    """
    environment = {**os.environ, "SPANWATCH_CACHE": "/tmp"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=60, env=environment,
    )  # fmt: skip
    assert done.stdout.startswith("listening on lo needs CAP_NET_RAW: run as root"), done.stderr
    assert "AmbientCapabilities" in done.stdout


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Pair:
    """A veth pair whose far end lies in a namespace of its own."""

    numbers = itertools.count()

    def __init__(self) -> None:
        # The kernel takes namespaces away in its own time: each pair has names of its own.
        name = f"r{os.getpid()}x{next(self.numbers)}"
        self.namespace, self.near, self.far = f"sw-{name}", f"{name}a", f"{name}b"
        ip("netns", "add", self.namespace)
        try:
            ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.namespace)
            for prefix, name in (((), self.near), (("-n", self.namespace), self.far)):
                ip(*prefix, "link", "set", name, "arp", "off", "multicast", "off", "addrgenmode", "none")
                ip(*prefix, "link", "set", name, "up")
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        ip("netns", "delete", self.namespace)

    @contextlib.contextmanager
    def sender(self) -> Iterator[socket.socket]:
        """A raw socket on the far end."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            set_namespace(there)
            try:
                raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            finally:
                set_namespace(here)
        finally:
            os.close(here)
            os.close(there)
        with raw:
            # A full queue of the interface must hold the sender up, not lose frames.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)
            raw.bind((self.far, 0))
            yield raw


def set_namespace(descriptor: int) -> None:
    import ctypes

    clone_newnet = 0x4000_0000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, clone_newnet) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@pytest.fixture
def pair() -> Iterator[Pair]:
    if os.geteuid() != 0:
        pytest.skip("needs root to make a network namespace")
    made = Pair()
    yield made
    made.remove()


def ethernet(index: int, vlan: int | None = None) -> bytes:
    """A frame of an EtherType for local experiments (IEEE 802), 60 to 1,500 bytes long."""
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    body = struct.pack(">HQ", 0x88B5, index)
    return (DESTINATION + SOURCE + tag + body).ljust(60 + index * 37 % 1_440, b"\0")


class Seen:
    """What came out of a ring."""

    def __init__(self) -> None:
        self.frames = self.wire = self.captured = 0
        self.vlans: Counter[int] = Counter()
        self.indexes: list[np.ndarray] = []
        self.ts: list[tuple[int, int]] = []
        self.links: set[int] = set()

    def add(self, frames: Frames) -> None:
        n = frames.count
        self.frames += n
        self.wire += int(frames.wire[:n].sum())
        self.captured += int(frames.captured[:n].sum())
        self.vlans.update(frames.vlan[:n].tolist())
        self.links.update(frames.link[:n].tolist())
        self.ts.append((int(frames.ts[:n].min()), int(frames.ts[:n].max())))
        places = frames.start[:n, None] + np.arange(14, 22)
        self.indexes.append(frames.data[places].copy().view(">u8")[:, 0].astype(np.int64))


def collect(ring: Ring, seen: Seen, done: threading.Event) -> None:
    """Reads until the sender is done and the ring was quiet for half a second."""
    while True:
        finished = done.is_set()
        frames = ring.poll(0.5)
        if frames is not None:
            seen.add(frames)
        elif finished:
            return


@pytest.mark.service
def test_counts_every_frame(pair):
    """200,000 frames, tagged and not, all come out once, in order, with their wire bytes, tags and times."""
    count = 200_000
    expected: Counter[int] = Counter()
    seen, done, sent_bytes = Seen(), threading.Event(), 0
    with Ring(pair.near, 64 * MIB) as ring, pair.sender() as raw:
        reader = threading.Thread(target=collect, args=(ring, seen, done))
        reader.start()
        before = time.time_ns() // 1_000
        try:
            for index in range(count):
                vlan = None if index % 3 == 0 else index % 4_095
                sent_bytes += raw.send(ethernet(index, vlan))
                expected[NO_TAG if vlan is None else vlan] += 1
        finally:
            done.set()
            reader.join()
        after = time.time_ns() // 1_000
        assert ring.drops() == (0, 0)
    assert seen.frames == count
    assert seen.wire == sent_bytes
    assert seen.captured == sent_bytes - 4 * (count - expected[NO_TAG])
    assert seen.vlans == expected
    assert seen.links == {LINK_ETHERNET}
    np.testing.assert_array_equal(np.concatenate(seen.indexes), np.arange(count))
    assert before <= min(first for first, _ in seen.ts) <= max(last for _, last in seen.ts) <= after


def udp(flow: int, back: bool) -> bytes:
    """A UDP packet of a conversation, in either direction."""
    a, b = struct.pack(">BBH", 10, 0, flow), struct.pack(">BBH", 192, 168, flow)
    ports = (50_000, 443)
    if back:
        a, b, ports = b, a, (443, 50_000)
    payload = struct.pack(">HHHH", *ports, 16, 0) + struct.pack(">Q", flow)
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0) + a + b
    return (DESTINATION + SOURCE + b"\x08\0" + header + payload).ljust(60, b"\0")


@pytest.mark.service
def test_two_rings_of_a_group_share_the_frames(pair):
    """Every frame comes to exactly one ring of a fanout group, both directions of a flow to the same one."""
    flows, group = 2_000, os.getpid() % 65_535 + 1
    sides: list[dict[int, int]] = [{}, {}]

    class Flows(Seen):
        def __init__(self, side: dict[int, int]) -> None:
            super().__init__()
            self.side = side

        def add(self, frames: Frames) -> None:
            self.frames += frames.count
            for start in frames.start[: frames.count].tolist():
                flow = int.from_bytes(frames.data[start + 42 : start + 50].tobytes(), "big")
                self.side[flow] = self.side.get(flow, 0) + 1

    done = threading.Event()
    with Ring(pair.near, 8 * MIB, group) as one, Ring(pair.near, 8 * MIB, group) as two, pair.sender() as raw:
        seen = [Flows(side) for side in sides]
        readers = [
            threading.Thread(target=collect, args=(ring, side, done))
            for ring, side in zip((one, two), seen, strict=True)
        ]
        for reader in readers:
            reader.start()
        try:
            for flow in range(flows):
                raw.send(udp(flow, back=False))
                raw.send(udp(flow, back=True))
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert one.drops() == two.drops() == (0, 0)
    assert seen[0].frames + seen[1].frames == 2 * flows
    assert all(side.frames > flows // 2 for side in seen)
    assert not sides[0].keys() & sides[1].keys()
    assert set(sides[0].values()) | set(sides[1].values()) == {2}


@pytest.mark.service
def test_what_this_machine_sends_is_not_counted(pair):
    """Frames sent out of the watched interface itself are left out."""
    seen, done = Seen(), threading.Event()
    with Ring(pair.near, 8 * MIB) as ring, pair.sender() as raw:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as own:
            own.bind((pair.near, 0))
            for index in range(50):
                own.send(ethernet(index))
                raw.send(ethernet(1_000 + index))
        done.set()
        collect(ring, seen, done)
    np.testing.assert_array_equal(np.concatenate(seen.indexes), np.arange(1_000, 1_050))


@pytest.mark.service
def test_drops_are_counted_when_nobody_reads(pair):
    """Frames that found no room are counted: given out and dropped together are what was sent."""
    count, seen, done = 6_000, Seen(), threading.Event()
    with Ring(pair.near, MIB) as ring, pair.sender() as raw:
        for index in range(count):
            raw.send(ethernet(index))
        dropped, frozen = ring.drops()
        assert dropped > 0
        assert frozen > 0
        done.set()
        collect(ring, seen, done)
        assert seen.frames + dropped == count
        assert ring.drops() == (0, 0)
        # Once read, the ring takes frames again.
        raw.send(ethernet(1))
        again = ring.poll(1.0)
        assert again is not None
        assert again.count == 1


@pytest.mark.service
def test_an_interface_that_goes_down_is_an_error_after_its_last_frames(pair):
    """Frames from before the end are given out first; then the message says what happened and what to do."""
    with Ring(pair.near, 8 * MIB) as ring, pair.sender() as raw:
        for index in range(10):
            raw.send(ethernet(index))
        ip("link", "set", pair.near, "down")
        seen = Seen()
        with pytest.raises(OSError, match=rf"^interface {pair.near} went down; bring it up"):
            collect(ring, seen, threading.Event())
        assert seen.frames == 10
    with pytest.raises(OSError, match=rf"^interface {pair.near} is down; bring it up \(ip link set"):
        Ring(pair.near, MIB)


@pytest.mark.service
def test_an_interface_that_vanishes_is_an_error(pair):
    """An interface that is taken away in mid-run is named."""
    with Ring(pair.near, MIB) as ring:
        ip("link", "delete", pair.near)
        with pytest.raises(OSError, match=rf"^interface {pair.near} has vanished"):
            collect(ring, Seen(), threading.Event())


@pytest.mark.service
def test_poll_waits_no_longer_than_asked(pair):
    """A quiet interface gives nothing, after the time asked for."""
    with Ring(pair.near, MIB) as ring:
        started = time.monotonic()
        assert ring.poll(0.2) is None
        assert time.monotonic() - started >= 0.2
        assert ring.poll(0) is None


@pytest.mark.service
def test_works_after_privileges_are_dropped(pair):
    """A ring opened by root goes on giving frames and drop counts to a process without rights."""
    code = f"""
        from capture.privileges import drop_privileges
        from capture.sources.ring import Ring
        with Ring({pair.near!r}, 1 << 20) as ring:
            drop_privileges("nobody")
            print("ready", flush=True)
            frames = ring.poll(20.0)
            print(frames.count, ring.drops())
    """
    with (
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
        ) as child,
        pair.sender() as raw,
    ):
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        raw.send(ethernet(1))
        assert child.stdout.readline() == "1 (0, 0)\n"


@pytest.mark.service
def test_closing_leaves_the_interface(pair):
    """Once closed and its frames let go of, nothing listens any more."""

    def listeners() -> int:
        index = str(socket.if_nametoindex(pair.near))
        rows = Path("/proc/net/packet").read_text().splitlines()[1:]
        return sum(row.split()[4] == index for row in rows)

    with Ring(pair.near, MIB) as ring, pair.sender() as raw:
        assert listeners() == 1
        raw.send(ethernet(1))
        frames = ring.poll(1.0)
        assert frames is not None
        # Frames that somebody still holds stay readable.
        ring.close()
        assert bytes(frames.data[frames.start[0] : frames.start[0] + 6]) == DESTINATION
    del frames
    assert listeners() == 0


@pytest.mark.service
def test_loopback_frames_are_counted_once():
    """What goes out on loopback and comes in again is one frame, of the Ethernet link type."""
    seen = []
    with (
        Ring("lo", 8 * MIB) as ring,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        marks = [os.urandom(16) for _ in range(50)]
        for mark in marks:
            sender.sendto(mark, receiver.getsockname())
        quiet = time.monotonic() + 10
        while len(seen) < len(marks) and time.monotonic() < quiet:
            frames = ring.poll(0.2)
            for index in range(frames.count if frames else 0):
                start, captured = int(frames.start[index]), int(frames.captured[index])
                mark = frames.data[start : start + captured].tobytes()[-16:]
                if mark in marks:
                    assert frames.link[index] == LINK_ETHERNET
                    seen.append(mark)
    assert seen == marks
