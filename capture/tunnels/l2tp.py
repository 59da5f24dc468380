"""L2TP's data messages: version 2 with PPP (RFC 2661, 3.1), version 3 with what its session is for."""

from capture.link import ETHERTYPE_ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_PPP
from capture.octets import u16, u32
from capture.shims import PPP_IPV4, PPP_IPV6, TUNNEL, is_ethernet, is_ip
from capture.tunnels.gre import ends_at, enters
from pipeline.kernels import packet_kernel

L2TP = TUNNEL["l2tp"]

# Flags: control message, length, sequence numbers, offset; bits that are zero, and the version.
CONTROL, LENGTH, SEQUENCE, OFFSET, RESERVED, VERSION = 0x8000, 0x4000, 0x0800, 0x0200, 0x34F0, 15
#: Bytes that cookie (0, 4 or 8) and sublayer (0 or 4) may take; the message does not say.
SUBLAYERS = (0, 4, 8, 12)
#: Cisco HDLC's address and control of unicast and broadcast.
HDLC_HEADS = (0x0F00, 0x8F00)


@packet_kernel
def enter_l2tp(buf, at, packet):
    """A data message over UDP."""
    if packet.end - at < 8:
        return False
    flags = u16(buf, at)
    if flags & CONTROL:
        return False
    if flags & VERSION == 3:
        return flags == 3 and enter_session(buf, at + 4, packet)
    if flags & VERSION != 2 or flags & RESERVED:
        return False
    position = at + 2
    stop = packet.stop
    if flags & LENGTH:
        stop = at + u16(buf, position)
        position += 2
    position += 4
    if flags & SEQUENCE:
        position += 4
    if flags & OFFSET:
        if packet.end - position < 2:
            return False
        position += 2 + u16(buf, position)
    if stop > packet.stop or not enters(packet, L2TP, ETHERTYPE_PPP, position):
        return False
    ends_at(packet, stop)
    return True


@packet_kernel
def enter_session(buf, at, packet):
    """A data message of version 3 from its session number on (RFC 3931, 4.1): Ethernet, HDLC or PPP."""
    if packet.end - at < 5 or u32(buf, at) == 0:
        return False
    for skipped in SUBLAYERS:
        position = at + 4 + skipped
        if packet.end - position < 24:
            return False
        if is_ethernet(buf, position, packet.end):
            return enters(packet, L2TP, ETHERTYPE_ETHERNET, position)
        kind = u16(buf, position + 2)
        if (u16(buf, position) in HDLC_HEADS and kind in (ETHERTYPE_IPV4, ETHERTYPE_IPV6)) and is_ip(
            buf, position + 4, packet.end, packet.stop
        ):
            return enters(packet, L2TP, kind, position + 4)
        if u16(buf, position) == 0xFF03 and kind in (PPP_IPV4, PPP_IPV6):
            return enters(packet, L2TP, ETHERTYPE_PPP, position)
    return False
