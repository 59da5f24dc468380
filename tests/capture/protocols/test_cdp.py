"""CDP sightings."""

import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import SECOND, T0, Packet, ethernet, rows_of

SPEAKER, ALL = 0x0200000000AA, 0x01000CCCCCCC
SNAP = b"\xaa\xaa\x03\x00\x00\x0c\x20\x00"


def tlv(kind: int, data: bytes) -> bytes:
    return struct.pack("!HH", kind, 4 + len(data)) + data


def addresses(*listed: str) -> bytes:
    made = struct.pack("!I", len(listed))
    for text in listed:
        packed = ipaddress.ip_address(text).packed
        made += b"\x01\x01\xcc" if len(packed) == 4 else b"\x02\x08\xaa\xaa\x03\0\0\0\x86\xdd"
        made += struct.pack("!H", len(packed)) + packed
    return made


def frame(data: bytes, ts: int = T0, version: int = 2, ttl: int = 180) -> Packet:
    llc = SNAP + bytes([version, ttl]) + b"\0\0" + data
    return Packet(ts, ethernet(llc, len(llc), SPEAKER, ALL))


def one(packet: Packet) -> dict[str, Any]:
    rows = rows_of([packet])
    assert (rows.total("unknown_link"), rows.total("malformed"), rows.flows) == (0, 0, [])
    (row,) = rows.sightings
    return row


NAMED = tlv(1, b"sw-og-2.school.example") + tlv(3, b"GigabitEthernet0/7")


@pytest.mark.parametrize("version", [1, 2])
def test_a_switch(version: int) -> None:
    """A switch tells its name, port, address, model, software, capabilities and VLANs."""
    row = one(
        frame(
            NAMED
            + tlv(2, addresses("2001:db8::7", "10.1.0.3", "10.2.0.3"))
            + tlv(4, struct.pack("!I", 0x29))
            + tlv(5, b"Software 15.2\nbuilt 2025")
            + tlv(6, b"switch 48")
            + tlv(9, b"school")
            + tlv(0x0A, b"\0\x0a")
            + tlv(0x0B, b"\x01")
            + tlv(0x0E, b"\x01\0\x14")
            + tlv(0x14, b"sw-og-2"),
            version=version,
        )
    )
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "cdp",
        "mac": "02:00:00:00:00:aa",
        "ip": "10.1.0.3",
        "name": "sw-og-2.school.example",
        "value": "GigabitEthernet0/7",
        "attributes": {
            "model": "switch 48",
            "capabilities": "router,switch,igmp",
            "vlan": "10",
            "voice_vlan": "20",
            "duplex": "full",
            "domain": "school",
            "fqdn": "sw-og-2",
            "management": "2001:db8::7",
            "description": "Software 15.2\\010built 2025",
        },
    }


@pytest.mark.parametrize(
    ("tlvs", "told"),
    [
        (tlv(2, addresses("2001:db8::7")), "2001:db8::7"),
        (tlv(0x16, addresses("10.9.0.1")), "10.9.0.1"),
        (tlv(2, addresses("0.0.0.0")), "::"),
        (tlv(2, b"\0\0\0\x02\x01\x01\xcc\0\x04\x0a\x01"), "::"),
        (tlv(2, b"\xff\xff\xff\xff" + b"\x01\x01\xfe\0\x00" * 60), "::"),
        (tlv(2, b"\0\0"), "::"),
        (b"", "::"),
    ],
)
def test_addresses(tlvs: bytes, told: str) -> None:
    """The address is the first of IPv4, else of IPv6; a list that is cut off or names others has none."""
    assert one(frame(NAMED + tlvs))["ip"] == told


@pytest.mark.parametrize("data", [b"", tlv(6, b"switch"), b"\0\x01\0\x03abc", b"\0\x01\xff\xffabc"])
def test_unsound_messages_are_malformed(data: bytes) -> None:
    """A message that names neither device nor port is counted as malformed."""
    rows = rows_of([frame(data)])
    assert (rows.sightings, rows.total("malformed"), rows.total("unknown_link")) == ([], 1, 0)


@pytest.mark.parametrize("kind", [0x0104, 0x0111, 0x2001, 0x2003, 0x2004])
def test_other_protocols_of_cisco(kind: int) -> None:
    """PAgP, UDLD, CGMP, VTP and DTP share the form of the frame, and are not taken for CDP."""
    llc = SNAP[:6] + struct.pack("!H", kind) + b"\x02\xb4\0\0" + NAMED
    rows = rows_of([Packet(T0, ethernet(llc, len(llc), SPEAKER, ALL))])
    assert (rows.sightings, rows.total("unknown_link")) == ([], 1)


def test_on_other_links() -> None:
    """CDP's type stands in other link layers without SNAP."""
    cooked = struct.pack("!HHH8sH", 2, 1, 0, bytes(8), 0x2000) + b"\x02\xb4\0\0" + NAMED
    (row,) = rows_of([Packet(T0, cooked)], link=113).sightings
    assert (row["source"], row["value"]) == ("cdp", "GigabitEthernet0/7")


def test_repetition() -> None:
    """The same is told once in 10 minutes, whatever the time to live counts."""
    packets = [frame(NAMED, T0 + n * 60 * SECOND, ttl=180 - n) for n in range(11)]
    assert [row["ts"][14:16] for row in rows_of(packets).sightings] == ["00", "10"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 6, 10, 14, 22]), st.binary(max_size=40)), max_size=8),
    st.binary(max_size=10),
)
def test_any_messages(tlvs: list[tuple[int, bytes]], rest: bytes) -> None:
    """Whatever a message holds, it gives at most one sighting, in bounds."""
    data = b"".join(tlv(kind, value) for kind, value in tlvs) + rest
    rows = rows_of([frame(data), frame(NAMED + data, T0 + 1)])
    assert len(rows.sightings) <= 2
    assert rows.total("packets") == 2
