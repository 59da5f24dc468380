"""IPv4 (RFC 791) and IPv6 (RFC 8200): from the network header to the transport header."""

import numpy as np

from capture.octets import u8, u16, u32, u64
from pipeline.kernels import hot_kernel, packet_kernel

#: Greater than every TTL: no packet seen yet.
UNKNOWN_TTL = 256

#: Outcomes of decoding. `CUT` and `BROKEN`: counted as truncated or malformed, but the packet stands.
OK, TRUNCATED, MALFORMED, CUT, BROKEN = 0, 1, 2, 3, 4

#: Upper half of an IPv4-mapped address as int64, and the `ffff` of its lower half.
MAPPED_HI = 0
MAPPED_LO = 0xFFFF << 32

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION = 0, 43, 44, 51
DESTINATION, MOBILITY, HIP, SHIM6, NO_NEXT = 60, 135, 139, 140, 59
#: Extension headers (RFC 8200, 4; RFC 6275, 7401, 5533).
HEADERS_BETWEEN = (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, MOBILITY, HIP, SHIM6, AUTHENTICATION)
#: Extension headers followed before the packet counts as malformed; our default.
EXTENSIONS_MAX = 12

#: What is known of the frame at hand; one record, filled layer by layer.
PACKET = np.dtype(
    [
        ("ts", "i8"),
        ("source_mac", "i8"),
        ("target_mac", "i8"),
        ("vlan", "i8"),
        ("tunnel", "i8"),
        ("version", "i8"),
        ("source_hi", "i8"),
        ("source_lo", "i8"),
        ("target_hi", "i8"),
        ("target_lo", "i8"),
        ("protocol", "i8"),
        ("ttl", "i8"),
        ("ip_id", "i8"),
        ("ip_flags", "i8"),  # p0f quirk bits of the IP header
        ("ip_bytes", "i8"),  # length the IP header states
        ("at", "i8"),  # transport header in the buffer
        ("end", "i8"),  # end of what was captured of this packet
        ("transport_bytes", "i8"),  # transport header and payload on the wire
        ("fragment_offset", "i8"),  # bytes; -1 no fragment
        ("fragment_more", "i8"),
        ("source_port", "i8"),
        ("target_port", "i8"),
        ("tcp_flags", "i8"),
        ("seq", "i8"),
        ("ack", "i8"),
        ("window", "i8"),
        ("options", "i8"),  # start of the TCP options in the buffer
        ("payload", "i8"),  # start of the transport payload in the buffer
        ("payload_bytes", "i8"),  # transport payload on the wire
        ("checksum", "i8"),
        ("packets", "i8"),  # IP packets this one stands for (fragments put together)
        # where the walk through the layers stands (capture.shims, capture.tunnels)
        ("next_type", "i8"),  # what comes next, as in capture.link
        ("next_at", "i8"),  # where, in the buffer
        ("stop", "i8"),  # where the layer around it ends on the wire; `end`: in the buffer
    ],
    align=True,
)

# p0f 3 quirks of the IP header (README of p0f 3, "quirks").
QUIRK_DF, QUIRK_ID_PLUS, QUIRK_ID_MINUS, QUIRK_ECN, QUIRK_ZERO, QUIRK_FLOW = 1, 2, 4, 8, 16, 32


@hot_kernel
def decode_ipv4(buf, at, end, wire_bytes, packet):
    """Read the IPv4 header at `at`; `wire_bytes` is what the wire carried from there.

    Fills `packet` up to `fragment_more`; returns OK, TRUNCATED, MALFORMED, or CUT where the wire carried
    less than the header says. The header's length counts: mostly the capture was shortened afterwards.
    """
    if end - at < 20:
        return TRUNCATED
    header = (u8(buf, at) & 15) * 4
    total = u16(buf, at + 2)
    if header < 20 or u8(buf, at) >> 4 != 4:
        return MALFORMED
    if total == 0:
        # Segmentation offload leaves the length to the card.
        total = wire_bytes
    if total < header:
        return MALFORMED
    packet.version = 4
    packet.ip_bytes = total
    packet.ip_id = u16(buf, at + 4)
    word = u16(buf, at + 6)
    packet.ttl = u8(buf, at + 8)
    packet.protocol = u8(buf, at + 9)
    packet.source_hi = MAPPED_HI
    packet.source_lo = MAPPED_LO | u32(buf, at + 12)
    packet.target_hi = MAPPED_HI
    packet.target_lo = MAPPED_LO | u32(buf, at + 16)
    quirks = 0
    if word & 0x4000:
        quirks |= QUIRK_DF
        if packet.ip_id != 0:
            quirks |= QUIRK_ID_PLUS
    elif packet.ip_id == 0:
        quirks |= QUIRK_ID_MINUS
    if u8(buf, at + 1) & 3:
        quirks |= QUIRK_ECN
    if word & 0x8000:
        quirks |= QUIRK_ZERO
    packet.ip_flags = quirks
    packet.end = min(end, at + total)
    packet.at = min(at + header, packet.end)
    packet.transport_bytes = total - header
    packet.fragment_offset = -1
    packet.fragment_more = 0
    if word & 0x3FFF:
        packet.fragment_offset = (word & 0x1FFF) * 8
        packet.fragment_more = word >> 13 & 1
    return OK if total <= wire_bytes else CUT


@packet_kernel
def decode_ipv6(buf, at, end, wire_bytes, packet):
    """Read the IPv6 header at `at` and its extension headers; otherwise as `decode_ipv4`."""
    if end - at < 40:
        return TRUNCATED
    if u8(buf, at) >> 4 != 6:
        return MALFORMED
    payload = u16(buf, at + 4)
    if payload == 0 and buf[at + 6] != NO_NEXT:
        # A jumbogram (RFC 2675) or segmentation offload.
        payload = wire_bytes - 40
    packet.version = 6
    packet.ip_bytes = payload + 40
    packet.ip_id = 0
    packet.ttl = u8(buf, at + 7)
    packet.source_hi = u64(buf, at + 8)
    packet.source_lo = u64(buf, at + 16)
    packet.target_hi = u64(buf, at + 24)
    packet.target_lo = u64(buf, at + 32)
    quirks = 0
    if u32(buf, at) & 0x00300000:
        quirks |= QUIRK_ECN
    if u32(buf, at) & 0x000FFFFF:
        quirks |= QUIRK_FLOW
    packet.ip_flags = quirks
    packet.fragment_offset = -1
    packet.fragment_more = 0
    stop = at + 40 + payload
    packet.end = min(end, stop)
    status = walk_extensions(buf, at + 40, stop, u8(buf, at + 6), packet)
    return CUT if status == OK and payload + 40 > wire_bytes else status


@packet_kernel
def walk_extensions(buf, position, stop, following, packet):
    """Behind the extension headers from `position` on (RFC 8200, 4): the transport header, a fragment's data.

    Fills the rest of `packet`; OK, or CUT or BROKEN where a header is not all there or contradicts itself:
    the packet then is one of that header's number.
    """
    status = OK
    for _ in range(EXTENSIONS_MAX):
        if following == FRAGMENT:
            if packet.end - position < 8:
                status = CUT
                break
            word = u16(buf, position + 2)
            packet.ip_id = u32(buf, position + 4)
            following = u8(buf, position)
            position += 8
            # An atomic fragment (RFC 6946) is whole.
            if word & 0xFFF9:
                packet.fragment_offset = word & 0xFFF8
                packet.fragment_more = word & 1
                break
        elif following in (HOP_BY_HOP, ROUTING, DESTINATION, MOBILITY, HIP, SHIM6, AUTHENTICATION):
            if packet.end - position < 2:
                status = CUT
                break
            length = (u8(buf, position + 1) + 1) * 8
            if following == AUTHENTICATION:
                length = (u8(buf, position + 1) + 2) * 4
            if position + length > stop:
                status = BROKEN
                break
            if following in (MOBILITY, HIP, SHIM6) and buf[position] == NO_NEXT:
                # Not on the way to anything: the protocol itself.
                break
            following = u8(buf, position)
            position += length
        else:
            break
    else:
        status = BROKEN
    if position > packet.end:
        status = CUT
    packet.protocol = following
    packet.at = min(position, packet.end)
    packet.transport_bytes = stop - position
    return status


@packet_kernel
def is_group(high, low):
    """True for a multicast address (RFC 1112, RFC 4291) or IPv4's limited broadcast (RFC 919)."""
    if high == MAPPED_HI and low >> 32 == 0xFFFF:
        return low & 0xF0000000 == 0xE0000000 or low & 0xFFFFFFFF == 0xFFFFFFFF
    return high >> 56 & 0xFF == 0xFF
