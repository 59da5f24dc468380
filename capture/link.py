"""Link layers: from the frame's first byte to the network layer.

Ethernet II and 802.3 with LLC/SNAP (IEEE 802.3), 802.1Q/802.1ad tags, Linux cooked, BSD null/loop, raw IP.
"""

from capture.frames import LINK_ETHERNET, LINK_NULL, LINK_RAW, NO_TAG
from capture.octets import u16, u24, u48
from pipeline.kernels import packet_kernel

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
#: C-tag, S-tag, and the three older values seen for stacked tags.
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_QINQ = 0x88A8
ETHERTYPE_OLD_TAGS = (0x9100, 0x9200, 0x9300)
#: An LLC header: the type field was a length (Linux' number for 802.2, linux/if_ether.h).
ETHERTYPE_LLC = 0x0004
#: Our own for "nothing we decode".
ETHERTYPE_NONE = -1

LINK_LOOP = 108
LINK_COOKED, LINK_COOKED_2 = 113, 276
LINK_IPV4 = 228
LINK_IPV6 = 229
#: Alternative numbers of raw IP in files of OpenBSD and of BSD/OS.
LINK_RAW_BSD = 12
LINK_RAW_OPENBSD = 14


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
def decode_cooked(buf, start, end, kind_at, address_at, at, packet):
    """Linux cooked capture, version 1 or 2 (tcpdump.org/linktypes): (ethertype, network header)."""
    if end < at:
        return ETHERTYPE_NONE, -1
    packet.source_mac = u48(buf, address_at)
    return walk_tags(buf, at, end, u16(buf, kind_at), packet)


@packet_kernel
def walk_tags(buf, at, end, ethertype, packet):
    """Behind the VLAN tags that begin at `at`: (ethertype, network header), as `decode_link`."""
    while is_tag(ethertype):
        if end - at < 4:
            return ETHERTYPE_NONE, -1
        identifier = u16(buf, at) & 0xFFF
        if identifier != 0:
            packet.vlan = identifier
        ethertype = u16(buf, at + 2)
        at += 4
    return ethertype, at


@packet_kernel
def decode_link(buf, start, end, link, stripped_tag, packet):
    """Walk the link headers of `buf[start:end]`.

    Fills `packet.source_mac`, `packet.target_mac`, `packet.vlan` and returns (ethertype, offset of
    the network header). `ETHERTYPE_NONE` with offset -1: cut off; with offset ≥ 0: not decoded.
    The innermost tag gives the VLAN; priority tags (id 0) don't.
    """
    packet.source_mac = 0
    packet.target_mac = 0
    packet.vlan = 0
    if stripped_tag != NO_TAG:
        packet.vlan = stripped_tag & 0xFFF
    if link == LINK_ETHERNET:
        if end - start < 14:
            return ETHERTYPE_NONE, -1
        packet.target_mac = u48(buf, start)
        packet.source_mac = u48(buf, start + 6)
        ethertype, at = walk_tags(buf, start + 14, end, u16(buf, start + 12), packet)
        if at < 0:
            return ETHERTYPE_NONE, -1
        if ethertype < 0x0600:
            # 802.3 length, then LLC; SNAP with OUI 0 carries an Ethertype (RFC 1042).
            if end - at >= 8 and u24(buf, at) == 0xAAAA03 and u24(buf, at + 3) == 0:
                return u16(buf, at + 6), at + 8
            return ETHERTYPE_LLC, at
        return ethertype, at
    if link in (LINK_RAW, LINK_IPV4, LINK_IPV6, LINK_RAW_BSD, LINK_RAW_OPENBSD):
        if end <= start:
            return ETHERTYPE_NONE, -1
        return ip_version(buf, start), start
    if link == LINK_COOKED:
        return decode_cooked(buf, start, end, start + 14, start + 6, start + 16, packet)
    if link == LINK_COOKED_2:
        return decode_cooked(buf, start, end, start, start + 12, start + 20, packet)
    if link in (LINK_NULL, LINK_LOOP):
        # The family's number differs between systems; the version nibble does not.
        if end - start < 5:
            return ETHERTYPE_NONE, -1
        return ip_version(buf, start + 4), start + 4
    return ETHERTYPE_NONE, start
