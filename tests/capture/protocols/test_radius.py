"""RADIUS sightings."""

import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import SECOND, T0, Packet, rows_of, udp

POINT, SERVER = "10.1.0.20", "10.1.0.5"


def attribute(kind: int, data: bytes) -> bytes:
    return bytes([kind, 2 + len(data)]) + data


def message(code: int, *attributes: bytes) -> bytes:
    packed = b"".join(attributes)
    return struct.pack("!BBH", code, 7, 20 + len(packed)) + bytes(16) + packed


def packet(data: bytes, ts: int = T0, port: int = 1813) -> Packet:
    return Packet(ts, udp(data, 50_000, port, source=POINT, target=SERVER, ident=ts & 0x7FFF | 1))


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!I", value))


def address(kind: int, text: str) -> bytes:
    return attribute(kind, ipaddress.ip_address(text).packed)


USER, STATION = attribute(1, b"k.lehrer"), attribute(31, b"02-00-00-00-00-AA")


def one(made: Packet) -> dict[str, Any]:
    rows = rows_of([made])
    (row,) = rows.sightings
    assert rows.flow["application"] == "radius"
    return row


def test_accounting() -> None:
    """An access point's report tells user, device, address, network, and where the device is."""
    row = one(
        packet(
            message(
                4,
                number(40, 1),
                USER,
                STATION,
                address(8, "10.1.2.7"),
                attribute(32, b"ap-107"),
                address(4, POINT),
                number(5, 3),
                attribute(30, b"02-00-00-00-00-A0:Schule"),
                attribute(44, b"5F3A"),
            )
        )
    )
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "radius",
        "mac": "02:00:00:00:00:aa",
        "ip": "10.1.2.7",
        "name": "k.lehrer",
        "value": "start",
        "attributes": {
            "type": "accounting",
            "nas": "ap-107",
            "port": "3",
            "bssid": "02:00:00:00:00:a0",
            "ssid": "Schule",
            "session": "5F3A",
        },
    }


@pytest.mark.parametrize(
    ("status", "told"), [(2, "stop"), (3, "interim"), (7, "on"), (8, "off"), (5, ""), (9, ""), (1 << 31, "")]
)
def test_states_of_a_session(status: int, told: str) -> None:
    """Sessions begin, go on and end."""
    assert one(packet(message(4, number(40, status), USER)))["value"] == told


@pytest.mark.parametrize(
    ("code", "word"), [(1, "access_request"), (2, "access_accept"), (3, "access_reject")]
)
@pytest.mark.parametrize("port", [1812, 1645])
def test_access(code: int, word: str, port: int) -> None:
    """A user's access is told with its outcome, and no password with it."""
    secret = attribute(2, b"geheim-geheim-12")
    row = one(packet(message(code, USER, secret, STATION, attribute(87, b"ge-0/0/7")), port=port))
    assert (row["name"], row["mac"], row["attributes"]) == (
        "k.lehrer",
        "02:00:00:00:00:aa",
        {"type": word, "port": "ge-0/0/7"},
    )


@pytest.mark.parametrize(
    ("station", "told"),
    [
        (b"02-00-00-00-00-aa", "aa"),
        (b"02:00:00:00:00:AA", "aa"),
        (b"0200.0000.00aa", "aa"),
        (b"0200000000AA", "aa"),
        (b"\x02\0\0\0\0\xaa", "aa"),
        (b"02-00-00-00-00-aa:rest", "aa"),
        (b"+49 30 1234567", "00"),
        (b"02-00-00-00-00-a", "00"),
        (b"", "00"),
    ],
)
def test_forms_of_a_mac(station: bytes, told: str) -> None:
    """A MAC is read in each of the forms in use; a telephone number is none."""
    assert one(packet(message(1, USER, attribute(31, station))))["mac"][-2:] == told


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ([address(8, "255.255.255.254")], "::"),
        ([address(8, "255.255.255.255")], "::"),
        ([address(8, "0.0.0.0")], "::"),
        ([attribute(8, b"\x0a\x01")], "::"),
        ([address(168, "2001:db8::7")], "2001:db8::7"),
        ([address(8, "10.1.2.7"), address(168, "2001:db8::7")], "10.1.2.7"),
    ],
)
def test_addresses(attributes: list[bytes], told: str) -> None:
    """An address that is yet to be chosen is none."""
    assert one(packet(message(4, USER, *attributes)))["ip"] == told


@pytest.mark.parametrize(
    ("attributes", "told"),
    [([address(4, POINT)], POINT), ([address(95, "2001:db8::20")], "2001:db8::20"), ([], None)],
)
def test_the_access_server(attributes: list[bytes], told: str | None) -> None:
    """Without a name the access server is told by its address."""
    assert one(packet(message(4, USER, *attributes)))["attributes"].get("nas") == told


@pytest.mark.parametrize("code", [5, 11, 12, 40, 43])
def test_messages_about_nobody(code: int) -> None:
    """Responses and messages between servers are RADIUS, and no sightings; nor is a report without a user."""
    rows = rows_of([packet(message(code, USER)), packet(message(4, number(40, 7)))])
    assert (rows.sightings, rows.flow["application"]) == ([], "radius")


@pytest.mark.parametrize(
    "data", [b"", message(4, USER)[:19], message(4, USER)[:25], message(0, USER), message(99, USER),
             b"\x04\x07\x00\x13" + bytes(30)]
)  # fmt: skip
def test_what_is_no_radius(data: bytes) -> None:
    """A message shorter than it says, or of a code that there isn't, is no sighting."""
    assert rows_of([packet(data)]).sightings == []


def test_an_attribute_that_overruns_ends_the_attributes() -> None:
    """An attribute longer than the message is not read; what stands before it is."""
    broken = message(4, USER, b"\x1f\xff02-00-00-00-00-aa")
    row = one(packet(broken))
    assert (row["name"], row["mac"]) == ("k.lehrer", "00:00:00:00:00:00")


def test_repetition() -> None:
    """Interim reports differ in their counters, and are told once in 10 minutes."""
    interim = [number(40, 3), USER, STATION]
    packets = [
        packet(message(4, *interim, number(42, n), number(46, n * 60)), T0 + n * 60 * SECOND)
        for n in range(11)
    ]
    assert [row["ts"][14:16] for row in rows_of(packets).sightings] == ["00", "10"]


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 50),
    st.lists(
        st.tuples(st.sampled_from([1, 4, 8, 30, 31, 32, 40, 44, 168]), st.binary(max_size=30)), max_size=8
    ),
    st.binary(max_size=10),
)
def test_any_attributes(code: int, attributes: list[tuple[int, bytes]], rest: bytes) -> None:
    """Whatever attributes a message has, it gives at most one sighting, in bounds."""
    packed = [attribute(kind, data) for kind, data in attributes]
    packets = [packet(message(code, *packed, rest)), packet(message(4, *packed), T0 + 1)]
    assert len(rows_of(packets).sightings) <= 2
