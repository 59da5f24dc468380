"""What stands between a link layer and IP: tags, labels, PPP and LLC, peeled off one after the other.

`walk_shims` begins where `packet.next_type` and `packet.next_at` point and leads to an IP header, or to what
is none. Nothing here is an IP packet yet, so nothing of it is lost by going on.
"""

from capture.announcements import ETHERTYPE_CDP
from capture.link import (
    ETHERTYPE_ARP,
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_LEAST,
    ETHERTYPE_LLC,
    ETHERTYPE_MPLS,
    ETHERTYPE_MPLS_UPSTREAM,
    ETHERTYPE_PPP,
    ETHERTYPE_PPPOE,
    decode_ethernet,
    is_tag,
    walk_tags,
)
from capture.network import MALFORMED, OK, TRUNCATED
from capture.octets import u8, u16, u24
from pipeline.kernels import packet_kernel
from pipeline.records import TUNNELS

TUNNEL = {word: code for code, word in enumerate(TUNNELS)}
MPLS, PPPOE, PBB, TRILL, MACSEC = (TUNNEL[word] for word in ("mpls", "pppoe", "pbb", "trill", "macsec"))

#: Outcomes beside those of `capture.network`: no IP, and nothing that we know.
UNKNOWN = 5
#: Headers peeled off before a frame counts as malformed; our default.
SHIMS_MAX = 32
#: Labels of one stack; our default.
LABELS_MAX = 16

#: 802.1ah I-tag, and the same as the standard's drafts had it.
ETHERTYPE_PBB = 0x88E7
#: 802.1BR E-tag, Cisco's VN-tag, Cisco's security group tag, its FabricPath.
ETHERTYPE_ETAG, ETHERTYPE_VNTAG, ETHERTYPE_CMD, ETHERTYPE_FABRICPATH = 0x893F, 0x8926, 0x8909, 0x8903
ETHERTYPE_MACSEC, ETHERTYPE_TRILL, ETHERTYPE_NSH = 0x88E5, 0x22F3, 0x894F
# MACsec's TCI (802.1AE, 9.5): secure channel identifier present, encrypted or changed text; its check value.
MACSEC_SCI, MACSEC_SECRET, MACSEC_ICV = 0x20, 0x0C, 16

#: Ethertypes that show a run of bytes to be a frame.
KNOWN_TYPES = (ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP, ETHERTYPE_MPLS, ETHERTYPE_PPPOE)

# PPP protocols (IANA, PPP numbers).
PPP_IPV4, PPP_IPV6, PPP_MPLS, PPP_MPLS_MULTICAST, PPP_CDP = 0x0021, 0x0057, 0x0281, 0x0283, 0x0207
# LLC: service access points of IP and SNAP; organisations: 802.1H's (an Ethertype follows, as with 0),
# of bridged frames (RFC 2684), of Cisco, and the addresses of its ISL.
LLC_IP, LLC_SNAP, OUI_BRIDGE_TUNNEL, OUI_BRIDGED, OUI_CISCO = 0x060603, 0xAAAA03, 0x0000F8, 0x0080C2, 0x00000C
ISL_ADDRESSES = (0x01000C0000, 0x03000C0000)
# NSH (RFC 8300, 2.2): next protocols.
NSH_IPV4, NSH_IPV6, NSH_ETHERNET, NSH_NSH, NSH_MPLS = 1, 2, 3, 4, 5


@packet_kernel
def goes_on(packet, ethertype, at):
    """The next header is at `at`: OK, TRUNCATED if that is beyond what was captured."""
    packet.next_type = ethertype
    packet.next_at = at
    return OK if at < packet.end else TRUNCATED


@packet_kernel
def is_ip(buf, at, end, stop):
    """True if a plausible IP header begins at `at`, of a packet that fits before `stop`."""
    if stop - at < 20 or end - at < 6:
        return False
    if buf[at] >> 4 == 4:
        return buf[at] & 15 >= 5 and (u16(buf, at + 2) == 0 or 20 <= u16(buf, at + 2) <= stop - at)
    return buf[at] >> 4 == 6 and stop - at >= 40 and u16(buf, at + 4) + 40 <= stop - at


@packet_kernel
def is_ethernet(buf, at, end):
    """True if an Ethernet frame that carries something known may begin at `at`."""
    if end - at < 14:
        return False
    kind = u16(buf, at + 12)
    return kind in KNOWN_TYPES or is_tag(kind)


@packet_kernel
def read_ethernet(buf, packet):
    """A whole Ethernet frame: its addresses, and its VLAN if it has one, are the packet's."""
    ethertype, at = decode_ethernet(buf, packet.next_at, packet.end, packet)
    return TRUNCATED if at < 0 else goes_on(packet, ethertype, at)


@packet_kernel
def read_tags(buf, packet):
    """VLAN tags."""
    ethertype, at = walk_tags(buf, packet.next_at, packet.end, packet.next_type, packet)
    return TRUNCATED if at < 0 else goes_on(packet, ethertype, at)


@packet_kernel
def read_mpls(buf, packet):
    """A label stack (RFC 3032); the first nibble shows what it carries (RFC 4928), in a pseudowire Ethernet.

    A pseudowire's control word has nibble 0 (RFC 4385, 3); without one the frame's address may look like IP.
    """
    at = packet.next_at
    packet.tunnel = MPLS
    for _ in range(LABELS_MAX):
        if packet.end - at < 4:
            return TRUNCATED
        at += 4
        if buf[at - 2] & 1:
            break
    else:
        return MALFORMED
    if at >= packet.end:
        return TRUNCATED
    nibble = u8(buf, at) >> 4
    end, stop = packet.end, packet.stop
    plain = is_ethernet(buf, at, end)
    framed = plain and (is_ip(buf, at + 14, end, stop) or not is_ip(buf, at, end, stop))
    if nibble in (4, 6) and not framed:
        return goes_on(packet, ETHERTYPE_IPV4 if nibble == 4 else ETHERTYPE_IPV6, at)
    if buf[at] == 0 and packet.end - at > 4 and (not plain or is_ethernet(buf, at + 4, packet.end)):
        return goes_on(packet, ETHERTYPE_ETHERNET, at + 4)
    if plain or nibble == 0:
        return goes_on(packet, ETHERTYPE_ETHERNET, at)
    return UNKNOWN


@packet_kernel
def read_pppoe(buf, packet):
    """PPPoE's session stage (RFC 2516, 4): its length ends the frame's padding."""
    at = packet.next_at
    if packet.end - at < 6:
        return TRUNCATED
    if u16(buf, at) != 0x1100:
        return UNKNOWN
    packet.tunnel = PPPOE
    packet.stop = min(packet.stop, at + 6 + u16(buf, at + 4))
    packet.end = min(packet.end, packet.stop)
    return goes_on(packet, ETHERTYPE_PPP, at + 6)


@packet_kernel
def read_ppp(buf, packet):
    """PPP (RFC 1661, 2; 1662, 3.1): address, control and the protocol's first byte may be left out."""
    at = packet.next_at
    if packet.end - at >= 2 and u16(buf, at) == 0xFF03:
        at += 2
    if packet.end - at < 2:
        return TRUNCATED
    protocol = u8(buf, at)
    if protocol & 1:
        at += 1
    else:
        protocol = u16(buf, at)
        at += 2
    if protocol == PPP_IPV4:
        return goes_on(packet, ETHERTYPE_IPV4, at)
    if protocol == PPP_IPV6:
        return goes_on(packet, ETHERTYPE_IPV6, at)
    if protocol in (PPP_MPLS, PPP_MPLS_MULTICAST):
        return goes_on(packet, ETHERTYPE_MPLS, at)
    if protocol == PPP_CDP:
        packet.next_type = ETHERTYPE_CDP
        packet.next_at = at
    return UNKNOWN


@packet_kernel
def read_llc(buf, packet):
    """LLC (IEEE 802.2) with IP or SNAP in it, and Cisco's ISL, which looks like it; else it stays LLC."""
    at, end = packet.next_at, packet.end
    if end - at < 3:
        return TRUNCATED
    if u24(buf, at) == LLC_IP:
        return goes_on(packet, ETHERTYPE_IPV4, at + 3)
    if u24(buf, at) != LLC_SNAP or end - at < 8:
        return UNKNOWN
    organisation, kind = u24(buf, at + 3), u16(buf, at + 6)
    if organisation == OUI_CISCO and packet.target_mac >> 8 in ISL_ADDRESSES and end - at >= 12:
        identifier = u16(buf, at + 6) >> 1 & 0xFFF
        if identifier != 0:
            packet.vlan = identifier
        return goes_on(packet, ETHERTYPE_ETHERNET, at + 12)
    if organisation in (0, OUI_BRIDGE_TUNNEL) and kind >= ETHERTYPE_LEAST:
        return goes_on(packet, kind, at + 8)
    if organisation == OUI_BRIDGED and kind in (1, 7):
        # Two bytes of padding before the frame.
        return goes_on(packet, ETHERTYPE_ETHERNET, at + 10)
    return UNKNOWN


@packet_kernel
def read_macsec(buf, packet):
    """MACsec (802.1AE, 9.3) whose text is not encrypted; the check value at the end is no part of it."""
    at = packet.next_at
    if packet.end - at < 6:
        return TRUNCATED
    control = u8(buf, at)
    if control & MACSEC_SECRET:
        return UNKNOWN
    at += 14 if control & MACSEC_SCI else 6
    if packet.end - at < 2:
        return TRUNCATED
    packet.tunnel = MACSEC
    packet.stop -= MACSEC_ICV
    packet.end = min(packet.end, packet.stop)
    ethertype, at = walk_tags(buf, at + 2, packet.end, u16(buf, at), packet)
    return TRUNCATED if at < 0 else goes_on(packet, ethertype, at)


@packet_kernel
def read_nsh(buf, packet):
    """Network service header (RFC 8300, 2): its length in words, and what follows."""
    at = packet.next_at
    if packet.end - at < 8:
        return TRUNCATED
    length = (u16(buf, at) & 63) * 4
    following = u8(buf, at + 3)
    if u8(buf, at) >> 6 != 0 or length < 8:
        return MALFORMED
    return by_next_protocol(packet, following, at + length)


@packet_kernel
def by_next_protocol(packet, following, at):
    """Go on to what a "next protocol" of NSH or VXLAN-GPE names (IANA, NSH parameters)."""
    if following == NSH_IPV4:
        return goes_on(packet, ETHERTYPE_IPV4, at)
    if following == NSH_IPV6:
        return goes_on(packet, ETHERTYPE_IPV6, at)
    if following == NSH_ETHERNET:
        return goes_on(packet, ETHERTYPE_ETHERNET, at)
    if following == NSH_NSH:
        return goes_on(packet, ETHERTYPE_NSH, at)
    if following == NSH_MPLS:
        return goes_on(packet, ETHERTYPE_MPLS, at)
    return UNKNOWN


@packet_kernel
def read_switch_tag(buf, packet, length):
    """A tag of `length` bytes whose last two are the Ethertype behind it."""
    at = packet.next_at
    if packet.end - at < length:
        return TRUNCATED
    ethertype, at = walk_tags(buf, at + length, packet.end, u16(buf, at + length - 2), packet)
    return TRUNCATED if at < 0 else goes_on(packet, ethertype, at)


@packet_kernel
def read_shim(buf, packet):
    """Step over one header: OK and the next one's place, or UNKNOWN, TRUNCATED or MALFORMED."""
    kind, at = packet.next_type, packet.next_at
    if kind == ETHERTYPE_ETHERNET:
        return read_ethernet(buf, packet)
    if is_tag(kind):
        return read_tags(buf, packet)
    if kind in (ETHERTYPE_MPLS, ETHERTYPE_MPLS_UPSTREAM):
        return read_mpls(buf, packet)
    if kind == ETHERTYPE_PPPOE:
        return read_pppoe(buf, packet)
    if kind == ETHERTYPE_PPP:
        return read_ppp(buf, packet)
    if kind == ETHERTYPE_LLC:
        return read_llc(buf, packet)
    if kind == ETHERTYPE_PBB:
        # Flags and service identifier (802.1ah, 9.7), then the customer's frame.
        packet.tunnel = PBB
        return goes_on(packet, ETHERTYPE_ETHERNET, at + 4)
    if kind == ETHERTYPE_VNTAG:
        return read_switch_tag(buf, packet, 6)
    if kind in (ETHERTYPE_ETAG, ETHERTYPE_CMD):
        return read_switch_tag(buf, packet, 8)
    if kind == ETHERTYPE_FABRICPATH:
        return goes_on(packet, ETHERTYPE_ETHERNET, at + 2)
    if kind == ETHERTYPE_TRILL:
        # RFC 6325, 3.1: options in words of four bytes, then the frame.
        if packet.end - at < 6:
            return TRUNCATED
        packet.tunnel = TRILL
        return goes_on(packet, ETHERTYPE_ETHERNET, at + 6 + (u16(buf, at) >> 6 & 31) * 4)
    if kind == ETHERTYPE_MACSEC:
        return read_macsec(buf, packet)
    if kind == ETHERTYPE_NSH:
        return read_nsh(buf, packet)
    return UNKNOWN


@packet_kernel
def walk_shims(buf, packet):
    """Lead to an IP header: OK; else what stopped it, and `packet.next_type` where."""
    for _ in range(SHIMS_MAX):
        if packet.next_type in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            return OK
        outcome = read_shim(buf, packet)
        if outcome != OK:
            return outcome
    return MALFORMED
