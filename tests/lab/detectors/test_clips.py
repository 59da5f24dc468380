"""Recordings cut into clips, and clips played by others."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.lab.detectors.clips import GATEWAY, Clip, clips_of, eui64

OWN, OTHER = bytes.fromhex("00163e000001"), bytes.fromhex("00163e000002")
ADDRESS, SERVER = bytes([10, 20, 1, 7]), bytes([198, 51, 100, 30])
TAG = b"\x81\x00\x00\x14"
HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)


def udp(up: bool, port: int, data: bytes = b"hello", mac: bytes = OWN, address: bytes = ADDRESS) -> bytes:
    """A datagram between the owner and a server, tagged, by way of the gateway."""
    macs = GATEWAY + mac if up else mac + GATEWAY
    ends = address + SERVER if up else SERVER + address
    ports = struct.pack("!HH", port, 443) if up else struct.pack("!HH", 443, port)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(data), 1, 0, 128, 17, 0)
    return macs + TAG + b"\x08\x00" + head + ends + ports + struct.pack("!HH", 8 + len(data), 0) + data


def ipv6(mac: bytes) -> bytes:
    """A neighbour solicitation for the owner's own address (RFC 4861), to its solicited-node group."""
    own = bytes.fromhex("20010db800200000") + eui64(mac)
    group = bytes.fromhex("ff0200000000000000000001ff") + own[-3:]
    head = struct.pack("!IHBB", 6 << 28, 24, 58, 255)
    link = b"\x33\x33\xff" + own[-3:] + mac + TAG + b"\x86\xdd"
    return link + head + own + group + b"\x87\x00\x00\x00" + bytes(4) + own


def recording(file: Path, *frames: tuple[float, bytes]) -> Path:
    """A pcap of frames at times."""
    records = (struct.pack("<IIII", int(t), round(t % 1 * 1e6), len(f), len(f)) + f for t, f in frames)
    file.write_bytes(HEAD + b"".join(records))
    return file


def clips(tmp_path: Path, *frames: tuple[float, bytes]) -> list[Clip]:
    """The clips of a recording of these frames."""
    return clips_of("benign_x", recording(tmp_path / "a.pcap", *frames), {OWN.hex(":"): "laptop"})


def test_a_clip_ends_at_a_pause_without_open_flows(tmp_path: Path) -> None:
    """A pause inside a flow does not cut it; one between flows does."""
    found = clips(
        tmp_path,
        (1, udp(True, 40_000)),
        (3, udp(False, 40_000)),
        (5, udp(True, 40_001)),
        (5.1, udp(True, 40_002)),
    )
    assert [len(clip) for clip in found] == [2, 2]
    assert found[0].times.tolist() == [0, 2_000_000]
    assert found[0].owner.ttl == 128


def test_a_clip_is_its_owners(tmp_path: Path) -> None:
    """Each machine has its own; one with several addresses has none."""
    server = bytes.fromhex("00163e000003")
    found = clips(
        tmp_path,
        (1, udp(True, 40_000)),
        (1.1, udp(True, 40_000, mac=OTHER, address=bytes([10, 30, 1, 1]))),
        (1.2, udp(True, 40_000, mac=server, address=bytes([10, 30, 1, 2]))),
        (1.3, udp(True, 40_000, mac=server, address=bytes([10, 30, 1, 3]))),
    )
    assert {clip.owner.mac for clip in found} == {OWN, OTHER}
    assert found[0].owner.name == "laptop"


@pytest.mark.parametrize("variant", [0, 5])
def test_a_clip_is_played_by_another(tmp_path: Path, variant: int) -> None:
    """MAC, addresses, names, client ports and server addresses are the other's; nothing else changes."""
    say = b"I am laptop at " + ADDRESS
    (clip,) = clips(tmp_path, (1, udp(True, 40_000, say)), (1.1, udp(False, 40_000)), (1.2, ipv6(OWN)))
    assert clip.own_interface == (True,)
    new = bytes([10, 20, 100, 9])
    played = clip.play(OTHER, new, [eui64(OTHER)], "desk-1", 1, variant).tobytes()
    server = bytes([198, 18, 5, 30]) if variant else SERVER
    expected = b"".join(
        frame.replace(SERVER, server)
        for frame in (
            udp(True, 40_001, b"I am desk-1 at " + new, OTHER, new),
            udp(False, 40_001, mac=OTHER, address=new),
            ipv6(OTHER),
        )
    )
    assert played == expected


def test_ports_quoted_in_errors_change_as_well(tmp_path: Path) -> None:
    """An ICMP error tells of a packet that the owner sent, with the port it is sent from now."""
    quoted = udp(True, 40_000)[18:46]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + 8 + len(quoted), 1, 0, 64, 1, 0) + SERVER + ADDRESS
    error = OWN + GATEWAY + TAG + b"\x08\x00" + head + b"\x03\x03\x00\x00" + bytes(4) + quoted
    (clip,) = clips(tmp_path, (1, udp(True, 40_000)), (1.1, error))
    played = clip.play(OWN, ADDRESS, [], "laptop", 7, 0).tobytes()
    assert played.count(struct.pack("!HH", 40_007, 443)) == 2
    assert struct.pack("!HH", 40_000, 443) not in played
