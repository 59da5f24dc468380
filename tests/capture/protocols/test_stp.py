"""Spanning tree sightings."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import SECOND, T0, Packet, ethernet, mac, rows_of

SPEAKER, ALL = 0x0200000000AA, 0x0180C2000000
ROOT, BRIDGE = struct.pack("!H", 4096) + mac(0xB0), struct.pack("!H", 32768) + mac(0xB1)
LLC, PVST = b"\x42\x42\x03", b"\xaa\xaa\x03\x00\x00\x0c\x01\x0b"


def bpdu(
    version: int = 0, kind: int = 0, *, cost: int = 4, age: int = 256, flags: int = 0, bridge: bytes = BRIDGE
) -> bytes:
    """A BPDU up to its timers (802.1D-2004, 9.3.1)."""
    head = struct.pack("!HBBB", 0, version, kind, flags) + ROOT + struct.pack("!I", cost)
    return head + bridge + struct.pack("!HHHHH", 0x8007, age, 5120, 512, 3840)


def multiple(region: bytes = b"school", bridge: bytes = struct.pack("!H", 32768) + mac(0xB2)) -> bytes:
    """An MST BPDU without instances (802.1Q, 14.4)."""
    body = b"\0" + struct.pack("!HB", 64, 0) + region.ljust(32, b"\0") + b"\0\x01" + bytes(16)
    return bpdu(3, 2) + body + struct.pack("!I", 7) + bridge + b"\x14"


def frame(data: bytes, ts: int = T0, llc: bytes = LLC) -> Packet:
    data = llc + data
    return Packet(ts, ethernet(data, len(data), SPEAKER, ALL) + bytes(8))


def one(packet: Packet) -> dict[str, Any]:
    rows = rows_of([packet])
    assert (rows.total("unknown_link"), rows.total("malformed"), rows.flows) == (0, 0, [])
    (row,) = rows.sightings
    return row


def test_a_bridge() -> None:
    """A bridge tells the root it knows, itself, its port and the cost of the way."""
    assert one(frame(bpdu())) == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "stp",
        "mac": "02:00:00:00:00:aa",
        "ip": "::",
        "name": "",
        "value": "4096.00:00:00:00:00:b0",
        "attributes": {"bridge": "32768.00:00:00:00:00:b1", "port": "128.7", "type": "stp", "cost": "4"},
    }


def test_rapid_and_multiple() -> None:
    """RSTP is told apart; an MST BPDU tells its region and the bridge itself, not the region's root."""
    assert one(frame(bpdu(2, 2) + b"\0"))["attributes"]["type"] == "rstp"
    row = one(frame(multiple()))
    assert row["attributes"] == {
        "bridge": "32768.00:00:00:00:00:b2",
        "port": "128.7",
        "type": "mstp",
        "cost": "4",
        "domain": "school",
    }
    assert one(frame(multiple(b"x" * 32)))["attributes"]["domain"] == "x" * 32
    cut = multiple()[:101]
    assert one(Packet(T0, ethernet(LLC + cut, 105, SPEAKER, ALL)))["attributes"]["type"] == "rstp"


def test_a_tree_per_vlan() -> None:
    """PVST+ names the VLAN of each tree."""
    row = one(frame(bpdu(2, 2) + b"\0" + b"\0\0\0\x02\0\x14", llc=PVST))
    assert row["attributes"]["vlan"] == "20"
    assert "vlan" not in one(frame(bpdu(2, 2) + b"\0" + b"\0\0\0\x03\0\x14", llc=PVST))["attributes"]


def test_a_change_of_topology() -> None:
    """The notification of a change is of its speaker, and names no root."""
    row = one(frame(b"\0\0\0\x80"))
    assert (row["mac"], row["value"], row["attributes"]) == ("02:00:00:00:00:aa", "", {"type": "tcn"})


def test_repetition() -> None:
    """Ages, flags, costs and other versions change without a new sighting; another root is told at once."""
    packets = [
        frame(bpdu(n % 2 * 2, n % 2 * 2, age=n, flags=n & 0x7F, cost=n), T0 + n * 2 * SECOND)
        for n in range(301)
    ]
    packets.append(frame(bpdu().replace(ROOT, BRIDGE), T0 + 601 * SECOND))
    rows = rows_of(packets).sightings
    assert [(row["ts"][14:19], row["value"][:5]) for row in rows] == [
        ("00:00", "4096."),
        ("10:00", "4096."),
        ("10:01", "32768"),
    ]


@pytest.mark.parametrize("data", [bpdu()[:34], b"\0\0\0\x01" + bpdu()[4:], b"\0\0\0"])
def test_unsound_units_are_malformed(data: bytes) -> None:
    """A unit that is cut off or of a type that there isn't is counted as malformed."""
    made = LLC + data
    rows = rows_of([Packet(T0, ethernet(made, len(made), SPEAKER, ALL))])
    assert (rows.sightings, rows.total("malformed"), rows.total("unknown_link")) == ([], 1, 0)


def test_other_protocols_of_bridges() -> None:
    """GARP shares the LLC address, and is not decoded."""
    rows = rows_of([frame(b"\0\x01\x01\x02" + bytes(40))])
    assert (rows.sightings, rows.total("malformed"), rows.total("unknown_link")) == ([], 0, 1)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([LLC, PVST]), st.binary(max_size=4), st.binary(max_size=120))
def test_any_bytes(llc: bytes, head: bytes, body: bytes) -> None:
    """No bytes make more than one sighting or are read beyond their end."""
    made = [llc + head + body, llc + b"\0\0\x03\x02" + body]
    rows = rows_of([Packet(T0 + n, ethernet(d, len(d), SPEAKER, ALL)) for n, d in enumerate(made)])
    assert len(rows.sightings) <= 2
    assert rows.total("packets") == 2
