"""A live mirror port: an AF_PACKET TPACKET_V3 receive ring, with the standard library alone.

The kernel fills blocks of frames and hands each over when it is full or after 64 ms; they are
read where they lie and handed back. Nothing is ever sent.
"""

import contextlib
import errno
import fcntl
import mmap
import select
import socket
import struct
import time
from typing import Self

import numpy as np

from capture.frames import Frames, empty_frames
from capture.sources import tpacket

#: Longest block, bytes, and the least number of them in a ring. Our defaults.
BLOCK_BYTES, LEAST_BLOCKS = 1 << 20, 8
#: Shortest block, bytes: a frame of 64 KiB (loopback, offloads) must fit.
LEAST_BLOCK_BYTES = 1 << 17
#: The kernel hands a block over after this time even if it is not full, ms. Our default.
RETIRE_MS = 64
#: Frames handed over at once, at least; blocks are added as long as they fit. Our default.
FRAMES = 32_768
#: Blocks handed over at once at most, and the share of the ring: the kernel needs the rest. Our defaults.
HELD_BLOCKS, HELD_SHARE = 4, 4
#: Wait where the socket says "ready" and the next block is not yet, s.
PAUSE = 0.001

# ioctl(2), linux/sockios.h.
SIOCGIFFLAGS = 0x8913
IFF_UP = 1


def _flags(probe: socket.socket, interface: str) -> int:
    request = struct.pack("16sh22x", interface.encode(), 0)
    return struct.unpack_from("H", fcntl.ioctl(probe.fileno(), SIOCGIFFLAGS, request), 16)[0]


def _check(interface: str) -> None:
    """Raises OSError unless the interface exists and is up."""
    names = sorted(name for _, name in socket.if_nameindex())
    if interface not in names:
        raise OSError(f"interface {interface!r} does not exist; there are: {', '.join(names)}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        if not _flags(probe, interface) & IFF_UP:
            raise OSError(f"interface {interface} is down; bring it up (ip link set {interface} up)")


def block_size(ring_bytes: int) -> int:
    """Bytes of one block of a ring of `ring_bytes`: a power of two, at least `LEAST_BLOCKS` to a ring."""
    size = BLOCK_BYTES
    while size > LEAST_BLOCK_BYTES and size * LEAST_BLOCKS > ring_bytes:
        size >>= 1
    return size


class Ring:
    """Frames that `interface` receives, in promiscuous mode, from now on.

    `ring_bytes` of memory stay with the kernel until `close`. Several rings with one `fanout` group
    (1 to 65,535) on one interface share its frames; all frames of a conversation, either direction,
    come to the same ring.

    Raises OSError with one line: no such interface, down, no privilege, unknown link type, no memory.
    """

    def __init__(self, interface: str, ring_bytes: int, fanout: int = 0) -> None:
        _check(interface)
        self.interface = interface
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise PermissionError(
                f"listening on {interface} needs CAP_NET_RAW: run as root, or give it by systemd's "
                "AmbientCapabilities=CAP_NET_RAW or setcap cap_net_raw+ep on the Python in use"
            ) from None
        try:
            self._open(ring_bytes, fanout)
        except BaseException:
            self._socket.close()
            raise

    def _open(self, ring_bytes: int, fanout: int) -> None:
        sock, interface = self._socket, self.interface
        self._size = block_size(ring_bytes)
        self._blocks = max(ring_bytes // self._size, 2)
        sock.setsockopt(tpacket.SOL_PACKET, tpacket.PACKET_VERSION, tpacket.TPACKET_V3)
        frame_size = 1 << 11
        request = tpacket.REQUEST.pack(
            self._size, self._blocks, frame_size, self._size * self._blocks // frame_size, RETIRE_MS, 0, 0
        )
        try:
            sock.setsockopt(tpacket.SOL_PACKET, tpacket.PACKET_RX_RING, request)
            self._memory = mmap.mmap(sock.fileno(), self._size * self._blocks)
        except OSError as error:
            raise OSError(
                f"cannot have a ring of {ring_bytes >> 20} MiB for {interface}: {error.strerror}; "
                "lower sensor.ring_bytes",
            ) from None
        self._ignore_outgoing()
        try:
            sock.bind((interface, tpacket.ETH_P_ALL))
        except OSError as error:
            raise OSError(f"cannot listen on {interface}: {error.strerror}") from None
        index = socket.if_nametoindex(interface)
        promiscuous = tpacket.MEMBERSHIP.pack(index, tpacket.PACKET_MR_PROMISC, 0, b"")
        sock.setsockopt(tpacket.SOL_PACKET, tpacket.PACKET_ADD_MEMBERSHIP, promiscuous)
        if fanout:
            self._join(fanout)
        hardware = sock.getsockname()[3]
        if hardware not in tpacket.LINKTYPES:
            raise OSError(
                f"interface {interface} has link type {hardware}, which is not decoded; use an Ethernet one"
            )

        data = np.frombuffer(self._memory, np.uint8)
        self._status = data.view(np.uint32)[tpacket.BLOCK_STATUS // 4 :: self._size // 4]
        self._counts = data.view(np.uint32)[tpacket.BLOCK_FRAMES // 4 :: self._size // 4]
        self._frames = empty_frames(data, max(FRAMES, self._size // tpacket.FRAME_LEAST))
        self._frames.link[:] = tpacket.LINKTYPES[hardware]
        self._next = 0
        self._held: list[int] = []
        self._most = max(1, min(HELD_BLOCKS, self._blocks // HELD_SHARE))
        self._gone = ""
        # Compiled now: what the compiler needs may be out of reach once privileges are dropped.
        self._walk(0, 0, 0)
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN | select.POLLERR)

    def _ignore_outgoing(self) -> None:
        """What this machine sends is no part of the mirror; the walk leaves it out on Linux before 4.20."""
        try:
            self._socket.setsockopt(tpacket.SOL_PACKET, tpacket.PACKET_IGNORE_OUTGOING, 1)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise

    def _join(self, group: int) -> None:
        modes = tpacket.PACKET_FANOUT_HASH | tpacket.PACKET_FANOUT_FLAG_DEFRAG
        wanted = (modes | tpacket.PACKET_FANOUT_FLAG_IGNORE_OUTGOING, modes)
        for mode in wanted:
            try:
                self._socket.setsockopt(
                    tpacket.SOL_PACKET, tpacket.PACKET_FANOUT, tpacket.FANOUT.pack(group | mode << 16)
                )
            except OSError as error:
                if error.errno == errno.EINVAL and mode != wanted[-1]:
                    continue
                raise OSError(
                    f"cannot join fanout group {group} on {self.interface}: {error.strerror}; "
                    "set sensor.fanout to a number no other program uses",
                ) from None
            return

    def _release(self) -> None:
        """Hands the blocks of the last call back to the kernel."""
        for block in self._held:
            self._status[block] = tpacket.STATUS_KERNEL
        self._held.clear()

    def _ready(self) -> bool:
        return bool(self._status[self._next] & tpacket.STATUS_USER)

    def _wait(self, timeout_s: float) -> bool:
        """Whether a block is ready within `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while not self._ready():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for _, event in self._poll.poll(max(left * 1_000, 1)):
                if event & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                    self._note_error()
                    # What came before lies in a block that the kernel still has to hand over.
                    left = min(left, 2 * RETIRE_MS / 1_000)
                    deadline = min(deadline, time.monotonic() + left)
            if not self._ready():
                time.sleep(PAUSE)
        return True

    def _note_error(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            return
        if self.interface not in (name for _, name in socket.if_nameindex()):
            self._gone = f"interface {self.interface} has vanished; plug it in again or set sensor.interface"
        elif code == errno.ENETDOWN:
            self._gone = (
                f"interface {self.interface} went down; bring it up (ip link set {self.interface} up)"
            )
        else:
            self._gone = f"cannot read from interface {self.interface}: {errno.errorcode.get(code, code)}"

    def poll(self, timeout_s: float) -> Frames | None:
        """The frames of one or several blocks, or None after `timeout_s` seconds without any.

        They are valid until the next call. Raises OSError when the interface went down or vanished,
        after everything that had come before was given out.
        """
        self._release()
        if not self._wait(2 * RETIRE_MS / 1_000 if self._gone else timeout_s):
            if self._gone:
                raise OSError(self._gone)
            return None
        frames = self._frames
        count = 0
        while len(self._held) < self._most and self._ready():
            block = self._next
            if count and count + int(self._counts[block]) > len(frames.start):
                break
            count = self._walk(block * self._size, self._size, count)
            self._held.append(block)
            self._next = (block + 1) % self._blocks
        return frames._replace(count=count) if count else None

    def _walk(self, start: int, size: int, count: int) -> int:
        frames = self._frames
        return int(
            tpacket.walk_block(
                frames.data, start, size, count,
                frames.start, frames.captured, frames.wire, frames.ts, frames.vlan,
            )
        )  # fmt: skip

    def drops(self) -> tuple[int, int]:
        """Since the last call: (frames dropped for want of room, times the ring was frozen full)."""
        raw = self._socket.getsockopt(tpacket.SOL_PACKET, tpacket.PACKET_STATISTICS, tpacket.STATISTICS.size)
        _, dropped, frozen = tpacket.STATISTICS.unpack(raw)
        return dropped, frozen

    def close(self) -> None:
        """Leaves the interface, at the latest when the last frames given out are let go of."""
        if self._socket.fileno() < 0:
            return
        self._socket.close()
        self._held.clear()
        # The memory map holds the socket open, and the arrays hold the memory map.
        del self._frames, self._status, self._counts
        with contextlib.suppress(BufferError):
            self._memory.close()
        del self._memory

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
