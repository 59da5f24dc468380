"""A filter beside the path: sees copies of packets and answers a forbidden name with resets to both sides.

What national and school filters on a mirror port do (Weaver, Sommer, Paxson: Detecting Forged TCP Reset
Packets, NDSS 2009). The forged resets race with the server's answer; they are accepted only while their
sequence number is the next one expected (RFC 5961, section 3.2).

`python -m tests.lab.filters.reset_injector INTERFACE NAME…` runs until it is ended, in a namespace of the lab
and nowhere else.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
import time
from collections import OrderedDict
from pathlib import Path

from tests.lab.filters import client_hello
from tests.lab.network import PREFIX

ETH_P_IP, ETH_P_IPV6, ETH_P_ALL = 0x0800, 0x86DD, 0x0003
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
FLOWS = 4096  # followed at once; the oldest goes first
COPY = "copy"


class Stream:
    """What a client has said so far on one connection, and what an answer to it must carry."""

    def __init__(self, begins: int) -> None:
        self.begins = begins
        self.data = b""
        self.server_ttl = 0
        self.done = False

    def add(self, sequence: int, payload: bytes) -> bool:
        """Appends what comes next; whether it did. What is out of order waits for its retransmission."""
        if (sequence - self.begins) % (1 << 32) != len(self.data):
            return False
        self.data = (self.data + payload)[: client_hello.LONGEST]
        return True


class Packet:
    """An IP packet with TCP in it."""

    def __init__(self, data: bytes) -> None:
        """Raises ValueError for what is something else or cut short."""
        self.version = data[0] >> 4 if data else 0
        if self.version == 4:
            start, self.ttl, protocol = (data[0] & 15) * 4, data[8], data[9]
            self.source, self.target, length = data[12:16], data[16:20], int.from_bytes(data[2:4])
        elif self.version == 6:
            start, self.ttl, protocol = 40, data[7], data[6]
            self.source, self.target, length = data[8:24], data[24:40], int.from_bytes(data[4:6]) + 40
        else:
            raise ValueError("no IP packet")
        if protocol != socket.IPPROTO_TCP or len(data) < start + 20:
            raise ValueError("no TCP")
        self.ports, self.sequence, self.acknowledged, offset, self.flags = struct.unpack_from(
            "!4sIIBB", data, start
        )
        self.payload = data[start + (offset >> 4) * 4 : length]


def reset(
    version: int, source: bytes, target: bytes, ports: bytes, sequence: int, acknowledged: int, ttl: int
) -> bytes:
    """A whole IP packet with a TCP reset, checksums right."""
    tcp = ports + struct.pack("!IIBBHHH", sequence, acknowledged, 5 << 4, RST | ACK, 0, 0, 0)
    pseudo = source + target + struct.pack("!II", len(tcp), socket.IPPROTO_TCP)
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, ttl) + source + target + tcp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0x4000, ttl, socket.IPPROTO_TCP, 0) + source + target
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + tcp


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Injector:
    """Follows connections and says which packets to send."""

    def __init__(self, names: tuple[str, ...], ttl: int | None, copies: int) -> None:
        """`ttl`: of the forged packets; None copies the server's as seen in its SYN-ACK."""
        self.names = names
        self.ttl = ttl
        self.copies = copies
        self.streams: OrderedDict[bytes, Stream] = OrderedDict()

    def see(self, packet: Packet) -> list[bytes]:
        """The resets that this packet calls for, towards the client and the server."""
        key = packet.source + packet.target + packet.ports
        if packet.flags & (SYN | ACK) == SYN:
            self.streams[key] = Stream((packet.sequence + 1) % (1 << 32))
            if len(self.streams) > FLOWS:
                self.streams.popitem(last=False)
            return []
        if packet.flags & SYN:
            back = self.streams.get(packet.target + packet.source + packet.ports[2:] + packet.ports[:2])
            if back:
                back.server_ttl = packet.ttl
            return []
        stream = self.streams.get(key)
        if not stream or stream.done or not packet.payload:
            return []
        if not stream.add(packet.sequence, packet.payload) or not client_hello.complete(stream.data):
            return []
        stream.done = True
        name = client_hello.server_name(stream.data) or client_hello.host(stream.data)
        if not client_hello.is_under(name, self.names):
            return []
        end = (packet.sequence + len(packet.payload)) % (1 << 32)
        to_client = reset(
            packet.version,
            packet.target,
            packet.source,
            packet.ports[2:] + packet.ports[:2],
            packet.acknowledged,
            end,
            self.ttl or stream.server_ttl,
        )
        to_server = reset(
            packet.version,
            packet.source,
            packet.target,
            packet.ports,
            end,
            packet.acknowledged,
            self.ttl or packet.ttl,
        )
        return [to_client, to_server] * self.copies


def outside_of_a_lab() -> str:
    """Empty in a namespace of a lab, else why nothing may be injected here."""
    here = os.stat("/proc/self/ns/net")
    ours = [path.stat() for path in Path("/run/netns").glob(f"{PREFIX}-*")]
    if not any((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino) for there in ours):
        return f"resets are injected only in a network namespace of the lab ({PREFIX}-…), and this is none"
    return ""


def main() -> int:
    """Injects until it is ended; says `ready` when it listens, and then each name that it reset."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("interface", help="where it sees the clients' packets")
    options.add_argument("names", nargs="+", help="forbidden names, with all below them")
    options.add_argument("--ttl", default="64", help=f"of forged packets, or `{COPY}`: the server's")
    options.add_argument("--copies", type=int, default=1, help="of each reset")
    options.add_argument("--delay-ms", type=float, default=0, help="how much later than the client hello")
    given = options.parse_args()
    if reason := outside_of_a_lab():
        print(reason, file=sys.stderr)
        return 2
    injector = Injector(
        tuple(given.names), None if given.ttl == COPY else int(given.ttl), max(1, given.copies)
    )
    sight = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sight.bind((given.interface, ETH_P_ALL))
    mouths = {
        4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
        6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
    }
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    print("ready", flush=True)
    while True:
        data, (_, protocol, *_) = sight.recvfrom(65536)
        if protocol not in (ETH_P_IP, ETH_P_IPV6):
            continue
        try:
            packet = Packet(data)
        except ValueError:
            continue
        forged = injector.see(packet)
        if forged and given.delay_ms:
            time.sleep(given.delay_ms / 1000)
        for answer in forged:
            version = answer[0] >> 4
            target = answer[16:20] if version == 4 else answer[24:40]
            try:
                mouths[version].sendto(answer, (socket.inet_ntop(families[version], target), 0))
            except OSError as error:
                print(f"not sent: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
