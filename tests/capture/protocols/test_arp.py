"""ARP sightings."""

import struct

import pytest

from tests.capture.packets import SECOND, T0, Packet, ethernet, mac, rows_of

A, B = 0x0200000000AA, 0x0200000000BB


def arp(
    operation: int,
    sender: bytes = b"\x0a\1\2\3",
    target: bytes = b"\x0a\1\0\1",
    head: tuple[int, ...] = (1, 0x0800, 6, 4),
) -> bytes:
    """An ARP packet (RFC 826) in a frame."""
    data = struct.pack("!HHBBH", *head, operation) + mac(A) + sender + mac(0) + target
    return ethernet(data, 0x0806, A, B)


@pytest.mark.parametrize(("operation", "word"), [(1, "request"), (2, "reply")])
def test_who_says_what(operation: int, word: str) -> None:
    """The sender's MAC and address are told, whom it speaks of, and whether it asks or answers."""
    (row,) = rows_of([Packet(T0, arp(operation))]).sightings
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "arp",
        "mac": "02:00:00:00:00:aa",
        "ip": "10.1.2.3",
        "name": "",
        "value": "10.1.0.1",
        "attributes": {"op": word},
    }


def test_arp_is_counted_and_no_flow() -> None:
    """A frame of ARP is a packet of the health row, and no flow."""
    rows = rows_of([Packet(T0, arp(1))])
    assert (rows.total("packets"), rows.flows, rows.total("malformed")) == (1, [], 0)


@pytest.mark.parametrize(
    "frame",
    [
        arp(1)[:41],
        arp(3),
        arp(0),
        arp(1, head=(6, 0x0800, 6, 4)),
        arp(1, head=(1, 0x86DD, 6, 4)),
        arp(1, head=(1, 0x0800, 8, 4)),
        arp(1, head=(1, 0x0800, 6, 16)),
    ],
)
def test_unsound_arp_is_malformed(frame: bytes) -> None:
    """Other hardware, other protocols and cut packets are counted, not sighted."""
    rows = rows_of([Packet(T0, frame)])
    assert (rows.sightings, rows.total("malformed")) == ([], 1)


@pytest.mark.compiled
def test_repetition_and_change() -> None:
    """The same claim is told once in 10 minutes; another address of the same MAC at once."""
    packets = [Packet(T0 + n * SECOND, arp(2)) for n in range(700)]
    packets.append(Packet(T0 + 650 * SECOND, arp(2, sender=b"\x0a\1\2\4")))
    rows = rows_of(packets).sightings
    assert [(row["ip"], row["ts"][14:19]) for row in rows] == [
        ("10.1.2.3", "00:00"),
        ("10.1.2.3", "10:00"),
        ("10.1.2.4", "10:50"),
    ]


def test_vlans_are_told_apart() -> None:
    """The same claim in two VLANs is two sightings."""
    plain = arp(2)
    tagged = [plain[:12] + struct.pack("!HH", 0x8100, vlan) + plain[12:] for vlan in (10, 20)]
    rows = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(tagged)]).sightings
    assert [row["vlan"] for row in rows] == [10, 20]
