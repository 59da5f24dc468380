"""LLDP sightings."""

import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import SECOND, T0, Packet, ethernet, mac, rows_of

SPEAKER, CHASSIS, ALL = 0x0200000000AA, 0x0200000000A0, 0x0180C200000E


def tlv(kind: int, data: bytes) -> bytes:
    """Type and length in 7 and 9 bits."""
    return struct.pack("!H", kind << 9 | len(data)) + data


def organization(oui: int, subtype: int, data: bytes) -> bytes:
    return tlv(127, oui.to_bytes(3, "big") + bytes([subtype]) + data)


HEAD = tlv(1, b"\x04" + mac(CHASSIS)) + tlv(2, b"\x05ge-0/0/7") + tlv(3, b"\0\x78")
END = tlv(0, b"")


def frame(data: bytes, ts: int = T0) -> Packet:
    return Packet(ts, ethernet(data, 0x88CC, SPEAKER, ALL))


def one(data: bytes) -> dict[str, Any]:
    rows = rows_of([frame(data)])
    assert (rows.total("unknown_link"), rows.total("malformed"), rows.flows) == (0, 0, [])
    (row,) = rows.sightings
    return row


def test_a_switch() -> None:
    """A switch tells its name, port, chassis, management address, capabilities and VLANs."""
    row = one(
        HEAD
        + tlv(4, b"Raum 107, links")
        + tlv(5, b"sw-eg-1")
        + tlv(6, b"Switch 24, firmware 1.2")
        + tlv(7, struct.pack("!HH", 0x14, 0x14))
        + tlv(8, b"\x05\x01\x0a\x01\x00\x02" + b"\x02\0\0\0\x07\0")
        + organization(0x0080C2, 1, b"\0\x0a")
        + END
    )
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "lldp",
        "mac": "02:00:00:00:00:aa",
        "ip": "10.1.0.2",
        "name": "sw-eg-1",
        "value": "ge-0/0/7",
        "attributes": {
            "chassis": "02:00:00:00:00:a0",
            "capabilities": "bridge,router",
            "vlan": "10",
            "port_description": "Raum 107, links",
            "description": "Switch 24, firmware 1.2",
        },
    }


def test_a_phone() -> None:
    """A phone's inventory (LLDP-MED) and the VLAN of its voice are told."""
    row = one(
        tlv(1, b"\x05\x01\x0a\x01\x07\x07")
        + tlv(2, b"\x03" + mac(SPEAKER))
        + tlv(3, b"\0\x78")
        + tlv(7, struct.pack("!HH", 0x24, 0x20))
        + organization(0x0012BB, 2, bytes([1]) + (0x40_00_00 | 20 << 9 | 5 << 6 | 46).to_bytes(3, "big"))
        + organization(0x0012BB, 6, b"4.1.2")
        + organization(0x0012BB, 8, b"SN0815")
        + organization(0x0012BB, 9, b"Phones")
        + organization(0x0012BB, 10, b"Desk 7")
        + END
    )
    assert (row["value"], row["ip"], row["name"]) == ("02:00:00:00:00:aa", "::", "")
    assert row["attributes"] == {
        "chassis": "10.1.7.7",
        "capabilities": "telephone",
        "voice_vlan": "20",
        "manufacturer": "Phones",
        "model": "Desk 7",
        "serial": "SN0815",
        "firmware": "4.1.2",
    }


def test_an_ipv6_management_address() -> None:
    """A management address may be IPv6; one of another family is none."""
    packed = ipaddress.IPv6Address("2001:db8::7").packed
    assert one(HEAD + tlv(8, b"\x11\x02" + packed + b"\x02\0\0\0\x07\0"))["ip"] == "2001:db8::7"
    assert one(HEAD + tlv(8, b"\x07\x06" + mac(SPEAKER) + b"\x02\0\0\0\x07\0"))["ip"] == "::"
    assert one(tlv(1, b"\x05\x02" + packed) + HEAD[9:])["attributes"]["chassis"] == "2001:db8::7"


def test_several_management_addresses() -> None:
    """Among several addresses that of IPv4 counts, wherever it stands; that of IPv6 is told as well."""
    link = tlv(8, b"\x07\x06" + mac(SPEAKER) + b"\x02\0\0\0\x07\0")
    six = tlv(8, b"\x11\x02" + ipaddress.IPv6Address("2001:db8::7").packed + b"\x02\0\0\0\x07\0")
    none, four = (
        tlv(8, b"\x05\x01" + address + b"\x02\0\0\0\x07\0") for address in (bytes(4), b"\x0a\1\0\2")
    )
    row = one(HEAD + link + six + none + four + END)
    assert (row["ip"], row["attributes"]["management"]) == ("10.1.0.2", "2001:db8::7")
    assert one(HEAD + link + none + six + END)["ip"] == "2001:db8::7"


def test_a_shutdown() -> None:
    """A speaker that says farewell has a time to live of 0."""
    assert one(HEAD[:-2] + b"\0\0" + END)["attributes"]["type"] == "shutdown"


def test_a_capture_without_addresses() -> None:
    """Where the link layer has no MAC, the chassis' is the device's."""
    cooked = struct.pack("!HHH8sH", 2, 1, 0, bytes(8), 0x88CC) + HEAD + END
    (row,) = rows_of([Packet(T0, cooked)], link=113).sightings
    assert row["mac"] == "02:00:00:00:00:a0"


def test_the_end_ends() -> None:
    """Behind the end TLV comes padding, which is not read; a TLV that is cut off isn't either."""
    assert one(HEAD + END + tlv(5, b"ghost"))["name"] == ""
    assert one(HEAD + tlv(5, b"ghost")[:-1])["name"] == ""


@pytest.mark.parametrize(
    "data",
    [b"", HEAD[:20], HEAD[9:] + HEAD[:9], tlv(5, b"name") + HEAD, tlv(1, b"\x07x") + HEAD[19:], HEAD[:-2]],
)
def test_unsound_units_are_malformed(data: bytes) -> None:
    """A unit begins with chassis, port and time to live, or is counted as malformed."""
    rows = rows_of([frame(data)])
    assert (rows.sightings, rows.total("malformed"), rows.total("unknown_link")) == ([], 1, 0)


def test_repetition() -> None:
    """The same is told once in 10 minutes, whatever the time to live counts; another port is told at once."""
    packets = [frame(HEAD[:-2] + struct.pack("!H", 120 - n) + END, T0 + n * 30 * SECOND) for n in range(25)]
    packets.append(frame(HEAD.replace(b"/7", b"/8") + END, T0 + 751 * SECOND))
    rows = rows_of(packets).sightings
    assert [(row["ts"][14:19], row["value"]) for row in rows] == [
        ("00:00", "ge-0/0/7"),
        ("10:00", "ge-0/0/7"),
        ("12:31", "ge-0/0/8"),
    ]


def test_every_text_at_its_longest_fits() -> None:
    """Texts full of escapes are each cut at their share, and the sighting at its own."""
    long = b"\xff" * 255
    data = HEAD + b"".join(tlv(kind, long) for kind in (4, 5, 6))
    data += b"".join(organization(0x0012BB, kind, long) for kind in (6, 8, 9, 10))
    row = one(data + END)
    assert len(row["name"]) == 252
    assert [len(text) for text in row["attributes"].values()] == [17, 252, 252, 252, 252, 252, 252]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 127]), st.binary(max_size=40)), max_size=8),
    st.binary(max_size=10),
)
def test_any_units(tlvs: list[tuple[int, bytes]], rest: bytes) -> None:
    """Whatever a unit holds, it gives at most one sighting, in bounds."""
    data = b"".join(tlv(kind, value) for kind, value in tlvs) + rest
    rows = rows_of([frame(data), frame(HEAD + data, T0 + 1)])
    assert len(rows.sightings) <= 2
    assert rows.total("packets") == 2
