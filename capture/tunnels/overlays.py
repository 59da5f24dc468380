"""Overlays over UDP: VXLAN (RFC 7348) and GPE, Geneve (RFC 8926), LISP (RFC 9300), GTP-U (TS 29.281)."""

from capture.link import (
    ETHERTYPE_ARP,
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_NONE,
    ip_version,
)
from capture.network import OK
from capture.octets import u8, u16
from capture.shims import ETHERTYPE_NSH, TUNNEL, by_next_protocol, is_ethernet, is_ip
from capture.tunnels.gre import ends_at, enters
from pipeline.kernels import packet_kernel

VXLAN, GENEVE, LISP, GTP = (TUNNEL[word] for word in ("vxlan", "geneve", "lisp", "gtp"))

# VXLAN's flags: group policy, instance, and GPE's version and next protocol.
POLICY, INSTANCE, GPE_VERSION, GPE_NEXT = 0x80, 0x08, 0x30, 0x04
GENEVE_PROTOCOLS = (
    ETHERTYPE_ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP, ETHERTYPE_MPLS, ETHERTYPE_NSH,
)  # fmt: skip
# GTP-U (TS 29.281, 5.1): version 1 and protocol type, extension header, any optional field; a user's packet.
GTP_VERSION, GTP_VERSION_MASK, GTP_EXTENDED, GTP_OPTIONAL, GTP_PDU = 0x30, 0xF0, 4, 7, 255
#: Extension headers followed; our default.
GTP_EXTENSIONS_MAX = 8


@packet_kernel
def enter_vxlan(buf, at, packet):
    """VXLAN and VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe-12, 3).

    Reserved bits are to be ignored, but something else may use the port: where they are set, a frame of a
    known type must follow.
    """
    if packet.end - at < 16:
        return False
    flags = u8(buf, at)
    if flags & INSTANCE == 0:
        return False
    if flags & GPE_NEXT:
        if flags & GPE_VERSION or by_next_protocol(packet, u8(buf, at + 3), at + 8) != OK:
            return False
        packet.tunnel = VXLAN
        return True
    if flags & ~(POLICY | INSTANCE) and not is_ethernet(buf, at + 8, packet.end):
        return False
    return enters(packet, VXLAN, ETHERTYPE_ETHERNET, at + 8)


@packet_kernel
def enter_geneve(buf, at, packet):
    """Geneve: version 0, options in words of four bytes, an Ethertype."""
    if packet.end - at < 8 or u8(buf, at) >> 6 != 0:
        return False
    kind = u16(buf, at + 2)
    return kind in GENEVE_PROTOCOLS and enters(packet, GENEVE, kind, at + 8 + (u8(buf, at) & 63) * 4)


@packet_kernel
def enter_lisp(buf, at, packet):
    """LISP's data packets: eight bytes, then an IP packet."""
    if packet.end - at < 28 or not is_ip(buf, at + 8, packet.end, packet.stop):
        return False
    return enters(packet, LISP, ip_version(buf, at + 8), at + 8)


@packet_kernel
def enter_gtp(buf, at, packet):
    """GTP-U: a G-PDU, its extension headers passed over, with an IP packet or an Ethernet frame."""
    end = packet.end
    if end - at < 8 or u8(buf, at) & GTP_VERSION_MASK != GTP_VERSION or buf[at + 1] != GTP_PDU:
        return False
    flags = u8(buf, at)
    stop = at + 8 + u16(buf, at + 2)
    position = at + 8
    if flags & GTP_OPTIONAL:
        position += 4
        if position > end:
            return False
        following = u8(buf, position - 1) if flags & GTP_EXTENDED else 0
        for _ in range(GTP_EXTENSIONS_MAX):
            if following == 0:
                break
            if position >= end:
                return False
            length = u8(buf, position) * 4
            position += length
            if length == 0 or position > end:
                return False
            following = u8(buf, position - 1)
    if position >= end or stop > packet.stop:
        return False
    ethertype = ip_version(buf, position)
    if not is_ip(buf, position, end, stop) and is_ethernet(buf, position, end):
        ethertype = ETHERTYPE_ETHERNET
    if ethertype == ETHERTYPE_NONE or not enters(packet, GTP, ethertype, position):
        return False
    ends_at(packet, stop)
    return True
