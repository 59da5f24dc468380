"""IPv4 and IPv6 headers: lengths, options, extension headers, fragments, what contradicts itself."""

import pytest

from tests.capture.packets import (
    CLIENT,
    SERVER,
    SYN,
    T0,
    Packet,
    Rows,
    ethernet,
    ipv4,
    ipv6,
    rows_of,
    tcp,
    udp,
)

SEGMENT = tcp(SYN, 1)[34:]
A, B = "2001:db8::1", "2001:db8::2"


def four(**fields: object) -> Rows:
    return rows_of([Packet(T0, ethernet(ipv4(SEGMENT, 6, **fields)))])  # type: ignore[arg-type]


def six(payload: bytes, following: int, **fields: int) -> Rows:
    return rows_of([Packet(T0, ethernet(ipv6(payload, following, A, B, **fields), 0x86DD))])


def test_lengths_are_the_headers() -> None:
    """Padding of short frames does not count: the IP header says how long the packet is."""
    packet = ipv4(SEGMENT, 6)
    row = rows_of([Packet(T0, ethernet(packet + bytes(6)))]).flow
    assert (row["bytes_up"], row["payload_up"]) == (40, 0)
    padded = ipv6(SEGMENT, 6, A, B)
    row = rows_of([Packet(T0, ethernet(padded + b"junk", 0x86DD))]).flow
    assert (row["bytes_up"], row["payload_up"]) == (60, 0)


def test_options_are_stepped_over() -> None:
    """An IPv4 header of 60 bytes leads to the same segment."""
    row = four(options=b"\x07\x27\x04" + bytes(37)).flow
    assert (row["client_port"], row["bytes_up"], row["flags_up"]) == (40_000, 80, SYN)


def test_a_length_left_to_the_card() -> None:
    """A total length of 0 (segmentation offload) is what the wire carried."""
    assert four(total=0).flow["bytes_up"] == 40
    assert six(SEGMENT, 6, length=0).flow["bytes_up"] == 60


@pytest.mark.parametrize(
    ("first", "total", "kind"),
    [
        (0x44, None, "malformed"),  # header of 16 bytes
        (0x55, None, "malformed"),  # version 5
        (0x4F, None, "malformed"),  # header of 60 bytes in a packet of 40
        (0x45, 19, "malformed"),
    ],
)
def test_contradictions(first: int, total: int | None, kind: str) -> None:
    """Headers that contradict themselves are counted and make no flow."""
    packet = bytearray(ipv4(SEGMENT, 6, total=total))
    packet[0] = first
    rows = rows_of([Packet(T0, ethernet(bytes(packet)))])
    assert (rows.flows, rows.total(kind)) == ([], 1)


@pytest.mark.parametrize("total", [41, 65_535])
def test_a_packet_longer_than_its_frame(total: int) -> None:
    """A packet longer, as it says, than its frame was on the wire counts as it says, and as truncated."""
    rows = four(total=total)
    assert (rows.flow["bytes_up"], rows.flow["client_port"], rows.total("truncated")) == (total, 40_000, 1)
    rows = six(SEGMENT, 6, length=total)
    assert (rows.flow["bytes_up"], rows.flow["client_port"], rows.total("truncated")) == (
        total + 40,
        40_000,
        1,
    )


@pytest.mark.parametrize(
    ("quirks", "fields"),
    [
        ("df", {"ident": 0}),
        ("df,id+", {"ident": 5}),
        ("id-", {"ident": 0, "flags": 0}),
        ("", {"ident": 5, "flags": 0}),
        ("df,ecn", {"ident": 0, "tos": 2}),
        ("df,0+", {"ident": 0, "flags": 0xC000}),
    ],
)
def test_quirks_of_the_header(quirks: str, fields: dict[str, int]) -> None:
    """Don't-fragment, identifiers, ECN and the reserved bit are quirks as p0f 3 names them."""
    assert four(**fields).flow["syn_signature"] == f"4:64:0:*:64240,0::{quirks}:0"


def test_flow_labels_are_a_quirk() -> None:
    """An IPv6 flow label is told."""
    packet = bytearray(ipv6(SEGMENT, 6, A, B))
    packet[3] = 5
    row = rows_of([Packet(T0, ethernet(bytes(packet), 0x86DD))]).flow
    assert row["syn_signature"] == "6:64:0:*:64240,0::flow:0"


def extension(following: int, units: int = 0) -> bytes:
    return bytes([following, units]) + bytes(6 + 8 * units)


@pytest.mark.parametrize(
    ("headers", "first"),
    [
        (extension(6), 0),
        (extension(43) + extension(60, 2) + extension(6), 0),
        (b"\x06\x04" + bytes(22), 51),  # authentication: length in units of 4
        (b"\x06\0\0\0\0\0\0\x05", 44),  # atomic fragment (RFC 6946)
        (extension(6), 135),
    ],
)
def test_extension_headers(headers: bytes, first: int) -> None:
    """The segment is found behind extension headers, and all of them count."""
    row = six(headers + SEGMENT, first).flow
    assert (row["protocol"], row["client_port"], row["bytes_up"]) == (6, 40_000, 60 + len(headers))


@pytest.mark.parametrize(
    ("payload", "first", "kind"),
    [
        (extension(0) * 13 + SEGMENT, 0, "malformed"),  # more than a packet has
        (b"\x06\xff" + bytes(60), 60, "malformed"),  # beyond the packet
        (b"\x06", 60, "truncated"),
        (b"\x06\0\0", 44, "truncated"),
        (b"", 0, "truncated"),
    ],
)
def test_unsound_extension_headers(payload: bytes, first: int, kind: str) -> None:
    """Chains that do not end or go beyond the packet are counted; the packet is one of its addresses."""
    rows = six(payload, first)
    assert (rows.flow["packets_up"], rows.flow["client_port"], rows.total(kind)) == (1, 0, 1)


def test_no_next_header() -> None:
    """A packet that ends with "no next header" is a flow of its protocol number."""
    assert six(b"", 59, length=0).flow["protocol"] == 59


def test_the_innermost_packet_of_udp_is_whole() -> None:
    """Addresses are mapped IPv4 in the record and dotted quads for people."""
    row = rows_of([Packet(T0, udp(b"x", 50_000, 9_999))]).flow
    assert (row["client"], row["server"]) == (CLIENT, SERVER)
