"""Link layers other than Ethernet, by their number in the capture file (tcpdump.org/linktypes.html).

Each leads to the type of what comes next (`capture.link`): mostly IP itself, else PPP, LLC or Ethernet, which
`capture.shims` reads on.
"""

import numpy as np

from capture.frames import LINK_ETHERNET, LINK_NULL, LINK_RAW
from capture.link import (
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_LEAST,
    ETHERTYPE_LLC,
    ETHERTYPE_NONE,
    ETHERTYPE_PPP,
    ETHERTYPE_PPPOE,
    decode_ethernet,
    ip_version,
    walk_tags,
)
from capture.octets import le16, u8, u16, u24, u48
from capture.protocols.wlan import decode_wlan
from pipeline.kernels import packet_kernel, unit_kernel

LINK_TOKEN_RING, LINK_SLIP, LINK_PPP, LINK_FDDI, LINK_PPP_SERIAL, LINK_PPP_ETHERNET = 6, 8, 9, 10, 50, 51
#: Alternative numbers of raw IP in files of OpenBSD and of BSD/OS.
LINK_RAW_BSD, LINK_RAW_OPENBSD = 12, 14
#: 802.11: alone, and behind the headers of Prism, radiotap, AVS and PPI.
WLAN_LINKS = (105, 119, 127, 163, 192)
LINK_ATM_LLC, LINK_CISCO_HDLC, LINK_ATM_CLIP, LINK_FRAME_RELAY, LINK_LOOP, LINK_ENC = (
    100,
    104,
    106,
    107,
    108,
    109,
)
LINK_COOKED, LINK_PFLOG, LINK_FIBRE_CHANNEL, LINK_SUNATM, LINK_FIREWIRE = 113, 117, 122, 123, 138
LINK_PPP_PPPD, LINK_JUNIPER_ETHERNET, LINK_JUNIPER_PPP, LINK_JUNIPER_HDLC = 166, 178, 179, 181
LINK_ERF, LINK_PPP_DIRECTED, LINK_HDLC_DIRECTED, LINK_FRAME_RELAY_DIRECTED = 197, 204, 205, 206
LINK_IPNET, LINK_IPV4, LINK_IPV6, LINK_NFLOG, LINK_NETANALYZER, LINK_NETANALYZER_PREAMBLE = (
    226, 228, 229, 239, 240, 241,
)  # fmt: skip
LINK_IPOIB, LINK_PKTAP, LINK_COOKED_2 = 242, 258, 276
LINK_BROADCOM_TAG, LINK_BROADCOM_TAG_FIRST, LINK_DSA, LINK_EDSA = 281, 282, 284, 285

#: Link types of IP without anything before it.
RAW_LINKS = (LINK_RAW, LINK_IPV4, LINK_IPV6, LINK_RAW_BSD, LINK_RAW_OPENBSD)
#: Link types of a header of fixed length and IP behind it: OpenBSD's and BSD's loopback, encryption, Solaris.
FIXED_HEADERS = ((LINK_NULL, 4), (LINK_LOOP, 4), (LINK_ENC, 12), (LINK_SLIP, 16), (LINK_IPNET, 24))

#: Hardware type whose "protocol" is a netlink family (linux/if_arp.h).
ARPHRD_NETLINK = 824
#: "Protocol" of cooked captures for LLC (linux/if_ether.h).
COOKED_LLC = 4

#: NFLOG (libnetfilter_log): the attribute that holds the packet, and the most of them followed.
NFLOG_PAYLOAD, NFLOG_ATTRIBUTES = 9, 32
# Network layer protocol identifiers (ISO/IEC TR 9577; RFC 2427, 3).
NLPID_SNAP, NLPID_IPV6, NLPID_IPV4, NLPID_PPP, FRAME_RELAY_CONTROL = 0x80, 0x8E, 0xCC, 0xCF, 0x03
JUNIPER_MAGIC, JUNIPER_NO_LINK, JUNIPER_EXTENDED = 0x4D4743, 0x02, 0x80
# ERF records (Endace, "ERF types"): HDLC and Ethernet, with or without colour or hash; HDLC of many channels,
# behind four bytes that say which; bare IP.
ERF_HDLC, ERF_ETHERNET, ERF_CHANNELS, ERF_IP = (1, 10, 15, 19), (2, 11, 16, 20), (5, 17), (22, 23)
ERF_MORE, ERF_EXTENSIONS = 0x80, 8
#: Numbers of Apple's packet tap that lead to another link type; deeper ones are not followed.
PKTAP_LEAST = 12


@packet_kernel
def decode_cooked(buf, kind, hardware, mac_at, mac_length, at, end, packet):
    """Linux cooked capture, version 1 or 2: sender, protocol and hardware type were read by the caller."""
    if end < at:
        return ETHERTYPE_NONE, -1
    if mac_length == 6:
        packet.source_mac = u48(buf, mac_at)
    if kind == COOKED_LLC:
        return ETHERTYPE_LLC, at
    if hardware == ARPHRD_NETLINK or kind < ETHERTYPE_LEAST:
        return ETHERTYPE_NONE, at
    return walk_tags(buf, at, end, kind, packet)


@packet_kernel
def decode_frame_relay(buf, at, end, packet):
    """Q.922 address, then NLPID (RFC 2427), or Cisco's Ethertype."""
    for _ in range(4):
        if at >= end:
            return ETHERTYPE_NONE, -1
        at += 1
        if buf[at - 1] & 1:
            break
    if end - at < 2:
        return ETHERTYPE_NONE, -1
    if buf[at] != FRAME_RELAY_CONTROL:
        return walk_tags(buf, at + 2, end, u16(buf, at), packet)
    at += 1
    if buf[at] == 0 and end - at >= 2:
        # Padding to an even boundary.
        at += 1
    nlpid = u8(buf, at)
    if nlpid == NLPID_IPV4:
        return ETHERTYPE_IPV4, at + 1
    if nlpid == NLPID_IPV6:
        return ETHERTYPE_IPV6, at + 1
    if nlpid == NLPID_PPP:
        return ETHERTYPE_PPP, at + 1
    if nlpid == NLPID_SNAP:
        if end - at < 6:
            return ETHERTYPE_NONE, -1
        if u24(buf, at + 1) == 0:
            return walk_tags(buf, at + 6, end, u16(buf, at + 4), packet)
    return ETHERTYPE_NONE, at


@packet_kernel
def decode_hdlc(buf, at, end, packet):
    """Cisco HDLC: address, control, Ethertype; or PPP in HDLC framing (RFC 1662, 3.1)."""
    if end - at < 4:
        return ETHERTYPE_NONE, -1
    if buf[at] == 0xFF and buf[at + 1] == 3:
        return ETHERTYPE_PPP, at
    return walk_tags(buf, at + 4, end, u16(buf, at + 2), packet)


@packet_kernel
def decode_nflog(buf, at, end):
    """Linux netfilter log: attributes of (length, type) in the byte order of their host."""
    position = at + 4
    for _ in range(NFLOG_ATTRIBUTES):
        if end - position < 4:
            break
        # The type is small: the order that says so is the host's.
        big = u8(buf, position + 2) == 0
        if big:
            length, kind = u16(buf, position), u16(buf, position + 2)
        else:
            length, kind = le16(buf, position), le16(buf, position + 2)
        if length < 4:
            break
        if kind & 0x7FFF == NFLOG_PAYLOAD:
            position += 4
            return (ip_version(buf, position), position) if position < end else (ETHERTYPE_NONE, -1)
        position += (length + 3) // 4 * 4
    return ETHERTYPE_NONE, at


@packet_kernel
def decode_juniper(buf, at, end, link, packet):
    """Juniper's header (magic, flags, extensions), and the link layer of the interface behind it."""
    if end - at < 6:
        return ETHERTYPE_NONE, -1
    if u24(buf, at) != JUNIPER_MAGIC:
        return ETHERTYPE_NONE, at
    flags = u8(buf, at + 3)
    at += 4
    if flags & JUNIPER_EXTENDED:
        at += 2 + u16(buf, at)
    if flags & JUNIPER_NO_LINK:
        # Four bytes of protocol family, then the network header.
        at += 4
        return (ip_version(buf, at), at) if at < end else (ETHERTYPE_NONE, -1)
    if at > end:
        return ETHERTYPE_NONE, -1
    if link == LINK_JUNIPER_ETHERNET:
        return ETHERTYPE_ETHERNET, at
    if link == LINK_JUNIPER_PPP:
        return ETHERTYPE_PPP, at
    if link == LINK_JUNIPER_HDLC:
        return decode_hdlc(buf, at, end, packet)
    return decode_frame_relay(buf, at, end, packet)


@packet_kernel
def decode_erf(buf, at, end, packet):
    """Endace's extensible record format: 16 bytes, extension headers, then Ethernet, HDLC or IP."""
    if end - at < 16:
        return ETHERTYPE_NONE, -1
    kind = u8(buf, at + 8)
    more = kind & ERF_MORE
    kind &= 0x7F
    at += 16
    for _ in range(ERF_EXTENSIONS):
        if not more:
            break
        if end - at < 8:
            return ETHERTYPE_NONE, -1
        more = u8(buf, at) & ERF_MORE
        at += 8
    if kind in ERF_ETHERNET:
        # An offset and a pad byte come first.
        at += 2
        return (ETHERTYPE_ETHERNET, at) if at < end else (ETHERTYPE_NONE, -1)
    if kind in ERF_HDLC:
        return decode_hdlc(buf, at, end, packet)
    if kind in ERF_CHANNELS:
        return decode_hdlc(buf, at + 4, end, packet)
    if kind in ERF_IP:
        return (ip_version(buf, at), at) if at < end else (ETHERTYPE_NONE, -1)
    return ETHERTYPE_NONE, at


@packet_kernel
def decode_ringed(buf, at, end, routed, packet):
    """Token ring and FDDI behind their control bytes: addresses, a source route where there is one, LLC."""
    if end - at < 12:
        return ETHERTYPE_NONE, -1
    packet.target_mac = u48(buf, at)
    packet.source_mac = u48(buf, at + 6) & 0x7FFF_FFFF_FFFF
    if routed and buf[at + 6] & 0x80:
        if end - at < 14:
            return ETHERTYPE_NONE, -1
        at += u8(buf, at + 12) & 31
    return ETHERTYPE_LLC, at + 12


@packet_kernel
def decode_switch_tag(buf, start, end, link, packet):
    """Ethernet with a switch chip's tag: Marvell's (E)DSA and Broadcom's, behind or before the addresses."""
    length = 8 if link == LINK_EDSA else 4
    if link == LINK_BROADCOM_TAG_FIRST:
        return ETHERTYPE_ETHERNET, start + length
    if end - start < 14 + length:
        return ETHERTYPE_NONE, -1
    packet.target_mac = u48(buf, start)
    packet.source_mac = u48(buf, start + 6)
    if link != LINK_BROADCOM_TAG:
        # The last four bytes are a VLAN tag in another dress.
        identifier = u16(buf, start + 10 + length) & 0xFFF
        if identifier != 0:
            packet.vlan = identifier
    at = start + 12 + length
    return walk_tags(buf, at + 2, end, u16(buf, at), packet)


@packet_kernel
def pktap_link(buf, at, end):
    """(link type, frame) behind the header of Apple's packet tap, whose numbers are little-endian."""
    if end - at < PKTAP_LEAST:
        return np.int64(-1), np.int64(-1)
    length, link = le16(buf, at), le16(buf, at + 8)
    if length < PKTAP_LEAST or u16(buf, at + 2) != 0 or at + length > end:
        return np.int64(-1), np.int64(-1)
    return link, at + length


@packet_kernel
def walk_link(buf, at, end, link, packet):
    """(ethertype, offset of the header it announces) behind a link header, as `decode_other` sets them."""
    if end <= at:
        return ETHERTYPE_NONE, -1
    if link == LINK_ETHERNET:
        return decode_ethernet(buf, at, end, packet)
    if link in RAW_LINKS:
        return ip_version(buf, at), at
    for number, length in FIXED_HEADERS:
        if link == number:
            # The families' numbers differ between systems; the version nibble does not.
            at += length
            return (ip_version(buf, at), at) if at < end else (ETHERTYPE_NONE, -1)
    if link == LINK_COOKED:
        if end - at < 16:
            return ETHERTYPE_NONE, -1
        return decode_cooked(
            buf, u16(buf, at + 14), u16(buf, at + 2), at + 6, u16(buf, at + 4), at + 16, end, packet
        )
    if link == LINK_COOKED_2:
        if end - at < 20:
            return ETHERTYPE_NONE, -1
        return decode_cooked(
            buf, u16(buf, at), u16(buf, at + 8), at + 12, u8(buf, at + 11), at + 20, end, packet
        )
    if link in (LINK_PPP, LINK_PPP_SERIAL, LINK_CISCO_HDLC):
        if buf[at] in (0x0F, 0x8F) or link == LINK_CISCO_HDLC:
            return decode_hdlc(buf, at, end, packet)
        return ETHERTYPE_PPP, at
    if link == LINK_PPP_ETHERNET:
        return ETHERTYPE_PPPOE, at
    if link in (LINK_PPP_DIRECTED, LINK_PPP_PPPD):
        # One byte says the direction; for pppd's it stands in the place of the address 0xFF.
        at += 1
        if at < end and buf[at] == 3:
            at += 1
        return ETHERTYPE_PPP, at
    if link == LINK_HDLC_DIRECTED:
        return decode_hdlc(buf, at + 1, end, packet)
    if link == LINK_FRAME_RELAY:
        return decode_frame_relay(buf, at, end, packet)
    if link == LINK_FRAME_RELAY_DIRECTED:
        return decode_frame_relay(buf, at + 1, end, packet)
    if link == LINK_PFLOG:
        # Length of the header, in one byte, rounded up to four.
        at += (u8(buf, at) + 3) // 4 * 4
        return (ip_version(buf, at), at) if at < end else (ETHERTYPE_NONE, -1)
    if link == LINK_NFLOG:
        return decode_nflog(buf, at, end)
    if LINK_JUNIPER_ETHERNET <= link <= LINK_JUNIPER_HDLC:
        return decode_juniper(buf, at, end, link, packet)
    if link == LINK_ERF:
        return decode_erf(buf, at, end, packet)
    if link == LINK_TOKEN_RING:
        return decode_ringed(buf, at + 2, end, True, packet)
    if link == LINK_FDDI:
        return decode_ringed(buf, at + 1, end, False, packet)
    if link == LINK_ATM_LLC:
        return ETHERTYPE_LLC, at
    if link == LINK_ATM_CLIP:
        return (ETHERTYPE_LLC if buf[at] == 0xAA else ip_version(buf, at)), at
    if link == LINK_SUNATM:
        return (ETHERTYPE_LLC if buf[at] & 15 == 2 else ETHERTYPE_NONE), at + 4
    if link == LINK_FIBRE_CHANNEL:
        return ETHERTYPE_LLC, at + 16
    if link == LINK_FIREWIRE:
        if end - at < 18:
            return ETHERTYPE_NONE, -1
        return walk_tags(buf, at + 18, end, u16(buf, at + 16), packet)
    if link == LINK_IPOIB:
        if end - at < 44:
            return ETHERTYPE_NONE, -1
        return walk_tags(buf, at + 44, end, u16(buf, at + 40), packet)
    if link == LINK_NETANALYZER:
        return ETHERTYPE_ETHERNET, at + 4
    if link == LINK_NETANALYZER_PREAMBLE:
        return ETHERTYPE_ETHERNET, at + 12
    if link in (LINK_BROADCOM_TAG, LINK_BROADCOM_TAG_FIRST, LINK_DSA, LINK_EDSA):
        return decode_switch_tag(buf, at, end, link, packet)
    return ETHERTYPE_NONE, at


@unit_kernel
def decode_other(table, buf, start, end, link):
    """Walk the link header of `buf[start:end]`, which need not be Ethernet.

    Fills what it says of the packet's `source_mac`, `target_mac` and `vlan`, and `next_type`; returns the
    offset of what that announces. `ETHERTYPE_NONE` with offset -1: cut off; else: not decoded.
    """
    packet = table.packet[0]
    at = start
    if link == LINK_PKTAP:
        link, at = pktap_link(buf, start, end)
    if at < 0:
        ethertype = ETHERTYPE_NONE
    elif link in WLAN_LINKS:
        ethertype, at = decode_wlan(table, buf, at, end, link)
    else:
        ethertype, at = walk_link(buf, at, end, link, packet)
    packet.next_type = ethertype
    return np.int64(at)
