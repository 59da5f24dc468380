"""From the outside in: through links, shims and tunnels to the innermost IP packet.

One frame is counted once, in the flow of its innermost IP packet and with that packet's bytes; `tunnel` is
the innermost word of what was peeled off around it. Where what is carried is no IP packet, or contradicts
itself, the packet around it is the innermost, so nothing that has IP addresses is lost.
"""

import numpy as np

from capture.announcements import sight_link
from capture.link import (
    ETHERTYPE_ARP,
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_WLAN,
    ETHERTYPE_WLAN_SWAPPED,
)
from capture.network import BROKEN, CUT, MALFORMED, OK, TRUNCATED, decode_ipv4, decode_ipv6
from capture.protocols.arp import read_arp
from capture.protocols.outcomes import READ, UNSOUND
from capture.protocols.wlan import ETHERTYPE_READ, LINK_BARE, LINK_SWAPPED, decode_wlan
from capture.shims import TUNNEL, UNKNOWN, walk_shims
from capture.transport import UDP, decode_transport, no_transport
from capture.tunnels.gre import enter_gre, enters
from capture.tunnels.l2tp import enter_l2tp, enter_session
from capture.tunnels.overlays import enter_geneve, enter_gtp, enter_lisp, enter_vxlan
from capture.tunnels.transition import enter_ayiya, enter_teredo
from capture.tunnels.wireless import enter_capwap, enter_tzsp
from pipeline.kernels import hot_kernel, packet_kernel, unit_kernel

MPLS, IPIP, SIX_IN_FOUR, ETHERIP = (TUNNEL[word] for word in ("mpls", "ipip", "6in4", "etherip"))

#: Tunnels entered one inside the other; our default.
LEVELS = 8
#: Where `table.packet` keeps the last packet that stands.
AROUND = 2

#: Outcomes beside those of `capture.network` and `capture.shims`: written as a sighting; a fragment to be put
#: together. `FROM_LINK` asks `peel` to begin at `packet.next_type`.
SIGHTED, FRAGMENT = 6, 7
FROM_LINK = -1

# IP protocol numbers (IANA): IPv4, IPv6, GRE, EtherIP (RFC 3378), L2TP version 3, MPLS (RFC 4023).
PROTOCOL_IPV4, PROTOCOL_IPV6, PROTOCOL_GRE, PROTOCOL_ETHERIP, PROTOCOL_L2TP, PROTOCOL_MPLS = (
    4,
    41,
    47,
    97,
    115,
    137,
)
PROTOCOLS = (PROTOCOL_IPV4, PROTOCOL_IPV6, PROTOCOL_GRE, PROTOCOL_ETHERIP, PROTOCOL_L2TP, PROTOCOL_MPLS)
#: EtherIP's version, in the first or, from older systems, the second half of its first byte.
ETHERIP_HEADS = (0x30, 0x03)

# UDP ports (IANA; Linux' older one of VXLAN; MikroTik's of TZSP).
PORT_L2TP, PORT_GTP, PORT_TEREDO, PORT_LISP, PORT_GRE, PORT_VXLAN, PORT_GPE, PORT_AYIYA = (
    1701, 2152, 3544, 4341, 4754, 4789, 4790, 5072,
)  # fmt: skip
PORT_CAPWAP, PORT_GENEVE, PORT_MPLS, PORT_VXLAN_OLD, PORT_TZSP = 5247, 6081, 6635, 8472, 37_008
PORTS = (
    PORT_L2TP, PORT_GTP, PORT_TEREDO, PORT_LISP, PORT_GRE, PORT_VXLAN, PORT_GPE, PORT_AYIYA,
    PORT_CAPWAP, PORT_GENEVE, PORT_MPLS, PORT_VXLAN_OLD, PORT_TZSP,
)  # fmt: skip
#: Bytes of a bit for each port.
PORT_BITS = 8_192


def tunnel_port_bits() -> np.ndarray:
    """uint8[8192]: a bit for each UDP port, set where tunnels use it."""
    bits = np.zeros(PORT_BITS, np.uint8)
    for port in PORTS:
        bits[port >> 3] |= 1 << (port & 7)
    return bits


@hot_kernel
def may_carry(table, packet):
    """True if the packet's protocol or a port says that there may be a packet in it. Not for TCP."""
    if packet.protocol == UDP:
        source, target = packet.source_port, packet.target_port
        ports = table.tunnel_ports
        return ((ports[source >> 3] >> (source & 7)) | (ports[target >> 3] >> (target & 7))) & 1 != 0
    return packet.protocol in PROTOCOLS


@packet_kernel
def enter_protocol(buf, packet):
    """Enter a tunnel that has an IP protocol number of its own; False if there is none."""
    protocol, at = packet.protocol, packet.at
    packet.stop = at + packet.transport_bytes
    if protocol == PROTOCOL_GRE:
        return enter_gre(buf, at, packet)
    if protocol == PROTOCOL_IPV4:
        return enters(packet, IPIP, ETHERTYPE_IPV4, at)
    if protocol == PROTOCOL_IPV6:
        return enters(packet, SIX_IN_FOUR if packet.version == 4 else IPIP, ETHERTYPE_IPV6, at)
    if protocol == PROTOCOL_MPLS:
        return enters(packet, MPLS, ETHERTYPE_MPLS, at)
    if protocol == PROTOCOL_L2TP:
        return enter_session(buf, at, packet)
    if protocol == PROTOCOL_ETHERIP:
        return (
            at < packet.end
            and buf[at] in ETHERIP_HEADS
            and enters(packet, ETHERIP, ETHERTYPE_ETHERNET, at + 2)
        )
    return False


@packet_kernel
def enter_datagram(buf, packet):
    """Enter a tunnel over UDP: the port says which, its header must say so too."""
    at = packet.payload
    packet.stop = at + packet.payload_bytes
    source, target = packet.source_port, packet.target_port
    if target in (PORT_VXLAN, PORT_VXLAN_OLD, PORT_GPE):
        return enter_vxlan(buf, at, packet)
    if target == PORT_GENEVE:
        return enter_geneve(buf, at, packet)
    if target == PORT_MPLS:
        return enters(packet, MPLS, ETHERTYPE_MPLS, at)
    if target == PORT_GRE:
        return enter_gre(buf, at, packet)
    if target == PORT_LISP:
        return enter_lisp(buf, at, packet)
    if target == PORT_TZSP:
        return enter_tzsp(buf, at, packet)
    if PORT_GTP in (source, target):
        return enter_gtp(buf, at, packet)
    if PORT_TEREDO in (source, target):
        return enter_teredo(buf, at, packet)
    if PORT_L2TP in (source, target):
        return enter_l2tp(buf, at, packet)
    if PORT_CAPWAP in (source, target):
        return enter_capwap(buf, at, packet)
    if PORT_AYIYA in (source, target):
        return enter_ayiya(buf, at, packet)
    return False


@hot_kernel
def read_transport(buf, packet, status):
    """Read what an IP packet of that `status` carries; FRAGMENT where the others must come first.

    A fragment that the capture cut cannot be put together: it counts by its ports if it is the first.
    """
    if packet.fragment_offset >= 0:
        if status == OK and packet.end - packet.at == packet.transport_bytes:
            return FRAGMENT
        if packet.fragment_offset > 0:
            no_transport(packet)
            return status
    outcome = decode_transport(buf, packet)
    if outcome == MALFORMED and packet.fragment_offset < 0:
        return BROKEN
    if outcome == TRUNCATED:
        return CUT
    return status


@packet_kernel
def sight(table, buf, packet):
    """What is no IP: SIGHTED if some of it is told, else why not."""
    at, end = packet.next_at, packet.end
    if packet.next_type == ETHERTYPE_ARP:
        outcome = read_arp(table, buf, at, end)
    else:
        outcome = sight_link(table, buf, at, end, packet.next_type)
    if outcome == READ:
        return SIGHTED
    return MALFORMED if outcome == UNSOUND else UNKNOWN


@packet_kernel
def read_inner(table, buf, packet):
    """From `packet.next_type` to an IP packet whose transport header was read, or what else it is."""
    outcome = walk_shims(buf, packet)
    if packet.next_type in (ETHERTYPE_WLAN, ETHERTYPE_WLAN_SWAPPED):
        link = LINK_BARE if packet.next_type == ETHERTYPE_WLAN else LINK_SWAPPED
        ethertype, at = decode_wlan(table, buf, packet.next_at, packet.end, link)
        if at < 0:
            return TRUNCATED
        packet.next_type = ethertype
        packet.next_at = at
        outcome = walk_shims(buf, packet)
    if packet.next_type == ETHERTYPE_READ:
        return SIGHTED
    if outcome == UNKNOWN:
        return sight(table, buf, packet)
    if outcome != OK:
        return outcome
    at = packet.next_at
    if packet.next_type == ETHERTYPE_IPV4:
        status = decode_ipv4(buf, at, packet.end, packet.stop - at, packet)
    else:
        status = decode_ipv6(buf, at, packet.end, packet.stop - at, packet)
    if status in (TRUNCATED, MALFORMED):
        return status
    return read_transport(buf, packet, status)


@unit_kernel
def peel(table, buf, status):
    """Make `table.packet[0]` the innermost IP packet, with its transport header read.

    Begins with the packet that stands there, which has this `status`, or `FROM_LINK` with what stands at
    `packet.next_at`. Returns OK, CUT or BROKEN (a packet stands), FRAGMENT (it does, as a fragment), or,
    without any IP packet, SIGHTED, UNKNOWN, TRUNCATED or MALFORMED.
    """
    packet = table.packet[0]
    for _ in range(LEVELS + 1):
        if status != FROM_LINK:
            table.packet[AROUND] = table.packet[0]
            if not may_carry(table, packet):
                return status
            if not (enter_datagram(buf, packet) if packet.protocol == UDP else enter_protocol(buf, packet)):
                return status
        outcome = read_inner(table, buf, packet)
        if outcome == FRAGMENT:
            packet.packets = 1
            return np.int64(FRAGMENT)
        if outcome != OK and outcome != CUT and outcome != BROKEN:
            if status == FROM_LINK:
                return np.int64(outcome)
            break
        packet.packets = 1
        status = np.int64(outcome)
    table.packet[0] = table.packet[AROUND]
    return status
