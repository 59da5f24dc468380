"""DHCP sightings: what clients ask for, what servers hand out, hostile options."""

import ipaddress
import struct
from typing import Any

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import SECOND, T0, Packet, rows_of, udp

MAC = bytes.fromhex("0200000000aa")
SERVER, OFFERED = "10.1.0.1", "10.1.2.50"


def option(kind: int, data: bytes) -> bytes:
    return bytes([kind, len(data)]) + data


def packed(*addresses: str) -> bytes:
    return b"".join(ipaddress.IPv4Address(a).packed for a in addresses)


def message(
    op: int, *options: bytes, client: str = "0.0.0.0", offered: str = "0.0.0.0", relay: str = "0.0.0.0"
) -> bytes:
    """A DHCP message (RFC 2131, 2)."""
    head = struct.pack("!BBBBIHH", op, 1, 6, 0, 0x1234, 0, 0)
    head += packed(client, offered, "0.0.0.0", relay) + MAC + bytes(10 + 64 + 128)
    return head + b"\x63\x82\x53\x63" + b"".join(options) + b"\xff"


def kind(code: int) -> bytes:
    return option(53, bytes([code]))


def from_client(data: bytes, ts: int = T0) -> Packet:
    return Packet(ts, udp(data, 68, 67, source="0.0.0.0", target="255.255.255.255", ident=ts & 0x7FFF | 1))


def from_server(data: bytes, ts: int = T0) -> Packet:
    return Packet(ts, udp(data, 67, 68, source=SERVER, target=OFFERED, ident=ts & 0x7FFF | 1))


def one(packet: Packet) -> dict[str, Any]:
    rows = rows_of([packet])
    (row,) = rows.sightings
    assert rows.flow["application"] == "dhcp"
    return row


def test_a_request() -> None:
    """A client's request tells MAC, wanted address, host name, class and what it asks for."""
    row = one(
        from_client(
            message(
                1,
                kind(3),
                option(12, b"Labor-PC\0"),
                option(60, b"MSFT 5.0"),
                option(55, bytes([1, 3, 6, 15, 119, 252])),
                option(50, packed(OFFERED)),
                option(54, packed(SERVER)),
            )
        )
    )
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "dhcp_request",
        "mac": "02:00:00:00:00:aa",
        "ip": OFFERED,
        "name": "Labor-PC",
        "value": "MSFT 5.0",
        "attributes": {
            "type": "request",
            "parameters": "1,3,6,15,119,252",
            "requested": OFFERED,
            "server": SERVER,
        },
    }


@pytest.mark.parametrize(
    ("code", "word"), [(1, "discover"), (3, "request"), (4, "decline"), (7, "release"), (8, "inform")]
)
def test_types_of_client_messages(code: int, word: str) -> None:
    """Each message of a client is told with its type; without an address asked for, the one it has."""
    row = one(from_client(message(1, kind(code), client="10.1.2.3")))
    assert (row["attributes"], row["ip"], row["source"]) == (
        {"type": word},
        "10.1.2.3",
        "dhcp_request",
    )


def test_no_address_is_the_unspecified() -> None:
    """A discover without any address has `::`."""
    assert one(from_client(message(1, kind(1))))["ip"] == "::"


@pytest.mark.parametrize("address", ["255.255.255.255", "224.0.0.251"])
def test_no_client_has_the_address_of_many(address: str) -> None:
    """A broadcast or group address, as scanners' probes have it, is nobody's."""
    assert one(from_client(message(1, kind(8), client=address)))["ip"] == "::"
    asked = one(from_client(message(1, kind(3), option(50, packed(OFFERED)), client=address)))
    assert asked["ip"] == OFFERED
    assert one(from_client(message(1, kind(3), option(50, packed(address)))))["ip"] == "::"


@pytest.mark.parametrize(("code", "source"), [(2, "dhcp_offer"), (5, "dhcp_ack")])
def test_offers_and_acknowledgements(code: int, source: str) -> None:
    """A server's message tells who it is, what it hands out to whom, and the options of the lease."""
    row = one(
        from_server(
            message(
                2,
                kind(code),
                option(54, packed(SERVER)),
                option(1, packed("255.255.0.0")),
                option(3, packed("10.1.0.254", "10.1.0.253")),
                option(6, packed("10.1.0.53")),
                option(51, struct.pack("!I", 86_400)),
                option(15, b"school.example"),
                offered=OFFERED,
            )
        )
    )
    assert (row["source"], row["mac"], row["ip"], row["value"]) == (
        source,
        "02:00:00:00:00:01",
        SERVER,
        OFFERED,
    )
    assert row["attributes"] == {
        "type": "offer" if code == 2 else "ack",
        "client_mac": "02:00:00:00:00:aa",
        "router": "10.1.0.254,10.1.0.253",
        "dns": "10.1.0.53",
        "subnet_mask": "255.255.0.0",
        "lease": "86400",
        "domain": "school.example",
    }


def test_each_renewal_is_told() -> None:
    """A lease that is renewed or given back within minutes is told each time; an offer is not."""
    lease = option(51, struct.pack("!I", 120))
    for code, times in ((5, 3), (2, 1)):
        data = message(2, kind(code), lease, offered=OFFERED)
        rows = rows_of([from_server(data, T0 + at * SECOND) for at in (0, 60, 120)])
        assert len(rows.sightings) == times
    for code, times in ((7, 2), (4, 2), (3, 1)):
        data = message(1, kind(code), client=OFFERED)
        assert len(rows_of([from_client(data, T0 + at * SECOND) for at in (0, 60)]).sightings) == times


def test_a_refusal_is_of_a_server() -> None:
    """A NAK tells its server and whom it refused, and hands out nothing."""
    row = one(from_server(message(2, kind(6), option(54, packed(SERVER)), client=OFFERED)))
    assert (row["source"], row["ip"], row["value"]) == ("dhcp_ack", SERVER, "")
    assert row["attributes"] == {"type": "nak", "client_mac": "02:00:00:00:00:aa"}


def test_an_acknowledged_inform_confirms_the_clients_address() -> None:
    """Without an address handed out, the one that the client has is told."""
    assert one(from_server(message(2, kind(5), client=OFFERED)))["value"] == OFFERED


def test_bootp() -> None:
    """A message without a type is BOOTP's, asked and answered."""
    asked = one(from_client(message(1, option(12, b"printer"))))
    assert (asked["source"], asked["name"], asked["attributes"]) == (
        "dhcp_request",
        "printer",
        {"type": "bootp"},
    )
    answered = one(from_server(message(2, offered=OFFERED)))
    assert (answered["source"], answered["value"], answered["ip"]) == ("dhcp_ack", OFFERED, SERVER)
    assert answered["attributes"] == {"type": "bootp", "client_mac": "02:00:00:00:00:aa"}


@pytest.mark.parametrize("code", [9, 10, 13, 18])
def test_messages_between_relays_and_servers(code: int) -> None:
    """Lease queries and the like are DHCP, and no statement of a device about itself."""
    rows = rows_of([from_client(message(1, kind(code)))])
    assert (rows.sightings, rows.flow["application"]) == ([], "dhcp")


def test_an_unknown_type_still_has_a_name() -> None:
    """A client's message of a type that does not exist is told without one."""
    row = one(from_client(message(1, kind(106), option(12, b"pc"))))
    assert (row["name"], row["attributes"]) == ("pc", {})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x05\0\0\x06Labor7\x06school\x07example\0", "labor7.school.example"),
        (b"\x04\0\0\x06Labor7", "labor7"),
        (b"\x01\0\0Labor7.school.example", "labor7.school.example"),
        (b"\x01\0\0labor7.\0", "labor7"),
        (b"\x04\0\0labor7", "labor7"),
        (b"\x04\0\0\x0fcut", "\\015cut"),
        (b"\x04\0\0\xc0\x0c", "\\192\\012"),
        (b"\x04\0\0\0", ""),
        (b"\x01\0\0", ""),
        (b"\x01", ""),
    ],
)
def test_the_full_name_in_both_encodings(data: bytes, told: str) -> None:
    """Without a host name the client's full name is its name, as DNS encodes it or as text (RFC 4702)."""
    assert one(from_client(message(1, kind(3), option(81, data))))["name"] == told


def test_both_names() -> None:
    """The host name is the name, the full one an attribute; a server repeats the client's."""
    names = [option(12, b"Labor7"), option(81, b"\x01\0\0labor7.school.example")]
    row = one(from_client(message(1, kind(3), *names)))
    assert (row["name"], row["attributes"]["fqdn"]) == ("Labor7", "labor7.school.example")
    assert one(from_server(message(2, kind(5), *names)))["attributes"]["client_name"] == "Labor7"
    row = one(from_server(message(2, kind(5), names[1])))
    assert row["attributes"]["client_name"] == "labor7.school.example"


@pytest.mark.parametrize("code", [121, 249])
def test_routes(code: int) -> None:
    """Routes handed out are told with their routers, up to what is cut off or no route."""
    routes = b"\0\x0a\1\0\1" + b"\x11\xc0\xa8\x80\x0a\1\0\2" + b"\x20\x0a\2\3\4\x0a\1\0\3"
    told = "0.0.0.0/0>10.1.0.1,192.168.128.0/17>10.1.0.2,10.2.3.4/32>10.1.0.3"
    for rest in (b"", b"\x08\x0a\x0a\1", b"\x21" + bytes(9)):
        row = one(from_server(message(2, kind(5), option(code, routes + rest))))
        assert row["attributes"]["routes"] == told
    many = one(from_server(message(2, kind(5), option(code, b"\0\xff\xff\xff\xff" * 40))))
    assert set(many["attributes"]["routes"].split(",")) == {"0.0.0.0/0>255.255.255.255"}


def test_a_proxy() -> None:
    """Of where a proxy's configuration lies only the host is told."""
    url = b"http://wpad.schule.example:8080/wpad.dat?key=1\0"
    row = one(from_server(message(2, kind(5), option(252, url))))
    assert row["attributes"]["proxy"] == "wpad.schule.example"
    assert "proxy" not in one(from_server(message(2, kind(5), option(252, b"\n"))))["attributes"]


def test_a_server_with_a_name() -> None:
    """The server's name is what stands in `sname`, unless options stand there."""
    data = bytearray(message(2, kind(5), option(52, b"\x01"), offered=OFFERED))
    data[44:49] = b"dhcp1"
    assert one(from_server(bytes(data)))["name"] == "dhcp1"
    data[data.index(b"\x34\x01\x01") + 2] = 3
    assert one(from_server(bytes(data)))["name"] == ""


@pytest.mark.parametrize(
    ("overload", "told"), [(1, ("from-file", "")), (2, ("", "in sname")), (3, ("from-file", "in sname"))]
)
def test_options_in_other_fields(overload: int, told: tuple[str, str]) -> None:
    """Options go on in `file` and `sname` where the message says so (RFC 2132, 9.3)."""
    data = bytearray(message(1, kind(1), option(52, bytes([overload]))))
    file = option(12, b"from-file") + b"\xff"
    server_name = option(60, b"in sname") + b"\xff"
    data[108 : 108 + len(file)] = file
    data[44 : 44 + len(server_name)] = server_name
    row = one(from_client(bytes(data)))
    assert (row["name"], row["value"]) == told


def test_long_options_are_put_together() -> None:
    """The parts of an option that came several times are one (RFC 3396), across the fields too."""
    data = bytearray(message(1, kind(1), option(52, b"\x01"), option(12, b"very-"), option(12, b"long-")))
    file = option(12, b"name") + b"\xff"
    data[108 : 108 + len(file)] = file
    assert one(from_client(bytes(data)))["name"] == "very-long-name"


@pytest.mark.parametrize(
    ("identifier", "told"),
    [
        (b"\x01" + MAC, None),
        (b"\x01\x02\0\0\0\0\xcc", "0102000000" + "00cc"),
        (b"\xff\0\0\0\x01\0\x03", "ff000000010003"),
    ],
)
def test_client_identifiers(identifier: bytes, told: str | None) -> None:
    """A client identifier is told unless it only repeats the MAC."""
    row = one(from_client(message(1, kind(1), option(61, identifier))))
    assert row["attributes"].get("client_id") == told


@pytest.mark.parametrize("data", [b"Lehrer", b"\x06Lehrer"])
def test_user_classes(data: bytes) -> None:
    """A user class is told in the form of RFC 3004 and as a bare text."""
    assert one(from_client(message(1, kind(1), option(77, data))))["attributes"]["user_class"] == "Lehrer"


def test_a_router_that_says_so() -> None:
    """A router's own request tells vendor, model and serial number (TR-069, annex F)."""
    device = option(1, b"00AABB") + option(2, b"S123") + option(3, b"HomeBox 7")
    row = one(from_client(message(1, kind(1), option(125, b"\0\0\x0d\xe9" + bytes([len(device)]) + device))))
    assert row["attributes"] == {"type": "discover", "vendor": "3561", "model": "HomeBox 7", "serial": "S123"}
    row = one(from_client(message(1, kind(1), option(124, b"\0\0\0\x09\x05Phone"))))
    assert row["attributes"] == {"type": "discover", "vendor": "9", "model": "Phone"}


def test_a_message_without_a_mac() -> None:
    """Where the message has no hardware address the frame's counts, unless a relay sent it."""
    data = bytearray(message(1, kind(1)))
    data[2] = 0
    assert one(from_client(bytes(data)))["mac"] == "02:00:00:00:00:01"
    data[24:28] = packed("10.9.0.1")
    assert one(from_client(bytes(data)))["mac"] == "00:00:00:00:00:00"


def test_relays() -> None:
    """A relay agent's address, circuit and remote identifiers (RFC 3046) are told."""
    agent = option(82, option(1, b"ge-0/0/3") + option(2, b"\x02\0\0\0\0\xbb") + option(6, b"room 7"))
    row = one(from_client(message(1, kind(1), agent, relay="10.9.0.1")))
    assert row["attributes"] == {
        "type": "discover",
        "relay": "10.9.0.1",
        "circuit": "ge-0/0/3",
        "remote": "\\002\\000\\000\\000\\000\\187",
        "subscriber": "room 7",
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"bad\xff\n\x1b[31m", "bad\\255\\010\\027[31m"),
        (b"\xc2\x85", "\\194\\133"),
        (b"\0\0", ""),
        (b"", ""),
        (b"x" * 255, "x" * 255),
        ("é".encode() * 126 + b"\xffy", "é" * 126),
    ],
)
def test_names_are_text(name: bytes, told: str) -> None:
    """Names are UTF-8; control characters and invalid bytes are escaped; 255 bytes at most."""
    assert one(from_client(message(1, kind(1), option(12, name))))["name"] == told


def test_the_same_is_said_once_in_10_minutes() -> None:
    """A repeated request is one row in 10 minutes, and another after; a changed one is a row at once."""
    same = message(1, kind(3), option(12, b"pc"))
    packets = [from_client(same, T0 + n * 60 * SECOND) for n in range(21)]
    packets.append(from_client(message(1, kind(3), option(12, b"pc2")), T0 + 1_201 * SECOND))
    rows = rows_of(packets).sightings
    assert [row["ts"][11:16] for row in rows] == ["08:00", "08:10", "08:20", "08:20"]
    assert [row["name"] for row in rows] == ["pc", "pc", "pc", "pc2"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        message(1, kind(1))[:239],
        message(3, kind(1)),
        message(1, kind(0)),
        message(1, option(53, b"")),
        message(1)[:236] + bytes(8),
    ],
)
def test_what_is_no_dhcp(data: bytes) -> None:
    """Without the magic cookie or a known message type there is no sighting."""
    assert rows_of([from_client(data)]).sightings == []


def test_an_option_that_overruns_ends_the_options() -> None:
    """An option longer than the message is not read; what stands before it is."""
    cut = message(1, kind(1), option(12, b"pc"))[:-1] + b"\x3c\xffabc"
    row = one(from_client(cut))
    assert (row["name"], row["value"]) == ("pc", "")


def test_every_option_at_its_longest_fits() -> None:
    """Options of 255 bytes that need escapes are each cut at their share."""
    long = [option(code, b"\xff" * 255) for code in (12, 60, 55)]
    agent = option(82, option(1, b"\xff" * 120) + option(2, b"\xfe" * 120))
    row = one(from_client(message(1, kind(1), *long, agent, relay="255.255.255.255")))
    assert (len(row["name"]), len(row["value"])) == (252, 252)
    assert row["attributes"]["parameters"] == ",".join(["255"] * 64)
    assert len(row["attributes"]["circuit"]) == len(row["attributes"]["remote"]) == 252


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=12), st.binary(max_size=30))
def test_any_options(options: list[tuple[int, bytes]], rest: bytes) -> None:
    """Whatever options a message carries, it gives at most one sighting, in bounds."""
    data = message(1, kind(3), *(option(code, value) for code, value in options)) + rest
    assert len(rows_of([from_client(data), from_server(data)]).sightings) <= 2


def test_messages_of_another_encoder() -> None:
    """A message that dpkt packs is read as it meant it."""
    made = dpkt.dhcp.DHCP(
        op=1, chaddr=MAC, xid=1, opts=[(53, b"\x03"), (12, b"host"), (50, packed(OFFERED)), (55, b"\1\3")]
    )
    row = one(from_client(bytes(made)))
    assert (row["name"], row["ip"], row["mac"]) == ("host", OFFERED, "02:00:00:00:00:aa")
