"""GRE (RFC 2784, 2890, 1701) and what has its form: NVGRE, ERSPAN, PPTP's GRE, MikroTik's EoIP, WCCP."""

from capture.link import (
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_LEAST,
    ETHERTYPE_PPP,
    ETHERTYPE_WLAN,
    ip_version,
)
from capture.octets import u8, u16
from capture.shims import TUNNEL
from pipeline.kernels import packet_kernel

GRE, NVGRE, ERSPAN, PPTP, EOIP = (TUNNEL[word] for word in ("gre", "nvgre", "erspan", "pptp", "eoip"))

# Flags: checksum, routing, key, sequence number, and enhanced GRE's acknowledgement; the version.
CHECKSUM, ROUTING, KEY, SEQUENCE, ACKNOWLEDGEMENT, VERSION = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080, 7
#: Source routes of RFC 1701 followed; our default.
ROUTES_MAX = 8

# Protocol types beside Ethertypes: ERSPAN I and II, III, WCCP, and EoIP with its only flags.
PROTOCOL_ERSPAN, PROTOCOL_ERSPAN_3, PROTOCOL_WCCP, PROTOCOL_EOIP, EOIP_FLAGS = (
    0x88BE,
    0x22EB,
    0x883E,
    0x6400,
    0x2001,
)
#: Aruba's access points: 802.11 frames, the priority in the second nibble of the last byte.
PROTOCOL_ARUBA, ARUBA_MASK = 0x8200, 0xFE0F


@packet_kernel
def enters(packet, tunnel, ethertype, at):
    """True: what `tunnel` carries begins at `at`; False if that is beyond what was captured."""
    if at >= packet.end:
        return False
    packet.tunnel = tunnel
    packet.next_type = ethertype
    packet.next_at = at
    return True


@packet_kernel
def ends_at(packet, stop):
    """What is carried ends at `stop` at the latest."""
    packet.stop = min(packet.stop, stop)
    packet.end = min(packet.end, packet.stop)


@packet_kernel
def enter_gre(buf, at, packet):
    """The GRE header at `at`, of version 0 or 1."""
    end = packet.end
    if end - at < 4:
        return False
    flags, kind = u16(buf, at), u16(buf, at + 2)
    if flags & VERSION == 1:
        return enter_enhanced(buf, at, flags, kind, packet)
    if flags & VERSION != 0:
        return False
    position = at + 4
    if flags & (CHECKSUM | ROUTING):
        position += 4
    if flags & KEY:
        position += 4
    if flags & SEQUENCE:
        position += 4
    if flags & ROUTING:
        for _ in range(ROUTES_MAX):
            if end - position < 4:
                return False
            length = u8(buf, position + 3)
            position += 4 + length
            if length == 0:
                break
        else:
            return False
    if position >= end:
        return False
    if kind in (PROTOCOL_ERSPAN, PROTOCOL_ERSPAN_3):
        return enter_erspan(buf, position, flags, kind, packet)
    if kind == ETHERTYPE_ETHERNET:
        # RFC 7637, 3.2: key there, checksum and sequence number not.
        virtual = flags & (CHECKSUM | KEY | SEQUENCE) == KEY
        return enters(packet, NVGRE if virtual else GRE, kind, position)
    if kind == PROTOCOL_WCCP:
        # WCCP version 2 puts four bytes before the packet.
        return enters(packet, GRE, ETHERTYPE_IPV4, position if buf[position] >> 4 == 4 else position + 4)
    if kind & ARUBA_MASK == PROTOCOL_ARUBA:
        return enters(packet, GRE, ETHERTYPE_WLAN, position)
    return kind >= ETHERTYPE_LEAST and enters(packet, GRE, kind, position)


@packet_kernel
def enter_enhanced(buf, at, flags, kind, packet):
    """GRE version 1: PPTP's (RFC 2637, 4.1), whose key begins with the payload's length, and EoIP."""
    if packet.end - at < 8:
        return False
    length = u16(buf, at + 4)
    if kind == PROTOCOL_EOIP and flags == EOIP_FLAGS:
        # An empty one keeps the tunnel alive.
        if length == 0 or not enters(packet, EOIP, ETHERTYPE_ETHERNET, at + 8):
            return False
        ends_at(packet, at + 8 + length)
        return True
    if kind != ETHERTYPE_PPP or flags & KEY == 0 or flags & SEQUENCE == 0 or length == 0:
        return False
    position = at + (16 if flags & ACKNOWLEDGEMENT else 12)
    if not enters(packet, PPTP, ETHERTYPE_PPP, position):
        return False
    ends_at(packet, position + length)
    return True


@packet_kernel
def enter_erspan(buf, at, flags, kind, packet):
    """ERSPAN (draft-foschiano-erspan-03, 4): the mirrored frame, and the VLAN it was on.

    Type I has no header of its own and no sequence number; types II and III begin with version and VLAN. What
    carries the mirror has no part in it: its VLAN is not the frame's.
    """
    position = at
    vlan = 0
    ethertype = ETHERTYPE_ETHERNET
    if kind == PROTOCOL_ERSPAN_3:
        if packet.end - at < 12 or u8(buf, at) >> 4 != 2:
            return False
        vlan = u16(buf, at) & 0xFFF
        frame_type = u16(buf, at + 10) >> 10 & 31
        # A subheader for the platform.
        position = at + (20 if u8(buf, at + 11) & 1 else 12)
        if position >= packet.end:
            return False
        if frame_type == 2:
            ethertype = ip_version(buf, position)
        elif frame_type != 0:
            return False
    elif flags & SEQUENCE:
        if packet.end - at < 8 or u8(buf, at) >> 4 != 1:
            return False
        vlan = u16(buf, at) & 0xFFF
        position = at + 8
    if not enters(packet, ERSPAN, ethertype, position):
        return False
    packet.vlan = vlan
    return True
