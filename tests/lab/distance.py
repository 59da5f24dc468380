"""The line between gateway and internet: every packet takes its time, and the line has a width.

Stands in for `tc … netem` where the kernel lacks it: two TUN interfaces, one in each namespace, and this
program between them. `python -m tests.lab.distance GATEWAY-NAMESPACE INTERNET-NAMESPACE` runs until it is
ended, in the second namespace, so that it goes with it.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import struct
import sys
import time
import zlib
from pathlib import Path

INTERFACE = "wan"
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000

NEAREST_S, FARTHEST_S = 0.004, 0.022  # one way; a round trip is twice that
LINE_BITS_PER_S = 80_000_000
LONGEST_QUEUE_S = 0.25  # what would wait longer for the line is dropped, as a router's full buffer does
BUFFER = 65536


def open_tun(namespace: str) -> int:
    """Makes the TUN interface INTERFACE in that namespace and returns its file descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(Path("/run/netns") / namespace) as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"cannot enter {namespace}: {os.strerror(number)}")
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


def distance(outside: bytes) -> float:
    """Seconds one way to an outside address: the same for each packet, another for each server."""
    return NEAREST_S + (FARTHEST_S - NEAREST_S) * (zlib.crc32(outside) % 1000) / 1000


def outside_address(packet: bytes, outwards: bool) -> bytes:
    """The internet's side of a packet: its destination on the way out, its source on the way back."""
    if packet[0] >> 4 == 4:
        return packet[16:20] if outwards else packet[12:16]
    return packet[24:40] if outwards else packet[8:24]


def carry(inner: int, outer: int) -> None:
    """Carries packets both ways, each when its time has come; ends when a side is closed."""
    waiting: list[tuple[float, int, int, bytes]] = []
    free_at = {inner: 0.0, outer: 0.0}
    other = {inner: outer, outer: inner}
    number = 0
    ready = select.poll()
    for side in other:
        ready.register(side, select.POLLIN)
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) * 1_000 if waiting else None
        for side, _ in ready.poll(pause):
            for _ in range(64):
                try:
                    packet = os.read(side, BUFFER)
                except BlockingIOError:
                    break
                if not packet:
                    return
                now = time.monotonic()
                start = max(now, free_at[side])
                if start - now > LONGEST_QUEUE_S:
                    continue
                free_at[side] = start + len(packet) * 8 / LINE_BITS_PER_S
                number += 1
                due = free_at[side] + distance(outside_address(packet, side == inner))
                heapq.heappush(waiting, (due, number, other[side], packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, side, packet = heapq.heappop(waiting)
            try:
                os.write(side, packet)
            except OSError:
                continue  # the other side is down, or its buffer is full: lost, as on a line


def main() -> None:
    """Opens both ends, says `ready`, and carries."""
    inner, outer = open_tun(sys.argv[1]), open_tun(sys.argv[2])
    print("ready", flush=True)
    carry(inner, outer)


if __name__ == "__main__":
    main()
