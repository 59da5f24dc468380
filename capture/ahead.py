"""Looking ahead: asks the memory for what the next frames will need, before they need it.

A packet of a flow that was silent for a while costs three waits for memory, one after the other: its headers,
its bucket, its record. They are most of its time. A look at the addresses of the next frames starts these
waits side by side. It decides nothing: a frame that it misreads is only slower.
"""

import numpy as np

from capture.copies import copy_place
from capture.flows import NONE, ends_hash
from capture.frames import LINK_ETHERNET
from capture.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN
from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import u8, u16, u32, u64
from capture.transport import TCP, UDP
from pipeline.kernels import hot_kernel
from pipeline.words import LINE, prefetch

#: Frames looked at together: their lines are still in the cache when they are taken; our default.
AHEAD = 24
# What `table.ahead` keeps of each: the flow's hash, and where its transport header begins, `NONE` where the
# frame was not understood.
KEY, PORTS = 0, 1
#: Frames shorter than this are not looked at: IPv4 and ports.
SHORTEST = 38
#: Frames up to this length are asked for whole: first messages, questions and answers, which are read. Our
#: default.
WHOLE = 768


@hot_kernel
def key_ahead(table, buf, start, end):
    """(`flow_hash`, start of the ports) of an Ethernet frame with TCP or UDP in plain IP, else (0, `NONE`).

    The frame has `SHORTEST` bytes or more. Where its copy would be remembered is asked for, too.
    """
    kind = u16(buf, start + 12)
    at = start + 14
    if kind == ETHERTYPE_VLAN:
        kind = u16(buf, at + 2)
        at += 4
    ip_id = np.int64(0)
    if kind == ETHERTYPE_IPV4 and u8(buf, at) == 0x45 and at + 24 <= end:
        protocol = u8(buf, at + 9)
        ip_id = u16(buf, at + 4)
        source_hi, source_lo = np.int64(MAPPED_HI), MAPPED_LO | u32(buf, at + 12)
        target_hi, target_lo = np.int64(MAPPED_HI), MAPPED_LO | u32(buf, at + 16)
        ports = at + 20
    elif kind == ETHERTYPE_IPV6 and at + 44 <= end:
        protocol = u8(buf, at + 6)
        source_hi, source_lo = u64(buf, at + 8), u64(buf, at + 16)
        target_hi, target_lo = u64(buf, at + 24), u64(buf, at + 32)
        ports = at + 40
    else:
        return np.int64(0), np.int64(NONE)
    if protocol not in (TCP, UDP):
        return np.int64(0), np.int64(NONE)
    key = ends_hash(
        table.meter[0].seed,
        source_hi,
        source_lo,
        u16(buf, ports),
        target_hi,
        target_lo,
        u16(buf, ports + 2),
        protocol,
    )
    if protocol == TCP and ports + 12 <= end:
        place = copy_place(key, ip_id, u32(buf, ports + 4), u32(buf, ports + 8))
        prefetch(table.copies, place & (len(table.copies) - 1), 0)
    elif ip_id != 0:
        prefetch(table.copies, copy_place(key, ip_id, 0, 0) & (len(table.copies) - 1), 0)
    return key, np.int64(ports)


@hot_kernel
def look_ahead(table, frames, first):
    """Ask for the headers, buckets and records of `AHEAD` frames; returns the index behind them."""
    stop = min(first + AHEAD, frames.count)
    for number in range(stop, min(stop + AHEAD, frames.count)):
        # Those of the next look.
        prefetch(frames.data, frames.start[number], 0)
        prefetch(frames.data, frames.start[number], LINE)
        if frames.captured[number] <= WHOLE:
            for line in range(2, frames.captured[number] // LINE + 1):
                prefetch(frames.data, frames.start[number], LINE * line)
    for number in range(first, stop):
        key, ports = np.int64(0), np.int64(NONE)
        if frames.link[number] == LINK_ETHERNET and frames.captured[number] >= SHORTEST:
            start = frames.start[number]
            key, ports = key_ahead(table, frames.data, start, start + frames.captured[number])
            if ports != NONE:
                prefetch(table.buckets, key & (len(table.buckets) - 1), 0)
        table.ahead[number - first, KEY] = key
        table.ahead[number - first, PORTS] = ports
    for number in range(stop - first):
        if table.ahead[number, PORTS] != NONE:
            i = np.int64(table.buckets[table.ahead[number, KEY] & (len(table.buckets) - 1)])
            if i != NONE:
                # The lines that a segment of an established connection touches (capture.flows.FLOW).
                for line in range(3):
                    prefetch(table.flows, i, LINE * line)
    return stop
