"""Neighbour and router discovery sightings."""

import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import SECOND, T0, Packet, ethernet, ipv6, mac, rows_of

HOST, ROUTER, ALL = "fe80::aa", "fe80::1", "ff02::1"
SENDER, OTHER = 0x0200000000AA, 0x0200000000CC


def option(kind: int, data: bytes) -> bytes:
    return bytes([kind, (len(data) + 2) // 8]) + data


def packet(kind: int, body: bytes, source: str = HOST, ttl: int = 255, ts: int = T0) -> Packet:
    data = bytes([kind, 0, 0, 0]) + body
    return Packet(ts, ethernet(ipv6(data, 58, source, ALL, ttl=ttl), 0x86DD, SENDER, 0x333300000001))


def target(address: str, *options: bytes) -> bytes:
    return bytes(4) + ipaddress.IPv6Address(address).packed + b"".join(options)


def one(made: Packet) -> dict[str, Any]:
    (row,) = rows_of([made]).sightings
    return row


def test_an_advertisement_is_about_its_target() -> None:
    """The target's address is its target link address's, or the frame's."""
    row = one(packet(136, target("2001:db8::aa", option(2, mac(OTHER)))))
    assert (row["source"], row["mac"], row["ip"], row["value"]) == (
        "ndp",
        "02:00:00:00:00:cc",
        "2001:db8::aa",
        "",
    )
    assert one(packet(136, target("2001:db8::aa")))["mac"] == "02:00:00:00:00:aa"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (0x60, {"op": "advertisement"}),
        (0xE0, {"op": "advertisement", "flags": "router"}),
        (0x20, {"op": "announcement"}),
        (0x80, {"op": "announcement", "flags": "router"}),
    ],
)
def test_unasked_advertisements(flags: int, told: dict[str, str]) -> None:
    """What nobody asked for is an announcement; routers say that they are."""
    assert one(packet(136, bytes([flags]) + target("2001:db8::aa")[1:]))["attributes"] == told


def test_a_solicitation_is_about_its_sender() -> None:
    """Who asks is told with whom it asks for; a duplicate address check has no own address."""
    row = one(packet(135, target("2001:db8::99", option(1, mac(SENDER)))))
    assert (row["mac"], row["ip"], row["value"]) == ("02:00:00:00:00:aa", HOST, "2001:db8::99")
    assert row["attributes"] == {"op": "solicitation"}
    row = one(packet(135, target("fe80::aa"), source="::"))
    assert (row["ip"], row["value"], row["attributes"]) == ("::", "fe80::aa", {"op": "probe"})


def test_who_looks_for_a_router() -> None:
    """A host that asks for routers is told with its address, if it has one."""
    row = one(packet(133, bytes(4) + option(1, mac(OTHER))))
    assert (row["mac"], row["ip"], row["attributes"]) == (
        "02:00:00:00:00:cc",
        HOST,
        {"op": "router_solicitation"},
    )
    assert one(packet(133, bytes(4), source="::"))["ip"] == "::"


def test_a_redirect() -> None:
    """Who redirects is told with the next hop that it names."""
    row = one(packet(137, target("fe80::7") + bytes(16) + option(2, mac(OTHER)), ROUTER))
    assert (row["mac"], row["ip"], row["value"], row["attributes"]) == (
        "02:00:00:00:00:aa",
        ROUTER,
        "fe80::7",
        {"op": "redirect"},
    )


def prefix(address: str, valid: int = 86_400) -> bytes:
    head = struct.pack("!BBIII", 64, 0xC0, valid, 14_400, 0)
    return option(3, head + ipaddress.IPv6Address(address).packed)


def test_a_router_advertisement() -> None:
    """A router is told with its first prefix and lifetime."""
    body = struct.pack("!BBHII", 64, 0, 1_800, 0, 0) + option(1, mac(OTHER)) + prefix("2001:db8:5::")
    row = one(packet(134, body, ROUTER))
    assert (row["source"], row["mac"], row["ip"], row["value"]) == (
        "ra",
        "02:00:00:00:00:cc",
        ROUTER,
        "2001:db8:5::/64",
    )
    assert row["attributes"] == {"lease": "1800", "hop_limit": "64"}
    row = one(packet(134, body[:12], ROUTER))
    assert (row["value"], row["mac"]) == ("", "02:00:00:00:00:aa")


def test_all_of_a_router() -> None:
    """Flags, preference, MTU, resolvers, search list and further prefixes are told."""
    resolvers = b"".join(ipaddress.IPv6Address(a).packed for a in ("2001:db8::53", "2001:db8::54"))
    body = (
        struct.pack("!BBHII", 0, 0xC8, 0, 0, 0)
        + option(5, struct.pack("!HI", 0, 1_480))
        + prefix("2001:db8:5::")
        + option(25, struct.pack("!HI", 0, 600) + resolvers)
        + option(31, struct.pack("!HI", 0, 600) + b"\x06schule\x07example\0" + bytes(8))
        + prefix("fd00:5::")
        + prefix("fd00:6::")
    )
    assert one(packet(134, body, ROUTER))["attributes"] == {
        "lease": "0",
        "flags": "other,managed,high",
        "mtu": "1480",
        "dns": "2001:db8::53,2001:db8::54",
        "domain": "schule.example",
        "prefix": "fd00:5::/64,fd00:6::/64",
    }
    low = struct.pack("!BBHII", 0, 0x38, 0, 0, 0)
    assert one(packet(134, low, ROUTER))["attributes"]["flags"] == "home_agent,low"


def test_more_prefixes_than_fit() -> None:
    """Of many prefixes those that fit are told."""
    body = bytes(12) + b"".join(
        prefix(f"2001:db8:aaaa:{n:x}:bbbb:cccc:dddd:eeee") for n in range(0x1000, 0x1014)
    )
    told = one(packet(134, body, ROUTER))["attributes"]["prefix"].split(",")
    assert told == [f"2001:db8:aaaa:{n:x}:bbbb:cccc:dddd:eeee/64" for n in range(0x1001, 0x1007)]


@pytest.mark.parametrize(
    "made",
    [
        packet(136, target("fe80::1"), ttl=254),
        packet(136, target("fe80::1")[:19]),
        packet(134, bytes(11)),
        packet(133, bytes(3)),
        packet(137, bytes(35)),
        packet(128, bytes(20)),
        packet(143, bytes(20)),
    ],
)
def test_what_says_nothing(made: Packet) -> None:
    """Forwarded, cut and other messages are no sightings, and still flows."""
    rows = rows_of([made])
    assert (rows.sightings, rows.flow["application"]) == ([], "icmp6")


@pytest.mark.parametrize(
    "bad", [b"\x02\0" + mac(OTHER), b"\x02\x05" + mac(OTHER), b"\x02", b"\x02\x02" + bytes(14)]
)
def test_unsound_options_are_not_read(bad: bytes) -> None:
    """An option of length 0 or beyond the message leaves the frame's own MAC."""
    assert one(packet(136, target("fe80::1") + bad))["mac"] == "02:00:00:00:00:aa"


def test_repetition() -> None:
    """The same advertisement is told once in 10 minutes; so is a router's whose lifetimes count down."""
    made = [packet(136, target("fe80::aa"), ts=T0 + n * 100 * SECOND) for n in range(8)]
    assert len(rows_of(made).sightings) == 2
    made = [
        packet(134, bytes(12) + prefix("2001:db8::", 86_400 - n), ts=T0 + n * 100 * SECOND) for n in range(8)
    ]
    assert len(rows_of(made).sightings) == 2


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([133, 134, 135, 136, 137]), st.binary(max_size=90))
def test_any_bytes(kind: int, body: bytes) -> None:
    """No message makes more than one sighting or reads outside of itself."""
    rows = rows_of([packet(kind, body)])
    assert len(rows.sightings) <= 1
    assert rows.total("packets") == 1
