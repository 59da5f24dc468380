"""DHCPv6 sightings: clients, servers, and both behind relays."""

import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import SECOND, T0, Packet, ethernet, ipv6, labels, mac, rows_of

HOST, SERVER, RELAY, SERVERS = "fe80::aa", "fe80::5", "fe80::9", "ff02::1:2"
HOST_MAC, SERVER_MAC, RELAY_MAC, OTHER = 0x0200000000AA, 0x020000000005, 0x020000000009, 0x0200000000CC
LEASED = ipaddress.IPv6Address("2001:db8:5::7").packed


def option(kind: int, data: bytes) -> bytes:
    return struct.pack("!HH", kind, len(data)) + data


def message(kind: int, *options: bytes) -> bytes:
    return bytes([kind]) + b"abc" + b"".join(options)


def relayed(
    inner: bytes, *options: bytes, kind: int = 12, link: str = "2001:db8:5::1", peer: str = HOST
) -> bytes:
    addresses = ipaddress.IPv6Address(link).packed + ipaddress.IPv6Address(peer).packed
    return bytes([kind, 0]) + addresses + b"".join(options) + option(9, inner)


def packet(
    data: bytes, source: str, target: str, source_mac: int, target_mac: int, ports: tuple[int, int], ts: int
) -> Packet:
    datagram = struct.pack("!HHHH", *ports, 8 + len(data), 1) + data
    return Packet(ts, ethernet(ipv6(datagram, 17, source, target), 0x86DD, source_mac, target_mac))


def from_client(data: bytes, ts: int = T0) -> Packet:
    return packet(data, HOST, SERVERS, HOST_MAC, 0x333300010002, (546, 547), ts)


def from_server(data: bytes, ts: int = T0) -> Packet:
    return packet(data, SERVER, HOST, SERVER_MAC, HOST_MAC, (547, 546), ts)


def from_relay(data: bytes) -> Packet:
    return packet(data, RELAY, SERVER, RELAY_MAC, SERVER_MAC, (547, 547), T0)


def one(made: Packet) -> dict[str, Any]:
    rows = rows_of([made])
    (row,) = rows.sightings
    assert rows.flow["application"] == "dhcpv6"
    return row


CLIENT_ID = option(1, b"\0\x01\0\x01\x18\xf0\x0b\x3f" + mac(OTHER))
SERVER_ID = option(2, b"\0\x03\0\x01" + mac(SERVER_MAC))
ADDRESS = option(5, LEASED + struct.pack("!II", 3_600, 7_200))
ASSOCIATION = option(3, struct.pack("!III", 1, 0, 0) + ADDRESS)
PREFIX = option(26, struct.pack("!IIB", 3_600, 7_200, 56) + ipaddress.IPv6Address("2001:db8:600::").packed)
DELEGATION = option(25, struct.pack("!III", 1, 0, 0) + PREFIX)
NAME = option(39, b"\x01" + labels(b"Labor7.schule.example"))


def test_a_client() -> None:
    """A client tells its name, class and wishes; its MAC is the frame's, the one in its DUID an attribute."""
    row = one(
        from_client(
            message(
                1,
                CLIENT_ID,
                NAME,
                option(16, struct.pack("!IH", 311, 8) + b"MSFT 5.0"),
                option(15, struct.pack("!H", 6) + b"Lehrer"),
                option(6, struct.pack("!HHH", 23, 24, 39)),
                ASSOCIATION,
                DELEGATION,
            )
        )
    )
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "dhcpv6",
        "mac": "02:00:00:00:00:aa",
        "ip": HOST,
        "name": "labor7.schule.example",
        "value": "MSFT 5.0",
        "attributes": {
            "type": "solicit",
            "vendor": "311",
            "parameters": "23,24,39",
            "requested": "2001:db8:5::7",
            "prefix": "2001:db8:600::/56",
            "client_id": "0001000118f00b3f0200000000cc",
            "duid_mac": "02:00:00:00:00:cc",
            "user_class": "Lehrer",
        },
    }


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (3, "request"),
        (4, "confirm"),
        (5, "renew"),
        (6, "rebind"),
        (8, "release"),
        (9, "decline"),
        (11, "inform"),
    ],
)
def test_types_of_client_messages(code: int, word: str) -> None:
    """Each message of a client is told with its type."""
    assert one(from_client(message(code)))["attributes"] == {"type": word}


@pytest.mark.parametrize(("code", "word"), [(2, "advertise"), (7, "reply"), (10, "reconfigure")])
def test_a_server(code: int, word: str) -> None:
    """A server tells what it hands out, to whom, and the options of the lease."""
    resolvers = b"".join(ipaddress.IPv6Address(a).packed for a in ("2001:db8::53", "2001:db8::54"))
    domains = labels(b"schule.example") + labels(b"other.example")
    row = one(
        from_server(
            message(
                code,
                CLIENT_ID,
                SERVER_ID,
                ASSOCIATION,
                DELEGATION,
                option(23, resolvers),
                option(24, domains),
                NAME,
            )
        )
    )
    assert (row["mac"], row["ip"], row["name"], row["value"]) == (
        "02:00:00:00:00:05",
        SERVER,
        "",
        "2001:db8:5::7",
    )
    assert row["attributes"] == {
        "type": word,
        "client_mac": "02:00:00:00:00:aa",
        "dns": "2001:db8::53,2001:db8::54",
        "lease": "7200",
        "domain": "schule.example",
        "prefix": "2001:db8:600::/56",
        "client_name": "labor7.schule.example",
        "client_id": "0001000118f00b3f0200000000cc",
        "duid_mac": "02:00:00:00:00:cc",
        "server": "00030001020000000005",
    }


def test_relays() -> None:
    """What a relay forwards is told of the client, with the link, the port and the MAC that the relay saw."""
    seen = option(79, b"\0\x01" + mac(HOST_MAC))
    place = [option(18, b"ge-0/0/3"), option(37, struct.pack("!I", 9) + b"sw-1"), option(38, b"room 7")]
    inner = relayed(message(3, CLIENT_ID), seen, *place)
    row = one(from_relay(relayed(inner, option(18, b"outer"), link="::", peer=RELAY)))
    assert (row["mac"], row["ip"]) == ("02:00:00:00:00:aa", HOST)
    assert row["attributes"] == {
        "type": "request",
        "client_id": "0001000118f00b3f0200000000cc",
        "duid_mac": "02:00:00:00:00:cc",
        "relay": "2001:db8:5::1",
        "circuit": "ge-0/0/3",
        "remote": "sw-1",
        "subscriber": "room 7",
    }
    assert one(from_relay(relayed(message(3, CLIENT_ID))))["mac"] == "02:00:00:00:00:cc"


def test_answers_through_relays() -> None:
    """A server's answer through a relay names the client by what the relay saw, else by its DUID."""
    answer = relayed(message(7, CLIENT_ID, ASSOCIATION), option(79, b"\0\x01" + mac(HOST_MAC)), kind=13)
    row = one(packet(answer, SERVER, RELAY, SERVER_MAC, RELAY_MAC, (547, 547), T0))
    assert (row["ip"], row["value"], row["attributes"]["client_mac"]) == (
        SERVER,
        "2001:db8:5::7",
        "02:00:00:00:00:aa",
    )
    answer = relayed(message(7, CLIENT_ID), kind=13)
    row = one(packet(answer, SERVER, RELAY, SERVER_MAC, RELAY_MAC, (547, 547), T0))
    assert row["attributes"]["client_mac"] == "02:00:00:00:00:cc"


@pytest.mark.parametrize(
    ("duid", "told"),
    [
        (b"\0\x01\0\x06\0\0\0\0" + mac(OTHER), "02:00:00:00:00:cc"),
        (b"\0\x03\0\x01" + mac(OTHER), "02:00:00:00:00:cc"),
        (b"\0\x03\0\x20" + mac(OTHER), None),
        (b"\0\x03\0\x01" + mac(OTHER)[:5], None),
        (b"\0\x02\0\0\0\x09serial", None),
        (b"\0\x04" + bytes(16), None),
        (b"", None),
    ],
)
def test_identifiers(duid: bytes, told: str | None) -> None:
    """Two of the forms of a DUID hold a MAC."""
    assert one(from_client(message(1, option(1, duid))))["attributes"].get("duid_mac") == told


def test_temporary_addresses_and_empty_associations() -> None:
    """An association without an address is passed over; a temporary one has no timers."""
    empty = option(3, struct.pack("!III", 1, 0, 0))
    temporary = option(4, struct.pack("!I", 2) + ADDRESS)
    assert one(from_server(message(7, empty, temporary)))["value"] == "2001:db8:5::7"
    assert one(from_server(message(7, empty, ASSOCIATION)))["value"] == "2001:db8:5::7"
    assert one(from_server(message(7, empty)))["value"] == ""


@pytest.mark.parametrize("code", [14, 20, 36])
def test_messages_between_servers(code: int) -> None:
    """Lease queries and the like are DHCPv6, and no statement of a device about itself."""
    rows = rows_of([from_client(message(code))])
    assert (rows.sightings, rows.flow["application"]) == ([], "dhcpv6")


@pytest.mark.parametrize(
    "data", [b"", b"\x01ab", message(0), message(37), relayed(b"")[:33], relayed(b"\0\0\0\0")]
)
def test_what_is_no_dhcpv6(data: bytes) -> None:
    """Types that there aren't, and headers that are cut off, are no sightings."""
    assert rows_of([from_client(data)]).sightings == []


def test_relays_within_relays_are_bounded() -> None:
    """A message in more relays than there may be is not followed."""
    data = message(1, CLIENT_ID)
    for _ in range(9):
        data = relayed(data)
    assert len(rows_of([from_relay(data)]).sightings) == 1
    assert rows_of([from_relay(relayed(data))]).sightings == []


def test_repetition() -> None:
    """The same is told once in 10 minutes, whatever the transaction and the time since the first try are."""
    packets = [
        from_client(bytes([1, 0, 0, n]) + CLIENT_ID + option(8, struct.pack("!H", n)), T0 + n * 60 * SECOND)
        for n in range(11)
    ]
    assert [row["ts"][14:16] for row in rows_of(packets).sightings] == ["00", "10"]


def test_every_option_at_its_longest_fits() -> None:
    """Options that need escapes are each cut at their share."""
    long = b"\xff" * 250
    options = [
        option(39, long),
        option(16, struct.pack("!IH", 9, 246) + long[4:]),
        option(1, long),
        option(2, long),
    ]
    place = [option(18, long), option(37, long), option(38, long)]
    row = one(from_relay(relayed(message(1, *options, option(6, long)), *place)))
    assert (len(row["name"]), len(row["value"])) == (252, 252)
    assert {len(text) for name, text in row["attributes"].items() if name in ("circuit", "remote")} == {252}


KINDS = st.sampled_from([1, 2, 3, 4, 5, 6, 9, 15, 16, 23, 24, 25, 26, 39])


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 40), st.lists(st.tuples(KINDS, st.binary(max_size=40)), max_size=8), st.binary(max_size=10)
)
def test_any_options(code: int, options: list[tuple[int, bytes]], rest: bytes) -> None:
    """Whatever options a message carries, it gives at most one sighting, in bounds."""
    data = message(code, *(option(kind, value) for kind, value in options), rest)
    rows = rows_of([from_client(data), from_server(data, T0 + 1), from_relay(relayed(data, rest))])
    assert len(rows.sightings) <= 3
