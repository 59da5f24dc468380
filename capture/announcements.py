"""What switches, phones and access points announce below IP: finds LLDP, CDP and spanning tree in a frame."""

from capture.link import ETHERTYPE_LLC
from capture.octets import u16, u24
from capture.protocols.cdp import sight_cdp
from capture.protocols.lldp import sight_lldp
from capture.protocols.outcomes import READ, UNKNOWN, UNSOUND
from capture.protocols.stp import sight_stp
from pipeline.kernels import packet_kernel

ETHERTYPE_LLDP = 0x88CC
#: CDP's type in SNAP, Cisco HDLC and PPP (as 0x0207, which callers translate).
ETHERTYPE_CDP = 0x2000
#: LLC: service access points and control of spanning tree and of SNAP.
LLC_STP, LLC_SNAP = 0x424203, 0xAAAA03
CISCO = 0x00000C
SNAP_CDP, SNAP_PVST = 0x2000, 0x010B


@packet_kernel
def sight_link(table, buf, at, end, ethertype):
    """Read what is announced at `at`: READ, UNSOUND if it contradicts itself, UNKNOWN otherwise.

    `ethertype` is the Ethertype of what stands at `at`, `ETHERTYPE_LLC` for an LLC header.
    """
    if ethertype == ETHERTYPE_LLDP:
        return READ if sight_lldp(table, buf, at, end) else UNSOUND
    if ethertype == ETHERTYPE_CDP:
        return READ if sight_cdp(table, buf, at, end) else UNSOUND
    if ethertype != ETHERTYPE_LLC or end - at < 3:
        return UNKNOWN
    if u24(buf, at) == LLC_STP:
        # Other protocols of bridges have other identifiers (GARP: 1).
        if end - at >= 5 and u16(buf, at + 3) != 0:
            return UNKNOWN
        return READ if sight_stp(table, buf, at + 3, end, 0) else UNSOUND
    if u24(buf, at) == LLC_SNAP and end - at >= 8 and u24(buf, at + 3) == CISCO:
        if u16(buf, at + 6) == SNAP_CDP:
            return READ if sight_cdp(table, buf, at + 8, end) else UNSOUND
        if u16(buf, at + 6) == SNAP_PVST:
            return READ if sight_stp(table, buf, at + 8, end, 1) else UNSOUND
    return UNKNOWN
