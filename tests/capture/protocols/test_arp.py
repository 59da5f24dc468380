"""ARP sightings."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_probes_and_announcements() -> None:
    """A device that checks an address has none yet; one that tells its own to everyone is told apart."""
    probe, announcement, gratuitous = rows_of(
        [
            Packet(T0, arp(1, sender=bytes(4))),
            Packet(T0 + 1, arp(1, target=b"\x0a\1\2\3")),
            Packet(T0 + 2, arp(2, target=b"\x0a\1\2\3")),
        ]
    ).sightings
    assert (probe["ip"], probe["value"]) == ("::", "10.1.0.1")
    assert probe["attributes"] == {"op": "request", "type": "probe"}
    assert announcement["attributes"] == {"op": "request", "type": "announcement"}
    assert (gratuitous["ip"], gratuitous["attributes"]) == (
        "10.1.2.3",
        {"op": "reply", "type": "announcement"},
    )


def test_who_speaks_for_another() -> None:
    """Where the frame's sender is not the one that ARP names, both are told."""
    made = arp(2).replace(mac(A), mac(B), 1)
    made = made[:6] + mac(0x0200000000CC) + made[12:]
    (row,) = rows_of([Packet(T0, made)]).sightings
    assert (row["mac"], row["attributes"]["sent_by"]) == ("02:00:00:00:00:aa", "02:00:00:00:00:cc")


def test_a_sender_without_a_mac() -> None:
    """Where ARP names no MAC, the frame's counts."""
    made = bytearray(arp(1))
    made[22:28] = bytes(6)
    (row,) = rows_of([Packet(T0, bytes(made))]).sightings
    assert (row["mac"], row["attributes"]) == ("02:00:00:00:00:aa", {"op": "request"})


@pytest.mark.parametrize(
    "frame",
    [
        arp(1)[:41],
        arp(1)[:20],
        arp(0),
        arp(1, head=(1, 0x0800, 8, 4)),
        arp(1, head=(1, 0x0800, 5, 4)),
        arp(1, head=(1, 0x0800, 6, 16)),
    ],
)
def test_unsound_arp_is_malformed(frame: bytes) -> None:
    """Lengths that contradict themselves, and packets cut off, are counted as malformed."""
    rows = rows_of([Packet(T0, frame)])
    assert (rows.sightings, rows.total("malformed"), rows.total("unknown_link")) == ([], 1, 0)


@pytest.mark.parametrize(
    "frame",
    [
        arp(3),
        arp(8),
        arp(42),
        arp(1, head=(1, 0x0804, 6, 4)),
        arp(1, head=(7, 0x0800, 1, 4)),
        arp(1, head=(24, 0x0800, 6, 4)),
    ],
)
def test_other_arp_is_unknown(frame: bytes) -> None:
    """Other hardware, other protocols and reverse ARP are no error, and not decoded."""
    rows = rows_of([Packet(T0, frame)])
    assert (rows.sightings, rows.total("malformed"), rows.total("unknown_link")) == ([], 0, 1)


def test_ieee_802_is_ethernet() -> None:
    """Some systems write hardware type 6 for Ethernet (RFC 1042)."""
    assert len(rows_of([Packet(T0, arp(1, head=(6, 0x0800, 6, 4)))]).sightings) == 1


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


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.booleans())
def test_any_bytes(data: bytes, whole: bool) -> None:
    """No bytes make more than one sighting or are read beyond their end, and every frame is counted once."""
    made = ethernet(b"\0\1\x08\0\6\4" + data if whole else data, 0x0806, A, B)
    rows = rows_of([Packet(T0, made)])
    assert len(rows.sightings) + rows.total("malformed") + rows.total("unknown_link") == 1


def test_vlans_are_told_apart() -> None:
    """The same claim in two VLANs is two sightings."""
    plain = arp(2)
    tagged = [plain[:12] + struct.pack("!HH", 0x8100, vlan) + plain[12:] for vlan in (10, 20)]
    rows = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(tagged)]).sightings
    assert [row["vlan"] for row in rows] == [10, 20]
