"""Frames of access points: CAPWAP's data (RFC 5415) and TZSP, which sniffers and MikroTik's mirrors speak."""

from capture.link import ETHERTYPE_ETHERNET, ETHERTYPE_WLAN, ETHERTYPE_WLAN_SWAPPED
from capture.octets import u8, u16, u24
from capture.shims import TUNNEL
from capture.tunnels.gre import enters
from pipeline.kernels import packet_kernel

CAPWAP, TZSP = TUNNEL["capwap"], TUNNEL["tzsp"]

# CAPWAP's header (RFC 5415, 4.3), second to fourth byte: native frame, fragment, keep-alive; 802.11's number.
NATIVE, FRAGMENT, KEEP_ALIVE, BINDING_WLAN = 0x100, 0x80, 0x08, 1
#: First byte of probes and beacons.
SWAPPED_KINDS = (0x40, 0x50, 0x80)
# TZSP: received and transmitted packets; their protocols; tags of padding and end, and the most followed.
TZSP_TYPES, TZSP_ETHERNET, TZSP_WLAN, TAG_PAD, TAG_END, TAGS_MAX = (0, 1), 1, 18, 0, 1, 32


@packet_kernel
def enter_capwap(buf, at, packet):
    """An unencrypted data packet that is whole: an 802.11 or an 802.3 frame."""
    if packet.end - at < 8 or buf[at] != 0:
        return False
    word = u24(buf, at + 1)
    length = (word >> 19) * 4
    if length < 8 or word & (FRAGMENT | KEEP_ALIVE):
        return False
    if word & NATIVE == 0:
        return enters(packet, CAPWAP, ETHERTYPE_ETHERNET, at + length)
    at += length
    if word >> 9 & 31 != BINDING_WLAN or packet.end - at < 2:
        return False
    # Cisco's controllers swap the frame control: its version then is not 0, or probes and beacons look like
    # requests to associate with odd flags.
    swapped = buf[at] & 3 != 0 or (buf[at] == 0 and u8(buf, at + 1) in SWAPPED_KINDS)
    return enters(packet, CAPWAP, ETHERTYPE_WLAN_SWAPPED if swapped else ETHERTYPE_WLAN, at)


@packet_kernel
def enter_tzsp(buf, at, packet):
    """A frame behind its tags; the carrier's VLAN is not the frame's."""
    if packet.end - at < 5 or buf[at] != 1 or u8(buf, at + 1) not in TZSP_TYPES:
        return False
    protocol = u16(buf, at + 2)
    position = at + 4
    for _ in range(TAGS_MAX):
        if position >= packet.end:
            return False
        tag = u8(buf, position)
        position += 1
        if tag == TAG_END:
            break
        if tag != TAG_PAD:
            if position >= packet.end:
                return False
            position += 1 + u8(buf, position)
    else:
        return False
    if protocol not in (TZSP_ETHERNET, TZSP_WLAN):
        return False
    ethertype = ETHERTYPE_ETHERNET if protocol == TZSP_ETHERNET else ETHERTYPE_WLAN
    if not enters(packet, TZSP, ethertype, position):
        return False
    packet.vlan = 0
    return True
