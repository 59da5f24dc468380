"""TCP, UDP and ICMP headers: ports, payload, what is cut or contradicts itself."""

import struct

import pytest

from capture.transport import icmp_peer
from pipeline.records import _ICMP_PEER
from tests.capture.packets import ACK, CLIENT, SERVER, T0, Packet, Rows, ethernet, ip, ipv4, rows_of, tcp


def datagram(data: bytes) -> Rows:
    return rows_of([Packet(T0, ip(data, 17, CLIENT, SERVER))])


def test_udp_length_is_the_headers() -> None:
    """What follows the length of a datagram within its packet is no payload."""
    row = datagram(struct.pack("!HHHH", 50_000, 9_999, 12, 0) + b"four and more").flow
    assert (row["payload_up"], row["bytes_up"]) == (4, 41)


def test_udp_length_0_is_the_packets() -> None:
    """A length of 0 (RFC 2675) is the rest of the packet."""
    assert datagram(struct.pack("!HHHH", 50_000, 9_999, 0, 0) + b"four").flow["payload_up"] == 4


@pytest.mark.parametrize("length", [1, 7, 13, 65_535])
def test_udp_lengths_that_contradict(length: int) -> None:
    """Such a datagram counts in the flow of its ports, as malformed and without payload."""
    rows = datagram(struct.pack("!HHHH", 50_000, 9_999, length, 0) + b"four")
    assert (rows.total("malformed"), rows.flow["payload_up"], rows.flow["client_port"]) == (1, 0, 50_000)


@pytest.mark.parametrize("header", [0, 4, 15])
def test_tcp_header_lengths_that_contradict(header: int) -> None:
    """A data offset below 5 or beyond the segment is malformed; the packet counts in its flow."""
    frame = bytearray(tcp(ACK, 5, payload=b"x" * 10))
    frame[14 + 20 + 12] = header << 4
    rows = rows_of([Packet(T0, bytes(frame))])
    assert (rows.total("malformed"), rows.flow["payload_up"], rows.flow["packets_up"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("protocol", "size", "ports"),
    [(6, 3, False), (6, 4, True), (6, 19, True), (17, 3, False), (17, 4, True), (17, 7, True), (1, 3, False)],
)
def test_packets_too_short_for_their_header(protocol: int, size: int, ports: bool) -> None:
    """They are truncated, count in a flow, and have the ports that are there."""
    data = struct.pack("!HH", 50_000, 9_999) + bytes(16)
    rows = rows_of([Packet(T0, ethernet(ipv4(data[:size], protocol)))])
    assert rows.total("truncated") == 1
    assert (rows.flow["client_port"], rows.flow["packets_up"]) == (50_000 if ports else 0, 1)


def test_payload_is_what_the_wire_carried() -> None:
    """A cut frame's payload counts with its length on the wire."""
    frame = tcp(ACK, 5, payload=b"x" * 1_000)
    row = rows_of([Packet(T0, frame[:60], len(frame))]).flow
    assert (row["payload_up"], row["bytes_up"]) == (1_000, 1_040)
    row = rows_of([Packet(T0, frame[:54], len(frame))]).flow
    assert (row["payload_up"], row["bytes_up"]) == (1_000, 1_040)


@pytest.mark.parametrize("protocol", [0, 2, 47, 50, 89, 255])
def test_other_protocols_are_flows_without_ports(protocol: int) -> None:
    """Whatever the protocol, packets between two addresses are a flow."""
    row = rows_of([Packet(T0, ethernet(ipv4(b"abcdefgh", protocol)))]).flow
    assert (row["protocol"], row["client_port"], row["server_port"], row["payload_up"]) == (protocol, 0, 0, 8)


@pytest.mark.uncompiled
@pytest.mark.parametrize("protocol", [1, 58])
def test_icmp_types_have_the_peers_of_the_community_id(protocol: int) -> None:
    """The sensor and the Community ID agree on which types answer which."""
    for kind in range(256):
        assert icmp_peer(protocol, kind) == _ICMP_PEER[protocol].get(kind, -1)
