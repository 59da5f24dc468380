"""Frames that no program at hand sends: of switches and phones, ARP, DHCP in other names, 802.11.

    python frames.py INTERFACE FILE [PAUSE]

sends each line of the file, a frame in hex, with a pause in seconds between two.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.network import Lab

BROADCAST, NEAREST_BRIDGE = "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:0e"
NOBODY = "00:00:00:00:00:00"
#: LLDP (IEEE 802.1AB, 8.5.8.1): bits of capabilities.
BRIDGE, ACCESS_POINT, ROUTER, TELEPHONE, STATION = 4, 8, 16, 32, 128
RADIOTAP = 127


def octets(mac: str) -> bytes:
    """Six bytes of a MAC."""
    return bytes.fromhex(mac.replace(":", ""))


def ethernet(target: str, source: str, kind: int, payload: bytes) -> bytes:
    """An Ethernet frame, padded to its least length."""
    return (octets(target) + octets(source) + struct.pack(">H", kind) + payload).ljust(60, b"\0")


def arp(mac: str, address: str, asked: str, *, asks: bool = False, target: str = BROADCAST) -> bytes:
    """`mac` says that it has `address` to whoever has `asked`, or asks for it (RFC 826)."""
    there = NOBODY if asks else target
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1 if asks else 2)
    body += octets(mac) + IPv4Address(address).packed + octets(there) + IPv4Address(asked).packed
    return ethernet(BROADCAST if asks else target, mac, 0x0806, body)


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">H", kind << 9 | len(value)) + value


def lldp(
    mac: str, port: str, name: str, description: str, capabilities: int, model: str = "", voice_vlan: int = 0
) -> bytes:
    """An LLDPDU (IEEE 802.1AB, 8); with a model that of a telephone (TIA-1057)."""
    body = _tlv(1, b"\x04" + octets(mac)) + _tlv(2, b"\x05" + port.encode()) + _tlv(3, struct.pack(">H", 120))
    body += _tlv(5, name.encode()) + _tlv(6, description.encode())
    body += _tlv(7, struct.pack(">HH", capabilities, capabilities))
    if model:
        med = b"\x00\x12\xbb"
        body += _tlv(127, med + b"\x01" + struct.pack(">HB", 0x33, 3))
        body += _tlv(127, med + b"\x02\x01" + struct.pack(">I", 0x40 << 24 | voice_vlan << 9)[:3])
        body += _tlv(127, med + b"\x09Phones") + _tlv(127, med + b"\x0a" + model.encode())
    return ethernet(NEAREST_BRIDGE, mac, 0x88CC, body + _tlv(0, b""))


def cdp(mac: str, port: str, name: str, platform: str, capabilities: int) -> bytes:
    """A CDP frame, version 2: SNAP with Cisco's OUI."""
    parts = (
        (1, name.encode()),
        (3, port.encode()),
        (4, struct.pack(">I", capabilities)),
        (6, platform.encode()),
    )
    body = b"\x02\xb4\0\0" + b"".join(struct.pack(">HH", kind, len(text) + 4) + text for kind, text in parts)
    payload = b"\xaa\xaa\x03\0\0\x0c\x20\0" + body
    return octets("01:00:0c:cc:cc:cc") + octets(mac) + struct.pack(">H", len(payload)) + payload


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2]))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(
    mac: str, source: str, target: str, ports: tuple[int, int], payload: bytes, to: str = BROADCAST
) -> bytes:
    """A UDP datagram without a checksum (RFC 768 allows it over IPv4)."""
    segment = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, 17, 0)
    head += IPv4Address(source).packed + IPv4Address(target).packed
    head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
    return ethernet(to, mac, 0x0800, head + segment)


def discover(mac: str) -> bytes:
    """DHCPDISCOVER of that MAC (RFC 2131), answered by broadcast."""
    body = struct.pack(">BBBBIHH", 1, 1, 6, 0, int.from_bytes(octets(mac)[2:], "big"), 0, 0x8000) + bytes(16)
    body += octets(mac).ljust(16, b"\0") + bytes(192) + bytes.fromhex("63825363") + b"\x35\x01\x01\xff"
    return udp(mac, "0.0.0.0", "255.255.255.255", (68, 67), body)


def vrrp(mac: str, source: str, address: str) -> bytes:
    """A VRRP version 2 advertisement for `address` (RFC 3768, 5)."""
    body = struct.pack(">BBBBBBH", 0x21, 20, 100, 1, 0, 1, 0) + IPv4Address(address).packed + bytes(8)
    body = body[:6] + struct.pack(">H", _checksum(body)) + body[8:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 255, 112, 0)
    head += IPv4Address(source).packed + IPv4Address("224.0.0.18").packed
    head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
    return ethernet("01:00:5e:00:00:12", mac, 0x0800, head + body)


def beacon(bssid: str, ssid: bytes, channel: int, security: str) -> bytes:
    """A radiotap frame with a beacon (802.11-2020, 9.3.3.2); `security` open, wpa2-psk or wpa2-enterprise."""
    rates = b"\x01\x04\x82\x84\x8b\x96"
    elements = bytes([0, len(ssid)]) + ssid + rates + bytes([3, 1, channel])
    if security != "open":
        suite = 2 if security == "wpa2-psk" else 1
        rsn = struct.pack("<H", 1) + b"\0\x0f\xac\x04" + struct.pack("<H", 1) + b"\0\x0f\xac\x04"
        rsn += struct.pack("<H", 1) + b"\0\x0f\xac" + bytes([suite]) + struct.pack("<H", 0)
        elements += bytes([48, len(rsn)]) + rsn
    capabilities = 0x01 | (0 if security == "open" else 0x10)
    body = bytes(8) + struct.pack("<HH", 100, capabilities) + elements
    head = b"\x80\0\0\0" + octets(BROADCAST) + octets(bssid) * 2 + b"\0\0"
    return struct.pack("<BBHI", 0, 0, 8, 0) + head + body


def record(file: Path, frames: Iterable[bytes], every: float = 0.1) -> None:
    """A recording of 802.11 frames with radiotap headers that begins now."""
    at = time.time()
    with open(file, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, RADIOTAP))
        for frame in frames:
            out.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame)
            at += every


def send(lab: Lab, host: str, frames: Sequence[bytes], pause: float = 0.01) -> None:
    """Sends frames from a host's port, whatever they claim. Raises as `subprocess.run` does."""
    file = lab.path / f"{host}-{time.monotonic_ns()}.frames"
    file.write_text("".join(f"{frame.hex()}\n" for frame in frames))
    lab.run(host, [sys.executable, str(Path(__file__)), lab.hosts[host].interface, str(file), str(pause)])


def main(interface: str, file: str, pause: float = 0.0) -> None:
    """Sends the frames of a file."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as port:
        port.bind((interface, 0))
        for line in Path(file).read_text().split():
            port.send(bytes.fromhex(line))
            time.sleep(pause)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
