"""IPv6 over IPv4 through NATs: Teredo (RFC 4380) and AYIYA (draft-massar-v6ops-ayiya-02)."""

from capture.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6
from capture.octets import u8, u16
from capture.shims import TUNNEL, is_ip
from capture.tunnels.gre import enters
from pipeline.kernels import packet_kernel

TEREDO, AYIYA = TUNNEL["teredo"], TUNNEL["ayiya"]

# Teredo's indications before the packet (RFC 4380, 5.1.1).
ORIGIN, AUTHENTICATION = 0, 1
# AYIYA: operation "forward", and IP protocol numbers.
FORWARD, IPV4, IPV6 = 1, 4, 41


@packet_kernel
def enter_teredo(buf, at, packet):
    """An authentication and an origin indication, either or none, then an IPv6 packet."""
    end = packet.end
    if end - at >= 13 and u16(buf, at) == AUTHENTICATION:
        # Lengths of client identifier and authentication value, both; a nonce and a confirmation byte.
        at += 13 + u8(buf, at + 2) + u8(buf, at + 3)
    if end - at >= 8 and u16(buf, at) == ORIGIN:
        at += 8
    if end - at < 40 or buf[at] >> 4 != 6 or not is_ip(buf, at, packet.end, packet.stop):
        return False
    return enters(packet, TEREDO, ETHERTYPE_IPV6, at)


@packet_kernel
def enter_ayiya(buf, at, packet):
    """Identity, signature and epoch, then what the next header names."""
    if packet.end - at < 8:
        return False
    identity = 1 << (u8(buf, at) >> 4)
    signature = (u8(buf, at + 1) >> 4) * 4
    following = u8(buf, at + 3)
    if u8(buf, at + 2) & 15 != FORWARD or identity > 16:
        return False
    at += 8 + identity + signature
    if at >= packet.end or not is_ip(buf, at, packet.end, packet.stop):
        return False
    if following == IPV6 and buf[at] >> 4 == 6:
        return enters(packet, AYIYA, ETHERTYPE_IPV6, at)
    return following == IPV4 and buf[at] >> 4 == 4 and enters(packet, AYIYA, ETHERTYPE_IPV4, at)
