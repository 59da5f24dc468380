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


def test_a_solicitation_is_about_its_sender() -> None:
    """Who asks is told with whom it asks for; a duplicate address check has no own address."""
    row = one(packet(135, target("2001:db8::99", option(1, mac(SENDER)))))
    assert (row["mac"], row["ip"], row["value"]) == ("02:00:00:00:00:aa", HOST, "2001:db8::99")
    assert one(packet(135, target("fe80::aa"), source="::"))["ip"] == "::"


def test_a_router_advertisement() -> None:
    """A router is told with its first prefix and lifetime."""
    prefix = struct.pack("!BBIII", 64, 0xC0, 86_400, 14_400, 0) + ipaddress.IPv6Address("2001:db8:5::").packed
    body = struct.pack("!BBHII", 64, 0, 1_800, 0, 0) + option(1, mac(SENDER)) + option(3, prefix)
    row = one(packet(134, body, ROUTER))
    assert (row["source"], row["ip"], row["value"]) == ("ra", ROUTER, "2001:db8:5::/64")
    assert row["attributes"] == {"lease": "1800"}
    assert one(packet(134, body[:12], ROUTER))["value"] == ""


@pytest.mark.parametrize(
    "made",
    [
        packet(136, target("fe80::1"), ttl=254),
        packet(136, target("fe80::1")[:19]),
        packet(134, bytes(11)),
        packet(133, bytes(20)),
        packet(128, bytes(20)),
    ],
)
def test_what_says_nothing(made: Packet) -> None:
    """Forwarded, cut and other messages are no sightings, and still flows."""
    rows = rows_of([made])
    assert (rows.sightings, rows.flow["application"]) == ([], "icmp6")


@pytest.mark.parametrize("bad", [b"\x02\0" + mac(OTHER), b"\x02\x05" + mac(OTHER), b"\x02"])
def test_unsound_options_are_not_read(bad: bytes) -> None:
    """An option of length 0 or beyond the message leaves the frame's own MAC."""
    assert one(packet(136, target("fe80::1") + bad))["mac"] == "02:00:00:00:00:aa"


def test_repetition() -> None:
    """The same advertisement is told once in 10 minutes."""
    made = [packet(136, target("fe80::aa"), ts=T0 + n * 100 * SECOND) for n in range(8)]
    assert len(rows_of(made).sightings) == 2


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([133, 134, 135, 136]), st.binary(max_size=90))
def test_any_bytes(kind: int, body: bytes) -> None:
    """No message makes more than one sighting or reads outside of itself."""
    rows = rows_of([packet(kind, body)])
    assert len(rows.sightings) <= 1
    assert rows.total("packets") == 1
