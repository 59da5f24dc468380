"""Ethernet: from the frame's first byte to the first type that is no tag.

Ethernet II and 802.3 (IEEE 802.3, 3.2.6), 802.1Q and 802.1ad tags. The other link layers are in
`capture.other_links`; what may lie between the link and IP beside tags is in `capture.shims`.
"""

from capture.frames import NO_TAG
from capture.octets import u16, u48
from pipeline.kernels import hot_kernel, packet_kernel

# Types of what comes next. Those of Ethernet (IEEE 802 numbers at IANA) serve for every layer, with Linux'
# number for 802.2 (linux/if_ether.h) and our own for what has none.
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
#: C-tag, S-tag, and the three older values seen for stacked tags.
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_QINQ = 0x88A8
ETHERTYPE_OLD_TAGS = (0x9100, 0x9200, 0x9300)
#: An LLC header: the type field was a length.
ETHERTYPE_LLC = 0x0004
#: A whole Ethernet frame, "transparent Ethernet bridging".
ETHERTYPE_ETHERNET = 0x6558
ETHERTYPE_PPP = 0x880B
ETHERTYPE_PPPOE = 0x8864
ETHERTYPE_MPLS, ETHERTYPE_MPLS_UPSTREAM = 0x8847, 0x8848
#: Our own: an 802.11 frame, one with its frame control swapped, and "nothing we decode".
ETHERTYPE_WLAN, ETHERTYPE_WLAN_SWAPPED = 0x1_0001, 0x1_0003
ETHERTYPE_NONE = -1
#: Smaller values are lengths of an 802.3 frame.
ETHERTYPE_LEAST = 0x0600


@packet_kernel
def is_tag(ethertype):
    """True if the type announces a VLAN tag."""
    return ethertype in (ETHERTYPE_VLAN, ETHERTYPE_QINQ) or ethertype in ETHERTYPE_OLD_TAGS


@packet_kernel
def ip_version(buf, at):
    """Ethertype by the version nibble of a raw IP packet."""
    version = buf[at] >> 4
    if version == 4:
        return ETHERTYPE_IPV4
    if version == 6:
        return ETHERTYPE_IPV6
    return ETHERTYPE_NONE


@packet_kernel
def walk_tags(buf, at, end, ethertype, packet):
    """Behind the VLAN tags that begin at `at`: (ethertype, its header), as `decode_ethernet`.

    The innermost tag with an identifier gives the VLAN; priority tags (id 0) don't.
    """
    while is_tag(ethertype):
        if end - at < 4:
            return ETHERTYPE_NONE, -1
        identifier = u16(buf, at) & 0xFFF
        if identifier != 0:
            packet.vlan = identifier
        ethertype = u16(buf, at + 2)
        at += 4
    if ethertype < ETHERTYPE_LEAST:
        ethertype = ETHERTYPE_LLC
    return ethertype, at


@hot_kernel
def begin_link(stripped_tag, packet):
    """Nothing is known of the link layer yet but the tag that the capturing kernel stripped."""
    packet.source_mac = 0
    packet.target_mac = 0
    packet.vlan = 0
    if stripped_tag != NO_TAG:
        packet.vlan = stripped_tag & 0xFFF


@hot_kernel
def decode_ethernet(buf, start, end, packet):
    """Read the Ethernet header of `buf[start:end]` and its tags.

    Fills `packet.source_mac`, `packet.target_mac`, `packet.vlan` and returns (ethertype, offset of the
    header it announces), `ETHERTYPE_NONE` and -1 where the frame is cut off before.
    """
    if end - start < 14:
        return ETHERTYPE_NONE, -1
    packet.target_mac = u48(buf, start)
    packet.source_mac = u48(buf, start + 6)
    return walk_tags(buf, start + 14, end, u16(buf, start + 12), packet)
