"""The memory layout of a TPACKET_V3 receive ring and the walk over its blocks.

Layout: linux/if_packet.h and Documentation/networking/packet_mmap.rst. All fields are in the
host's byte order.
"""

import struct
import sys

import numpy as np

from capture.frames import LINK_ETHERNET, LINK_RAW, NO_TAG
from capture.sources.container import MAX_TS, believed_wire, u16, u32
from pipeline.kernels import entry_kernel

HOST_BIG = sys.byteorder == "big"

# Socket options of level SOL_PACKET.
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_RX_RING = 5
PACKET_STATISTICS = 6
PACKET_VERSION = 10
PACKET_FANOUT = 18
PACKET_IGNORE_OUTGOING = 23
TPACKET_V3 = 2
PACKET_MR_PROMISC = 1
PACKET_FANOUT_HASH = 0
#: Fragments are put together before hashing, so that all go to the flow's own socket.
PACKET_FANOUT_FLAG_DEFRAG = 0x8000
PACKET_FANOUT_FLAG_IGNORE_OUTGOING = 0x4000
ETH_P_ALL = 3

#: struct tpacket_req3: block size and number, frame size and number, retire timeout in ms,
#: private bytes, features.
REQUEST = struct.Struct("7I")
#: struct packet_mreq: interface index, type, address length, address.
MEMBERSHIP = struct.Struct("iHH8s")
#: Argument of PACKET_FANOUT: group, and mode and flags in the upper half.
FANOUT = struct.Struct("I")
#: struct tpacket_stats_v3: frames, frames dropped, times the queue was frozen; reading resets them.
STATISTICS = struct.Struct("3I")

# struct tpacket_block_desc: offsets of the 32-bit fields.
BLOCK_STATUS, BLOCK_FRAMES, BLOCK_FIRST = 8, 12, 16
BLOCK_HEADER = 48
#: Owners of a block.
STATUS_KERNEL, STATUS_USER = 0, 1

# struct tpacket3_hdr, then struct sockaddr_ll: offsets.
NEXT, SECONDS, NANOSECONDS, SNAPLEN, LENGTH, STATUS, MAC, VLAN_TCI = 0, 4, 8, 12, 16, 20, 24, 32
PACKET_TYPE = 48 + 10
FRAME_HEADER = 48 + 20
#: Least bytes that one frame takes of a block: its header, aligned.
FRAME_LEAST = 80
STATUS_VLAN_VALID = 1 << 4
#: sll_pkttype of what this machine sent itself.
PACKET_OUTGOING = 4
#: Bytes of the tag that the kernel took out of the frame.
TAG = 4

#: ARPHRD_ of an interface (linux/if_arp.h) to the LINKTYPE_ of its frames on a raw socket.
LINKTYPES = {
    1: LINK_ETHERNET,
    519: LINK_RAW,  # RAWIP
    768: LINK_RAW,  # TUNNEL
    769: LINK_RAW,  # TUNNEL6
    772: LINK_ETHERNET,  # LOOPBACK
    776: LINK_RAW,  # SIT
    801: 105,  # IEEE80211
    802: 119,  # IEEE80211_PRISM
    803: 127,  # IEEE80211_RADIOTAP
    65534: LINK_RAW,  # NONE: tun, WireGuard
}


@entry_kernel
def walk_block(data, block, size, count, start, captured, wire, ts, vlan):
    """Appends the frames of `data[block:block + size]` behind the first `count`; returns the new count.

    Frames that this machine sent are left out. The tag that the kernel took out counts towards the
    wire again.
    """
    room = len(start)
    if size < BLOCK_HEADER:
        return count
    frames = u32(data, block + BLOCK_FRAMES, HOST_BIG)
    end = block + size
    at = block + u32(data, block + BLOCK_FIRST, HOST_BIG)
    for _ in range(frames):
        if count == room or at + FRAME_HEADER > end:
            break
        first = at + u16(data, at + MAC, HOST_BIG)
        length = u32(data, at + SNAPLEN, HOST_BIG)
        if first + length > end:
            break
        if data[at + PACKET_TYPE] != PACKET_OUTGOING:
            original = u32(data, at + LENGTH, HOST_BIG)
            if u32(data, at + STATUS, HOST_BIG) & STATUS_VLAN_VALID:
                vlan[count] = u32(data, at + VLAN_TCI, HOST_BIG) & 0xFFFF
                original += TAG
            else:
                vlan[count] = NO_TAG
            time = (
                u32(data, at + SECONDS, HOST_BIG) * 1_000_000 + u32(data, at + NANOSECONDS, HOST_BIG) // 1_000
            )
            start[count] = first
            captured[count] = length
            wire[count] = believed_wire(length, original)
            ts[count] = min(time, np.int64(MAX_TS))
            count += 1
        step = u32(data, at + NEXT, HOST_BIG)
        if step == 0:
            break
        at += step
    return count
