"""Makes a recorded capture small and poor: what a sensor reads stays, what people sent and got goes.

Of each flow the first frames stay whole but for the bodies: of TLS only the records' headers and the plain
handshake, of HTTP only the header. Later frames keep their headers; the bytes after them are cut, the length
on the wire stays. Reads and writes pcap with the standard library alone.
"""

from __future__ import annotations

import argparse
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

WHOLE_FRAMES = 24  # per flow, both directions together: hello, certificate and the first requests fit
SMALL_DATAGRAM = 700  # bytes of a frame: names, leases and times come as such, many in one flow
CUT_AT = 96  # bytes of a later frame: Ethernet, tag, IPv6 and TCP with timestamps fit
PCAP_LE = {0xA1B2C3D4: "microseconds", 0xA1B23C4D: "nanoseconds"}
ETHERNET = 1

ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
ETHERTYPES_VLAN = {0x8100, 0x88A8}
TCP, UDP = 6, 17
TLS_CHANGE_CIPHER, TLS_APPLICATION_DATA = 20, 23
HTTP_STARTS = (b"GET ", b"PUT ", b"POST", b"HEAD", b"HTTP")


@dataclass
class Counts:
    """What a capture holds; `wire_bytes` are the frames' lengths on the wire, tags included."""

    frames: int = 0
    wire_bytes: int = 0
    kept_bytes: int = 0
    cut_frames: int = 0
    flows: int = 0
    first_us: int = 0
    last_us: int = 0


@dataclass
class Direction:
    """Where in a TCP direction's byte stream the next TLS record begins."""

    next_sequence: int | None = None
    record_left: int = 0
    record_type: int = 0
    header: bytes = b""


@dataclass
class Flow:
    frames: int = 0
    kind: str = ""
    directions: dict[bytes, Direction] = field(default_factory=dict)


@dataclass(frozen=True)
class Layers:
    """Where the transport payload of a frame is, and whose it is; `payload` is -1 where there is none."""

    key: tuple[bytes, ...]
    source: bytes
    protocol: int
    payload: int
    end: int
    sequence: int


def shrink(source: BinaryIO, target: BinaryIO) -> Counts:
    """Copies a pcap of Ethernet frames, made small; raises ValueError when it is none or is cut off."""
    header = source.read(24)
    if len(header) < 24 or struct.unpack("<I", header[:4])[0] not in PCAP_LE:
        raise ValueError("not a little-endian pcap: record it with tcpdump or dumpcap -P on this machine")
    if struct.unpack("<I", header[20:24])[0] & 0x0FFFFFFF != ETHERNET:
        raise ValueError("not a capture of Ethernet frames")
    ticks = 1000 if PCAP_LE[struct.unpack("<I", header[:4])[0]] == "nanoseconds" else 1
    target.write(header)
    counts = Counts()
    flows: dict[tuple[bytes, ...], Flow] = {}
    while head := source.read(16):
        if len(head) < 16:
            raise ValueError(f"cut off in the header of frame {counts.frames + 1}")
        seconds, fraction, captured, length = struct.unpack("<IIII", head)
        frame = bytearray(source.read(captured))
        if len(frame) < captured:
            raise ValueError(f"cut off in frame {counts.frames + 1}")
        kept = shorten(frame, flows)
        target.write(struct.pack("<IIII", seconds, fraction, len(kept), length) + kept)
        counts.frames += 1
        counts.wire_bytes += length
        counts.kept_bytes += len(kept)
        counts.cut_frames += len(kept) < length
        counts.last_us = seconds * 1_000_000 + fraction // ticks
        counts.first_us = counts.first_us or counts.last_us
    counts.flows = len(flows)
    return counts


def shorten(frame: bytearray, flows: dict[tuple[bytes, ...], Flow]) -> bytes:
    """What is kept of one frame; `flows` remembers how far each flow has come."""
    layers = find_layers(frame)
    if layers is None:
        return bytes(frame)
    flow = flows.setdefault(layers.key, Flow())
    flow.frames += 1
    if layers.payload < 0 or layers.payload >= layers.end:
        return bytes(frame)
    small = layers.protocol == UDP and len(frame) <= SMALL_DATAGRAM
    whole = flow.frames <= WHOLE_FRAMES or small
    if layers.protocol == TCP:
        direction = flow.directions.setdefault(layers.source, Direction())
        body = memoryview(frame)[layers.payload : layers.end]
        if not flow.kind:
            flow.kind = (
                "http" if bytes(body[:4]) in HTTP_STARTS else "tls" if body[0] in range(20, 24) else "-"
            )
        if whole and flow.kind == "tls":
            whole = blank_tls(body, layers.sequence, direction)
        elif whole and flow.kind == "http":
            blank_after_header(body)
        body.release()
    if whole:
        return bytes(frame)
    cut = min(len(frame), max(CUT_AT, layers.payload))
    frame[layers.payload : cut] = bytes(max(0, cut - layers.payload))
    return bytes(frame[:cut])


def find_layers(frame: bytes | bytearray) -> Layers | None:
    """The transport layer of an Ethernet frame with IPv4 or IPv6, None for anything else."""
    offset = 12
    vlan = b""
    while len(frame) >= offset + 4 and int.from_bytes(frame[offset : offset + 2]) in ETHERTYPES_VLAN:
        vlan = bytes(frame[offset + 2 : offset + 4])
        offset += 4
    kind = int.from_bytes(frame[offset : offset + 2])
    at = offset + 2
    if kind == ETHERTYPE_IPV4 and len(frame) >= at + 20:
        protocol, transport = frame[at + 9], at + (frame[at] & 15) * 4
        end = at + int.from_bytes(frame[at + 2 : at + 4])
        source, destination = bytes(frame[at + 12 : at + 16]), bytes(frame[at + 16 : at + 20])
        fragment = int.from_bytes(frame[at + 6 : at + 8]) & 0x1FFF
    elif kind == ETHERTYPE_IPV6 and len(frame) >= at + 40:
        protocol, transport, fragment = frame[at + 6], at + 40, 0
        end = at + 40 + int.from_bytes(frame[at + 4 : at + 6])
        source, destination = bytes(frame[at + 8 : at + 24]), bytes(frame[at + 24 : at + 40])
    else:
        return None
    if protocol not in (TCP, UDP) or fragment or len(frame) < transport + (20 if protocol == TCP else 8):
        return None
    ports = bytes(frame[transport : transport + 2]), bytes(frame[transport + 2 : transport + 4])
    ends = sorted([source + ports[0], destination + ports[1]])
    if protocol == TCP:
        payload = transport + (frame[transport + 12] >> 4) * 4
        sequence = int.from_bytes(frame[transport + 4 : transport + 8])
    else:
        payload, sequence = transport + 8, 0
    return Layers(
        (vlan, bytes([protocol]), *ends), source + ports[0], protocol, payload, min(end, len(frame)), sequence
    )


def blank_tls(body: memoryview, sequence: int, direction: Direction) -> bool:
    """Zeroes what is inside application-data records; false when the records' borders are lost."""
    if direction.next_sequence is None:
        direction.next_sequence = sequence
    if sequence != direction.next_sequence:
        return False
    direction.next_sequence = (sequence + len(body)) & 0xFFFFFFFF
    at = 0
    while at < len(body):
        if direction.record_left == 0:
            taken = bytes(body[at : at + 5 - len(direction.header)])
            direction.header += taken
            at += len(taken)
            if len(direction.header) < 5:
                break
            direction.record_type = direction.header[0]
            direction.record_left = int.from_bytes(direction.header[3:5])
            direction.header = b""
            if not TLS_CHANGE_CIPHER <= direction.record_type <= TLS_APPLICATION_DATA:
                return False
            continue
        inside = min(direction.record_left, len(body) - at)
        if direction.record_type == TLS_APPLICATION_DATA:
            body[at : at + inside] = bytes(inside)
        direction.record_left -= inside
        at += inside
    return True


def blank_after_header(body: memoryview) -> None:
    """Zeroes an HTTP body: all of a segment that begins no message, else what follows the header."""
    text = bytes(body)
    end = text.find(b"\r\n\r\n") + 4 if text[:4] in HTTP_STARTS else 0
    if end >= 4 or text[:4] not in HTTP_STARTS:
        body[end:] = bytes(len(text) - end)


def main() -> None:
    """`python -m tests.lab.shrink FROM.pcap TO.pcap`."""
    parser = argparse.ArgumentParser(description="Make a capture small: keep headers and handshakes.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    with open(arguments.source, "rb") as source, open(arguments.target, "wb") as target:
        sys.stderr.write(f"{shrink(source, target)}\n")


if __name__ == "__main__":
    main()
