"""What the tests of tunnels carry: one segment, and what a sensor made of it."""

import struct

from tests.capture.packets import SYN, T0, Packet, Rows, ethernet, ipv4, ipv6, rows_of, tcp

INNER_CLIENT, INNER_SERVER = "10.9.0.1", "10.9.0.2"
INNER_6 = "2001:db8:9::1", "2001:db8:9::2"
OUTER, OTHER = "198.51.100.1", "198.51.100.2"
OUTER_6 = "2001:db8::1", "2001:db8::2"
SEGMENT = tcp(SYN, 1)[34:]
IP4 = ipv4(SEGMENT, 6, INNER_CLIENT, INNER_SERVER, ident=7)
IP6 = ipv6(SEGMENT, 6, *INNER_6)
INNER_MAC = 0x02AA00000001
FRAME = ethernet(IP4, source=INNER_MAC)
FRAME_6 = ethernet(IP6, 0x86DD, source=INNER_MAC)
TAGGED = ethernet(IP4, source=INNER_MAC, tags=[(0x8100, 33)])
ARP = ethernet(
    struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    + INNER_MAC.to_bytes(6, "big")
    + b"\x0a\x09\0\1"
    + bytes(6)
    + b"\x0a\x09\0\2",
    0x0806,
    source=INNER_MAC,
)


def datagram(payload: bytes, target: int, source: int = 50_000, wire_length: int | None = None) -> bytes:
    """A UDP datagram without a checksum, as encapsulators send it."""
    length = 8 + len(payload) if wire_length is None else wire_length
    return struct.pack("!HHHH", source, target, length, 0) + payload


def over_udp(payload: bytes, target: int, source: int = 50_000) -> bytes:
    """A frame of the outer addresses with one datagram."""
    return ethernet(ipv4(datagram(payload, target, source), 17, OUTER, OTHER, ident=9))


def over_ip(payload: bytes, protocol: int) -> bytes:
    """A frame of the outer addresses with one packet of an IP protocol."""
    return ethernet(ipv4(payload, protocol, OUTER, OTHER, ident=9))


def over_ip6(payload: bytes, protocol: int) -> bytes:
    return ethernet(ipv6(payload, protocol, *OUTER_6), 0x86DD)


def seen(frame: bytes, link: int = 1, wire: int = 0) -> Rows:
    return rows_of([Packet(T0, frame, wire)], link=link)


def assert_inner(frame: bytes, tunnel: str, packet: bytes = IP4, link: int = 1) -> None:
    """The carried segment is the one flow, with its own bytes, and the tunnel has a word."""
    row = seen(frame, link).flow
    ends = (INNER_CLIENT, INNER_SERVER) if packet is IP4 else INNER_6
    assert (row["client"], row["server"], row["client_port"]) == (*ends, 40_000)
    assert (row["tunnel"], row["packets_up"], row["bytes_up"]) == (tunnel, 1, len(packet))


def assert_outer(frame: bytes, *, wire: int = 0) -> None:
    """Nothing was carried that is an IP packet: the packet around it counts, as no tunnel."""
    row = seen(frame, wire=wire).flow
    assert (row["client"], row["tunnel"], row["packets_up"]) == (OUTER, "", 1)
    assert row["bytes_up"] == (wire or len(frame)) - 14


def every_cut(frame: bytes) -> None:
    """However short the capture cut the frame, it is one packet of one flow, or truncated."""
    rows = rows_of(Packet(T0 + size * 10_000, frame[:size], len(frame)) for size in range(len(frame)))
    packets = sum(row["packets_up"] + row["packets_down"] for row in rows.flows)
    assert len(frame) - 14 - 20 <= packets <= len(frame) <= packets + rows.total("truncated")
    assert rows.total("malformed") == 0
