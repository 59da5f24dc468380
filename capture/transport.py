"""TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792) and ICMPv6 (RFC 4443) headers: ports and payload."""

from capture.network import MALFORMED, OK, TRUNCATED
from capture.octets import u8, u16, u32
from pipeline.kernels import hot_kernel, packet_kernel

ICMP, TCP, UDP, ICMP6, SCTP = 1, 6, 17, 58, 132

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


@packet_kernel
def icmp_peer(protocol, kind):
    """Type that answers (or asks for) an ICMP type, -1 for one-way types (Community ID specification)."""
    if protocol == ICMP:
        if kind in (0, 8):
            return 8 - kind
        if kind in (13, 14):
            return 27 - kind
        if kind in (15, 16):
            return 31 - kind
        if kind in (17, 18):
            return 35 - kind
        if kind in (9, 10):
            return 19 - kind
        return -1
    if kind in (128, 129):
        return 257 - kind
    if kind in (133, 134):
        return 267 - kind
    if kind in (135, 136):
        return 271 - kind
    if kind in (130, 131):
        return 261 - kind
    if kind in (139, 140):
        return 279 - kind
    if kind in (144, 145):
        return 289 - kind
    return -1


@packet_kernel
def no_transport(packet):
    """A packet whose transport header is not there, such as a later fragment: no ports, all payload. OK."""
    packet.source_port = 0
    packet.target_port = 0
    packet.tcp_flags = 0
    packet.seq = 0
    packet.ack = 0
    packet.checksum = 0
    packet.payload = packet.end
    packet.payload_bytes = packet.transport_bytes
    return OK


@hot_kernel
def decode_transport(buf, packet):
    """Read the transport header at `packet.at`; fills ports, TCP fields, payload. OK, TRUNCATED or MALFORMED.

    On TRUNCATED or MALFORMED the ports stand if they were there, and the payload is empty: the packet
    still counts in its flow.
    """
    at, end = packet.at, packet.end
    here = end - at
    packet.source_port = 0
    packet.target_port = 0
    packet.tcp_flags = 0
    packet.seq = 0
    packet.ack = 0
    packet.checksum = 0
    packet.payload = end
    packet.payload_bytes = 0
    protocol = packet.protocol
    if protocol == TCP:
        if here < 4:
            return TRUNCATED
        packet.source_port = u16(buf, at)
        packet.target_port = u16(buf, at + 2)
        if here < 20:
            return TRUNCATED
        packet.seq = u32(buf, at + 4)
        packet.ack = u32(buf, at + 8)
        packet.tcp_flags = u8(buf, at + 13)
        packet.window = u16(buf, at + 14)
        packet.checksum = u16(buf, at + 16)
        packet.options = at + 20
        header = (u8(buf, at + 12) >> 4) * 4
        if header < 20 or header > packet.transport_bytes:
            packet.options = end
            return MALFORMED
        packet.payload = min(at + header, end)
        packet.payload_bytes = packet.transport_bytes - header
        return OK
    if protocol == UDP:
        if here < 4:
            return TRUNCATED
        packet.source_port = u16(buf, at)
        packet.target_port = u16(buf, at + 2)
        if here < 8:
            return TRUNCATED
        packet.checksum = u16(buf, at + 6)
        length = u16(buf, at + 4)
        if length == 0:
            length = packet.transport_bytes
        if length < 8 or length > packet.transport_bytes:
            return MALFORMED
        packet.payload = at + 8
        packet.payload_bytes = length - 8
        packet.end = min(end, at + length)
        return OK
    if protocol in (ICMP, ICMP6):
        if here < 4:
            return TRUNCATED
        kind = u8(buf, at)
        peer = icmp_peer(protocol, kind)
        packet.source_port = kind
        packet.target_port = u8(buf, at + 1) if peer < 0 else peer
        packet.checksum = u16(buf, at + 2)
        packet.payload = min(at + 8, end)
        packet.payload_bytes = max(packet.transport_bytes - 8, 0)
        return OK
    if protocol == SCTP and here >= 4:
        packet.source_port = u16(buf, at)
        packet.target_port = u16(buf, at + 2)
    packet.payload = at
    packet.payload_bytes = packet.transport_bytes
    return OK
