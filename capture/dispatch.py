"""One frame through all of it: link, tunnels, network, transport, then its flow.

`run` works through a block of frames and stops where the rows are full, so that the caller can take
them as a batch; nothing is ever dropped for want of room.
"""

from capture.ahead import KEY, PORTS, look_ahead
from capture.copies import is_copy
from capture.expiry import advance, has_room
from capture.flows import flow_hash
from capture.fragments import take_fragment
from capture.frames import LINK_ETHERNET
from capture.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6, begin_link, decode_ethernet
from capture.network import BROKEN, CUT, MALFORMED, OK, TRUNCATED, decode_ipv4, decode_ipv6
from capture.other_links import decode_other
from capture.shims import UNKNOWN
from capture.tracking import take_packet
from capture.transport import TCP
from capture.tunnels.peel import FRAGMENT, FROM_LINK, may_carry, peel, read_transport
from pipeline.kernels import entry_kernel, hot_kernel


@hot_kernel
def packet_hash(table, packet, key, ports):
    """`flow_hash` of the packet at hand: `key`, if that was made of the same header and its ports."""
    if packet.at == ports and packet.end - ports >= 4 and packet.fragment_offset < 0:
        return key
    return flow_hash(table.meter[0].seed, packet)


@hot_kernel
def take_status(table, buf, status, key, ports):
    """Count the packet at hand in its flow, if one stands, and what is wrong with the frame."""
    meter = table.meter[0]
    packet = table.packet[0]
    if status == FRAGMENT:
        take_fragment(table, buf)
        return
    if status in (OK, CUT, BROKEN):
        key = packet_hash(table, packet, key, ports)
        if is_copy(table, buf, packet, key):
            meter.duplicates += 1
            return
        take_packet(table, buf, packet, key)
    if status in (TRUNCATED, CUT):
        meter.truncated += 1
    elif status in (MALFORMED, BROKEN):
        meter.malformed += 1
    elif status == UNKNOWN:
        meter.unknown_link += 1


@hot_kernel
def take_frame(table, buf, start, end, wire, ts, link, tag, key, ports):
    """Decode one frame and count it in its flow; `key` and `ports` are what `look_ahead` said of it."""
    packet = table.packet[0]
    packet.ts = ts
    packet.tunnel = 0
    packet.packets = 1
    begin_link(tag, packet)
    if link == LINK_ETHERNET:
        ethertype, at = decode_ethernet(buf, start, end, packet)
    else:
        at = decode_other(table, buf, start, end, link)
        ethertype = packet.next_type
    stop = start + wire
    if at < 0:
        status = TRUNCATED
    elif ethertype in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
        if ethertype == ETHERTYPE_IPV4:
            status = decode_ipv4(buf, at, end, stop - at, packet)
        else:
            status = decode_ipv6(buf, at, end, stop - at, packet)
        if status in (OK, CUT, BROKEN):
            status = read_transport(buf, packet, status)
            if packet.protocol != TCP and status != FRAGMENT and may_carry(table, packet):
                status = peel(table, buf, status)
    else:
        packet.next_type = ethertype
        packet.next_at = at
        packet.end = end
        packet.stop = stop
        status = peel(table, buf, FROM_LINK)
    take_status(table, buf, status, key, ports)


@entry_kernel
def run(table, frames, first):
    """Take `frames` from index `first` on; returns the index of the first frame not taken.

    Less than `frames.count`: the rows are full; take them and call again.
    """
    meter = table.meter[0]
    began = looked = first
    for number in range(first, frames.count):
        if number == looked:
            began = number
            looked = look_ahead(table, frames, number)
        if not advance(table, frames.ts[number]) or not has_room(table):
            return number
        take_frame(
            table,
            frames.data,
            frames.start[number],
            frames.start[number] + frames.captured[number],
            frames.wire[number],
            frames.ts[number],
            frames.link[number],
            frames.vlan[number],
            table.ahead[number - began, KEY],
            table.ahead[number - began, PORTS],
        )
        meter.packets += 1
        meter.bytes += frames.wire[number]
    return frames.count
